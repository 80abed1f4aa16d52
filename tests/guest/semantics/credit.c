// SPDX-License-Identifier: GPL-2.0-only
/* A sender to one who does not read stops at the size of the buffer. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "counters.h"
#include "data.h"
#include "semantics.h"
#include "vsock.h"

static void pair_of(int fd[2], unsigned long long size)
{
	connected_pair_of(SOCK_STREAM, cid, size, fd);
}

static void stops_at(unsigned int size, unsigned int chunk)
{
	int fd[2];
	size_t sent;

	pair_of(fd, size);
	sent = fill(fd[0], chunk);
	row("the buffer size", sent == size ? "the buffer size" : outcome(sent),
	    "bytes sent in %u to a buffer of %u", chunk, size);
	CHECK(!ready(fd[0], POLLOUT, 0));
	CHECK_EQ(drain(fd[1]), sent);
	CHECK(ready(fd[0], POLLOUT, 5000));
	close(fd[0]);
	close(fd[1]);
}

static void exactly(void)
{
	static const unsigned int chunk[] = { 1000, 4096, 65536, 1 << 20 };

	for (size_t i = 0; i < sizeof(chunk) / sizeof(chunk[0]); i++) {
		stops_at(262144, chunk[i]);
		stops_at(1 << 20, chunk[i]);
		stops_at(10000, chunk[i]);
		stops_at(128, chunk[i]);
	}
}

/* A peer with a large buffer does not make this end hold more than its own says. */
static void own_bound(void)
{
	int fd[2];
	size_t sent;

	pair_of(fd, 1 << 20);
	set_u64(fd[0], SO_VM_SOCKETS_BUFFER_SIZE, 100000);
	sent = fill(fd[0], 4096);
	row("the own buffer", sent == 100000 ? "the own buffer" : outcome(sent),
	    "bytes sent with a buffer of 100000 to one of 1048576");
	CHECK_EQ(drain(fd[1]), sent);
	CHECK(ready(fd[0], POLLOUT, 5000));
}

/* The peer has read all, sees room for much more, and knows of no reason to say so. */
static void own_shrinks(void)
{
	static char buf[60000];
	int fd[2];

	pair_of(fd, 262144);
	NEED(send(fd[0], buf, sizeof(buf), 0) == sizeof(buf));
	NEED(recv(fd[1], buf, sizeof(buf), MSG_WAITALL) == sizeof(buf));
	set_u64(fd[0], SO_VM_SOCKETS_BUFFER_SIZE, 4096);
	CHECK(ready(fd[0], POLLOUT, 5000));
	NEED(send(fd[0], buf, 4096, MSG_DONTWAIT) == 4096);
	CHECK(!ready(fd[0], POLLOUT, 0));
	NEED(recv(fd[1], buf, 4096, MSG_WAITALL) == 4096);
	CHECK(ready(fd[0], POLLOUT, 5000));
}

/* A sender that waits asks, at 0.2 s and 0.6 s, and no more when it need not wait. */
static void probes(void)
{
	struct counters before, after;
	int fd[2];

	pair_of(fd, 5000);
	CHECK_EQ(fill(fd[0], 5000), 5000);
	set_timeout(fd[0], SOL_SOCKET, SO_SNDTIMEO, 1000);
	counters_read(&before);
	CHECK_OUTCOME(send(fd[0], "x", 1, 0), "EAGAIN");
	counters_read(&after);
	CHECK(counters_diff(&before, &after, "tx_credit_request") >= 1);
	CHECK(counters_diff(&before, &after, "tx_credit_request") <= 3);
	CHECK_EQ(drain(fd[1]), 5000);
	NEED(send(fd[0], "x", 1, 0) == 1);
	set_timeout(fd[1], SOL_SOCKET, SO_RCVTIMEO, 1700);
	NEED(recv(fd[1], &(char){ 0 }, 1, 0) == 1);
	counters_read(&before);
	CHECK_OUTCOME(recv(fd[1], &(char){ 0 }, 1, 0), "EAGAIN");
	counters_read(&after);
	CHECK_EQ(counters_diff(&before, &after, "tx_credit_request"), 0);
}

/* Nothing was refused, but there is no room: who polls now waits, too. */
static void probes_for_poll(void)
{
	static char buf[5000];
	struct counters before, after;
	int fd[2];

	pair_of(fd, 262144);
	set_u64(fd[0], SO_VM_SOCKETS_BUFFER_SIZE, sizeof(buf));
	counters_read(&before);
	CHECK_EQ(send(fd[0], buf, sizeof(buf), 0), sizeof(buf));
	counters_read(&after);
	CHECK_EQ(counters_diff(&before, &after, "tx_credit_request"), 1);

	pair_of(fd, sizeof(buf));
	CHECK_EQ(send(fd[0], buf, sizeof(buf), 0), sizeof(buf));
	counters_read(&before);
	CHECK(!ready(fd[0], POLLOUT, 1000));
	counters_read(&after);
	CHECK(counters_diff(&before, &after, "tx_credit_request") >= 1);
}

static void one_byte_sends(void)
{
	stops_at(5000, 1);
}

static void snd_timeout(void)
{
	static char buf[100000];
	double begin;
	int fd[2];

	pair_of(fd, 65536);
	set_timeout(fd[0], SOL_SOCKET, SO_SNDTIMEO, 300);
	begin = seconds();
	row("65536", outcome(send(fd[0], buf, sizeof(buf), 0)),
	    "send of 100000 to a buffer of 65536 with SO_SNDTIMEO");
	CHECK(waited(begin, 0.3));
	begin = seconds();
	row("EAGAIN", outcome(send(fd[0], buf, sizeof(buf), 0)), "send with SO_SNDTIMEO, no credit");
	CHECK(waited(begin, 0.3));
	row("EAGAIN", outcome(send(fd[0], buf, 1, MSG_DONTWAIT)), "send MSG_DONTWAIT, no credit");
	set_nonblocking(fd[0]);
	row("EAGAIN", outcome(send(fd[0], buf, 1, 0)), "send, non-blocking, no credit");
}

static void *send_blocking(void *fd)
{
	static char buf[300000];

	data_fill(buf, sizeof(buf), 1, 0);
	return (void *)send(*(int *)fd, buf, sizeof(buf), MSG_NOSIGNAL);
}

static void blocks(void)
{
	struct timespec pause = { 0, 300000000 };
	pthread_t sender;
	char *buf = malloc(300000);
	void *sent;
	int fd[2];

	pair_of(fd, 65536);
	NEED(!pthread_create(&sender, NULL, send_blocking, &fd[0]));
	nanosleep(&pause, NULL);
	CHECK_EQ(pthread_tryjoin_np(sender, NULL), EBUSY);
	CHECK_EQ(recv_all(fd[1], buf, 300000), 300000);
	CHECK(data_matches(buf, 300000, 1, 0));
	NEED(!pthread_join(sender, &sent));
	row("300000", outcome((long)sent), "send of 300000 to a buffer of 65536");
}

/* Reading one byte at a time may not stop the sender for good. */
static void slow_reader(void)
{
	pthread_t sender;
	int fd[2];

	pair_of(fd, 200);
	NEED(!pthread_create(&sender, NULL, send_blocking, &fd[0]));
	CHECK(stream_recv(fd[1], 2000, 1, 1));
}

static void grown(void)
{
	int fd[2];

	pair_of(fd, 10000);
	set_u64(fd[0], SO_VM_SOCKETS_BUFFER_SIZE, 262144);
	CHECK_EQ(fill(fd[0], 4096), 10000);
	set_u64(fd[1], SO_VM_SOCKETS_BUFFER_SIZE, 50000);
	row("writable", ready(fd[0], POLLOUT, 5000) ? "writable" : "not",
	    "poll after the peer's buffer grew");
	row("40000", outcome(fill(fd[0], 4096)), "bytes sent after a buffer of 10000 grew to 50000");
	CHECK_EQ(drain(fd[1]), 50000);
}

/* What was granted before stays granted: the data on its way must not be lost. */
static void shrunk(void)
{
	char *buf = malloc(200000);
	int fd[2];

	pair_of(fd, 100000);
	data_fill(buf, 200000, 3, 0);
	NEED_OK(send(fd[0], buf, 60000, 0));
	set_u64(fd[1], SO_VM_SOCKETS_BUFFER_SIZE, 20000);
	set_nonblocking(fd[0]);
	(void)!send(fd[0], buf + 60000, 1000, 0);
	CHECK_EQ(recv_all(fd[1], buf, 60000), 60000);
	CHECK(data_matches(buf, 60000, 3, 0));
	drain(fd[1]);
	NEED(ready(fd[0], POLLOUT, 5000));
	fill(fd[0], 1000);
	CHECK_EQ(drain(fd[1]), 20000);
}

static void both_full(void)
{
	int fd[2];

	connected_pair(cid, fd);
	CHECK_EQ(fill(fd[0], 65536), 262144);
	CHECK_EQ(fill(fd[1], 65536), 262144);
	CHECK_EQ(drain(fd[0]), 262144);
	CHECK_EQ(drain(fd[1]), 262144);
	CHECK(ready(fd[0], POLLOUT, 5000));
	CHECK(ready(fd[1], POLLOUT, 5000));
}

/* One that does not read stops its own sender only. */
static void others_go_on(void)
{
	int stuck[2], fd[2];
	char text[4];

	connected_pair(cid, stuck);
	connected_pair(cid, fd);
	fill(stuck[0], 65536);
	for (int i = 0; i < 100; i++) {
		NEED_OK(send(fd[0], "abc", 3, 0));
		NEED(recv_all(fd[1], text, 3) == 3);
	}
}

static void write_to(const char *path, const char *value)
{
	int fd = NEED_OK(open(path, O_WRONLY | O_CLOEXEC));

	NEED_OK(write(fd, value, strlen(value)));
	close(fd);
}

static long charged(const char *group)
{
	char path[80];
	FILE *file;
	long bytes;

	snprintf(path, sizeof(path), "%s/memory.current", group);
	file = fopen(path, "re");
	NEED(file != NULL);
	NEED(fscanf(file, "%ld", &bytes) == 1);
	fclose(file);
	return bytes;
}

/* In a group of its own, from which nothing goes meanwhile. */
static void charged_in(size_t chunk)
{
	const long size = 16 * 262144;
	long before, sent = 0;
	char group[48], procs[80], pid[16];

	snprintf(group, sizeof(group), "/sys/fs/cgroup/sender.%d.%zu", getpid(), chunk);
	NEED_OK(mkdir(group, 0755));
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", group);
	snprintf(pid, sizeof(pid), "%d", getpid());
	write_to(procs, pid);
	before = charged(group);
	for (int fd[2]; sent < size; sent += fill(fd[0], chunk))
		connected_pair(cid, fd);
	CHECK_EQ(sent, size);
	row("to the sender", charged(group) - before >= size ? "to the sender" : "to nobody",
	    "what was sent in %zu and not read is charged", chunk);
}

static void memory(void)
{
	write_to("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	charged_in(65536);
	charged_in(1000);
}

const struct test credit_tests[] = {
	TEST("exactly the buffer", exactly),
	TEST("no more than the own buffer", own_bound),
	TEST("the own buffer shrinks", own_shrinks),
	TEST("a sender asks again", probes),
	TEST("a sender that polls asks", probes_for_poll),
	TEST("one byte a send", one_byte_sends),
	TEST("SO_SNDTIMEO", snd_timeout),
	TEST("a sender blocks", blocks),
	TEST("a byte a read", slow_reader),
	TEST("the buffer grows", grown),
	TEST("the buffer shrinks", shrunk),
	TEST("full both ways", both_full),
	TEST("another connection goes on", others_go_on),
	TEST("memory", memory),
	{ .name = NULL },
};

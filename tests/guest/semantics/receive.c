// SPDX-License-Identifier: GPL-2.0-only
/* recv() and its flags, and the timeouts. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data.h"
#include "semantics.h"
#include "vsock.h"

#define BUFFER	65536		/* of the receiver in the tests of more than it holds */

static void nothing(void)
{
	char byte;
	int fd[2];

	connected_pair(cid, fd);
	row("EAGAIN", outcome(recv(fd[0], &byte, 1, MSG_DONTWAIT)), "recv MSG_DONTWAIT, nothing");
	set_nonblocking(fd[0]);
	row("EAGAIN", outcome(recv(fd[0], &byte, 1, 0)), "recv, non-blocking, nothing");
}

static void timeout(void)
{
	double begin;
	char text[10];
	int fd[2];

	connected_pair(cid, fd);
	set_timeout(fd[0], SOL_SOCKET, SO_RCVTIMEO, 300);
	begin = seconds();
	row("EAGAIN", outcome(recv(fd[0], text, sizeof(text), 0)), "recv with SO_RCVTIMEO");
	CHECK(waited(begin, 0.3));
	CHECK(seconds() - begin < 3);
	NEED_OK(send(fd[1], "abc", 3, 0));
	row("3", outcome(recv(fd[0], text, sizeof(text), MSG_WAITALL)),
	    "recv MSG_WAITALL of 10 with SO_RCVTIMEO, 3 came");
}

static void peek(void)
{
	char text[20] = "";
	int fd[2];

	connected_pair(cid, fd);
	NEED_OK(send(fd[0], "one", 3, 0));
	NEED_OK(send(fd[0], "two", 3, 0));
	/* Stock delivers each in its own time. */
	NEED(recv(fd[1], text, 6, MSG_PEEK) > 0);
	while (recv(fd[1], text, 6, MSG_PEEK) < 6)
		;
	CHECK(!memcmp(text, "onetwo", 6));
	row("6", outcome(recv(fd[1], text, sizeof(text), MSG_PEEK)), "recv MSG_PEEK of all");
	row("2", outcome(recv(fd[1], text, 2, MSG_PEEK)), "recv MSG_PEEK of less");
	memset(text, 0, sizeof(text));
	row("6", outcome(recv(fd[1], text, sizeof(text), 0)), "recv after MSG_PEEK");
	CHECK(!strcmp(text, "onetwo"));
	row("EAGAIN", outcome(recv(fd[1], text, 1, MSG_PEEK | MSG_DONTWAIT)),
	    "recv MSG_PEEK, nothing");
}

/* Across packets that do not share memory, the first of them read in part. */
static void peek_far(void)
{
	static char out[20000], text[20000];
	int fd[2];

	connected_pair(cid, fd);
	data_fill(out, sizeof(out), 1, 0);
	for (int i = 0; i < 4; i++)
		NEED(send(fd[0], out + 5000 * i, 5000, 0) == 5000);
	NEED(recv(fd[1], text, 1000, 0) == 1000);
	for (int i = 0; i < 2; i++) {
		NEED(recv(fd[1], text, 18000, MSG_PEEK | MSG_WAITALL) == 18000);
		CHECK(data_matches(text, 18000, 1, 1000));
	}
	NEED(recv_all(fd[1], text, 19000) == 19000);
	CHECK(data_matches(text, 19000, 1, 1000));
}

struct peek_job {
	int fd;
	const char *out;
};

/* In time for the other to have seen what came before. */
static void *send_rest(void *arg)
{
	struct timespec pause = { 0, 50000000 };
	const struct peek_job *job = arg;

	for (int i = 2; i < 4; i++) {
		nanosleep(&pause, NULL);
		NEED_OK(send(job->fd, job->out + 5000 * i, 5000, MSG_NOSIGNAL));
	}
	return NULL;
}

/* One that waits goes on behind what it has seen, which is several packets. */
static void peek_waits(void)
{
	static char out[20000], text[20000];
	struct peek_job job = { .out = out };
	pthread_t sender;
	int fd[2];

	connected_pair(cid, fd);
	data_fill(out, sizeof(out), 1, 0);
	for (int i = 0; i < 2; i++)
		NEED(send(fd[0], out + 5000 * i, 5000, 0) == 5000);
	NEED(recv(fd[1], text, 1000, MSG_WAITALL) == 1000);
	job.fd = fd[0];
	NEED(!pthread_create(&sender, NULL, send_rest, &job));
	NEED(recv(fd[1], text, 19000, MSG_PEEK | MSG_WAITALL) == 19000);
	CHECK(data_matches(text, 19000, 1, 1000));
	NEED(!pthread_join(sender, NULL));
}

static void partly(void)
{
	char text[11] = "";
	int fd[2];

	connected_pair(cid, fd);
	NEED_OK(send(fd[0], "0123456789", 10, 0));
	NEED(ready(fd[1], POLLIN, 5000));
	for (int i = 0; i < 10; i += 2)
		CHECK_EQ(recv(fd[1], text + i, 2, 0), 2);
	CHECK(!strcmp(text, "0123456789"));
}

static void *send_slowly(void *fd)
{
	struct timespec pause = { 0, 50000000 };

	for (int i = 0; i < 4; i++) {
		NEED_OK(send(*(int *)fd, "abcde", 5, MSG_NOSIGNAL));
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void waitall(void)
{
	char text[21] = "";
	pthread_t sender;
	int fd[2];

	connected_pair(cid, fd);
	NEED(!pthread_create(&sender, NULL, send_slowly, &fd[0]));
	row("20", outcome(recv(fd[1], text, 20, MSG_WAITALL)), "recv MSG_WAITALL of four sends");
	CHECK(!strcmp(text, "abcdeabcdeabcdeabcde"));
	NEED(!pthread_join(sender, NULL));

	NEED_OK(send(fd[0], "end", 3, 0));
	close(fd[0]);
	row("3", outcome(recv(fd[1], text, 20, MSG_WAITALL)),
	    "recv MSG_WAITALL of 20, 3 and the end came");
	row("ok", outcome(recv(fd[1], text, 20, MSG_WAITALL)), "recv MSG_WAITALL at the end");
}

static void waitall_dontwait(void)
{
	char text[20];
	int fd[2];

	connected_pair(cid, fd);
	NEED_OK(send(fd[0], "abc", 3, 0));
	NEED(ready(fd[1], POLLIN, 5000));
	row("3", outcome(recv(fd[1], text, 20, MSG_WAITALL | MSG_DONTWAIT)),
	    "recv MSG_WAITALL and MSG_DONTWAIT of 20, 3 came");
}

static pid_t sender(int fd, size_t count)
{
	pid_t pid = NEED_OK(fork());

	if (!pid)
		_exit(!stream_send(fd, count, 20000, 5));
	return pid;
}

/* Data that waits there for a call that asks for COUNT bytes at once. */
static void more_than_buffer(const char *name, size_t count, int flags, int lowat)
{
	char *buf = calloc(1, count);
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 1, &port), fd = stream_socket(), from;
	ssize_t got;
	pid_t pid;

	set_u64(fd, SO_VM_SOCKETS_BUFFER_SIZE, BUFFER);
	NEED_OK(vm_connect(fd, cid, port));
	from = NEED_OK(accept(listening, NULL, NULL));
	row("ok", outcome(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat))),
	    "setsockopt SO_RCVLOWAT %d, buffer size %d", lowat, BUFFER);
	pid = sender(from, count);
	got = recv(fd, buf, count, flags);
	row("all", got == (ssize_t)count ? "all" : outcome(got), "%s", name);
	if (got == (ssize_t)count)
		CHECK(data_matches(buf, count, 5, 0));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void waitall_large(void)
{
	more_than_buffer("recv MSG_WAITALL of the buffer size", BUFFER, MSG_WAITALL, 1);
	more_than_buffer("recv MSG_WAITALL of the buffer size and 1", BUFFER + 1, MSG_WAITALL, 1);
	more_than_buffer("recv MSG_WAITALL of ten times the buffer", 10 * BUFFER, MSG_WAITALL, 1);
}

static void lowat_large(void)
{
	more_than_buffer("recv with SO_RCVLOWAT of the buffer size", BUFFER, 0, BUFFER);
	more_than_buffer("recv with SO_RCVLOWAT of four times the buffer", 4 * BUFFER, 0,
			 4 * BUFFER);
}

static void lowat(void)
{
	int fd[2], want = 10;
	char text[20];

	connected_pair(cid, fd);
	NEED_OK(setsockopt(fd[1], SOL_SOCKET, SO_RCVLOWAT, &want, sizeof(want)));
	NEED_OK(send(fd[0], "12345", 5, 0));
	row(NULL, ready(fd[1], POLLIN, 300) ? "readable" : "not", "poll, less than SO_RCVLOWAT");
	set_timeout(fd[1], SOL_SOCKET, SO_RCVTIMEO, 300);
	NEED_OK(send(fd[0], "67890", 5, 0));
	row("10", outcome(recv(fd[1], text, sizeof(text), 0)), "recv with SO_RCVLOWAT");
}

static void on_signal(int number)
{
	(void)number;
}

/* recv() that waits, with the alarm soon. */
static ssize_t recv_interrupted(int fd, int flags, int restart)
{
	char text[10];

	sigaction(SIGALRM, &(struct sigaction) { .sa_handler = on_signal, .sa_flags = restart }, NULL);
	ualarm(200000, 0);
	return recv(fd, text, sizeof(text), flags);
}

static void interrupted(void)
{
	int fd[2];

	connected_pair(cid, fd);
	row("EINTR", outcome(recv_interrupted(fd[0], 0, 0)), "recv, interrupted");
	NEED_OK(send(fd[1], "abc", 3, 0));
	row("3", outcome(recv_interrupted(fd[0], MSG_WAITALL, 0)),
	    "recv MSG_WAITALL of 10, 3 came, interrupted");
	set_timeout(fd[0], SOL_SOCKET, SO_RCVTIMEO, 5000);
	row("EINTR", outcome(recv_interrupted(fd[0], 0, SA_RESTART)),
	    "recv with SO_RCVTIMEO, interrupted, SA_RESTART");
}

static void name_of_sender(void)
{
	struct sockaddr_vm from = vm_addr(77, 77);
	socklen_t len = sizeof(from);
	char byte;
	int fd[2];

	connected_pair(cid, fd);
	NEED_OK(send(fd[0], "x", 1, 0));
	CHECK_EQ(recvfrom(fd[1], &byte, 1, 0, (struct sockaddr *)&from, &len), 1);
	row(NULL, outcome(len), "recvfrom: length of the address");
	NEED_OK(send(fd[0], "x", 1, 0));
	row(NULL, outcome(recv(fd[1], &byte, 1, MSG_OOB | MSG_DONTWAIT)), "recv MSG_OOB");
}

/* What comes before the bad address is there, and what does not fit there is not lost. */
static void fault_in_the_middle(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *text = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	char data[100];
	int fd[2];

	NEED(text != MAP_FAILED);
	NEED_OK(munmap(text + page, page));
	connected_pair(cid, fd);
	set_timeout(fd[1], SOL_SOCKET, SO_RCVTIMEO, 1000);
	memset(data, 'x', sizeof(data));
	NEED_OK(send(fd[0], data, 60, 0));
	NEED_OK(send(fd[0], data, 40, 0));
	while (recv(fd[1], data, 100, MSG_PEEK) < 100)
		;	/* stock delivers each in its own time */
	row(NULL, outcome(recv(fd[1], text + page - 60, 100, MSG_WAITALL)),
	    "recv MSG_WAITALL of 60 and 40, the address turns bad after 60");
	row("EFAULT", outcome(recv(fd[1], text + page, 40, MSG_WAITALL)), "recv of the rest there");
	row("40", outcome(recv(fd[1], text, 40, MSG_WAITALL)), "recv of the rest elsewhere");
}

const struct test receive_tests[] = {
	TEST("nothing there", nothing),
	TEST("SO_RCVTIMEO", timeout),
	TEST("MSG_PEEK", peek),
	TEST("MSG_PEEK at several packets", peek_far),
	TEST("MSG_PEEK that waits", peek_waits),
	TEST("a packet in parts", partly),
	TEST("MSG_WAITALL", waitall),
	TEST("MSG_WAITALL with MSG_DONTWAIT", waitall_dontwait),
	TEST("MSG_WAITALL beyond the buffer", waitall_large),
	TEST("SO_RCVLOWAT", lowat),
	TEST("SO_RCVLOWAT beyond the buffer", lowat_large),
	TEST("a bad address in the middle", fault_in_the_middle),
	TEST("interrupted", interrupted),
	TEST("recvfrom", name_of_sender),
	{ .name = NULL },
};

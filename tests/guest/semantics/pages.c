// SPDX-License-Identifier: GPL-2.0-only
/* Memory by reference: zero-copy sends with their notifications, and splice. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>

#include "../../interop/peer.h"
#include "counters.h"
#include "data.h"
#include "semantics.h"
#include "vsock.h"

#ifndef SOL_VSOCK
#define SOL_VSOCK	287
#define VSOCK_RECVERR	1
#endif

#define SIZE	65536

static char in[1 << 20];

/* Pages of a program's own. */
static char *pages(size_t len)
{
	char *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(memory != MAP_FAILED);
	return memory;
}

static void zerocopy_on(int fd)
{
	int on = 1;

	if (!setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)))
		return;
	CHECK_OUTCOME(-1, "EOPNOTSUPP");
	skip("the socket core of this kernel keeps SO_ZEROCOPY from this family");
}

struct notice {
	unsigned int first, last;
	bool copied;
};

/* Takes one notification; false if there is none. */
static bool notified(int fd, struct notice *notice)
{
	char control[128];
	struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct sock_extended_err err;
	struct cmsghdr *cmsg;

	if (recvmsg(fd, &msg, MSG_ERRQUEUE) < 0) {
		CHECK_OUTCOME(-1, "EAGAIN");
		return false;
	}
	cmsg = CMSG_FIRSTHDR(&msg);
	NEED(cmsg);
	CHECK_EQ(cmsg->cmsg_level, SOL_VSOCK);
	CHECK_EQ(cmsg->cmsg_type, VSOCK_RECVERR);
	memcpy(&err, CMSG_DATA(cmsg), sizeof(err));
	CHECK_EQ(err.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
	*notice = (struct notice) { err.ee_info, err.ee_data,
				    err.ee_code == SO_EE_CODE_ZEROCOPY_COPIED };
	return true;
}

static void not_copied(void)
{
	struct counters before, after;
	struct notice notice;
	char *memory = pages(SIZE);
	int fd[2];

	connected_pair(cid, fd);
	zerocopy_on(fd[0]);
	data_fill(memory, SIZE, 1, 0);
	counters_read(&before);
	NEED(send(fd[0], memory, SIZE, MSG_ZEROCOPY) == SIZE);
	counters_read(&after);
	CHECK_EQ(counters_diff(&before, &after, "zerocopy_sends"), 1);
	CHECK_EQ(counters_diff(&before, &after, "zerocopy_fallbacks"), 0);
	/* The memory is the reader's until it has read. */
	CHECK(!ready(fd[0], POLLERR, 0));
	CHECK(!notified(fd[0], &notice));
	NEED(recv_all(fd[1], in, SIZE) == SIZE);
	CHECK(data_matches(in, SIZE, 1, 0));
	NEED(ready(fd[0], POLLERR, 5000));
	NEED(notified(fd[0], &notice));
	CHECK(!notice.copied);
	CHECK(!notified(fd[0], &notice));
	CHECK(!ready(fd[0], POLLERR, 0));
	CHECK_EQ(socket_error(fd[0]), 0);
}

/* More than there is room for has to wait, and is copied; and says so. */
static void copied(void)
{
	size_t len = 400000;
	struct counters before, after;
	struct notice notice;
	char *memory = pages(len);
	int fd[2];

	connected_pair(cid, fd);
	zerocopy_on(fd[0]);
	set_nonblocking(fd[0]);
	counters_read(&before);
	CHECK_EQ(send(fd[0], memory, len, MSG_ZEROCOPY), 262144);
	counters_read(&after);
	CHECK_EQ(counters_diff(&before, &after, "zerocopy_sends"), 0);
	CHECK_EQ(counters_diff(&before, &after, "zerocopy_fallbacks"), 1);
	NEED(notified(fd[0], &notice));
	CHECK(notice.copied);
}

static void without_option(void)
{
	struct notice notice;
	int fd[2];

	connected_pair(cid, fd);
	row("1", outcome(send(fd[0], "x", 1, MSG_ZEROCOPY)), "send MSG_ZEROCOPY without SO_ZEROCOPY");
	CHECK(!notified(fd[0], &notice));
	row("EAGAIN", outcome(recv(fd[0], in, 1, MSG_ERRQUEUE)), "recv MSG_ERRQUEUE, nothing there");
}

/* Each call has its number; notifications that follow each other may be one. */
static void numbered(void)
{
	struct notice notice;
	unsigned int next = 0;
	char *memory = pages(4096);
	int fd[2];

	connected_pair(cid, fd);
	zerocopy_on(fd[0]);
	for (int i = 0; i < 10; i++)
		NEED(send(fd[0], memory, 4096, MSG_ZEROCOPY) == 4096);
	NEED(recv_all(fd[1], in, 40960) == 40960);
	while (notified(fd[0], &notice)) {
		CHECK_EQ(notice.first, next);
		next = notice.last + 1;
	}
	CHECK_EQ(next, 10);
}

/* A call of several packets has its memory back when the last one is read. */
static void several_packets(int type)
{
	size_t len = 200000, first = 150000;
	char *memory = pages(len);
	struct notice notice;
	int fd[2];

	connected_pair_of(type, cid, 262144, fd);
	zerocopy_on(fd[0]);
	NEED(send(fd[0], memory, len, MSG_ZEROCOPY) == (ssize_t)len);
	if (type == SOCK_STREAM) {
		NEED(recv_all(fd[1], in, first) == (ssize_t)first);
		CHECK(!notified(fd[0], &notice));
		NEED(recv_all(fd[1], in, len - first) == (ssize_t)(len - first));
	} else {
		NEED(recv(fd[1], in, sizeof(in), MSG_PEEK) == (ssize_t)len);
		CHECK(!notified(fd[0], &notice));
		NEED(recv(fd[1], in, sizeof(in), 0) == (ssize_t)len);
	}
	NEED(ready(fd[0], POLLERR, 5000));
	NEED(notified(fd[0], &notice));
	CHECK_EQ(notice.first, 0);
	CHECK_EQ(notice.last, 0);
	CHECK(!notified(fd[0], &notice));
}

static void several_packets_of_stream(void)
{
	several_packets(SOCK_STREAM);
}

static void several_packets_of_message(void)
{
	several_packets(SOCK_SEQPACKET);
}

/* What is never read is the sender's again when the reader is gone. */
static void unread(int type)
{
	char *memory = pages(SIZE);
	struct notice notice;
	int fd[2];

	connected_pair_of(type, cid, 262144, fd);
	zerocopy_on(fd[0]);
	for (int i = 0; i < 2; i++)
		NEED(send(fd[0], memory, SIZE, MSG_ZEROCOPY) == SIZE);
	if (type == SOCK_STREAM)
		NEED(recv_all(fd[1], in, 100) == 100);
	CHECK(!notified(fd[0], &notice));
	close(fd[1]);
	NEED(ready(fd[0], POLLERR, 5000));
	NEED(notified(fd[0], &notice));
	CHECK_EQ(notice.first, 0);
	CHECK_EQ(notice.last, 1);
}

static void unread_at_close(void)
{
	unread(SOCK_STREAM);
	unread(SOCK_SEQPACKET);
}

/* A part that is not there: nothing is sent, of streams and of messages. */
static void holes(int type)
{
	char *memory = pages(3 * 4096);
	struct notice notice;
	int fd[2];

	connected_pair_of(type, cid, 262144, fd);
	zerocopy_on(fd[0]);
	NEED_OK(munmap(memory + 4096, 4096));
	row("ENOMEM", outcome(send(fd[0], memory, 3 * 4096, MSG_ZEROCOPY)),
	    "send MSG_ZEROCOPY of what is not there");
	CHECK(!notified(fd[0], &notice));
	NEED(send(fd[0], memory, 10, 0) == 10);
	CHECK_EQ(recv(fd[1], in, sizeof(in), 0), 10);
	/* What was refused has no number, and keeps no memory of the socket's. */
	for (int i = 0; i < 1000; i++)
		NEED(send(fd[0], memory, 3 * 4096, MSG_ZEROCOPY) < 0);
	NEED(send(fd[0], memory, 10, MSG_ZEROCOPY) == 10);
	CHECK_EQ(recv(fd[1], in, sizeof(in), 0), 10);
	NEED(notified(fd[0], &notice));
	CHECK_EQ(notice.first, 0);
	munmap(memory, 4096);
	munmap(memory + 8192, 4096);
}

static void stream_holes(void)
{
	holes(SOCK_STREAM);
}

static void message_holes(void)
{
	holes(SOCK_SEQPACKET);
}

/* Nobody reads the notifications, or the data. */
static void forgotten(void)
{
	char *memory = pages(SIZE);
	int fd[2];

	for (int i = 0; i < 20; i++) {
		connected_pair_of(i % 2 ? SOCK_STREAM : SOCK_SEQPACKET, cid, 262144, fd);
		zerocopy_on(fd[0]);
		NEED(send(fd[0], memory, SIZE, MSG_ZEROCOPY) == SIZE);
		if (i & 2)
			NEED(recv(fd[1], in, SIZE, MSG_WAITALL) == SIZE);
		close(fd[i & 1]);
		close(fd[!(i & 1)]);
	}
}

static void messages(void)
{
	char *memory = pages(200000);
	struct notice notice;
	int fd[2];

	connected_pair_of(SOCK_SEQPACKET, cid, 262144, fd);
	zerocopy_on(fd[0]);
	data_fill(memory, 200000, 5, 0);
	NEED(send(fd[0], memory + 100, 150000, MSG_ZEROCOPY) == 150000);
	NEED(recv(fd[1], in, sizeof(in), 0) == 150000);
	CHECK(data_matches(in, 150000, 5, 100));
	NEED(notified(fd[0], &notice));
	CHECK(!notice.copied);
}

static void pipe_of(int fd[2])
{
	NEED_OK(pipe2(fd, O_CLOEXEC));
	NEED_OK(fcntl(fd[1], F_SETPIPE_SZ, SIZE));
}

static void spliced(void)
{
	int fd[2], into[2], from[2];
	static char out[SIZE];

	connected_pair(cid, fd);
	pipe_of(into);
	pipe_of(from);
	for (uint64_t i = 0; i < 20; i++) {
		size_t len = 1 + i * i * 150, done;

		data_fill(out, len, i, 0);
		NEED(write(into[1], out, len) == (ssize_t)len);
		for (done = 0; done < len;)
			done += NEED_OK(splice(into[0], NULL, fd[0], NULL, len - done, 0));
		for (done = 0; done < len;)
			done += NEED_OK(splice(fd[1], NULL, from[1], NULL, len - done, 0));
		NEED(recv(fd[1], in, 1, MSG_DONTWAIT) < 0);
		NEED(read(from[0], in, SIZE) == (ssize_t)len);
		CHECK(data_matches(in, len, i, 0));
	}
	row("EAGAIN", outcome(splice(fd[1], NULL, from[1], NULL, 1, SPLICE_F_NONBLOCK)),
	    "splice from a socket, nothing there");
	close(fd[0]);
	row("ok", outcome(splice(fd[1], NULL, from[1], NULL, 1, 0)), "splice from a socket, the end");
}

/* Parts of packets, large and small, that begin and end anywhere. */
static void in_parts(size_t chunk)
{
	const size_t len = 200000;
	static char out[200000];
	int fd[2], from[2];
	size_t got = 0;

	connected_pair(cid, fd);
	pipe_of(from);
	data_fill(out, len, 3, 0);
	for (size_t at = 0; at < len; at += chunk)
		NEED(send(fd[0], out + at, chunk, 0) == (ssize_t)chunk);
	while (got < len) {
		ssize_t n = NEED_OK(splice(fd[1], NULL, from[1], NULL, 7777, 0));

		NEED(n > 0 && n <= 7777);
		NEED(read(from[0], in, sizeof(in)) == n);
		NEED(data_matches(in, n, 3, got));
		got += n;
	}
	/* The sender has its credit again, but for what is too little to be told of. */
	CHECK(fill(fd[0], 65536) >= 3 * 262144 / 4);
}

static void spliced_in_parts(void)
{
	in_parts(100000);
	in_parts(500);
}

static void file_sent(void)
{
	size_t len = 3000001, sent = 0, got = 0;
	static char out[3000001];
	int file = NEED_OK(memfd_create("file", 0));
	int fd[2];

	data_fill(out, len, 2, 0);
	NEED(write(file, out, len) == (ssize_t)len);
	lseek(file, 0, SEEK_SET);
	connected_pair(cid, fd);
	set_nonblocking(fd[0]);
	while (got < len) {
		ssize_t n = sent < len ? sendfile(fd[0], file, NULL, len - sent) : 0;

		if (n < 0)
			CHECK_OUTCOME(-1, "EAGAIN");
		else
			sent += n;
		n = NEED_OK(recv(fd[1], in, sizeof(in), 0));
		NEED(data_matches(in, n, 2, got));
		got += n;
	}
	CHECK_EQ(sent, len);
}

/* What is in the pipe must not change when the sender has its memory again. */
static void zerocopy_spliced(void)
{
	char *memory = pages(8192);
	struct notice notice;
	int fd[2], from[2];

	connected_pair(cid, fd);
	zerocopy_on(fd[0]);
	pipe_of(from);
	data_fill(memory, 8192, 1, 0);
	NEED(send(fd[0], memory, 8192, MSG_ZEROCOPY) == 8192);
	for (size_t done = 0; done < 8192;)
		done += NEED_OK(splice(fd[1], NULL, from[1], NULL, 8192 - done, 0));
	NEED(ready(fd[0], POLLERR, 5000));
	NEED(notified(fd[0], &notice));
	memset(memory, 0, 8192);
	NEED(read(from[0], in, 8192) == 8192);
	CHECK(data_matches(in, 8192, 1, 0));
}

/* From a file's page to the pipe it is that page: what is written to it later shows. */
static void by_reference(void)
{
	int file = NEED_OK(memfd_create("file", 0));
	static char out[4096];
	int fd[2], from[2];
	off_t at = 0;

	data_fill(out, sizeof(out), 1, 0);
	NEED(write(file, out, sizeof(out)) == sizeof(out));
	connected_pair(cid, fd);
	pipe_of(from);
	NEED(sendfile(fd[0], file, &at, sizeof(out)) == sizeof(out));
	NEED(splice(fd[1], NULL, from[1], NULL, 100, 0) == 100);
	NEED(splice(fd[1], NULL, from[1], NULL, sizeof(out), 0) == sizeof(out) - 100);
	data_fill(out, sizeof(out), 2, 0);
	NEED(pwrite(file, out, sizeof(out), 0) == sizeof(out));
	NEED(read(from[0], in, sizeof(out)) == sizeof(out));
	CHECK(data_matches(in, sizeof(out), 2, 0));
}

static long free_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	long kib = -1;

	NEED(file != NULL);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "MemFree: %ld", &kib);
	fclose(file);
	NEED(kib >= 0);
	return kib << 10;
}

/* To one that is accepted, or not. */
static void connect_to(int listening, unsigned int port, bool accepted, int fd[2])
{
	fd[0] = connected(cid, port);
	fd[1] = accepted ? NEED_OK(accept4(listening, NULL, NULL, SOCK_CLOEXEC)) : -1;
}

/* New pages each time: sent, then spliced or received or dropped, and free again. */
static void use_pages(int round)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 1, &port), fd[2], from[2];
	int file = NEED_OK(memfd_create("file", MFD_CLOEXEC));
	off_t at = 0;

	connect_to(listening, port, round % 4, fd);
	pipe_of(from);
	NEED(write(file, in, SIZE) == SIZE);
	NEED(sendfile(fd[0], file, &at, SIZE) == SIZE);
	if (round % 4 == 1)
		NEED(recv_all(fd[1], in, SIZE) == SIZE);
	/* As much as the pipe has room for. */
	if (round % 4 == 2)
		NEED_OK(splice(fd[1], NULL, from[1], NULL, SIZE, 0));
	close(file);
	close(listening);
	for (int i = 0; i < 2; i++) {
		close(fd[i]);
		close(from[i]);
	}
}

static void none_lost(void)
{
	const int rounds = 1500;
	long before;

	for (int i = 0; i < 100; i++)
		use_pages(i);
	before = free_memory();
	for (int i = 0; i < rounds; i++)
		use_pages(i);
	/* Far less than a quarter of them. */
	CHECK(before - free_memory() < rounds / 10 * SIZE);
}

static const char *ask(int fd, unsigned long request)
{
	int bytes = -1;
	long result = ioctl(fd, request, &bytes);

	return outcome(result ? result : bytes);
}

static void queues(int type)
{
	unsigned int port;
	int fd[2];

	connected_pair_of(type, cid, 262144, fd);
	row("ok", ask(fd[1], SIOCINQ), "SIOCINQ, nothing there");
	NEED(send(fd[0], in, 1000, 0) == 1000);
	NEED(ready(fd[1], POLLIN, 5000));
	row("1000", ask(fd[1], SIOCINQ), "SIOCINQ after 1000 bytes");
	NEED(send(fd[0], in, 34, 0) == 34);
	NEED(recv(fd[1], in, 1000, 0) == 1000);
	NEED(ready(fd[1], POLLIN, 5000));
	row("34", ask(fd[1], SIOCINQ), "SIOCINQ after 1000 of 1034 bytes were read");
	row("ok", ask(fd[0], SIOCOUTQ), "SIOCOUTQ, all delivered");
	row("EOPNOTSUPP", ask(listener_of(type, cid, 1, &port), SIOCINQ), "SIOCINQ of a listener");
	row("EOPNOTSUPP", ask(NEED_OK(socket(AF_VSOCK, type, 0)), SIOCINQ),
	    "SIOCINQ of a fresh socket");
}

static void stream_queues(void)
{
	queues(SOCK_STREAM);
}

static void message_queues(void)
{
	queues(SOCK_SEQPACKET);
}

const struct test pages_tests[] = {
	TEST("zero-copy: not copied", not_copied),
	TEST("zero-copy: copied", copied),
	TEST("zero-copy: without the option", without_option),
	TEST("zero-copy: numbers", numbered),
	TEST("zero-copy: several packets of a stream", several_packets_of_stream),
	TEST("zero-copy: several packets of a message", several_packets_of_message),
	TEST("zero-copy: never read", unread_at_close),
	TEST("zero-copy: a hole in a stream's memory", stream_holes),
	TEST("zero-copy: a hole in a message's memory", message_holes),
	TEST("zero-copy: forgotten", forgotten),
	TEST("zero-copy: messages", messages),
	TEST("splice", spliced),
	TEST("splice of parts", spliced_in_parts),
	TEST("sendfile", file_sent),
	TEST("splice of a zero-copy send", zerocopy_spliced),
	TEST("splice of sendfile's pages", by_reference),
	TEST("no page is lost", none_lost, .deadline = 60),
	TEST("queues of a stream", stream_queues),
	TEST("queues of messages", message_queues),
	{ .name = NULL },
};

/* Four pages that do not follow each other in the machine's memory, whichever way they came. */
static char *scattered(void)
{
	static const int from[] = { 0, 2, 1, 3 };
	char *memory = pages(4 * 4096), *source = pages(4 * 4096);

	memset(source, 1, 4 * 4096);
	for (int i = 0; i < 4; i++)
		NEED(mremap(source + 4096 * from[i], 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
			    memory + 4096 * i) == memory + 4096 * i);
	return memory;
}

/*
 * Over the device: each send as soon as the memory of the one before is free,
 * and written over; the host's digest says whether that was too soon.
 */
static void to_host(void)
{
	size_t count = 4 << 20, chunk = 16384;	/* the host buffers 64 KiB */
	int fd = connected(VMADDR_CID_HOST, PEER_SINK);
	struct counters before, after;
	char *memory = scattered();
	uint64_t sum = DIGEST_START, theirs;
	struct notice notice;

	zerocopy_on(fd);
	NEED(send_all(fd, &count, sizeof(count)) == sizeof(count));
	counters_read(&before);
	for (size_t at = 0; at < count; at += chunk) {
		data_fill(memory, chunk, 8, at);
		sum = digest(sum, memory, chunk);
		NEED(send(fd, memory, chunk, MSG_ZEROCOPY) == (ssize_t)chunk);
		while (!notified(fd, &notice))
			NEED(ready(fd, POLLERR, 20000));
	}
	NEED(recv_all(fd, &theirs, sizeof(theirs)) == sizeof(theirs));
	counters_read(&after);
	CHECK(theirs == sum);
	CHECK_EQ(counters_diff(&before, &after, "zerocopy_sends") +
		 counters_diff(&before, &after, "zerocopy_fallbacks"), count / chunk);
	CHECK(counters_diff(&before, &after, "zerocopy_sends") > 0);
	CHECK(!strcmp(ask(fd, SIOCOUTQ), "ok"));
}

static void no_messages_to_host(void)
{
	int fd = NEED_OK(socket(AF_VSOCK, SOCK_SEQPACKET, 0));

	row("ESOCKTNOSUPPORT", outcome(vm_connect(fd, VMADDR_CID_HOST, PEER_ECHO)),
	    "SOCK_SEQPACKET over a device that does not carry it");
}

const struct test device_pages_tests[] = {
	TEST("zero-copy to the host", to_host),
	TEST("no messages", no_messages_to_host),
	{ .name = NULL },
};

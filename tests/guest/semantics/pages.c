// SPDX-License-Identifier: GPL-2.0-only
/* Memory by reference: zero-copy sends with their notifications, and splice. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
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
	TEST("zero-copy: a hole in a stream's memory", stream_holes),
	TEST("zero-copy: a hole in a message's memory", message_holes),
	TEST("zero-copy: forgotten", forgotten),
	TEST("zero-copy: messages", messages),
	TEST("splice", spliced),
	TEST("sendfile", file_sent),
	TEST("splice of a zero-copy send", zerocopy_spliced),
	TEST("queues of a stream", stream_queues),
	TEST("queues of messages", message_queues),
	{ .name = NULL },
};

/*
 * Over the device: each send as soon as the memory of the one before is free,
 * and written over; the host's digest says whether that was too soon.
 */
static void to_host(void)
{
	size_t count = 4 << 20, chunk = 16384;	/* the host buffers 64 KiB */
	int fd = connected(VMADDR_CID_HOST, PEER_SINK);
	struct counters before, after;
	char *memory = pages(chunk);
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

// SPDX-License-Identifier: GPL-2.0-only
/* SOCK_SEQPACKET: messages arrive whole, one by one, or not at all. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "data.h"
#include "semantics.h"
#include "vsock.h"

#define BUFFER	262144

static char out[BUFFER + 1], in[BUFFER + 1];

static void pair(int fd[2])
{
	connected_pair_of(SOCK_SEQPACKET, cid, BUFFER, fd);
}

static void send_message(int fd, size_t len, uint64_t seed, int flags)
{
	data_fill(out, len, seed, 0);
	NEED(send(fd, out, len, flags) == (ssize_t)len);
}

/* The next message has LEN bytes of SEED.  Returns its flags. */
static int recv_message(int fd, size_t len, uint64_t seed)
{
	struct iovec iov = { in, sizeof(in) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	NEED(recvmsg(fd, &msg, 0) == (ssize_t)len);
	NEED(data_matches(in, len, seed, 0));
	return msg.msg_flags;
}

static void bounds(void)
{
	static const size_t len[] = { 1, 2, 1023, 1024, 1025, 3000, 4096, 4097, 32767, 32768, 32769,
				      65536, 100000, BUFFER - 1, BUFFER };
	int fd[2];

	pair(fd);
	for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		send_message(fd[0], len[i], i, 0);
		CHECK_EQ(recv_message(fd[1], len[i], i), 0);
		send_message(fd[1], len[i], i, MSG_EOR);
		CHECK_EQ(recv_message(fd[0], len[i], i), MSG_EOR);
	}
}

/* As many as the buffer holds, of all sizes, before one is read. */
static void queued(void)
{
	uint64_t seed = 3;
	size_t len[2000], total = 0;
	int fd[2], n = 0;

	pair(fd);
	for (; n < 2000; n++) {
		len[n] = 1 + random_below(&seed, 1 << random_below(&seed, 14));
		if (total + len[n] > BUFFER)
			break;
		total += len[n];
		send_message(fd[0], len[n], n, n % 3 ? 0 : MSG_EOR);
	}
	CHECK(n > 100);
	for (int i = 0; i < n; i++)
		CHECK_EQ(recv_message(fd[1], len[i], i), i % 3 ? 0 : MSG_EOR);
	row("EAGAIN", outcome(recv(fd[1], in, 1, MSG_DONTWAIT)), "recv of a message, none there");
}

static void one_byte(void)
{
	int fd[2];

	pair(fd);
	for (int i = 0; i < 20000; i++)
		NEED(send(fd[0], &(char){ i }, 1, i & 1 ? MSG_EOR : 0) == 1);
	for (int i = 0; i < 20000; i++) {
		struct iovec iov = { in, 10 };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

		NEED(recvmsg(fd[1], &msg, 0) == 1);
		NEED(in[0] == (char)i);
		NEED(msg.msg_flags == (i & 1 ? MSG_EOR : 0));
	}
	CHECK_OUTCOME(recv(fd[1], in, 1, MSG_DONTWAIT), "EAGAIN");
}

static void truncated(void)
{
	struct iovec iov = { in, 32 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd[2];

	pair(fd);
	for (int i = 0; i < 3; i++)
		send_message(fd[0], 100, i, 0);
	row("32", outcome(recvmsg(fd[1], &msg, 0)), "recvmsg of 32 of a message of 100");
	CHECK(data_matches(in, 32, 0, 0));
	row("MSG_TRUNC", msg.msg_flags == MSG_TRUNC ? "MSG_TRUNC" : "other flags", "its flags");
	row("100", outcome(recv(fd[1], in, 32, MSG_TRUNC)), "recv MSG_TRUNC of 32 of a message of 100");
	CHECK(data_matches(in, 32, 1, 0));
	row("ok", outcome(recv(fd[1], in, 0, 0)), "recv of 0 of a message");
	row("ok", outcome(recv(fd[1], in, 0, MSG_TRUNC)), "recv MSG_TRUNC of 0 of a message");
	recv_message(fd[1], 100, 2);
}

/* What did not fit into the program's memory is read, too: its sender gets the room back. */
static void truncated_credit(void)
{
	int fd[2];

	pair(fd);
	for (int i = 0; i < 3; i++) {
		NEED(ready(fd[0], POLLOUT, 5000));
		data_fill(out, BUFFER, i, 0);
		NEED(send(fd[0], out, BUFFER, MSG_DONTWAIT) == BUFFER);
		CHECK_EQ(recv(fd[1], in, 10, 0), 10);
		CHECK(data_matches(in, 10, i, 0));
	}
}

static void peeked(void)
{
	int fd[2];

	pair(fd);
	row("EAGAIN", outcome(recv(fd[1], in, 10, MSG_PEEK | MSG_DONTWAIT)), "peek at no message");
	send_message(fd[0], 70000, 1, 0);
	send_message(fd[0], 5, 2, 0);
	row("10", outcome(recv(fd[1], in, 10, MSG_PEEK)), "peek at 10 of a message of 70000");
	row("70000", outcome(recv(fd[1], in, 10, MSG_PEEK | MSG_TRUNC)),
	    "peek with MSG_TRUNC at a message of 70000");
	CHECK_OUTCOME(recv(fd[1], in, sizeof(in), MSG_PEEK), "70000");
	CHECK(data_matches(in, 70000, 1, 0));
	recv_message(fd[1], 70000, 1);
	recv_message(fd[1], 5, 2);
}

static void too_long(void)
{
	int fd[2];

	pair(fd);
	row("EMSGSIZE", outcome(send(fd[0], out, BUFFER + 1, 0)), "a message larger than the buffer");
	row("ok", send(fd[0], out, BUFFER, 0) == BUFFER ? "ok" : "not all",
	    "a message as large as the buffer");
	row("EAGAIN", outcome(send(fd[0], out, 1, MSG_DONTWAIT)), "a message, no credit");
	/* Before it would block. */
	row("EMSGSIZE", outcome(send(fd[0], out, BUFFER + 1, MSG_DONTWAIT)),
	    "a message larger than the buffer, no credit");
}

static void empty(void)
{
	int fd[2];

	pair(fd);
	row("ok", outcome(send(fd[0], out, 0, 0)), "send of an empty message");
	row("EAGAIN", outcome(recv(fd[1], in, 10, MSG_DONTWAIT)), "recv after an empty message");
	send_message(fd[0], 3, 1, 0);
	recv_message(fd[1], 3, 1);
}

/* A message that does not fit waits whole; poll() says when it does. */
static void waits_whole(void)
{
	int fd[2];

	pair(fd);
	send_message(fd[0], 150000, 1, 0);
	send_message(fd[0], 50000, 2, 0);
	row("EAGAIN", outcome(send(fd[0], out, 100000, MSG_DONTWAIT)),
	    "a message larger than what is free");
	CHECK(!ready(fd[0], POLLOUT, 0));
	recv_message(fd[1], 150000, 1);
	CHECK(ready(fd[0], POLLOUT, 5000));
	send_message(fd[0], 100000, 3, MSG_DONTWAIT);
	recv_message(fd[1], 50000, 2);
	recv_message(fd[1], 100000, 3);
	row("EAGAIN", outcome(recv(fd[1], in, 1, MSG_DONTWAIT)), "nothing is left of what was refused");
	/* Refused for a large one, a small one may go. */
	send_message(fd[0], 200000, 4, 0);
	CHECK_OUTCOME(send(fd[0], out, 100000, MSG_DONTWAIT), "EAGAIN");
	send_message(fd[0], 10000, 5, MSG_DONTWAIT);
	CHECK(ready(fd[0], POLLOUT, 0));
}

/* What is read last is too little to be told of, unless somebody asks. */
static void the_last_bytes(void)
{
	int fd[2];

	pair(fd);
	send_message(fd[0], 200000, 1, 0);
	send_message(fd[0], 10000, 2, 0);
	CHECK_OUTCOME(send(fd[0], out, 255000, MSG_DONTWAIT), "EAGAIN");
	recv_message(fd[1], 200000, 1);
	CHECK(!ready(fd[0], POLLOUT, 0));
	recv_message(fd[1], 10000, 2);
	CHECK(ready(fd[0], POLLOUT, 5000));
	send_message(fd[0], 255000, 3, MSG_DONTWAIT);
}

struct job {
	int fd;
	unsigned int len, count, kind;
};

static void *send_many(void *arg)
{
	const struct job *job = arg;
	char *message = malloc(job->len);

	memset(message, job->kind, job->len);
	for (unsigned int i = 0; i < job->count; i++)
		if (send(job->fd, message, job->len, MSG_NOSIGNAL) != (ssize_t)job->len)
			return (void *)1;
	free(message);
	return NULL;
}

/* Senders that wait on one socket: messages do not mix, and nobody is forgotten. */
static void several_senders(void)
{
	struct job job[] = { { .len = 200000, .count = 20, .kind = 1 },
			     { .len = 90000, .count = 20, .kind = 2 },
			     { .len = 300, .count = 20, .kind = 3 } };
	unsigned int seen[4] = { 0 };
	pthread_t thread[3];
	void *failed;
	int fd[2];

	pair(fd);
	for (int i = 0; i < 3; i++) {
		job[i].fd = fd[0];
		NEED(!pthread_create(&thread[i], NULL, send_many, &job[i]));
	}
	for (int i = 0; i < 60; i++) {
		ssize_t n = NEED_OK(recv(fd[1], in, sizeof(in), 0));
		int kind = in[0];

		NEED(kind >= 1 && kind <= 3);
		NEED(n == job[kind - 1].len);
		for (ssize_t at = 0; at < n; at++)
			NEED(in[at] == kind);
		seen[kind]++;
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(thread[i], &failed);
		CHECK(!failed);
		CHECK_EQ(seen[i + 1], 20);
	}
}

/*
 * One that waits for much and one that waits for little: what is enough for the
 * one makes nobody forget the other.
 */
static void large_and_small(void)
{
	for (int i = 0; i < 50; i++) {
		struct job large = { .len = 250000, .count = 1, .kind = 1 };
		struct job small = { .len = 60000, .count = 1, .kind = 2 };
		pthread_t thread[2];
		void *failed;
		int fd[2];

		pair(fd);
		large.fd = small.fd = fd[0];
		send_message(fd[0], 200000, 1, 0);
		send_message(fd[0], 10000, 2, 0);
		NEED(!pthread_create(&thread[0], NULL, send_many, &large));
		NEED(!pthread_create(&thread[1], NULL, send_many, &small));
		recv_message(fd[1], 200000, 1);
		recv_message(fd[1], 10000, 2);
		CHECK(NEED_OK(recv(fd[1], in, sizeof(in), 0)) + NEED_OK(recv(fd[1], in, sizeof(in), 0)) ==
		      310000);
		for (int n = 0; n < 2; n++) {
			pthread_join(thread[n], &failed);
			CHECK(!failed);
		}
		close(fd[0]);
		close(fd[1]);
	}
}

/* Random messages both ways at once, through small buffers. */
static void *echo_messages(void *arg)
{
	static char message[20000];
	int fd = *(int *)arg;
	ssize_t n;

	while ((n = recv(fd, message, sizeof(message), 0)) > 0)
		if (send(fd, message, n, MSG_NOSIGNAL) != n)
			return (void *)1;
	return (void *)n;
}

static void random_messages(void)
{
	uint64_t sizes = 7, again = 7;
	unsigned int sent = 0, got = 0;
	size_t unread = 0;
	pthread_t thread;
	void *failed;
	int fd[2];

	connected_pair_of(SOCK_SEQPACKET, cid, 20000, fd);
	NEED(!pthread_create(&thread, NULL, echo_messages, &fd[1]));
	while (got < 3000) {
		uint64_t peek = sizes;
		size_t len = 1 + random_below(&peek, 1 << random_below(&peek, 15)) % 20000;

		if (sent < 3000 && unread + len <= 20000) {
			sizes = peek;
			send_message(fd[0], len, sent++, 0);
			unread += len;
			continue;
		}
		len = 1 + random_below(&again, 1 << random_below(&again, 15)) % 20000;
		recv_message(fd[0], len, got++);
		unread -= len;
	}
	NEED_OK(shutdown(fd[0], SHUT_WR));
	pthread_join(thread, &failed);
	CHECK(!failed);
}

static void *read_all(void *arg)
{
	int fd = *(int *)arg;
	char byte;

	while (recv(fd, &byte, 1, 0) > 0)
		;
	return NULL;
}

/*
 * A sender that is short of credit asks again at each answer, while a reader on
 * another processor has news for each: that must not nest.
 */
static void asked_while_read(void)
{
	pthread_t thread;
	int fd[2];

	pair(fd);
	for (int i = 0; i < 100000; i++)
		NEED(send(fd[0], "x", 1, 0) == 1);
	NEED(!pthread_create(&thread, NULL, read_all, &fd[1]));
	for (int i = 0; i < 20000; i++) {
		send(fd[0], "x", 1, MSG_DONTWAIT);
		if (send(fd[0], out, BUFFER, MSG_DONTWAIT) < 0)
			CHECK_OUTCOME(-1, "EAGAIN");
	}
	close(fd[0]);
	pthread_join(thread, NULL);
}

static void vectors(void)
{
	struct iovec parts[] = { { out, 3 }, { out + 3, 0 }, { out + 3, 40000 }, { out + 40003, 1 } };
	struct iovec into[] = { { in, 1 }, { in + 1, 40003 } };
	int fd[2];

	pair(fd);
	data_fill(out, 40004, 9, 0);
	CHECK_EQ(writev(fd[0], parts, 4), 40004);
	CHECK_EQ(readv(fd[1], into, 2), 40004);
	CHECK(data_matches(in, 40004, 9, 0));
}

/* A message that cannot be copied to the program is lost, as stock loses it. */
static void bad_buffers(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *hole = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd[2];

	NEED(hole != MAP_FAILED);
	NEED_OK(munmap(hole + page, page));
	pair(fd);
	send_message(fd[0], 3 * page, 1, 0);
	send_message(fd[0], 3 * page, 2, 0);
	row("EFAULT", outcome(recv(fd[1], hole, 3 * page, 0)), "recv of a message to a bad buffer");
	recv_message(fd[1], 3 * page, 2);
	row("EFAULT", outcome(send(fd[0], hole, 3 * page, 0)), "send of a message from a bad buffer");
	row("EAGAIN", outcome(recv(fd[1], in, 10, MSG_DONTWAIT)), "recv after a message that failed");
	send_message(fd[0], 10, 3, 0);
	recv_message(fd[1], 10, 3);
	munmap(hole, page);
	munmap(hole + 2 * page, page);
}

static void timeouts(void)
{
	double begin;
	int fd[2];

	pair(fd);
	set_timeout(fd[1], SOL_SOCKET, SO_RCVTIMEO, 200);
	begin = seconds();
	row("EAGAIN", outcome(recv(fd[1], in, 1, 0)), "recv of a message with SO_RCVTIMEO");
	CHECK(waited(begin, 0.2));
	send_message(fd[0], 200000, 1, 0);
	set_timeout(fd[0], SOL_SOCKET, SO_SNDTIMEO, 200);
	begin = seconds();
	CHECK_OUTCOME(send(fd[0], out, 100000, 0), "EAGAIN");
	CHECK(waited(begin, 0.2));
	recv_message(fd[1], 200000, 1);
	CHECK_OUTCOME(recv(fd[1], in, 1, MSG_DONTWAIT), "EAGAIN");
}

/* SIGPIPE is for streams. */
static void after_the_end(void)
{
	int fd[2];

	signal(SIGPIPE, SIG_DFL);
	pair(fd);
	send_message(fd[0], 100, 1, 0);
	send_message(fd[0], 2000, 2, 0);
	close(fd[0]);
	CHECK(ready(fd[1], POLLIN, 5000));
	recv_message(fd[1], 100, 1);
	recv_message(fd[1], 2000, 2);
	row("ok", outcome(recv(fd[1], in, 1, 0)), "recv after the last message");
	row("EPIPE", outcome(send(fd[1], out, 1, 0)), "send of a message after the peer's close");
}

static void half_closed(void)
{
	int fd[2];

	pair(fd);
	send_message(fd[0], 10, 1, 0);
	NEED_OK(shutdown(fd[0], SHUT_WR));
	row("EPIPE", outcome(send(fd[0], out, 1, 0)), "send of a message after SHUT_WR");
	recv_message(fd[1], 10, 1);
	CHECK_OUTCOME(recv(fd[1], in, 1, 0), "ok");
	send_message(fd[1], 70000, 2, 0);
	recv_message(fd[0], 70000, 2);
}

static const char *connect_to(int type, unsigned int port)
{
	int fd = NEED_OK(socket(AF_VSOCK, type | SOCK_CLOEXEC, 0));
	const char *seen = outcome(vm_connect(fd, cid, port));

	close(fd);
	return seen;
}

static void other_type(void)
{
	unsigned int messages, stream;
	int a = listener_of(SOCK_SEQPACKET, VMADDR_CID_ANY, 1, &messages);
	int b = listener_of(SOCK_STREAM, VMADDR_CID_ANY, 1, &stream);

	row("ECONNRESET", connect_to(SOCK_STREAM, messages), "a stream to a SOCK_SEQPACKET listener");
	row("ECONNRESET", connect_to(SOCK_SEQPACKET, stream), "SOCK_SEQPACKET to a stream's listener");
	row("ok", connect_to(SOCK_SEQPACKET, messages), "SOCK_SEQPACKET to one of its kind");
	close(a);
	close(b);
}

static void polled(void)
{
	int fd[2];

	pair(fd);
	row("OUT", events(fd[1], POLLIN | POLLOUT, 0), "poll, SOCK_SEQPACKET, nothing there");
	send_message(fd[0], 1, 1, 0);
	NEED(ready(fd[1], POLLIN, 5000));
	row("IN+OUT", events(fd[1], POLLIN | POLLOUT, 0), "poll, SOCK_SEQPACKET, a message there");
	recv_message(fd[1], 1, 1);
	row("OUT", events(fd[1], POLLIN | POLLOUT, 0), "poll, SOCK_SEQPACKET, it is read");
}

/* The grant does not shrink: what was begun under it has to end under it. */
static void smaller_buffer(void)
{
	int fd[2];

	pair(fd);
	set_u64(fd[1], SO_VM_SOCKETS_BUFFER_SIZE, 1000);
	CHECK_EQ(get_u64(fd[1], SO_VM_SOCKETS_BUFFER_SIZE), 1000);
	send_message(fd[0], 200000, 1, 0);
	recv_message(fd[1], 200000, 1);
	row("EMSGSIZE", outcome(send(fd[1], out, 1001, 0)), "a message larger than the own buffer");
}

const struct test message_tests[] = {
	TEST("bounds", bounds),
	TEST("many in the queue", queued),
	TEST("one byte a message", one_byte),
	TEST("truncated", truncated),
	TEST("room after a truncated one", truncated_credit),
	TEST("MSG_PEEK", peeked),
	TEST("too long", too_long),
	TEST("empty", empty),
	TEST("waits until it fits", waits_whole),
	TEST("the last bytes", the_last_bytes),
	TEST("several senders", several_senders),
	TEST("a large and a small sender", large_and_small),
	TEST("random messages", random_messages),
	TEST("asked while it is read", asked_while_read, .deadline = 60),
	TEST("vectors", vectors),
	TEST("bad buffers", bad_buffers),
	TEST("timeouts", timeouts),
	TEST("after the end", after_the_end),
	TEST("half closed", half_closed),
	TEST("another type", other_type),
	TEST("poll", polled),
	TEST("a smaller buffer", smaller_buffer),
	{ .name = NULL },
};

// SPDX-License-Identifier: GPL-2.0-only
/* shutdown() and close(): what each end sees. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data.h"
#include "semantics.h"
#include "vsock.h"

static char byte;

static void write_side(void)
{
	char text[4] = "";
	int fd[2];

	connected_pair(cid, fd);
	NEED_OK(send(fd[0], "abc", 3, 0));
	CHECK_OUTCOME(shutdown(fd[0], SHUT_WR), "ok");
	row("EPIPE", outcome(send(fd[0], "x", 1, MSG_NOSIGNAL)), "send after SHUT_WR");
	CHECK_EQ(recv_all(fd[1], text, 3), 3);
	CHECK(!strcmp(text, "abc"));
	row("ok", outcome(recv(fd[1], &byte, 1, 0)), "recv after the peer's SHUT_WR");
	row("ok", outcome(recv(fd[1], &byte, 1, 0)), "recv once more after the peer's SHUT_WR");
	for (int i = 0; i < 3; i++) {
		row("3", outcome(send(fd[1], "def", 3, MSG_NOSIGNAL)), "send after the peer's SHUT_WR");
		CHECK_EQ(recv_all(fd[0], text, 3), 3);
		CHECK(!strcmp(text, "def"));
	}
}

static void read_side(void)
{
	char text[4] = "";
	int fd[2];

	connected_pair(cid, fd);
	NEED_OK(send(fd[1], "abc", 3, 0));
	NEED(ready(fd[0], POLLIN, 5000));
	CHECK_OUTCOME(shutdown(fd[0], SHUT_RD), "ok");
	row("ok", outcome(recv(fd[0], text, 3, 0)), "recv after SHUT_RD with data queued");
	row("3", outcome(send(fd[0], "def", 3, MSG_NOSIGNAL)), "send after SHUT_RD");
	CHECK_EQ(recv_all(fd[1], text, 3), 3);
	CHECK(!strcmp(text, "def"));
	row("EPIPE", outcome(send(fd[1], "x", 1, MSG_NOSIGNAL)), "send after the peer's SHUT_RD");
}

static void both_sides(void)
{
	int fd[2];

	connected_pair(cid, fd);
	CHECK_OUTCOME(shutdown(fd[0], SHUT_RDWR), "ok");
	row("ok", outcome(recv(fd[0], &byte, 1, 0)), "recv after SHUT_RDWR");
	row("EPIPE", outcome(send(fd[0], "x", 1, MSG_NOSIGNAL)), "send after SHUT_RDWR");
	row("ok", outcome(recv(fd[1], &byte, 1, 0)), "recv after the peer's SHUT_RDWR");
	row("EPIPE", outcome(send(fd[1], "x", 1, MSG_NOSIGNAL)), "send after the peer's SHUT_RDWR");
	row(NULL, outcome(shutdown(fd[0], SHUT_RDWR)), "SHUT_RDWR twice");
	row(NULL, outcome(shutdown(fd[1], SHUT_RDWR)), "SHUT_RDWR after the peer's");
}

static void in_turn(void)
{
	int fd[2];

	connected_pair(cid, fd);
	CHECK_OUTCOME(shutdown(fd[0], SHUT_WR), "ok");
	CHECK_OUTCOME(recv(fd[1], &byte, 1, 0), "ok");
	CHECK_OUTCOME(shutdown(fd[1], SHUT_WR), "ok");
	CHECK_OUTCOME(recv(fd[0], &byte, 1, 0), "ok");
	CHECK_OUTCOME(send(fd[0], "x", 1, MSG_NOSIGNAL), "EPIPE");
	CHECK_OUTCOME(send(fd[1], "x", 1, MSG_NOSIGNAL), "EPIPE");
}

static void bad_how(void)
{
	int fd[2];

	connected_pair(cid, fd);
	row("EINVAL", outcome(shutdown(fd[0], 3)), "shutdown 3");
	row("EINVAL", outcome(shutdown(fd[0], -1)), "shutdown -1");
	CHECK_OUTCOME(send(fd[0], "x", 1, 0), "1");
}

static void queued_then_end(void)
{
	char *buf = malloc(200000);
	int fd[2];

	data_fill(buf, 200000, 1, 0);
	connected_pair(cid, fd);
	NEED(send_all(fd[0], buf, 200000) == 200000);
	close(fd[0]);
	memset(buf, 0, 200000);
	CHECK_EQ(recv_all(fd[1], buf, 200000), 200000);
	CHECK(data_matches(buf, 200000, 1, 0));
	row("ok", outcome(recv(fd[1], &byte, 1, 0)), "recv after the peer closed");
	row("EPIPE", outcome(send(fd[1], "x", 1, MSG_NOSIGNAL)), "send after the peer closed");
	row("EPIPE", outcome(send(fd[1], "x", 1, MSG_NOSIGNAL)), "send again after the peer closed");
	row("ok", outcome(recv(fd[1], &byte, 1, 0)), "recv again after the peer closed");
	CHECK_EQ(socket_error(fd[1]), 0);
}

static void unread(void)
{
	int fd[2];

	connected_pair(cid, fd);
	NEED_OK(send(fd[0], "unread", 6, 0));
	NEED(ready(fd[1], POLLIN, 5000));
	NEED_OK(send(fd[1], "abc", 3, 0));
	close(fd[1]);
	row(NULL, outcome(recv(fd[0], &byte, 1, 0)), "recv of data, the peer closed without reading");
	CHECK_EQ(recv(fd[0], &byte, 1, 0), 1);
	CHECK_EQ(recv(fd[0], &byte, 1, 0), 1);
	row("ok", outcome(recv(fd[0], &byte, 1, 0)), "recv, the peer closed without reading");
	row("EPIPE", outcome(send(fd[0], "x", 1, MSG_NOSIGNAL)),
	    "send, the peer closed without reading");
}

/* The sender's end is full, its data neither sent nor read. */
static void full(void)
{
	static char buf[262144];
	int fd[2];

	connected_pair(cid, fd);
	CHECK_EQ(fill(fd[0], 10000), 262144);
	close(fd[0]);
	CHECK_EQ(recv_all(fd[1], buf, sizeof(buf)), 262144);
	CHECK_EQ(recv(fd[1], &byte, 1, 0), 0);
}

static volatile sig_atomic_t pipes;

static void on_pipe(int number)
{
	(void)number;
	pipes++;
}

static void sigpipe(void)
{
	int fd[2];

	sigaction(SIGPIPE, &(struct sigaction) { .sa_handler = on_pipe }, NULL);
	connected_pair(cid, fd);
	close(fd[1]);
	NEED(ready(fd[0], POLLIN, 5000));
	row("EPIPE", outcome(send(fd[0], "x", 1, MSG_NOSIGNAL)), "send MSG_NOSIGNAL to a closed peer");
	row("ok", outcome(pipes), "SIGPIPE with MSG_NOSIGNAL");
	row("EPIPE", outcome(send(fd[0], "x", 1, 0)), "send to a closed peer");
	row("1", outcome(pipes), "SIGPIPE of send");
	row("EPIPE", outcome(write(fd[0], "x", 1)), "write to a closed peer");
	row("2", outcome(pipes), "SIGPIPE of write");

	connected_pair(cid, fd);
	NEED_OK(shutdown(fd[0], SHUT_WR));
	CHECK_OUTCOME(send(fd[0], "x", 1, 0), "EPIPE");
	row("3", outcome(pipes), "SIGPIPE after SHUT_WR");
}

struct waiter {
	int fd;
	long (*call)(int fd);
	const char *result;
	pthread_t thread;
};

static void *wait_in_call(void *data)
{
	struct waiter *waiter = data;

	waiter->result = strdup(outcome(waiter->call(waiter->fd)));
	return NULL;
}

static void start_waiting(struct waiter *waiter)
{
	struct timespec pause = { 0, 200000000 };

	NEED(!pthread_create(&waiter->thread, NULL, wait_in_call, waiter));
	nanosleep(&pause, NULL);
	CHECK_EQ(pthread_tryjoin_np(waiter->thread, NULL), EBUSY);
}

static const char *result_of(struct waiter *waiter)
{
	NEED(!pthread_join(waiter->thread, NULL));
	return waiter->result;
}

static long call_recv(int fd)
{
	return recv(fd, &byte, 1, 0);
}

static long call_send(int fd)
{
	return send(fd, &byte, 1, MSG_NOSIGNAL);
}

static void wakes(void)
{
	static const struct { int how, end; const char *name; } cases[] = {
		{ SHUT_RDWR, 0, "SHUT_RDWR" },
		{ SHUT_RDWR, 1, "the peer's SHUT_RDWR" },
	};

	for (int i = 0; i < 2; i++) {
		struct waiter reader = { .call = call_recv }, writer = { .call = call_send };
		int fd[2];

		connected_pair(cid, fd);
		fill(fd[0], 65536);
		reader.fd = writer.fd = fd[0];
		start_waiting(&reader);
		start_waiting(&writer);
		NEED_OK(shutdown(fd[cases[i].end], cases[i].how));
		row("ok", result_of(&reader), "recv that waits, on %s", cases[i].name);
		row("EPIPE", result_of(&writer), "send that waits, on %s", cases[i].name);
	}
}

static void peer_closes_on_waiters(void)
{
	struct waiter reader = { .call = call_recv }, writer = { .call = call_send };
	int fd[2];

	connected_pair(cid, fd);
	fill(fd[0], 65536);
	reader.fd = writer.fd = fd[0];
	start_waiting(&reader);
	start_waiting(&writer);
	close(fd[1]);
	row("ok", result_of(&reader), "recv that waits, on the peer's close");
	row("EPIPE", result_of(&writer), "send that waits, on the peer's close");
}

struct ends {
	int fd;
	pthread_barrier_t *start;
};

static void *close_end(void *data)
{
	struct ends *end = data;

	pthread_barrier_wait(end->start);
	close(end->fd);
	return NULL;
}

static void both_close(void)
{
	pthread_barrier_t start;

	NEED(!pthread_barrier_init(&start, NULL, 2));
	for (int i = 0; i < 200; i++) {
		struct ends ends[2];
		pthread_t threads[2];
		int fd[2];

		connected_pair(cid, fd);
		if (i % 2)
			NEED_OK(send(fd[0], "abc", 3, 0));
		for (int e = 0; e < 2; e++) {
			ends[e] = (struct ends) { fd[e], &start };
			NEED(!pthread_create(&threads[e], NULL, close_end, &ends[e]));
		}
		for (int e = 0; e < 2; e++)
			NEED(!pthread_join(threads[e], NULL));
	}
}

static void lingering(void)
{
	struct linger linger = { 1, 5 };
	static char buf[100000];
	double begin;
	int fd[2];

	connected_pair(cid, fd);
	NEED_OK(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	NEED(send_all(fd[0], buf, sizeof(buf)) == sizeof(buf));
	begin = seconds();
	close(fd[0]);
	row(NULL, seconds() - begin < 1 ? "at once" : "after waiting",
	    "close with SO_LINGER of 5 s, the peer does not read");
	CHECK_EQ(recv_all(fd[1], buf, sizeof(buf)), sizeof(buf));
	CHECK_EQ(recv(fd[1], buf, 1, 0), 0);
}

const struct test shutdown_tests[] = {
	TEST("SHUT_WR", write_side),
	TEST("SHUT_RD", read_side),
	TEST("SHUT_RDWR", both_sides),
	TEST("SHUT_WR by each end in turn", in_turn),
	TEST("bad arguments", bad_how),
	TEST("close with data on its way", queued_then_end),
	TEST("close with data not read", unread),
	TEST("close of a full end", full),
	TEST("SIGPIPE", sigpipe),
	TEST("shutdown wakes who waits", wakes),
	TEST("the peer's close wakes who waits", peer_closes_on_waiters),
	TEST("both ends close at once", both_close),
	TEST("SO_LINGER", lingering),
	{ .name = NULL },
};

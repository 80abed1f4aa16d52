// SPDX-License-Identifier: GPL-2.0-only
/* The calls through io_uring. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <liburing.h>

#include "data.h"
#include "semantics.h"
#include "vsock.h"

#define SIZE	200000

static struct io_uring ring;

static void ring_make(void)
{
	NEED(!io_uring_queue_init(8, &ring, 0));
}

static void submit(struct io_uring_sqe *sqe, uint64_t tag)
{
	io_uring_sqe_set_data64(sqe, tag);
	NEED(io_uring_submit(&ring) == 1);
}

/* The next completion: its result, and whose it is. */
static int completion(uint64_t *tag, unsigned int *flags)
{
	struct __kernel_timespec limit = { .tv_sec = 10 };
	struct io_uring_cqe *cqe;
	int result;

	NEED(!io_uring_wait_cqe_timeout(&ring, &cqe, &limit));
	result = cqe->res;
	*tag = cqe->user_data;
	if (flags)
		*flags = cqe->flags;
	io_uring_cqe_seen(&ring, cqe);
	return result;
}

/* A failed one says so as a call does. */
static const char *result_of(int result)
{
	if (result >= 0)
		return outcome(result);
	errno = -result;
	return outcome(-1);
}

/* accept() waits in the ring; so does what follows until its peer acts. */
static void connect_and_accept(void)
{
	unsigned int port;
	int listening = listener(cid, 1, &port);
	struct sockaddr_vm addr = vm_addr(cid, port);
	static char in[SIZE], out[SIZE];
	int client = stream_socket(), server = -1;
	size_t got = 0;
	uint64_t tag;

	ring_make();
	io_uring_prep_accept(io_uring_get_sqe(&ring), listening, NULL, NULL, 0);
	NEED(io_uring_submit(&ring) == 1);
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	io_uring_prep_connect(sqe, client, (struct sockaddr *)&addr, sizeof(addr));
	submit(sqe, 1);
	for (int i = 0; i < 2; i++) {
		int result = completion(&tag, NULL);

		NEED(result >= 0);
		if (tag != 1)
			server = result;
	}
	NEED(server >= 0);

	data_fill(out, SIZE, 1, 0);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recv(sqe, server, in, SIZE, MSG_WAITALL);
	submit(sqe, 2);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_send(sqe, client, out, SIZE, 0);
	submit(sqe, 3);
	for (int i = 0; i < 2; i++) {
		int result = completion(&tag, NULL);

		NEED(result > 0);
		if (tag == 2)
			got = result;
	}
	while (got < SIZE)
		got += NEED_OK(recv(server, in + got, SIZE - got, 0));
	CHECK(data_matches(in, SIZE, 1, 0));
	io_uring_queue_exit(&ring);
}

static void refused(void)
{
	struct sockaddr_vm addr = vm_addr(cid, dead_port());
	struct io_uring_sqe *sqe;
	uint64_t tag;

	ring_make();
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_connect(sqe, stream_socket(), (struct sockaddr *)&addr, sizeof(addr));
	submit(sqe, 1);
	row("ECONNRESET", result_of(completion(&tag, NULL)), "io_uring: connect to a dead port");
	io_uring_queue_exit(&ring);
}

static void messages(void)
{
	static char in[SIZE], out[SIZE];
	struct io_uring_sqe *sqe;
	uint64_t tag;
	int fd[2];

	connected_pair_of(SOCK_SEQPACKET, cid, 262144, fd);
	ring_make();
	data_fill(out, SIZE, 2, 0);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recv(sqe, fd[1], in, SIZE, 0);
	submit(sqe, 1);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_send(sqe, fd[0], out, SIZE, 0);
	submit(sqe, 2);
	CHECK_EQ(completion(&tag, NULL), SIZE);
	CHECK_EQ(completion(&tag, NULL), SIZE);
	CHECK(data_matches(in, SIZE, 2, 0));
	io_uring_queue_exit(&ring);
}

/* A completion for the send, and one for the memory, which does not wait for the reader. */
static void zero_copy(void)
{
	static char in[SIZE];
	char *out = aligned_alloc(4096, 53 * 4096);
	unsigned int flags;
	struct io_uring_sqe *sqe;
	uint64_t tag;
	int fd[2];

	connected_pair(cid, fd);
	ring_make();
	data_fill(out, SIZE, 3, 0);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_send_zc(sqe, fd[0], out, SIZE, 0, 0);
	submit(sqe, 1);
	CHECK_EQ(completion(&tag, &flags), SIZE);
	CHECK(flags & IORING_CQE_F_MORE);
	completion(&tag, &flags);
	CHECK(flags & IORING_CQE_F_NOTIF);
	data_fill(out, SIZE, 4, 0);
	NEED(recv_all(fd[1], in, SIZE) == SIZE);
	CHECK(data_matches(in, SIZE, 3, 0));
	io_uring_queue_exit(&ring);
	free(out);
}

/* Each send has both, also when nobody reads what it sent. */
static void zero_copy_unread(int type)
{
	const size_t len = 65536;
	static char in[65536];
	unsigned int flags;
	char *out = aligned_alloc(4096, len);
	struct io_uring_sqe *sqe;
	uint64_t tag;
	int fd[2];

	connected_pair_of(type, cid, 262144, fd);
	ring_make();
	data_fill(out, len, 4, 0);
	for (int i = 0; i < 3; i++) {
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_send_zc(sqe, fd[0], out, len, 0, 0);
		submit(sqe, i);
		NEED(completion(&tag, &flags) == (int)len);
		CHECK_EQ(tag, i);
		CHECK_EQ(flags, IORING_CQE_F_MORE);
		CHECK_EQ(completion(&tag, &flags), 0);
		CHECK_EQ(tag, i);
		CHECK_EQ(flags, IORING_CQE_F_NOTIF);
	}
	NEED(recv(fd[1], in, len, MSG_WAITALL) == (ssize_t)len);
	CHECK(data_matches(in, len, 4, 0));
	close(fd[1]);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_send_zc(sqe, fd[0], out, len, MSG_NOSIGNAL, 0);
	submit(sqe, 3);
	CHECK_EQ(completion(&tag, NULL), -EPIPE);
	io_uring_queue_exit(&ring);
	free(out);
}

static void stream_unread(void)
{
	zero_copy_unread(SOCK_STREAM);
}

static void message_unread(void)
{
	zero_copy_unread(SOCK_SEQPACKET);
}

const struct test uring_tests[] = {
	TEST("connect, accept, send, receive", connect_and_accept),
	TEST("refused", refused),
	TEST("messages", messages),
	TEST("zero-copy", zero_copy),
	TEST("zero-copy: a stream not read", stream_unread),
	TEST("zero-copy: messages not read", message_unread),
	{ .name = NULL },
};

// SPDX-License-Identifier: GPL-2.0-only
/* Data goes through whole and in order, whatever the sizes. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data.h"
#include "semantics.h"
#include "vsock.h"

#define SEED	20260101

/* One process sends, this one receives. */
static void transfer(int from, int to, size_t count, size_t sends, size_t receives)
{
	uint64_t sum;
	pid_t sender = NEED_OK(fork());
	int status;

	if (!sender) {
		close(to);
		_exit(!stream_send(from, count, sends, SEED));
	}
	sum = stream_recv(to, count, receives, SEED);
	if (!sum)
		fail_at(__FILE__, __LINE__, false, "%zu bytes in sends of %zu and receives of %zu",
			count, sends, receives);
	NEED_OK(waitpid(sender, &status, 0));
	CHECK_EQ(status, 0);
}

static void sizes(void)
{
	static const size_t size[] = { 1, 7, 64, 1000, 4096, 4097, 32768, 65536, 65537, 300000, 1 << 20 };
	const int n = sizeof(size) / sizeof(size[0]);
	int fd[2];

	for (int s = 0; s < n; s++) {
		for (int r = 0; r < n; r++) {
			size_t least = size[s] < size[r] ? size[s] : size[r];

			connected_pair(cid, fd);
			transfer(fd[(s + r) % 2], fd[(s + r + 1) % 2],
				 least * 300 < 700000 ? least * 300 + 1 : 700000, size[s], size[r]);
			close(fd[0]);
			close(fd[1]);
		}
	}
}

static void tiny_buffers(void)
{
	static const unsigned int size[] = { 1, 100, 128, 1000, 5000 };
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 1, &port);

	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		int client = stream_socket(), server;

		set_u64(client, SO_VM_SOCKETS_BUFFER_MIN_SIZE, 1);
		set_u64(client, SO_VM_SOCKETS_BUFFER_SIZE, size[i]);
		NEED_OK(vm_connect(client, cid, port));
		server = NEED_OK(accept(listening, NULL, NULL));
		transfer(server, client, size[i] * 100, 65536, 65536);
		close(client);
		close(server);
	}
}

static void duplex(void)
{
	int fd[2], status;

	connected_pair(cid, fd);
	if (!NEED_OK(fork()))
		_exit(!stream_both(fd[0], 1 << 20, 1, 2));
	CHECK(stream_both(fd[1], 1 << 20, 2, 1));
	NEED_OK(wait(&status));
	CHECK_EQ(status, 0);
}

static void vectors(void)
{
	char out[3000], in[3000];
	struct iovec gather[] = { { out, 1 }, { out + 1, 0 }, { out + 1, 1998 }, { out + 1999, 1001 } };
	struct iovec scatter[] = { { in, 100 }, { in + 100, 2000 }, { in + 2100, 900 } };
	int fd[2];

	data_fill(out, sizeof(out), SEED, 0);
	connected_pair(cid, fd);
	CHECK_EQ(writev(fd[0], gather, 4), sizeof(out));
	NEED(ready(fd[1], POLLIN, 5000));
	CHECK_EQ(readv(fd[1], scatter, 3), sizeof(in));
	CHECK(!memcmp(in, out, sizeof(in)));
}

static void read_write(void)
{
	char text[8] = "";
	int fd[2];

	connected_pair(cid, fd);
	CHECK_EQ(write(fd[1], "hello", 5), 5);
	CHECK_EQ(read(fd[0], text, 2), 2);
	CHECK_EQ(read(fd[0], text + 2, sizeof(text) - 2), 3);
	CHECK(!strcmp(text, "hello"));
}

static void empty(void)
{
	char byte;
	int fd[2];

	connected_pair(cid, fd);
	row("ok", outcome(send(fd[0], NULL, 0, 0)), "send of 0 bytes");
	row("ok", outcome(write(fd[0], "", 0)), "write of 0 bytes");
	row("EAGAIN", outcome(recv(fd[1], &byte, 1, MSG_DONTWAIT)), "recv after a send of 0 bytes");
	CHECK_EQ(send(fd[0], "x", 1, 0), 1);
	NEED(ready(fd[1], POLLIN, 5000));
	row(NULL, outcome(recv(fd[1], NULL, 0, 0)), "recv of 0 bytes");
	CHECK_EQ(recv(fd[1], &byte, 1, 0), 1);
}

static void odd_sends(void)
{
	struct sockaddr_vm to = vm_addr(cid, 1234);
	const struct sockaddr *addr = (struct sockaddr *)&to;
	int fd[2];

	connected_pair(cid, fd);
	row("EISCONN", outcome(sendto(fd[0], "x", 1, MSG_NOSIGNAL, addr, sizeof(to))),
	    "sendto with an address, connected");
	row(NULL, outcome(sendto(stream_socket(), "x", 1, MSG_NOSIGNAL, addr, sizeof(to))),
	    "sendto with an address, not connected");
	row("EOPNOTSUPP", outcome(send(fd[0], "x", 1, MSG_OOB)), "send MSG_OOB");
	CHECK_EQ(drain(fd[1]), 0);
}

/* What could be read before the bad page may go; nothing after it does. */
static void bad_memory(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char text[4] = "";
	int fd[2];

	NEED(page != MAP_FAILED);
	NEED_OK(munmap(page + 4096, 4096));
	connected_pair(cid, fd);
	row("EFAULT", outcome(send(fd[0], page + 4096, 10, 0)), "send from a bad address");
	row(NULL, outcome(send(fd[0], page + 4090, 10, 0)), "send from an address that turns bad");
	NEED_OK(send(fd[0], "abc", 3, 0));
	NEED(ready(fd[1], POLLIN, 5000));
	row("EFAULT", outcome(recv(fd[1], page + 4096, 3, 0)), "recv to a bad address");
	CHECK(recv(fd[1], text, 3, MSG_DONTWAIT) > 0);
	CHECK_EQ(send(fd[1], "still", 5, 0), 5);
	NEED(ready(fd[0], POLLIN, 5000));
	CHECK_EQ(drain(fd[0]), 5);
}

static void from_file(void)
{
	char name[] = "/tmp/sendfile.XXXXXX", *buf = malloc(200000);
	int file = NEED_OK(mkstemp(name)), fd[2], status;
	off_t offset = 0;

	unlink(name);
	data_fill(buf, 200000, SEED, 0);
	NEED(write(file, buf, 200000) == 200000);
	connected_pair(cid, fd);
	if (!NEED_OK(fork())) {
		while (offset < 200000)
			NEED_OK(sendfile(fd[0], file, &offset, 200000 - offset));
		exit(0);
	}
	CHECK(stream_recv(fd[1], 200000, 65536, SEED));
	NEED_OK(wait(&status));
	CHECK_EQ(status, 0);
}

static void to_pipe(void)
{
	int fd[2], out[2];
	char text[6] = "";

	connected_pair(cid, fd);
	NEED_OK(pipe(out));
	NEED_OK(send(fd[0], "piped", 5, 0));
	NEED(ready(fd[1], POLLIN, 5000));
	row("5", outcome(splice(fd[1], NULL, out[1], NULL, 5, 0)), "splice to a pipe");
	close(out[1]);
	CHECK_EQ(read(out[0], text, 5), 5);
	CHECK(!strcmp(text, "piped"));
}

static void many_at_once(void)
{
	enum { COUNT = 200 };
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, COUNT, &port), client[COUNT], server[COUNT];
	char out[500], in[500];

	for (int i = 0; i < COUNT; i++)
		client[i] = connected(cid, port);
	for (int i = 0; i < COUNT; i++)
		server[i] = NEED_OK(accept(listening, NULL, NULL));
	for (int i = 0; i < COUNT; i++) {
		data_fill(out, sizeof(out), i, 0);
		NEED(send_all(client[i], out, sizeof(out)) == sizeof(out));
		data_fill(out, sizeof(out), i + COUNT, 0);
		NEED(send_all(server[i], out, sizeof(out)) == sizeof(out));
	}
	for (int i = COUNT - 1; i >= 0; i--) {
		NEED(recv_all(server[i], in, sizeof(in)) == sizeof(in));
		CHECK(data_matches(in, sizeof(in), i, 0));
		NEED(recv_all(client[i], in, sizeof(in)) == sizeof(in));
		CHECK(data_matches(in, sizeof(in), i + COUNT, 0));
	}
}

const struct test stream_tests[] = {
	TEST("write and read", read_write),
	TEST("send and receive sizes", sizes, .deadline = 90),
	TEST("tiny buffers", tiny_buffers, .deadline = 10),
	TEST("both ways at once", duplex),
	TEST("vectors", vectors),
	TEST("0 bytes", empty),
	TEST("odd sends", odd_sends),
	TEST("bad memory", bad_memory),
	TEST("sendfile", from_file),
	TEST("splice to a pipe", to_pipe),
	TEST("200 connections at once", many_at_once),
	{ .name = NULL },
};

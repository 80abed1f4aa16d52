// SPDX-License-Identifier: GPL-2.0-only
/* getsockopt() and setsockopt(). */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "semantics.h"
#include "vsock.h"

#define USUAL_BUFFER	262144
#define SMALLEST_BUFFER	128

static void buffer_defaults(void)
{
	int fd = stream_socket();

	row("262144", outcome(get_u64(fd, SO_VM_SOCKETS_BUFFER_SIZE)), "default buffer size");
	row("128", outcome(get_u64(fd, SO_VM_SOCKETS_BUFFER_MIN_SIZE)), "default buffer minimum");
	row("262144", outcome(get_u64(fd, SO_VM_SOCKETS_BUFFER_MAX_SIZE)), "default buffer maximum");
}

/* Set SIZE, MIN or MAX, then say what SIZE became. */
static void resize(int fd, const char *want, int option, const char *name, unsigned int value)
{
	set_u64(fd, option, value);
	row(want, outcome(get_u64(fd, SO_VM_SOCKETS_BUFFER_SIZE)),
	    "buffer size after setting %s to %u", name, value);
}

static void buffer_clamping(void)
{
	int fd = stream_socket();

	resize(fd, "10000", SO_VM_SOCKETS_BUFFER_SIZE, "SIZE", 10000);
	resize(fd, "262144", SO_VM_SOCKETS_BUFFER_SIZE, "SIZE", USUAL_BUFFER + 1);
	resize(fd, "128", SO_VM_SOCKETS_BUFFER_SIZE, "SIZE", SMALLEST_BUFFER - 1);
	resize(fd, "4096", SO_VM_SOCKETS_BUFFER_MIN_SIZE, "MIN", 4096);
	resize(fd, "8192", SO_VM_SOCKETS_BUFFER_SIZE, "SIZE", 8192);
	resize(fd, "5000", SO_VM_SOCKETS_BUFFER_MAX_SIZE, "MAX", 5000);
	resize(fd, "5000", SO_VM_SOCKETS_BUFFER_MIN_SIZE, "MIN above MAX", 6000);
	CHECK_EQ(get_u64(fd, SO_VM_SOCKETS_BUFFER_MIN_SIZE), 6000);
	CHECK_EQ(get_u64(fd, SO_VM_SOCKETS_BUFFER_MAX_SIZE), 5000);
	resize(fd, "6000", SO_VM_SOCKETS_BUFFER_MAX_SIZE, "MAX above MIN", 1 << 20);
	resize(fd, "1048576", SO_VM_SOCKETS_BUFFER_SIZE, "SIZE", 2 << 20);
}

/* More than the 32 bits of a packet's buf_alloc can say. */
static void buffer_huge(void)
{
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	set_u64(fd[0], SO_VM_SOCKETS_BUFFER_MAX_SIZE, 1ULL << 40);
	set_u64(fd[0], SO_VM_SOCKETS_BUFFER_SIZE, 1ULL << 40);
	row(NULL, outcome(get_u64(fd[0], SO_VM_SOCKETS_BUFFER_SIZE)), "largest buffer size");
	CHECK_EQ(send(fd[1], "abc", 3, 0), 3);
	CHECK_EQ(drain(fd[0]), 3);
}

static void connect_timeouts(void)
{
	static const struct { int option; const char *name; } forms[] = {
		{ SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD, "old" },
		{ SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW, "new" },
	};

	for (int i = 0; i < 2; i++) {
		int fd = stream_socket(), option = forms[i].option;
		struct timeval tv;
		socklen_t len = sizeof(tv);

		NEED_OK(getsockopt(fd, AF_VSOCK, option, &tv, &len));
		row("2", outcome(tv.tv_sec), "default connect timeout, %s form", forms[i].name);
		CHECK_EQ(tv.tv_usec, 0);
		CHECK_EQ(len, sizeof(tv));

		tv = (struct timeval) { 3, 500000 };
		CHECK_OUTCOME(setsockopt(fd, AF_VSOCK, option, &tv, sizeof(tv)), "ok");
		for (int j = 0; j < 2; j++) {
			memset(&tv, 0, sizeof(tv));
			NEED_OK(getsockopt(fd, AF_VSOCK, forms[j].option, &tv, &len));
			CHECK_EQ(tv.tv_sec, 3);
			CHECK_EQ(tv.tv_usec, 500000);
		}
		tv = (struct timeval) { 0, 0 };
		NEED_OK(setsockopt(fd, AF_VSOCK, option, &tv, sizeof(tv)));
		NEED_OK(getsockopt(fd, AF_VSOCK, option, &tv, &len));
		row("2", outcome(tv.tv_sec), "connect timeout set to 0, %s form", forms[i].name);
		tv = (struct timeval) { -1, 0 };
		row(NULL, outcome(setsockopt(fd, AF_VSOCK, option, &tv, sizeof(tv))),
		    "connect timeout set to -1, %s form", forms[i].name);
		tv = (struct timeval) { 1, 1000000 };
		row(NULL, outcome(setsockopt(fd, AF_VSOCK, option, &tv, sizeof(tv))),
		    "connect timeout set to 1000000 us, %s form", forms[i].name);
		tv = (struct timeval) { 0, 1 };
		CHECK_OUTCOME(setsockopt(fd, AF_VSOCK, option, &tv, sizeof(tv)), "ok");
		row("EINVAL", outcome(setsockopt(fd, AF_VSOCK, option, &tv, sizeof(tv) - 1)),
		    "connect timeout, short, %s form", forms[i].name);
	}
}

static void get(const char *want, int fd, int level, int option, const char *name)
{
	char value[64];
	socklen_t len = sizeof(value);

	row(want, outcome(getsockopt(fd, level, option, value, &len)), "getsockopt %s", name);
}

static void set(const char *want, int fd, int level, int option, const char *name)
{
	unsigned long long one = 1;

	row(want, outcome(setsockopt(fd, level, option, &one, sizeof(one))),
	    "setsockopt %s", name);
}

static void unsupported(void)
{
	int fd = stream_socket();

	get("ENOPROTOOPT", fd, AF_VSOCK, 100, "100");
	set("ENOPROTOOPT", fd, AF_VSOCK, 100, "100");
	get("ENOPROTOOPT", fd, AF_VSOCK, SO_VM_SOCKETS_PEER_HOST_VM_ID, "PEER_HOST_VM_ID");
	get("ENOPROTOOPT", fd, AF_VSOCK, SO_VM_SOCKETS_TRUSTED, "TRUSTED");
	set("ENOPROTOOPT", fd, AF_VSOCK, SO_VM_SOCKETS_NONBLOCK_TXRX, "NONBLOCK_TXRX");
	get("ENOPROTOOPT", fd, IPPROTO_TCP, TCP_NODELAY, "of TCP");
	set("ENOPROTOOPT", fd, IPPROTO_TCP, TCP_NODELAY, "of TCP");
	get("ENOPROTOOPT", fd, SOL_SOCKET, 1000, "SOL_SOCKET 1000");
	set("ENOPROTOOPT", fd, SOL_SOCKET, 1000, "SOL_SOCKET 1000");
}

static void lengths(void)
{
	int fd = stream_socket();
	unsigned long long value = 4096;
	socklen_t len = 4;

	row("EINVAL", outcome(setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &value, 4)),
	    "setsockopt BUFFER_SIZE, short");
	row("EINVAL", outcome(getsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &value, &len)),
	    "getsockopt BUFFER_SIZE, short");
	row("EFAULT", outcome(setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, (void *)8, 8)),
	    "setsockopt BUFFER_SIZE from a bad address");
	len = 8;
	row("EFAULT", outcome(getsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, (void *)8, &len)),
	    "getsockopt BUFFER_SIZE to a bad address");
	CHECK_EQ(get_u64(fd, SO_VM_SOCKETS_BUFFER_SIZE), USUAL_BUFFER);
}

static int get_int(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	NEED_OK(getsockopt(fd, SOL_SOCKET, option, &value, &len));
	return value;
}

static void generic(void)
{
	int fd = stream_socket(), one = 1;
	struct timeval tv = { 1, 260000 };
	socklen_t len = sizeof(tv);
	unsigned int port;

	CHECK_EQ(get_int(fd, SO_TYPE), SOCK_STREAM);
	CHECK_EQ(get_int(fd, SO_DOMAIN), AF_VSOCK);
	CHECK_EQ(get_int(fd, SO_ERROR), 0);
	CHECK_EQ(get_int(fd, SO_ACCEPTCONN), 0);
	CHECK_EQ(get_int(listener(VMADDR_CID_ANY, 1, &port), SO_ACCEPTCONN), 1);
	row(NULL, outcome(get_int(fd, SO_PROTOCOL)), "SO_PROTOCOL");
	NEED_OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	memset(&tv, 0, sizeof(tv));
	NEED_OK(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
	CHECK_EQ(tv.tv_sec * 1000000 + tv.tv_usec, 1260000);
	row(NULL, outcome(setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one))),
	    "setsockopt SO_ZEROCOPY");
}

static void program32(void)
{
	int status = system("build/tests/timeout32");

	NEED(WIFEXITED(status));
	row("right", WEXITSTATUS(status) ? "wrong" : "right", "connect timeout of a 32-bit program");
	if (WEXITSTATUS(status))
		fprintf(stderr, "timeout32.c:%d: not so\n", WEXITSTATUS(status));
}

const struct test option_tests[] = {
	TEST("buffer defaults", buffer_defaults),
	TEST("buffer clamping", buffer_clamping),
	TEST("buffer of 1 TiB", buffer_huge),
	TEST("connect timeout", connect_timeouts),
	TEST("connect timeout, 32 bits", program32),
	TEST("unsupported", unsupported),
	TEST("lengths and addresses", lengths),
	TEST("of every socket", generic),
	{ .name = NULL },
};

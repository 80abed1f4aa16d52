// SPDX-License-Identifier: GPL-2.0-only
/* socket(), and what a fresh socket is. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "semantics.h"
#include "vsock.h"

static void try(const char *want, const char *what, int type, int protocol)
{
	int fd = socket(AF_VSOCK, type, protocol);

	row(want, outcome(fd < 0 ? -1 : 0), "socket %s", what);
	if (fd >= 0)
		close(fd);
}

static void types(void)
{
	try("ok", "SOCK_STREAM", SOCK_STREAM, 0);
	try("ok", "SOCK_SEQPACKET", SOCK_SEQPACKET, 0);
	try("ENODEV", "SOCK_DGRAM", SOCK_DGRAM, 0);
	try("ESOCKTNOSUPPORT", "SOCK_RAW", SOCK_RAW, 0);
	try("ESOCKTNOSUPPORT", "SOCK_RDM", SOCK_RDM, 0);
	try("EINVAL", "type 100", 100, 0);
}

static void protocols(void)
{
	try("ok", "protocol PF_VSOCK", SOCK_STREAM, PF_VSOCK);
	try("EPROTONOSUPPORT", "protocol 1", SOCK_STREAM, 1);
	try("EPROTONOSUPPORT", "protocol PF_INET6", SOCK_STREAM, PF_INET6);
}

static void pairs(void)
{
	int fd[2];

	row("EOPNOTSUPP", outcome(socketpair(AF_VSOCK, SOCK_STREAM, 0, fd)), "socketpair");
}

static void flags(void)
{
	int fd = NEED_OK(socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void names(void)
{
	int fd = stream_socket();
	struct sockaddr_vm addr = local_name(fd);
	char two[2] = "";
	socklen_t len = sizeof(two);

	CHECK_EQ(addr.svm_family, AF_VSOCK);
	CHECK_EQ(addr.svm_cid, VMADDR_CID_ANY);
	CHECK_EQ(addr.svm_port, VMADDR_PORT_ANY);
	CHECK_OUTCOME(getsockname(fd, (struct sockaddr *)two, &len), "ok");
	CHECK_EQ(len, sizeof(addr));
	CHECK_EQ(*(sa_family_t *)two, AF_VSOCK);

	len = sizeof(addr);
	row("ENOTCONN", outcome(getpeername(fd, (struct sockaddr *)&addr, &len)),
	    "getpeername, not connected");
}

static void not_connected(void)
{
	int fd = stream_socket();
	char byte;

	row("ENOTCONN", outcome(send(fd, "x", 1, MSG_NOSIGNAL)), "send, not connected");
	row("ENOTCONN", outcome(recv(fd, &byte, 1, 0)), "recv, not connected");
	row("ENOTCONN", outcome(shutdown(fd, SHUT_RDWR)), "shutdown, not connected");
	row("EINVAL", outcome(accept(fd, NULL, NULL)), "accept, not listening");
	row("EINVAL", outcome(listen(fd, 1)), "listen, not bound");
	row(NULL, events(fd, POLLIN | POLLOUT | POLLRDHUP, 0), "poll, fresh");
	CHECK_EQ(socket_error(fd), 0);
}

const struct test create_tests[] = {
	TEST("types", types),
	TEST("protocols", protocols),
	TEST("socketpair", pairs),
	TEST("flags", flags),
	TEST("names of a fresh socket", names),
	TEST("operations on a fresh socket", not_connected),
	{ .name = NULL },
};

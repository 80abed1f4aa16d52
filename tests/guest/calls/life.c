// SPDX-License-Identifier: GPL-2.0-only
/* Sockets come, get names and peers, and go. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "calls.h"
#include "vsock.h"

static long op_socket(struct caller *c)
{
	int type = a_type(c) | MIX(c, 4, SOCK_NONBLOCK, SOCK_CLOEXEC);

	return put(c, socket(AF_VSOCK, type, one_in(c, 20) ? PICK(c, 1, AF_VSOCK, -1) : 0));
}

/* Most sockets have a name, so every other time a new one gets it. */
static long op_bind(struct caller *c)
{
	int fd = one_in(c, 2) ? socket(AF_VSOCK, a_type(c), 0) : -1;
	struct sockaddr_vm addr;
	socklen_t len = an_address(c, &addr);
	long err = bind(fd < 0 ? a_slot(c) : fd, a_pointer(c, &addr), len);

	if (err && fd >= 0)
		close(fd);
	else
		put(c, fd);
	return err;
}

static long op_listen(struct caller *c)
{
	return listen(a_slot(c), PICK(c, 0, 1, 2, 5, 128, -1));
}

static long op_connect(struct caller *c)
{
	struct sockaddr_vm addr;
	socklen_t len = an_address(c, &addr);

	return connect(a_slot(c), a_pointer(c, &addr), len);
}

static long op_accept(struct caller *c)
{
	struct sockaddr_vm addr;
	socklen_t len = a_length(c, sizeof(addr));
	int fd = one_in(c, 4) ? a_slot(c) : SLOT_FIRST + (int)below(c, LISTENERS);

	return put(c, accept4(fd, one_in(c, 2) ? NULL : a_pointer(c, &addr), a_pointer(c, &len),
			      MIX(c, 4, SOCK_NONBLOCK, SOCK_CLOEXEC)));
}

/* The way to a listener in few calls, which is rare by chance. */
static long op_make_listener(struct caller *c)
{
	int fd = socket(AF_VSOCK, PICK(c, SOCK_STREAM, SOCK_STREAM, SOCK_SEQPACKET), 0);
	long err;

	if (fd < 0)
		return fd;
	err = vm_bind(fd, PICK(c, VMADDR_CID_ANY, VMADDR_CID_LOCAL), a_port(c)) ?:
	      listen(fd, 1 + below(c, 3));
	if (err && !one_in(c, 8))
		close(fd);
	else
		put_listener(c, fd);
	return err;
}

/* And to a connection. */
static long op_make_pair(struct caller *c)
{
	int type = PICK(c, SOCK_STREAM, SOCK_SEQPACKET);
	int listening = socket(AF_VSOCK, type, 0), client = socket(AF_VSOCK, type, 0);
	struct sockaddr_vm addr;
	socklen_t len = sizeof(addr);
	long err = -1;

	if (listening >= 0 && client >= 0) {
		limit_waits(listening);
		limit_waits(client);
		err = vm_bind(listening, VMADDR_CID_ANY, VMADDR_PORT_ANY) ?:
		      listen(listening, 1) ?:
		      getsockname(listening, (struct sockaddr *)&addr, &len) ?:
		      vm_connect(client, VMADDR_CID_LOCAL, addr.svm_port) ?:
		      put(c, accept4(listening, NULL, NULL, SOCK_CLOEXEC));
	}
	put(c, client);
	close(listening);
	return err;
}

static long connect_anew(struct caller *c, int type, unsigned int cid, unsigned int port)
{
	int fd = socket(AF_VSOCK, type | MIX(c, 4, SOCK_NONBLOCK), 0);
	long err;

	if (fd < 0)
		return fd;
	limit_waits(fd);
	err = vm_connect(fd, cid, port);
	if (err && errno != EINPROGRESS && !one_in(c, 4))
		close(fd);
	else
		put(c, fd);
	return err;
}

static long op_connect_to_listener(struct caller *c)
{
	return connect_anew(c, PICK(c, SOCK_STREAM, SOCK_STREAM, SOCK_SEQPACKET),
			    VMADDR_CID_LOCAL, a_port(c));
}

static long op_connect_to_host(struct caller *c)
{
	return connect_anew(c, SOCK_STREAM, VMADDR_CID_HOST, a_host_port(c));
}

static long op_shutdown(struct caller *c)
{
	return shutdown(a_slot(c), one_in(c, 20) ? PICK(c, -1, 3) : (int)below(c, 3));
}

static long op_close(struct caller *c)
{
	return close(SLOT_FIRST + below(c, SLOTS));
}

static long op_dup(struct caller *c)
{
	return dup3(SLOT_FIRST + below(c, SLOTS), SLOT_FIRST + below(c, SLOTS),
		    PICK(c, 0, O_CLOEXEC));
}

static long op_getsockname(struct caller *c)
{
	struct sockaddr_vm addr;
	socklen_t len = a_length(c, sizeof(addr));

	return getsockname(a_slot(c), a_pointer(c, &addr), a_pointer(c, &len));
}

static long op_getpeername(struct caller *c)
{
	struct sockaddr_vm addr;
	socklen_t len = a_length(c, sizeof(addr));

	return getpeername(a_slot(c), a_pointer(c, &addr), a_pointer(c, &len));
}

const struct operation life_operations[] = {
	{ "socket", 4, op_socket },
	{ "bind", 5, op_bind },
	{ "listen", 3, op_listen },
	{ "connect", 6, op_connect },
	{ "accept", 12, op_accept },
	{ "make listener", 5, op_make_listener },
	{ "make pair", 6, op_make_pair },
	{ "connect to listener", 9, op_connect_to_listener },
	{ "connect to host", 4, op_connect_to_host },
	{ "shutdown", 2, op_shutdown },
	{ "close", 4, op_close },
	{ "dup", 2, op_dup },
	{ "getsockname", 2, op_getsockname },
	{ "getpeername", 2, op_getpeername },
	{ .name = NULL },
};

// SPDX-License-Identifier: GPL-2.0-only
/* Bytes and messages, out and in. */
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "calls.h"

#define MESSAGES	4

static int send_flags(struct caller *c)
{
	if (one_in(c, 100))
		return below(c, UINT32_MAX);
	return MIX(c, 2, MSG_DONTWAIT) |
	       MIX(c, 6, MSG_EOR, MSG_MORE, MSG_ZEROCOPY, MSG_NOSIGNAL) | MIX(c, 50, MSG_OOB);
}

static int recv_flags(struct caller *c)
{
	if (one_in(c, 100))
		return below(c, UINT32_MAX);
	return MIX(c, 2, MSG_DONTWAIT) | MIX(c, 6, MSG_PEEK, MSG_TRUNC, MSG_WAITALL) |
	       MIX(c, 12, MSG_ERRQUEUE, MSG_CMSG_CLOEXEC) | MIX(c, 50, MSG_OOB);
}

/* A name, where there must not be one, and control messages, which may have nothing to say. */
struct message {
	struct sockaddr_vm addr;
	struct iovec iov[4];
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(64)];
	} control;
};

static void a_control(struct caller *c, struct msghdr *msg, struct message *m)
{
	int fd = a_slot(c);

	m->control.header = (struct cmsghdr) {
		.cmsg_level = PICK(c, SOL_SOCKET, SOL_SOCKET, AF_VSOCK, 287),
		.cmsg_type = PICK(c, SCM_RIGHTS, SCM_CREDENTIALS, SO_TIMESTAMPING, SO_MARK, 0),
		.cmsg_len = one_in(c, 6) ? (size_t)PICK(c, 0, 1, -1) : CMSG_LEN(sizeof(int)),
	};
	memcpy(CMSG_DATA(&m->control.header), &fd, sizeof(fd));
	msg->msg_control = a_pointer(c, &m->control);
	msg->msg_controllen = a_length(c, CMSG_SPACE(sizeof(int)));
}

static void a_message(struct caller *c, struct msghdr *msg, struct message *m)
{
	*msg = (struct msghdr) { .msg_iovlen = a_vector(c, m->iov) };
	msg->msg_iov = a_pointer(c, m->iov);
	if (one_in(c, 16)) {
		msg->msg_namelen = an_address(c, &m->addr);
		msg->msg_name = a_pointer(c, &m->addr);
	}
	if (one_in(c, 8))
		a_control(c, msg, m);
}

static long op_send(struct caller *c)
{
	size_t size = a_size(c);

	return send(a_slot(c), a_buffer(c, size), size, send_flags(c));
}

static long op_sendto(struct caller *c)
{
	struct sockaddr_vm addr;
	socklen_t len = one_in(c, 2) ? 0 : an_address(c, &addr);
	size_t size = a_size(c);

	return sendto(a_slot(c), a_buffer(c, size), size, send_flags(c),
		      a_pointer(c, len ? &addr : NULL), len);
}

static long op_sendmsg(struct caller *c)
{
	struct message m;
	struct msghdr msg;

	a_message(c, &msg, &m);
	return sendmsg(a_slot(c), a_pointer(c, &msg), send_flags(c));
}

static long op_sendmmsg(struct caller *c)
{
	struct message m[MESSAGES];
	struct mmsghdr msgs[MESSAGES];

	for (int i = 0; i < MESSAGES; i++)
		a_message(c, &msgs[i].msg_hdr, &m[i]);
	return sendmmsg(a_slot(c), a_pointer(c, msgs), below(c, MESSAGES + 1), send_flags(c));
}

static long op_write(struct caller *c)
{
	struct iovec iov[4];
	size_t size = a_size(c);

	if (one_in(c, 2))
		return write(SLOT_FIRST + below(c, SLOTS), a_buffer(c, size), size);
	size = a_vector(c, iov);
	return writev(SLOT_FIRST + below(c, SLOTS), a_pointer(c, iov), size);
}

static long op_recv(struct caller *c)
{
	struct sockaddr_vm addr;
	socklen_t len = a_length(c, sizeof(addr));
	size_t size = a_size(c);
	void *name = one_in(c, 3) ? a_pointer(c, &addr) : NULL;

	return recvfrom(a_slot(c), a_buffer(c, size), size, recv_flags(c), name,
			a_pointer(c, &len));
}

static long op_recvmsg(struct caller *c)
{
	struct message m;
	struct msghdr msg;

	a_message(c, &msg, &m);
	return recvmsg(a_slot(c), a_pointer(c, &msg), recv_flags(c));
}

static long op_recvmmsg(struct caller *c)
{
	struct message m[MESSAGES];
	struct mmsghdr msgs[MESSAGES];
	struct timespec limit = { 0, 1000000 };

	for (int i = 0; i < MESSAGES; i++)
		a_message(c, &msgs[i].msg_hdr, &m[i]);
	return recvmmsg(a_slot(c), a_pointer(c, msgs), below(c, MESSAGES + 1),
			recv_flags(c) | MIX(c, 2, MSG_WAITFORONE), &limit);
}

static long op_read(struct caller *c)
{
	struct iovec iov[4];
	size_t size = a_size(c);

	if (one_in(c, 2))
		return read(a_slot(c), a_buffer(c, size), size);
	size = a_vector(c, iov);
	return readv(a_slot(c), a_pointer(c, iov), size);
}

static long op_read_errors(struct caller *c)
{
	struct message m;
	struct msghdr msg = { .msg_control = &m.control, .msg_controllen = sizeof(m.control) };
	const int fd = a_slot(c), one = 1;
	size_t size = a_size(c);

	/* So that there is one, in every other case. */
	if (one_in(c, 2)) {
		setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
		send(fd, a_buffer(c, size), size, MSG_ZEROCOPY | MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	return recvmsg(fd, &msg, MSG_ERRQUEUE);
}

const struct operation data_operations[] = {
	{ "send", 12, op_send },
	{ "sendto", 3, op_sendto },
	{ "sendmsg", 8, op_sendmsg },
	{ "sendmmsg", 4, op_sendmmsg },
	{ "write", 5, op_write },
	{ "recv", 12, op_recv },
	{ "recvmsg", 8, op_recvmsg },
	{ "recvmmsg", 4, op_recvmmsg },
	{ "read", 5, op_read },
	{ "read errors", 3, op_read_errors },
	{ .name = NULL },
};

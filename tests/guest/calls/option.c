// SPDX-License-Identifier: GPL-2.0-only
/* Options, ioctl() and fcntl(). */
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>
#include <linux/sockios.h>

#include "glass_vsock.h"

#include "calls.h"

#define SOCKET_OPTIONS	84	/* the first that no kernel of ours has */

union value {
	int number;
	uint64_t size;
	struct timeval time;
	struct linger linger;
	char bytes[256];
};

static int a_family_option(struct caller *c)
{
	if (one_in(c, 12))
		return PICK(c, -1, 10, INT_MAX);
	return PICK(c, SO_VM_SOCKETS_BUFFER_SIZE, SO_VM_SOCKETS_BUFFER_MIN_SIZE,
		    SO_VM_SOCKETS_BUFFER_MAX_SIZE, SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD,
		    SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW, SO_VM_SOCKETS_PEER_HOST_VM_ID,
		    SO_VM_SOCKETS_TRUSTED, SO_VM_SOCKETS_NONBLOCK_TXRX, GLASS_VSOCK_SO_INFO);
}

static uint64_t a_buffer_size(struct caller *c)
{
	if (one_in(c, 8))
		return (int64_t)PICK(c, 0, 1, INT_MAX, INT_MIN, -1);
	return below(c, one_in(c, 3) ? 5000 : 600000);
}

/* Times are short, or a caller would have to be interrupted each time. */
static struct timeval a_time(struct caller *c)
{
	if (one_in(c, 8))
		return (struct timeval) { PICK(c, 0, 1, -1, INT_MAX), PICK(c, 0, 1000000, -1) };
	return (struct timeval) { 0, below(c, LIMIT_MS * 1000) };
}

static long op_set_family(struct caller *c)
{
	int option = a_family_option(c);
	union value value;

	if (option == SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD ||
	    option == SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW) {
		value.time = a_time(c);
		return setsockopt(a_slot(c), AF_VSOCK, option, a_pointer(c, &value),
				  a_length(c, sizeof(value.time)));
	}
	value.size = a_buffer_size(c);
	return setsockopt(a_slot(c), AF_VSOCK, option, a_pointer(c, &value),
			  a_length(c, sizeof(value.size)));
}

static long op_get_family(struct caller *c)
{
	struct glass_vsock_info info;
	socklen_t len = one_in(c, 2) ? sizeof(info) : sizeof(struct timeval);

	len = a_length(c, len);
	return getsockopt(a_slot(c), AF_VSOCK, a_family_option(c), a_pointer(c, &info),
			  a_pointer(c, &len));
}

/* Any number of the socket level, with a value that may mean something. */
static long op_set_socket(struct caller *c)
{
	int level = one_in(c, 20) ? PICK(c, 0, 6, 41, 287, -1) : SOL_SOCKET;
	union value value = { .number = PICK(c, 0, 1, 2, 1000, 100000, -1, INT_MAX) };

	return setsockopt(a_slot(c), level, below(c, SOCKET_OPTIONS), a_pointer(c, &value),
			  a_length(c, sizeof(value.number)));
}

/* Those that change what the driver does, more often than by chance. */
static long op_set_used(struct caller *c)
{
	int option = PICK(c, SO_ZEROCOPY, SO_ZEROCOPY, SO_RCVLOWAT, SO_PEEK_OFF, SO_SNDBUF,
			  SO_RCVBUF, SO_BUSY_POLL, SO_KEEPALIVE);
	int value = option == SO_ZEROCOPY ? 1 : PICK(c, -1, 0, 1, 100, 5000, 300000);

	return setsockopt(a_slot(c), SOL_SOCKET, option, &value, sizeof(value));
}

static long op_set_time(struct caller *c)
{
	struct timeval tv = a_time(c);

	return setsockopt(a_slot(c), SOL_SOCKET, PICK(c, SO_RCVTIMEO, SO_SNDTIMEO),
			  a_pointer(c, &tv), a_length(c, sizeof(tv)));
}

static long op_set_linger(struct caller *c)
{
	struct linger linger = { PICK(c, 0, 1), PICK(c, 0, 1, 2, -1, INT_MAX) };

	return setsockopt(a_slot(c), SOL_SOCKET, SO_LINGER, a_pointer(c, &linger),
			  a_length(c, sizeof(linger)));
}

static long op_get_socket(struct caller *c)
{
	int level = one_in(c, 20) ? PICK(c, 0, 6, 41, 287, -1) : SOL_SOCKET;
	union value value;
	socklen_t len = a_length(c, one_in(c, 2) ? sizeof(value.number) : sizeof(value));

	return getsockopt(a_slot(c), level, below(c, SOCKET_OPTIONS), a_pointer(c, &value),
			  a_pointer(c, &len));
}

static long op_ioctl(struct caller *c)
{
	unsigned long command = one_in(c, 12) ? below(c, UINT32_MAX) :
		(unsigned int)PICK(c, SIOCINQ, SIOCOUTQ, IOCTL_VM_SOCKETS_GET_LOCAL_CID,
				   SIOCGSTAMP, SIOCGIFNAME, FIONBIO, FIOASYNC, FIOGETOWN);
	int value[64] = { below(c, 2) };

	return ioctl(a_slot(c), command, a_pointer(c, value));
}

static long op_device(struct caller *c)
{
	int fd = open("/dev/vsock", O_RDWR | O_CLOEXEC);
	unsigned int cid;
	long err = fd;

	if (fd >= 0) {
		err = ioctl(fd, one_in(c, 6) ? below(c, UINT32_MAX) : IOCTL_VM_SOCKETS_GET_LOCAL_CID,
			    a_pointer(c, &cid));
		close(fd);
	}
	return err;
}

static long op_fcntl(struct caller *c)
{
	int fd = SLOT_FIRST + below(c, SLOTS);

	switch (below(c, 4)) {
	case 0:
		return fcntl(fd, F_SETFL, MIX(c, 3, O_NONBLOCK, O_ASYNC, O_APPEND, O_DIRECT));
	case 1:
		return fcntl(fd, F_SETOWN, getpid());
	default:
		return fcntl(fd, PICK(c, F_GETFL, F_GETFD, F_GETOWN, F_GETSIG, -1), 0);
	}
}

const struct operation option_operations[] = {
	{ "set of the family", 5, op_set_family },
	{ "get of the family", 4, op_get_family },
	{ "set of sockets", 4, op_set_socket },
	{ "set what is used", 4, op_set_used },
	{ "set times", 3, op_set_time },
	{ "set linger", 2, op_set_linger },
	{ "get of sockets", 3, op_get_socket },
	{ "ioctl", 4, op_ioctl },
	{ "device", 1, op_device },
	{ "fcntl", 3, op_fcntl },
	{ .name = NULL },
};

// SPDX-License-Identifier: GPL-2.0-only
/* Arguments of calls: good for the most part, and now and then at a limit or wild. */
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <sys/time.h>
#include <unistd.h>

#include "../../interop/peer.h"
#include "calls.h"
#include "data.h"
#include "vsock.h"

#define PORT_FIRST	5000
#define PORTS		12

uint32_t below(struct caller *c, uint32_t limit)
{
	return random_below(&c->random, limit);
}

bool one_in(struct caller *c, uint32_t n)
{
	return !below(c, n);
}

int pick(struct caller *c, const int *values, size_t count)
{
	return values[below(c, count)];
}

int mix(struct caller *c, uint32_t n, const int *flags, size_t count)
{
	int mixed = 0;

	while (count--)
		mixed |= one_in(c, n) ? flags[count] : 0;
	return mixed;
}

int a_slot(struct caller *c)
{
	if (one_in(c, 100))
		return PICK(c, -1, INT_MAX, c->pipe[0], c->epoll, c->file);
	return SLOT_FIRST + below(c, SLOTS);
}

int a_type(struct caller *c)
{
	if (one_in(c, 30))
		return PICK(c, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_PACKET, 0, 77);
	return PICK(c, SOCK_STREAM, SOCK_STREAM, SOCK_SEQPACKET);
}

void *a_pointer(struct caller *c, void *good)
{
	void *bad[] = { NULL, (void *)1, c->buffer + BUFFER_SIZE,
			c->buffer + BUFFER_SIZE - 1, (void *)(LONG_MIN + 4096) };

	return one_in(c, 25) ? bad[below(c, sizeof(bad) / sizeof(bad[0]))] : good;
}

socklen_t a_length(struct caller *c, socklen_t good)
{
	if (!one_in(c, 12))
		return good;
	return PICK(c, 0, 1, (int)good - 1, (int)good + 1, 2 * (int)good, 128, 4096, INT_MAX, -1);
}

size_t a_size(struct caller *c)
{
	switch (below(c, 12)) {
	case 0:
		return below(c, 2);
	case 1:
		return 4096 * below(c, 16);
	case 2:
	case 3:
		return below(c, 65536);
	case 4:
		return one_in(c, 8) ? below(c, BUFFER_SIZE) : below(c, 200000);
	case 5:
		return one_in(c, 8) ? (size_t)PICK(c, INT_MAX, INT_MIN, -1) : 32768;
	default:
		return below(c, 4097);
	}
}

void *a_buffer(struct caller *c, size_t size)
{
	if (one_in(c, 20))
		return c->buffer + BUFFER_SIZE - below(c, 8192);
	if (size >= BUFFER_SIZE)
		return a_pointer(c, c->buffer);
	return a_pointer(c, c->buffer + (one_in(c, 2) ? 0 : below(c, BUFFER_SIZE - size)));
}

size_t a_vector(struct caller *c, struct iovec *iov)
{
	size_t count = below(c, 5);

	for (size_t i = 0; i < count; i++) {
		iov[i].iov_len = a_size(c) / count;
		iov[i].iov_base = a_buffer(c, iov[i].iov_len);
	}
	return one_in(c, 50) ? (size_t)PICK(c, IOV_MAX, IOV_MAX + 1, INT_MAX, -1) : count;
}

unsigned int a_host_port(struct caller *c)
{
	return PICK(c, PEER_ECHO, PEER_ECHO, PEER_SINK, PEER_HOLD, PEER_DROP, PEER_CALL,
		    PEER_COLLECT);
}

unsigned int a_port(struct caller *c)
{
	if (one_in(c, 12))
		return PICK(c, 0, 1, 1023, 1024, INT_MAX, VMADDR_PORT_ANY, VMADDR_PORT_ANY - 1);
	if (one_in(c, 6))
		return a_host_port(c);
	return PORT_FIRST + below(c, PORTS);
}

static unsigned int a_cid(struct caller *c)
{
	if (one_in(c, 20))
		return PICK(c, VMADDR_CID_HYPERVISOR, NO_CID, INT_MAX, -2);
	return PICK(c, VMADDR_CID_LOCAL, VMADDR_CID_LOCAL, VMADDR_CID_LOCAL, VMADDR_CID_ANY,
		    VMADDR_CID_ANY, VMADDR_CID_HOST, VMADDR_CID_HOST + 1);
}

socklen_t an_address(struct caller *c, struct sockaddr_vm *addr)
{
	*addr = vm_addr(a_cid(c), a_port(c));
	if (one_in(c, 40))
		addr->svm_family = PICK(c, 0, AF_INET, AF_UNIX, -1);
	if (one_in(c, 40))
		addr->svm_flags = below(c, 256);
	return a_length(c, sizeof(*addr));
}

void limit_waits(int fd)
{
	const struct timeval tv = { 0, LIMIT_MS * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &tv, sizeof(tv));
}

static long move(int fd, int slot)
{
	if (fd < 0)
		return fd;
	limit_waits(fd);
	dup3(fd, slot, O_CLOEXEC);
	return close(fd);
}

long put(struct caller *c, int fd)
{
	const int one = 1;

	if (fd >= 0 && one_in(c, 3))
		setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
	return move(fd, SLOT_FIRST + LISTENERS + below(c, SLOTS - LISTENERS));
}

long put_listener(struct caller *c, int fd)
{
	return move(fd, SLOT_FIRST + below(c, LISTENERS));
}

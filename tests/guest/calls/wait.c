// SPDX-License-Identifier: GPL-2.0-only
/* poll(), epoll, and the rings of io_uring, which wait for many at once. */
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "calls.h"

#define POLLED	4

static int some_events(struct caller *c)
{
	return one_in(c, 20) ? (int)below(c, UINT32_MAX) :
			       MIX(c, 2, POLLIN, POLLOUT, POLLPRI, POLLRDHUP);
}

static long op_poll(struct caller *c)
{
	struct pollfd fds[POLLED];

	for (int i = 0; i < POLLED; i++)
		fds[i] = (struct pollfd) { .fd = a_slot(c), .events = some_events(c) };
	return poll(fds, below(c, POLLED + 1), PICK(c, 0, 0, 1, 5));
}

static long op_epoll_ctl(struct caller *c)
{
	struct epoll_event event = {
		.events = some_events(c) | MIX(c, 4, EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE),
	};

	return epoll_ctl(c->epoll, PICK(c, EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD,
					EPOLL_CTL_DEL, 0), a_slot(c), a_pointer(c, &event));
}

static long op_epoll_wait(struct caller *c)
{
	struct epoll_event events[POLLED];

	return epoll_wait(c->epoll, a_pointer(c, events), POLLED, PICK(c, 0, 0, 1, 5));
}

/* The ring's data: what a completion is of. */
enum { RING_ACCEPT = 1, RING_OTHER };

static void prepare(struct caller *c, struct io_uring_sqe *sqe)
{
	size_t size = a_size(c);
	int fd = a_slot(c);

	switch (below(c, 8)) {
	case 0:
		io_uring_prep_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
		io_uring_sqe_set_data64(sqe, RING_ACCEPT);
		return;
	case 1:
		io_uring_prep_connect(sqe, fd, (struct sockaddr *)&c->ring_addr,
				      an_address(c, &c->ring_addr));
		break;
	case 2:
		io_uring_prep_send(sqe, fd, a_buffer(c, size), size, MSG_NOSIGNAL);
		break;
	case 3:
		io_uring_prep_send_zc(sqe, fd, a_buffer(c, size), size, MSG_NOSIGNAL, 0);
		break;
	case 4:
		io_uring_prep_shutdown(sqe, fd, below(c, 3));
		break;
	case 5:
		io_uring_prep_poll_add(sqe, fd, some_events(c));
		break;
	case 6:
		io_uring_prep_cancel64(sqe, PICK(c, RING_ACCEPT, RING_OTHER), 0);
		break;
	default:
		io_uring_prep_recv(sqe, fd, a_buffer(c, size), size,
				   MIX(c, 4, MSG_WAITALL, MSG_PEEK));
	}
	io_uring_sqe_set_data64(sqe, RING_OTHER);
}

/* The best of the results that are there; those that are not are for later, or for ever. */
static long reap(struct caller *c)
{
	struct io_uring_cqe *cqe;
	long best = -1;

	while (!io_uring_peek_cqe(&c->ring, &cqe)) {
		long result = cqe->res;

		if (result >= 0 && io_uring_cqe_get_data64(cqe) == RING_ACCEPT)
			result = put(c, result);
		best = result > best ? result : best;
		io_uring_cqe_seen(&c->ring, cqe);
	}
	return best;
}

static long op_ring(struct caller *c)
{
	struct __kernel_timespec limit = { 0, 2000000 };
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;

	sqe = io_uring_get_sqe(&c->ring);
	if (sqe)
		prepare(c, sqe);
	io_uring_submit(&c->ring);
	io_uring_wait_cqe_timeout(&c->ring, &cqe, &limit);
	return reap(c);
}

const struct operation wait_operations[] = {
	{ "poll", 5, op_poll },
	{ "epoll_ctl", 5, op_epoll_ctl },
	{ "epoll_wait", 3, op_epoll_wait },
	{ "io_uring", 8, op_ring },
	{ .name = NULL },
};

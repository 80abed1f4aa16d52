// SPDX-License-Identifier: GPL-2.0-only
/* epoll, by edges: one for each cause, none without, and TCP's masks where TCP has such a state. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data.h"
#include "epoll.h"
#include "semantics.h"
#include "vsock.h"

#define ALL	(EPOLLIN | EPOLLOUT | EPOLLRDHUP)

int edges_of(int fd, unsigned int events)
{
	struct epoll_event event = { .events = events | EPOLLET };
	int epoll = NEED_OK(epoll_create1(EPOLL_CLOEXEC));

	NEED_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	return epoll;
}

unsigned int edge(int epoll, int ms)
{
	struct epoll_event event = { 0 };

	return NEED_OK(epoll_wait(epoll, &event, 1, ms)) ? event.events : 0;
}

static void inet_pair(int fd[2])
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int listening = NEED_OK(socket(AF_INET, SOCK_STREAM, 0));

	NEED_OK(bind(listening, (struct sockaddr *)&addr, len));
	NEED_OK(listen(listening, 1));
	NEED_OK(getsockname(listening, (struct sockaddr *)&addr, &len));
	fd[0] = NEED_OK(socket(AF_INET, SOCK_STREAM, 0));
	NEED_OK(connect(fd[0], (struct sockaddr *)&addr, len));
	fd[1] = NEED_OK(accept(listening, NULL, NULL));
	close(listening);
}

static void vsock_pair(int fd[2])
{
	connected_pair(cid, fd);
}

/* What the events of FD are after each step of a connection's half-closes. */
static void half_closes(void (*pair)(int fd[2]), char masks[6][32])
{
	int fd[2], n = 0;

#define NOTE(wanted)							\
	do {								\
		CHECK(ready(fd[0], wanted, 5000));			\
		strcpy(masks[n++], events(fd[0], ALL, 0));		\
	} while (0)
	pair(fd);
	NOTE(POLLOUT);
	NEED_OK(shutdown(fd[1], SHUT_WR));
	NOTE(POLLRDHUP);
	NEED_OK(shutdown(fd[0], SHUT_WR));
	NOTE(POLLHUP);
	pair(fd);
	NEED_OK(shutdown(fd[0], SHUT_WR));
	NOTE(POLLOUT);
	pair(fd);
	NEED_OK(shutdown(fd[0], SHUT_RD));
	NOTE(POLLRDHUP);
	pair(fd);
	NEED_OK(shutdown(fd[0], SHUT_RDWR));
	NOTE(POLLHUP);
#undef NOTE
}

static void as_tcp(void)
{
	char ours[6][32], tcp[6][32];

	half_closes(vsock_pair, ours);
	half_closes(inet_pair, tcp);
	for (int i = 0; i < 6; i++)
		if (strcmp(ours[i], tcp[i]))
			fail_at(__FILE__, __LINE__, false, "step %d: %s, TCP says %s", i, ours[i],
				tcp[i]);
}

static void causes(void)
{
	int fd[2], epoll;
	char text[8];

	connected_pair(cid, fd);
	epoll = edges_of(fd[0], ALL);
	CHECK_EQ(edge(epoll, 5000), EPOLLOUT);
	CHECK_EQ(edge(epoll, 0), 0);
	NEED_OK(send(fd[1], "abc", 3, 0));
	CHECK_EQ(edge(epoll, 5000), EPOLLIN | EPOLLOUT);
	CHECK_EQ(edge(epoll, 0), 0);
	CHECK_EQ(recv(fd[0], text, 1, 0), 1);
	CHECK_EQ(edge(epoll, 0), 0);
	CHECK_EQ(recv(fd[0], text, 8, 0), 2);
	CHECK_EQ(edge(epoll, 0), 0);
	NEED_OK(shutdown(fd[1], SHUT_WR));
	CHECK_EQ(edge(epoll, 5000), EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	CHECK_EQ(edge(epoll, 0), 0);
	NEED_OK(shutdown(fd[0], SHUT_WR));
	CHECK_EQ(edge(epoll, 5000), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	CHECK_EQ(edge(epoll, 0), 0);
}

/* Only who was refused hears that there is room. */
static void room(void)
{
	static char data[200000];
	int fd[2], epoll;

	connected_pair(cid, fd);
	epoll = edges_of(fd[0], ALL);
	CHECK_EQ(edge(epoll, 5000), EPOLLOUT);
	CHECK_EQ(send(fd[0], data, sizeof(data), 0), sizeof(data));
	CHECK_EQ(drain(fd[1]), sizeof(data));
	CHECK_EQ(edge(epoll, 0), 0);
	fill(fd[0], 65536);
	CHECK_EQ(edge(epoll, 0), 0);
	drain(fd[1]);
	CHECK_EQ(edge(epoll, 5000), EPOLLOUT);
	CHECK_EQ(edge(epoll, 0), 0);
}

static void connects(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 2, &port), fd = stream_nonblocking();
	int incoming = edges_of(listening, ALL), epoll = edges_of(fd, ALL);

	/* A fresh socket, as stock says: a send fails at once. */
	CHECK_EQ(edge(epoll, 0), EPOLLOUT);
	CHECK_EQ(edge(incoming, 0), 0);
	vm_connect(fd, cid, port);
	CHECK_EQ(edge(epoll, 5000), EPOLLOUT);
	CHECK_EQ(edge(epoll, 0), 0);
	CHECK_EQ(edge(incoming, 5000), EPOLLIN);
	CHECK_EQ(edge(incoming, 0), 0);
	close(NEED_OK(accept(listening, NULL, NULL)));
	CHECK_EQ(edge(incoming, 0), 0);
	CHECK_EQ(edge(epoll, 5000), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	CHECK_EQ(edge(epoll, 0), 0);
}

static void refusal(void)
{
	int fd = stream_nonblocking(), epoll = edges_of(fd, ALL);

	CHECK_EQ(edge(epoll, 0), EPOLLOUT);
	vm_connect(fd, cid, dead_port());
	CHECK_EQ(edge(epoll, 5000), EPOLLIN | EPOLLOUT | EPOLLERR);
	CHECK_EQ(edge(epoll, 0), 0);
}

/* By level, an event comes again until its cause is gone. */
static void levels(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd[2], epoll = NEED_OK(epoll_create1(EPOLL_CLOEXEC));
	char text[8];

	connected_pair(cid, fd);
	NEED_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd[0], &event));
	CHECK_EQ(edge(epoll, 0), 0);
	NEED_OK(send(fd[1], "abc", 3, 0));
	CHECK_EQ(edge(epoll, 5000), EPOLLIN);
	CHECK_EQ(edge(epoll, 0), EPOLLIN);
	CHECK_EQ(recv(fd[0], text, 8, 0), 3);
	CHECK_EQ(edge(epoll, 0), 0);
	close(fd[1]);
	CHECK_EQ(edge(epoll, 5000), EPOLLIN | EPOLLHUP);
	CHECK_EQ(edge(epoll, 0), EPOLLIN | EPOLLHUP);
}

/* Sends COUNT bytes of stream 3, and sleeps for nothing but edges. */
bool send_by_edges(int fd, size_t count)
{
	static char data[30000];
	int epoll = edges_of(fd, EPOLLOUT);
	size_t sent = 0;

	while (sent < count) {
		size_t len = count - sent < sizeof(data) ? count - sent : sizeof(data);
		ssize_t n;

		data_fill(data, len, 3, sent);
		n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			sent += n;
		else if (errno != EAGAIN)
			return false;
		else if (!edge(epoll, 10000))
			return false;
	}
	close(epoll);
	return true;
}

/* Receives them likewise. */
static bool recv_by_edges(int fd, size_t count)
{
	static char data[20000];
	int epoll = edges_of(fd, EPOLLIN);
	size_t got = 0;

	while (got < count) {
		ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

		if (n > 0 && !data_matches(data, n, 3, got))
			return false;
		if (n > 0)
			got += n;
		else if (!n || errno != EAGAIN || !edge(epoll, 10000))
			return false;
	}
	return true;
}

static void none_lost(void)
{
	int fd[2], status;

	connected_pair(cid, fd);
	if (!fork())
		_exit(!recv_by_edges(fd[1], 20 << 20));
	CHECK(send_by_edges(fd[0], 20 << 20));
	NEED_OK(wait(&status));
	CHECK_EQ(status, 0);
}

const struct test epoll_tests[] = {
	TEST("masks of half-closes are TCP's", as_tcp),
	TEST("an edge for each cause", causes),
	TEST("an edge for room to whom there was none", room),
	TEST("edges of connect and accept", connects),
	TEST("edges of a refused connect", refusal),
	TEST("levels", levels),
	TEST("no edge is lost", none_lost, .deadline = 60),
	{ .name = NULL },
};

// SPDX-License-Identifier: GPL-2.0-only
/* poll() and epoll follow the state. */
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "data.h"
#include "semantics.h"
#include "vsock.h"

#define ALL	(POLLIN | POLLOUT | POLLRDHUP)

static void see(const char *want, int fd, const char *when)
{
	row(want, events(fd, ALL, 0), "poll %s", when);
}

/* Once one event is there, all that belong to it are. */
static void see_after(const char *want, int fd, int event, const char *when)
{
	CHECK(ready(fd, event, 5000));
	see(want, fd, when);
}

static void stream(void)
{
	char text[3];
	int fd[2];

	connected_pair(cid, fd);
	see_after("OUT", fd[0], POLLOUT, "with nothing to read");
	NEED_OK(send(fd[1], "abc", 3, 0));
	see_after("IN+OUT", fd[0], POLLIN, "with data");
	NEED_OK(recv(fd[0], text, 2, 0));
	see("IN+OUT", fd[0], "with data left");
	NEED_OK(recv(fd[0], text, 1, 0));
	see("OUT", fd[0], "with all data read");
	fill(fd[0], 65536);
	see("none", fd[0], "with no credit");
	NEED_OK(send(fd[1], "abc", 3, 0));
	see_after("IN", fd[0], POLLIN, "with data and no credit");
	drain(fd[1]);
	see_after("IN+OUT", fd[0], POLLOUT, "with credit again");
}

static void ends(void)
{
	char text[3];
	int fd[2];

	connected_pair(cid, fd);
	NEED_OK(send(fd[1], "abc", 3, 0));
	NEED_OK(shutdown(fd[1], SHUT_WR));
	see_after("IN+OUT+RDHUP", fd[0], POLLRDHUP, "after the peer's SHUT_WR, with data");
	CHECK_EQ(recv(fd[0], text, 3, MSG_WAITALL), 3);
	see("IN+OUT+RDHUP", fd[0], "after the peer's SHUT_WR");
	NEED_OK(shutdown(fd[0], SHUT_WR));
	see_after("IN+OUT+RDHUP+HUP", fd[0], POLLHUP, "after SHUT_WR by both");

	connected_pair(cid, fd);
	NEED_OK(shutdown(fd[0], SHUT_WR));
	see("OUT", fd[0], "after SHUT_WR");

	connected_pair(cid, fd);
	NEED_OK(shutdown(fd[0], SHUT_RD));
	see("IN+OUT+RDHUP", fd[0], "after SHUT_RD");

	connected_pair(cid, fd);
	NEED_OK(shutdown(fd[0], SHUT_RDWR));
	see_after("IN+OUT+RDHUP+HUP", fd[0], POLLHUP, "after SHUT_RDWR");

	connected_pair(cid, fd);
	close(fd[1]);
	see_after("IN+OUT+RDHUP+HUP", fd[0], POLLRDHUP, "after the peer closed");
	CHECK(ready(fd[0], POLLIN, 0));
}

/* A send fails at once, so there is nothing to wait for. */
static void peer_reads_no_more(void)
{
	int fd[2];

	connected_pair(cid, fd);
	fill(fd[0], 65536);
	NEED(!ready(fd[0], POLLOUT, 0));
	NEED_OK(shutdown(fd[1], SHUT_RD));
	CHECK(ready(fd[0], POLLOUT, 5000));
	CHECK_OUTCOME(send(fd[0], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT), "EPIPE");
}

/*
 * No send was refused: who has to be woken says so in poll(). By epoll, because poll() looks once more when
 * its time is over.
 */
static void wakes(void)
{
	struct epoll_event event = { .events = EPOLLOUT };
	static char buf[5000];
	int fd[2], epoll;

	connected_pair_of(SOCK_STREAM, cid, sizeof(buf), fd);
	NEED(send(fd[0], buf, sizeof(buf), 0) == sizeof(buf));
	epoll = NEED_OK(epoll_create1(0));
	NEED_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd[0], &event));
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
	CHECK_EQ(drain(fd[1]), sizeof(buf));
	CHECK_EQ(epoll_wait(epoll, &event, 1, 5000), 1);
}

/* The older names of the same; nothing is urgent. */
static void names(int type)
{
	const short all = POLLRDNORM | POLLWRNORM | POLLRDBAND | POLLWRBAND;
	struct pollfd seen = { .events = all };
	int fd[2];

	connected_pair_of(type, cid, 262144, fd);
	seen.fd = fd[0];
	CHECK_EQ(poll(&seen, 1, 5000), 1);
	CHECK_EQ(seen.revents, POLLWRNORM);
	NEED_OK(send(fd[1], "abc", 3, 0));
	NEED(ready(fd[0], POLLIN, 5000));
	CHECK_EQ(poll(&seen, 1, 5000), 1);
	CHECK_EQ(seen.revents, POLLRDNORM | POLLWRNORM);
	fill(fd[0], 65536);
	CHECK_EQ(poll(&seen, 1, 5000), 1);
	CHECK_EQ(seen.revents, POLLRDNORM);
}

static void older_names(void)
{
	names(SOCK_STREAM);
	names(SOCK_SEQPACKET);
}

static void refused(void)
{
	int fd = stream_nonblocking();

	CHECK(vm_connect(fd, cid, dead_port()));
	see_after(NULL, fd, POLLERR, "after a refused connect");
}

static int wait_for(int epoll, int ms)
{
	struct epoll_event event = { 0 };

	return NEED_OK(epoll_wait(epoll, &event, 1, ms)) ? (int)event.events : 0;
}

static void edge(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	int epoll = NEED_OK(epoll_create1(0)), fd[2];
	static char buf[1 << 20];
	char text[8];
	size_t sent;

	connected_pair(cid, fd);
	NEED_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd[0], &event));
	CHECK_EQ(wait_for(epoll, 5000) & EPOLLOUT, EPOLLOUT);

	NEED_OK(send(fd[1], "one", 3, 0));
	CHECK_EQ(wait_for(epoll, 5000) & EPOLLIN, EPOLLIN);
	NEED_OK(send(fd[1], "two", 3, 0));
	row("again", wait_for(epoll, 5000) & EPOLLIN ? "again" : "no edge",
	    "epoll edge for more data, the first unread");
	while (recv(fd[0], text, sizeof(text), MSG_DONTWAIT) > 0)
		;

	sent = fill(fd[0], 65536);
	while (wait_for(epoll, 0))
		;
	/* Stock delivers later: wait for all of it. */
	NEED(sent <= sizeof(buf) && recv_all(fd[1], buf, sent) == (ssize_t)sent);
	row("an edge", wait_for(epoll, 5000) & EPOLLOUT ? "an edge" : "no edge",
	    "epoll edge for credit");
	close(fd[1]);
	row("an edge", wait_for(epoll, 5000) & EPOLLIN ? "an edge" : "no edge",
	    "epoll edge for the peer's close");
}

static void listener_edge(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	unsigned int port;
	int epoll = NEED_OK(epoll_create1(0)), listening = listener(VMADDR_CID_ANY, 9, &port);

	NEED_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event));
	for (int i = 0; i < 3; i++) {
		connected(cid, port);
		CHECK_EQ(wait_for(epoll, 5000) & EPOLLIN, EPOLLIN);
	}
}

/* Readable with SO_RCVLOWAT, when the peer sends all it may and some was read before. */
static void lowat(const char *name, int lowat, size_t before)
{
	static char text[100000];
	int fd[2];

	connected_pair(cid, fd);
	fill(fd[0], 20000);
	NEED(ready(fd[1], POLLIN, 5000));
	row("ok", outcome(setsockopt(fd[1], SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat))),
	    "setsockopt SO_RCVLOWAT %d", lowat);
	if (before)
		CHECK_EQ(recv(fd[1], text, before, MSG_DONTWAIT), (int)before);
	if (ready(fd[0], POLLOUT, 1000))
		fill(fd[0], 20000);
	row("yes", ready(fd[1], POLLIN, 1000) ? "yes" : "no", "%s", name);
}

static void not_enough(void)
{
	int fd[2], lowat = 10;

	connected_pair(cid, fd);
	NEED_OK(setsockopt(fd[1], SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat)));
	NEED(send(fd[0], "123456789", 9, 0) == 9);
	CHECK(!ready(fd[1], POLLIN, 0));
	NEED(send(fd[0], "0", 1, 0) == 1);
	CHECK(ready(fd[1], POLLIN, 5000));
}

static void lowats(void)
{
	not_enough();
	lowat("readable with SO_RCVLOWAT of nearly the buffer", 250000, 20000);
	lowat("readable with SO_RCVLOWAT of the buffer", 262144, 0);
	lowat("readable with SO_RCVLOWAT of more than the buffer", 300000, 0);
	lowat("readable with SO_RCVLOWAT of more, after some was read", 300000, 20000);
}

const struct test poll_tests[] = {
	TEST("of a stream", stream),
	TEST("of an ended stream", ends),
	TEST("of one whose peer reads no more", peer_reads_no_more),
	TEST("of one who waits for room", wakes),
	TEST("older names", older_names),
	TEST("of a refused connect", refused),
	TEST("SO_RCVLOWAT", lowats),
	TEST("epoll edges", edge),
	TEST("epoll edges of a listener", listener_edge),
	{ .name = NULL },
};

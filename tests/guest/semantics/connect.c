// SPDX-License-Identifier: GPL-2.0-only
/* connect(), to this guest itself. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>
#include <unistd.h>

#include "data.h"
#include "semantics.h"
#include "vsock.h"

static void names(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 1, &port);
	int client = connected(cid, port), server;
	struct sockaddr_vm from;
	socklen_t len = sizeof(from);

	server = NEED_OK(accept(listening, (struct sockaddr *)&from, &len));
	CHECK_EQ(len, sizeof(from));
	CHECK_EQ(from.svm_family, AF_VSOCK);
	CHECK_EQ(from.svm_port, local_name(client).svm_port);
	CHECK_EQ(peer_name(server).svm_cid, from.svm_cid);
	CHECK_EQ(peer_name(server).svm_port, from.svm_port);
	CHECK_EQ(local_name(server).svm_port, port);
	CHECK_EQ(peer_name(client).svm_cid, cid);
	CHECK_EQ(peer_name(client).svm_port, port);
	row(NULL, cid_name(local_name(server).svm_cid), "local CID of an accepted socket");
	row(NULL, cid_name(from.svm_cid), "peer CID of an accepted socket");
	row(NULL, cid_name(local_name(client).svm_cid), "local CID after connect");
}

static void bound(void)
{
	unsigned int port, mine;
	int listening = listener(VMADDR_CID_ANY, 1, &port);
	int client = bound_socket(VMADDR_CID_ANY, &mine);

	CHECK_OUTCOME(vm_connect(client, cid, port), "ok");
	CHECK_EQ(local_name(client).svm_port, mine);
	CHECK_EQ(peer_name(NEED_OK(accept(listening, NULL, NULL))).svm_port, mine);
}

static void impossible(void)
{
	unsigned int port = dead_port();

	row("EFAULT", outcome(vm_connect(stream_nonblocking(), VMADDR_CID_ANY, port)),
	    "connect to CID ANY");
	row("EFAULT", outcome(vm_connect(stream_nonblocking(), cid, VMADDR_PORT_ANY)),
	    "connect to PORT ANY");
	row("EFAULT", outcome(vm_connect(stream_nonblocking(), VMADDR_CID_ANY, VMADDR_PORT_ANY)),
	    "connect to ANY, ANY");
}

static int connect_raw(const struct sockaddr_vm *addr, socklen_t len)
{
	return connect(stream_socket(), (const struct sockaddr *)addr, len);
}

static void bad_addresses(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 10, &port);
	struct sockaddr_vm good = vm_addr(cid, port), bad = good;

	bad.svm_family = AF_INET;
	row("EINVAL", outcome(connect_raw(&bad, sizeof(bad))), "connect to another family");
	bad.svm_family = AF_UNSPEC;
	row("EINVAL", outcome(connect_raw(&bad, sizeof(bad))), "connect to AF_UNSPEC");
	row("EINVAL", outcome(connect_raw(&good, sizeof(good) - 1)), "connect to a short address");
	bad = good;
	bad.svm_flags = 0x80;
	row("EINVAL", outcome(connect_raw(&bad, sizeof(bad))), "connect with unknown flags");
	bad = good;
	bad.svm_reserved1 = 7;
	memset(bad.svm_zero, 7, sizeof(bad.svm_zero));
	row("ok", outcome(connect_raw(&bad, sizeof(bad))), "connect with svm_zero not zero");
	set_nonblocking(listening);
	CHECK(accept(listening, NULL, NULL) >= 0);
	CHECK_OUTCOME(accept(listening, NULL, NULL), "EAGAIN");
}

static void refused(void)
{
	unsigned int port = dead_port(), live;
	int fd = stream_socket(), listening = listener(VMADDR_CID_ANY, 1, &live), again;
	char byte = 0;

	row("ECONNRESET", outcome(vm_connect(fd, cid, port)), "connect, nobody listens");
	CHECK_EQ(socket_error(fd), 0);
	row("ECONNRESET", outcome(vm_connect(fd, cid, port)), "connect once more, nobody listens");

	row("ok", outcome(vm_connect(fd, cid, live)), "connect after a refusal");
	again = NEED_OK(accept(listening, NULL, NULL));
	CHECK_EQ(send(again, "y", 1, 0), 1);
	CHECK_EQ(recv(fd, &byte, 1, 0), 1);
	CHECK_EQ(byte, 'y');
}

static void bound_only(void)
{
	unsigned int port;

	bound_socket(VMADDR_CID_ANY, &port);
	row("ECONNRESET", outcome(vm_connect(stream_socket(), cid, port)),
	    "connect to a bound socket that does not listen");
}

static void other_cid(void)
{
	unsigned int port, other = cid == VMADDR_CID_LOCAL ? own_cid() : VMADDR_CID_LOCAL;

	if (other == VMADDR_CID_ANY || other == cid)
		skip("this guest has one CID only");
	listener(other, 1, &port);
	row("ECONNRESET", outcome(vm_connect(stream_socket(), cid, port)),
	    "connect to a port whose listener is bound to another CID");
}

static void specific_listener(void)
{
	unsigned int port;

	listener(cid, 1, &port);
	row("ok", outcome(vm_connect(stream_socket(), cid, port)),
	    "connect to a listener bound to that CID");
}

static void connected_already(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 2, &port), client = connected(cid, port), server;

	row("EISCONN", outcome(vm_connect(client, cid, port)), "connect, connected already");
	server = NEED_OK(accept(listening, NULL, NULL));
	row("EISCONN", outcome(vm_connect(server, cid, port)), "connect an accepted socket");
	close(server);
	NEED(ready(client, POLLIN, 5000));
	row(NULL, outcome(vm_connect(client, cid, port)), "connect after the peer closed");
	row("EINVAL", outcome(vm_connect(listening, cid, port)), "connect a listener");
	row("EINVAL", outcome(listen(client, 1)), "listen, connected");
}

static void self(void)
{
	unsigned int port;
	int fd = bound_socket(VMADDR_CID_ANY, &port);

	row("ECONNRESET", outcome(vm_connect(fd, cid, port)), "connect to oneself");
}

static void nonblocking(void)
{
	unsigned int port;
	int fd = stream_nonblocking(), server;
	char byte = 0;
	int listening = listener(VMADDR_CID_ANY, 1, &port);

	row("EINPROGRESS|ok", outcome(vm_connect(fd, cid, port)), "connect, non-blocking");
	CHECK(ready(fd, POLLOUT, 5000));
	row(NULL, events(fd, POLLIN | POLLOUT | POLLRDHUP, 0), "poll, connected");
	CHECK_EQ(socket_error(fd), 0);
	row("EISCONN", outcome(vm_connect(fd, cid, port)), "connect, non-blocking, once more");
	server = NEED_OK(accept(listening, NULL, NULL));
	CHECK_EQ(send(fd, "z", 1, 0), 1);
	CHECK_EQ(recv(server, &byte, 1, 0), 1);
}

static void nonblocking_refused(void)
{
	int fd = stream_nonblocking();
	fd_set reading, writing;
	struct timeval none = { 0 };

	row("EINPROGRESS", outcome(vm_connect(fd, cid, dead_port())),
	    "connect, non-blocking, nobody listens");
	NEED(ready(fd, POLLOUT, 5000));
	row(NULL, events(fd, POLLIN | POLLOUT | POLLRDHUP, 0), "poll after a refused connect");
	FD_ZERO(&reading);
	FD_SET(fd, &reading);
	writing = reading;
	NEED_OK(select(fd + 1, &reading, &writing, NULL, &none));
	row("readable", FD_ISSET(fd, &reading) ? "readable" : "not",
	    "select for reading after a refused connect");
	row("writable", FD_ISSET(fd, &writing) ? "writable" : "not",
	    "select for writing after a refused connect");
	errno = socket_error(fd);
	row("ECONNRESET", outcome(-1), "SO_ERROR after a refused connect");
	CHECK_EQ(socket_error(fd), 0);
}

/* A connection that the listener never accepts is one all the same. */
static void not_accepted(void)
{
	unsigned int port;
	char text[4] = "";
	int listening = listener(VMADDR_CID_ANY, 1, &port), client = connected(cid, port), server;

	CHECK_EQ(send(client, "abc", 3, 0), 3);
	server = NEED_OK(accept(listening, NULL, NULL));
	CHECK_EQ(recv(server, text, sizeof(text), 0), 3);
	CHECK(!strcmp(text, "abc"));
}

static void note_signal(int number)
{
	(void)number;
}

static void signal_after(unsigned int us)
{
	const struct itimerval timer = { .it_value = { 0, us } };

	NEED_OK(setitimer(ITIMER_REAL, &timer, NULL));
}

/* Attempts that were interrupted may wait too, closed by their clients. */
static int accept_from(int listening, char want)
{
	for (;;) {
		int server = NEED_OK(accept(listening, NULL, NULL));
		char byte = 0;

		if (recv(server, &byte, 1, 0) == 1 && byte == want)
			return server;
		close(server);
	}
}

/*
 * Whenever a signal comes: either the call did its work, or EINTR, and then a
 * fresh one does it or finds it done.
 */
static void interrupted(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 2, &port);

	sigaction(SIGALRM, &(struct sigaction) { .sa_handler = note_signal }, NULL);
	for (int i = 0; i < 400; i++) {
		int client = stream_socket(), result;

		signal_after(1 + i % 50 * 10);
		while ((result = vm_connect(client, cid, port)) && errno == EINTR)
			;
		signal_after(0);
		if (result && errno != EISCONN)
			fail_at(__FILE__, __LINE__, true, "round %d: %s", i, outcome(result));
		NEED_OK(send(client, "k", 1, MSG_NOSIGNAL));
		close(accept_from(listening, 'k'));
		close(client);
	}
}

static void reuse(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 1, &port);

	for (int i = 0; i < 1000; i++) {
		int client = connected(cid, port);

		close(NEED_OK(accept(listening, NULL, NULL)));
		close(client);
	}
}

const struct test connect_tests[] = {
	TEST("names", names),
	TEST("from a bound socket", bound),
	TEST("impossible addresses", impossible),
	TEST("bad addresses", bad_addresses),
	TEST("refused, then a fresh connect", refused),
	TEST("to a socket that does not listen", bound_only),
	TEST("to a listener on another CID", other_cid),
	TEST("to a listener on that CID", specific_listener),
	TEST("connected already", connected_already),
	TEST("to itself", self),
	TEST("non-blocking", nonblocking),
	TEST("non-blocking, refused", nonblocking_refused),
	TEST("data before accept", not_accepted),
	TEST("interrupted at any moment", interrupted),
	TEST("1000 times", reuse, .deadline = 60),
	{ .name = NULL },
};

// SPDX-License-Identifier: GPL-2.0-only
/* listen() and accept(). */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "semantics.h"
#include "vsock.h"

static void nothing_waits(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 1, &port);
	double begin;

	row(NULL, events(listening, POLLIN | POLLOUT, 0), "poll a listener, nothing waits");
	set_timeout(listening, SOL_SOCKET, SO_RCVTIMEO, 200);
	begin = seconds();
	row("EAGAIN", outcome(accept(listening, NULL, NULL)), "accept with SO_RCVTIMEO");
	CHECK(waited(begin, 0.2));
	set_nonblocking(listening);
	row("EAGAIN", outcome(accept(listening, NULL, NULL)), "accept, non-blocking");
}

static void readable(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 1, &port), server;

	connected(cid, port);
	CHECK(ready(listening, POLLIN, 5000));
	server = NEED_OK(accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	CHECK(fcntl(server, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(server, F_GETFD) & FD_CLOEXEC);
	CHECK(!ready(listening, POLLIN, 0));
}

static void in_order(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 20, &port), client[20];

	for (int i = 0; i < 20; i++)
		client[i] = connected(cid, port);
	for (int i = 0; i < 20; i++) {
		int server = NEED_OK(accept(listening, NULL, NULL));

		CHECK_EQ(peer_name(server).svm_port, local_name(client[i]).svm_port);
	}
}

static void overflow(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 3, &port), waiting = 0;

	while (waiting < 100 && !vm_connect(stream_socket(), cid, port))
		waiting++;
	row("4", outcome(waiting), "connections that wait with a backlog of 3");
	row("ECONNRESET", outcome(vm_connect(stream_socket(), cid, port)),
	    "connect, the backlog is full");
	NEED_OK(accept(listening, NULL, NULL));
	row("ok", outcome(vm_connect(stream_socket(), cid, port)), "connect, there is room again");
	set_nonblocking(listening);
	for (int i = 0; i < 4; i++)
		CHECK(accept(listening, NULL, NULL) >= 0);
	CHECK_OUTCOME(accept(listening, NULL, NULL), "EAGAIN");

	NEED_OK(listen(listening, 0));
	for (waiting = 0; waiting < 100 && !vm_connect(stream_socket(), cid, port); waiting++)
		;
	row("1", outcome(waiting), "connections that wait with a backlog of 0");
}

static void raised(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 0, &port), waiting = 0;

	connected(cid, port);
	CHECK_OUTCOME(listen(listening, 5), "ok");
	while (waiting < 100 && !vm_connect(stream_socket(), cid, port))
		waiting++;
	CHECK_EQ(waiting, 5);
}

static void inherits(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 1, &port), server;
	struct timeval tv = { 7, 0 };
	socklen_t len = sizeof(tv);

	set_u64(listening, SO_VM_SOCKETS_BUFFER_SIZE, 12345);
	set_u64(listening, SO_VM_SOCKETS_BUFFER_MIN_SIZE, 999);
	set_u64(listening, SO_VM_SOCKETS_BUFFER_MAX_SIZE, 54321);
	NEED_OK(setsockopt(listening, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &tv, sizeof(tv)));
	connected(cid, port);
	server = NEED_OK(accept(listening, NULL, NULL));
	CHECK_EQ(get_u64(server, SO_VM_SOCKETS_BUFFER_SIZE), 12345);
	CHECK_EQ(get_u64(server, SO_VM_SOCKETS_BUFFER_MIN_SIZE), 999);
	CHECK_EQ(get_u64(server, SO_VM_SOCKETS_BUFFER_MAX_SIZE), 54321);
	tv.tv_sec = 0;
	NEED_OK(getsockopt(server, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &tv, &len));
	CHECK_EQ(tv.tv_sec, 7);
}

static void listener_gone(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 5, &port), client = connected(cid, port);
	char byte;

	close(listening);
	CHECK(ready(client, POLLIN, 5000));
	row("ok", outcome(recv(client, &byte, 1, 0)),
	    "recv of a connection whose listener closed without accepting it");
	row("EPIPE", outcome(send(client, "x", 1, MSG_NOSIGNAL)),
	    "send on a connection whose listener closed without accepting it");
	CHECK_OUTCOME(vm_connect(stream_socket(), cid, port), "ECONNRESET");
}

static void client_gone(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 5, &port), client = connected(cid, port), server;
	char text[8] = "";

	NEED_OK(send(client, "bye", 3, 0));
	close(client);
	server = NEED_OK(accept(listening, NULL, NULL));
	CHECK_EQ(recv(server, text, sizeof(text), MSG_WAITALL), 3);
	CHECK(!strcmp(text, "bye"));
	CHECK_EQ(recv(server, text, sizeof(text), 0), 0);
}

static void of_listener(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 5, &port), value = 0;
	socklen_t len = sizeof(value);
	char byte;

	row("ENOTCONN", outcome(send(listening, "x", 1, MSG_NOSIGNAL)), "send on a listener");
	row("ENOTCONN", outcome(recv(listening, &byte, 1, 0)), "recv on a listener");
	row(NULL, outcome(shutdown(listening, SHUT_RDWR)), "shutdown of a listener");
	NEED_OK(getsockopt(listening, SOL_SOCKET, SO_ACCEPTCONN, &value, &len));
	CHECK_EQ(value, 1);
}

static void *accept_two(void *listening)
{
	for (int i = 0; i < 2; i++)
		CHECK(accept(*(int *)listening, NULL, NULL) >= 0);
	return NULL;
}

static void two_wait(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 5, &port);
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		NEED(!pthread_create(&threads[i], NULL, accept_two, &listening));
	for (int i = 0; i < 4; i++)
		connected(cid, port);
	for (int i = 0; i < 2; i++)
		NEED(!pthread_join(threads[i], NULL));
}

const struct test accept_tests[] = {
	TEST("nothing waits", nothing_waits),
	TEST("poll and flags", readable),
	TEST("in order", in_order),
	TEST("backlog", overflow),
	TEST("a raised backlog", raised),
	TEST("inherited options", inherits),
	TEST("the listener closes first", listener_gone),
	TEST("the client closes first", client_gone),
	TEST("other calls on a listener", of_listener),
	TEST("two threads accept", two_wait),
	{ .name = NULL },
};

// SPDX-License-Identifier: GPL-2.0-only
/* Over the device, to a host that offers what tests/interop/peer.h says. */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <linux/sock_diag.h>

#include "../../interop/peer.h"
#include "counters.h"
#include "data.h"
#include "epoll.h"
#include "semantics.h"
#include "vsock.h"

static int host(enum peer_port port)
{
	return connected(VMADDR_CID_HOST, port);
}

static void names(void)
{
	int fd = host(PEER_ECHO);

	CHECK_EQ(peer_name(fd).svm_cid, VMADDR_CID_HOST);
	CHECK_EQ(peer_name(fd).svm_port, PEER_ECHO);
	row(NULL, cid_name(local_name(fd).svm_cid), "local CID after connect to the host");
}

static void echo(void)
{
	CHECK(stream_both(host(PEER_ECHO), 1 << 20, 1, 1));
}

/* One call for all of it, and the host's digest for the answer. */
static void to_host(size_t count, size_t chunk)
{
	int fd = host(PEER_SINK);
	uint64_t sum, want;

	NEED(send_all(fd, &count, sizeof(count)) == sizeof(count));
	want = stream_send(fd, count, chunk, 9);
	NEED(recv_all(fd, &sum, sizeof(sum)) == sizeof(sum));
	CHECK(sum == want);
	close(fd);
}

static void from_host(uint64_t count, size_t chunk)
{
	int fd = host(PEER_SOURCE);
	char byte;

	NEED(send_all(fd, &count, sizeof(count)) == sizeof(count));
	CHECK(stream_recv(fd, count, chunk, PEER_SEED));
	row("ok", outcome(recv(fd, &byte, 1, 0)), "recv after the host closed");
	row("EPIPE", outcome(send(fd, "x", 1, MSG_NOSIGNAL)), "send after the host closed");
	close(fd);
}

/* A reader that polls the device itself. */
static void busy_poll(void)
{
	int fd = host(PEER_ECHO), usec = 200, napi_id = 0;
	socklen_t len = sizeof(napi_id);

	NEED_OK(setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &usec, sizeof(usec)));
	CHECK(stream_both(fd, 1 << 20, 1, 1));
	NEED_OK(fcntl(fd, F_SETFL, 0));
	for (int i = 0; i < 100; i++) {
		char byte = 0;

		NEED(send(fd, &(char){ i }, 1, 0) == 1);
		NEED(recv(fd, &byte, 1, 0) == 1);
		NEED(byte == i);
	}
	NEED_OK(getsockopt(fd, SOL_SOCKET, SO_INCOMING_NAPI_ID, &napi_id, &len));
	row("one", napi_id ? "one" : "none", "NAPI id of what came from the device");
}

static unsigned int memory_sent(int fd)
{
	unsigned int info[SK_MEMINFO_VARS];
	socklen_t len = sizeof(info);

	NEED_OK(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len));
	return info[SK_MEMINFO_WMEM_ALLOC];
}

/* The device is done with a packet: who did not wait for that does not hear of it. */
static void edge_when_done(void)
{
	int fd = host(PEER_HOLD), epoll = edges_of(fd, EPOLLIN | EPOLLOUT);

	CHECK_EQ(edge(epoll, 5000), EPOLLOUT);
	for (int i = 0; i < 100; i++)
		NEED_OK(send(fd, "x", 1, 0));
	while (memory_sent(fd))
		;
	row("no edge", edge(epoll, 0) ? "an edge" : "no edge",
	    "epoll edge when the device has taken what was sent");
}

/* As long as that, the queue fills and the credit runs out, again and again. */
static void edges_to_host(void)
{
	uint64_t count = 10 << 20, sum;
	int fd = host(PEER_SINK);

	NEED(send_all(fd, &count, sizeof(count)) == sizeof(count));
	CHECK(send_by_edges(fd, count));
	NEED(recv_all(fd, &sum, sizeof(sum)) == sizeof(sum));
}

static void small_sends(void)
{
	to_host(500, 1);
	to_host(30000, 100);
	to_host(300000, 4096);
	to_host(1000000, 16384);
}

static void large_sends(void)
{
	to_host(1 << 20, 32768);
	to_host(1 << 20, 65536);
	to_host(3000001, 1 << 20);
}

/* This end's buffer is smaller than the host's, which does not know it. */
static void small_buffer(void)
{
	size_t count = 1 << 20;
	int fd = host(PEER_SINK);
	uint64_t sum, want;

	set_u64(fd, SO_VM_SOCKETS_BUFFER_SIZE, 8192);
	NEED(send_all(fd, &count, sizeof(count)) == sizeof(count));
	want = stream_send(fd, count, 65536, 9);
	NEED(recv_all(fd, &sum, sizeof(sum)) == sizeof(sum));
	CHECK(sum == want);
}

static void receives(void)
{
	from_host(2000, 1);
	from_host(100000, 1000);
	from_host(1 << 20, 65536);
	from_host(1 << 20, 1 << 20);
}

static void refused(void)
{
	int fd = stream_socket(), other;

	/* vhost-device-vsock 0.3.0 does not answer at all: no reset to see. */
	set_timeout(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 500);
	row("ECONNRESET|ETIMEDOUT", outcome(vm_connect(fd, VMADDR_CID_HOST, PEER_DEAD)),
	    "connect, nobody listens on the host");
	row("ok", outcome(vm_connect(fd, VMADDR_CID_HOST, PEER_ECHO)), "connect after a refusal");
	CHECK(stream_both(fd, 1000, 1, 1));

	other = stream_nonblocking();
	set_timeout(other, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 500);
	row("EINPROGRESS", outcome(vm_connect(other, VMADDR_CID_HOST, PEER_DEAD)),
	    "connect, non-blocking, nobody listens on the host");
	NEED(ready(other, POLLOUT, 10000));
	errno = socket_error(other);
	row("ECONNRESET|ETIMEDOUT", outcome(-1), "SO_ERROR, nobody listens on the host");
}

static void nonblocking(void)
{
	int fd = stream_nonblocking();

	/* The host may answer before the call returns: either is right, so neither is a row. */
	if (vm_connect(fd, VMADDR_CID_HOST, PEER_ECHO))
		CHECK_OUTCOME(-1, "EINPROGRESS");
	NEED(ready(fd, POLLOUT, 10000));
	CHECK_EQ(socket_error(fd), 0);
	CHECK(stream_both(fd, 1000, 1, 1));
}

/* The host calls back: [0] is our end of the call, [1] of the one it made. */
static void called(int fd[2], unsigned int bind_to)
{
	unsigned int port;
	int listening = listener(bind_to, 1, &port);

	fd[0] = host(PEER_CALL);
	NEED(send_all(fd[0], &port, sizeof(port)) == sizeof(port));
	NEED(ready(listening, POLLIN, 10000));
	fd[1] = NEED_OK(accept(listening, NULL, NULL));
	CHECK_EQ(peer_name(fd[1]).svm_cid, VMADDR_CID_HOST);
	CHECK_EQ(local_name(fd[1]).svm_port, port);
	row("own", cid_name(local_name(fd[1]).svm_cid), "local CID of a connection from the host");
	close(listening);
}

static void calls(void)
{
	char buf[5];
	int fd[2];

	called(fd, VMADDR_CID_ANY);
	for (int i = 0; i < 20; i++) {
		NEED(send_all(fd[i % 2], "words", 5) == 5);
		NEED(recv_all(fd[(i + 1) % 2], buf, 5) == 5);
	}
	close(fd[0]);
	CHECK_EQ(recv(fd[1], buf, 1, 0), 0);
	close(fd[1]);

	called(fd, own_cid());
	NEED(send_all(fd[0], "words", 5) == 5);
	NEED(recv_all(fd[1], buf, 5) == 5);
	close(fd[1]);
	CHECK_EQ(recv(fd[0], buf, 1, 0), 0);
}

/* The host's connect to a dead port must fail, not wait. */
static void call_refused(void)
{
	unsigned int port = dead_port(), local;
	int fd = host(PEER_CALL);
	char byte;

	NEED(send_all(fd, &port, sizeof(port)) == sizeof(port));
	row("ok", outcome(recv(fd, &byte, 1, 0)), "the host's connect to a dead port fails");

	listener(VMADDR_CID_LOCAL, 1, &local);
	fd = host(PEER_CALL);
	NEED(send_all(fd, &local, sizeof(local)) == sizeof(local));
	row("ok", outcome(recv(fd, &byte, 1, 0)),
	    "the host's connect to a listener on CID LOCAL fails");
}

static void dropped(void)
{
	for (int i = 0; i < 20; i++) {
		int fd = stream_socket(), result = vm_connect(fd, VMADDR_CID_HOST, PEER_DROP);
		char byte;

		/* The close may be quicker than the connection. */
		if (result) {
			CHECK_OUTCOME(result, "ECONNRESET");
		} else {
			CHECK_EQ(recv(fd, &byte, 1, 0), 0);
			CHECK_OUTCOME(send(fd, "x", 1, MSG_NOSIGNAL), "EPIPE");
		}
		close(fd);
	}
}

static void close_with_data(void)
{
	static char buf[200000];
	int fd = host(PEER_COLLECT), reporter = host(PEER_REPORT);
	struct peer_report report;

	data_fill(buf, sizeof(buf), 8, 0);
	/* In pieces that every driver's device understands. */
	for (size_t at = 0; at < sizeof(buf); at += 4000)
		NEED(send_all(fd, buf + at, 4000) == 4000);
	close(fd);
	NEED(recv_all(reporter, &report, sizeof(report)) == sizeof(report));
	CHECK_EQ(report.count, sizeof(buf));
	CHECK(report.digest == digest(DIGEST_START, buf, sizeof(buf)));
}

static void not_read(void)
{
	int fd = host(PEER_HOLD), other = host(PEER_ECHO);
	size_t sent = 0, more;
	double begin;

	/* Its device, too, has a buffer that takes a while to fill. */
	while (ready(fd, POLLOUT, 500) && (more = fill(fd, 4096)))
		sent += more;
	CHECK(sent >= 65536);
	CHECK(stream_both(other, 100000, 3, 3));
	begin = seconds();
	close(fd);
	CHECK(seconds() - begin < 1);
}

static void many_at_once(void)
{
	enum { COUNT = 200 };
	char text[8];
	int fd[COUNT];

	for (int i = 0; i < COUNT; i++)
		fd[i] = host(PEER_ECHO);
	for (int i = 0; i < COUNT; i++)
		NEED(send_all(fd[i], &i, sizeof(i)) == sizeof(i));
	for (int i = 0; i < COUNT; i++) {
		NEED(recv_all(fd[i], text, sizeof(i)) == sizeof(i));
		CHECK(!memcmp(text, &i, sizeof(i)));
	}
}

static void one_by_one(void)
{
	for (int i = 0; i < 200; i++) {
		int fd = host(PEER_ECHO);

		CHECK(stream_both(fd, 10, i, i));
		close(fd);
	}
}

static void half_closed(void)
{
	int fd = host(PEER_ECHO);
	char text[4] = "";

	NEED_OK(send(fd, "abc", 3, 0));
	CHECK_EQ(recv_all(fd, text, 3), 3);
	NEED_OK(shutdown(fd, SHUT_WR));
	row("EPIPE", outcome(send(fd, "x", 1, MSG_NOSIGNAL)), "send after SHUT_WR to the host");
	/* Nor does it pass the end of one direction on. */
	set_timeout(fd, SOL_SOCKET, SO_RCVTIMEO, 500);
	row(NULL, outcome(recv(fd, text, 1, 0)), "recv after SHUT_WR to an echo");
}

static void hypervisor(void)
{
	int fd = stream_socket();

	set_timeout(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 500);
	row(NULL, outcome(vm_connect(fd, VMADDR_CID_HYPERVISOR, PEER_ECHO)),
	    "connect to CID HYPERVISOR");
}

static void to_host_flag(void)
{
	struct sockaddr_vm addr = vm_addr(VMADDR_CID_HOST, PEER_ECHO);
	int fd = stream_socket();

	addr.svm_flags = VMADDR_FLAG_TO_HOST;
	row("ok", outcome(connect(fd, (struct sockaddr *)&addr, sizeof(addr))),
	    "connect with VMADDR_FLAG_TO_HOST");
	CHECK(stream_both(fd, 1000, 1, 1));
}

static void counted(void)
{
	struct counters before, after;
	int fd = host(PEER_ECHO);
	char buf[1000];

	counters_read(&before);
	for (int i = 0; i < 100; i++) {
		NEED(send_all(fd, buf, sizeof(buf)) == sizeof(buf));
		NEED(recv_all(fd, buf, sizeof(buf)) == sizeof(buf));
	}
	counters_read(&after);
	CHECK_EQ(counters_diff(&before, &after, "tx_bytes"), 100000);
	CHECK_EQ(counters_diff(&before, &after, "rx_bytes"), 100000);
	CHECK_EQ(counters_diff(&before, &after, "tx_rw"), 100);
	CHECK(counters_diff(&before, &after, "rx_rw") >= 100);
	CHECK(counters_diff(&before, &after, "tx_kicks") > 0);
	CHECK(counters_diff(&before, &after, "interrupts") > 0);
}

const struct test device_tests[] = {
	TEST("names", names),
	TEST("non-blocking connect", nonblocking),
	TEST("refused", refused),
	TEST("echo both ways at once", echo),
	TEST("busy polling", busy_poll),
	TEST("small sends", small_sends),
	TEST("large sends", large_sends, .deadline = 15),
	TEST("an edge only for who waits", edge_when_done),
	TEST("edges to the host", edges_to_host),
	TEST("a small buffer of one's own", small_buffer),
	TEST("receives", receives),
	TEST("the host calls", calls),
	TEST("the host calls a dead port", call_refused),
	TEST("the host drops the connection", dropped),
	TEST("close with data on its way", close_with_data),
	TEST("a host that does not read", not_read),
	TEST("SHUT_WR", half_closed),
	TEST("200 connections at once", many_at_once),
	TEST("200 connections one by one", one_by_one),
	TEST("CID HYPERVISOR", hypervisor),
	TEST("VMADDR_FLAG_TO_HOST", to_host_flag),
	TEST("counters", counted),
	{ .name = NULL },
};

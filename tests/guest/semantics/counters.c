// SPDX-License-Identifier: GPL-2.0-only
/* The driver's counters say what was done, to the byte. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glass_vsock.h>

#include "counters.h"
#include "data.h"
#include "semantics.h"
#include "vsock.h"

/* The words of one connection each way, as sends that are read one by one. */
static void exchange(int fd[2], int rounds, size_t size)
{
	char *buf = calloc(1, size);

	for (int i = 0; i < rounds; i++) {
		NEED(send_all(fd[0], buf, size) == (ssize_t)size);
		NEED(recv_all(fd[1], buf, size) == (ssize_t)size);
	}
	free(buf);
}

static void payload(void)
{
	struct counters before, after;
	int fd[2];

	connected_pair(cid, fd);
	counters_read(&before);
	exchange(fd, 100, 1000);
	exchange((int[]) { fd[1], fd[0] }, 50, 3);
	counters_read(&after);
	CHECK_EQ(counters_diff(&before, &after, "tx_bytes"), 100150);
	CHECK_EQ(counters_diff(&before, &after, "rx_bytes"), 100150);
	CHECK_EQ(counters_diff(&before, &after, "tx_rw"), 150);
	CHECK_EQ(counters_diff(&before, &after, "rx_rw"), 150);
}

static void large_payload(void)
{
	struct counters before, after;
	static char buf[200000];
	int fd[2];

	connected_pair(cid, fd);
	counters_read(&before);
	NEED(send_all(fd[0], buf, sizeof(buf)) == sizeof(buf));
	NEED(recv_all(fd[1], buf, sizeof(buf)) == sizeof(buf));
	counters_read(&after);
	CHECK_EQ(counters_diff(&before, &after, "tx_bytes"), 200000);
	CHECK_EQ(counters_diff(&before, &after, "rx_bytes"), 200000);
	CHECK(counters_diff(&before, &after, "tx_rw") >= 7);
	CHECK_EQ(counters_diff(&before, &after, "tx_rw"),
		 counters_diff(&before, &after, "rx_rw"));
}

static void life(void)
{
	struct counters before, after;
	int fd[2];

	counters_read(&before);
	for (int i = 0; i < 10; i++) {
		connected_pair(cid, fd);
		close(fd[0]);
		NEED(ready(fd[1], POLLIN, 5000));
		close(fd[1]);
	}
	counters_read(&after);
	CHECK_EQ(counters_diff(&before, &after, "connect_started"), 10);
	CHECK_EQ(counters_diff(&before, &after, "connect_done"), 10);
	CHECK_EQ(counters_diff(&before, &after, "accepted"), 10);
	CHECK_EQ(counters_diff(&before, &after, "tx_request"), 10);
	CHECK_EQ(counters_diff(&before, &after, "rx_request"), 10);
	CHECK_EQ(counters_diff(&before, &after, "tx_response"), 10);
	CHECK_EQ(counters_diff(&before, &after, "rx_response"), 10);
	CHECK(counters_diff(&before, &after, "tx_shutdown") >= 10);
	CHECK_EQ(counters_diff(&before, &after, "connect_reset"), 0);
	CHECK_EQ(counters_diff(&before, &after, "tx_bytes"), 0);
}

static void refused(void)
{
	struct counters before, after;
	unsigned int port = dead_port();

	counters_read(&before);
	for (int i = 0; i < 5; i++)
		CHECK_OUTCOME(vm_connect(stream_socket(), cid, port), "ECONNRESET");
	counters_read(&after);
	CHECK_EQ(counters_diff(&before, &after, "connect_started"), 5);
	CHECK_EQ(counters_diff(&before, &after, "connect_reset"), 5);
	CHECK_EQ(counters_diff(&before, &after, "connect_done"), 0);
	CHECK_EQ(counters_diff(&before, &after, "tx_rst"), 5);
	CHECK_EQ(counters_diff(&before, &after, "resets_tx_no_listener"), 5);
}

static void overflows(void)
{
	struct counters before, after;
	unsigned int port;

	listener(VMADDR_CID_ANY, 1, &port);
	connected(cid, port);
	connected(cid, port);
	counters_read(&before);
	CHECK_OUTCOME(vm_connect(stream_socket(), cid, port), "ECONNRESET");
	counters_read(&after);
	CHECK_EQ(counters_diff(&before, &after, "accept_queue_overflows"), 1);
	CHECK_EQ(counters_diff(&before, &after, "resets_tx_backlog_full"), 1);
}

/* Each packet is of one op, so the ops add up. */
static void sums(void)
{
	static const char *const ops[] = {
		"invalid", "request", "response", "rst", "shutdown", "rw",
		"credit_update", "credit_request",
	};
	struct counters all;
	unsigned long long tx = 0, rx = 0;
	int fd[2];

	connected_pair(cid, fd);
	exchange(fd, 10, 10);
	counters_read(&all);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), "tx_%s", ops[i]);
		tx += counters_get(&all, name);
		snprintf(name, sizeof(name), "rx_%s", ops[i]);
		rx += counters_get(&all, name);
	}
	CHECK_EQ(counters_get(&all, "tx_packets"), tx);
	CHECK_EQ(counters_get(&all, "rx_packets"), rx);
	CHECK(tx > 0);
}

/* Every field of the contract has its line. */
static void complete(void)
{
#define FIELD(field)	counters_get(&all, #field);
	struct counters all;
	char name[64];

	counters_read(&all);
	GLASS_VSOCK_COUNTERS(FIELD)
	for (unsigned int i = 1; i < GLASS_VSOCK_R_MAX; i++) {
		static const char *const groups[] = { "resets_tx", "resets_rx", "drops" };

		for (int g = 0; g < 3; g++) {
			snprintf(name, sizeof(name), "%s_%s", groups[g], glass_vsock_reason_name(i));
			counters_get(&all, name);
		}
	}
#undef FIELD
}

const struct test counter_tests[] = {
	TEST("all of the contract", complete),
	TEST("payload and packets", payload),
	TEST("payload in large sends", large_payload),
	TEST("connections", life),
	TEST("refused connections", refused),
	TEST("a full accept queue", overflows),
	TEST("ops add up to packets", sums),
	{ .name = NULL },
};

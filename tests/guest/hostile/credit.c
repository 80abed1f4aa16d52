// SPDX-License-Identifier: GPL-2.0-only
/* A device that does not let go of credit, or a ring that stands still: a sender waits, and asks. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <string.h>
#include <unistd.h>

#include "data.h"
#include "hostile.h"
#include "vsock.h"

#define MIB	(1ULL << 20)

/* All of it arrives as it was. */
static struct sink_report transfer(uint64_t count)
{
	int fd = victim(SOCK_STREAM, 0);
	struct sink_report report;
	uint64_t sum;

	NEED(send_all(fd, &count, sizeof(count)) == sizeof(count));
	sum = stream_send(fd, count, 65536, 9);
	NEED(recv_all(fd, &report, sizeof(report)) == sizeof(report));
	ended_as("all arrives", sum && report.digest == sum ? "all arrives" : "wrong data");
	close(fd);
	return report;
}

/* A program that polls before it sends: nothing was refused, and there is no room. */
static void poll_for_room(void)
{
	static char window[WINDOW];
	uint64_t count = MIB;
	int fd = victim(SOCK_STREAM, 0);

	memcpy(window, &count, sizeof(count));
	NEED(send(fd, window, sizeof(window), 0) == sizeof(window));
	CHECK(ready(fd, POLLOUT, 5000));
	close(fd);
}

static void on_request(void)
{
	struct counters before, after;
	struct sink_report report;

	counters_read(&before);
	report = transfer(MIB);
	counters_read(&after);
	/* A window of it needs no credit but what it began with. */
	CHECK(report.requests >= MIB / WINDOW - 1);
	CHECK(counters_diff(&before, &after, "stalls_peer_credit") >= (long long)(MIB / WINDOW - 1));
	CHECK(counters_diff(&before, &after, "stalled_ns_peer_credit") > 0);
	recorded(&before, "tx_credit_request", report.requests);
	poll_for_room();
	others_go_on();
}

static void shrink(void)
{
	struct counters before;
	struct sink_report report;

	counters_read(&before);
	report = transfer(MIB);
	CHECK(report.requests >= 1);
	recorded(&before, "tx_credit_request", report.requests);
	others_go_on();
}

/* When the update that it waits for is lost it stands still, until it asks. */
static void lossy(void)
{
	struct counters before, after;
	struct sink_report report;
	char seen[80];

	counters_read(&before);
	report = transfer(64 * MIB);
	counters_read(&after);
	snprintf(seen, sizeof(seen), "%lld stalls, %ju probes, %ju updates lost",
		 counters_diff(&before, &after, "stalls_peer_credit"),
		 (uintmax_t)report.requests, (uintmax_t)report.updates_lost);
	row(NULL, seen, "%s, while 64 MiB are sent", scenario());
	CHECK(report.updates_lost >= 20);
	CHECK(report.requests >= 20);
	CHECK(counters_diff(&before, &after, "stalls_peer_credit") >= 20);
	recorded(&before, "tx_credit_request", report.requests);
	others_go_on();
}

static void *send_for_a_while(void *fd)
{
	set_timeout(*(int *)fd, SOL_SOCKET, SO_SNDTIMEO, 2000);
	ended_as("EAGAIN", outcome(send(*(int *)fd, "x", 1, MSG_NOSIGNAL)));
	return NULL;
}

/* Nothing tells when a sender has come to wait: look again and again. */
static struct glass_vsock_info await_stall(int fd)
{
	const struct timespec pause = { 0, 1000000 };
	struct glass_vsock_info info;

	while (!(info = socket_info(fd)).stall_age_ns)
		nanosleep(&pause, NULL);
	return info;
}

/* A stall has a cause and an age while it lasts; and it ends, in time, by the program's wish only. */
static void no_credit(void)
{
	const uint64_t count = MIB;
	int fd = victim(SOCK_STREAM, 0);
	struct counters before, after;
	struct glass_vsock_info info;
	pthread_t thread;

	counters_read(&before);
	NEED(send_all(fd, &count, sizeof(count)) == sizeof(count));
	NEED(stream_send(fd, WINDOW - sizeof(count), 65536, 9));
	NEED(!pthread_create(&thread, NULL, send_for_a_while, &fd));
	info = await_stall(fd);
	CHECK_EQ(info.stall_cause, GLASS_VSOCK_STALL_PEER_CREDIT);
	CHECK_EQ(info.tx_free, 0);
	CHECK(info.timers & 1 << GLASS_VSOCK_TIMER_CREDIT_PROBE);
	others_go_on();
	NEED(!pthread_join(thread, NULL));
	CHECK_EQ(socket_info(fd).stall_age_ns, 0);
	counters_read(&after);
	/* After 200, 600 and 1400 ms. */
	CHECK(counters_diff(&before, &after, "tx_credit_request") >= 2);
	CHECK(counters_diff(&before, &after, "tx_credit_request") <= 4);
	recorded(&before, "stalls_peer_credit", 1);
}

static void slow_ring(void)
{
	struct counters before, after;

	counters_read(&before);
	transfer(MIB);
	counters_read(&after);
	CHECK(counters_diff(&before, &after, "stalls_peer_credit") +
	      counters_diff(&before, &after, "stalls_device_queue") > 0);
	others_go_on();
}

/* What the device does not take waits, bounded; a sender with it. */
static void stalled_ring(void)
{
	const uint64_t count = MIB;
	int fd = victim(SOCK_STREAM, 0), small = 8192;
	struct counters before, after;
	struct sink_report report;
	uint64_t sum;

	NEED_OK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)));
	counters_read(&before);
	NEED(send_all(fd, &count, sizeof(count)) == sizeof(count));
	sum = stream_send(fd, count, 65536, 9);
	NEED(recv_all(fd, &report, sizeof(report)) == sizeof(report));
	ended_as("all arrives", sum && report.digest == sum ? "all arrives" : "wrong data");
	counters_read(&after);
	CHECK(counters_diff(&before, &after, "stalls_device_queue") > 0);
	CHECK(counters_diff(&before, &after, "stalled_ns_device_queue") > STALL_MS * 500000LL);
	others_go_on();
}

const struct test credit_tests[] = {
	TEST("credit on request only", on_request),
	TEST("credit taken back", shrink),
	TEST("no credit ever", no_credit),
	TEST("10 % of the credit lost", lossy, .deadline = 120),
	TEST("50 % of the credit lost", lossy, .deadline = 240),
	TEST("slow ring", slow_ring),
	TEST("stalled ring", stalled_ring),
	{ .name = NULL },
};

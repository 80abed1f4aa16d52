// SPDX-License-Identifier: GPL-2.0-only
/* Rules that the device breaks in a connection. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data.h"
#include "hostile.h"
#include "vsock.h"

#define SMALL		8192
#define ANSWERS_MAX	256	/* docs/protocol.md */

/* The device does it in answer to a byte, which then comes back. */
static const struct harmless {
	const char *name;
	const char *counter;
	unsigned int times;
} harmless[] = {
	{ "answer twice", "drops_duplicate", 1 },
	{ "short header", "drops_short_header", 1 },
	{ "unknown operation", "drops_bad_op", 2 },
	{ "operation 0", "drops_bad_op", 1 },
	{ "data without data", "drops_empty", 1 },
	{ "shutdown twice", "drops_duplicate", 1 },
	{ "credit that goes back", "drops_credit_stale", 1 },
	{ "a flood of questions for credit", "rx_credit_request", FLOOD },
	{ "a storm of resets for nobody", "drops_no_socket", FLOOD },
};

/* For these the connection ends, in place of that. */
static const struct harmful {
	const char *name;
	enum glass_vsock_reason reason;
	int type;
	unsigned int buffer;
} harmful[] = {
	{ "longer than delivered", GLASS_VSOCK_R_BAD_LENGTH, SOCK_STREAM, 0 },
	{ "more delivered than the buffer holds", GLASS_VSOCK_R_BAD_LENGTH, SOCK_STREAM, 0 },
	{ "control packet with a payload", GLASS_VSOCK_R_BAD_LENGTH, SOCK_STREAM, 0 },
	{ "unknown type", GLASS_VSOCK_R_BAD_TYPE, SOCK_STREAM, 0 },
	{ "packet of the other type", GLASS_VSOCK_R_TYPE_MISMATCH, SOCK_STREAM, 0 },
	{ "shutdown without a flag", GLASS_VSOCK_R_BAD_FLAGS, SOCK_STREAM, 0 },
	{ "unknown flags", GLASS_VSOCK_R_BAD_FLAGS, SOCK_STREAM, 0 },
	{ "data after shutdown", GLASS_VSOCK_R_AFTER_SHUTDOWN, SOCK_STREAM, 0 },
	{ "request in a connection", GLASS_VSOCK_R_BAD_STATE, SOCK_STREAM, 0 },
	{ "more data than granted", GLASS_VSOCK_R_CREDIT_EXCEEDED, SOCK_STREAM, SMALL },
	{ "credit for what was not sent", GLASS_VSOCK_R_CREDIT_AHEAD, SOCK_STREAM, 0 },
	{ "message without an end", GLASS_VSOCK_R_MESSAGE_TOO_LONG, SOCK_SEQPACKET, SMALL },
	{ "unknown flags of a message", GLASS_VSOCK_R_BAD_FLAGS, SOCK_SEQPACKET, 0 },
};

static void goes_on(void)
{
	const struct harmless *h = harmless;
	struct counters before;
	int fd = victim(SOCK_STREAM, 0);

	while (strcmp(h->name, scenario()))
		h++;
	counters_read(&before);
	round_trip(fd);
	recorded(&before, h->counter, h->times);
	ended_as("goes on", socket_info(fd).state == GLASS_VSOCK_ESTABLISHED ? "goes on" : "ended");
	others_go_on();
}

static void check_end(int fd, enum glass_vsock_reason reason)
{
	char byte;

	CHECK_EQ(recv(fd, &byte, 1, 0), 0);
	ended_as("EPIPE", outcome(send(fd, "x", 1, MSG_NOSIGNAL)));
	CHECK_EQ(socket_info(fd).state, GLASS_VSOCK_CLOSED);
	CHECK_EQ(socket_info(fd).reason, reason);
}

static void is_reset(void)
{
	const struct harmful *h = harmful;
	struct counters before;
	char counter[64];
	int fd;

	while (strcmp(h->name, scenario()))
		h++;
	fd = victim(h->type, h->buffer);
	counters_read(&before);
	NEED_OK(send(fd, "x", 1, 0));
	NEED(ready(fd, 0, 5000));
	check_end(fd, h->reason);
	snprintf(counter, sizeof(counter), "resets_tx_%s", glass_vsock_reason_name(h->reason));
	recorded(&before, counter, 1);
	others_go_on();
}

static void reset_storm(void)
{
	int fd = victim(SOCK_STREAM, 0);
	struct counters before, now;

	counters_read(&before);
	NEED_OK(send(fd, "x", 1, 0));
	NEED(ready(fd, 0, 5000));
	check_end(fd, GLASS_VSOCK_R_PEER_RESET);
	beside_goes_on();
	counters_read(&now);
	CHECK_EQ(counters_diff(&before, &now, "rx_rst"), FLOOD);
	recorded(&before, "resets_rx_peer_reset", 1);
	others_go_on();
}

/* No more of them than the device is asked for: those without work have none. */
static void idle_interrupts(void)
{
	int fd = victim(SOCK_STREAM, 0);
	struct counters before, now;

	counters_read(&before);
	round_trip(fd);
	counters_read(&now);
	CHECK(counters_diff(&before, &now, "interrupts") > 0);
	ended_as("goes on", "goes on");
	others_go_on();
}

/* What is answered, and what is not: the device counts. */
static struct tally tallied(void)
{
	struct tally tally;
	int fd = device(PORT_TALLY);

	NEED_OK(send(fd, "x", 1, 0));
	NEED(recv_all(fd, &tally, sizeof(tally)) == sizeof(tally));
	close(fd);
	return tally;
}

/* With as many answers not taken as may wait, receiving pauses; then it goes on. */
static void all_answered(void)
{
	int fd = victim(SOCK_STREAM, 0);
	struct counters before, now;
	char byte;

	tallied();
	counters_read(&before);
	NEED_OK(send(fd, "x", 1, 0));
	CHECK(!ready(fd, POLLIN, STALL_MS / 2));
	counters_read(&now);
	CHECK(counters_diff(&before, &now, "rx_packets") >= ANSWERS_MAX);
	CHECK(counters_diff(&before, &now, "rx_packets") < 2 * ANSWERS_MAX);
	CHECK_EQ(recv(fd, &byte, 1, 0), 1);
	recorded(&before, "resets_tx_no_socket", FLOOD);
	CHECK_EQ(tallied().resets, FLOOD);
	ended_as("goes on", socket_info(fd).state == GLASS_VSOCK_ESTABLISHED ? "goes on" : "ended");
	others_go_on();
}

static void none_answered(void)
{
	struct tally tally;

	tallied();
	goes_on();
	tally = tallied();
	CHECK_EQ(tally.resets + tally.responses + tally.others, 0);
}

const struct test violation_tests[] = {
	TEST("answer twice", goes_on),
	TEST("short header", goes_on),
	TEST("unknown operation", goes_on),
	TEST("operation 0", goes_on),
	TEST("data without data", goes_on),
	TEST("shutdown twice", goes_on),
	TEST("credit that goes back", goes_on),
	TEST("interrupts without work", idle_interrupts),
	TEST("a flood of questions for credit", goes_on),
	TEST("packets to answer, and no answer read", all_answered),
	TEST("a storm of resets for nobody", none_answered),
	TEST("longer than delivered", is_reset),
	TEST("more delivered than the buffer holds", is_reset),
	TEST("control packet with a payload", is_reset),
	TEST("unknown type", is_reset),
	TEST("packet of the other type", is_reset),
	TEST("shutdown without a flag", is_reset),
	TEST("unknown flags", is_reset),
	TEST("data after shutdown", is_reset),
	TEST("request in a connection", is_reset),
	TEST("more data than granted", is_reset),
	TEST("credit for what was not sent", is_reset),
	TEST("message without an end", is_reset),
	TEST("unknown flags of a message", is_reset),
	TEST("a storm of resets", reset_storm),
	{ .name = NULL },
};

// SPDX-License-Identifier: GPL-2.0-only
/* What the device sends to a listener, by hundreds and thousands. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "data.h"
#include "hostile.h"
#include "vsock.h"

#define BACKLOG	8

/* The device's answer comes behind all that it sent. */
static struct tally attack(unsigned int port, uint64_t times)
{
	const uint64_t numbers[] = { port, times };
	int fd = victim(SOCK_STREAM, 0), counter = device(PORT_TALLY);
	struct tally tally;
	char byte;

	NEED(send_all(counter, "x", 1) == 1);
	NEED(recv_all(counter, &tally, sizeof(tally)) == sizeof(tally));
	NEED(send_all(fd, numbers, sizeof(numbers)) == sizeof(numbers));
	NEED(recv_all(fd, &byte, 1) == 1);
	NEED(send_all(counter, "x", 1) == 1);
	NEED(recv_all(counter, &tally, sizeof(tally)) == sizeof(tally));
	return tally;
}

static unsigned int accept_all(int listening)
{
	unsigned int count = 0;
	int fd;

	set_nonblocking(listening);
	while ((fd = accept(listening, NULL, NULL)) >= 0) {
		close(fd);
		count++;
	}
	CHECK_OUTCOME(fd, "EAGAIN");
	return count;
}

static void flood(void)
{
	struct counters before;
	unsigned int port, accepted;
	int listening = listener(VMADDR_CID_ANY, BACKLOG, &port);
	struct tally tally;

	counters_read(&before);
	tally = attack(port, FLOOD);
	recorded(&before, "drops_backlog_full", FLOOD - tally.responses);
	CHECK_EQ(tally.resets, FLOOD - tally.responses);
	CHECK_EQ(socket_info(listening).accept_queue, tally.responses);
	accepted = accept_all(listening);
	CHECK_EQ(accepted, tally.responses);
	/* One more than asked for, as always with listen(). */
	ended_as("the backlog", accepted == BACKLOG + 1 ? "the backlog" : outcome(accepted));
	others_go_on();
}

static void all_refused(const char *counter)
{
	struct counters before;
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, BACKLOG, &port);
	struct tally tally;

	counters_read(&before);
	tally = attack(port, FLOOD);
	recorded(&before, counter, FLOOD);
	CHECK_EQ(tally.resets, FLOOD);
	CHECK_EQ(tally.responses, 0);
	ended_as("nothing", accept_all(listening) ? "a connection" : "nothing");
	others_go_on();
}

static void rw_to_listener(void)
{
	all_refused("resets_tx_no_socket");
}

static void mixed_request(void)
{
	all_refused("resets_tx_type_mismatch");
}

static void credited_request(void)
{
	all_refused("resets_tx_credit_ahead");
}

/* They were there, and are over before they are accepted. */
static void taken_back(void)
{
	struct counters before;
	unsigned int port, ends = 0;
	int listening = listener(VMADDR_CID_ANY, 128, &port), fd;
	char byte;

	counters_read(&before);
	attack(port, 100);
	recorded(&before, "resets_rx_peer_reset", 100);
	set_nonblocking(listening);
	while ((fd = accept(listening, NULL, NULL)) >= 0) {
		ends += !recv(fd, &byte, 1, 0);
		close(fd);
	}
	ended_as("100", outcome(ends));
	others_go_on();
}

const struct test listener_tests[] = {
	TEST("a flood of requests", flood),
	TEST("data to a listener", rw_to_listener),
	TEST("requests of the other type", mixed_request),
	TEST("requests that credit what was not sent", credited_request),
	TEST("requests taken back", taken_back),
	{ .name = NULL },
};

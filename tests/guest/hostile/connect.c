// SPDX-License-Identifier: GPL-2.0-only
/* connect(), and answers that are none, or wrong. */
#include <string.h>
#include <unistd.h>

#include "hostile.h"
#include "vsock.h"

#define TIMEOUT_MS	(LATE_MS / 2)

static const struct {
	const char *name;
	const char *outcome;
	const char *counter;
} answers[] = {
	{ "no answer", "ETIMEDOUT", "connect_timed_out" },
	{ "refuse", "ECONNRESET", "connect_reset" },
	{ "answer from another port", "ETIMEDOUT", "resets_tx_no_socket" },
	{ "answer from another CID", "ETIMEDOUT", "resets_tx_no_socket" },
	{ "answer from the local CID", "ETIMEDOUT", "drops_bad_source" },
	{ "answer from the guest's own CID", "ETIMEDOUT", "drops_bad_source" },
	{ "answer from a CID of 64 bits", "ETIMEDOUT", "drops_bad_source" },
	{ "answer to another guest", "ETIMEDOUT", "drops_bad_destination" },
	{ "answer to a closed port", "ETIMEDOUT", "resets_tx_no_socket" },
	{ "data before the answer", "EPROTO", "resets_tx_bad_state" },
	{ "shutdown before the answer", "EPROTO", "resets_tx_bad_state" },
	{ "answer of the other type", "EPROTO", "resets_tx_type_mismatch" },
	{ "answer with a payload", "EPROTO", "resets_tx_bad_length" },
	{ "answer that credits what was not sent", "EPROTO", "resets_tx_credit_ahead" },
};

static int attempt(int *fd, unsigned int timeout_ms)
{
	*fd = stream_socket();
	set_timeout(*fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, timeout_ms);
	return vm_connect(*fd, VMADDR_CID_HOST, scenario_port());
}

static void fails(void)
{
	struct counters before;
	bool waits;
	size_t i = 0;
	int fd;

	while (strcmp(answers[i].name, scenario()))
		i++;
	waits = !strcmp(answers[i].outcome, "ETIMEDOUT");
	counters_read(&before);
	ended_as(answers[i].outcome, outcome(attempt(&fd, waits ? TIMEOUT_MS : 10000)));
	recorded(&before, answers[i].counter, 1);
	/* The socket is as good as new. */
	CHECK_OUTCOME(vm_connect(fd, VMADDR_CID_HOST, PORT_ECHO), "ok");
	round_trip(fd);
	others_go_on();
}

/* Nobody waits for it any more, when it comes: the device is told. */
static void late(void)
{
	struct counters before, now;
	int fd;

	counters_read(&before);
	ended_as("ETIMEDOUT", outcome(attempt(&fd, TIMEOUT_MS)));
	do {
		others_go_on();
		counters_read(&now);
	} while (!counters_diff(&before, &now, "drops_no_socket"));
	recorded(&before, "resets_tx_no_socket", 1);
}

const struct test connect_tests[] = {
	TEST("no answer", fails),
	TEST("late answer", late),
	TEST("refuse", fails),
	TEST("answer from another port", fails),
	TEST("answer from another CID", fails),
	TEST("answer from the local CID", fails),
	TEST("answer from the guest's own CID", fails),
	TEST("answer from a CID of 64 bits", fails),
	TEST("answer to another guest", fails),
	TEST("answer to a closed port", fails),
	TEST("data before the answer", fails),
	TEST("shutdown before the answer", fails),
	TEST("answer of the other type", fails),
	TEST("answer with a payload", fails),
	TEST("answer that credits what was not sent", fails),
	{ .name = NULL },
};

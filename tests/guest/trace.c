// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints as tracefs and perf print them: for a guest with the driver
 * loaded.  What is traced goes to an instance of this program's own, so that
 * nobody else's tracing meets it.
 */
#include <fcntl.h>
#include <limits.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../interop/peer.h"
#include "data.h"
#include "run.h"
#include "vsock.h"

#define INSTANCE	"/sys/kernel/tracing/instances/glass_vsock_test"
#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/*
 * Every event of the contract, and what it prints.  Names are words: a value
 * that has none would show as a number or as "?".
 */
#define ADDRESS	"[0-9]+:[0-9]+ -> [0-9]+:[0-9]+"
#define HEADER	ADDRESS " [A-Z_]+ len=[0-9]+ type=1 flags=0x[0-9a-f]+ buf_alloc=[0-9]+ fwd_cnt=[0-9]+"
#define DIR	" (tx|rx)"
#define REASON	" reason=[a-z_]+"

static const struct event {
	const char *name, *form;
} contract[] = {
	{ "state", ADDRESS " [A-Z]+ -> [A-Z]+" REASON },
	{ "connect_start", ADDRESS },
	{ "connect_done", ADDRESS " err=-?[0-9]+ duration_ns=[0-9]+" },
	{ "accept", ADDRESS " wait_ns=[0-9]+" },
	{ "packet_tx", HEADER },
	{ "packet_tx_nosk", HEADER },
	{ "packet_tx_done", HEADER },
	{ "packet_tx_done_nosk", HEADER },
	{ "packet_rx", HEADER REASON },
	{ "packet_rx_nosk", HEADER REASON },
	{ "drop", HEADER REASON },
	{ "drop_nosk", HEADER REASON },
	{ "credit", ADDRESS DIR " free=[0-9]+ in_flight=[0-9]+ buf_alloc=[0-9]+ fwd_cnt=[0-9]+" },
	{ "timeout", ADDRESS " (connect|close|linger) set_for_ns=[0-9]+" },
	{ "reset", ADDRESS DIR REASON },
	{ "reset_nosk", HEADER DIR REASON },
	{ "transport", "[a-z]+ cid=[0-9]+" },
};

/* Both ends of a connection as they are printed. */
struct names {
	char client[64], server[64];
};

static char text[1 << 20];	/* what was traced */

static void write_to(const char *path, const char *value)
{
	int fd = NEED_OK(open(path, O_WRONLY | O_CLOEXEC));

	NEED_OK(write(fd, value, strlen(value)));
	close(fd);
}

static void start(void)
{
	/* Left by a test that died. */
	if (!access(INSTANCE, F_OK)) {
		write_to(INSTANCE "/events/enable", "0");
		NEED_OK(rmdir(INSTANCE));
	}
	NEED_OK(mkdir(INSTANCE, 0700));
	write_to(INSTANCE "/events/glass_vsock/enable", "1");
}

/* LINE is "event: what it prints". */
static void check_form(const char *line)
{
	size_t length = strcspn(line, ":");
	const struct event *event = contract;
	char form[512];
	regex_t regex;

	while (event < contract + COUNT(contract) &&
	       (strlen(event->name) != length || strncmp(event->name, line, length)))
		event++;
	if (event == contract + COUNT(contract)) {
		fail_at(__FILE__, __LINE__, false, "not an event of the contract: %s", line);
		return;
	}
	snprintf(form, sizeof(form), "^%s: %s$", event->name, event->form);
	NEED(!regcomp(&regex, form, REG_EXTENDED | REG_NOSUB));
	if (regexec(&regex, line, 0, NULL, 0))
		fail_at(__FILE__, __LINE__, false, "\"%s\" has not the form of its event", line);
	regfree(&regex);
}

/* Each is "TASK-PID [CPU] FLAGS TIME: event: what it prints". */
static unsigned int check_lines(void)
{
	char *copy = strdup(text), *rest = copy, *line;
	unsigned int lines = 0;

	while ((line = strsep(&rest, "\n"))) {
		if (!*line || *line == '#')
			continue;
		line = strstr(line, ": ");
		NEED(line != NULL);
		check_form(line + 2);
		lines++;
	}
	free(copy);
	return lines;
}

/* Everything traced since start(), in which each line has the form it should. */
static void stop(void)
{
	int fd;

	write_to(INSTANCE "/events/glass_vsock/enable", "0");
	fd = NEED_OK(open(INSTANCE "/trace", O_RDONLY | O_CLOEXEC));
	text[NEED_OK(recv_all(fd, text, sizeof(text) - 1))] = '\0';
	close(fd);
	NEED_OK(rmdir(INSTANCE));
	NEED(strlen(text) < sizeof(text) - 1);
	CHECK(check_lines() > 0);
}

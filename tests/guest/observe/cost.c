// SPDX-License-Identifier: GPL-2.0-only
/* What a capture costs who sends: no work while nobody captures. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "counters.h"
#include "data.h"
#include "link.h"
#include "observe.h"
#include "vsock.h"

#define TRACING	"/sys/kernel/tracing/"
#define PROBE	"glass_vsock_test"
#define EVENT	"kprobes/" PROBE

static void write_to(const char *path, const char *value)
{
	int fd = NEED_OK(open(path, O_WRONLY | O_APPEND | O_CLOEXEC));

	NEED_OK(write(fd, value, strlen(value)));
	close(fd);
}

/* Count the calls of what makes copies. */
static void probe(void)
{
	if (!access(TRACING "events/" EVENT, F_OK)) {
		write_to(TRACING "events/" EVENT "/enable", "0");
		write_to(TRACING "kprobe_events", "-:" EVENT);
	}
	write_to(TRACING "kprobe_events", "p:" EVENT " glass_monitor_show_skb");
	write_to(TRACING "events/" EVENT "/enable", "1");
}

static unsigned long copies(void)
{
	FILE *file = fopen(TRACING "kprobe_profile", "re");
	char name[64];
	unsigned long hits, missed;

	NEED(file != NULL);
	do {
		NEED(fscanf(file, "%63s %lu %lu", name, &hits, &missed) == 3);
	} while (strcmp(name, PROBE));
	fclose(file);
	CHECK_EQ(missed, 0);
	return hits;
}

/* A connection, some words, and its end: the packets that were sent. */
static unsigned long talk(void)
{
	static struct counters before, after;
	char text[64] = "";
	int fd[2];

	counters_read(&before);
	connected_pair(VMADDR_CID_LOCAL, fd);
	for (int i = 0; i < 10; i++) {
		NEED(send(fd[0], text, sizeof(text), 0) == sizeof(text));
		NEED(recv_all(fd[1], text, sizeof(text)) == sizeof(text));
	}
	close(fd[0]);
	close(fd[1]);
	counters_read(&after);
	return counters_diff(&before, &after, "tx_packets");
}

/* No interface, one that is down, one that is up, and the other way. */
static void nobody(void)
{
	unsigned long up;

	probe();
	NEED(talk() > 10);
	CHECK_EQ(copies(), 0);
	must_run("ip link add " LINK " type vsockmon");
	talk();
	CHECK_EQ(copies(), 0);
	CHECK_EQ(link_count("rx_packets"), 0);

	must_run("ip link set " LINK " up");
	up = talk();
	CHECK_EQ(copies(), up);
	CHECK_EQ(link_count("rx_packets"), up);

	must_run("ip link set " LINK " down");
	talk();
	CHECK_EQ(copies(), up);
	CHECK_EQ(link_count("rx_packets"), up);
	must_run("ip link del " LINK);
	talk();
	CHECK_EQ(copies(), up);
	write_to(TRACING "events/" EVENT "/enable", "0");
	write_to(TRACING "kprobe_events", "-:" EVENT);
}

const struct test cost_tests[] = {
	TEST("no copies while nobody captures", nobody),
	{ .name = NULL },
};

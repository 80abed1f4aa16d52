// SPDX-License-Identifier: GPL-2.0-only
/* What a capture costs who sends: no work while nobody captures, no data while memory is short. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
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

static size_t available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	size_t kib = 0;

	NEED(file != NULL);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "MemAvailable: %zu", &kib);
	fclose(file);
	NEED(kib > 0);
	return kib << 10;
}

/* Copies that wait behind the interface. */
static unsigned long waiting(void)
{
	unsigned long packets;
	const char *backlog;

	must_run("tc -s qdisc show dev " LINK);
	backlog = strstr(said, "backlog ");
	NEED(backlog != NULL);
	NEED(sscanf(backlog, "backlog %*s %lup", &packets) == 1);
	return packets;
}

#define PIECE	(1 << 20)

/* LEN bytes, all of them the same PIECE of memory, or a part of it. */
static int pieces(struct iovec *iov, char *piece, size_t len)
{
	int n = 0;

	for (; len; n++) {
		iov[n] = (struct iovec) { piece, len < PIECE ? len : PIECE };
		len -= iov[n].iov_len;
	}
	return n;
}

/*
 * A message takes more than half of the memory, so that the copies of its
 * packets, which are kept, find none left.  They are lost and counted, each of
 * them; the message is not.
 */
static void short_of_memory(void)
{
	static struct iovec iov[1024];
	static struct counters before, after;
	static char piece[PIECE], in[PIECE];
	const size_t len = available() / 5 * 3;
	struct msghdr msg = { .msg_iov = iov };
	unsigned long lost;
	int fd[2];

	NEED(len / PIECE < 1000);
	data_fill(piece, PIECE, 1, 0);
	msg.msg_iovlen = pieces(iov, piece, len);
	link_add(LINK);
	must_run("tc qdisc add dev " LINK " root netem delay 200s limit 1000000");
	connected_pair_of(SOCK_SEQPACKET, VMADDR_CID_LOCAL, len, fd);
	/* Nor is there any for a page of this program, until it has received. */
	NEED_OK(mlockall(MCL_CURRENT | MCL_FUTURE));
	CHECK_EQ(link_count("rx_dropped"), 0);
	lost = waiting();
	counters_read(&before);
	NEED(sendmsg(fd[0], &msg, 0) == (ssize_t)len);
	CHECK_EQ(recv(fd[1], in, sizeof(in), MSG_TRUNC), len);
	CHECK(!memcmp(in, piece, sizeof(in)));
	counters_read(&after);

	lost = counters_diff(&before, &after, "tx_packets") - (waiting() - lost);
	CHECK(lost > 0);
	CHECK_EQ(link_count("rx_dropped"), lost);
	must_run("tc qdisc del dev " LINK " root");
	/* And it goes on. */
	lost = link_count("rx_packets");
	CHECK_EQ(talk(), link_count("rx_packets") - lost);
	must_run("ip link del " LINK);
}

const struct test cost_tests[] = {
	TEST("no copies while nobody captures", nobody),
	TEST("copies are lost, and data is not, while memory is short", short_of_memory,
	     .deadline = 120),
	{ .name = NULL },
};

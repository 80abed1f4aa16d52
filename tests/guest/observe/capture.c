// SPDX-License-Identifier: GPL-2.0-only
/* The capture device, read by libpcap, tcpdump and tshark. */
#include <endian.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/vsockmon.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../interop/peer.h"
#include "counters.h"
#include "data.h"
#include "observe.h"
#include "vsock.h"

#define NAME	"vsockmon0"
#define FILE_NAME	"/run/capture.pcap"
#define COUNT	1000000		/* bytes that a test sends */
#define SEED	17

static char said[65536];	/* by the last command */

/* The command's exit status; what it said, on either stream, is in SAID. */
static int run(const char *command)
{
	FILE *pipe;
	int status;

	snprintf(said, sizeof(said), "(%s) 2>&1", command);
	pipe = popen(said, "re");
	NEED(pipe != NULL);
	said[fread(said, 1, sizeof(said) - 1, pipe)] = '\0';
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void must_run(const char *command)
{
	if (run(command))
		fail_at(__FILE__, __LINE__, true, "\"%s\" failed: %s", command, said);
}

static void add_named(const char *name)
{
	char command[128];

	/* One may be left by a test that died. */
	if (if_nametoindex(name)) {
		snprintf(command, sizeof(command), "ip link del %s", name);
		must_run(command);
	}
	snprintf(command, sizeof(command), "ip link add %s type vsockmon && ip link set %s up",
		 name, name);
	must_run(command);
}

static void add(void)
{
	add_named(NAME);
}

static pcap_t *capture(const char *name)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_create(name, error);

	NEED(pcap != NULL);
	NEED(!pcap_set_snaplen(pcap, 40000));
	NEED(!pcap_set_buffer_size(pcap, 32 << 20));
	NEED(!pcap_set_immediate_mode(pcap, 1));
	NEED(!pcap_activate(pcap));
	CHECK_EQ(pcap_datalink(pcap), DLT_VSOCK);
	return pcap;
}

struct packet {
	struct af_vsockmon_hdr head;
	struct virtio_vsock_hdr hdr;
	const uint8_t *payload;
	size_t len;
};

/* What has to hold for any packet of ours. */
static void check_packet(const struct packet *p)
{
	static const uint16_t ops[] = {
		[VIRTIO_VSOCK_OP_REQUEST] = AF_VSOCK_OP_CONNECT,
		[VIRTIO_VSOCK_OP_RESPONSE] = AF_VSOCK_OP_CONNECT,
		[VIRTIO_VSOCK_OP_RST] = AF_VSOCK_OP_DISCONNECT,
		[VIRTIO_VSOCK_OP_SHUTDOWN] = AF_VSOCK_OP_DISCONNECT,
		[VIRTIO_VSOCK_OP_RW] = AF_VSOCK_OP_PAYLOAD,
		[VIRTIO_VSOCK_OP_CREDIT_UPDATE] = AF_VSOCK_OP_CONTROL,
		[VIRTIO_VSOCK_OP_CREDIT_REQUEST] = AF_VSOCK_OP_CONTROL,
	};

	CHECK_EQ(le16toh(p->head.transport), AF_VSOCK_TRANSPORT_VIRTIO);
	CHECK_EQ(le16toh(p->head.len), sizeof(p->hdr));
	CHECK_EQ(p->head.reserved[0] | p->head.reserved[1], 0);
	NEED(le16toh(p->hdr.op) < sizeof(ops) / sizeof(ops[0]));
	CHECK_EQ(le16toh(p->head.op), ops[le16toh(p->hdr.op)]);
	CHECK_EQ(p->head.src_cid, p->hdr.src_cid);
	CHECK_EQ(p->head.dst_cid, p->hdr.dst_cid);
	CHECK_EQ(p->head.src_port, p->hdr.src_port);
	CHECK_EQ(p->head.dst_port, p->hdr.dst_port);
	CHECK_EQ(le32toh(p->hdr.len), p->len);
	CHECK_EQ(le16toh(p->hdr.type), VIRTIO_VSOCK_TYPE_STREAM);
}

/* False when there is none and will be none: the interface is gone. */
static bool next(pcap_t *pcap, struct packet *p)
{
	struct pcap_pkthdr *record;
	const uint8_t *bytes;
	int got;

	while (!(got = pcap_next_ex(pcap, &record, &bytes)))
		;
	if (got < 0)
		return false;
	NEED(record->caplen == record->len);
	NEED(record->len >= sizeof(p->head) + sizeof(p->hdr));
	memcpy(&p->head, bytes, sizeof(p->head));
	memcpy(&p->hdr, bytes + sizeof(p->head), sizeof(p->hdr));
	p->payload = bytes + sizeof(p->head) + sizeof(p->hdr);
	p->len = record->len - sizeof(p->head) - sizeof(p->hdr);
	check_packet(p);
	return true;
}

/* A connect that is refused comes after all that was sent before. */
static unsigned int mark(void)
{
	unsigned int port = dead_port();

	CHECK_OUTCOME(vm_connect(stream_socket(), VMADDR_CID_LOCAL, port), "ECONNRESET");
	return port;
}

struct seen {
	unsigned long packets, ops[VIRTIO_VSOCK_OP_CREDIT_REQUEST + 1];
	size_t bytes;		/* that go to PORT */
	bool right;		/* they are stream SEED */
};

static void note(struct seen *seen, const struct packet *p, unsigned int port)
{
	seen->packets++;
	seen->ops[le16toh(p->hdr.op)]++;
	if (le32toh(p->hdr.dst_port) != port || !p->len)
		return;
	if (!data_matches(p->payload, p->len, SEED, seen->bytes))
		seen->right = false;
	seen->bytes += p->len;
}

/* All packets up to the MARKER, which mark() sent. */
static struct seen collect(pcap_t *pcap, unsigned int marker, unsigned int port)
{
	struct seen seen = { .right = true };
	struct packet p;

	NEED(next(pcap, &p));
	while (le32toh(p.hdr.dst_port) != marker) {
		note(&seen, &p, port);
		NEED(next(pcap, &p));
	}
	/* The refusal. */
	NEED(next(pcap, &p));
	CHECK_EQ(le32toh(p.hdr.src_port), marker);
	CHECK_EQ(le16toh(p.hdr.op), VIRTIO_VSOCK_OP_RST);
	return seen;
}

/* Sends COUNT bytes of stream SEED to a port of this guest; which one. */
static unsigned int transfer(void)
{
	struct sockaddr_vm addr;
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	addr = peer_name(fd[0]);
	if (!fork()) {
		CHECK(stream_recv(fd[1], COUNT, 65536, SEED) != 0);
		_exit(0);
	}
	close(fd[1]);
	NEED(stream_send(fd[0], COUNT, 65536, SEED) != 0);
	NEED_OK(wait(NULL));
	close(fd[0]);
	return addr.svm_port;
}

static void local(void)
{
	static struct counters before, after;
	unsigned int port, marker;
	struct seen seen;
	pcap_t *pcap;

	add();
	pcap = capture(NAME);
	counters_read(&before);
	port = transfer();
	counters_read(&after);
	marker = mark();
	seen = collect(pcap, marker, port);
	CHECK_EQ(seen.packets, counters_diff(&before, &after, "tx_packets"));
	CHECK_EQ(seen.packets, counters_diff(&before, &after, "rx_packets"));
	CHECK_EQ(seen.ops[VIRTIO_VSOCK_OP_RW], counters_diff(&before, &after, "tx_rw"));
	CHECK_EQ(seen.ops[VIRTIO_VSOCK_OP_REQUEST], 1);
	CHECK_EQ(seen.ops[VIRTIO_VSOCK_OP_RESPONSE], 1);
	CHECK_EQ(seen.ops[VIRTIO_VSOCK_OP_RST], 1);
	CHECK_EQ(seen.bytes, COUNT);
	CHECK(seen.right);
	must_run("ip link del " NAME);
}

/* Both directions of a connection with the host, to its reset. */
static void device(void)
{
	static struct counters before, after;
	unsigned int port;
	struct seen out = { .right = true };
	struct packet p;
	size_t in = 0;
	pcap_t *pcap;
	int fd;

	if (!getenv("PEER"))
		skip("no host program to talk to: PEER is not set");
	add();
	pcap = capture(NAME);
	counters_read(&before);
	fd = connected(VMADDR_CID_HOST, PEER_ECHO);
	port = local_name(fd).svm_port;
	CHECK(stream_both(fd, COUNT, SEED, SEED));
	close(fd);
	do {
		NEED(next(pcap, &p));
		note(&out, &p, PEER_ECHO);
		if (le32toh(p.hdr.dst_port) == port && p.len) {
			CHECK(data_matches(p.payload, p.len, SEED, in));
			in += p.len;
		}
	} while (le16toh(p.hdr.op) != VIRTIO_VSOCK_OP_RST);
	/* It is counted a moment after it is shown. */
	do {
		counters_read(&after);
	} while (!counters_diff(&before, &after, "rx_rst"));
	CHECK_EQ(out.packets, counters_diff(&before, &after, "tx_packets") +
		 counters_diff(&before, &after, "rx_packets"));
	CHECK_EQ(out.bytes, COUNT);
	CHECK(out.right);
	CHECK_EQ(in, COUNT);
	must_run("ip link del " NAME);
}

static void two(void)
{
	pcap_t *first, *second;
	unsigned int port, marker;
	struct seen seen[2];

	add();
	add_named("vsockmon1");
	first = capture(NAME);
	second = capture("vsockmon1");
	port = transfer();
	marker = mark();
	seen[0] = collect(first, marker, port);
	seen[1] = collect(second, marker, port);
	CHECK_EQ(seen[0].packets, seen[1].packets);
	CHECK_EQ(seen[0].bytes, COUNT);
	CHECK_EQ(seen[1].bytes, COUNT);

	/* One goes down: the other goes on. */
	must_run("ip link set vsockmon1 down");
	CHECK_EQ(collect(first, mark(), 0).packets, 0);
	must_run("ip link set vsockmon1 up");
	second = capture("vsockmon1");
	marker = mark();
	CHECK_EQ(collect(first, marker, 0).packets, 0);
	CHECK_EQ(collect(second, marker, 0).packets, 0);
	must_run("ip link del " NAME "; ip link del vsockmon1");
}

/* What tcpdump writes, tshark reads: connect, three bytes, and the end. */
static void with_tshark(void)
{
	static const char *const want[] = {
		"1\t%u\t1\t%u\t1\t2\t1\t0\t\n", "1\t%u\t1\t%u\t1\t2\t2\t0\t\n",
		"1\t%u\t1\t%u\t4\t2\t5\t3\t616263\n",
	};
	char expected[512] = "", text[128];
	int started[2], fd[2];
	unsigned int from, to;
	FILE *words;
	pid_t pid;

	if (system("command -v tcpdump >/dev/null && command -v tshark >/dev/null"))
		skip("there is no tcpdump or no tshark: make deps installs them");
	add();
	NEED_OK(pipe(started));
	pid = NEED_OK(fork());
	if (!pid) {
		dup2(started[1], 2);
		execlp("tcpdump", "tcpdump", "-i", NAME, "-c", "3", "-w", FILE_NAME, NULL);
		_exit(1);
	}
	close(started[1]);
	words = fdopen(started[0], "r");
	do {
		NEED(fgets(text, sizeof(text), words) != NULL);
	} while (!strstr(text, "listening on"));
	connected_pair(VMADDR_CID_LOCAL, fd);
	NEED_OK(send(fd[0], "abc", 3, 0));
	from = local_name(fd[0]).svm_port;
	to = peer_name(fd[0]).svm_port;
	NEED_OK(waitpid(pid, NULL, 0));

	must_run("tshark -r " FILE_NAME " -T fields -e vsock.src_cid -e vsock.src_port"
		 " -e vsock.dst_cid -e vsock.dst_port -e vsock.op -e vsock.trans"
		 " -e vsock.virtio.op -e vsock.virtio.len -e vsock.payload 2>/dev/null");
	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), want[i], i == 1 ? to : from, i == 1 ? from : to);
		strcat(expected, text);
	}
	if (strcmp(said, expected))
		fail_at(__FILE__, __LINE__, false, "expected tshark to say:\n%sgot:\n%s", expected,
			said);
	must_run("ip link del " NAME);
}

static void refused(void)
{
	CHECK(run("unshare -Urn ip link add " NAME " type vsockmon") != 0);
	CHECK(strstr(said, "only in the initial network namespace") != NULL);
	CHECK(run("unshare -Ur ip link add " NAME " type vsockmon") != 0);
	CHECK(strstr(said, "not permitted") != NULL);
	CHECK(run("unshare -n ip link add " NAME " type vsockmon") != 0);
	CHECK(strstr(said, "only in the initial network namespace") != NULL);
	CHECK_EQ(if_nametoindex(NAME), 0);

	/* And nobody gets one by moving it, or by having it made there. */
	add();
	must_run("ip netns add elsewhere");
	CHECK(run("ip link set " NAME " netns elsewhere") != 0);
	CHECK(if_nametoindex(NAME) != 0);
	CHECK(run("ip link add vsockmon1 netns elsewhere type vsockmon") != 0);
	must_run("ip netns del elsewhere; ip link del " NAME);
}

static void removed_while_busy(void)
{
	char byte;
	int fd[2];
	pid_t pid;

	connected_pair(VMADDR_CID_LOCAL, fd);
	pid = NEED_OK(fork());
	while (!pid) {
		send(fd[0], "x", 1, 0);
		recv(fd[1], &byte, 1, 0);
	}
	for (int i = 0; i < 3; i++) {
		struct packet p;
		pcap_t *pcap;

		add();
		pcap = capture(NAME);
		for (int n = 0; n < 100; n++)
			NEED(next(pcap, &p));
		must_run("ip link del " NAME);
		/* What is still in the capture's buffer outlives the interface. */
		while (next(pcap, &p))
			;
		pcap_close(pcap);
	}
	kill(pid, SIGKILL);
}

const struct test capture_tests[] = {
	TEST("local delivery shows each packet once", local),
	TEST("the device's packets show once, both ways", device),
	TEST("two interfaces, up and down", two),
	TEST("tshark decodes what tcpdump wrote", with_tshark, .deadline = 120),
	TEST("not for others than the machine's root", refused),
	TEST("removed while packets pass", removed_while_busy, .deadline = 120),
	{ .name = NULL },
};

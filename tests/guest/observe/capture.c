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
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../interop/peer.h"
#include "counters.h"
#include "data.h"
#include "link.h"
#include "observe.h"
#include "vsock.h"

#define FILE_NAME	"/run/capture.pcap"
#define COUNT	1000000		/* bytes that a test sends */
#define SEED	17

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
	CHECK(le16toh(p->hdr.type) == VIRTIO_VSOCK_TYPE_STREAM ||
	      le16toh(p->hdr.type) == VIRTIO_VSOCK_TYPE_SEQPACKET);
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
	CHECK_EQ(le16toh(p->hdr.type), VIRTIO_VSOCK_TYPE_STREAM);
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

	link_add(LINK);
	pcap = capture(LINK);
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
	must_run("ip link del " LINK);
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
	link_add(LINK);
	pcap = capture(LINK);
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
	must_run("ip link del " LINK);
}

static void pair_with_ports(int type, int fd[2], unsigned int port[2])
{
	connected_pair_of(type, VMADDR_CID_LOCAL, 262144, fd);
	for (int i = 0; i < 2; i++)
		port[i] = local_name(fd[i]).svm_port;
}

/* The next packet of data; of messages, from one port to another. */
static void next_data(pcap_t *pcap, struct packet *p, unsigned int from, unsigned int to)
{
	do {
		NEED(next(pcap, p));
	} while (le16toh(p->hdr.op) != VIRTIO_VSOCK_OP_RW);
	CHECK_EQ(le16toh(p->hdr.type), VIRTIO_VSOCK_TYPE_SEQPACKET);
	CHECK_EQ(le32toh(p->hdr.src_port), from);
	CHECK_EQ(le32toh(p->hdr.dst_port), to);
}

/* A message of LEN bytes of stream SEED: the flags of its last packet, and how many it has. */
static unsigned int next_message(pcap_t *pcap, size_t len, unsigned int from, unsigned int to,
				 unsigned int *flags)
{
	unsigned int packets = 0;
	struct packet p;
	size_t got = 0;

	do {
		next_data(pcap, &p, from, to);
		CHECK(data_matches(p.payload, p.len, SEED, got));
		got += p.len;
		packets++;
		*flags = le32toh(p.hdr.flags);
		/* What ends a message is on its last packet, and there alone. */
		CHECK(got == len || !*flags);
	} while (got < len);
	CHECK_EQ(got, len);
	return packets;
}

static void messages(void)
{
	enum { END = VIRTIO_VSOCK_SEQ_EOM, RECORD = END | VIRTIO_VSOCK_SEQ_EOR };
	static char data[100000], in[100000];
	static const struct {
		int sender;
		size_t len;
		int flags;
	} sent[] = { { 0, 3, 0 }, { 0, 5, MSG_EOR }, { 1, 700, MSG_EOR }, { 0, 100000, 0 },
		     { 1, 100000, MSG_EOR }, { 1, 1, 0 } };
	unsigned int port[2], flags;
	pcap_t *pcap;
	int fd[2];

	link_add(LINK);
	pcap = capture(LINK);
	pair_with_ports(SOCK_SEQPACKET, fd, port);
	data_fill(data, sizeof(data), SEED, 0);
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		NEED(send(fd[sent[i].sender], data, sent[i].len, sent[i].flags) ==
		     (ssize_t)sent[i].len);
	/* That those of one sender share memory meanwhile is not to be seen. */
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		int from = sent[i].sender;
		unsigned int n = next_message(pcap, sent[i].len, port[from], port[!from], &flags);

		CHECK_EQ(flags, sent[i].flags & MSG_EOR ? RECORD : END);
		if (sent[i].len < 1000)
			CHECK_EQ(n, 1);
		else
			CHECK(n > 1);
		NEED(recv(fd[!from], in, sizeof(in), 0) == (ssize_t)sent[i].len);
		CHECK(data_matches(in, sent[i].len, SEED, 0));
	}
	must_run("ip link del " LINK);
}

/* Pages of a file, several in a packet, of which the first begins in its middle. */
static void pages(void)
{
	const size_t len = 60000;
	off_t at = 100;
	static char data[60100];
	int file = NEED_OK(memfd_create("file", 0));
	unsigned int port;
	struct seen seen;
	pcap_t *pcap;
	int fd[2];

	data_fill(data + at, len, SEED, 0);
	NEED(write(file, data, sizeof(data)) == sizeof(data));
	link_add(LINK);
	pcap = capture(LINK);
	connected_pair(VMADDR_CID_LOCAL, fd);
	port = peer_name(fd[0]).svm_port;
	NEED(sendfile(fd[0], file, &at, len) == (ssize_t)len);
	seen = collect(pcap, mark(), port);
	CHECK_EQ(seen.bytes, len);
	CHECK(seen.right);
	must_run("ip link del " LINK);
}

/* The next packet from or to PORT: which way it goes, and what it does. */
static void expect(pcap_t *pcap, uint16_t op, bool from, unsigned int port)
{
	struct packet p;
	unsigned int dst, src;

	do {
		NEED(next(pcap, &p));
		src = le32toh(p.hdr.src_port);
		dst = le32toh(p.hdr.dst_port);
	} while (src != port && dst != port);
	CHECK_EQ(le16toh(p.hdr.op), op);
	CHECK_EQ(from ? src : dst, port);
}

/* What nobody takes, and what is for another kind of socket: once, like its answer. */
static void not_taken(void)
{
	static struct counters before, after;
	unsigned int dead = dead_port(), port;
	pcap_t *pcap;

	listener(VMADDR_CID_ANY, 1, &port);
	link_add(LINK);
	pcap = capture(LINK);
	counters_read(&before);
	CHECK_OUTCOME(vm_connect(stream_socket(), VMADDR_CID_LOCAL, dead), "ECONNRESET");
	CHECK_OUTCOME(vm_connect(NEED_OK(socket(AF_VSOCK, SOCK_SEQPACKET, 0)), VMADDR_CID_LOCAL,
				 port), "ECONNRESET");
	counters_read(&after);
	CHECK_EQ(counters_diff(&before, &after, "drops_no_listener"), 1);
	CHECK_EQ(counters_diff(&before, &after, "drops_type_mismatch"), 1);
	expect(pcap, VIRTIO_VSOCK_OP_REQUEST, false, dead);
	expect(pcap, VIRTIO_VSOCK_OP_RST, true, dead);
	expect(pcap, VIRTIO_VSOCK_OP_REQUEST, false, port);
	expect(pcap, VIRTIO_VSOCK_OP_RST, true, port);
	CHECK_EQ(collect(pcap, mark(), 0).packets, 0);
	must_run("ip link del " LINK);
}

/* The same of the host's. */
static void not_taken_from_device(void)
{
	static struct counters before, after;
	uint32_t dead = dead_port();
	pcap_t *pcap;
	int fd;

	if (!getenv("PEER"))
		skip("no host program to talk to: PEER is not set");
	link_add(LINK);
	pcap = capture(LINK);
	counters_read(&before);
	fd = connected(VMADDR_CID_HOST, PEER_CALL);
	NEED_OK(send(fd, &dead, sizeof(dead), 0));
	/* It closes, having heard that nobody listens. */
	CHECK_OUTCOME(recv(fd, &dead, sizeof(dead), 0), "ok");
	counters_read(&after);
	CHECK_EQ(counters_diff(&before, &after, "drops_no_listener"), 1);
	expect(pcap, VIRTIO_VSOCK_OP_REQUEST, false, dead);
	expect(pcap, VIRTIO_VSOCK_OP_RST, true, dead);
	must_run("ip link del " LINK);
}

static void two(void)
{
	pcap_t *first, *second;
	unsigned int port, marker;
	struct seen seen[2];

	link_add(LINK);
	link_add("vsockmon1");
	first = capture(LINK);
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
	must_run("ip link del " LINK "; ip link del vsockmon1");
}

/* What tshark has to say of a packet: addresses, ours and virtio's operation, type, flags, payload. */
static const struct decoded {
	bool message, answer;
	unsigned int op, wire_op, type, flags, len;
	const char *payload;
} decoded[] = {
	{ 0, 0, AF_VSOCK_OP_CONNECT, VIRTIO_VSOCK_OP_REQUEST, 1, 0, 0, "" },
	{ 0, 1, AF_VSOCK_OP_CONNECT, VIRTIO_VSOCK_OP_RESPONSE, 1, 0, 0, "" },
	{ 0, 0, AF_VSOCK_OP_PAYLOAD, VIRTIO_VSOCK_OP_RW, 1, 0, 3, "616263" },
	{ 0, 1, AF_VSOCK_OP_CONTROL, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 1, 0, 0, "" },
	{ 0, 0, AF_VSOCK_OP_DISCONNECT, VIRTIO_VSOCK_OP_SHUTDOWN, 1, 3, 0, "" },
	{ 0, 1, AF_VSOCK_OP_DISCONNECT, VIRTIO_VSOCK_OP_RST, 1, 0, 0, "" },
	{ 1, 0, AF_VSOCK_OP_CONNECT, VIRTIO_VSOCK_OP_REQUEST, 2, 0, 0, "" },
	{ 1, 1, AF_VSOCK_OP_CONNECT, VIRTIO_VSOCK_OP_RESPONSE, 2, 0, 0, "" },
	{ 1, 0, AF_VSOCK_OP_PAYLOAD, VIRTIO_VSOCK_OP_RW, 2, 1, 2, "6465" },
	{ 1, 1, AF_VSOCK_OP_PAYLOAD, VIRTIO_VSOCK_OP_RW, 2, 3, 1, "66" },
};

#define DECODED	(sizeof(decoded) / sizeof(decoded[0]))

/* Send them.  PORTS are those of the two connections, the client's and the other. */
static void send_decoded(unsigned int ports[2][2])
{
	int fd[2];

	pair_with_ports(SOCK_STREAM, fd, ports[0]);
	NEED_OK(send(fd[0], "abc", 3, 0));
	set_u64(fd[1], SO_VM_SOCKETS_BUFFER_SIZE, 100000);
	close(fd[0]);
	close(fd[1]);
	pair_with_ports(SOCK_SEQPACKET, fd, ports[1]);
	NEED_OK(send(fd[0], "de", 2, 0));
	NEED_OK(send(fd[1], "f", 1, MSG_EOR));
}

static void check_decoded(unsigned int ports[2][2])
{
	char expected[4096], *at = expected;

	for (size_t i = 0; i < DECODED; i++) {
		const struct decoded *d = &decoded[i];
		const unsigned int *port = ports[d->message];

		at += sprintf(at, "1\t%u\t1\t%u\t%u\t2\t%u\t%u\t0x%08x\t%u\t%s\n",
			      port[d->answer], port[!d->answer], d->op, d->wire_op, d->type,
			      d->flags, d->len, d->payload);
	}
	if (strcmp(said, expected))
		fail_at(__FILE__, __LINE__, false, "expected tshark to say:\n%sgot:\n%s", expected,
			said);
}

/* What tcpdump writes, tshark reads. */
static void with_tshark(void)
{
	unsigned int ports[2][2];
	char text[128], count[16];
	int started[2];
	FILE *words;
	pid_t pid;

	if (system("command -v tcpdump >/dev/null && command -v tshark >/dev/null"))
		skip("there is no tcpdump or no tshark: make deps installs them");
	link_add(LINK);
	NEED_OK(pipe(started));
	snprintf(count, sizeof(count), "%zu", DECODED);
	pid = NEED_OK(fork());
	if (!pid) {
		dup2(started[1], 2);
		execlp("tcpdump", "tcpdump", "-i", LINK, "-c", count, "-w", FILE_NAME, NULL);
		_exit(1);
	}
	close(started[1]);
	words = fdopen(started[0], "r");
	do {
		NEED(fgets(text, sizeof(text), words) != NULL);
	} while (!strstr(text, "listening on"));
	send_decoded(ports);
	NEED_OK(waitpid(pid, NULL, 0));

	must_run("tshark -r " FILE_NAME " -T fields -e vsock.src_cid -e vsock.src_port"
		 " -e vsock.dst_cid -e vsock.dst_port -e vsock.op -e vsock.trans"
		 " -e vsock.virtio.op -e vsock.virtio.type -e vsock.virtio.flags"
		 " -e vsock.virtio.len -e vsock.payload 2>/dev/null");
	check_decoded(ports);
	must_run("ip link del " LINK);
}

static void refused(void)
{
	CHECK(run("unshare -Urn ip link add " LINK " type vsockmon") != 0);
	CHECK(strstr(said, "only in the initial network namespace") != NULL);
	CHECK(run("unshare -Ur ip link add " LINK " type vsockmon") != 0);
	CHECK(strstr(said, "not permitted") != NULL);
	CHECK(run("unshare -n ip link add " LINK " type vsockmon") != 0);
	CHECK(strstr(said, "only in the initial network namespace") != NULL);
	CHECK_EQ(if_nametoindex(LINK), 0);

	/* And nobody gets one by moving it, or by having it made there. */
	link_add(LINK);
	must_run("ip netns add elsewhere");
	CHECK(run("ip link set " LINK " netns elsewhere") != 0);
	CHECK(if_nametoindex(LINK) != 0);
	CHECK(run("ip link add vsockmon1 netns elsewhere type vsockmon") != 0);
	must_run("ip netns del elsewhere; ip link del " LINK);
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

		link_add(LINK);
		pcap = capture(LINK);
		for (int n = 0; n < 100; n++)
			NEED(next(pcap, &p));
		must_run("ip link del " LINK);
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
	TEST("messages, their packets and their ends", messages),
	TEST("pages of a file", pages),
	TEST("what is not taken shows once", not_taken),
	TEST("what is not taken of the device's shows once", not_taken_from_device),
	TEST("two interfaces, up and down", two),
	TEST("tshark decodes what tcpdump wrote", with_tshark, .deadline = 120),
	TEST("not for others than the machine's root", refused),
	TEST("removed while packets pass", removed_while_busy, .deadline = 120),
	{ .name = NULL },
};

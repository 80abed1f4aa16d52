// SPDX-License-Identifier: GPL-2.0-only
/* The header on the wire, and which packets are refused, and why. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/vm_sockets.h>

#include "data.h"
#include "packet.h"
#include "packet_model.h"
#include "unit.h"

#define GUEST	5

static const struct glass_vsock_hdr good = {
	.src_cid = VMADDR_CID_HOST, .dst_cid = GUEST, .src_port = 1234, .dst_port = 80,
	.len = 100, .type = GLASS_TYPE_STREAM, .op = GLASS_VSOCK_OP_RW,
	.buf_alloc = 65536, .fwd_cnt = 4096,
};

static bool same(const struct glass_vsock_hdr *a, const struct glass_vsock_hdr *b)
{
	char wire_a[GLASS_HDR_LEN], wire_b[GLASS_HDR_LEN];

	glass_hdr_encode(a, wire_a);
	glass_hdr_encode(b, wire_b);
	return !memcmp(wire_a, wire_b, GLASS_HDR_LEN);
}

/* Judged from memory of just the header's size, so that a sanitizer sees more being read. */
static enum glass_vsock_reason judge(const struct glass_vsock_hdr *hdr, size_t used)
{
	char *wire = malloc(GLASS_HDR_LEN);
	struct glass_vsock_hdr decoded;
	enum glass_vsock_reason reason;

	glass_hdr_encode(hdr, wire);
	reason = glass_packet_parse(wire, used, GUEST, GLASS_TYPES_ALL, &decoded);
	if (used >= GLASS_HDR_LEN)
		CHECK(same(&decoded, hdr));
	free(wire);
	return reason;
}

static void layout(void)
{
	static const unsigned char want[GLASS_HDR_LEN] = {
		0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
		0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
		0x24, 0x23, 0x22, 0x21, 0x34, 0x33, 0x32, 0x31,
		0x44, 0x43, 0x42, 0x41, 0x52, 0x51, 0x62, 0x61,
		0x74, 0x73, 0x72, 0x71, 0x84, 0x83, 0x82, 0x81,
		0x94, 0x93, 0x92, 0x91,
	};
	const struct glass_vsock_hdr hdr = {
		.src_cid = 0x0102030405060708, .dst_cid = 0x1112131415161718,
		.src_port = 0x21222324, .dst_port = 0x31323334, .len = 0x41424344,
		.type = 0x5152, .op = 0x6162, .flags = 0x71727374,
		.buf_alloc = 0x81828384, .fwd_cnt = 0x91929394,
	};
	unsigned char wire[GLASS_HDR_LEN];

	glass_hdr_encode(&hdr, wire);
	CHECK(!memcmp(wire, want, sizeof(want)));
}

static void random_bytes(uint64_t *seed, void *out, size_t len)
{
	uint64_t word;

	for (size_t at = 0; at < len; at += sizeof(word)) {
		word = random_next(seed);
		memcpy((char *)out + at, &word, len - at < sizeof(word) ? len - at : sizeof(word));
	}
}

static void round_trips(void)
{
	uint64_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		unsigned char wire[GLASS_HDR_LEN], again[GLASS_HDR_LEN + 1];
		struct glass_vsock_hdr hdr;

		random_bytes(&seed, wire, sizeof(wire));
		glass_hdr_decode(wire, &hdr);
		/* One byte off, so that nothing is aligned. */
		glass_hdr_encode(&hdr, again + 1);
		NEED(!memcmp(wire, again + 1, sizeof(wire)));
		memset(&hdr, 0, sizeof(hdr));
		glass_hdr_decode(again + 1, &hdr);
		glass_hdr_encode(&hdr, again);
		NEED(!memcmp(wire, again, sizeof(wire)));
	}
}

static void good_packets(void)
{
	for (unsigned int op = GLASS_VSOCK_OP_REQUEST; op < GLASS_VSOCK_OP_MAX; op++) {
		for (unsigned int type = GLASS_TYPE_STREAM; type <= GLASS_TYPE_SEQPACKET; type++) {
			struct glass_vsock_hdr hdr = good;

			hdr.op = op;
			hdr.type = type;
			hdr.len = op == GLASS_VSOCK_OP_RW ? 100 : 0;
			hdr.flags = op == GLASS_VSOCK_OP_SHUTDOWN ? GLASS_SHUTDOWN_BOTH : 0;
			CHECK_EQ(judge(&hdr, GLASS_HDR_LEN + hdr.len), GLASS_VSOCK_R_NONE);
		}
	}
}

static void short_headers(void)
{
	for (size_t used = 0; used < GLASS_HDR_LEN; used++)
		CHECK_EQ(judge(&good, used), GLASS_VSOCK_R_SHORT_HEADER);
}

/* One field of a good packet is set, and that must be the reason. */
#define REFUSED(reason, field, value)					\
	do {								\
		struct glass_vsock_hdr hdr_ = good;			\
									\
		hdr_.field = (value);					\
		CHECK_EQ(judge(&hdr_, GLASS_HDR_LEN + 100),		\
			 GLASS_VSOCK_R_##reason);			\
	} while (0)

static void addresses(void)
{
	REFUSED(BAD_SOURCE, src_cid, GUEST);
	REFUSED(BAD_SOURCE, src_cid, VMADDR_CID_LOCAL);
	REFUSED(BAD_SOURCE, src_cid, VMADDR_CID_ANY);
	REFUSED(BAD_SOURCE, src_cid, 1ULL << 32);
	REFUSED(BAD_SOURCE, src_cid, (1ULL << 32) + VMADDR_CID_HOST);
	REFUSED(BAD_SOURCE, src_cid, UINT64_MAX);
	REFUSED(BAD_SOURCE, src_port, VMADDR_PORT_ANY);
	REFUSED(NONE, src_cid, VMADDR_CID_HYPERVISOR);
	REFUSED(NONE, src_cid, GUEST + 1);
	REFUSED(NONE, src_port, 0);
	REFUSED(BAD_DESTINATION, dst_cid, GUEST + 1);
	REFUSED(BAD_DESTINATION, dst_cid, VMADDR_CID_LOCAL);
	REFUSED(BAD_DESTINATION, dst_cid, VMADDR_CID_HOST);
	REFUSED(BAD_DESTINATION, dst_cid, VMADDR_CID_ANY);
	REFUSED(BAD_DESTINATION, dst_cid, (1ULL << 32) + GUEST);
	REFUSED(BAD_DESTINATION, dst_port, VMADDR_PORT_ANY);
	REFUSED(NONE, dst_port, 0);
}

static void types_and_ops(void)
{
	REFUSED(BAD_TYPE, type, 0);
	REFUSED(BAD_TYPE, type, 3);
	REFUSED(BAD_TYPE, type, 0xffff);
	REFUSED(BAD_OP, op, GLASS_VSOCK_OP_INVALID);
	REFUSED(BAD_OP, op, GLASS_VSOCK_OP_MAX);
	REFUSED(BAD_OP, op, 0x100 + GLASS_VSOCK_OP_RW);
	REFUSED(BAD_OP, op, 0xffff);
}

static void lengths(void)
{
	struct glass_vsock_hdr hdr = good;

	REFUSED(NONE, len, 0);
	REFUSED(NONE, len, 99);
	REFUSED(BAD_LENGTH, len, 101);
	REFUSED(BAD_LENGTH, len, UINT32_MAX);
	REFUSED(BAD_LENGTH, len, UINT32_MAX - GLASS_HDR_LEN + 1);
	CHECK_EQ(judge(&good, GLASS_HDR_LEN), GLASS_VSOCK_R_BAD_LENGTH);
	for (hdr.op = GLASS_VSOCK_OP_REQUEST; hdr.op < GLASS_VSOCK_OP_MAX; hdr.op++) {
		if (hdr.op != GLASS_VSOCK_OP_RW)
			CHECK_EQ(judge(&hdr, GLASS_HDR_LEN + 100), GLASS_VSOCK_R_BAD_LENGTH);
	}
}

static void flags_of(unsigned int op, unsigned int type, unsigned int flags,
		     enum glass_vsock_reason want)
{
	struct glass_vsock_hdr hdr = good;

	hdr.op = op;
	hdr.type = type;
	hdr.flags = flags;
	hdr.len = 0;
	CHECK_EQ(judge(&hdr, GLASS_HDR_LEN), want);
}

static void flags(void)
{
	const unsigned int end = GLASS_VSOCK_OP_SHUTDOWN, rw = GLASS_VSOCK_OP_RW;
	const unsigned int stream = GLASS_TYPE_STREAM, messages = GLASS_TYPE_SEQPACKET;

	flags_of(end, stream, 0, GLASS_VSOCK_R_BAD_FLAGS);
	flags_of(end, stream, 1, GLASS_VSOCK_R_NONE);
	flags_of(end, stream, 2, GLASS_VSOCK_R_NONE);
	flags_of(end, stream, 3, GLASS_VSOCK_R_NONE);
	flags_of(end, stream, 4, GLASS_VSOCK_R_BAD_FLAGS);
	flags_of(end, messages, 0x80000003, GLASS_VSOCK_R_BAD_FLAGS);
	flags_of(rw, messages, 3, GLASS_VSOCK_R_NONE);
	flags_of(rw, messages, 4, GLASS_VSOCK_R_BAD_FLAGS);
	flags_of(rw, stream, UINT32_MAX, GLASS_VSOCK_R_NONE);
	flags_of(GLASS_VSOCK_OP_RST, stream, UINT32_MAX, GLASS_VSOCK_R_NONE);
}

/* A packet wrong in every way is refused for its addresses: it gets no answer. */
static void addresses_first(void)
{
	struct glass_vsock_hdr hdr;

	memset(&hdr, 0xff, sizeof(hdr));
	CHECK_EQ(judge(&hdr, GLASS_HDR_LEN), GLASS_VSOCK_R_BAD_SOURCE);
	hdr.src_cid = VMADDR_CID_HOST;
	hdr.src_port = 1;
	CHECK_EQ(judge(&hdr, GLASS_HDR_LEN), GLASS_VSOCK_R_BAD_DESTINATION);
	hdr.dst_cid = GUEST;
	hdr.dst_port = 1;
	CHECK(judge(&hdr, GLASS_HDR_LEN) != GLASS_VSOCK_R_NONE);
	CHECK(judge(&hdr, GLASS_HDR_LEN) != GLASS_VSOCK_R_BAD_DESTINATION);
}

/* Mostly a good packet, with a few fields of values that are near the edges. */
static void nearly_good(uint64_t *seed, unsigned char wire[GLASS_HDR_LEN])
{
	static const uint64_t edges[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, GUEST - 1, GUEST + 1, 99, 100, 101,
		0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x100000000, UINT64_MAX,
	};
	static const struct { size_t at, size; } fields[] = {
		{ 0, 8 }, { 8, 8 }, { 16, 4 }, { 20, 4 }, { 24, 4 }, { 28, 2 }, { 30, 2 }, { 32, 4 },
	};

	glass_hdr_encode(&good, wire);
	for (unsigned int n = random_below(seed, 4); n; n--) {
		unsigned int field = random_below(seed, sizeof(fields) / sizeof(fields[0]));
		uint64_t value = edges[random_below(seed, sizeof(edges) / sizeof(edges[0]))];

		memcpy(wire + fields[field].at, &value, fields[field].size);
	}
}

static void against_model(void)
{
	unsigned int seen[GLASS_VSOCK_R_MAX] = { 0 };
	uint64_t seed = 2;

	for (int i = 0; i < 300000; i++) {
		unsigned char wire[GLASS_HDR_LEN];
		size_t used = random_below(&seed, 8) ? GLASS_HDR_LEN + 100 :
						       random_below(&seed, 200);
		struct glass_vsock_hdr hdr;
		enum glass_vsock_reason reason;

		nearly_good(&seed, wire);
		reason = glass_packet_parse(wire, used, GUEST, GLASS_TYPES_ALL, &hdr);
		if (!model_allows(wire, used, GUEST, reason))
			fail_at(__FILE__, __LINE__, true, "packet %d: %s is not what the model says",
				i, glass_vsock_reason_name(reason));
		seen[reason]++;
	}
	CHECK(seen[GLASS_VSOCK_R_NONE] > 1000);
	CHECK(seen[GLASS_VSOCK_R_BAD_FLAGS] > 10);
	CHECK(seen[GLASS_VSOCK_R_BAD_LENGTH] > 1000);
	CHECK(seen[GLASS_VSOCK_R_BAD_SOURCE] > 1000);
}

/* What the device does not carry is refused as an unknown type is. */
static void carried_types(void)
{
	struct glass_vsock_hdr hdr = good, decoded;
	unsigned char wire[GLASS_HDR_LEN];

	for (unsigned int types = 0; types <= GLASS_TYPES_ALL; types += 2) {
		for (hdr.type = 0; hdr.type < 70; hdr.type++) {
			bool carried = (hdr.type == 1 || hdr.type == 2) &&
				       types & 1u << hdr.type;

			glass_hdr_encode(&hdr, wire);
			CHECK_EQ(glass_packet_parse(wire, 1000, GUEST, types, &decoded),
				 carried ? GLASS_VSOCK_R_NONE : GLASS_VSOCK_R_BAD_TYPE);
		}
	}
}

const struct test packet_tests[] = {
	TEST("types that the device carries", carried_types),
	TEST("layout", layout),
	TEST("round trips", round_trips),
	TEST("good packets", good_packets),
	TEST("short headers", short_headers),
	TEST("addresses", addresses),
	TEST("types and ops", types_and_ops),
	TEST("lengths", lengths),
	TEST("flags", flags),
	TEST("addresses first", addresses_first),
	TEST("as the model says", against_model, .deadline = 60),
	{ .name = NULL },
};

// SPDX-License-Identifier: GPL-2.0-only
/* Packets around valid connections, broken at random. */
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "fuzz.h"

#define ONE_IN	16	/* packets is broken */

static uint32_t any(struct session *s)
{
	return random_next(&s->random);
}

/* Near what it was, at an edge, or anything. */
static uint32_t other(struct session *s, uint32_t was)
{
	static const uint32_t edges[] = { 0, 1, 2, 3, 0x7fffffff, 0x80000000, 0xffffffff };

	switch (random_below(&s->random, 3)) {
	case 0:
		return was + random_below(&s->random, 9) - 4;
	case 1:
		return edges[random_below(&s->random, sizeof(edges) / sizeof(edges[0]))];
	default:
		return any(s);
	}
}

static void break_field(struct session *s, struct packet *p)
{
	struct glass_vsock_hdr *hdr = &p->hdr;

	switch (random_below(&s->random, 12)) {
	case 0:
		hdr->src_cid = other(s, hdr->src_cid);
		break;
	case 1:
		hdr->dst_cid = other(s, hdr->dst_cid);
		break;
	case 2:
		hdr->src_cid |= 1ULL << (32 + random_below(&s->random, 32));
		break;
	case 3:
		hdr->src_port = other(s, hdr->src_port);
		break;
	case 4:
		hdr->dst_port = other(s, hdr->dst_port);
		break;
	case 5:
		hdr->len = other(s, hdr->len);
		break;
	case 6:
		hdr->type = random_below(&s->random, 4);
		break;
	case 7:
		hdr->op = random_below(&s->random, GLASS_VSOCK_OP_MAX + 2);
		break;
	case 8:
		hdr->flags = other(s, hdr->flags);
		break;
	case 9:
		hdr->buf_alloc = other(s, hdr->buf_alloc);
		break;
	case 10:
		hdr->fwd_cnt = other(s, hdr->fwd_cnt);
		break;
	default:
		p->used = random_below(&s->random, 2) ? random_below(&s->random, HDR_LEN) :
							other(s, p->used);
		break;
	}
}

/* A packet that is as it should be, at the wrong time. */
static void send_untimely(struct session *s)
{
	uint16_t op = 1 + random_below(&s->random, GLASS_VSOCK_OP_MAX - 1);
	uint8_t bytes[64];
	size_t len = op == GLASS_VSOCK_OP_RW ? random_below(&s->random, sizeof(bytes)) : 0;

	memset(bytes, 0xee, sizeof(bytes));
	device_send(s->dev, session_packet(s, op, random_below(&s->random, 4), bytes, len));
}

static void send_twice(struct session *s, const struct packet *p)
{
	struct packet *copy = packet_new(p->payload, p->len);

	copy->hdr = p->hdr;
	device_send(s->dev, copy);
}

bool fuzz_packet(struct session *s, struct packet *p)
{
	if (random_below(&s->random, ONE_IN))
		return true;
	switch (random_below(&s->random, 8)) {
	case 0:
		return false;
	case 1:
		send_twice(s, p);
		break;
	case 2:
	case 3:
		send_untimely(s);
		break;
	default:
		break_field(s, p);
		break;
	}
	return true;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/virtio_vsock.h>

#include "data.h"
#include "fuzz.h"
#include "scenario.h"
#include "vsock.h"

#define OUT_MAX		256	/* packets of data that wait for a buffer of the guest's */
#define PACKET_MAX	(1 << 17)

_Static_assert(sizeof(struct virtio_vsock_hdr) == HDR_LEN, "the header has 44 bytes");

/* Packets */

static void encode(const struct glass_vsock_hdr *hdr, struct virtio_vsock_hdr *wire)
{
	*wire = (struct virtio_vsock_hdr) {
		.src_cid = htole64(hdr->src_cid),
		.dst_cid = htole64(hdr->dst_cid),
		.src_port = htole32(hdr->src_port),
		.dst_port = htole32(hdr->dst_port),
		.len = htole32(hdr->len),
		.type = htole16(hdr->type),
		.op = htole16(hdr->op),
		.flags = htole32(hdr->flags),
		.buf_alloc = htole32(hdr->buf_alloc),
		.fwd_cnt = htole32(hdr->fwd_cnt),
	};
}

static struct glass_vsock_hdr decode(const struct virtio_vsock_hdr *wire)
{
	return (struct glass_vsock_hdr) {
		.src_cid = le64toh(wire->src_cid),
		.dst_cid = le64toh(wire->dst_cid),
		.src_port = le32toh(wire->src_port),
		.dst_port = le32toh(wire->dst_port),
		.len = le32toh(wire->len),
		.type = le16toh(wire->type),
		.op = le16toh(wire->op),
		.flags = le32toh(wire->flags),
		.buf_alloc = le32toh(wire->buf_alloc),
		.fwd_cnt = le32toh(wire->fwd_cnt),
	};
}

struct packet *packet_new(const void *payload, size_t len)
{
	struct packet *p = calloc(1, sizeof(*p) + len);

	if (!p)
		abort();
	p->len = p->hdr.len = len;
	p->used = HDR_LEN + len;
	if (payload)
		memcpy(p->payload, payload, len);
	return p;
}

struct packet *session_packet(struct session *s, uint16_t op, uint32_t flags,
			      const void *payload, size_t len)
{
	struct packet *p = packet_new(payload, len);

	p->hdr = (struct glass_vsock_hdr) {
		.src_cid = HOST_CID, .src_port = s->port,
		.dst_cid = s->dev->vu.cid, .dst_port = s->guest_port,
		.len = len, .type = s->type, .op = op, .flags = flags,
		.buf_alloc = s->buf_alloc, .fwd_cnt = s->fwd_cnt,
	};
	s->told_fwd_cnt = s->fwd_cnt;
	return p;
}

void device_send(struct device *dev, struct packet *p)
{
	STAILQ_INSERT_TAIL(&dev->out, p, node);
	dev->out_count++;
}

void session_send(struct session *s, uint16_t op, uint32_t flags, const void *payload, size_t len)
{
	struct packet *p = session_packet(s, op, flags, payload, len);

	if (op == GLASS_VSOCK_OP_RW)
		s->tx_cnt += len;
	if ((s->scenario->leaves && !s->scenario->leaves(s, p)) ||
	    (s->dev->fuzz && !fuzz_packet(s, p)))
		free(p);
	else
		device_send(s->dev, p);
}

/* To who sent HDR, and has no session for it. */
static void send_reset(struct device *dev, const struct glass_vsock_hdr *hdr)
{
	struct packet *p;

	if (hdr->op == GLASS_VSOCK_OP_RST)
		return;
	p = packet_new(NULL, 0);
	p->hdr = (struct glass_vsock_hdr) {
		.src_cid = HOST_CID, .src_port = hdr->dst_port,
		.dst_cid = dev->vu.cid, .dst_port = hdr->src_port,
		.type = hdr->type, .op = GLASS_VSOCK_OP_RST,
	};
	device_send(dev, p);
}

/* Sessions */

static struct session *session_find(struct device *dev, const struct glass_vsock_hdr *hdr)
{
	struct session *s;

	LIST_FOREACH(s, &dev->sessions, node) {
		if (s->guest_port == hdr->src_port && s->port == hdr->dst_port)
			break;
	}
	return s;
}

static void session_free(struct session *s)
{
	timers_forget(s->dev, s);
	LIST_REMOVE(s, node);
	free(s->buffer);
	free(s);
}

static struct session *session_new(struct device *dev, const struct glass_vsock_hdr *hdr,
				   const struct scenario *scenario)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->dev = dev;
	s->scenario = scenario;
	s->guest_port = hdr->src_port;
	s->port = hdr->dst_port;
	s->type = hdr->type;
	s->buf_alloc = WINDOW;
	s->guest_buf_alloc = hdr->buf_alloc;
	s->chunk = PAYLOAD_MAX;
	s->digest = DIGEST_START;
	/* What happens to a connection does not depend on what the others do. */
	s->random = dev->seed + ((uint64_t)(dev->fuzz ? dev->connections++ : s->port) << 32);
	LIST_INSERT_HEAD(&dev->sessions, s, node);
	return s;
}

void session_respond(struct session *s)
{
	s->established = true;
	session_send(s, GLASS_VSOCK_OP_RESPONSE, 0, NULL, 0);
}

void session_write(struct session *s, const void *data, size_t len)
{
	s->buffer = realloc(s->buffer, s->buffered + len);
	if (!s->buffer)
		abort();
	memcpy(s->buffer + s->buffered, data, len);
	s->buffered += len;
}

static bool quarter_read(const struct session *s)
{
	return s->fwd_cnt - s->told_fwd_cnt >= WINDOW / 4;
}

void session_read(struct session *s, size_t len)
{
	s->fwd_cnt += len;
	if (s->scenario->update_due ? s->scenario->update_due(s) : quarter_read(s))
		session_send(s, GLASS_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
}

static uint32_t credit_left(const struct session *s)
{
	uint32_t in_flight = s->tx_cnt - s->guest_fwd_cnt;

	return in_flight < s->guest_buf_alloc ? s->guest_buf_alloc - in_flight : 0;
}

/* Takes at most MAX bytes of what is to be sent. */
static size_t next_bytes(struct session *s, uint8_t *to, size_t max)
{
	size_t n = s->buffered < max ? s->buffered : max;

	if (n) {
		memcpy(to, s->buffer, n);
		s->buffered -= n;
		memmove(s->buffer, s->buffer + n, s->buffered);
		return n;
	}
	n = s->source_left < max ? s->source_left : max;
	data_fill(to, n, SOURCE_SEED, s->source_at);
	s->source_at += n;
	s->source_left -= n;
	return n;
}

/* Send what credit and the queue have room for.  Frees a session that ended. */
static void session_push(struct session *s)
{
	uint8_t bytes[PAYLOAD_MAX];
	size_t n;

	while (s->established && !(s->guest_shutdown & RECEIVES_NO_MORE) &&
	       s->dev->out_count < OUT_MAX) {
		uint32_t room = credit_left(s);

		n = next_bytes(s, bytes, room < s->chunk ? room : s->chunk);
		if (!n)
			break;
		session_send(s, GLASS_VSOCK_OP_RW, s->type == SEQPACKET ? END_OF_MESSAGE : 0,
			     bytes, n);
	}
	if (s->guest_shutdown == BOTH) {
		session_send(s, GLASS_VSOCK_OP_RST, 0, NULL, 0);
		session_free(s);
	} else if (s->guest_shutdown & SENDS_NO_MORE && !s->buffered && !s->source_left &&
		   !s->shutdown) {
		s->shutdown = BOTH;
		session_send(s, GLASS_VSOCK_OP_SHUTDOWN, BOTH, NULL, 0);
	}
}

static void rcv_data(struct session *s, const uint8_t *data, size_t len)
{
	const struct scenario *scenario = s->scenario;
	bool first = !s->began;

	s->rx_cnt += len;
	/* Who is told wrong numbers may do as they say. */
	if (s->rx_cnt - s->fwd_cnt > WINDOW && !s->dev->fuzz) {
		fprintf(stderr, "device: the guest sent more than it was granted\n");
		exit(1);
	}
	s->began = true;
	if (first && scenario->first && !scenario->first(s, data, len))
		return;
	if (scenario->data) {
		scenario->data(s, data, len);
	} else {
		session_write(s, data, len);
		session_read(s, len);
	}
}

static void rcv_credit_request(struct session *s)
{
	s->credit_requests++;
	if (s->scenario->asked)
		s->scenario->asked(s);
	else
		session_send(s, GLASS_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
}

static void session_rcv(struct session *s, const struct glass_vsock_hdr *hdr, const uint8_t *data)
{
	s->guest_buf_alloc = hdr->buf_alloc;
	s->guest_fwd_cnt = hdr->fwd_cnt;
	switch (hdr->op) {
	case GLASS_VSOCK_OP_RW:
		rcv_data(s, data, hdr->len);
		break;
	case GLASS_VSOCK_OP_CREDIT_REQUEST:
		rcv_credit_request(s);
		break;
	case GLASS_VSOCK_OP_SHUTDOWN:
		s->guest_shutdown |= hdr->flags;
		break;
	case GLASS_VSOCK_OP_RST:
		session_free(s);
		return;
	}
	session_push(s);
}

/* The device */

static void rcv_request(struct device *dev, const struct glass_vsock_hdr *hdr)
{
	const struct scenario *scenario = dev->only ?: scenario_of(hdr->dst_port);
	struct session *s;

	if (!scenario) {
		send_reset(dev, hdr);
		return;
	}
	s = session_new(dev, hdr, scenario);
	if (scenario->request)
		scenario->request(s);
	else
		session_respond(s);
}

static void count_answer(struct tally *tally, uint16_t op)
{
	if (op == GLASS_VSOCK_OP_RESPONSE)
		tally->responses++;
	else if (op == GLASS_VSOCK_OP_RST)
		tally->resets++;
	else
		tally->others++;
}

static void device_rcv(struct device *dev, const struct glass_vsock_hdr *hdr, const uint8_t *data)
{
	struct session *s = session_find(dev, hdr);

	/* Other addresses are not there, and nobody says so. */
	if (hdr->dst_cid != HOST_CID)
		return;
	if (hdr->dst_port >= FLOOD_PORT) {
		count_answer(&dev->tally, hdr->op);
	} else if (hdr->op == GLASS_VSOCK_OP_REQUEST) {
		/* The guest does not know of an older one any more. */
		if (s)
			session_free(s);
		rcv_request(dev, hdr);
	} else if (s) {
		session_rcv(s, hdr, data);
	} else {
		send_reset(dev, hdr);
	}
}

static void take_packet(struct device *dev, const struct chain *chain)
{
	static uint8_t bytes[PACKET_MAX];
	size_t len = chain_read(chain, bytes, sizeof(bytes));
	struct virtio_vsock_hdr wire;
	struct glass_vsock_hdr hdr;

	memcpy(&wire, bytes, sizeof(wire));
	hdr = decode(&wire);
	if (len < HDR_LEN || hdr.len != len - HDR_LEN || hdr.src_cid != dev->vu.cid) {
		fprintf(stderr, "device: the guest sent a bad packet: op %u, %u bytes of %zu\n",
			hdr.op, hdr.len, len);
		exit(1);
	}
	device_rcv(dev, &hdr, bytes + HDR_LEN);
}

static bool may_take(const struct device *dev)
{
	return !dev->hold_tx && !(dev->slow && dev->slow_taken);
}

static bool take_packets(struct device *dev)
{
	struct ring *ring = &dev->vu.rings[RING_TX];
	struct chain chain;
	bool some = false;

	while (may_take(dev) && ring_runs(ring) && ring_take(ring, &dev->vu.memory, &chain)) {
		take_packet(dev, &chain);
		ring_give(ring, chain.head, 0);
		dev->slow_taken = true;
		some = true;
	}
	if (some)
		ring_interrupt(ring);
	return some;
}

static void give_packet(struct ring *ring, const struct chain *chain, const struct packet *p)
{
	struct virtio_vsock_hdr wire;

	encode(&p->hdr, &wire);
	chain_write(chain, 0, &wire, sizeof(wire));
	chain_write(chain, sizeof(wire), p->payload, p->len);
	ring_give(ring, chain->head, p->used);
}

static bool give_packets(struct device *dev)
{
	struct ring *ring = &dev->vu.rings[RING_RX];
	bool some = false;
	struct chain chain;
	struct packet *p;

	while ((p = STAILQ_FIRST(&dev->out)) && ring_runs(ring) &&
	       ring_take(ring, &dev->vu.memory, &chain)) {
		give_packet(ring, &chain, p);
		STAILQ_REMOVE_HEAD(&dev->out, node);
		dev->out_count--;
		free(p);
		some = true;
	}
	if (some)
		ring_interrupt(ring);
	return some;
}

void device_run(struct device *dev)
{
	struct session *s, *next;
	bool some;

	do {
		some = take_packets(dev);
		for (s = LIST_FIRST(&dev->sessions); s; s = next) {
			next = LIST_NEXT(s, node);
			session_push(s);
		}
		some |= give_packets(dev);
	} while (some);
}

/* What there was belonged to a driver that does not know it any more. */
static void forget_all(void *context)
{
	struct device *dev = context;
	struct packet *p;

	while (!LIST_EMPTY(&dev->sessions))
		session_free(LIST_FIRST(&dev->sessions));
	while ((p = STAILQ_FIRST(&dev->out))) {
		STAILQ_REMOVE_HEAD(&dev->out, node);
		free(p);
	}
	dev->out_count = 0;
	timers_forget(dev, NULL);
	dev->hold_tx = false;
	dev->slow = 0;
}

void device_init(struct device *dev, int fd, uint64_t cid)
{
	memset(dev, 0, sizeof(*dev));
	vhost_user_init(&dev->vu, fd, cid);
	dev->vu.stopped = forget_all;
	dev->vu.context = dev;
	STAILQ_INIT(&dev->out);
	LIST_INIT(&dev->sessions);
	LIST_INIT(&dev->timers);
}

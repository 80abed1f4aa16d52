// SPDX-License-Identifier: GPL-2.0-only
/* What the device does wrong; scenarios.h says it in words. */
#include <endian.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data.h"
#include "qmp.h"
#include "scenario.h"

#define NUMBER	sizeof(uint64_t)

static uint64_t number(const void *data, size_t len, unsigned int n)
{
	uint64_t value = 0;

	if (len >= (n + 1) * NUMBER)
		memcpy(&value, (const char *)data + n * NUMBER, NUMBER);
	return le64toh(value);
}

static struct packet *response(struct session *s)
{
	return session_packet(s, GLASS_VSOCK_OP_RESPONSE, 0, NULL, 0);
}

/*
 * In place of the RESPONSE
 */

static void refuse(struct session *s)
{
	session_send(s, GLASS_VSOCK_OP_RST, 0, NULL, 0);
}

static void do_nothing(struct session *s)
{
	(void)s;
}

static void answer_late(struct session *s)
{
	session_later(s, LATE_MS, session_respond);
}

static void answer_from(struct session *s, uint64_t cid, uint32_t port)
{
	struct packet *p = response(s);

	p->hdr.src_cid = cid;
	p->hdr.src_port = port;
	device_send(s->dev, p);
}

static void answer_from_port(struct session *s)
{
	answer_from(s, HOST_CID, s->port + 1);
}

static void answer_from_cid(struct session *s)
{
	answer_from(s, 77, s->port);
}

static void answer_from_local(struct session *s)
{
	answer_from(s, 1, s->port);
}

static void answer_from_own(struct session *s)
{
	answer_from(s, s->dev->vu.cid, s->port);
}

static void answer_from_long(struct session *s)
{
	answer_from(s, 1ULL << 32 | HOST_CID, s->port);
}

static void answer_to(struct session *s, uint64_t cid, uint32_t port)
{
	struct packet *p = response(s);

	p->hdr.dst_cid = cid;
	p->hdr.dst_port = port;
	device_send(s->dev, p);
}

static void answer_to_cid(struct session *s)
{
	answer_to(s, s->dev->vu.cid + 1, s->guest_port);
}

static void answer_to_port(struct session *s)
{
	answer_to(s, s->dev->vu.cid, s->guest_port + 1);
}

static void data_early(struct session *s)
{
	session_send(s, GLASS_VSOCK_OP_RW, 0, "early", 5);
}

static void shutdown_early(struct session *s)
{
	session_send(s, GLASS_VSOCK_OP_SHUTDOWN, BOTH, NULL, 0);
}

static void answer_of_other_type(struct session *s)
{
	struct packet *p = response(s);

	p->hdr.type = STREAM + SEQPACKET - s->type;
	device_send(s->dev, p);
}

static void answer_loaded(struct session *s)
{
	session_send(s, GLASS_VSOCK_OP_RESPONSE, 0, "loaded", 6);
}

static void answer_credited(struct session *s)
{
	struct packet *p = response(s);

	p->hdr.fwd_cnt += 5;
	device_send(s->dev, p);
}

/*
 * Once, when something comes.  Those that return false break a rule for which
 * the guest has to end the connection.
 */

static bool answer_twice(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	session_respond(s);
	return true;
}

static bool short_header(struct session *s, const void *data, size_t len)
{
	struct packet *p = session_packet(s, GLASS_VSOCK_OP_RW, 0, data, len);

	p->used = HDR_LEN - 1;
	device_send(s->dev, p);
	return true;
}

static bool unknown_op(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	session_send(s, GLASS_VSOCK_OP_MAX, 0, NULL, 0);
	session_send(s, 0x1ff, 0, NULL, 0);
	return true;
}

static bool no_op(struct session *s, const void *data, size_t len)
{
	session_send(s, GLASS_VSOCK_OP_INVALID, 0, data, len);
	return true;
}

static bool empty(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	session_send(s, GLASS_VSOCK_OP_RW, 0, NULL, 0);
	return true;
}

static bool shutdown_twice(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	session_send(s, GLASS_VSOCK_OP_SHUTDOWN, RECEIVES_NO_MORE, NULL, 0);
	session_send(s, GLASS_VSOCK_OP_SHUTDOWN, RECEIVES_NO_MORE, NULL, 0);
	return true;
}

static void credit_off(struct session *s, int32_t by)
{
	struct packet *p = session_packet(s, GLASS_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);

	p->hdr.fwd_cnt += by;
	device_send(s->dev, p);
}

static bool stale_credit(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	credit_off(s, -1000);
	return true;
}

static bool credit_ahead(struct session *s, const void *data, size_t len)
{
	(void)data;
	credit_off(s, len + 1);
	return false;
}

static bool idle_interrupts(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	for (int i = 0; i < IDLE_INTERRUPTS; i++)
		ring_interrupt_always(&s->dev->vu.rings[i % RINGS]);
	return true;
}

static bool credit_requests(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	for (int i = 0; i < FLOOD; i++)
		session_send(s, GLASS_VSOCK_OP_CREDIT_REQUEST, 0, NULL, 0);
	return true;
}

/* From a port of this end's that does not exist. */
static struct packet *made_up(struct session *s, uint32_t from, uint32_t to, uint16_t op)
{
	struct packet *p = session_packet(s, op, 0, "x", op == GLASS_VSOCK_OP_RW);

	p->hdr.src_port = FLOOD_PORT + from;
	p->hdr.dst_port = to;
	p->hdr.fwd_cnt = 0;
	return p;
}

static void send_made_up(struct session *s, uint32_t from, uint32_t to, uint16_t op)
{
	device_send(s->dev, made_up(s, from, to, op));
}

static void take_again(struct device *dev)
{
	dev->hold_tx = false;
}

static void hold_ring(struct session *s)
{
	s->dev->hold_tx = true;
	device_later(s->dev, STALL_MS, take_again);
}

static bool reply_flood(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	hold_ring(s);
	for (int i = 0; i < FLOOD; i++)
		send_made_up(s, i, FLOOD_PORT, GLASS_VSOCK_OP_RW);
	return true;
}

static bool stray_resets(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	for (int i = 0; i < FLOOD; i++)
		send_made_up(s, i, FLOOD_PORT + i, GLASS_VSOCK_OP_RST);
	return true;
}

static bool reset_storm(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	for (int i = 0; i < FLOOD; i++)
		session_send(s, GLASS_VSOCK_OP_RST, 0, NULL, 0);
	return false;
}

static bool long_packet(struct session *s, const void *data, size_t len)
{
	struct packet *p = session_packet(s, GLASS_VSOCK_OP_RW, 0, data, len);

	p->hdr.len++;
	device_send(s->dev, p);
	return false;
}

static bool long_used(struct session *s, const void *data, size_t len)
{
	struct packet *p = session_packet(s, GLASS_VSOCK_OP_RW, 0, data, len);

	p->used = 1 << 20;
	device_send(s->dev, p);
	return false;
}

static bool loaded_control(struct session *s, const void *data, size_t len)
{
	session_send(s, GLASS_VSOCK_OP_CREDIT_UPDATE, 0, data, len);
	return false;
}

static void send_of_type(struct session *s, uint16_t type, const void *data, size_t len)
{
	struct packet *p = session_packet(s, GLASS_VSOCK_OP_RW, 0, data, len);

	p->hdr.type = type;
	device_send(s->dev, p);
}

static bool unknown_type(struct session *s, const void *data, size_t len)
{
	send_of_type(s, SEQPACKET + 1, data, len);
	return false;
}

static bool mixed_type(struct session *s, const void *data, size_t len)
{
	send_of_type(s, STREAM + SEQPACKET - s->type, data, len);
	return false;
}

static bool no_flags(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	session_send(s, GLASS_VSOCK_OP_SHUTDOWN, 0, NULL, 0);
	return false;
}

static bool unknown_flags(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	session_send(s, GLASS_VSOCK_OP_SHUTDOWN, BOTH | 0x80, NULL, 0);
	return false;
}

static bool data_after_shutdown(struct session *s, const void *data, size_t len)
{
	session_send(s, GLASS_VSOCK_OP_SHUTDOWN, SENDS_NO_MORE, NULL, 0);
	session_send(s, GLASS_VSOCK_OP_RW, 0, data, len);
	return false;
}

static bool request_again(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	session_send(s, GLASS_VSOCK_OP_REQUEST, 0, NULL, 0);
	return false;
}

/* In one packet, so that nobody can read meanwhile. */
static bool exceed_credit(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	session_send(s, GLASS_VSOCK_OP_RW, 0, NULL, s->guest_buf_alloc + 1);
	return false;
}

static bool endless_message(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	for (uint32_t left = s->guest_buf_alloc; left; left -= len) {
		len = left < PAYLOAD_MAX ? left : PAYLOAD_MAX;
		session_send(s, GLASS_VSOCK_OP_RW, 0, NULL, len);
	}
	return false;
}

static bool message_flags(struct session *s, const void *data, size_t len)
{
	session_send(s, GLASS_VSOCK_OP_RW, 0x40 | END_OF_MESSAGE, data, len);
	return false;
}

/*
 * As it should be
 */

static void sink(struct session *s, const void *data, size_t len)
{
	struct sink_report report;

	session_read(s, len);
	if (!s->counting) {
		if (len < NUMBER)
			return;
		s->counting = true;
		s->sink_left = number(data, len, 0);
		data = (const char *)data + NUMBER;
		len -= NUMBER;
	}
	s->digest = digest(s->digest, data, len);
	s->sink_left -= len < s->sink_left ? len : s->sink_left;
	if (s->sink_left)
		return;
	report = (struct sink_report) { s->digest, s->updates_lost, s->credit_requests };
	session_write(s, &report, sizeof(report));
}

static void source(struct session *s, const void *data, size_t len)
{
	s->source_left = number(data, len, 0);
	session_read(s, len);
}

static void tally(struct session *s, const void *data, size_t len)
{
	(void)data;
	session_write(s, &s->dev->tally, sizeof(s->dev->tally));
	memset(&s->dev->tally, 0, sizeof(s->dev->tally));
	session_read(s, len);
}

/*
 * Credit
 */

static bool never_due(const struct session *s)
{
	(void)s;
	return false;
}

/* The guest has used all that it was granted: if it does not hear, it stands still. */
static bool due_at_the_end(const struct session *s)
{
	return s->rx_cnt - s->told_fwd_cnt >= WINDOW;
}

static bool lose_credit(struct session *s, const struct packet *p, uint32_t percent)
{
	bool lost = p->hdr.op == GLASS_VSOCK_OP_CREDIT_UPDATE &&
		    random_below(&s->random, 100) < percent;

	s->updates_lost += lost;
	return lost;
}

static bool lose_10(struct session *s, struct packet *p)
{
	return !lose_credit(s, p, 10);
}

static bool lose_50(struct session *s, struct packet *p)
{
	return !lose_credit(s, p, 50);
}

static void sink_shrinks(struct session *s, const void *data, size_t len)
{
	sink(s, data, len);
	if (s->done || s->fwd_cnt < WINDOW / 2)
		return;
	s->done = true;
	s->buf_alloc = 0;
	session_send(s, GLASS_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
}

static void restore_credit(struct session *s)
{
	s->buf_alloc = WINDOW;
	session_send(s, GLASS_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
}

static void one_byte(struct session *s, const void *data, size_t len)
{
	s->chunk = 1;
	source(s, data, len);
}

/*
 * Rings
 */

static bool stall_ring(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	hold_ring(s);
	return true;
}

static void take_one(struct device *dev)
{
	dev->slow_taken = false;
	if (--dev->slow)
		device_later(dev, SLOW_MS, take_one);
}

static bool slow_ring(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	if (!s->dev->slow)
		device_later(s->dev, SLOW_MS, take_one);
	s->dev->slow = STALL_MS / SLOW_MS;
	return true;
}

static bool used_outside(struct session *s, const void *data, size_t len)
{
	struct ring *ring = &s->dev->vu.rings[RING_RX];

	(void)data, (void)len;
	ring_give(ring, ring->size, HDR_LEN);
	ring_interrupt_always(ring);
	return false;
}

/* What it is given again, it did not give anew. */
static bool used_twice(struct session *s, const void *data, size_t len)
{
	struct ring *ring = &s->dev->vu.rings[RING_TX];
	uint32_t last = ring->used->ring[(uint16_t)(ring->next_used - 1) % ring->size].id;

	(void)data, (void)len;
	for (unsigned int i = 0; i < ring->size; i++)
		ring_give(ring, last, 0);
	ring_interrupt_always(ring);
	return false;
}

/* Everything that the ring ever held is given back once more. */
static void move_used(struct session *s, int by)
{
	struct ring *ring = &s->dev->vu.rings[RING_TX];

	ring->next_used += by;
	__atomic_store_n(&ring->used->idx, ring->next_used, __ATOMIC_RELEASE);
	ring_interrupt_always(ring);
}

static bool used_ahead(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	move_used(s, s->dev->vu.rings[RING_TX].size);
	return false;
}

static bool used_back(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	move_used(s, -2);	/* one of which is the packet's own, given next */
	return false;
}

/* QEMU waits for this device meanwhile: so another process talks to QEMU. */
static bool unplug(struct session *s, const void *data, size_t len)
{
	(void)data, (void)len;
	if (s->dev->qmp && !fork()) {
		close(s->dev->vu.fd);
		qmp_replug(s->dev->qmp, s->dev->socket);
		_exit(0);
	}
	return false;
}

static void die(struct session *s, const void *data, size_t len)
{
	sink(s, data, len);
	if (!s->sink_left)
		raise(SIGKILL);
}

/*
 * Connections that the guest did not ask for
 */

/* Calls SEND so many times, with a port of this end's and the guest's one. */
static void to_listener(struct session *s, const void *data, size_t len,
			void (*send)(struct session *s, uint32_t from, uint32_t to))
{
	uint64_t to = number(data, len, 0), count = number(data, len, 1);

	session_read(s, len);
	for (uint64_t i = 0; i < count; i++)
		send(s, i, to);
	session_write(s, "x", 1);
}

static void send_request(struct session *s, uint32_t from, uint32_t to)
{
	send_made_up(s, from, to, GLASS_VSOCK_OP_REQUEST);
}

static void flood(struct session *s, const void *data, size_t len)
{
	to_listener(s, data, len, send_request);
}

static void send_rw(struct session *s, uint32_t from, uint32_t to)
{
	send_made_up(s, from, to, GLASS_VSOCK_OP_RW);
}

static void rw_to_listener(struct session *s, const void *data, size_t len)
{
	to_listener(s, data, len, send_rw);
}

static void send_request_and_reset(struct session *s, uint32_t from, uint32_t to)
{
	send_made_up(s, from, to, GLASS_VSOCK_OP_REQUEST);
	send_made_up(s, from, to, GLASS_VSOCK_OP_RST);
}

static void taken_back(struct session *s, const void *data, size_t len)
{
	to_listener(s, data, len, send_request_and_reset);
}

static void send_mixed_request(struct session *s, uint32_t from, uint32_t to)
{
	struct packet *p = made_up(s, from, to, GLASS_VSOCK_OP_REQUEST);

	p->hdr.type = STREAM + SEQPACKET - s->type;
	device_send(s->dev, p);
}

static void mixed_request(struct session *s, const void *data, size_t len)
{
	to_listener(s, data, len, send_mixed_request);
}

static void send_credited_request(struct session *s, uint32_t from, uint32_t to)
{
	struct packet *p = made_up(s, from, to, GLASS_VSOCK_OP_REQUEST);

	p->hdr.fwd_cnt = 5;
	device_send(s->dev, p);
}

static void credited_request(struct session *s, const void *data, size_t len)
{
	to_listener(s, data, len, send_credited_request);
}

static const struct scenario scenarios[SCENARIO_MAX] = {
	[SCENARIO_SINK].data = sink,
	[SCENARIO_SOURCE].data = source,
	[SCENARIO_TALLY].data = tally,
	[SCENARIO_REFUSE].request = refuse,

	[SCENARIO_SILENT].request = do_nothing,
	[SCENARIO_LATE].request = answer_late,
	[SCENARIO_WRONG_PORT].request = answer_from_port,
	[SCENARIO_WRONG_CID].request = answer_from_cid,
	[SCENARIO_LOCAL_CID].request = answer_from_local,
	[SCENARIO_OWN_CID].request = answer_from_own,
	[SCENARIO_LONG_CID].request = answer_from_long,
	[SCENARIO_OTHER_GUEST].request = answer_to_cid,
	[SCENARIO_CLOSED_PORT].request = answer_to_port,
	[SCENARIO_EARLY_DATA].request = data_early,
	[SCENARIO_EARLY_SHUTDOWN].request = shutdown_early,
	[SCENARIO_OTHER_TYPE].request = answer_of_other_type,
	[SCENARIO_LOADED_ANSWER].request = answer_loaded,
	[SCENARIO_CREDITED_ANSWER].request = answer_credited,

	[SCENARIO_ANSWER_TWICE].first = answer_twice,
	[SCENARIO_SHORT_HEADER].first = short_header,
	[SCENARIO_UNKNOWN_OP].first = unknown_op,
	[SCENARIO_NO_OP].first = no_op,
	[SCENARIO_EMPTY].first = empty,
	[SCENARIO_SHUTDOWN_TWICE].first = shutdown_twice,
	[SCENARIO_STALE_CREDIT].first = stale_credit,
	[SCENARIO_IDLE_INTERRUPTS].first = idle_interrupts,
	[SCENARIO_CREDIT_REQUESTS].first = credit_requests,
	[SCENARIO_REPLY_FLOOD].first = reply_flood,
	[SCENARIO_STRAY_RESETS].first = stray_resets,
	[SCENARIO_LONG_PACKET].first = long_packet,
	[SCENARIO_LONG_USED].first = long_used,
	[SCENARIO_LOADED_CONTROL].first = loaded_control,
	[SCENARIO_UNKNOWN_TYPE].first = unknown_type,
	[SCENARIO_MIXED_TYPE].first = mixed_type,
	[SCENARIO_NO_FLAGS].first = no_flags,
	[SCENARIO_UNKNOWN_FLAGS].first = unknown_flags,
	[SCENARIO_DATA_AFTER_SHUTDOWN].first = data_after_shutdown,
	[SCENARIO_REQUEST_AGAIN].first = request_again,
	[SCENARIO_CREDIT_EXCEEDED].first = exceed_credit,
	[SCENARIO_CREDIT_AHEAD].first = credit_ahead,
	[SCENARIO_ENDLESS_MESSAGE].first = endless_message,
	[SCENARIO_MESSAGE_FLAGS].first = message_flags,
	[SCENARIO_RESET_STORM].first = reset_storm,

	[SCENARIO_ON_REQUEST] = { .data = sink, .update_due = never_due },
	[SCENARIO_NO_CREDIT] = { .data = sink, .update_due = never_due, .asked = do_nothing },
	[SCENARIO_SHRINK] = { .data = sink_shrinks, .asked = restore_credit },
	[SCENARIO_DROP_10] = { .data = sink, .update_due = due_at_the_end, .leaves = lose_10 },
	[SCENARIO_DROP_50] = { .data = sink, .leaves = lose_50 },
	[SCENARIO_SLOW_RING] = { .first = slow_ring, .data = sink },
	[SCENARIO_STALLED_RING] = { .first = stall_ring, .data = sink },

	[SCENARIO_ONE_BYTE].data = one_byte,

	[SCENARIO_FLOOD].data = flood,
	[SCENARIO_RW_TO_LISTENER].data = rw_to_listener,
	[SCENARIO_MIXED_REQUEST].data = mixed_request,
	[SCENARIO_CREDITED_REQUEST].data = credited_request,
	[SCENARIO_TAKEN_BACK].data = taken_back,

	[SCENARIO_USED_OUTSIDE].first = used_outside,
	[SCENARIO_USED_TWICE].first = used_twice,
	[SCENARIO_USED_AHEAD].first = used_ahead,
	[SCENARIO_USED_BACK].first = used_back,
	[SCENARIO_UNPLUGGED].first = unplug,
	[SCENARIO_DIE].data = die,
};

#define SCENARIO_STRING_(id, name)	name,
static const char *const names[] = { SCENARIOS(SCENARIO_STRING_) };

const struct scenario *scenario_of(uint32_t port)
{
	uint32_t n = port - PORT_ECHO;

	return n < SCENARIO_MAX ? &scenarios[n] : NULL;
}

const struct scenario *scenario_named(const char *name)
{
	for (int i = 0; i < SCENARIO_MAX; i++) {
		if (!strcmp(names[i], name))
			return &scenarios[i];
	}
	return NULL;
}

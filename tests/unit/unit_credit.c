// SPDX-License-Identifier: GPL-2.0-only
/*
 * Credit, by hand and against a model that counts in 64 bits, where nothing
 * ever wraps.
 */
#include <stdint.h>
#include <string.h>

#include "data.h"
#include "credit.h"
#include "unit.h"

#define MAX	GLASS_CREDIT_MAX_WINDOW
#define OK	GLASS_VSOCK_R_NONE
#define STALE	GLASS_VSOCK_R_CREDIT_STALE
#define AHEAD	GLASS_VSOCK_R_CREDIT_AHEAD

/* All counts START bytes into the connection. */
static struct glass_credit credit_at(uint32_t start, uint32_t buf_alloc)
{
	struct glass_credit c;

	glass_credit_init(&c, buf_alloc);
	c.peer_buf_alloc = MAX;
	c.rx_cnt = c.fwd_cnt = c.told_fwd_cnt = c.tx_cnt = c.peer_fwd_cnt = start;
	return c;
}

static bool tell_nobody(struct glass_credit *c)
{
	__u32 buf_alloc, fwd_cnt;

	return glass_credit_tell(c, &buf_alloc, &fwd_cnt);
}

static void fresh(void)
{
	struct glass_credit c;

	memset(&c, 0xff, sizeof(c));
	glass_credit_init(&c, 1000);
	CHECK_EQ(glass_credit_tx_free(&c), 0);
	CHECK_EQ(glass_credit_in_flight(&c), 0);
	CHECK_EQ(glass_credit_rx_free(&c), 1000);
	CHECK_EQ(glass_credit_rx_queued(&c), 0);
	CHECK(!glass_credit_update_due(&c, 1000));
}

static const uint32_t starts[] = { 0, 1, 0x7fffffff, 0x80000000, 0xfffffc00, 0xffffffff };
#define FOR_EACH_START(start)						\
	for (uint32_t i_ = 0, start; start = starts[i_ % 6], i_ < 6; i_++)

static void sending(void)
{
	FOR_EACH_START(start) {
		struct glass_credit c = credit_at(start, MAX);

		CHECK_EQ(glass_credit_peer_update(&c, 2048, start), OK);
		CHECK_EQ(glass_credit_tx_free(&c), 2048);
		glass_credit_sent(&c, 2000);
		CHECK_EQ(glass_credit_tx_free(&c), 48);
		CHECK_EQ(glass_credit_in_flight(&c), 2000);
		CHECK_EQ(glass_credit_peer_update(&c, 2048, start + 1500), OK);
		CHECK_EQ(glass_credit_tx_free(&c), 1548);
		CHECK_EQ(glass_credit_in_flight(&c), 500);
		glass_credit_sent(&c, 1548);
		CHECK_EQ(glass_credit_tx_free(&c), 0);
	}
}

static void ahead_and_stale(void)
{
	FOR_EACH_START(start) {
		struct glass_credit c = credit_at(start, MAX), before;

		CHECK_EQ(glass_credit_peer_update(&c, 4096, start), OK);
		CHECK_EQ(glass_credit_peer_update(&c, 4096, start + 1), AHEAD);
		CHECK_EQ(glass_credit_peer_update(&c, 4096, start - 1), STALE);
		glass_credit_sent(&c, 1000);
		CHECK_EQ(glass_credit_peer_update(&c, 4096, start + 600), OK);
		before = c;
		CHECK_EQ(glass_credit_peer_update(&c, 9999, start + 1001), AHEAD);
		CHECK_EQ(glass_credit_peer_update(&c, 9999, start + 600 + MAX), AHEAD);
		CHECK_EQ(glass_credit_peer_update(&c, 9999, start + 601 + MAX), STALE);
		CHECK_EQ(glass_credit_peer_update(&c, 9999, start + 599), STALE);
		CHECK_EQ(glass_credit_peer_update(&c, 9999, start), STALE);
		/* What is refused changes nothing. */
		CHECK(!memcmp(&before, &c, sizeof(c)));
		CHECK_EQ(glass_credit_peer_update(&c, 4096, start + 600), OK);
		CHECK_EQ(glass_credit_peer_update(&c, 4096, start + 1000), OK);
	}
}

static void shrinking_peer(void)
{
	struct glass_credit c = credit_at(0xfffffff0, MAX);

	glass_credit_peer_update(&c, 1000, 0xfffffff0);
	glass_credit_sent(&c, 800);
	CHECK_EQ(glass_credit_peer_update(&c, 300, 0xfffffff0), OK);
	CHECK_EQ(glass_credit_tx_free(&c), 0);
	CHECK_EQ(glass_credit_peer_update(&c, 300, 0xfffffff0 + 500), OK);
	CHECK_EQ(glass_credit_tx_free(&c), 0);
	CHECK_EQ(glass_credit_peer_update(&c, 300, 0xfffffff0 + 501), OK);
	CHECK_EQ(glass_credit_tx_free(&c), 1);
	CHECK_EQ(glass_credit_peer_update(&c, 0, 0xfffffff0 + 800), OK);
	CHECK_EQ(glass_credit_tx_free(&c), 0);
}

/* A window that 32 bits cannot tell from a negative one is cut. */
static void huge_peer(void)
{
	struct glass_credit c = credit_at(77, MAX);

	glass_credit_peer_update(&c, UINT32_MAX, 77);
	CHECK_EQ(glass_credit_tx_free(&c), MAX);
	glass_credit_sent(&c, MAX);
	CHECK_EQ(glass_credit_tx_free(&c), 0);
	CHECK_EQ(glass_credit_peer_update(&c, UINT32_MAX, 77), OK);
	CHECK_EQ(glass_credit_peer_update(&c, UINT32_MAX, 77 + MAX), OK);
	CHECK_EQ(glass_credit_tx_free(&c), MAX);
}

static void receiving(void)
{
	FOR_EACH_START(start) {
		struct glass_credit c = credit_at(start, 1000), before;

		CHECK(glass_credit_admit(&c, 400));
		CHECK(glass_credit_admit(&c, 600));
		CHECK_EQ(glass_credit_rx_queued(&c), 1000);
		CHECK_EQ(glass_credit_rx_free(&c), 0);
		before = c;
		CHECK(!glass_credit_admit(&c, 1));
		CHECK(!glass_credit_admit(&c, UINT32_MAX));
		CHECK(!memcmp(&before, &c, sizeof(c)));
		CHECK(glass_credit_admit(&c, 0));
		glass_credit_consumed(&c, 300);
		CHECK_EQ(glass_credit_rx_queued(&c), 700);
		/* The peer does not know yet. */
		CHECK_EQ(glass_credit_rx_free(&c), 0);
		CHECK(tell_nobody(&c));
		CHECK(!tell_nobody(&c));
		CHECK_EQ(glass_credit_rx_free(&c), 300);
		CHECK(glass_credit_admit(&c, 300));
		CHECK(!glass_credit_admit(&c, 1));
	}
}

/* What was granted stays granted: data may be on its way. */
static void shrinking_own(void)
{
	struct glass_credit c = credit_at(0xffffff00, 10000);

	CHECK(glass_credit_admit(&c, 4000));
	glass_credit_set_buf_alloc(&c, 1000, false);
	CHECK_EQ(glass_credit_rx_free(&c), 6000);
	CHECK(tell_nobody(&c));
	CHECK_EQ(glass_credit_rx_free(&c), 0);
	CHECK(glass_credit_admit(&c, 6000));
	CHECK(!glass_credit_admit(&c, 1));
	glass_credit_consumed(&c, 10000);
	CHECK(tell_nobody(&c));
	CHECK_EQ(glass_credit_rx_free(&c), 1000);
	glass_credit_set_buf_alloc(&c, 20000, false);
	CHECK_EQ(glass_credit_rx_free(&c), 1000);
	CHECK(tell_nobody(&c));
	CHECK_EQ(glass_credit_rx_free(&c), 20000);
	CHECK(glass_credit_admit(&c, 20000));
}

static void due(void)
{
	struct glass_credit c = credit_at(0xfffffff0, 1000);

	CHECK(glass_credit_admit(&c, 1000));
	glass_credit_consumed(&c, 1);
	CHECK(!glass_credit_update_due(&c, 0));
	/* The reader waits for a byte that the peer may not send. */
	CHECK(glass_credit_update_due(&c, 1));
	glass_credit_consumed(&c, 248);
	CHECK(!glass_credit_update_due(&c, 0));
	glass_credit_consumed(&c, 1);
	CHECK(glass_credit_update_due(&c, 0));
	CHECK(tell_nobody(&c));
	CHECK(!glass_credit_update_due(&c, 0));
	CHECK(!glass_credit_update_due(&c, 1000));
}

/* A buffer of no more than a few bytes has no quarter. */
static void due_tiny(void)
{
	for (uint32_t size = 1; size < 8; size++) {
		struct glass_credit c = credit_at(0, size);

		CHECK(glass_credit_admit(&c, size));
		CHECK(!glass_credit_update_due(&c, size));
		glass_credit_consumed(&c, size);
		CHECK(glass_credit_update_due(&c, 0));
	}
}

/* One direction: a sender's view of a peer that says anything. */
static void sender_model(void)
{
	uint64_t seed = 10, sent = 0xfffff000, read = sent, window = 0;
	struct glass_credit c = credit_at(sent, MAX);
	unsigned int seen[GLASS_VSOCK_R_MAX] = { 0 };

	c.peer_buf_alloc = window;
	for (int i = 0; i < 500000; i++) {
		uint64_t cut = window < MAX ? window : MAX, in_flight = sent - read;
		uint64_t allowed = cut > in_flight ? cut - in_flight : 0, says;
		enum glass_vsock_reason want = OK, got;
		uint32_t alloc;

		NEED(glass_credit_tx_free(&c) == allowed);
		NEED(glass_credit_in_flight(&c) == in_flight);
		if (random_below(&seed, 2) && allowed) {
			uint64_t n = 1 + random_below(&seed, allowed);

			glass_credit_sent(&c, n);
			sent += n;
			continue;
		}
		alloc = random_next(&seed) >> (32 + random_below(&seed, 32));
		says = read + random_below(&seed, in_flight + 1);
		if (!random_below(&seed, 8))
			says = sent + 1 + random_below(&seed, MAX - in_flight);
		if (!random_below(&seed, 8))
			says = read - 1 - random_below(&seed, MAX);
		if (says > sent && says - read <= MAX)
			want = AHEAD;
		else if (says > sent || says < read)
			want = STALE;
		got = glass_credit_peer_update(&c, alloc, says);
		NEED(got == want);
		seen[got]++;
		if (got == OK) {
			read = says;
			window = alloc;
		}
	}
	/* It went round several times. */
	CHECK(sent >> 32 > 3);
	CHECK(seen[OK] > 1000 && seen[STALE] > 1000 && seen[AHEAD] > 1000);
}

/* The other: what a receiver admits of a peer that sends anything. */
static void receiver_model(void)
{
	uint64_t seed = 11, got = 0xffffff00, read = got, told = got;
	uint64_t size = 5000, largest = size, told_size = size;
	struct glass_credit c = credit_at(got, size);

	for (int i = 0; i < 500000; i++) {
		uint64_t room = largest > got - read ? largest - (got - read) : 0;
		uint64_t known = told_size > got - told ? told_size - (got - told) : 0;
		uint64_t wanted = random_below(&seed, 8000), n;

		NEED(glass_credit_rx_queued(&c) == got - read);
		NEED(glass_credit_rx_free(&c) == known);
		NEED(glass_credit_update_due(&c, wanted) ==
		     (read > told && (read - told >= size / 4 || wanted > known)));
		switch (random_below(&seed, 4)) {
		case 0:
			n = random_below(&seed, 2 * largest);
			NEED(glass_credit_admit(&c, n) == (n <= room));
			got += n <= room ? n : 0;
			break;
		case 1:
			n = random_below(&seed, got - read + 1);
			glass_credit_consumed(&c, n);
			read += n;
			break;
		case 2:
			NEED(tell_nobody(&c) == (told != read || told_size != size));
			told = read;
			told_size = size;
			break;
		default:
			if (random_below(&seed, 100))
				break;
			size = 1 + random_below(&seed, 1 << random_below(&seed, 24));
			largest = size > largest ? size : largest;
			glass_credit_set_buf_alloc(&c, size, false);
		}
	}
	CHECK(got >> 32 > 3);
}

/* Two ends and the packets between them, which arrive in order and late. */
struct news {
	uint32_t buf_alloc, fwd_cnt;
};

struct pair {
	struct glass_credit sender, receiver;
	struct news way[64];
	unsigned int first, last;
	uint64_t on_way;		/* bytes of data */
};

static void tell(struct pair *p)
{
	struct news *news = &p->way[p->last % 64];

	if (p->last - p->first == 64)
		return;
	p->last++;
	glass_credit_tell(&p->receiver, &news->buf_alloc, &news->fwd_cnt);
}

static void hear(struct pair *p)
{
	struct news *news = &p->way[p->first++ % 64];

	NEED(glass_credit_peer_update(&p->sender, news->buf_alloc, news->fwd_cnt) == OK);
}

/* All that is on the way arrives, the reader reads all and waits for one byte more. */
static void settle(struct pair *p)
{
	NEED(glass_credit_admit(&p->receiver, p->on_way));
	p->on_way = 0;
	glass_credit_consumed(&p->receiver, glass_credit_rx_queued(&p->receiver));
	while (p->first != p->last)
		hear(p);
	if (glass_credit_update_due(&p->receiver, 1)) {
		tell(p);
		hear(p);
	}
}

/*
 * Whatever happens in whatever order: data that was allowed is admitted, and a
 * reader that waits gets its sender going.
 */
static void both_ends(void)
{
	struct pair p = { .sender = credit_at(0xfffff000, MAX), .receiver = credit_at(0xfffff000, 4096) };
	uint64_t seed = 12, total = 0, n;

	tell(&p);
	for (int i = 0; i < 500000; i++) {
		switch (random_below(&seed, 6)) {
		case 0:
			n = random_below(&seed, glass_credit_tx_free(&p.sender) + 1);
			glass_credit_sent(&p.sender, n);
			p.on_way += n;
			total += n;
			break;
		case 1:
			n = random_below(&seed, p.on_way + 1);
			NEED(glass_credit_admit(&p.receiver, n));
			p.on_way -= n;
			break;
		case 2:
			n = random_below(&seed, glass_credit_rx_queued(&p.receiver) + 1);
			glass_credit_consumed(&p.receiver, n);
			if (glass_credit_update_due(&p.receiver, 0))
				tell(&p);
			break;
		case 3:
			if (p.first != p.last)
				hear(&p);
			break;
		case 4:
			if (random_below(&seed, 50))
				break;
			glass_credit_set_buf_alloc(&p.receiver, 1 + random_below(&seed, 1 << 20),
						    false);
			tell(&p);
			break;
		default:
			if (random_below(&seed, 20))
				break;
			settle(&p);
			NEED(glass_credit_tx_free(&p.sender) > 0);
		}
	}
	CHECK(total >> 32 > 0);
}

/* What is in flight is bounded by our own buffer, too. */
static void own_bound(void)
{
	FOR_EACH_START(start) {
		struct glass_credit c = credit_at(start, 1000);

		CHECK_EQ(glass_credit_peer_update(&c, 5000, start), OK);
		CHECK_EQ(glass_credit_tx_window(&c), 1000);
		glass_credit_sent(&c, 900);
		CHECK_EQ(glass_credit_tx_free(&c), 100);
		glass_credit_set_buf_alloc(&c, 800, false);
		CHECK_EQ(glass_credit_tx_free(&c), 0);
		glass_credit_set_buf_alloc(&c, 1u << 20, false);
		CHECK_EQ(glass_credit_tx_window(&c), 5000);
		CHECK_EQ(glass_credit_tx_free(&c), 4100);
	}
}

/* A message that was begun needs what was granted when it began. */
static void messages_keep_their_window(void)
{
	struct glass_credit c = credit_at(0, 1000);
	__u32 buf_alloc, fwd_cnt;

	glass_credit_set_buf_alloc(&c, 300, true);
	CHECK_EQ(glass_credit_tx_window(&c), 300);
	CHECK(!glass_credit_tell(&c, &buf_alloc, &fwd_cnt));
	CHECK_EQ(buf_alloc, 1000);
	CHECK(glass_credit_admit(&c, 1000));
	glass_credit_set_buf_alloc(&c, 2000, true);
	CHECK(glass_credit_news(&c));
	CHECK(glass_credit_tell(&c, &buf_alloc, &fwd_cnt));
	CHECK_EQ(buf_alloc, 2000);
	CHECK(!glass_credit_news(&c));
	glass_credit_consumed(&c, 1);
	CHECK(glass_credit_news(&c));
}

static void endless_messages(void)
{
	struct glass_credit c = credit_at(0, 1000);

	CHECK(glass_credit_message(&c, 999, false));
	CHECK_EQ(c.rx_message, 999);
	CHECK(glass_credit_message(&c, 1, true));
	CHECK_EQ(c.rx_message, 0);
	CHECK(glass_credit_message(&c, 1000, true));
	CHECK(glass_credit_message(&c, 500, false));
	CHECK(!glass_credit_message(&c, 500, false));
}

/*
 * A peer with a smaller buffer stops there, though more was granted: the news
 * that gets it going again must not wait for more to be read.
 */
static void due_to_small_peer(void)
{
	struct glass_credit c = credit_at(0, 100000);

	CHECK_EQ(glass_credit_peer_update(&c, 1000, 0), OK);
	CHECK(glass_credit_admit(&c, 1000));
	CHECK(!glass_credit_update_due(&c, 1));
	glass_credit_consumed(&c, 249);
	CHECK(!glass_credit_update_due(&c, 0));
	CHECK(glass_credit_update_due(&c, 1));
	glass_credit_consumed(&c, 1);
	CHECK(glass_credit_update_due(&c, 0));
}

const struct test credit_tests[] = {
	TEST("an update is due, the peer's buffer is small", due_to_small_peer),
	TEST("our own buffer bounds what is in flight", own_bound),
	TEST("messages keep their window", messages_keep_their_window),
	TEST("messages without an end", endless_messages),
	TEST("fresh", fresh),
	TEST("sending", sending),
	TEST("fwd_cnt ahead and stale", ahead_and_stale),
	TEST("the peer's buffer shrinks", shrinking_peer),
	TEST("the peer's buffer is huge", huge_peer),
	TEST("receiving", receiving),
	TEST("the own buffer shrinks", shrinking_own),
	TEST("an update is due", due),
	TEST("an update is due, tiny buffers", due_tiny),
	TEST("a sender, as the model says", sender_model),
	TEST("a receiver, as the model says", receiver_model),
	TEST("both ends", both_ends),
	{ .name = NULL },
};

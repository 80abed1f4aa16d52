// SPDX-License-Identifier: GPL-2.0-only
/* How packets that wait for their reader share memory. */

#include <linux/sizes.h>

#include "compat.h"
#include "queue.h"

/* A packet of up to this many bytes shares the buffer of the one before. */
#define SMALL_MAX	1024
#define BUFFER_SIZE	SKB_WITH_OVERHEAD(SZ_4K)

/* Before each packed part: its length, and its flags in the upper bits. */
typedef u16 part_header;
#define FLAGS_SHIFT	14
#define LEN_MASK	(BIT(FLAGS_SHIFT) - 1)

static_assert(SMALL_MAX <= LEN_MASK);
static_assert((GLASS_SEQ_EOM | GLASS_SEQ_EOR) < BIT(16 - FLAGS_SHIFT));

static bool is_message(struct sk_buff *skb)
{
	return GLASS_CB(skb)->type == GLASS_TYPE_SEQPACKET;
}

static void append(struct sk_buff *room, const struct sk_buff *skb)
{
	skb_copy_bits(skb, 0, skb_put(room, skb->len), skb->len);
}

/* What is packed already is a row of parts, too. */
static void pack(struct sk_buff *room, struct sk_buff *skb)
{
	part_header header = skb->len | GLASS_CB(skb)->flags << FLAGS_SHIFT;

	if (!GLASS_CB(skb)->packed)
		skb_put_data(room, &header, sizeof(header));
	append(room, skb);
	GLASS_CB(room)->messages += glass_queue_messages(skb);
}

static u32 space_for(struct sk_buff *skb)
{
	return skb->len + (is_message(skb) && !GLASS_CB(skb)->packed ?
			   sizeof(part_header) : 0);
}

bool glass_queue_merge(struct sk_buff *tail, struct sk_buff *skb)
{
	if (skb->len > SMALL_MAX || skb_is_nonlinear(tail) ||
	    skb_tailroom(tail) < space_for(skb) ||
	    GLASS_CB(tail)->packed != is_message(skb) ||
	    GLASS_CB(tail)->reason)
		return false;
	if (is_message(skb))
		pack(tail, skb);
	else
		append(tail, skb);
	GLASS_CB(tail)->len += GLASS_CB(skb)->len;
	return true;
}

struct sk_buff *glass_queue_roomier(struct sk_buff *skb)
{
	struct sk_buff *room;

	if (skb->len > SMALL_MAX || GLASS_CB(skb)->packed)
		return skb;
	/* It takes the place of one that was charged to its sender. */
	room = alloc_skb(BUFFER_SIZE,
			 GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!room)
		return skb;
	*GLASS_CB(room) = *GLASS_CB(skb);
	if (is_message(skb)) {
		GLASS_CB(room)->packed = true;
		pack(room, skb);
	} else {
		append(room, skb);
	}
	consume_skb(skb);
	return room;
}

bool glass_queue_part(struct sk_buff *skb, u32 offset, struct glass_part *part)
{
	part_header header;

	if (offset >= skb->len)
		return false;
	if (!GLASS_CB(skb)->packed) {
		*part = (struct glass_part) {
			.len = skb->len,
			.flags = GLASS_CB(skb)->flags,
			.next = skb->len,
		};
		return true;
	}
	memcpy(&header, skb->data + offset, sizeof(header));
	part->start = offset + sizeof(header);
	part->len = header & LEN_MASK;
	part->flags = header >> FLAGS_SHIFT;
	part->next = part->start + part->len;
	return true;
}

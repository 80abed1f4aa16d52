/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Data that waits for its reader.  A queue of small packets must not cost much
 * more memory than the credit they used, so they share buffers: the bytes of a
 * stream follow each other; packets of messages are packed, each with its
 * length and flags before it.
 *
 * All of it under the lock of the queue that the packets are in.
 */
#ifndef GLASS_QUEUE_H
#define GLASS_QUEUE_H

#include "glass.h"

/*
 * Append a packet to the one before it, if that has room: it stays the
 * caller's, who frees it.  False, and nothing done, if not.
 */
bool glass_queue_merge(struct sk_buff *tail, struct sk_buff *skb);

/*
 * Give a small packet a buffer that the next ones can share.  Takes it over,
 * and returns what to queue: the same one if it is not small, or memory is
 * short.  Any context.
 */
struct sk_buff *glass_queue_roomier(struct sk_buff *skb);

/* Messages that end in the packet. */
static inline u32 glass_queue_messages(struct sk_buff *skb)
{
	const struct glass_cb *cb = GLASS_CB(skb);

	return cb->packed ? cb->messages : !!(cb->flags & GLASS_SEQ_EOM);
}

/* One packet of a message, alone in its buffer or packed with others. */
struct glass_part {
	u32 start;	/* of its payload, from skb->data */
	u32 len;
	u32 flags;	/* GLASS_SEQ_... */
	u32 next;	/* where the next one is */
};

/* The part at @offset; false at the end of the buffer. */
bool glass_queue_part(struct sk_buff *skb, u32 offset, struct glass_part *part);

#endif /* GLASS_QUEUE_H */

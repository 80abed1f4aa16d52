/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Credit: how much each end of a connection may send (virtio 1.2, section
 * 5.10.6.3).  Counts are of payload bytes since the connection began, modulo
 * 2^32, so only differences mean anything.
 *
 * Pure: no kernel state, no locks.  Builds in user space for the unit tests.
 *
 * Each field has one writer, named beside it, and any number of readers, so
 * that a packet can be admitted while a process owns the socket: "arrival" is
 * whoever holds the socket's spin lock to deliver a packet, "owner" is whoever
 * holds the socket lock (lock_sock, or the spin lock while nobody owns it).
 */
#ifndef GLASS_CREDIT_H
#define GLASS_CREDIT_H

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#ifndef READ_ONCE
#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#endif
#endif
#include <glass_vsock.h>

/*
 * With twice as much in flight "behind" could not be told from "ahead"; and a
 * message of this size is memory that the kernel can still count.
 */
#define GLASS_CREDIT_MAX_WINDOW	0x3fffffffU

struct glass_credit {
	/* What we grant. */
	__u32 buf_alloc;	/* owner: the size of our buffer, bytes */
	__u32 buf_alloc_max;	/* owner: the largest we ever granted */
	__u32 rx_cnt;		/* arrival: received */
	__u32 fwd_cnt;		/* owner: handed to the program */
	__u32 told_fwd_cnt;	/* sender: what the last packet sent said */
	__u32 told_buf_alloc;
	__u32 rx_message;	/* arrival: of a message whose end is to come */

	/* What the peer grants. */
	__u32 tx_cnt;		/* owner: sent */
	__u32 tx_max;		/* owner: we use no more of it than this */
	__u32 peer_buf_alloc;	/* arrival */
	__u32 peer_fwd_cnt;	/* arrival */
};

/*
 * Begin a connection's counts, granting the peer @buf_alloc bytes, and using as
 * much of what it grants.
 */
void glass_credit_init(struct glass_credit *c, __u32 buf_alloc);

/*
 * Change the size of the buffer, and with it what we use of the peer's.  What
 * was granted before stays granted; with @messages it is not even taken back,
 * because a message may have been begun which needs it to end.  Owner.
 */
void glass_credit_set_buf_alloc(struct glass_credit *c, __u32 buf_alloc,
				bool messages);

/* Bytes sent that the peer's program is not known to have read. */
static inline __u32 glass_credit_in_flight(const struct glass_credit *c)
{
	/* What is behind first: it must not overtake what is read after it. */
	__u32 read = READ_ONCE(c->peer_fwd_cnt);

	return READ_ONCE(c->tx_cnt) - read;
}

/* Bytes that may be in flight: the peer's buffer, but no more than our own. */
__u32 glass_credit_tx_window(const struct glass_credit *c);

/* Whether our own buffer is what bounds it. */
static inline bool glass_credit_tx_capped(const struct glass_credit *c)
{
	return READ_ONCE(c->tx_max) < READ_ONCE(c->peer_buf_alloc);
}

/* Bytes we may send now. */
__u32 glass_credit_tx_free(const struct glass_credit *c);

/* Account for @len bytes sent, at most glass_credit_tx_free().  Owner. */
static inline void glass_credit_sent(struct glass_credit *c, __u32 len)
{
	WRITE_ONCE(c->tx_cnt, c->tx_cnt + len);
}

/**
 * glass_credit_peer_update - take in the credit that a peer's packet states
 * @c: credit
 * @buf_alloc: the peer's buffer; it may shrink below what is in flight, which
 *	       leaves nothing free until enough was read
 * @fwd_cnt: bytes the peer's program has read
 *
 * Arrival.  Returns GLASS_VSOCK_R_NONE; or GLASS_VSOCK_R_CREDIT_STALE for a
 * packet that says less than an earlier one did, and is ignored; or
 * GLASS_VSOCK_R_CREDIT_AHEAD for one that says more was read than was sent.
 */
enum glass_vsock_reason glass_credit_peer_update(struct glass_credit *c,
						 __u32 buf_alloc,
						 __u32 fwd_cnt);

/* Bytes that arrived and were not read. */
static inline __u32 glass_credit_rx_queued(const struct glass_credit *c)
{
	__u32 read = READ_ONCE(c->fwd_cnt);

	return READ_ONCE(c->rx_cnt) - read;
}

/*
 * State our credit in a packet that is about to leave.  Sender.  Returns
 * whether that is news to the peer.
 */
bool glass_credit_tell(struct glass_credit *c, __u32 *buf_alloc,
		       __u32 *fwd_cnt);

/* Whether that would be news to the peer. */
static inline bool glass_credit_news(const struct glass_credit *c)
{
	return READ_ONCE(c->buf_alloc) != READ_ONCE(c->told_buf_alloc) ||
	       READ_ONCE(c->fwd_cnt) != READ_ONCE(c->told_fwd_cnt);
}

/* Bytes the peer may still send, by what it was told last. */
__u32 glass_credit_rx_free(const struct glass_credit *c);

/*
 * Account for @len bytes that arrived.  Arrival.  Returns false, with nothing
 * accounted, if they are more than was granted.
 */
bool glass_credit_admit(struct glass_credit *c, __u32 len);

/*
 * @len bytes of a message were admitted; they may end it.  Arrival.  Returns
 * false if it can have no end, because it fills the buffer already.
 */
bool glass_credit_message(struct glass_credit *c, __u32 len, bool ends);

/* Account for @len bytes handed to the program.  Owner. */
static inline void glass_credit_consumed(struct glass_credit *c, __u32 len)
{
	WRITE_ONCE(c->fwd_cnt, c->fwd_cnt + len);
}

/**
 * glass_credit_update_due - whether the peer should hear of what was read
 * @c: credit
 * @wanted: bytes that the reader is about to wait for, 0 if it does not wait
 *
 * Any packet carries the news; this asks for one of its own.  It is due when a
 * quarter of what the peer uses of the buffer was read since the last, and when
 * the reader waits for more than the peer thinks it may send.  Owner.
 */
bool glass_credit_update_due(const struct glass_credit *c, size_t wanted);

#endif /* GLASS_CREDIT_H */

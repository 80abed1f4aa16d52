/* SPDX-License-Identifier: GPL-2.0-only */
/* What those who send streams and those who send messages share. */
#ifndef GLASS_TX_H
#define GLASS_TX_H

#include "glass.h"

/* Bytes that send() would take now.  Any context. */
u32 glass_tx_room(const struct sock *sk);

/* Whether what was refused last, or any byte, can be sent now.  Any context. */
bool glass_tx_writable(const struct sock *sk);

/* Whether nothing can be sent, ever, and why.  Takes sk_err.  Locked. */
bool glass_tx_broken(const struct sock *sk);
int glass_tx_error(struct sock *sk);

/**
 * glass_tx_wait - wait until there is room
 * @len: bytes that have to fit at once: a message, or one of a stream
 * @timeo: how long at most, jiffies; what is left of it afterwards
 *
 * Owned by the calling process; sleeps, and lets go of the socket meanwhile.
 * Returns 0 when it is worth to look again, -EAGAIN, or that of a signal.
 */
int glass_tx_wait(struct sock *sk, u32 len, long *timeo);

/* One call of sendmsg(). */
struct glass_tx {
	struct sock *sk;
	struct msghdr *msg;
	struct ubuf_info *uarg;	/* to be told when its memory is free again */
	bool by_page;		/* the program's pages, not copies of them */
	struct sk_buff_head packets;	/* made, and not sent */
};

/**
 * glass_tx_sendmsg - struct proto_ops' sendmsg
 * @send: sends what is left of the call's msg, waiting up to a time (jiffies);
 *	  owned by the calling process
 *
 * Returns what @send does, or an errno.  May sleep.
 */
int glass_tx_sendmsg(struct socket *sock, struct msghdr *msg,
		     int (*send)(struct glass_tx *tx, long timeo));

/**
 * glass_tx_fill - make packets of the next bytes of a call
 * @len: bytes, at most what is left of the call
 * @one: a single packet of as many of them as it holds is enough
 *
 * Owned by the calling process; may sleep.  Returns the bytes in the packets;
 * or, with no packet made and nothing taken of the call, -EFAULT or -ENOMEM.
 */
int glass_tx_fill(struct glass_tx *tx, size_t len, bool one);

/**
 * glass_tx_send - send the packets of a call
 * @flags: of the last one, GLASS_SEQ_...
 * @more: others follow at once
 *
 * Owned by the calling process.  Returns false, and the connection has ended,
 * if its carrier is gone.
 */
bool glass_tx_send(struct glass_tx *tx, u32 flags, bool more);

/* pages.c: glass_tx_fill() by reference.  Takes the bytes that it returns. */
int glass_tx_fill_pages(struct glass_tx *tx, size_t len);

#endif /* GLASS_TX_H */

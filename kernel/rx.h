/* SPDX-License-Identifier: GPL-2.0-only */
/* What those who receive streams and those who receive messages share. */
#ifndef GLASS_RX_H
#define GLASS_RX_H

#include "glass.h"

/*
 * Whether there is something to read: any byte of a stream, or a message that
 * is complete.  Any context.
 */
static inline bool glass_rx_readable(const struct sock *sk)
{
	if (sk->sk_type == SOCK_SEQPACKET)
		return READ_ONCE(glass_sk(sk)->rx_messages);
	return !skb_queue_empty_lockless(&sk->sk_receive_queue);
}

/* Bytes that can be read, but for those of a message to come.  Any context. */
static inline u32 glass_rx_bytes(const struct sock *sk)
{
	const struct glass_credit *c = &glass_sk(sk)->credit;
	u32 message = READ_ONCE(c->rx_message);
	u32 queued = glass_credit_rx_queued(c);

	/* What was shut down is thrown away before its end has come. */
	return queued > message ? queued - message : 0;
}

/**
 * glass_rx_recvmsg - struct proto_ops' recvmsg
 * @recv: takes up to @len bytes; owned by the calling process
 *
 * Returns what @recv does, or an errno.  May sleep.
 */
int glass_rx_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
		     int flags,
		     int (*recv)(struct sock *sk, struct msghdr *msg,
				 size_t len, int flags));

/**
 * glass_rx_wait - nothing more is there: wait for it
 * @got: bytes that this call has already
 * @timeo: how long at most, jiffies; what is left of it afterwards
 *
 * Returns 1 to look again, 0 for the end (or, after @got bytes, for what the
 * next call will say), or an errno.  Owned by the calling process; sleeps.
 */
int glass_rx_wait(struct sock *sk, size_t got, long *timeo);

/*
 * Tell the peer, if it should hear, of what was read; the reader is about to
 * wait for @wanted bytes.  Owned by the calling process; may sleep.
 */
void glass_rx_tell(struct sock *sk, size_t wanted);

/* Forget what was received and not read.  Owned by the calling process. */
void glass_rx_purge(struct sock *sk);

#endif /* GLASS_RX_H */

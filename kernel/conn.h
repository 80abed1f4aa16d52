/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state machine of a connection: what each packet does in each state, and
 * the timers.
 *
 * "Locked" below means the socket lock: lock_sock(), or the spin lock while no
 * process owns the socket.  Nothing that sends may be called with the spin
 * lock held; functions that run under it return whether a reset is owed, for
 * the caller to send after unlocking.
 */
#ifndef GLASS_CONN_H
#define GLASS_CONN_H

#include "glass.h"

/* How long a closed connection waits for the peer's reset, as stock does. */
#define GLASS_CLOSE_TIMEOUT	(8 * HZ)

/* How often a sender asks for credit, backed off. */
#define GLASS_PROBE_MIN		(HZ / 5)
#define GLASS_PROBE_MAX		(8 * HZ)

/* Make the connection part of a new socket.  Nobody else knows it yet. */
void glass_conn_init(struct glass_sock *gs);

/* Locked. */
void glass_set_state(struct sock *sk, int state,
		     enum glass_vsock_reason reason);

/**
 * glass_conn_start - begin to connect
 *
 * The socket is bound; peer address and transport are set.  Owned by the
 * calling process; may sleep.  -ENOMEM, -ENODEV, -EADDRINUSE, -ENOBUFS.
 */
int glass_conn_start(struct sock *sk);

/* The peer accepted: wake who connects.  Locked. */
void glass_conn_established(struct sock *sk);

/*
 * Give up connecting: the state is CLOSED, a new attempt may follow.  @err is
 * positive.  glass_conn_fail() leaves it in sk_err, for the program to find.
 * Locked.
 */
void glass_conn_cancel(struct sock *sk, int err, enum glass_vsock_reason reason);
void glass_conn_fail(struct sock *sk, int err, enum glass_vsock_reason reason);

/*
 * The connection is over: readers get what is queued, then the end of the
 * file.  The caller holds a reference.  Locked.
 */
void glass_conn_end(struct sock *sk, enum glass_vsock_reason reason);

/**
 * glass_conn_abort - end whatever the socket does, not by its program's wish
 * @err: positive: what the program is told
 *
 * Tells the peer.  A listener's children are left to the caller.  Owned by the
 * calling process; may sleep.
 */
void glass_conn_abort(struct sock *sk, int err, enum glass_vsock_reason reason);

/**
 * glass_conn_close - the program closed a connection
 *
 * Tells the peer.  If the peer has something to say to it, the state is
 * CLOSING and the close timer runs, else CLOSED.  Owned by the calling
 * process; may sleep.
 */
void glass_conn_close(struct sock *sk);

/*
 * Make a control packet, or a reset for @reason, with the addresses of the
 * connection as they are now: for the caller to send without the spin lock.
 * NULL, counted, if memory is short.  Locked.
 */
struct sk_buff *glass_conn_make(struct sock *sk, u8 op, u32 flags);
struct sk_buff *glass_conn_make_reset(struct sock *sk,
				      enum glass_vsock_reason reason);

/*
 * Make and send: a SHUTDOWN for @how (RCV_SHUTDOWN, SEND_SHUTDOWN), what was
 * read, a reset.  Owned, or of a connection that nobody else can change; not
 * with the spin lock.
 */
void glass_conn_send_shutdown(struct sock *sk, int how);
void glass_conn_send_credit(struct sock *sk);
void glass_conn_send_reset(struct sock *sk, enum glass_vsock_reason reason);

/*
 * Whether to ask the peer for credit for @len bytes: there is not enough, and
 * it may not tell by itself, because it waits for a message to end, or does not
 * know that our own buffer stops us before its own is full.  Any context.
 */
bool glass_conn_should_ask(const struct sock *sk, u32 len);

/**
 * glass_conn_ask_credit - ask, if glass_conn_should_ask()
 *
 * Not again before there is news.  Context as for the functions above.
 */
void glass_conn_ask_credit(struct sock *sk, u32 len);

/*
 * While what a sender was refused is not granted, ask for it again and again:
 * news may have been lost, or a peer be slow to tell.  Owned.
 */
void glass_conn_probe_credit(struct sock *sk);

/*
 * The reader has taken all there was.  If the peer closed, so do we: it waits
 * for our reset.  Owned by the calling process.
 */
void glass_conn_drained(struct sock *sk);

/* Drop what a dead socket holds: queue, names.  Locked, with a reference. */
void glass_sock_destroy(struct sock *sk);

/* Fill in the header of a packet of this socket.  Locked or owned. */
void glass_conn_header(struct sock *sk, struct sk_buff *skb, u8 op, u32 flags);

/*
 * A program was refused, or waits, for lack of room: wake it when that
 * changes.  Look again after the call.  Any context.
 */
static inline void glass_tx_wants_room(struct glass_sock *gs)
{
	WRITE_ONCE(gs->tx_waiting, true);
	smp_mb();	/* before looking again: pairs with glass_write_space() */
}

/*
 * sk_write_space: there may be room for who waits for it.  The kernel calls
 * this for each packet that the device is done with; nobody is woken who was
 * not refused.  Any context.
 */
void glass_write_space(struct sock *sk);

/* struct proto's hooks: rcv.c and conn.c. */
int glass_backlog_rcv(struct sock *sk, struct sk_buff *skb);
void glass_release_cb(struct sock *sk);

#endif /* GLASS_CONN_H */

// SPDX-License-Identifier: GPL-2.0-only
/* What poll() shows of a socket.  Without its lock: who wakes changed first. */

#include "conn.h"
#include "listen.h"
#include "rx.h"
#include "socket.h"
#include "stream.h"
#include "tx.h"

/* A message is enough; of a stream as much as SO_RCVLOWAT says. */
static bool poll_readable(const struct sock *sk)
{
	return glass_rx_readable(sk) && !(sk->sk_shutdown & RCV_SHUTDOWN) &&
	       (sk->sk_type == SOCK_SEQPACKET ||
		glass_credit_rx_queued(&glass_sk(sk)->credit) >=
		glass_stream_rcvlowat(sk));
}

static __poll_t poll_connected(struct sock *sk)
{
	__poll_t mask = 0;

	if (poll_readable(sk))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(sk->sk_state) != GLASS_VSOCK_ESTABLISHED ||
	    sk->sk_shutdown & SEND_SHUTDOWN)
		return mask;
	if (!glass_tx_writable(sk)) {
		/* Whoever makes room after this call wakes us. */
		sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
		glass_tx_wants_room(glass_sk(sk));
		if (!glass_tx_writable(sk))
			return mask;
	}
	return mask | EPOLLOUT | EPOLLWRNORM;
}

__poll_t glass_socket_poll(struct file *file, struct socket *sock,
			   poll_table *table)
{
	struct sock *sk = sock->sk;
	struct glass_sock *gs = glass_sk(sk);
	u8 state, peer;
	__poll_t mask;

	sock_poll_wait(file, sock, table);
	state = READ_ONCE(sk->sk_state);
	smp_rmb();	/* before sk_err: pairs with glass_conn_fail() */
	peer = READ_ONCE(gs->peer_shutdown);
	if (state == GLASS_VSOCK_LISTEN)
		return glass_listen_has_child(sk) ? EPOLLIN | EPOLLRDNORM : 0;

	mask = poll_connected(sk);
	if (!skb_queue_empty_lockless(&sk->sk_error_queue))
		mask |= EPOLLERR;
	if (sk->sk_err)
		mask |= EPOLLERR | EPOLLIN | EPOLLRDNORM;
	if (sk->sk_shutdown & RCV_SHUTDOWN || peer & SEND_SHUTDOWN)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (sk->sk_shutdown == SHUTDOWN_MASK ||
	    (sk->sk_shutdown & SEND_SHUTDOWN && peer & SEND_SHUTDOWN) ||
	    sock_flag(sk, SOCK_DONE))
		mask |= EPOLLHUP;
	/* Nothing to wait for: a send fails at once. */
	if (state == GLASS_VSOCK_CLOSED || peer & RCV_SHUTDOWN ||
	    sk->sk_shutdown & SEND_SHUTDOWN)
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

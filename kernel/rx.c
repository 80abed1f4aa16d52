// SPDX-License-Identifier: GPL-2.0-only
/* What those who receive streams and those who receive messages share. */

#include <linux/errqueue.h>
#include <net/busy_poll.h>

#include "compat.h"
#include "conn.h"
#include "rx.h"

void glass_rx_tell(struct sock *sk, size_t wanted)
{
	struct glass_sock *gs = glass_sk(sk);

	if (sk->sk_state != GLASS_VSOCK_ESTABLISHED)
		return;
	smp_mb();	/* after reading: pairs with credit_asked() */
	if (READ_ONCE(gs->credit_asked))
		WRITE_ONCE(gs->credit_asked, false);
	else if (!glass_credit_update_due(&gs->credit, wanted))
		return;
	glass_conn_send_credit(sk);
}

int glass_rx_wait(struct sock *sk, size_t got, long *timeo)
{
	if (sk->sk_err)
		return got ? 0 : sock_error(sk);
	if (sk->sk_shutdown & RCV_SHUTDOWN || sock_flag(sk, SOCK_DONE) ||
	    glass_sk(sk)->peer_shutdown & SEND_SHUTDOWN)
		return 0;
	if (sk->sk_state != GLASS_VSOCK_ESTABLISHED)
		return -ENOTCONN;
	if (!*timeo)
		return -EAGAIN;
	if (signal_pending(current))
		return sock_intr_errno(*timeo);
	glass_rx_tell(sk, 1);
	sk_wait_data(sk, timeo, skb_peek_tail(&sk->sk_receive_queue));
	return 1;
}

void glass_rx_purge(struct sock *sk)
{
	struct sk_buff *skb;

	WRITE_ONCE(glass_sk(sk)->rx_messages, 0);
	while ((skb = __skb_dequeue(&sk->sk_receive_queue))) {
		glass_credit_consumed(&glass_sk(sk)->credit,
				      GLASS_CB(skb)->len);
		kfree_skb(skb);
	}
}

int glass_rx_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
		     int flags,
		     int (*recv)(struct sock *sk, struct msghdr *msg,
				 size_t len, int flags))
{
	struct sock *sk = sock->sk;
	int n;

	if (unlikely(flags & MSG_ERRQUEUE))
		return sock_recv_errqueue(sk, msg, len, SOL_VSOCK,
					  VSOCK_RECVERR);
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (sk_can_busy_loop(sk) && !glass_rx_readable(sk) &&
	    READ_ONCE(sk->sk_state) == GLASS_VSOCK_ESTABLISHED)
		sk_busy_loop(sk, flags & MSG_DONTWAIT);

	lock_sock(sk);
	n = recv(sk, msg, len, flags);
	release_sock(sk);
	return n;
}

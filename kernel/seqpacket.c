// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sending and receiving on SOCK_SEQPACKET.
 *
 * A message is sent when all of it fits into the peer's buffer, and not before.
 * So nothing of it is on its way if the call fails, messages of two threads
 * never mix, and no half message can fill a buffer that waits for its rest.
 */

#include "conn.h"
#include "queue.h"
#include "rx.h"
#include "seqpacket.h"
#include "transport.h"
#include "tx.h"

/* Send */

static int wait_for_credit(struct sock *sk, size_t len, long *timeo)
{
	int err = 0;

	while (!err) {
		err = glass_tx_error(sk);
		if (err)
			break;
		if (len > glass_credit_tx_window(&glass_sk(sk)->credit))
			return -EMSGSIZE;
		if (len <= glass_tx_room(sk))
			return 0;
		err = glass_tx_wait(sk, len, timeo);
	}
	return err;
}

static int seqpacket_send(struct glass_tx *tx, long timeo)
{
	size_t len = msg_data_left(tx->msg);
	u32 flags = GLASS_SEQ_EOM;
	int err;

	/* There is no packet for it (virtio 1.2, section 5.10.6.6). */
	if (!len)
		return 0;
	err = wait_for_credit(tx->sk, len, &timeo);
	if (err)
		return err;
	err = glass_tx_fill(tx, len, false);
	if (err < 0)
		return err;
	if (tx->msg->msg_flags & MSG_EOR)
		flags |= GLASS_SEQ_EOR;
	return glass_tx_send(tx, flags, false) ? (int)len :
						 glass_tx_error(tx->sk);
}

int glass_seqpacket_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	return glass_tx_sendmsg(sock, msg, seqpacket_send);
}

/* Receive */

/* Copy up to @size bytes of the first message.  Sets its length and flags. */
static int copy_message(struct sock *sk, struct msghdr *msg, size_t size,
			size_t *len, u32 *flags)
{
	struct glass_part part;
	struct sk_buff *skb;
	int err = 0;

	*len = 0;
	skb_queue_walk(&sk->sk_receive_queue, skb) {
		u32 offset = GLASS_CB(skb)->offset;

		while (glass_queue_part(skb, offset, &part)) {
			size_t n = min_t(size_t, part.len,
					 size - min(size, *len));

			if (n && !err)
				err = skb_copy_datagram_msg(skb, part.start,
							    msg, n);
			*len += part.len;
			*flags = part.flags;
			if (part.flags & GLASS_SEQ_EOM)
				return err;
			offset = part.next;
		}
	}
	WARN_ON_ONCE(1);	/* rx_messages counts those that end */
	return err;
}

/* Take the parts of the first message that are in this buffer. */
static bool drop_parts(struct sk_buff *skb)
{
	struct glass_cb *cb = GLASS_CB(skb);
	struct glass_part part;

	while (glass_queue_part(skb, cb->offset, &part)) {
		cb->offset = part.next;
		cb->len -= part.len;
		if (part.flags & GLASS_SEQ_EOM)
			return true;
	}
	return false;
}

static void drop_message(struct sock *sk, size_t len)
{
	struct glass_sock *gs = glass_sk(sk);
	struct sk_buff *skb;
	bool ended = false;

	while (!ended && (skb = skb_peek(&sk->sk_receive_queue))) {
		ended = drop_parts(skb);
		if (GLASS_CB(skb)->offset == skb->len) {
			__skb_unlink(skb, &sk->sk_receive_queue);
			consume_skb(skb);
		}
	}
	WRITE_ONCE(gs->rx_messages, gs->rx_messages - 1);
	glass_credit_consumed(&gs->credit, len);
}

static int recv_message(struct sock *sk, struct msghdr *msg, size_t size,
			int flags)
{
	size_t len;
	u32 how;
	int err;

	err = copy_message(sk, msg, size, &len, &how);
	/* What cannot be copied is lost all the same: as stock does. */
	if (!(flags & MSG_PEEK)) {
		drop_message(sk, len);
		glass_rx_tell(sk, 1);
		if (!glass_rx_readable(sk))
			glass_conn_drained(sk);
	}
	if (err)
		return err;
	if (how & GLASS_SEQ_EOR)
		msg->msg_flags |= MSG_EOR;
	if (len > size)
		msg->msg_flags |= MSG_TRUNC;
	return flags & MSG_TRUNC ? len : min(len, size);
}

static int seqpacket_recv(struct sock *sk, struct msghdr *msg, size_t size,
			  int flags)
{
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	int n;

	if (!size)
		return 0;	/* and the message stays, as with stock */
	for (;;) {
		if (!(sk->sk_shutdown & RCV_SHUTDOWN) && glass_rx_readable(sk))
			return recv_message(sk, msg, size, flags);
		n = glass_rx_wait(sk, 0, &timeo);
		if (n <= 0)
			return n;
	}
}

int glass_seqpacket_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
			    int flags)
{
	return glass_rx_recvmsg(sock, msg, len, flags, seqpacket_recv);
}

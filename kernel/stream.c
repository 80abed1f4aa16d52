// SPDX-License-Identifier: GPL-2.0-only
/* Sending and receiving on SOCK_STREAM. */

#include <linux/fs.h>
#include <linux/splice.h>

#include "compat.h"
#include "conn.h"
#include "rx.h"
#include "stream.h"
#include "transport.h"
#include "tx.h"

/* Send */

/* Returns the bytes sent, 0 if sk_err says why there are none, or an errno. */
static int send_some(struct glass_tx *tx, u32 room)
{
	size_t len = min_t(size_t, room, msg_data_left(tx->msg));
	int n;

	/* A zero-copy call is refused whole if a part of it is not there. */
	n = glass_tx_fill(tx, len, !(tx->uarg && tx->by_page));
	if (n < 0)
		return n;
	return glass_tx_send(tx, 0, msg_data_left(tx->msg)) ? n : 0;
}

static int stream_send(struct glass_tx *tx, long timeo)
{
	struct sock *sk = tx->sk;
	int sent = 0;
	int err = 0;
	u32 room;

	while (msg_data_left(tx->msg)) {
		if (glass_tx_broken(sk)) {
			/* After part of it, the next call says why. */
			err = sent ? 0 : glass_tx_error(sk);
			break;
		}
		room = glass_tx_room(sk);
		err = room ? send_some(tx, room) : glass_tx_wait(sk, 1, &timeo);
		if (err < 0)
			break;
		sent += err;
	}
	/* All of it was made into a packet, and that had no way. */
	if (!sent && !err)
		err = glass_tx_error(sk);
	if (sent && msg_data_left(tx->msg))
		glass_sk(sk)->transport->flush();
	return sent ?: err;
}

int glass_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	int err = glass_tx_sendmsg(sock, msg, stream_send);

	if (err == -EPIPE && !(msg->msg_flags & MSG_NOSIGNAL))
		send_sig(SIGPIPE, current, 0);
	return err;
}

/* Receive */

/* Move up to @len bytes from the queue to the program. */
static int take(struct sock *sk, struct msghdr *msg, size_t len)
{
	struct sk_buff *skb;
	size_t taken = 0;
	int err = 0;

	while (taken < len && (skb = skb_peek(&sk->sk_receive_queue))) {
		struct glass_cb *cb = GLASS_CB(skb);
		size_t n = min_t(size_t, len - taken, skb->len - cb->offset);

		err = skb_copy_datagram_msg(skb, cb->offset, msg, n);
		if (err)
			break;
		cb->offset += n;
		cb->len -= n;
		taken += n;
		if (cb->offset == skb->len) {
			__skb_unlink(skb, &sk->sk_receive_queue);
			consume_skb(skb);
		}
	}
	glass_credit_consumed(&glass_sk(sk)->credit, taken);
	return taken ?: err;
}

/* Copy up to @len bytes that follow the first @skip ones, and leave them. */
static int peek(struct sock *sk, struct msghdr *msg, size_t skip, size_t len)
{
	struct sk_buff *skb;
	size_t seen = 0;

	skb_queue_walk(&sk->sk_receive_queue, skb) {
		struct glass_cb *cb = GLASS_CB(skb);
		size_t left = skb->len - cb->offset;
		size_t n;

		if (skip >= left) {
			skip -= left;
			continue;
		}
		n = min(len - seen, left - skip);
		if (skb_copy_datagram_msg(skb, cb->offset + skip, msg, n))
			return seen ?: -EFAULT;
		skip = 0;
		seen += n;
		if (seen == len)
			break;
	}
	return seen;
}

u32 glass_stream_rcvlowat(const struct sock *sk)
{
	return min_t(u32, READ_ONCE(sk->sk_rcvlowat) ?: 1,
		     glass_rx_window(glass_sk(sk)));
}

/* Who polls waits for so much, which the peer has to be able to send. */
static void tell_credit_for_poll(struct sock *sk)
{
	u32 queued = glass_credit_rx_queued(&glass_sk(sk)->credit);
	u32 lowat = glass_stream_rcvlowat(sk);

	glass_rx_tell(sk, lowat > queued ? lowat - queued : 0);
}

int glass_stream_set_rcvlowat(struct sock *sk, int val)
{
	WRITE_ONCE(sk->sk_rcvlowat, val ?: 1);
	tell_credit_for_poll(sk);
	sk->sk_data_ready(sk);
	return 0;
}

/* The program has something of the queue. */
static void taken(struct sock *sk)
{
	tell_credit_for_poll(sk);
	if (!glass_rx_readable(sk))
		glass_conn_drained(sk);
}

static int stream_recv(struct sock *sk, struct msghdr *msg, size_t len,
		       int flags)
{
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	size_t target = sock_rcvlowat(sk, flags & MSG_WAITALL, len);
	size_t got = 0;
	int n = 0;

	/* What is only looked at gives the peer no credit to send more. */
	if (flags & MSG_PEEK)
		target = min_t(size_t, target, glass_rx_window(glass_sk(sk)));

	while (got < len) {
		n = 0;
		if (!(sk->sk_shutdown & RCV_SHUTDOWN))
			n = flags & MSG_PEEK ? peek(sk, msg, got, len - got) :
					       take(sk, msg, len - got);
		if (n > 0)
			got += n;
		if (n < 0 || got >= target)
			break;
		/* After a part of it an error is found by looking again. */
		if (!n)
			n = glass_rx_wait(sk, got, &timeo);
		if (n <= 0)
			break;
	}
	if (!got)
		return len ? n : 0;
	if (!(flags & MSG_PEEK))
		taken(sk);
	return got;
}

int glass_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
			 int flags)
{
	return glass_rx_recvmsg(sock, msg, len, flags, stream_recv);
}

/* Splice: pages, not copies of them. */

/* The pages of a zero-copy send are its sender's again once the skb is gone. */
static int splice_some(struct sock *sk, struct pipe_inode_info *pipe,
		       size_t len, unsigned int flags)
{
	struct sk_buff *skb = skb_peek(&sk->sk_receive_queue);
	struct glass_cb *cb;
	int n;

	if (!skb || sk->sk_shutdown & RCV_SHUTDOWN)
		return 0;
	if (skb_orphan_frags_rx(skb, sk->sk_allocation))
		return -ENOMEM;
	cb = GLASS_CB(skb);
	n = skb_splice_bits(skb, sk, cb->offset, pipe,
			    min_t(size_t, len, skb->len - cb->offset), flags);
	if (n <= 0)
		return n ?: -EAGAIN;
	cb->offset += n;
	cb->len -= n;
	if (cb->offset == skb->len) {
		__skb_unlink(skb, &sk->sk_receive_queue);
		consume_skb(skb);
	}
	glass_credit_consumed(&glass_sk(sk)->credit, n);
	return n;
}

static int splice_locked(struct sock *sk, struct pipe_inode_info *pipe,
			 size_t len, long timeo, unsigned int flags)
{
	int n;

	while (!(n = splice_some(sk, pipe, len, flags))) {
		n = glass_rx_wait(sk, 0, &timeo);
		if (n <= 0)
			return n;
	}
	if (n > 0)
		taken(sk);
	return n;
}

ssize_t glass_stream_splice_read(struct socket *sock, loff_t *ppos,
				 struct pipe_inode_info *pipe, size_t len,
				 unsigned int flags)
{
	bool nonblock = sock->file->f_flags & O_NONBLOCK ||
			flags & SPLICE_F_NONBLOCK;
	struct sock *sk = sock->sk;
	ssize_t n;

	if (!len)
		return 0;
	lock_sock(sk);
	n = splice_locked(sk, pipe, len, sock_rcvtimeo(sk, nonblock), flags);
	release_sock(sk);
	return n;
}

ssize_t glass_stream_sendpage(struct socket *sock, struct page *page,
			      int offset, size_t size, int flags)
{
	struct msghdr msg = {
		.msg_flags = flags | GLASS_MSG_SPLICE_PAGES,
	};
	struct bio_vec bvec = {
		.bv_page = page,
		.bv_len = size,
		.bv_offset = offset,
	};

	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, &bvec, 1, size);
	return glass_stream_sendmsg(sock, &msg, size);
}

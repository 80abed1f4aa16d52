// SPDX-License-Identifier: GPL-2.0-only
/* Sending and receiving on SOCK_STREAM. */

#include "conn.h"
#include "stats.h"
#include "stream.h"
#include "transport.h"

/* Payload up to this size is copied behind the header, more goes to a page. */
#define LINEAR_MAX	SKB_MAX_HEAD(GLASS_HDR_LEN)

/* The payload of a packet is one piece of memory: a page of this size. */
#define PACKET_MAX	SZ_32K

/* Send */

static bool device_queue_full(const struct sock *sk)
{
	return sk_wmem_alloc_get(sk) >= READ_ONCE(sk->sk_sndbuf);
}

u32 glass_stream_tx_room(const struct sock *sk)
{
	return device_queue_full(sk) ? 0 :
	       glass_credit_tx_free(&glass_sk(sk)->credit);
}

static bool tx_broken(const struct sock *sk)
{
	return sk->sk_err || sk->sk_shutdown & SEND_SHUTDOWN ||
	       glass_sk(sk)->peer_shutdown & RCV_SHUTDOWN ||
	       sk->sk_state != GLASS_VSOCK_ESTABLISHED;
}

/* Why nothing can be sent, ever, or 0.  Takes sk_err.  Locked. */
static int tx_error(struct sock *sk)
{
	if (!tx_broken(sk))
		return 0;
	if (sk->sk_err)
		return sock_error(sk);
	if (sk->sk_shutdown & SEND_SHUTDOWN || sock_flag(sk, SOCK_DONE) ||
	    glass_sk(sk)->peer_shutdown & RCV_SHUTDOWN)
		return -EPIPE;
	return -ENOTCONN;
}

/* One sender's wait; several may wait on one socket. */
struct stall {
	u64 since_ns;
	enum glass_vsock_cause cause;
};

static struct stall stall_begin(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);
	struct stall stall = {
		.since_ns = ktime_get_ns(),
		.cause = device_queue_full(sk) ?
			 GLASS_VSOCK_STALL_DEVICE_QUEUE :
			 GLASS_VSOCK_STALL_PEER_CREDIT,
	};

	gs->stalls[stall.cause]++;
	if (stall.cause == GLASS_VSOCK_STALL_DEVICE_QUEUE)
		glass_count(stalls_device_queue);
	else
		glass_count(stalls_peer_credit);
	if (!gs->stalled++) {
		gs->stall_cause = stall.cause;
		WRITE_ONCE(gs->stall_ns, stall.since_ns);
	}
	return stall;
}

static void stall_end(struct sock *sk, const struct stall *stall)
{
	struct glass_sock *gs = glass_sk(sk);
	u64 ns = ktime_get_ns() - stall->since_ns;

	if (stall->cause == GLASS_VSOCK_STALL_DEVICE_QUEUE)
		glass_count_add(stalled_ns_device_queue, ns);
	else
		glass_count_add(stalled_ns_peer_credit, ns);
	if (!--gs->stalled)
		WRITE_ONCE(gs->stall_ns, 0);
}

/* Sleep until there may be room.  Returns 0 or why to stop sending. */
static int wait_for_room(struct sock *sk, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct stall stall;
	int err = 0;

	glass_tx_wants_room(glass_sk(sk));
	if (glass_stream_tx_room(sk))
		return 0;
	sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	if (!*timeo)
		return -EAGAIN;

	glass_sk(sk)->transport->flush();
	stall = stall_begin(sk);
	add_wait_queue(sk_sleep(sk), &wait);
	while (!tx_broken(sk) && !glass_stream_tx_room(sk)) {
		if (!*timeo)
			err = -EAGAIN;
		else if (signal_pending(current))
			err = sock_intr_errno(*timeo);
		if (err)
			break;
		sk_wait_event(sk, timeo,
			      tx_broken(sk) || glass_stream_tx_room(sk), &wait);
		glass_tx_wants_room(glass_sk(sk));
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	stall_end(sk, &stall);
	return err;
}

static int fill_linear(struct sk_buff *skb, struct msghdr *msg, u32 len)
{
	if (!copy_from_iter_full(skb_put(skb, len), len, &msg->msg_iter))
		return -EFAULT;
	return 0;
}

/* Takes what is left of the process's page, or of a new one. */
static int fill_page(struct sock *sk, struct sk_buff *skb, struct msghdr *msg,
		     u32 len)
{
	struct page_frag *frag = sk_page_frag(sk);
	size_t copied;

	if (!skb_page_frag_refill(len, frag, sk->sk_allocation))
		return -ENOMEM;
	len = min(len, frag->size - frag->offset);
	copied = copy_page_from_iter(frag->page, frag->offset, len,
				     &msg->msg_iter);
	if (copied < len) {
		iov_iter_revert(&msg->msg_iter, copied);
		return -EFAULT;
	}
	get_page(frag->page);
	skb_add_rx_frag(skb, 0, frag->page, frag->offset, len, len);
	frag->offset += len;
	return 0;
}

static struct sk_buff *make_packet(struct sock *sk, struct msghdr *msg, u32 len)
{
	bool linear = len <= LINEAR_MAX;
	struct sk_buff *skb;
	int err;

	skb = alloc_skb(GLASS_HDR_LEN + (linear ? len : 0), sk->sk_allocation);
	if (!skb) {
		glass_count(alloc_failures);
		return ERR_PTR(-ENOMEM);
	}
	skb_reserve(skb, GLASS_HDR_LEN);
	err = linear ? fill_linear(skb, msg, len) :
		       fill_page(sk, skb, msg, min_t(u32, len, PACKET_MAX));
	if (err) {
		kfree_skb(skb);
		return ERR_PTR(err);
	}
	glass_conn_header(sk, skb, GLASS_VSOCK_OP_RW, 0);
	return skb;
}

/* Send one packet.  Returns the bytes in it, 0 if sk_err says why not, or an errno. */
static int send_packet(struct sock *sk, struct msghdr *msg, u32 room)
{
	struct glass_sock *gs = glass_sk(sk);
	struct sk_buff *skb;
	u32 len;
	int err;

	skb = make_packet(sk, msg, min_t(size_t, room, msg_data_left(msg)));
	if (IS_ERR(skb))
		return PTR_ERR(skb);
	/* The packet belongs to its receiver once it is sent. */
	len = skb->len;
	glass_credit_sent(&gs->credit, len);
	gs->tx_bytes += len;
	gs->tx_packets++;
	gs->last_activity = jiffies;
	err = gs->transport->send(sk, skb, msg_data_left(msg));
	if (!err)
		return len;
	/* As whoever took the carrier away is about to do. */
	sk->sk_err = ECONNRESET;
	glass_conn_end(sk, GLASS_VSOCK_R_TRANSPORT_GONE);
	sk_error_report(sk);
	return 0;
}

static int stream_send(struct sock *sk, struct msghdr *msg, long timeo)
{
	int sent = 0;
	int err = 0;
	u32 room;

	while (msg_data_left(msg)) {
		if (tx_broken(sk)) {
			/* After part of it, the next call says why. */
			err = sent ? 0 : tx_error(sk);
			break;
		}
		room = glass_stream_tx_room(sk);
		err = room ? send_packet(sk, msg, room) :
			     wait_for_room(sk, &timeo);
		if (err < 0)
			break;
		sent += err;
	}
	if (sent && msg_data_left(msg))
		glass_sk(sk)->transport->flush();
	return sent ?: err;
}

int glass_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	struct sock *sk = sock->sk;
	int err;

	if (msg->msg_flags & MSG_OOB)
		return -EOPNOTSUPP;

	lock_sock(sk);
	if (msg->msg_namelen)
		err = sk->sk_state == GLASS_VSOCK_ESTABLISHED ? -EISCONN :
								-EOPNOTSUPP;
	else
		err = tx_error(sk);
	if (!err)
		err = stream_send(sk, msg,
				  sock_sndtimeo(sk, msg->msg_flags &
						    MSG_DONTWAIT));
	release_sock(sk);

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

void glass_stream_purge(struct sock *sk)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(&sk->sk_receive_queue))) {
		glass_credit_consumed(&glass_sk(sk)->credit,
				      skb->len - GLASS_CB(skb)->offset);
		kfree_skb(skb);
	}
}

u32 glass_stream_rcvlowat(const struct sock *sk)
{
	return min_t(u32, READ_ONCE(sk->sk_rcvlowat) ?: 1,
		     glass_rx_window(glass_sk(sk)));
}

/* Tell the peer, if it should hear, of what was read. */
static void tell_credit(struct sock *sk, size_t wanted)
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

/* Who polls waits for so much, which the peer has to be able to send. */
static void tell_credit_for_poll(struct sock *sk)
{
	u32 queued = glass_credit_rx_queued(&glass_sk(sk)->credit);
	u32 lowat = glass_stream_rcvlowat(sk);

	tell_credit(sk, lowat > queued ? lowat - queued : 0);
}

int glass_stream_set_rcvlowat(struct sock *sk, int val)
{
	WRITE_ONCE(sk->sk_rcvlowat, val ?: 1);
	tell_credit_for_poll(sk);
	sk->sk_data_ready(sk);
	return 0;
}

/*
 * Nothing more is there.  Returns 1 to look again, 0 for the end of the stream
 * (or, after @got bytes, for what the next call will say), or an errno.
 */
static int wait_for_data(struct sock *sk, size_t got, long *timeo)
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
	tell_credit(sk, 1);
	sk_wait_data(sk, timeo, skb_peek_tail(&sk->sk_receive_queue));
	return 1;
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
			n = wait_for_data(sk, got, &timeo);
		if (n <= 0)
			break;
	}
	if (!got)
		return len ? n : 0;
	if (!(flags & MSG_PEEK)) {
		tell_credit_for_poll(sk);
		if (skb_queue_empty(&sk->sk_receive_queue))
			glass_conn_drained(sk);
	}
	return got;
}

int glass_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
			 int flags)
{
	struct sock *sk = sock->sk;
	int n;

	if (flags & (MSG_OOB | MSG_ERRQUEUE))
		return -EOPNOTSUPP;

	lock_sock(sk);
	n = stream_recv(sk, msg, len, flags);
	release_sock(sk);
	return n;
}

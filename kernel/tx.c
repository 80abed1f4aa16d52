// SPDX-License-Identifier: GPL-2.0-only
/* What those who send streams and those who send messages share. */

#include "compat.h"
#include "conn.h"
#include "stats.h"
#include "transport.h"
#include "tx.h"

/* Payload up to this size is copied behind the header, more goes to a page. */
#define LINEAR_MAX	SKB_MAX_HEAD(GLASS_HDR_LEN)

/* The payload of a packet is one piece of memory: a page of this size. */
#define PACKET_MAX	SZ_32K

/* Spliced parts of this size are never copied, however large the whole. */
#define SPLICE_COPY_MAX	SZ_8K

/* Room */

static bool device_queue_full(const struct sock *sk)
{
	return sk_wmem_alloc_get(sk) >= READ_ONCE(sk->sk_sndbuf);
}

u32 glass_tx_room(const struct sock *sk)
{
	return device_queue_full(sk) ? 0 :
	       glass_credit_tx_free(&glass_sk(sk)->credit);
}

/* What fits never is refused at once: no reason to wait. */
static bool fits(const struct sock *sk, u32 len)
{
	u32 room = glass_tx_room(sk);

	return room && (room >= len ||
			len > glass_credit_tx_window(&glass_sk(sk)->credit));
}

bool glass_tx_writable(const struct sock *sk)
{
	return fits(sk, READ_ONCE(glass_sk(sk)->tx_wanted));
}

bool glass_tx_broken(const struct sock *sk)
{
	return sk->sk_err || sk->sk_shutdown & SEND_SHUTDOWN ||
	       glass_sk(sk)->peer_shutdown & RCV_SHUTDOWN ||
	       sk->sk_state != GLASS_VSOCK_ESTABLISHED;
}

int glass_tx_error(struct sock *sk)
{
	int err;

	if (!glass_tx_broken(sk))
		return 0;
	err = sock_error(sk);
	if (err)
		return err;
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

static void refused(struct sock *sk, u32 len)
{
	WRITE_ONCE(glass_sk(sk)->tx_wanted, len);
	glass_conn_ask_credit(sk, len);
	glass_conn_probe_credit(sk);
}

static int sleep_for_room(struct sock *sk, u32 len, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	add_wait_queue(sk_sleep(sk), &wait);
	for (;;) {
		/* Anew each time: news that is not enough takes it back. */
		glass_tx_wants_room(glass_sk(sk));
		if (glass_tx_broken(sk) || fits(sk, len))
			break;
		if (!*timeo)
			err = -EAGAIN;
		else if (signal_pending(current))
			err = sock_intr_errno(*timeo);
		if (err)
			break;
		refused(sk, len);
		sk_wait_event(sk, timeo, glass_tx_broken(sk) || fits(sk, len),
			      &wait);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

int glass_tx_wait(struct sock *sk, u32 len, long *timeo)
{
	struct stall stall;
	int err;

	glass_tx_wants_room(glass_sk(sk));
	if (fits(sk, len))
		return 0;
	sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	refused(sk, len);
	if (!*timeo)
		return -EAGAIN;

	glass_sk(sk)->transport->flush();
	stall = stall_begin(sk);
	err = sleep_for_room(sk, len, timeo);
	stall_end(sk, &stall);
	return err;
}

/* Packets */

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

/* Returns the bytes in it. */
static int copy_packet(struct glass_tx *tx, size_t len)
{
	bool linear = len <= LINEAR_MAX;
	struct sk_buff *skb;
	int err;

	skb = glass_packet_alloc(linear ? len : 0, tx->sk->sk_allocation);
	if (!skb)
		return -ENOMEM;
	err = linear ? fill_linear(skb, tx->msg, len) :
		       fill_page(tx->sk, skb, tx->msg,
				 min_t(size_t, len, PACKET_MAX));
	if (err) {
		kfree_skb(skb);
		return err;
	}
	__skb_queue_tail(&tx->packets, skb);
	return skb->len;
}

/*
 * What is spliced pins the whole of the memory that it is a part of, which is
 * nobody's: a small part of it is copied.
 */
static bool worth_pages(const struct glass_tx *tx)
{
	const struct iov_iter *from = &tx->msg->msg_iter;
	size_t whole;

	if (!tx->by_page || tx->uarg || !iov_iter_is_bvec(from))
		return tx->by_page;
	whole = page_size(compound_head(from->bvec->bv_page));
	return iov_iter_single_seg_count(from) >=
	       min_t(size_t, whole / 4, SPLICE_COPY_MAX);
}

/* Of @len bytes those to copy: what is behind them may be worth its pages. */
static size_t part(const struct glass_tx *tx, size_t len)
{
	return tx->by_page ?
	       min(len, iov_iter_single_seg_count(&tx->msg->msg_iter)) : len;
}

int glass_tx_fill(struct glass_tx *tx, size_t len, bool one)
{
	size_t filled = 0;
	int n;

	do {
		n = worth_pages(tx) ? glass_tx_fill_pages(tx, len - filled) :
				      copy_packet(tx, part(tx, len - filled));
		if (n < 0) {
			__skb_queue_purge(&tx->packets);
			iov_iter_revert(&tx->msg->msg_iter, filled);
			return n;
		}
		filled += n;
	} while (!one && filled < len);
	return filled;
}

bool glass_tx_send(struct glass_tx *tx, u32 flags, bool more)
{
	struct sock *sk = tx->sk;
	struct glass_sock *gs = glass_sk(sk);
	struct sk_buff *skb;

	gs->last_activity = jiffies;
	WRITE_ONCE(gs->tx_wanted, 0);
	while ((skb = __skb_dequeue(&tx->packets))) {
		/* It belongs to its receiver once it is sent. */
		bool last = skb_queue_empty(&tx->packets);
		u32 len = skb->len;

		glass_conn_header(sk, skb, GLASS_VSOCK_OP_RW, last ? flags : 0);
		glass_credit_sent(&gs->credit, len);
		gs->tx_bytes += len;
		gs->tx_packets++;
		if (gs->transport->send(sk, skb, more || !last))
			goto gone;
	}
	/* Who polls before the next send waits as one that was refused does. */
	if (!more && !glass_credit_tx_free(&gs->credit))
		refused(sk, 1);
	return true;

gone:
	/* As whoever took the carrier away is about to do. */
	__skb_queue_purge(&tx->packets);
	sk->sk_err = ECONNRESET;
	glass_conn_end(sk, GLASS_VSOCK_R_TRANSPORT_GONE);
	sk_error_report(sk);
	return false;
}

/* A call */

static int begin_zerocopy(struct glass_tx *tx)
{
	struct sock *sk = tx->sk;
	struct msghdr *msg = tx->msg;

	if (msg->msg_ubuf) {
		tx->uarg = msg->msg_ubuf;
		net_zcopy_get(tx->uarg);
	} else if (sock_flag(sk, SOCK_ZEROCOPY)) {
		tx->uarg = glass_zerocopy_alloc(sk, msg_data_left(msg));
		if (!tx->uarg)
			return -ENOMEM;
	} else {
		return 0;
	}
	/*
	 * What would have to wait for credit is copied, as with stock.  And a
	 * process cannot end before io_uring has its memory back: that must not
	 * be up to a reader, as the reader may be that process.
	 */
	tx->by_page = msg_data_left(msg) <= glass_tx_room(sk) &&
		      !(msg->msg_ubuf && glass_sk(sk)->transport->to_reader);
	return 0;
}

static int begin(struct glass_tx *tx, struct sock *sk, struct msghdr *msg)
{
	tx->sk = sk;
	tx->msg = msg;
	tx->uarg = NULL;
	tx->by_page = msg->msg_flags & GLASS_MSG_SPLICE_PAGES;
	__skb_queue_head_init(&tx->packets);
	if (unlikely(msg->msg_flags & MSG_ZEROCOPY) && msg_data_left(msg))
		return begin_zerocopy(tx);
	return 0;
}

static void end(struct glass_tx *tx, int sent)
{
	if (likely(!tx->uarg))
		return;
	if (sent <= 0) {
		net_zcopy_put_abort(tx->uarg, true);
		return;
	}
	if (tx->by_page)
		glass_count(zerocopy_sends);
	else
		glass_count(zerocopy_fallbacks);
	glass_zerocopy_complete(tx->uarg, tx->by_page);
}

static int send_locked(struct sock *sk, struct msghdr *msg,
		       int (*send)(struct glass_tx *tx, long timeo))
{
	struct glass_tx tx;
	int err;

	if (msg->msg_namelen)
		return sk->sk_state == GLASS_VSOCK_ESTABLISHED ? -EISCONN :
								 -EOPNOTSUPP;
	err = glass_tx_error(sk);
	if (err)
		return err;
	err = begin(&tx, sk, msg);
	if (err)
		return err;
	err = send(&tx, sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT));
	end(&tx, err);
	return err;
}

int glass_tx_sendmsg(struct socket *sock, struct msghdr *msg,
		     int (*send)(struct glass_tx *tx, long timeo))
{
	int err;

	if (msg->msg_flags & MSG_OOB)
		return -EOPNOTSUPP;
	lock_sock(sock->sk);
	err = send_locked(sock->sk, msg, send);
	release_sock(sock->sk);
	return err;
}

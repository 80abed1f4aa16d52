// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a packet that was received.
 *
 * It arrives in glass_rcv(), in softirq.  Its socket is looked up and locked.
 * What concerns credit is done there and then (packet_arrives()); the rest is
 * done by packet_rcv(), at once or, while a process owns the socket, from its
 * backlog.  So the backlog holds no more data than was granted, and of control
 * packets at most one of each kind.
 */

#include <net/busy_poll.h>

#include "conn.h"
#include "listen.h"
#include "observe.h"
#include "queue.h"
#include "rx.h"
#include "stats.h"
#include "table.h"
#include "trace.h"
#include "transport.h"

#define ARRIVED_SHUTDOWN_SHIFT	1

/* Answers deep, no more credit is asked for: a sender or its timer will. */
#define ASK_DEPTH_MAX		3

static_assert(GLASS_ARRIVED_SHUTDOWN_RCV ==
	      GLASS_SHUTDOWN_RCV << ARRIVED_SHUTDOWN_SHIFT);
static_assert(GLASS_SHUTDOWN_RCV == RCV_SHUTDOWN &&
	      GLASS_SHUTDOWN_SEND == SEND_SHUTDOWN);

/* Data that arrived */

static void queue_data(struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff *tail = skb_peek_tail(&sk->sk_receive_queue);

	if (tail && glass_queue_merge(tail, skb)) {
		consume_skb(skb);
	} else {
		if (tail)
			skb = glass_queue_roomier(skb);
		skb_set_owner_r(skb, sk);
		__skb_queue_tail(&sk->sk_receive_queue, skb);
	}
}

/* Returns whether the sender needs to hear of its credit to go on. */
static bool queue_message(struct sock *sk, struct sk_buff *skb)
{
	struct glass_sock *gs = glass_sk(sk);
	u32 ended = glass_queue_messages(skb);

	queue_data(sk, skb);
	if (!ended)
		return glass_credit_update_due(&gs->credit, 1);
	WRITE_ONCE(gs->rx_messages, gs->rx_messages + ended);
	sk->sk_data_ready(sk);
	return false;
}

/*
 * What a packet does.  Locked; return the operation that is owed for it, for
 * make_answer(), or NOTHING.
 */

#define NOTHING		GLASS_VSOCK_OP_INVALID

static u8 violation(struct sock *sk, struct sk_buff *skb)
{
	enum glass_vsock_reason reason = GLASS_CB(skb)->reason;

	if (sk->sk_state == GLASS_VSOCK_CONNECTING)
		glass_conn_fail(sk, EPROTO, reason);
	else
		glass_conn_end(sk, reason);
	glass_observe_drop(sk, skb, reason);
	return GLASS_VSOCK_OP_RST;
}

static u8 rcv_connecting(struct sock *sk, struct sk_buff *skb)
{
	switch (GLASS_CB(skb)->op) {
	case GLASS_VSOCK_OP_RESPONSE:
		glass_conn_established(sk);
		break;
	case GLASS_VSOCK_OP_RST:
		glass_observe_reset(sk, GLASS_VSOCK_RX,
				    GLASS_VSOCK_R_PEER_RESET);
		glass_conn_fail(sk, ECONNRESET, GLASS_VSOCK_R_PEER_RESET);
		break;
	default:
		GLASS_CB(skb)->reason = GLASS_VSOCK_R_BAD_STATE;
		return violation(sk, skb);
	}
	consume_skb(skb);
	return NOTHING;
}

static u8 rcv_shutdown(struct sock *sk, u32 how)
{
	struct glass_sock *gs = glass_sk(sk);

	WRITE_ONCE(gs->peer_shutdown, gs->peer_shutdown | how);
	if (gs->peer_shutdown == SHUTDOWN_MASK && !glass_rx_readable(sk)) {
		glass_conn_end(sk, GLASS_VSOCK_R_PEER_SHUTDOWN);
		return GLASS_VSOCK_OP_RST;
	}
	sk->sk_state_change(sk);
	return NOTHING;
}

static u8 rcv_data(struct sock *sk, struct sk_buff *skb)
{
	if (sk->sk_shutdown & RCV_SHUTDOWN) {
		glass_credit_consumed(&glass_sk(sk)->credit,
				      GLASS_CB(skb)->len);
		glass_observe_drop(sk, skb, GLASS_VSOCK_R_AFTER_SHUTDOWN);
		return NOTHING;
	}
	if (sk->sk_type == SOCK_SEQPACKET)
		return queue_message(sk, skb) ? GLASS_VSOCK_OP_CREDIT_UPDATE :
						NOTHING;
	queue_data(sk, skb);
	sk->sk_data_ready(sk);
	return NOTHING;
}

static u8 rcv_connected(struct sock *sk, struct sk_buff *skb)
{
	struct glass_cb *cb = GLASS_CB(skb);
	u8 owed = NOTHING;

	switch (cb->op) {
	case GLASS_VSOCK_OP_RW:
		return rcv_data(sk, skb);
	case GLASS_VSOCK_OP_SHUTDOWN:
		owed = rcv_shutdown(sk, cb->flags);
		break;
	case GLASS_VSOCK_OP_RST:
		glass_observe_reset(sk, GLASS_VSOCK_RX,
				    GLASS_VSOCK_R_PEER_RESET);
		glass_conn_end(sk, GLASS_VSOCK_R_PEER_RESET);
		break;
	}
	consume_skb(skb);
	return owed;
}

static u8 packet_rcv(struct sock *sk, struct sk_buff *skb)
{
	bool answered;

	switch (sk->sk_state) {
	case GLASS_VSOCK_CONNECTING:
		if (!GLASS_CB(skb)->reason)
			return rcv_connecting(sk, skb);
		break;
	case GLASS_VSOCK_ESTABLISHED:
	case GLASS_VSOCK_CLOSING:
		if (!GLASS_CB(skb)->reason)
			return rcv_connected(sk, skb);
		break;
	default:
		/* An attempt was given up; who accepts it now must know. */
		answered = GLASS_CB(skb)->op == GLASS_VSOCK_OP_RESPONSE;
		glass_observe_drop(sk, skb, GLASS_VSOCK_R_AFTER_CLOSE);
		return answered ? GLASS_VSOCK_OP_RST : NOTHING;
	}
	return violation(sk, skb);
}

/* NULL if nothing is owed, or memory is short. */
static struct sk_buff *make_answer(struct sock *sk, u8 op)
{
	switch (op) {
	case NOTHING:
		return NULL;
	case GLASS_VSOCK_OP_RST:
		return glass_conn_make_reset(sk, glass_sk(sk)->reason);
	default:
		return glass_conn_make(sk, op, 0);
	}
}

/* A process that owns the socket lets go of it, or waits. */
int glass_backlog_rcv(struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff *answer = make_answer(sk, packet_rcv(sk, skb));

	if (answer)
		glass_sk(sk)->transport->send(sk, answer, false);
	return 0;
}

/* Arrival: under the spin lock, whether or not a process owns the socket. */

enum arrival {
	ARRIVAL_DONE,		/* nothing left to do */
	ARRIVAL_DROP,		/* for the packet's reason */
	ARRIVAL_RCV,		/* packet_rcv() goes on */
};

/* *@answer is set if more is to be asked for. */
static enum glass_vsock_reason credit_arrives(struct sock *sk,
					      const struct glass_cb *cb,
					      u8 *answer)
{
	struct glass_credit *c = &glass_sk(sk)->credit;
	u32 buf_alloc = c->peer_buf_alloc;
	u32 fwd_cnt = c->peer_fwd_cnt;
	enum glass_vsock_reason reason;
	bool ask;

	if (cb->buf_alloc == buf_alloc && cb->fwd_cnt == fwd_cnt)
		return GLASS_VSOCK_R_NONE;
	reason = glass_credit_peer_update(c, cb->buf_alloc, cb->fwd_cnt);
	if (reason == GLASS_VSOCK_R_CREDIT_STALE) {
		glass_count(drops[GLASS_VSOCK_R_CREDIT_STALE]);
		return GLASS_VSOCK_R_NONE;
	}
	if (reason)
		return reason;
	trace_credit(sk, GLASS_VSOCK_TX, glass_credit_tx_free(c),
		     glass_credit_in_flight(c), cb->buf_alloc, cb->fwd_cnt);
	glass_write_space(sk);
	/* In local delivery each question is asked from within an answer. */
	ask = cb->reply < ASK_DEPTH_MAX &&
	      glass_conn_should_ask(sk, READ_ONCE(glass_sk(sk)->tx_wanted));
	/* Set if it is asked at once; others who wait may ask again, too. */
	WRITE_ONCE(glass_sk(sk)->tx_asked, ask);
	if (ask)
		*answer = GLASS_VSOCK_OP_CREDIT_REQUEST;
	return GLASS_VSOCK_R_NONE;
}

static enum glass_vsock_reason data_arrives(struct glass_sock *gs,
					    const struct glass_cb *cb)
{
	if (!cb->len)
		return GLASS_VSOCK_R_EMPTY;
	if (gs->arrived & GLASS_ARRIVED_SHUTDOWN_SEND)
		return GLASS_VSOCK_R_AFTER_SHUTDOWN;
	if (!glass_credit_admit(&gs->credit, cb->len))
		return GLASS_VSOCK_R_CREDIT_EXCEEDED;
	if (cb->type == GLASS_TYPE_SEQPACKET &&
	    !glass_credit_message(&gs->credit, cb->len,
				  cb->flags & GLASS_SEQ_EOM))
		return GLASS_VSOCK_R_MESSAGE_TOO_LONG;
	return GLASS_VSOCK_R_NONE;
}

/* Note control packets; those that add nothing are duplicates. */
static enum glass_vsock_reason control_arrives(struct glass_sock *gs, u8 bits)
{
	if ((gs->arrived & bits) == bits)
		return GLASS_VSOCK_R_DUPLICATE;
	gs->arrived |= bits;
	return GLASS_VSOCK_R_NONE;
}

/* A packet that can be ignored without losing data: anything else resets. */
static bool harmless(enum glass_vsock_reason reason)
{
	return reason == GLASS_VSOCK_R_EMPTY ||
	       reason == GLASS_VSOCK_R_DUPLICATE ||
	       reason == GLASS_VSOCK_R_BAD_OP ||
	       reason == GLASS_VSOCK_R_AFTER_CLOSE;
}

static enum glass_vsock_reason op_arrives(struct glass_sock *gs,
					  const struct glass_cb *cb)
{
	switch (cb->op) {
	case GLASS_VSOCK_OP_RW:
		return data_arrives(gs, cb);
	case GLASS_VSOCK_OP_RESPONSE:
		return control_arrives(gs, GLASS_ARRIVED_RESPONSE);
	case GLASS_VSOCK_OP_SHUTDOWN:
		return control_arrives(gs, cb->flags << ARRIVED_SHUTDOWN_SHIFT);
	case GLASS_VSOCK_OP_RST:
		return control_arrives(gs, GLASS_ARRIVED_END);
	case GLASS_VSOCK_OP_CREDIT_UPDATE:
	case GLASS_VSOCK_OP_CREDIT_REQUEST:
		return GLASS_VSOCK_R_NONE;
	default:
		return GLASS_VSOCK_R_BAD_STATE;
	}
}

/*
 * While nothing was read there is nothing to tell, and a peer that asks again
 * at each answer would keep both of us busy: answer when there is.
 */
static bool nothing_to_tell(const struct glass_credit *c)
{
	return glass_credit_rx_queued(c) && !glass_credit_news(c);
}

/*
 * Returns whether to answer now.  Who asks once more because an answer was not
 * enough does so from within it, in local delivery, and a reader on another CPU
 * has news for as long as there is data: the next read answers that one.
 */
static bool credit_asked(struct glass_sock *gs, const struct glass_cb *cb)
{
	if (!cb->reply && !nothing_to_tell(&gs->credit))
		return true;
	WRITE_ONCE(gs->credit_asked, true);
	smp_mb();	/* before looking again: pairs with glass_rx_tell() */
	return cb->reply ? !glass_credit_rx_queued(&gs->credit) :
			   !nothing_to_tell(&gs->credit);
}

/* *@answer is set to an operation that is owed, or NOTHING. */
static enum arrival packet_arrives(struct sock *sk, struct sk_buff *skb,
				   u8 *answer)
{
	struct glass_sock *gs = glass_sk(sk);
	struct glass_cb *cb = GLASS_CB(skb);

	*answer = NOTHING;
	if (gs->arrived & GLASS_ARRIVED_END)
		cb->reason = GLASS_VSOCK_R_AFTER_CLOSE;
	else if (!cb->reason && cb->type != glass_wire_type(sk))
		cb->reason = GLASS_VSOCK_R_TYPE_MISMATCH;
	/* Who resets a connection may know nothing of it. */
	if (!cb->reason && cb->op != GLASS_VSOCK_OP_RST)
		cb->reason = credit_arrives(sk, cb, answer);
	if (!cb->reason)
		cb->reason = op_arrives(gs, cb);

	gs->last_activity = jiffies;
	sk_mark_napi_id(sk, skb);
	glass_observe_rx(sk, skb);
	if (harmless(cb->reason))
		return ARRIVAL_DROP;
	if (cb->reason) {
		gs->arrived |= GLASS_ARRIVED_END;
		return ARRIVAL_RCV;
	}
	gs->rx_bytes += cb->len;
	gs->rx_packets += cb->op == GLASS_VSOCK_OP_RW;
	if (cb->op == GLASS_VSOCK_OP_CREDIT_REQUEST) {
		/* Our own question says what the answer would. */
		if (*answer == NOTHING && credit_asked(gs, cb))
			*answer = GLASS_VSOCK_OP_CREDIT_UPDATE;
		return ARRIVAL_DONE;
	}
	if (cb->op == GLASS_VSOCK_OP_CREDIT_UPDATE)
		return ARRIVAL_DONE;
	return ARRIVAL_RCV;
}

/*
 * sk_add_backlog() would drop what the peer was granted to send, by the
 * memory it takes.  Credit bounds this queue instead.
 */
static void backlog_add(struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff *tail = sk->sk_backlog.tail;
	bool data = GLASS_CB(skb)->op == GLASS_VSOCK_OP_RW &&
		    !GLASS_CB(skb)->reason;

	if (data && tail && GLASS_CB(tail)->op == GLASS_VSOCK_OP_RW) {
		if (glass_queue_merge(tail, skb)) {
			consume_skb(skb);
			return;
		}
		skb = glass_queue_roomier(skb);
	}
	/* It was granted, so it is not dropped for what memory it is in. */
	skb->pfmemalloc = 0;
	__sk_add_backlog(sk, skb);
	sk->sk_backlog.len += skb->truesize;
}

/* Found without the lock, it may have another connection by now, or none. */
static bool is_for(const struct glass_sock *gs, const struct glass_cb *cb)
{
	const u8 both = GLASS_ARRIVED_RESPONSE | GLASS_ARRIVED_END;

	/* Before there was a connection, and after, it asks for another one. */
	if (cb->op == GLASS_VSOCK_OP_REQUEST &&
	    (gs->arrived & both) != GLASS_ARRIVED_RESPONSE)
		return false;
	return gs->connected &&
	       gs->local_cid == cb->dst_cid && gs->local_port == cb->dst_port &&
	       gs->peer_cid == cb->src_cid && gs->peer_port == cb->src_port;
}

/* Returns the answer to the packet, to be sent after unlocking, or NULL. */
static struct sk_buff *rcv_locked(struct sock *sk, struct sk_buff *skb)
{
	u8 depth = GLASS_CB(skb)->reply;
	struct sk_buff *reply;
	u8 answer, owed;

	switch (packet_arrives(sk, skb, &answer)) {
	case ARRIVAL_RCV:
		if (sock_owned_by_user(sk)) {
			backlog_add(sk, skb);
			break;
		}
		owed = packet_rcv(sk, skb);
		/* Any packet tells our credit; a reset ends it all. */
		if (answer == NOTHING || owed == GLASS_VSOCK_OP_RST)
			answer = owed;
		break;
	case ARRIVAL_DROP:
		glass_observe_drop(sk, skb, GLASS_CB(skb)->reason);
		break;
	case ARRIVAL_DONE:
		consume_skb(skb);
		break;
	}
	reply = make_answer(sk, answer);
	if (reply)
		GLASS_CB(reply)->reply = depth + 1;
	else if (answer == GLASS_VSOCK_OP_CREDIT_REQUEST)
		WRITE_ONCE(glass_sk(sk)->tx_asked, false);
	return reply;
}

/* False, and nothing done, if the packet does not belong to the socket. */
static bool socket_rcv(const struct glass_transport *transport,
		       struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff *answer = NULL;
	bool ours;

	bh_lock_sock(sk);
	ours = is_for(glass_sk(sk), GLASS_CB(skb));
	if (ours)
		answer = rcv_locked(sk, skb);
	bh_unlock_sock(sk);

	if (answer)
		transport->send(sk, answer, false);
	return ours;
}

/* The receive entry */

/* Answer a packet that belongs to no socket, unless it is a reset itself. */
static void reset_sender(const struct glass_transport *transport,
			 const struct glass_cb *to,
			 enum glass_vsock_reason reason)
{
	struct sk_buff *skb;

	if (to->op == GLASS_VSOCK_OP_RST)
		return;
	skb = glass_control_alloc(GFP_ATOMIC);
	if (!skb)
		return;
	*GLASS_CB(skb) = (struct glass_cb) {
		.src_cid = to->dst_cid,
		.src_port = to->dst_port,
		.dst_cid = to->src_cid,
		.dst_port = to->src_port,
		.op = GLASS_VSOCK_OP_RST,
		.type = to->type,
		.reply = true,
	};
	glass_observe_reset_nosk(skb, reason);
	transport->send(NULL, skb, false);
}

static void listener_rcv(const struct glass_transport *transport,
			 struct sk_buff *skb)
{
	struct glass_cb *cb = GLASS_CB(skb);
	struct glass_sock *gs;

	gs = glass_table_find_listener(cb->dst_cid, cb->dst_port);
	if (!gs)
		cb->reason = GLASS_VSOCK_R_NO_LISTENER;
	/* Before the answer, as it happens. */
	glass_observe_rx(NULL, skb);
	if (gs) {
		cb->reason = glass_listen_rcv(&gs->sk, transport, cb);
		sock_put(&gs->sk);
	}
	if (cb->reason) {
		reset_sender(transport, cb, cb->reason);
		glass_observe_drop(NULL, skb, cb->reason);
		return;
	}
	consume_skb(skb);
}

/* A packet that belongs to no socket here. */
static void stray_rcv(const struct glass_transport *transport,
		      struct sk_buff *skb)
{
	struct glass_cb *cb = GLASS_CB(skb);
	bool broken = cb->reason;

	if (!broken)
		cb->reason = GLASS_VSOCK_R_NO_SOCKET;
	glass_observe_rx(NULL, skb);
	/* Virtio 1.2, section 5.10.6.4.2: answer an unknown type, too. */
	if (!broken || cb->reason == GLASS_VSOCK_R_BAD_TYPE)
		reset_sender(transport, cb, cb->reason);
	glass_observe_drop(NULL, skb, cb->reason);
}

static bool connected_rcv(const struct glass_transport *transport,
			  struct sk_buff *skb)
{
	struct glass_cb *cb = GLASS_CB(skb);
	struct glass_sock *gs;
	bool taken;

	gs = glass_table_find_connected(cb->dst_cid, cb->dst_port,
					cb->src_cid, cb->src_port);
	if (!gs)
		return false;
	taken = socket_rcv(transport, &gs->sk, skb);
	sock_put(&gs->sk);
	return taken;
}

/*
 * A REQUEST with the name of a connection ends that: a peer that asks again
 * does not know it any more.
 */
void glass_rcv(const struct glass_transport *transport, struct sk_buff *skb)
{
	const struct glass_cb *cb = GLASS_CB(skb);

	if (connected_rcv(transport, skb))
		return;
	if (cb->op == GLASS_VSOCK_OP_REQUEST && !cb->reason)
		listener_rcv(transport, skb);
	else
		stray_rcv(transport, skb);
}

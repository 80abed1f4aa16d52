// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a connection.
 *
 * A packet arrives in glass_rcv(), in softirq.  Its socket is looked up and
 * locked.  What concerns credit is done there and then (packet_arrives());
 * the rest is done by packet_rcv(), at once or, while a process owns the
 * socket, from its backlog.  So the backlog holds no more data than was
 * granted, and of control packets at most one of each kind.
 */

#include "compat.h"
#include "conn.h"
#include "observe.h"
#include "stats.h"
#include "table.h"
#include "trace.h"
#include "transport.h"

/* Bits of glass_sock.arrived: control packets that count only once. */
#define ARRIVED_RESPONSE	BIT(0)
#define ARRIVED_SHUTDOWN_RCV	BIT(1)
#define ARRIVED_SHUTDOWN_SEND	BIT(2)
#define ARRIVED_END		BIT(3)	/* reset, or broke a rule */
#define ARRIVED_SHUTDOWN_SHIFT	1

static_assert(GLASS_SHUTDOWN_RCV == RCV_SHUTDOWN &&
	      GLASS_SHUTDOWN_SEND == SEND_SHUTDOWN);

/* A packet of up to this many bytes shares the buffer of the one before. */
#define COALESCE_MAX		1024
#define COALESCE_BUFFER		SKB_WITH_OVERHEAD(SZ_4K)

#define NO_TIMER		GLASS_VSOCK_TIMER_MAX

/* Timers */

static void arm_timer(struct sock *sk, enum glass_vsock_timer timer,
		      unsigned long delay)
{
	struct glass_sock *gs = glass_sk(sk);

	gs->timer = timer;
	gs->timer_set_for = delay;
	sk_reset_timer(sk, &sk->sk_timer, jiffies + delay);
}

static void stop_timer(struct sock *sk)
{
	glass_sk(sk)->timer = NO_TIMER;
	sk_stop_timer(sk, &sk->sk_timer);
}

/* Returns whether a reset is owed.  Locked. */
static bool timer_expired(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);
	u8 timer = gs->timer;

	/* Stopped, or armed anew, after it fired and before we had the lock. */
	if (timer == NO_TIMER || timer_pending(&sk->sk_timer))
		return false;

	trace_timeout(sk, timer, jiffies_to_nsecs(gs->timer_set_for));
	if (timer == GLASS_VSOCK_TIMER_CONNECT) {
		glass_conn_fail(sk, ETIMEDOUT, GLASS_VSOCK_R_CONNECT_TIMEOUT);
		sk->sk_err = ETIMEDOUT;
		sk_error_report(sk);
		return false;
	}
	glass_conn_end(sk, GLASS_VSOCK_R_CLOSE_TIMEOUT);
	return true;
}

static void conn_timer(struct timer_list *t)
{
	struct sock *sk = glass_from_timer(sk, t, sk_timer);
	struct glass_sock *gs = glass_sk(sk);
	bool reset = false;

	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk))
		reset = timer_expired(sk);
	else if (gs->timer == GLASS_VSOCK_TIMER_CONNECT)
		gs->timer_deferred = true;
	else
		/*
		 * glass_release_cb() may not send, and nobody owns a closed
		 * socket for long.
		 */
		sk_reset_timer(sk, &sk->sk_timer, jiffies + 1);
	bh_unlock_sock(sk);

	if (reset)
		glass_conn_send_reset(sk, GLASS_VSOCK_R_CLOSE_TIMEOUT);
	sock_put(sk);
}

/* Runs under the spin lock as a process lets go of the socket. */
void glass_release_cb(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);

	if (!gs->timer_deferred)
		return;
	gs->timer_deferred = false;
	if (gs->timer == GLASS_VSOCK_TIMER_CONNECT)
		timer_expired(sk);
}

/* States */

void glass_conn_init(struct glass_sock *gs)
{
	struct sock *sk = &gs->sk;

	gs->local_cid = VMADDR_CID_ANY;
	gs->local_port = VMADDR_PORT_ANY;
	gs->peer_cid = VMADDR_CID_ANY;
	gs->peer_port = VMADDR_PORT_ANY;
	gs->bound_cid = VMADDR_CID_ANY;
	gs->bound_port = VMADDR_PORT_ANY;
	gs->timer = NO_TIMER;
	gs->born_ns = ktime_get_ns();
	gs->state_ns = gs->born_ns;
	spin_lock_init(&gs->accept_lock);
	INIT_LIST_HEAD(&gs->accept_queue);
	INIT_LIST_HEAD(&gs->accept_node);
	sk->sk_backlog_rcv = glass_backlog_rcv;
	/* Look-ups run under RCU alone, so this precedes being found. */
	sock_set_flag(sk, SOCK_RCU_FREE);
	timer_setup(&sk->sk_timer, conn_timer, 0);
}

void glass_set_state(struct sock *sk, int state, enum glass_vsock_reason reason)
{
	struct glass_sock *gs = glass_sk(sk);
	int old = sk->sk_state;

	WRITE_ONCE(sk->sk_state, state);
	WRITE_ONCE(gs->state_ns, ktime_get_ns());
	WRITE_ONCE(gs->reason, reason);
	trace_state(sk, old, state, reason);
}

void glass_sock_destroy(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);

	skb_queue_purge(&sk->sk_receive_queue);
	glass_table_disconnect(gs);
	glass_table_unbind(gs);
	glass_table_unlist(gs);
}

void glass_conn_end(struct sock *sk, enum glass_vsock_reason reason)
{
	struct glass_sock *gs = glass_sk(sk);

	if (sk->sk_state == GLASS_VSOCK_CLOSED)
		return;
	stop_timer(sk);
	glass_table_disconnect(gs);
	glass_set_state(sk, GLASS_VSOCK_CLOSED, reason);
	sock_set_flag(sk, SOCK_DONE);
	WRITE_ONCE(gs->peer_shutdown, SHUTDOWN_MASK);
	sk->sk_state_change(sk);
	if (sock_flag(sk, SOCK_DEAD))
		glass_sock_destroy(sk);
}

void glass_conn_fail(struct sock *sk, int err, enum glass_vsock_reason reason)
{
	struct glass_sock *gs = glass_sk(sk);

	if (reason == GLASS_VSOCK_R_CONNECT_TIMEOUT)
		glass_count(connect_timed_out);
	else if (reason == GLASS_VSOCK_R_PEER_RESET)
		glass_count(connect_reset);
	else
		glass_count(connect_failed);

	stop_timer(sk);
	glass_table_disconnect(gs);
	trace_connect_done(sk, -err, ktime_get_ns() - gs->connect_ns);
	glass_set_state(sk, GLASS_VSOCK_CLOSED, reason);
	gs->connect_ns = 0;
	gs->local_cid = gs->bound_cid;
}

int glass_conn_start(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);
	struct sk_buff *skb;
	int err;

	skb = glass_control_alloc(sk->sk_allocation);
	if (!skb)
		return -ENOMEM;
	gs->arrived = 0;
	gs->peer_shutdown = 0;
	gs->connect_ns = ktime_get_ns();
	glass_credit_init(&gs->credit, glass_rx_window(gs));
	sk->sk_err = 0;

	err = glass_table_connect(gs);
	if (err) {
		kfree_skb(skb);
		return err;
	}
	glass_count(connect_started);
	glass_set_state(sk, GLASS_VSOCK_CONNECTING, GLASS_VSOCK_R_USER);
	trace_connect_start(sk);
	arm_timer(sk, GLASS_VSOCK_TIMER_CONNECT, gs->connect_timeout);

	glass_conn_header(sk, skb, GLASS_VSOCK_OP_REQUEST, 0);
	err = gs->transport->send(sk, skb, false);
	if (err)
		glass_conn_fail(sk, -err, GLASS_VSOCK_R_TRANSPORT_GONE);
	return err;
}

void glass_conn_close(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);

	if (gs->peer_shutdown == SHUTDOWN_MASK) {
		glass_conn_end(sk, GLASS_VSOCK_R_USER);
		glass_conn_send_reset(sk, GLASS_VSOCK_R_USER);
		return;
	}
	if (sk->sk_shutdown != SHUTDOWN_MASK) {
		sk->sk_shutdown = SHUTDOWN_MASK;
		glass_conn_send_shutdown(sk, SHUTDOWN_MASK);
	}
	glass_set_state(sk, GLASS_VSOCK_CLOSING, GLASS_VSOCK_R_USER);
	arm_timer(sk, GLASS_VSOCK_TIMER_CLOSE, GLASS_CLOSE_TIMEOUT);
}

void glass_conn_drained(struct sock *sk)
{
	if (glass_sk(sk)->peer_shutdown != SHUTDOWN_MASK ||
	    sk->sk_state != GLASS_VSOCK_ESTABLISHED)
		return;
	glass_conn_end(sk, GLASS_VSOCK_R_PEER_SHUTDOWN);
	glass_conn_send_reset(sk, GLASS_VSOCK_R_PEER_SHUTDOWN);
}

/* Control packets */

void glass_conn_header(struct sock *sk, struct sk_buff *skb, u8 op, u32 flags)
{
	struct glass_sock *gs = glass_sk(sk);

	*GLASS_CB(skb) = (struct glass_cb) {
		.src_cid = gs->local_cid,
		.src_port = gs->local_port,
		.dst_cid = gs->peer_cid,
		.dst_port = gs->peer_port,
		.len = skb->len,
		.op = op,
		.type = glass_wire_type(sk),
		.flags = flags,
	};
}

static int send_control(struct sock *sk, u8 op, u32 flags, bool reply)
{
	struct sk_buff *skb = glass_control_alloc(gfp_any());

	if (!skb)
		return -ENOMEM;
	glass_conn_header(sk, skb, op, flags);
	GLASS_CB(skb)->reply = reply;
	return glass_sk(sk)->transport->send(sk, skb, false);
}

void glass_conn_send_shutdown(struct sock *sk, int how)
{
	send_control(sk, GLASS_VSOCK_OP_SHUTDOWN, how, false);
}

void glass_conn_send_credit(struct sock *sk)
{
	send_control(sk, GLASS_VSOCK_OP_CREDIT_UPDATE, 0, !!in_softirq());
}

void glass_conn_send_reset(struct sock *sk, enum glass_vsock_reason reason)
{
	glass_observe_reset(sk, GLASS_VSOCK_TX, reason);
	send_control(sk, GLASS_VSOCK_OP_RST, 0, !!in_softirq());
}

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

/* Data that arrived */

static bool coalesce(struct sk_buff *tail, const struct sk_buff *skb)
{
	u32 len = skb->len;

	if (len > COALESCE_MAX || skb_is_nonlinear(tail) ||
	    skb_tailroom(tail) < len || GLASS_CB(tail)->reason)
		return false;
	skb_copy_bits(skb, 0, skb_put(tail, len), len);
	GLASS_CB(tail)->len += len;
	return true;
}

/*
 * A queue of small packets must not cost much more memory than the credit
 * they used: give them a buffer to share.
 */
static struct sk_buff *roomier(struct sk_buff *skb)
{
	struct sk_buff *room;

	if (skb->len > COALESCE_MAX)
		return skb;
	room = alloc_skb(COALESCE_BUFFER, GFP_ATOMIC | __GFP_NOWARN);
	if (!room)
		return skb;
	*GLASS_CB(room) = *GLASS_CB(skb);
	skb_copy_bits(skb, 0, skb_put(room, skb->len), skb->len);
	consume_skb(skb);
	return room;
}

static void queue_data(struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff *tail = skb_peek_tail(&sk->sk_receive_queue);

	if (tail && coalesce(tail, skb)) {
		consume_skb(skb);
	} else {
		if (tail)
			skb = roomier(skb);
		skb_set_owner_r(skb, sk);
		__skb_queue_tail(&sk->sk_receive_queue, skb);
	}
	sk->sk_data_ready(sk);
}

/* What a packet does.  Locked; return whether a reset is owed. */

static bool violation(struct sock *sk, struct sk_buff *skb)
{
	enum glass_vsock_reason reason = GLASS_CB(skb)->reason;

	if (sk->sk_state == GLASS_VSOCK_CONNECTING) {
		glass_conn_fail(sk, EPROTO, reason);
		sk->sk_err = EPROTO;
		sk_error_report(sk);
	} else {
		glass_conn_end(sk, reason);
	}
	glass_observe_drop(sk, skb, reason);
	return true;
}

static bool rcv_connecting(struct sock *sk, struct sk_buff *skb)
{
	struct glass_sock *gs = glass_sk(sk);

	switch (GLASS_CB(skb)->op) {
	case GLASS_VSOCK_OP_RESPONSE:
		stop_timer(sk);
		gs->connect_ns = ktime_get_ns() - gs->connect_ns;
		glass_set_state(sk, GLASS_VSOCK_ESTABLISHED,
				GLASS_VSOCK_R_PEER);
		sk->sk_socket->state = SS_CONNECTED;
		glass_count(connect_done);
		trace_connect_done(sk, 0, gs->connect_ns);
		sk->sk_state_change(sk);
		break;
	case GLASS_VSOCK_OP_RST:
		glass_observe_reset(sk, GLASS_VSOCK_RX,
				    GLASS_VSOCK_R_PEER_RESET);
		glass_conn_fail(sk, ECONNRESET, GLASS_VSOCK_R_PEER_RESET);
		sk->sk_err = ECONNRESET;
		sk_error_report(sk);
		break;
	default:
		GLASS_CB(skb)->reason = GLASS_VSOCK_R_BAD_STATE;
		return violation(sk, skb);
	}
	consume_skb(skb);
	return false;
}

static bool rcv_shutdown(struct sock *sk, u32 how)
{
	struct glass_sock *gs = glass_sk(sk);

	WRITE_ONCE(gs->peer_shutdown, gs->peer_shutdown | how);
	if (gs->peer_shutdown == SHUTDOWN_MASK &&
	    skb_queue_empty(&sk->sk_receive_queue)) {
		glass_conn_end(sk, GLASS_VSOCK_R_PEER_SHUTDOWN);
		return true;
	}
	sk->sk_state_change(sk);
	return false;
}

static bool rcv_connected(struct sock *sk, struct sk_buff *skb)
{
	struct glass_cb *cb = GLASS_CB(skb);
	bool reset = false;

	switch (cb->op) {
	case GLASS_VSOCK_OP_RW:
		if (!(sk->sk_shutdown & RCV_SHUTDOWN)) {
			queue_data(sk, skb);
			return false;
		}
		glass_credit_consumed(&glass_sk(sk)->credit, cb->len);
		glass_observe_drop(sk, skb, GLASS_VSOCK_R_AFTER_SHUTDOWN);
		return false;
	case GLASS_VSOCK_OP_SHUTDOWN:
		reset = rcv_shutdown(sk, cb->flags);
		break;
	case GLASS_VSOCK_OP_RST:
		glass_observe_reset(sk, GLASS_VSOCK_RX,
				    GLASS_VSOCK_R_PEER_RESET);
		glass_conn_end(sk, GLASS_VSOCK_R_PEER_RESET);
		break;
	}
	consume_skb(skb);
	return reset;
}

static bool packet_rcv(struct sock *sk, struct sk_buff *skb)
{
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
		glass_observe_drop(sk, skb, GLASS_VSOCK_R_AFTER_CLOSE);
		return false;
	}
	return violation(sk, skb);
}

/* A process that owns the socket lets go of it, or waits. */
int glass_backlog_rcv(struct sock *sk, struct sk_buff *skb)
{
	if (packet_rcv(sk, skb))
		glass_conn_send_reset(sk, glass_sk(sk)->reason);
	return 0;
}

/* Arrival: under the spin lock, whether or not a process owns the socket. */

enum arrival {
	ARRIVAL_DONE,		/* nothing left to do */
	ARRIVAL_CREDIT_ASKED,	/* answer with our credit */
	ARRIVAL_DROP,		/* for the packet's reason */
	ARRIVAL_RCV,		/* packet_rcv() goes on */
};

static void wake_writer(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);

	smp_mb();	/* after the change: pairs with glass_tx_wants_room() */
	if (READ_ONCE(gs->tx_waiting) && glass_credit_tx_free(&gs->credit)) {
		WRITE_ONCE(gs->tx_waiting, false);
		sk->sk_write_space(sk);
	}
}

static enum glass_vsock_reason credit_arrives(struct sock *sk,
					      const struct glass_cb *cb)
{
	struct glass_credit *c = &glass_sk(sk)->credit;
	u32 buf_alloc = c->peer_buf_alloc;
	u32 fwd_cnt = c->peer_fwd_cnt;
	enum glass_vsock_reason reason;

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
	wake_writer(sk);
	return GLASS_VSOCK_R_NONE;
}

static enum glass_vsock_reason data_arrives(struct glass_sock *gs, u32 len)
{
	if (!len)
		return GLASS_VSOCK_R_EMPTY;
	if (gs->arrived & ARRIVED_SHUTDOWN_SEND)
		return GLASS_VSOCK_R_AFTER_SHUTDOWN;
	if (!glass_credit_admit(&gs->credit, len))
		return GLASS_VSOCK_R_CREDIT_EXCEEDED;
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
		return data_arrives(gs, cb->len);
	case GLASS_VSOCK_OP_RESPONSE:
		return control_arrives(gs, ARRIVED_RESPONSE);
	case GLASS_VSOCK_OP_SHUTDOWN:
		return control_arrives(gs, cb->flags << ARRIVED_SHUTDOWN_SHIFT);
	case GLASS_VSOCK_OP_RST:
		return control_arrives(gs, ARRIVED_END);
	case GLASS_VSOCK_OP_CREDIT_UPDATE:
	case GLASS_VSOCK_OP_CREDIT_REQUEST:
		return GLASS_VSOCK_R_NONE;
	default:
		return GLASS_VSOCK_R_BAD_STATE;
	}
}

static enum arrival packet_arrives(struct sock *sk, struct sk_buff *skb)
{
	struct glass_sock *gs = glass_sk(sk);
	struct glass_cb *cb = GLASS_CB(skb);

	if (gs->arrived & ARRIVED_END)
		cb->reason = GLASS_VSOCK_R_AFTER_CLOSE;
	else if (!cb->reason && cb->type != glass_wire_type(sk))
		cb->reason = GLASS_VSOCK_R_TYPE_MISMATCH;
	if (!cb->reason)
		cb->reason = credit_arrives(sk, cb);
	if (!cb->reason)
		cb->reason = op_arrives(gs, cb);

	gs->rx_packets++;
	gs->last_activity = jiffies;
	glass_observe_rx(sk, skb);
	if (harmless(cb->reason))
		return ARRIVAL_DROP;
	if (cb->reason) {
		gs->arrived |= ARRIVED_END;
		return ARRIVAL_RCV;
	}
	gs->rx_bytes += cb->len;
	if (cb->op == GLASS_VSOCK_OP_CREDIT_REQUEST)
		return ARRIVAL_CREDIT_ASKED;
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
		if (coalesce(tail, skb)) {
			consume_skb(skb);
			return;
		}
		skb = roomier(skb);
	}
	__sk_add_backlog(sk, skb);
	sk->sk_backlog.len += skb->truesize;
}

static void socket_rcv(struct sock *sk, struct sk_buff *skb)
{
	enum arrival arrival;
	bool reset = false;

	bh_lock_sock(sk);
	arrival = packet_arrives(sk, skb);
	if (arrival == ARRIVAL_RCV) {
		if (sock_owned_by_user(sk))
			backlog_add(sk, skb);
		else
			reset = packet_rcv(sk, skb);
	}
	bh_unlock_sock(sk);

	switch (arrival) {
	case ARRIVAL_RCV:
		if (reset)
			glass_conn_send_reset(sk, glass_sk(sk)->reason);
		break;
	case ARRIVAL_DROP:
		glass_observe_drop(sk, skb, GLASS_CB(skb)->reason);
		break;
	case ARRIVAL_CREDIT_ASKED:
		glass_conn_send_credit(sk);
		fallthrough;
	case ARRIVAL_DONE:
		consume_skb(skb);
		break;
	}
}

/*
 * Listeners.  They are not locked to make a child: the accept queue has a lock
 * of its own.  A child is in the queue before its RESPONSE goes out, so that
 * who closes the listener finds it, but cannot be accepted before: data of the
 * program must not overtake the RESPONSE.
 */

/* What a child has from its listener by copy, and must not. */
static void reset_child(struct sock *child)
{
	memset_startat(glass_sk(child), 0, local_cid);
	atomic64_set(&child->sk_cookie, 0);
	child->sk_frag.page = NULL;
	child->sk_rcvtimeo = MAX_SCHEDULE_TIMEOUT;
	child->sk_sndtimeo = MAX_SCHEDULE_TIMEOUT;
	child->sk_rcvlowat = 1;
	sock_reset_flag(child, SOCK_LINGER);
	WRITE_ONCE(child->sk_ack_backlog, 0);
	child->sk_state = GLASS_VSOCK_CLOSED;
	glass_conn_init(glass_sk(child));
}

static void connect_child(struct sock *child, const struct glass_sock *listener,
			  const struct glass_transport *transport,
			  const struct glass_cb *request)
{
	struct glass_sock *gs = glass_sk(child);

	gs->buffer_size = listener->buffer_size;
	gs->buffer_min_size = listener->buffer_min_size;
	gs->buffer_max_size = listener->buffer_max_size;
	gs->connect_timeout = listener->connect_timeout;
	gs->local_cid = request->dst_cid;
	gs->local_port = request->dst_port;
	gs->peer_cid = request->src_cid;
	gs->peer_port = request->src_port;
	gs->transport = transport;
	gs->arrived = ARRIVED_RESPONSE;
	gs->rx_packets = 1;
	gs->last_activity = jiffies;
	glass_credit_init(&gs->credit, glass_rx_window(gs));
	glass_credit_peer_update(&gs->credit, request->buf_alloc,
				 request->fwd_cnt);
}

/* Returns a child with two references: its own and the caller's. */
static struct sock *make_child(struct sock *sk,
			       const struct glass_transport *transport,
			       const struct glass_cb *request)
{
	struct sock *child = sk_clone_lock(sk, GFP_ATOMIC);

	if (!child)
		return NULL;
	reset_child(child);
	connect_child(child, glass_sk(sk), transport, request);
	if (glass_table_connect(glass_sk(child)))
		goto fail;
	if (glass_table_list(glass_sk(child), GFP_ATOMIC)) {
		glass_table_disconnect(glass_sk(child));
		goto fail;
	}
	glass_set_state(child, GLASS_VSOCK_ESTABLISHED, GLASS_VSOCK_R_PEER);
	bh_unlock_sock(child);
	return child;

fail:
	bh_unlock_sock(child);
	sock_put(child);
	sock_put(child);
	return NULL;
}

static enum glass_vsock_reason queue_child(struct sock *sk,
					   const struct glass_transport *transport,
					   const struct glass_cb *request,
					   struct sock **child)
{
	struct glass_sock *gs = glass_sk(sk);
	enum glass_vsock_reason reason = GLASS_VSOCK_R_NONE;

	spin_lock(&gs->accept_lock);
	if (sk->sk_state != GLASS_VSOCK_LISTEN) {
		reason = GLASS_VSOCK_R_NO_LISTENER;
		goto out;
	}
	if (sk_acceptq_is_full(sk)) {
		glass_count(accept_queue_overflows);
		reason = GLASS_VSOCK_R_BACKLOG_FULL;
		goto out;
	}
	*child = make_child(sk, transport, request);
	if (!*child) {
		glass_count(alloc_failures);
		reason = GLASS_VSOCK_R_NO_MEMORY;
		goto out;
	}
	sk_acceptq_added(sk);
	list_add_tail(&glass_sk(*child)->accept_node, &gs->accept_queue);
out:
	spin_unlock(&gs->accept_lock);
	return reason;
}

static enum glass_vsock_reason request_rcv(struct sock *sk,
					   const struct glass_transport *transport,
					   const struct glass_cb *request)
{
	enum glass_vsock_reason reason;
	struct sk_buff *response;
	struct sock *child;

	if (request->type != glass_wire_type(sk))
		return GLASS_VSOCK_R_TYPE_MISMATCH;
	response = glass_control_alloc(GFP_ATOMIC);
	if (!response)
		return GLASS_VSOCK_R_NO_MEMORY;
	reason = queue_child(sk, transport, request, &child);
	if (reason) {
		kfree_skb(response);
		return reason;
	}
	glass_conn_header(child, response, GLASS_VSOCK_OP_RESPONSE, 0);
	GLASS_CB(response)->reply = true;
	transport->send(child, response, false);

	WRITE_ONCE(glass_sk(child)->acceptable, true);
	sk->sk_data_ready(sk);
	sock_put(child);
	return GLASS_VSOCK_R_NONE;
}

struct sock *glass_conn_next_child(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);
	struct glass_sock *child;

	spin_lock_bh(&gs->accept_lock);
	list_for_each_entry(child, &gs->accept_queue, accept_node) {
		if (!READ_ONCE(child->acceptable))
			continue;
		list_del_init(&child->accept_node);
		sk_acceptq_removed(sk);
		spin_unlock_bh(&gs->accept_lock);
		return &child->sk;
	}
	spin_unlock_bh(&gs->accept_lock);
	return NULL;
}

bool glass_conn_has_child(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);
	struct glass_sock *child;
	bool found = false;

	if (list_empty_careful(&gs->accept_queue))
		return false;
	spin_lock_bh(&gs->accept_lock);
	list_for_each_entry(child, &gs->accept_queue, accept_node) {
		found = READ_ONCE(child->acceptable);
		if (found)
			break;
	}
	spin_unlock_bh(&gs->accept_lock);
	return found;
}

/* No program will ever have this child. */
static void abort_child(struct sock *child)
{
	bool reset;

	lock_sock(child);
	sock_set_flag(child, SOCK_DEAD);
	reset = child->sk_state != GLASS_VSOCK_CLOSED;
	if (reset)
		glass_conn_end(child, GLASS_VSOCK_R_NOT_ACCEPTED);
	else
		glass_sock_destroy(child);
	release_sock(child);
	if (reset)
		glass_conn_send_reset(child, GLASS_VSOCK_R_NOT_ACCEPTED);
	sock_put(child);
}

void glass_conn_abort_children(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);
	struct glass_sock *child, *next;
	LIST_HEAD(children);

	spin_lock_bh(&gs->accept_lock);
	list_splice_init(&gs->accept_queue, &children);
	WRITE_ONCE(sk->sk_ack_backlog, 0);
	spin_unlock_bh(&gs->accept_lock);

	list_for_each_entry_safe(child, next, &children, accept_node) {
		list_del_init(&child->accept_node);
		abort_child(&child->sk);
	}
}

/* The receive entry */

static void listener_rcv(const struct glass_transport *transport,
			 struct sk_buff *skb)
{
	struct glass_cb *cb = GLASS_CB(skb);
	struct glass_sock *gs;

	gs = glass_table_find_listener(cb->dst_cid, cb->dst_port);
	cb->reason = GLASS_VSOCK_R_NO_LISTENER;
	if (gs) {
		cb->reason = request_rcv(&gs->sk, transport, cb);
		sock_put(&gs->sk);
	}
	glass_observe_rx(NULL, skb);
	if (cb->reason) {
		reset_sender(transport, cb, cb->reason);
		glass_observe_drop(NULL, skb, cb->reason);
		return;
	}
	consume_skb(skb);
}

void glass_rcv(const struct glass_transport *transport, struct sk_buff *skb)
{
	struct glass_cb *cb = GLASS_CB(skb);
	struct glass_sock *gs;

	gs = glass_table_find_connected(cb->dst_cid, cb->dst_port,
					cb->src_cid, cb->src_port);
	if (gs) {
		socket_rcv(&gs->sk, skb);
		sock_put(&gs->sk);
		return;
	}
	if (cb->op == GLASS_VSOCK_OP_REQUEST && !cb->reason) {
		listener_rcv(transport, skb);
		return;
	}
	if (!cb->reason) {
		cb->reason = GLASS_VSOCK_R_NO_SOCKET;
		reset_sender(transport, cb, cb->reason);
	} else if (cb->reason == GLASS_VSOCK_R_BAD_TYPE) {
		/* Virtio 1.2, section 5.10.6.4.2: answer an unknown type. */
		reset_sender(transport, cb, cb->reason);
	}
	glass_observe_rx(NULL, skb);
	glass_observe_drop(NULL, skb, cb->reason);
}

static void reset_one(struct sock *sk, const struct glass_transport *transport,
		      enum glass_vsock_reason reason)
{
	lock_sock(sk);
	if (glass_sk(sk)->transport == transport && glass_sk(sk)->connected) {
		if (sk->sk_state == GLASS_VSOCK_CONNECTING)
			glass_conn_fail(sk, ECONNRESET, reason);
		else
			glass_conn_end(sk, reason);
		sk->sk_err = ECONNRESET;
		sk_error_report(sk);
	}
	release_sock(sk);
}

void glass_reset_all(const struct glass_transport *transport,
		     enum glass_vsock_reason reason)
{
	struct glass_sock *gs;
	unsigned long id = 0;

	while ((gs = glass_table_next(&id))) {
		reset_one(&gs->sk, transport, reason);
		sock_put(&gs->sk);
		id++;
	}
}

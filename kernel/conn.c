// SPDX-License-Identifier: GPL-2.0-only
/* The life of a connection: its states, its timers, its control packets. */

#include "compat.h"
#include "conn.h"
#include "observe.h"
#include "stats.h"
#include "table.h"
#include "trace.h"
#include "transport.h"

#define NO_TIMER		GLASS_VSOCK_TIMER_MAX

/* Timers */

static void arm_timer(struct sock *sk, enum glass_vsock_timer timer,
		      unsigned long delay)
{
	struct glass_sock *gs = glass_sk(sk);

	gs->timer = timer;
	gs->timer_set_for = delay;
	/* Never early: a part of the present tick is over. */
	sk_reset_timer(sk, &sk->sk_timer, jiffies + delay + 1);
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

	trace_timeout(sk, timer, jiffies64_to_nsecs(gs->timer_set_for));
	if (timer == GLASS_VSOCK_TIMER_CONNECT) {
		glass_conn_fail(sk, ETIMEDOUT, GLASS_VSOCK_R_CONNECT_TIMEOUT);
		return false;
	}
	glass_conn_end(sk, GLASS_VSOCK_R_CLOSE_TIMEOUT);
	return true;
}

static bool short_of_credit(const struct glass_sock *gs)
{
	return gs->sk.sk_state == GLASS_VSOCK_ESTABLISHED &&
	       !(gs->sk.sk_shutdown & SEND_SHUTDOWN) &&
	       !(gs->peer_shutdown & RCV_SHUTDOWN) &&
	       READ_ONCE(gs->tx_wanted) > glass_credit_tx_free(&gs->credit);
}

/* Returns the question, to be sent.  Locked. */
static struct sk_buff *probe_expired(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);

	if (timer_pending(&sk->sk_timer))
		return NULL;
	gs->timer = NO_TIMER;
	if (!short_of_credit(gs))
		return NULL;
	trace_timeout(sk, GLASS_VSOCK_TIMER_CREDIT_PROBE,
		      jiffies64_to_nsecs(gs->timer_set_for));
	arm_timer(sk, GLASS_VSOCK_TIMER_CREDIT_PROBE,
		  min_t(unsigned long, 2 * gs->timer_set_for, GLASS_PROBE_MAX));
	/* A device that stands still has got enough of them. */
	if (!sock_writeable(sk))
		return NULL;
	return glass_conn_make(sk, GLASS_VSOCK_OP_CREDIT_REQUEST, 0);
}

/*
 * What was sent since a question was planned tells that another stall begins:
 * it is not to wait for as long as the last one came to.
 */
void glass_conn_probe_credit(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);
	bool planned = gs->timer == GLASS_VSOCK_TIMER_CREDIT_PROBE &&
		       gs->probe_tx_cnt == gs->credit.tx_cnt;

	if (planned || !short_of_credit(gs))
		return;
	gs->probe_tx_cnt = gs->credit.tx_cnt;
	arm_timer(sk, GLASS_VSOCK_TIMER_CREDIT_PROBE, GLASS_PROBE_MIN);
}

/* Returns what is to be sent.  The spin lock is held, and nobody owns it. */
static struct sk_buff *timer_rcv(struct sock *sk)
{
	if (glass_sk(sk)->timer == GLASS_VSOCK_TIMER_CREDIT_PROBE)
		return probe_expired(sk);
	return timer_expired(sk) ?
	       glass_conn_make_reset(sk, GLASS_VSOCK_R_CLOSE_TIMEOUT) : NULL;
}

/* A process owns the socket.  glass_release_cb() may not send. */
static void timer_defer(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);

	if (gs->timer == GLASS_VSOCK_TIMER_CONNECT)
		gs->timer_deferred = true;
	else if (timer_pending(&sk->sk_timer))
		return;
	else if (gs->timer == GLASS_VSOCK_TIMER_CREDIT_PROBE)
		sk_reset_timer(sk, &sk->sk_timer, jiffies + GLASS_PROBE_MIN);
	else if (gs->timer == GLASS_VSOCK_TIMER_CLOSE)
		/* Nobody owns a closed socket for long. */
		sk_reset_timer(sk, &sk->sk_timer, jiffies + 1);
}

static void conn_timer(struct timer_list *t)
{
	struct sock *sk = glass_from_timer(sk, t, sk_timer);
	struct sk_buff *skb = NULL;

	bh_lock_sock(sk);
	if (sock_owned_by_user(sk))
		timer_defer(sk);
	else
		skb = timer_rcv(sk);
	bh_unlock_sock(sk);

	if (skb)
		glass_sk(sk)->transport->send(sk, skb, false);
	sock_put(sk);
}

/* The packets of this connection have no way any more.  Locked. */
static void carrier_gone(struct sock *sk, enum glass_vsock_reason reason)
{
	if (!glass_sk(sk)->connected)
		return;
	if (sk->sk_state == GLASS_VSOCK_CONNECTING) {
		glass_conn_fail(sk, ECONNRESET, reason);
	} else {
		sk->sk_err = ECONNRESET;
		glass_conn_end(sk, reason);
		sk_error_report(sk);
	}
}

/* Runs under the spin lock as a process lets go of the socket. */
void glass_release_cb(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);
	enum glass_vsock_reason reason = gs->reset_deferred;

	if (gs->timer_deferred) {
		gs->timer_deferred = false;
		if (gs->timer == GLASS_VSOCK_TIMER_CONNECT)
			timer_expired(sk);
	}
	if (reason) {
		gs->reset_deferred = GLASS_VSOCK_R_NONE;
		carrier_gone(sk, reason);
	}
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

void glass_conn_established(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);

	stop_timer(sk);
	WRITE_ONCE(gs->connect_ns, ktime_get_ns() - gs->connect_started_ns);
	glass_set_state(sk, GLASS_VSOCK_ESTABLISHED, GLASS_VSOCK_R_PEER);
	sk->sk_socket->state = SS_CONNECTED;
	glass_count(connect_done);
	trace_connect_done(sk, 0, gs->connect_ns);
	sk->sk_state_change(sk);
}

void glass_conn_cancel(struct sock *sk, int err, enum glass_vsock_reason reason)
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
	trace_connect_done(sk, -err, ktime_get_ns() - gs->connect_started_ns);
	glass_set_state(sk, GLASS_VSOCK_CLOSED, reason);
	sk->sk_state_change(sk);	/* others may wait for it, too */
}

void glass_conn_fail(struct sock *sk, int err, enum glass_vsock_reason reason)
{
	/* Who polls without the lock must not see an end without its error. */
	WRITE_ONCE(sk->sk_err, err);
	smp_wmb();	/* pairs with glass_socket_poll() */
	glass_conn_cancel(sk, err, reason);
	sk_error_report(sk);
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
	gs->tx_wanted = 0;
	gs->tx_asked = false;
	gs->connect_started_ns = ktime_get_ns();
	WRITE_ONCE(gs->connect_ns, 0);
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
		glass_conn_cancel(sk, -err, err == -ENOBUFS ?
				  GLASS_VSOCK_R_DEVICE_QUEUE_FULL :
				  GLASS_VSOCK_R_TRANSPORT_GONE);
	return err;
}

void glass_conn_abort(struct sock *sk, int err, enum glass_vsock_reason reason)
{
	switch (sk->sk_state) {
	case GLASS_VSOCK_CONNECTING:
		glass_conn_fail(sk, err, reason);
		return;
	case GLASS_VSOCK_ESTABLISHED:
	case GLASS_VSOCK_CLOSING:
		sk->sk_err = err;
		glass_conn_end(sk, reason);
		glass_conn_send_reset(sk, reason);
		break;
	case GLASS_VSOCK_LISTEN:
		glass_set_state(sk, GLASS_VSOCK_CLOSED, reason);
		fallthrough;
	default:
		sk->sk_err = err;
		sk->sk_state_change(sk);
	}
	sk_error_report(sk);
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

void glass_write_space(struct sock *sk)
{
	struct glass_sock *gs = glass_sk(sk);
	struct socket_wq *wq;

	smp_mb();	/* after the change: pairs with glass_tx_wants_room() */
	/* Half of the buffer free, as everywhere: not a packet at a time. */
	if (!READ_ONCE(gs->tx_waiting) || !sock_writeable(sk) ||
	    (READ_ONCE(sk->sk_state) == GLASS_VSOCK_ESTABLISHED &&
	     !glass_credit_tx_free(&gs->credit)))
		return;
	WRITE_ONCE(gs->tx_waiting, false);
	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_sync_poll(&wq->wait, EPOLLOUT |
						EPOLLWRNORM | EPOLLWRBAND);
	sk_wake_async(sk, SOCK_WAKE_SPACE, POLL_OUT);
	rcu_read_unlock();
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

struct sk_buff *glass_conn_make(struct sock *sk, u8 op, u32 flags)
{
	struct sk_buff *skb = glass_control_alloc(gfp_any());

	if (!skb)
		return NULL;
	glass_conn_header(sk, skb, op, flags);
	return skb;
}

struct sk_buff *glass_conn_make_reset(struct sock *sk,
				      enum glass_vsock_reason reason)
{
	glass_observe_reset(sk, GLASS_VSOCK_TX, reason);
	return glass_conn_make(sk, GLASS_VSOCK_OP_RST, 0);
}

static void send_control(struct sock *sk, struct sk_buff *skb)
{
	if (skb)
		glass_sk(sk)->transport->send(sk, skb, false);
}

void glass_conn_send_shutdown(struct sock *sk, int how)
{
	send_control(sk, glass_conn_make(sk, GLASS_VSOCK_OP_SHUTDOWN, how));
}

void glass_conn_send_credit(struct sock *sk)
{
	send_control(sk, glass_conn_make(sk, GLASS_VSOCK_OP_CREDIT_UPDATE, 0));
}

bool glass_conn_should_ask(const struct sock *sk, u32 len)
{
	const struct glass_credit *c = &glass_sk(sk)->credit;

	if (len <= glass_credit_tx_free(c))
		return false;
	return sk->sk_type == SOCK_SEQPACKET || glass_credit_tx_capped(c);
}

void glass_conn_ask_credit(struct sock *sk, u32 len)
{
	struct glass_sock *gs = glass_sk(sk);
	struct sk_buff *skb;

	if (READ_ONCE(gs->tx_asked) || !glass_conn_should_ask(sk, len))
		return;
	skb = glass_conn_make(sk, GLASS_VSOCK_OP_CREDIT_REQUEST, 0);
	WRITE_ONCE(gs->tx_asked, skb);
	send_control(sk, skb);
}

void glass_conn_send_reset(struct sock *sk, enum glass_vsock_reason reason)
{
	send_control(sk, glass_conn_make_reset(sk, reason));
}

/* The carrier is gone */

/*
 * Not by lock_sock(): the owner may be waiting for a page of a file system that
 * hangs, and all other connections with it.
 */
static void reset_one(struct sock *sk, const struct glass_transport *transport,
		      enum glass_vsock_reason reason)
{
	struct glass_sock *gs = glass_sk(sk);

	bh_lock_sock(sk);
	if (gs->transport == transport && gs->connected) {
		if (sock_owned_by_user(sk))
			gs->reset_deferred = reason;
		else
			carrier_gone(sk, reason);
	}
	bh_unlock_sock(sk);
}

void glass_reset_all(const struct glass_transport *transport,
		     enum glass_vsock_reason reason)
{
	struct glass_sock *gs;
	unsigned long id = 0;

	while ((gs = glass_table_next(&id))) {
		local_bh_disable();
		reset_one(&gs->sk, transport, reason);
		local_bh_enable();
		sock_put(&gs->sk);
		id++;
	}
}

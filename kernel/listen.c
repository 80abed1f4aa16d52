// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listeners.  They are not locked to make a child: the accept queue has a lock
 * of its own.  A child is in the queue before its RESPONSE goes out, so that
 * who closes the listener finds it, but cannot be accepted before: data of the
 * program must not overtake the RESPONSE.
 */

#include "conn.h"
#include "listen.h"
#include "observe.h"
#include "stats.h"
#include "table.h"
#include "transport.h"

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
	sock_reset_flag(child, SOCK_ZEROCOPY);
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
	gs->arrived = GLASS_ARRIVED_RESPONSE;
	gs->last_activity = jiffies;
	glass_credit_init(&gs->credit, glass_rx_window(gs));
	glass_credit_peer_update(&gs->credit, request->buf_alloc,
				 request->fwd_cnt);
}

/*
 * Returns a child with two references, its own and the caller's; or -EADDRINUSE
 * for a REQUEST that repeats the name of a connection; or -ENOMEM.
 */
static struct sock *make_child(struct sock *sk,
			       const struct glass_transport *transport,
			       const struct glass_cb *request)
{
	struct sock *child = sk_clone_lock(sk, GFP_ATOMIC);
	int err;

	if (!child)
		return ERR_PTR(-ENOMEM);
	__acquire(&child->sk_lock.slock);	/* the clone is locked */
	reset_child(child);
	connect_child(child, glass_sk(sk), transport, request);
	err = glass_table_connect(glass_sk(child));
	if (err)
		goto fail;
	err = glass_table_list(glass_sk(child), GFP_ATOMIC);
	if (err) {
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
	return ERR_PTR(err);
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
	if (IS_ERR(*child)) {
		reason = GLASS_VSOCK_R_DUPLICATE;
		if (PTR_ERR(*child) != -EADDRINUSE) {
			glass_count(alloc_failures);
			reason = GLASS_VSOCK_R_NO_MEMORY;
		}
		goto out;
	}
	sk_acceptq_added(sk);
	list_add_tail(&glass_sk(*child)->accept_node, &gs->accept_queue);
out:
	spin_unlock(&gs->accept_lock);
	return reason;
}

enum glass_vsock_reason glass_listen_rcv(struct sock *sk,
					 const struct glass_transport *transport,
					 const struct glass_cb *request)
{
	enum glass_vsock_reason reason;
	struct sk_buff *response;
	struct sock *child;

	if (request->type != glass_wire_type(sk))
		return GLASS_VSOCK_R_TYPE_MISMATCH;
	/* Nothing was sent that could have been read. */
	if (request->fwd_cnt)
		return GLASS_VSOCK_R_CREDIT_AHEAD;
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

struct sock *glass_listen_next_child(struct sock *sk)
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

bool glass_listen_has_child(struct sock *sk)
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

void glass_listen_abort_children(struct sock *sk)
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

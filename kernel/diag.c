// SPDX-License-Identifier: GPL-2.0-only
/* sock_diag: stock's message for each socket, and our attribute when asked. */

#include <linux/module.h>
#include <linux/sock_diag.h>
#include <linux/vm_sockets_diag.h>
#include <net/netlink.h>

#include "diag.h"
#include "table.h"

/* What began after we looked at the clock is no age yet. */
static u64 age(u64 now, u64 since)
{
	return since && since < now ? now - since : 0;
}

static void fill_credit(const struct glass_sock *gs,
			struct glass_vsock_info *info)
{
	const struct glass_credit *c = &gs->credit;

	info->rx_buf_alloc = READ_ONCE(c->told_buf_alloc);
	info->rx_fwd_cnt = READ_ONCE(c->told_fwd_cnt);
	info->rx_queued = glass_credit_rx_queued(c);
	info->rx_free = glass_credit_rx_free(c);
	info->tx_buf_alloc = READ_ONCE(c->peer_buf_alloc);
	info->tx_fwd_cnt = READ_ONCE(c->peer_fwd_cnt);
	info->tx_in_flight = glass_credit_in_flight(c);
	info->tx_free = glass_credit_tx_free(c);
	info->tx_queued = sk_wmem_alloc_get(&gs->sk);
}

static void fill_times(const struct glass_sock *gs,
		       struct glass_vsock_info *info)
{
	unsigned long activity = READ_ONCE(gs->last_activity);
	u8 timer = READ_ONCE(gs->timer);
	u64 now = ktime_get_ns();

	info->age_ns = now - gs->born_ns;
	info->state_age_ns = age(now, READ_ONCE(gs->state_ns));
	info->stall_age_ns = age(now, READ_ONCE(gs->stall_ns));
	if (activity)
		info->activity_age_ns = jiffies64_to_nsecs(jiffies - activity);
	info->connect_ns = READ_ONCE(gs->connect_ns);
	if (timer < GLASS_VSOCK_TIMER_MAX) {
		long left = READ_ONCE(gs->sk.sk_timer.expires) - jiffies;

		info->timers = BIT(timer);
		info->timer_left_ns[timer] = jiffies64_to_nsecs(max(left, 0L));
	}
}

static_assert(GLASS_VSOCK_STALL_MAX <= GLASS_VSOCK_INFO_CAUSES &&
	      GLASS_VSOCK_TIMER_MAX <= GLASS_VSOCK_INFO_TIMERS);

/* Without the lock: every field is true, if not all of one moment. */
static void fill_info(const struct glass_sock *gs,
		      struct glass_vsock_info *info)
{
	const struct sock *sk = &gs->sk;

	memset(info, 0, sizeof(*info));
	info->state = READ_ONCE(sk->sk_state);
	info->local_shutdown = READ_ONCE(sk->sk_shutdown);
	info->peer_shutdown = READ_ONCE(gs->peer_shutdown);
	info->reason = READ_ONCE(gs->reason);
	info->error = READ_ONCE(sk->sk_err);
	info->stall_cause = READ_ONCE(gs->stall_cause);
	if (info->state == GLASS_VSOCK_LISTEN) {
		info->accept_queue = READ_ONCE(sk->sk_ack_backlog);
		info->accept_queue_max = READ_ONCE(sk->sk_max_ack_backlog);
	}
	info->tx_bytes = gs->tx_bytes;
	info->rx_bytes = gs->rx_bytes;
	info->tx_packets = gs->tx_packets;
	info->rx_packets = gs->rx_packets;
	memcpy(info->stalls, gs->stalls, sizeof(gs->stalls));
	fill_credit(gs, info);
	fill_times(gs, info);
}

static int fill_socket(struct glass_sock *gs, struct sk_buff *skb,
		       const struct netlink_callback *cb,
		       const struct vsock_diag_req *req)
{
	struct sock *sk = &gs->sk;
	struct glass_vsock_info info;
	struct vsock_diag_msg *msg;
	struct nlmsghdr *nlh;

	nlh = nlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			SOCK_DIAG_BY_FAMILY, sizeof(*msg), NLM_F_MULTI);
	if (!nlh)
		return -EMSGSIZE;
	msg = nlmsg_data(nlh);
	msg->vdiag_family = AF_VSOCK;
	msg->vdiag_type = sk->sk_type;
	msg->vdiag_state = READ_ONCE(sk->sk_state);
	msg->vdiag_shutdown = READ_ONCE(sk->sk_shutdown);
	msg->vdiag_src_cid = READ_ONCE(gs->local_cid);
	msg->vdiag_src_port = READ_ONCE(gs->local_port);
	msg->vdiag_dst_cid = READ_ONCE(gs->peer_cid);
	msg->vdiag_dst_port = READ_ONCE(gs->peer_port);
	msg->vdiag_ino = sock_i_ino(sk);
	sock_diag_save_cookie(sk, msg->vdiag_cookie);

	if (req->vdiag_show & GLASS_VSOCK_DIAG_SHOW_INFO) {
		fill_info(gs, &info);
		if (nla_put(skb, GLASS_VSOCK_DIAG_INFO, sizeof(info), &info)) {
			nlmsg_cancel(skb, nlh);
			return -EMSGSIZE;
		}
	}
	nlmsg_end(skb, nlh);
	return 0;
}

static bool wanted(const struct glass_sock *gs, const struct net *net,
		   const struct vsock_diag_req *req)
{
	return net_eq(sock_net(&gs->sk), net) &&
	       req->vdiag_states & BIT(READ_ONCE(gs->sk.sk_state));
}

/* cb->args[0] is the id from which the next part of the dump goes on. */
static int diag_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct vsock_diag_req *req = nlmsg_data(cb->nlh);
	struct net *net = sock_net(skb->sk);
	unsigned long id = cb->args[0];
	struct glass_sock *gs;
	int err = 0;

	while (!err && (gs = glass_table_next(&id))) {
		if (wanted(gs, net, req))
			err = fill_socket(gs, skb, cb, req);
		sock_put(&gs->sk);
		if (!err)
			id++;
	}
	cb->args[0] = id;
	return skb->len;
}

static int diag_handler(struct sk_buff *skb, struct nlmsghdr *nlh)
{
	struct netlink_dump_control control = {
		.dump = diag_dump,
	};

	if (nlmsg_len(nlh) < (int)sizeof(struct vsock_diag_req))
		return -EINVAL;
	if (!(nlh->nlmsg_flags & NLM_F_DUMP))
		return -EOPNOTSUPP;
	return netlink_dump_start(sock_net(skb->sk)->diag_nlsk, skb, nlh,
				  &control);
}

static const struct sock_diag_handler handler = {
	.owner = THIS_MODULE,
	.family = AF_VSOCK,
	.dump = diag_handler,
};

int __init glass_diag_init(void)
{
	return sock_diag_register(&handler);
}

void glass_diag_exit(void)
{
	sock_diag_unregister(&handler);
}

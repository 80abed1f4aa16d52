// SPDX-License-Identifier: GPL-2.0-only
/*
 * sock_diag: stock's message for each socket, and our attribute when asked; and
 * SOCK_DESTROY.
 */

#include <linux/inet_diag.h>
#include <linux/module.h>
#include <linux/sock_diag.h>
#include <linux/vm_sockets_diag.h>
#include <net/netlink.h>

#include "conn.h"
#include "diag.h"
#include "info.h"
#include "listen.h"
#include "table.h"

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
		glass_fill_info(gs, &info);
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

static void destroy_socket(struct sock *sk)
{
	lock_sock(sk);
	glass_conn_abort(sk, ECONNABORTED, GLASS_VSOCK_R_DESTROYED);
	release_sock(sk);
	/* A listener's, unless a program made it listen again meanwhile. */
	if (READ_ONCE(sk->sk_state) != GLASS_VSOCK_LISTEN)
		glass_listen_abort_children(sk);
}

static bool has_cookie(const struct vsock_diag_req *req)
{
	const u32 *cookie = req->vdiag_cookie;

	return (cookie[0] || cookie[1]) &&
	       (cookie[0] != INET_DIAG_NOCOOKIE ||
		cookie[1] != INET_DIAG_NOCOOKIE);
}

static bool named(struct sock *sk, const struct net *net,
		  const struct vsock_diag_req *req)
{
	if (!net_eq(sock_net(sk), net) ||
	    (req->vdiag_ino && req->vdiag_ino != sock_i_ino(sk)))
		return false;
	return !has_cookie(req) ||
	       !sock_diag_check_cookie(sk, req->vdiag_cookie);
}

static int diag_destroy(struct sk_buff *skb, struct nlmsghdr *nlh)
{
	const struct vsock_diag_req *req = nlmsg_data(nlh);
	struct glass_sock *gs;
	unsigned long id = 0;

	/* What names no socket must not find one. */
	if (nlmsg_len(nlh) < (int)sizeof(*req) ||
	    !(req->vdiag_ino || has_cookie(req)))
		return -EINVAL;
	/* Nobody has asked before: who may destroy is up to the family. */
	if (!netlink_net_capable(skb, CAP_NET_ADMIN))
		return -EPERM;
	while ((gs = glass_table_next(&id))) {
		bool found = named(&gs->sk, sock_net(skb->sk), req);

		if (found)
			destroy_socket(&gs->sk);
		sock_put(&gs->sk);
		if (found)
			return 0;
		id++;
	}
	return -ENOENT;
}

static const struct sock_diag_handler handler = {
	.owner = THIS_MODULE,
	.family = AF_VSOCK,
	.dump = diag_handler,
	.destroy = diag_destroy,
};

int __init glass_diag_init(void)
{
	return sock_diag_register(&handler);
}

void glass_diag_exit(void)
{
	sock_diag_unregister(&handler);
}

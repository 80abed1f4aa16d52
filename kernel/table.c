// SPDX-License-Identifier: GPL-2.0-only
/* Bound, connected and all sockets. */

#include <linux/random.h>
#include <linux/rhashtable.h>
#include <linux/xarray.h>

#include "table.h"

/* As many as stock tries: programs rely on which errno they get, and when. */
#define PORT_PROBES	24

struct connection_key {
	u32 local_cid;
	u32 local_port;
	u32 peer_cid;
	u32 peer_port;
};

static_assert(offsetof(struct glass_sock, peer_port) -
	      offsetof(struct glass_sock, local_cid) ==
	      offsetof(struct connection_key, peer_port));

static const struct rhashtable_params connected_params = {
	.key_len = sizeof(struct connection_key),
	.key_offset = offsetof(struct glass_sock, local_cid),
	.head_offset = offsetof(struct glass_sock, connected_node),
	.automatic_shrinking = true,
};

/* Several sockets may have one port, each bound to another CID. */
static const struct rhashtable_params bound_params = {
	.key_len = sizeof(u32),
	.key_offset = offsetof(struct glass_sock, bound_port),
	.head_offset = offsetof(struct glass_sock, bound_node),
	.automatic_shrinking = true,
};

static struct rhashtable connected_table;
static struct rhltable bound_table;

/* Makes the search for a conflict and the insertion one step. */
static DEFINE_SPINLOCK(bind_lock);
static u32 next_port;

static DEFINE_XARRAY_FLAGS(all_sockets, XA_FLAGS_ALLOC1 | XA_FLAGS_LOCK_BH);
static u32 next_id;

int glass_table_list(struct glass_sock *gs, gfp_t gfp)
{
	int err = xa_alloc_cyclic_bh(&all_sockets, &gs->id, gs, xa_limit_32b,
				     &next_id, gfp);

	if (err < 0)
		return err;
	sock_hold(&gs->sk);
	gs->listed = true;
	return 0;
}

void glass_table_unlist(struct glass_sock *gs)
{
	if (!gs->listed)
		return;
	gs->listed = false;
	xa_erase_bh(&all_sockets, gs->id);
	__sock_put(&gs->sk);
}

/* Under RCU: a reference to what was found, if its last one is not gone. */
static struct glass_sock *take(struct glass_sock *gs)
{
	return gs && refcount_inc_not_zero(&gs->sk.sk_refcnt) ? gs : NULL;
}

struct glass_sock *glass_table_next(unsigned long *id)
{
	struct glass_sock *found = NULL;
	struct glass_sock *gs;

	rcu_read_lock();
	xa_for_each_start(&all_sockets, *id, gs, *id) {
		found = take(gs);
		if (found)
			break;
	}
	rcu_read_unlock();
	return found;
}

static bool same_cid(u32 a, u32 b)
{
	return a == b || a == VMADDR_CID_ANY || b == VMADDR_CID_ANY;
}

static bool bind_conflicts(u32 cid, u32 port)
{
	struct rhlist_head *list, *pos;
	struct glass_sock *gs;
	bool conflict = false;

	rcu_read_lock();
	list = rhltable_lookup(&bound_table, &port, bound_params);
	rhl_for_each_entry_rcu(gs, pos, list, bound_node) {
		if (same_cid(gs->bound_cid, cid)) {
			conflict = true;
			break;
		}
	}
	rcu_read_unlock();
	return conflict;
}

static int choose_port(u32 cid, u32 *port)
{
	int probe;

	lockdep_assert_held(&bind_lock);
	for (probe = 0; probe < PORT_PROBES; probe++) {
		if (next_port == VMADDR_PORT_ANY ||
		    next_port < GLASS_RESERVED_PORTS)
			next_port = GLASS_RESERVED_PORTS;
		*port = next_port++;
		if (!bind_conflicts(cid, *port))
			return 0;
	}
	return -EADDRNOTAVAIL;
}

int glass_table_bind(struct glass_sock *gs, u32 cid, u32 port)
{
	int err = 0;

	spin_lock_bh(&bind_lock);
	if (port == VMADDR_PORT_ANY)
		err = choose_port(cid, &port);
	else if (bind_conflicts(cid, port))
		err = -EADDRINUSE;
	if (err)
		goto out;

	gs->bound_cid = cid;
	gs->bound_port = port;
	err = rhltable_insert(&bound_table, &gs->bound_node, bound_params);
	if (err) {
		gs->bound_cid = VMADDR_CID_ANY;
		gs->bound_port = VMADDR_PORT_ANY;
		goto out;
	}
	sock_hold(&gs->sk);
	gs->bound = true;
out:
	spin_unlock_bh(&bind_lock);
	return err;
}

void glass_table_unbind(struct glass_sock *gs)
{
	if (!gs->bound)
		return;
	gs->bound = false;
	spin_lock_bh(&bind_lock);
	rhltable_remove(&bound_table, &gs->bound_node, bound_params);
	spin_unlock_bh(&bind_lock);
	__sock_put(&gs->sk);
}

struct glass_sock *glass_table_find_listener(u32 cid, u32 port)
{
	struct rhlist_head *list, *pos;
	struct glass_sock *found = NULL;
	struct glass_sock *gs;

	rcu_read_lock();
	list = rhltable_lookup(&bound_table, &port, bound_params);
	rhl_for_each_entry_rcu(gs, pos, list, bound_node) {
		if (READ_ONCE(gs->sk.sk_state) == GLASS_VSOCK_LISTEN &&
		    same_cid(gs->bound_cid, cid)) {
			found = take(gs);
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

int glass_table_connect(struct glass_sock *gs)
{
	int err;

	/* Before the insertion: another CPU may find and put it at once. */
	sock_hold(&gs->sk);
	err = rhashtable_lookup_insert_fast(&connected_table,
					    &gs->connected_node,
					    connected_params);
	if (err) {
		__sock_put(&gs->sk);
		return err == -EEXIST ? -EADDRINUSE : err;
	}
	gs->connected = true;
	return 0;
}

void glass_table_disconnect(struct glass_sock *gs)
{
	if (!gs->connected)
		return;
	gs->connected = false;
	WARN_ON_ONCE(rhashtable_remove_fast(&connected_table,
					    &gs->connected_node,
					    connected_params));
	__sock_put(&gs->sk);
}

struct glass_sock *glass_table_find_connected(u32 local_cid, u32 local_port,
					      u32 peer_cid, u32 peer_port)
{
	const struct connection_key key = {
		.local_cid = local_cid,
		.local_port = local_port,
		.peer_cid = peer_cid,
		.peer_port = peer_port,
	};
	struct glass_sock *gs;

	rcu_read_lock();
	gs = take(rhashtable_lookup(&connected_table, &key, connected_params));
	rcu_read_unlock();
	return gs;
}

int __init glass_table_init(void)
{
	int err;

	next_port = get_random_u32_above(GLASS_RESERVED_PORTS - 1);
	err = rhashtable_init(&connected_table, &connected_params);
	if (err)
		return err;
	err = rhltable_init(&bound_table, &bound_params);
	if (err)
		rhashtable_destroy(&connected_table);
	return err;
}

void glass_table_exit(void)
{
	rhltable_destroy(&bound_table);
	rhashtable_destroy(&connected_table);
	WARN_ON(!xa_empty(&all_sockets));
	xa_destroy(&all_sockets);
}

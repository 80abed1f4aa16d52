/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where sockets are found: by bound address, by connection, and all of them.
 *
 * Each table holds a reference to a socket in it.  Look-ups take no lock and
 * return a socket with a reference, for sock_put(); what they find may have
 * changed by then, so check again under the socket's lock.  Membership itself
 * (the add and remove functions) is changed under the socket lock, except for
 * sockets that nobody else can reach yet.
 */
#ifndef GLASS_TABLE_H
#define GLASS_TABLE_H

#include "glass.h"

/* May sleep.  -ENOMEM. */
int __init glass_table_init(void);

/* No socket is left.  May sleep: waits for RCU. */
void glass_table_exit(void);

/**
 * glass_table_list - put a socket on the list of all sockets
 * @gfp: GFP_KERNEL, or GFP_ATOMIC in softirq
 *
 * -ENOMEM, or -EBUSY when there are 2^32 - 1 sockets.
 */
int glass_table_list(struct glass_sock *gs, gfp_t gfp);
void glass_table_unlist(struct glass_sock *gs);

/*
 * The first listed socket with an id of at least *@id, which is set to its
 * id; or NULL.  Any context.
 */
struct glass_sock *glass_table_next(unsigned long *id);

/**
 * glass_table_bind - give a socket its local address
 * @cid: VMADDR_CID_ANY or a CID of this guest
 * @port: a port, or VMADDR_PORT_ANY for a free one from 1024 up
 *
 * -EADDRINUSE; -EADDRNOTAVAIL if none of 24 ports tried was free; -ENOMEM.
 * Any context.
 */
int glass_table_bind(struct glass_sock *gs, u32 cid, u32 port);
void glass_table_unbind(struct glass_sock *gs);

/* The listener bound to that address, or to ANY and that port; or NULL. */
struct glass_sock *glass_table_find_listener(u32 cid, u32 port);

/*
 * Make a socket known by the four numbers of its connection.  -EADDRINUSE if
 * there is such a connection already; -ENOMEM.  Any context.
 */
int glass_table_connect(struct glass_sock *gs);
void glass_table_disconnect(struct glass_sock *gs);

/* The socket with that connection, or NULL.  Any context. */
struct glass_sock *glass_table_find_connected(u32 local_cid, u32 local_port,
					      u32 peer_cid, u32 peer_port);

#endif /* GLASS_TABLE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* The driver's socket and packet, which every room of the driver knows. */
#ifndef GLASS_H
#define GLASS_H

#include <linux/skbuff.h>
#include <linux/rhashtable-types.h>
#include <linux/vm_sockets.h>
#include <net/sock.h>

#include "credit.h"
#include "packet.h"

#define GLASS_RESERVED_PORTS	1024	/* below: CAP_NET_BIND_SERVICE */

struct glass_transport;

/* Programs that trace by CO-RE read the first fields by name. */
struct glass_sock {
	struct sock sk;			/* first: struct sock * is this too */

	/* The connection, or ANY; in this order the key of the table. */
	u32 local_cid;
	u32 local_port;
	u32 peer_cid;
	u32 peer_port;

	/* What bind() was asked for; a connect() leaves it alone. */
	u32 bound_cid;
	u32 bound_port;

	/* Membership in table.c, each under the lock of the table. */
	struct rhlist_head bound_node;
	struct rhash_head connected_node;
	u32 id;
	bool bound;
	bool connected;
	bool listed;

	/* Written under the socket lock. */
	bool timer_deferred;		/* it fired while a process owned us */
	u16 reset_deferred;		/* enum glass_vsock_reason: likewise */
	u8 timer;			/* enum glass_vsock_timer that is armed */
	u8 peer_shutdown;		/* RCV_SHUTDOWN, SEND_SHUTDOWN */
	u16 reason;			/* enum glass_vsock_reason of the state */

	/* Written under the spin lock, when a packet arrives: rcv.c. */
	u8 arrived;			/* GLASS_ARRIVED_... */
	bool credit_asked;		/* while we had none to give */

	/* A sender was refused: wake it when there is room. */
	bool tx_waiting;
	u32 tx_wanted;			/* owner: bytes at once, or 0 */
	bool tx_asked;			/* for credit, with no news since */
	u32 rx_messages;		/* owner: that can be read */

	atomic_t tx_unsent;		/* bytes that the device has not taken */
	bool credit_pending;		/* a CREDIT_UPDATE waits: virtio_tx.c */

	const struct glass_transport *transport; /* while connect()ed */
	struct glass_credit credit;

	/* Options. */
	u64 buffer_size;
	u64 buffer_min_size;
	u64 buffer_max_size;
	unsigned long connect_timeout;	/* jiffies */

	/* A listener's children that nobody accepted yet. */
	spinlock_t accept_lock;
	struct list_head accept_queue;
	struct list_head accept_node;	/* in the listener's queue */
	bool acceptable;		/* our RESPONSE is on its way */

	/* For those who look: tx by the owner, rx on arrival. */
	u64 born_ns;
	u64 state_ns;
	u64 connect_started_ns;
	u64 connect_ns;			/* how long it took, or 0 */
	unsigned long timer_set_for;	/* jiffies */
	u32 probe_tx_cnt;		/* when the credit probe was first armed */
	unsigned long last_activity;	/* jiffies; 0 never */
	u64 tx_bytes;
	u64 rx_bytes;
	u64 tx_packets;
	u64 rx_packets;
	u64 stalls[GLASS_VSOCK_STALL_MAX];
	u64 stall_ns;			/* since when a sender waits, or 0 */
	u8 stall_cause;			/* of the first one */
	unsigned int stalled;		/* senders that wait */
};

/* Control packets that count only once. */
#define GLASS_ARRIVED_RESPONSE		BIT(0)
#define GLASS_ARRIVED_SHUTDOWN_RCV	BIT(1)
#define GLASS_ARRIVED_SHUTDOWN_SEND	BIT(2)
#define GLASS_ARRIVED_END		BIT(3)	/* reset, or broke a rule */

static inline struct glass_sock *glass_sk(const struct sock *sk)
{
	return (struct glass_sock *)sk;
}

/* The receive buffer to grant: credit counts to 2^31 - 1 only. */
static inline u32 glass_rx_window(const struct glass_sock *gs)
{
	return min_t(u64, gs->buffer_size, GLASS_CREDIT_MAX_WINDOW);
}

/*
 * The header of a packet on its way through the driver, in skb->cb.  Addresses
 * were validated, so a CID has 32 bits.  skb->data is the payload.
 */
struct glass_cb {
	u32 src_cid;
	u32 src_port;
	u32 dst_cid;
	u32 dst_port;
	u32 flags;
	u32 buf_alloc;
	u32 fwd_cnt;
	u32 len;	/* of the payload, of what the reader has not taken */
	u32 offset;	/* into skb->data, of that */
	u16 messages;	/* packed: that end in it */
	u8 op;
	u8 type;
	u8 reason;	/* enum glass_vsock_reason: the rule it broke */
	u8 reply;	/* answers a packet, which may be one: how deep */
	bool packed;	/* parts of messages, for queue.c to tell apart */
};

static inline struct glass_cb *GLASS_CB(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct glass_cb) > sizeof(skb->cb));
	return (struct glass_cb *)skb->cb;
}

/* The header as the wire and those who trace have it. */
static inline struct glass_vsock_hdr glass_packet_hdr(struct sk_buff *skb)
{
	const struct glass_cb *cb = GLASS_CB(skb);

	return (struct glass_vsock_hdr) {
		.src_cid = cb->src_cid,
		.dst_cid = cb->dst_cid,
		.src_port = cb->src_port,
		.dst_port = cb->dst_port,
		.len = cb->len,
		.type = cb->type,
		.op = cb->op,
		.flags = cb->flags,
		.buf_alloc = cb->buf_alloc,
		.fwd_cnt = cb->fwd_cnt,
	};
}

/* The wire type of a socket's packets. */
static inline u8 glass_wire_type(const struct sock *sk)
{
	return sk->sk_type == SOCK_SEQPACKET ? GLASS_TYPE_SEQPACKET :
					       GLASS_TYPE_STREAM;
}

/*
 * A packet without payload, with room for the wire header.  Its GLASS_CB is
 * not set.  NULL, counted, if memory is short.
 */
struct sk_buff *glass_control_alloc(gfp_t gfp);

/* The same with room for @linear bytes of payload behind the header. */
struct sk_buff *glass_packet_alloc(u32 linear, gfp_t gfp);

#endif /* GLASS_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The line between sockets and what carries their packets.  Two carriers:
 * loopback.c, which is always there, and virtio.c, which comes and goes with
 * its device.
 */
#ifndef GLASS_TRANSPORT_H
#define GLASS_TRANSPORT_H

#include "glass.h"

struct glass_transport {
	bool one_piece;		/* of memory for the payload of a packet */
	bool to_reader;		/* packets are held until a program reads them */

	/* Whether it carries sockets of that type.  Any context. */
	bool (*carries)(int type);

	/*
	 * The CID that a connection to @peer_cid comes from, or VMADDR_CID_ANY
	 * while there is no device.  Any context.
	 */
	u32 (*source_cid)(u32 peer_cid);

	/**
	 * @send - send a packet, and take it over
	 * @sk: its socket, or NULL for a reset that belongs to none
	 * @skb: payload, at least GLASS_HDR_LEN bytes of headroom, GLASS_CB
	 *	 complete but for the credit, which is filled in here
	 * @more: another follows at once, or flush() does
	 *
	 * Packets leave in the order of the calls.  Process context or softirq,
	 * with no socket's spin lock held: local delivery takes the peer's.
	 * The packet is freed, too, with -ENODEV, while there is no device, and
	 * -ENOBUFS, for a REQUEST when too much waits for the device.
	 */
	int (*send)(struct sock *sk, struct sk_buff *skb, bool more);

	/* Let packets that were sent with @more go.  As send(). */
	void (*flush)(void);
};

extern const struct glass_transport glass_loopback;
extern const struct glass_transport glass_virtio;

/* The carrier for a peer's CID, or NULL.  Any context. */
const struct glass_transport *glass_transport_find(u32 cid);

/* The CID of the virtio device, or VMADDR_CID_ANY without one.  Any context. */
u32 glass_virtio_cid(void);

/* Whether a socket may bind() to that CID.  Any context. */
static inline bool glass_cid_is_local(u32 cid)
{
	return cid == VMADDR_CID_LOCAL ||
	       (cid != VMADDR_CID_ANY && cid == glass_virtio_cid());
}

/* Register with the virtio bus.  May sleep.  An errno. */
int __init glass_virtio_init(void);
void glass_virtio_exit(void);

/**
 * glass_fill_credit - state our credit in a packet that is about to leave
 *
 * Called by carriers, for one socket's packets in the order in which they
 * leave.  Any context.
 */
void glass_fill_credit(struct sock *sk, struct sk_buff *skb);

/**
 * glass_rcv - the receive entry: deliver a packet to its socket
 * @transport: who carried it, and will carry the answer
 * @skb: payload, with a valid GLASS_CB; or none, and in GLASS_CB the rule that
 *	 the packet breaks; taken over
 *
 * Softirq or with bottom halves disabled; no socket's spin lock held.
 */
void glass_rcv(const struct glass_transport *transport, struct sk_buff *skb);

/*
 * End every connection that the carrier has, with ECONNRESET.  Process
 * context, may sleep.
 */
void glass_reset_all(const struct glass_transport *transport,
		     enum glass_vsock_reason reason);

#endif /* GLASS_TRANSPORT_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local delivery: to VMADDR_CID_LOCAL and to the guest's own CID.  A packet is
 * handed straight to the peer's socket, in the context of who sends it.
 */

#include "observe.h"
#include "transport.h"

static bool loopback_carries(int type)
{
	return true;
}

static u32 loopback_source_cid(u32 peer_cid)
{
	return VMADDR_CID_LOCAL;
}

/*
 * The answer to this packet, if any, is delivered from within glass_rcv(), and
 * what answers that one, from within that: no deeper, because the answer to a
 * REQUEST may be refused with a reset, which nothing answers, and the one to a
 * CREDIT_REQUEST by another one, which is answered when all was read, or later.
 */
static int loopback_send(struct sock *sk, struct sk_buff *skb, bool more)
{
	if (sk)
		glass_fill_credit(sk, skb);
	glass_observe_tx(sk, skb);
	glass_observe_tx_done(sk, skb);
	local_bh_disable();
	glass_rcv(&glass_loopback, skb);
	local_bh_enable();
	return 0;
}

static void loopback_flush(void)
{
}

const struct glass_transport glass_loopback = {
	.to_reader = true,
	.carries = loopback_carries,
	.source_cid = loopback_source_cid,
	.send = loopback_send,
	.flush = loopback_flush,
};

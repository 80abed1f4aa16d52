// SPDX-License-Identifier: GPL-2.0-only
/* What sockets and carriers share. */

#include "stats.h"
#include "trace.h"
#include "transport.h"

struct sk_buff *glass_packet_alloc(u32 linear, gfp_t gfp)
{
	struct sk_buff *skb = alloc_skb(GLASS_HDR_LEN + linear,
					gfp | __GFP_NOWARN);

	if (!skb) {
		glass_count(alloc_failures);
		return NULL;
	}
	skb_reserve(skb, GLASS_HDR_LEN);
	return skb;
}

struct sk_buff *glass_control_alloc(gfp_t gfp)
{
	return glass_packet_alloc(0, gfp);
}

const struct glass_transport *glass_transport_find(u32 cid)
{
	u32 own = glass_virtio_cid();

	if (cid == VMADDR_CID_LOCAL || (cid == own && own != VMADDR_CID_ANY))
		return &glass_loopback;
	return own == VMADDR_CID_ANY ? NULL : &glass_virtio;
}

void glass_fill_credit(struct sock *sk, struct sk_buff *skb)
{
	struct glass_sock *gs = glass_sk(sk);
	struct glass_cb *cb = GLASS_CB(skb);
	struct glass_credit *c = &gs->credit;

	if (glass_credit_tell(c, &cb->buf_alloc, &cb->fwd_cnt))
		trace_credit(sk, GLASS_VSOCK_RX, glass_credit_rx_free(c),
			     glass_credit_rx_queued(c), cb->buf_alloc,
			     cb->fwd_cnt);
}

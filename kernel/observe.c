// SPDX-License-Identifier: GPL-2.0-only
/* Counters and tracepoints of packets, resets and drops. */

#define CREATE_TRACE_POINTS
#include "trace.h"

#include "monitor.h"
#include "observe.h"
#include "stats.h"

void glass_observe_tx(struct sock *sk, struct sk_buff *skb)
{
	glass_count_tx(GLASS_CB(skb)->op, GLASS_CB(skb)->len);
	/* All that this machine sends: what the device delivers is shown there. */
	glass_monitor_skb(skb);
	if (sk && trace_packet_tx_enabled()) {
		struct glass_vsock_hdr hdr = glass_packet_hdr(skb);

		trace_packet_tx(sk, &hdr);
	} else if (!sk && trace_packet_tx_nosk_enabled()) {
		struct glass_vsock_hdr hdr = glass_packet_hdr(skb);

		trace_packet_tx_nosk(&hdr);
	}
}

void glass_observe_tx_done(struct sock *sk, struct sk_buff *skb)
{
	if (sk && trace_packet_tx_done_enabled()) {
		struct glass_vsock_hdr hdr = glass_packet_hdr(skb);

		trace_packet_tx_done(sk, &hdr);
	} else if (!sk && trace_packet_tx_done_nosk_enabled()) {
		struct glass_vsock_hdr hdr = glass_packet_hdr(skb);

		trace_packet_tx_done_nosk(&hdr);
	}
}

void glass_observe_rx(struct sock *sk, struct sk_buff *skb)
{
	struct glass_cb *cb = GLASS_CB(skb);

	glass_count_rx(cb->op, cb->len);
	if (sk && trace_packet_rx_enabled()) {
		struct glass_vsock_hdr hdr = glass_packet_hdr(skb);

		trace_packet_rx(sk, &hdr, cb->reason);
	} else if (!sk && trace_packet_rx_nosk_enabled()) {
		struct glass_vsock_hdr hdr = glass_packet_hdr(skb);

		trace_packet_rx_nosk(&hdr, cb->reason);
	}
}

void glass_observe_drop(struct sock *sk, struct sk_buff *skb,
			enum glass_vsock_reason reason)
{
	glass_count(drops[reason]);
	if (sk && trace_drop_enabled()) {
		struct glass_vsock_hdr hdr = glass_packet_hdr(skb);

		trace_drop(sk, &hdr, reason);
	} else if (!sk && trace_drop_nosk_enabled()) {
		struct glass_vsock_hdr hdr = glass_packet_hdr(skb);

		trace_drop_nosk(&hdr, reason);
	}
	kfree_skb(skb);
}

void glass_observe_bad(const struct glass_vsock_hdr *hdr,
		       enum glass_vsock_reason reason)
{
	glass_count_rx(GLASS_VSOCK_OP_INVALID, 0);
	glass_count(drops[reason]);
	trace_packet_rx_nosk(hdr, reason);
	trace_drop_nosk(hdr, reason);
}

void glass_observe_reset(struct sock *sk, enum glass_vsock_dir dir,
			 enum glass_vsock_reason reason)
{
	if (dir == GLASS_VSOCK_TX)
		glass_count(resets_tx[reason]);
	else
		glass_count(resets_rx[reason]);
	trace_reset(sk, dir, reason);
}

void glass_observe_reset_nosk(struct sk_buff *skb,
			      enum glass_vsock_reason reason)
{
	glass_count(resets_tx[reason]);
	if (trace_reset_nosk_enabled()) {
		struct glass_vsock_hdr hdr = glass_packet_hdr(skb);

		trace_reset_nosk(&hdr, GLASS_VSOCK_TX, reason);
	}
}

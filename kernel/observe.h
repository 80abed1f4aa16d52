/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Count and trace what happens to packets.  Any context; sk may be NULL for a
 * packet that belongs to no socket.
 */
#ifndef GLASS_OBSERVE_H
#define GLASS_OBSERVE_H

#include "glass.h"

/* A packet goes out; its carrier is done with it; one arrived. */
void glass_observe_tx(struct sock *sk, struct sk_buff *skb);
void glass_observe_tx_done(struct sock *sk, struct sk_buff *skb);
void glass_observe_rx(struct sock *sk, struct sk_buff *skb);

/* A packet goes nowhere, for @reason; frees it. */
void glass_observe_drop(struct sock *sk, struct sk_buff *skb,
			enum glass_vsock_reason reason);

/* A packet that did not become an skb, because its addresses are not credible. */
void glass_observe_bad(const struct glass_vsock_hdr *hdr,
		       enum glass_vsock_reason reason);

/* A reset was received, or is about to be sent. */
void glass_observe_reset(struct sock *sk, enum glass_vsock_dir dir,
			 enum glass_vsock_reason reason);
void glass_observe_reset_nosk(struct sk_buff *skb,
			      enum glass_vsock_reason reason);

#endif /* GLASS_OBSERVE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The capture device: a network interface of the kind "vsockmon", which shows
 * every packet once, as the stock driver's does.
 */
#ifndef GLASS_MONITOR_H
#define GLASS_MONITOR_H

#include <linux/jump_label.h>

#include "glass.h"

/* On while such an interface is up. */
DECLARE_STATIC_KEY_FALSE(glass_monitor_on);

void glass_monitor_show_skb(struct sk_buff *skb);
void glass_monitor_show(const struct glass_vsock_hdr *hdr, const void *payload,
			u32 len);

/*
 * Show a packet with a complete GLASS_CB whose payload is skb->data.  Any
 * context.  Short of memory, the interfaces count a drop.
 */
static inline void glass_monitor_skb(struct sk_buff *skb)
{
	if (static_branch_unlikely(&glass_monitor_on))
		glass_monitor_show_skb(skb);
}

/* Show a packet as the device delivered it, with @len bytes at @payload. */
static inline void glass_monitor_wire(const struct glass_vsock_hdr *hdr,
				      const void *payload, u32 len)
{
	if (static_branch_unlikely(&glass_monitor_on))
		glass_monitor_show(hdr, payload, len);
}

/* Register the kind of interface.  May sleep.  -EEXIST, -ENOMEM. */
int __init glass_monitor_init(void);

/* Removes the interfaces, too.  No packet is sent or received any more. */
void glass_monitor_exit(void);

#endif /* GLASS_MONITOR_H */

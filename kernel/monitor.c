// SPDX-License-Identifier: GPL-2.0-only
/*
 * The capture device.  What it is given are copies, made with the kernel's own
 * allocator, so that a packet which waits in a capture refers neither to a
 * socket nor to this module.
 */

#include <linux/if_arp.h>
#include <linux/module.h>
#include <linux/vsockmon.h>
#include <net/rtnetlink.h>

#include "compat.h"
#include "monitor.h"

#define HEADERS_LEN	(sizeof(struct af_vsockmon_hdr) + GLASS_HDR_LEN)
#define COPY_GFP	(GFP_ATOMIC | __GFP_NOWARN)

struct monitor {
	struct list_head node;
	struct net_device *dev;
};

DEFINE_STATIC_KEY_FALSE(glass_monitor_on);

/* Those that are up.  Changed under the RTNL, read under RCU. */
static LIST_HEAD(monitors);

/* Packets */

static u16 monitor_op(u16 op)
{
	switch (op) {
	case GLASS_VSOCK_OP_REQUEST:
	case GLASS_VSOCK_OP_RESPONSE:
		return AF_VSOCK_OP_CONNECT;
	case GLASS_VSOCK_OP_RST:
	case GLASS_VSOCK_OP_SHUTDOWN:
		return AF_VSOCK_OP_DISCONNECT;
	case GLASS_VSOCK_OP_CREDIT_UPDATE:
	case GLASS_VSOCK_OP_CREDIT_REQUEST:
		return AF_VSOCK_OP_CONTROL;
	case GLASS_VSOCK_OP_RW:
		return AF_VSOCK_OP_PAYLOAD;
	default:
		return AF_VSOCK_OP_UNKNOWN;
	}
}

/* A packet with both headers, and room for @len bytes of payload; or NULL. */
static struct sk_buff *copy_alloc(const struct glass_vsock_hdr *hdr, u32 len)
{
	const struct af_vsockmon_hdr head = {
		.src_cid = cpu_to_le64(hdr->src_cid),
		.dst_cid = cpu_to_le64(hdr->dst_cid),
		.src_port = cpu_to_le32(hdr->src_port),
		.dst_port = cpu_to_le32(hdr->dst_port),
		.op = cpu_to_le16(monitor_op(hdr->op)),
		.transport = cpu_to_le16(AF_VSOCK_TRANSPORT_VIRTIO),
		.len = cpu_to_le16(GLASS_HDR_LEN),
	};
	struct sk_buff *copy;
	int err;

	copy = alloc_skb_with_frags(HEADERS_LEN, len, PAGE_ALLOC_COSTLY_ORDER,
				    &err, COPY_GFP);
	if (!copy)
		return NULL;
	skb_put_data(copy, &head, sizeof(head));
	glass_hdr_encode(hdr, skb_put(copy, GLASS_HDR_LEN));
	copy->len += len;
	copy->data_len = len;
	skb_reset_mac_header(copy);
	skb_reset_network_header(copy);
	return copy;
}

static void copy_payload(struct sk_buff *copy, struct sk_buff *skb)
{
	unsigned int done = 0, n;
	struct skb_seq_state seq;
	const u8 *part;

	skb_prepare_seq_read(skb, 0, skb->len, &seq);
	while ((n = skb_seq_read(done, &part, &seq))) {
		skb_store_bits(copy, HEADERS_LEN + done, part, n);
		done += n;
	}
}

/* Hand a copy to every interface, or let each count the loss of it. */
static void deliver(struct sk_buff *copy)
{
	struct monitor *monitor;

	rcu_read_lock();
	list_for_each_entry_rcu(monitor, &monitors, node) {
		struct sk_buff *clone = copy ? skb_clone(copy, COPY_GFP) : NULL;

		if (!clone) {
			dev_core_stats_rx_dropped_inc(monitor->dev);
			continue;
		}
		clone->dev = monitor->dev;
		dev_queue_xmit(clone);
	}
	rcu_read_unlock();
	consume_skb(copy);
}

void glass_monitor_show_skb(struct sk_buff *skb)
{
	const struct glass_vsock_hdr hdr = glass_packet_hdr(skb);
	struct sk_buff *copy = copy_alloc(&hdr, skb->len);

	if (copy)
		copy_payload(copy, skb);
	deliver(copy);
}

void glass_monitor_show(const struct glass_vsock_hdr *hdr, const void *payload,
			u32 len)
{
	struct sk_buff *copy = copy_alloc(hdr, len);

	if (copy)
		skb_store_bits(copy, HEADERS_LEN, payload, len);
	deliver(copy);
}

/* The interface */

static int monitor_dev_init(struct net_device *dev)
{
	dev->lstats = netdev_alloc_pcpu_stats(struct pcpu_lstats);
	return dev->lstats ? 0 : -ENOMEM;
}

static void monitor_dev_uninit(struct net_device *dev)
{
	free_percpu(dev->lstats);
}

static int monitor_open(struct net_device *dev)
{
	struct monitor *monitor = netdev_priv(dev);

	monitor->dev = dev;
	list_add_tail_rcu(&monitor->node, &monitors);
	static_branch_inc(&glass_monitor_on);
	return 0;
}

static int monitor_stop(struct net_device *dev)
{
	struct monitor *monitor = netdev_priv(dev);

	static_branch_dec(&glass_monitor_on);
	list_del_rcu(&monitor->node);
	/* The node may be added again, and the interface go, after this. */
	synchronize_net();
	return 0;
}

/* Whoever captures has taken what there is to take on the way here. */
static netdev_tx_t monitor_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_lstats_add(dev, skb->len);
	consume_skb(skb);
	return NETDEV_TX_OK;
}

static void monitor_stats(struct net_device *dev,
			  struct rtnl_link_stats64 *stats)
{
	dev_lstats_read(dev, &stats->rx_packets, &stats->rx_bytes);
}

static const struct net_device_ops monitor_ops = {
	.ndo_init = monitor_dev_init,
	.ndo_uninit = monitor_dev_uninit,
	.ndo_open = monitor_open,
	.ndo_stop = monitor_stop,
	.ndo_start_xmit = monitor_xmit,
	.ndo_get_stats64 = monitor_stats,
};

static void monitor_setup(struct net_device *dev)
{
	dev->type = ARPHRD_VSOCKMON;
	dev->netdev_ops = &monitor_ops;
	dev->needs_free_netdev = true;
	dev->flags = IFF_NOARP;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA;
	dev->mtu = SZ_64K + sizeof(struct af_vsockmon_hdr);	/* as stock's */
	/*
	 * It shows the packets of the whole guest, whoever sends them, and in
	 * another namespace any user could make, or be given, one.
	 */
	glass_netdev_set_immovable(dev);
	glass_netdev_set_lltx(dev);
}

/* Here the kernel has asked for CAP_NET_ADMIN over the namespace already. */
static int monitor_newlink(GLASS_NEWLINK_ARGS)
{
	if (!net_eq(dev_net(dev), &init_net)) {
		NL_SET_ERR_MSG(extack, "vsockmon: only in the initial network namespace");
		return -EPERM;
	}
	return register_netdevice(dev);
}

static struct rtnl_link_ops monitor_link_ops __read_mostly = {
	.kind = "vsockmon",
	.priv_size = sizeof(struct monitor),
	.setup = monitor_setup,
	.newlink = monitor_newlink,
};

int __init glass_monitor_init(void)
{
	return rtnl_link_register(&monitor_link_ops);
}

void glass_monitor_exit(void)
{
	rtnl_link_unregister(&monitor_link_ops);
}

MODULE_ALIAS_RTNL_LINK("vsockmon");

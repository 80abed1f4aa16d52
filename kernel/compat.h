/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What changed in the kernel between 6.1 and 7.3, seen from this driver.  The
 * only place that knows a kernel's version.
 */
#ifndef GLASS_COMPAT_H
#define GLASS_COMPAT_H

#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/version.h>
#include <linux/virtio_config.h>

/* 6.19: addresses come as struct sockaddr_unsized. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define sockaddr_unsized	sockaddr
#endif

/* 6.10: accept() takes one struct for its arguments. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define GLASS_ACCEPT_ARGS	int accept_flags, bool accept_kern
#define glass_accept_flags()	accept_flags
#else
#define GLASS_ACCEPT_ARGS	struct proto_accept_arg *arg
#define glass_accept_flags()	((arg)->flags)
#endif

/* 6.5: sendpage became MSG_SPLICE_PAGES. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define GLASS_OPS_SENDPAGE(fn)	.sendpage = fn,
#else
#define GLASS_OPS_SENDPAGE(fn)
#endif

/* Where the kernel does not know the flag a program could set it: copy. */
#ifdef MSG_SPLICE_PAGES
#define GLASS_MSG_SPLICE_PAGES	MSG_SPLICE_PAGES
#else
#define GLASS_MSG_SPLICE_PAGES	0
#endif

/* 6.6: the level and type of what is in the error queue. */
#ifndef SOL_VSOCK
#define SOL_VSOCK		287
#endif
#ifndef VSOCK_RECVERR
#define VSOCK_RECVERR		1
#endif

/*
 * Zero-copy sends; and SOL_SOCKET's options come here, so that SO_ZEROCOPY,
 * which the core keeps to the families that it knows, can be had.  Before 6.7
 * they did not.
 */
static inline void glass_socket_flags(struct socket *sock)
{
	set_bit(SOCK_SUPPORT_ZC, &sock->flags);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	set_bit(SOCK_CUSTOM_SOCKOPT, &sock->flags);
#endif
}

/* 6.10 gave zero-copy notifications a table of functions. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define glass_zerocopy_complete(uarg, ok)	((uarg)->callback(NULL, uarg, ok))
#else
#define glass_zerocopy_complete(uarg, ok)				\
	((uarg)->ops->complete(NULL, uarg, ok))
#endif

/* 6.16: they may be for the memory of another device. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define glass_zerocopy_alloc(sk, size)	msg_zerocopy_realloc(sk, size, NULL)
#else
#define glass_zerocopy_alloc(sk, size)					\
	msg_zerocopy_realloc(sk, size, NULL, false)
#endif

/* 6.11: queues are described by one struct each. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
struct virtqueue_info {
	const char *name;
	vq_callback_t *callback;
};

static inline int glass_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
				 struct virtqueue *vqs[],
				 struct virtqueue_info info[])
{
	vq_callback_t *callbacks[8];
	const char *names[8];
	unsigned int i;

	if (WARN_ON(nvqs > ARRAY_SIZE(names)))
		return -EINVAL;
	for (i = 0; i < nvqs; i++) {
		callbacks[i] = info[i].callback;
		names[i] = info[i].name;
	}
	return virtio_find_vqs(vdev, nvqs, vqs, callbacks, names, NULL);
}
#else
static inline int glass_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
				 struct virtqueue *vqs[],
				 struct virtqueue_info info[])
{
	return virtio_find_vqs(vdev, nvqs, vqs, info, NULL);
}
#endif

/*
 * A net_device that only carries a NAPI context.  6.10 allocates it, before
 * it was a plain struct; free it with kfree() or free_netdev().
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
static inline struct net_device *glass_alloc_netdev(void)
{
	struct net_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (dev)
		init_dummy_netdev(dev);
	return dev;
}

static inline void glass_free_netdev(struct net_device *dev)
{
	kfree(dev);
}
#else
static inline struct net_device *glass_alloc_netdev(void)
{
	return alloc_netdev_dummy(0);
}

static inline void glass_free_netdev(struct net_device *dev)
{
	free_netdev(dev);
}
#endif

/* 6.15: rtnl_link_ops.newlink() takes one struct for its arguments. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
#define GLASS_NEWLINK_ARGS						\
	struct net *src_net, struct net_device *dev,			\
	struct nlattr *tb[], struct nlattr *data[],			\
	struct netlink_ext_ack *extack
#else
#define GLASS_NEWLINK_ARGS						\
	struct net_device *dev, struct rtnl_newlink_params *params,	\
	struct netlink_ext_ack *extack
#endif

/*
 * An interface that keeps its network namespace, and one that needs no lock to
 * transmit.  6.12 made fields of these features; the first has been renamed
 * since, in its stable releases, too.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
static inline void glass_netdev_set_immovable(struct net_device *dev)
{
	dev->features |= NETIF_F_NETNS_LOCAL;
}

static inline void glass_netdev_set_lltx(struct net_device *dev)
{
	dev->features |= NETIF_F_LLTX;
}
#else
static inline void glass_netdev_set_immovable(struct net_device *dev)
{
	dev->netns_immutable = true;
}

static inline void glass_netdev_set_lltx(struct net_device *dev)
{
	dev->lltx = true;
}
#endif

/* 6.16 renamed from_timer(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define glass_from_timer(var, timer, field)	from_timer(var, timer, field)
#else
#define glass_from_timer(var, timer, field)				\
	timer_container_of(var, timer, field)
#endif

/* 6.6 split the header of page_pool. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#include <net/page_pool.h>
#else
#include <net/page_pool/helpers.h>
#endif

#endif /* GLASS_COMPAT_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtio-vsock device, as virtio.c, virtio_tx.c and virtio_rx.c share it. */
#ifndef GLASS_VIRTIO_H
#define GLASS_VIRTIO_H

#include <linux/mutex.h>
#include <linux/virtio.h>
#include <linux/virtio_vsock.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "glass.h"

#define GLASS_EVENT_BUFFERS	8U

enum { VQ_RX, VQ_TX, VQ_EVENT, VQ_MAX };

struct glass_device {
	struct virtio_device *vdev;
	struct virtqueue *vqs[VQ_MAX];
	u32 cid;
	u32 types;		/* of sockets: a set of GLASS_TYPE_... */

	spinlock_t tx_lock;
	struct sk_buff_head tx_pending;	/* tx_lock: the ring was full */
	unsigned int tx_requests;	/* tx_lock: REQUESTs among the pending */
	unsigned int tx_replies;	/* tx_lock: in the ring and pending */
	bool tx_unkicked;		/* tx_lock: sent with more to follow */

	struct net_device *netdev;	/* only carries napi */
	struct napi_struct napi;
	struct page_pool *pool;		/* NAPI, like all of rx */
	unsigned int rx_posted;
	bool rx_unkicked;		/* posted and not notified */
	struct sk_buff *rx_spare;	/* for the next packet */
	struct delayed_work retry;	/* schedules NAPI */

	struct mutex event_lock;
	bool started;			/* event_lock: the queues can be used */
	struct virtio_vsock_event *events;	/* the device writes to them */
	struct work_struct event_work;
};

/* The device, under rcu_read_lock() or its _bh; NULL while there is none. */
extern struct glass_device __rcu *glass_the_device;

/* Run NAPI in a while: memory is short, and no interrupt will say it is not. */
void glass_poll_later(struct glass_device *dev);

/*
 * NAPI: take back what was sent.  Returns whether there is more to do.
 */
bool glass_tx_poll(struct glass_device *dev);

/* Answers that the device does not take hold up the packets that cause them. */
bool glass_tx_congested(const struct glass_device *dev);

/* NAPI: nothing can be received until whoever removes the cause schedules it. */
static inline bool glass_rx_paused(const struct glass_device *dev)
{
	return glass_tx_congested(dev) || !dev->rx_spare;
}

/* Drop all that was sent.  The device is reset, NAPI disabled. */
void glass_tx_free(struct glass_device *dev);

/* NAPI: receive up to @budget packets.  Returns how many. */
int glass_rx_poll(struct glass_device *dev, int budget);

/* Make and free what receives.  May sleep.  An errno. */
int glass_rx_alloc(struct glass_device *dev);
void glass_rx_free(struct glass_device *dev);

/* Take the buffers back.  The device is reset, NAPI disabled. */
void glass_rx_detach(struct glass_device *dev);

#endif /* GLASS_VIRTIO_H */

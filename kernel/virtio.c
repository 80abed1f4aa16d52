// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio-vsock device: virtio 1.2, section 5.10.
 *
 * Packets are sent from whatever context the socket is in, straight into the
 * transmit ring, and wait in tx_pending while it is full.  Used buffers are
 * taken back on the next send and, since the last packet has no next, by a
 * delayed interrupt.  Packets are received in NAPI; the buffers come from a
 * page pool, so that they are neither allocated nor zeroed for each packet.
 *
 * One device carries the family; a second one is refused.
 */

#include <linux/module.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_vsock.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "observe.h"
#include "stats.h"
#include "trace.h"
#include "transport.h"

#define RX_BUFFER_ORDER		3	/* 32 KiB: a peer sends fewer packets */
#define RX_BUFFERS		64U	/* posted at most: 2 MiB */
#define RX_COPY_MAX		1024	/* copied out, the buffer posted again */
#define RX_REFILL_RETRY		(HZ / 10)
#define TX_REPLIES_MAX		256U	/* beyond, receiving pauses */
#define EVENT_BUFFERS		8U

enum { VQ_RX, VQ_TX, VQ_EVENT, VQ_MAX };

struct glass_device {
	struct virtio_device *vdev;
	struct virtqueue *vqs[VQ_MAX];
	u32 cid;

	spinlock_t tx_lock;
	struct sk_buff_head tx_pending;	/* tx_lock: the ring was full */
	unsigned int tx_replies;	/* tx_lock: in the ring and pending */
	bool tx_unkicked;		/* tx_lock: sent with more to follow */

	struct net_device *netdev;	/* only carries napi */
	struct napi_struct napi;
	struct page_pool *pool;		/* NAPI, like all of rx */
	unsigned int rx_posted;
	struct sk_buff *rx_spare;	/* for the next packet */
	struct delayed_work rx_retry;

	struct virtio_vsock_event events[EVENT_BUFFERS];
	struct work_struct event_work;
};

static struct glass_device __rcu *the_device;
static DEFINE_MUTEX(the_device_lock);	/* writers of the_device */

u32 glass_virtio_cid(void)
{
	struct glass_device *dev;
	u32 cid;

	rcu_read_lock();
	dev = rcu_dereference(the_device);
	cid = dev ? READ_ONCE(dev->cid) : VMADDR_CID_ANY;
	rcu_read_unlock();
	return cid;
}

static u32 virtio_source_cid(u32 peer_cid)
{
	return glass_virtio_cid();
}

/* Transmit */

/*
 * The header and a small payload are one buffer, a page of payload is a second
 * one.  More than one buffer of payload is not possible here by design: a
 * device that mistakes the second for the end loses the packet.
 */
static int ring_add(struct glass_device *dev, struct sk_buff *skb)
{
	struct scatterlist hdr, page;
	struct scatterlist *sgs[] = { &hdr, &page };
	unsigned int n = 1;

	sg_init_one(&hdr, skb->data - GLASS_HDR_LEN,
		    GLASS_HDR_LEN + skb_headlen(skb));
	if (skb_is_nonlinear(skb)) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[0];

		sg_init_table(&page, 1);
		sg_set_page(&page, skb_frag_page(frag), skb_frag_size(frag),
			    skb_frag_off(frag));
		n = 2;
	}
	return virtqueue_add_sgs(dev->vqs[VQ_TX], sgs, n, 0, skb, GFP_ATOMIC);
}

static void write_header(struct sk_buff *skb)
{
	const struct glass_cb *cb = GLASS_CB(skb);
	const struct glass_vsock_hdr hdr = {
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

	glass_hdr_encode(&hdr, skb->data - GLASS_HDR_LEN);
}

/* Answers that the device does not take hold up the packets that cause them. */
static bool rx_paused(struct glass_device *dev)
{
	return READ_ONCE(dev->tx_replies) >= TX_REPLIES_MAX;
}

/*
 * Move packets that the device is done with to @done.  Bottom halves are
 * disabled, tx_lock held.
 */
static void ring_reclaim(struct glass_device *dev, struct sk_buff_head *done)
{
	bool paused = rx_paused(dev);
	struct sk_buff *skb;
	unsigned int len;

	while ((skb = virtqueue_get_buf(dev->vqs[VQ_TX], &len))) {
		WRITE_ONCE(dev->tx_replies,
			   dev->tx_replies - GLASS_CB(skb)->reply);
		__skb_queue_tail(done, skb);
	}
	if (paused && !rx_paused(dev))
		napi_schedule(&dev->napi);
}

/* Fill the ring from tx_pending.  tx_lock held. */
static void ring_push_pending(struct glass_device *dev)
{
	struct sk_buff *skb;

	while ((skb = skb_peek(&dev->tx_pending))) {
		if (ring_add(dev, skb))
			return;
		__skb_unlink(skb, &dev->tx_pending);
		dev->tx_unkicked = true;
	}
}

/* Without locks: freeing a packet may wake its sender. */
static void free_done(struct sk_buff_head *done)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(done))) {
		glass_observe_tx_done(skb->sk, skb);
		consume_skb(skb);
	}
}

/* Returns whether to notify the device, after unlocking.  tx_lock held. */
static bool ring_kick(struct glass_device *dev)
{
	if (!dev->tx_unkicked)
		return false;
	dev->tx_unkicked = false;
	return virtqueue_kick_prepare(dev->vqs[VQ_TX]);
}

static void ring_notify(struct glass_device *dev)
{
	glass_count(tx_kicks);
	virtqueue_notify(dev->vqs[VQ_TX]);
}

static int device_send(struct glass_device *dev, struct sock *sk,
		       struct sk_buff *skb, bool more)
{
	struct sk_buff_head done;
	bool notify = false;

	__skb_queue_head_init(&done);
	spin_lock_bh(&dev->tx_lock);
	ring_reclaim(dev, &done);

	/* The credit of one socket's packets must not go backwards. */
	if (sk)
		glass_fill_credit(sk, skb);
	write_header(skb);
	glass_observe_tx(sk, skb);
	WRITE_ONCE(dev->tx_replies, dev->tx_replies + GLASS_CB(skb)->reply);

	ring_push_pending(dev);
	if (!skb_queue_empty(&dev->tx_pending) || ring_add(dev, skb)) {
		glass_count(tx_ring_full);
		__skb_queue_tail(&dev->tx_pending, skb);
	} else {
		dev->tx_unkicked = true;
	}
	if (!more || !skb_queue_empty(&dev->tx_pending))
		notify = ring_kick(dev);
	if (!virtqueue_enable_cb_delayed(dev->vqs[VQ_TX]))
		napi_schedule(&dev->napi);
	spin_unlock_bh(&dev->tx_lock);

	if (notify)
		ring_notify(dev);
	free_done(&done);
	return 0;
}

static int virtio_send(struct sock *sk, struct sk_buff *skb, bool more)
{
	struct glass_device *dev;
	int err = -ENODEV;

	/* The socket is not done sending until the device has the packet. */
	if (sk)
		skb_set_owner_w(skb, sk);
	rcu_read_lock_bh();
	dev = rcu_dereference_bh(the_device);
	if (dev)
		err = device_send(dev, sk, skb, more);
	else
		kfree_skb(skb);
	rcu_read_unlock_bh();
	return err;
}

static void virtio_flush(void)
{
	struct glass_device *dev;
	bool notify = false;

	rcu_read_lock_bh();
	dev = rcu_dereference_bh(the_device);
	if (dev) {
		spin_lock(&dev->tx_lock);
		notify = ring_kick(dev);
		spin_unlock(&dev->tx_lock);
		if (notify)
			ring_notify(dev);
	}
	rcu_read_unlock_bh();
}

const struct glass_transport glass_virtio = {
	.source_cid = virtio_source_cid,
	.send = virtio_send,
	.flush = virtio_flush,
};

/* NAPI: take back what was sent.  Returns whether there is more to do. */
static bool tx_poll(struct glass_device *dev)
{
	struct virtqueue *vq = dev->vqs[VQ_TX];
	struct sk_buff_head done;
	bool notify, again;

	__skb_queue_head_init(&done);
	spin_lock(&dev->tx_lock);
	virtqueue_disable_cb(vq);
	ring_reclaim(dev, &done);
	ring_push_pending(dev);
	notify = ring_kick(dev);
	again = !virtqueue_enable_cb_delayed(vq);
	spin_unlock(&dev->tx_lock);

	if (notify)
		ring_notify(dev);
	free_done(&done);
	return again;
}

/* Receive */

static int rx_post(struct glass_device *dev, struct page *page)
{
	struct scatterlist sg;

	sg_init_table(&sg, 1);
	sg_set_page(&sg, page, page_size(page), 0);
	if (virtqueue_add_inbuf(dev->vqs[VQ_RX], &sg, 1, page, GFP_ATOMIC))
		return -ENOSPC;
	dev->rx_posted++;
	return 0;
}

/* A buffer of one page when there are no larger ones. */
static struct page *rx_alloc(struct glass_device *dev)
{
	struct page *page;

	page = page_pool_alloc_pages(dev->pool, GFP_ATOMIC | __GFP_NOWARN);
	if (!page)
		page = alloc_page(GFP_ATOMIC | __GFP_NOWARN);
	return page;
}

static void rx_free(struct glass_device *dev, struct page *page)
{
	if (page_size(page) > PAGE_SIZE)
		page_pool_put_full_page(dev->pool, page, false);
	else
		put_page(page);
}

static void rx_refill(struct glass_device *dev)
{
	bool posted = false;

	while (dev->rx_posted < RX_BUFFERS && dev->vqs[VQ_RX]->num_free) {
		struct page *page = rx_alloc(dev);

		if (!page) {
			glass_count(rx_refill_failures);
			break;
		}
		if (rx_post(dev, page)) {
			rx_free(dev, page);
			break;
		}
		posted = true;
	}
	/* With nothing posted there is no interrupt to try again on. */
	if (!dev->rx_posted || !dev->rx_spare)
		schedule_delayed_work(&dev->rx_retry, RX_REFILL_RETRY);
	if (posted && virtqueue_kick_prepare(dev->vqs[VQ_RX])) {
		glass_count(rx_kicks);
		virtqueue_notify(dev->vqs[VQ_RX]);
	}
}

static void rx_retry(struct work_struct *work)
{
	struct glass_device *dev =
		container_of(to_delayed_work(work), struct glass_device,
			     rx_retry);

	local_bh_disable();
	napi_schedule(&dev->napi);
	local_bh_enable();
}

static void fill_cb(struct sk_buff *skb, const struct glass_vsock_hdr *hdr,
		    enum glass_vsock_reason reason)
{
	*GLASS_CB(skb) = (struct glass_cb) {
		.src_cid = hdr->src_cid,
		.src_port = hdr->src_port,
		.dst_cid = hdr->dst_cid,
		.dst_port = hdr->dst_port,
		.len = reason ? 0 : hdr->len,
		.flags = hdr->flags,
		.buf_alloc = hdr->buf_alloc,
		.fwd_cnt = hdr->fwd_cnt,
		.op = min_t(u16, hdr->op, U8_MAX),
		.type = min_t(u16, hdr->type, U8_MAX),
		.reason = reason,
	};
}

/*
 * The skb for the next packet is there before the packet is taken off the
 * ring, so that data which was credited is not lost for want of memory.
 */
static bool rx_prepare(struct glass_device *dev)
{
	if (dev->rx_spare)
		return true;
	dev->rx_spare = napi_alloc_skb(&dev->napi, RX_COPY_MAX);
	if (!dev->rx_spare)
		glass_count(alloc_failures);
	return dev->rx_spare;
}

/*
 * Fill the skb with the payload.  A small one is copied, and *@page left to be
 * posted again; a large one takes the page and leaves NULL.
 */
static struct sk_buff *rx_skb(struct glass_device *dev, struct page **page,
			      u32 len)
{
	struct sk_buff *skb = dev->rx_spare;

	dev->rx_spare = NULL;
	if (len <= RX_COPY_MAX) {
		skb_put_data(skb, page_address(*page) + GLASS_HDR_LEN, len);
	} else {
		skb_add_rx_frag(skb, 0, *page, GLASS_HDR_LEN, len,
				page_size(*page));
		skb_mark_for_recycle(skb);
		*page = NULL;
	}
	return skb;
}

static bool credible(enum glass_vsock_reason reason)
{
	return reason != GLASS_VSOCK_R_SHORT_HEADER &&
	       reason != GLASS_VSOCK_R_BAD_SOURCE &&
	       reason != GLASS_VSOCK_R_BAD_DESTINATION;
}

static void rx_packet(struct glass_device *dev, struct page **page, u32 used)
{
	enum glass_vsock_reason reason = GLASS_VSOCK_R_SHORT_HEADER;
	struct glass_vsock_hdr hdr = {};
	u8 wire[GLASS_HDR_LEN];
	struct sk_buff *skb;

	/* The device can still write to the buffer: judge a copy. */
	memcpy(wire, page_address(*page), sizeof(wire));
	if (used <= page_size(*page))
		reason = glass_packet_parse(wire, used, READ_ONCE(dev->cid),
					    &hdr);
	if (!credible(reason)) {
		glass_observe_bad(&hdr, reason);
		return;
	}
	skb = rx_skb(dev, page, reason ? 0 : hdr.len);
	fill_cb(skb, &hdr, reason);
	glass_rcv(&glass_virtio, skb);
}

static int rx_poll(struct glass_device *dev, int budget)
{
	struct virtqueue *vq = dev->vqs[VQ_RX];
	struct page *page;
	unsigned int used;
	int n = 0;

	while (n < budget && !rx_paused(dev) && rx_prepare(dev)) {
		page = virtqueue_get_buf(vq, &used);
		if (!page)
			break;
		dev->rx_posted--;
		n++;
		rx_packet(dev, &page, used);
		if (page && rx_post(dev, page))
			rx_free(dev, page);
	}
	rx_prepare(dev);
	rx_refill(dev);
	return n;
}

static int glass_poll(struct napi_struct *napi, int budget)
{
	struct glass_device *dev = container_of(napi, struct glass_device, napi);
	struct virtqueue *vq = dev->vqs[VQ_RX];
	bool tx_again;
	int n;

	glass_count(napi_polls);
	tx_again = tx_poll(dev);
	n = rx_poll(dev, budget);
	if (n >= budget || tx_again)
		return budget;
	if (!napi_complete_done(napi, n))
		return n;
	/* Paused: the answers in the transmit ring will interrupt. */
	if (rx_paused(dev))
		return n;
	if (!virtqueue_enable_cb(vq) && napi_schedule_prep(napi)) {
		virtqueue_disable_cb(vq);
		__napi_schedule(napi);
	}
	return n;
}

static void vq_interrupt(struct virtqueue *vq)
{
	struct glass_device *dev = vq->vdev->priv;

	glass_count(interrupts);
	virtqueue_disable_cb(vq);
	napi_schedule(&dev->napi);
}

/* Events: virtio 1.2, section 5.10.6.7 */

static void event_post(struct glass_device *dev,
		       struct virtio_vsock_event *event)
{
	struct scatterlist sg;

	sg_init_one(&sg, event, sizeof(*event));
	virtqueue_add_inbuf(dev->vqs[VQ_EVENT], &sg, 1, event, GFP_KERNEL);
}

/* CIDs up to 2 and VMADDR_CID_ANY cannot be a guest's (section 5.10.4). */
static int read_cid(struct glass_device *dev)
{
	__le64 wire;
	u64 cid;

	virtio_cread_bytes(dev->vdev,
			   offsetof(struct virtio_vsock_config, guest_cid),
			   &wire, sizeof(wire));
	cid = le64_to_cpu(wire);
	if (cid <= VMADDR_CID_HOST || cid >= VMADDR_CID_ANY) {
		dev_err(&dev->vdev->dev,
			"the device gives CID %llu, which a guest cannot have\n",
			cid);
		return -EINVAL;
	}
	WRITE_ONCE(dev->cid, cid);
	return 0;
}

static void event_interrupt(struct virtqueue *vq)
{
	struct glass_device *dev = vq->vdev->priv;

	glass_count(interrupts);
	schedule_work(&dev->event_work);
}

/* The guest moved to another host: what was connected is no more. */
static void transport_reset(struct glass_device *dev)
{
	if (read_cid(dev))
		return;
	trace_transport(GLASS_VSOCK_TRANSPORT_RESET, dev->cid);
	glass_reset_all(&glass_virtio, GLASS_VSOCK_R_TRANSPORT_RESET);
}

static void event_work(struct work_struct *work)
{
	struct glass_device *dev =
		container_of(work, struct glass_device, event_work);
	struct virtqueue *vq = dev->vqs[VQ_EVENT];
	struct virtio_vsock_event *event;
	unsigned int len;

	do {
		virtqueue_disable_cb(vq);
		while ((event = virtqueue_get_buf(vq, &len))) {
			if (len >= sizeof(*event) &&
			    le32_to_cpu(READ_ONCE(event->id)) ==
			    VIRTIO_VSOCK_EVENT_TRANSPORT_RESET)
				transport_reset(dev);
			event_post(dev, event);
		}
	} while (!virtqueue_enable_cb(vq));
	virtqueue_kick(vq);
}

/* The life of the device */

static int create_pool(struct glass_device *dev)
{
	const struct page_pool_params params = {
		.order = RX_BUFFER_ORDER,
		.pool_size = 2 * RX_BUFFERS,
		.nid = NUMA_NO_NODE,
		.dev = &dev->vdev->dev,
	};
	struct page_pool *pool = page_pool_create(&params);

	if (IS_ERR(pool))
		return PTR_ERR(pool);
	dev->pool = pool;
	return 0;
}

static void free_buffers(struct glass_device *dev)
{
	struct sk_buff *skb;
	struct page *page;

	while ((page = virtqueue_detach_unused_buf(dev->vqs[VQ_RX])))
		rx_free(dev, page);
	while ((skb = virtqueue_detach_unused_buf(dev->vqs[VQ_TX])))
		kfree_skb(skb);
	while (virtqueue_detach_unused_buf(dev->vqs[VQ_EVENT]))
		;
	skb_queue_purge(&dev->tx_pending);
	kfree_skb(dev->rx_spare);
	dev->rx_spare = NULL;
	dev->rx_posted = 0;
	dev->tx_replies = 0;
	dev->tx_unkicked = false;
}

/* Queues up, buffers posted, published.  the_device_lock held. */
static int device_start(struct glass_device *dev)
{
	struct virtqueue_info info[VQ_MAX] = {
		[VQ_RX] = { .name = "rx", .callback = vq_interrupt },
		[VQ_TX] = { .name = "tx", .callback = vq_interrupt },
		[VQ_EVENT] = { .name = "event", .callback = event_interrupt },
	};
	unsigned int i;
	int err;

	err = read_cid(dev);
	if (err)
		return err;
	err = create_pool(dev);
	if (err)
		return err;
	err = glass_find_vqs(dev->vdev, VQ_MAX, dev->vqs, info);
	if (err) {
		page_pool_destroy(dev->pool);
		return err;
	}
	for (i = 0; i < EVENT_BUFFERS; i++)
		event_post(dev, &dev->events[i]);
	virtio_device_ready(dev->vdev);
	virtqueue_kick(dev->vqs[VQ_EVENT]);

	napi_enable(&dev->napi);
	rcu_assign_pointer(the_device, dev);
	trace_transport(GLASS_VSOCK_TRANSPORT_UP, dev->cid);

	/* The first poll posts the receive buffers. */
	local_bh_disable();
	napi_schedule(&dev->napi);
	local_bh_enable();
	return 0;
}

/* The reverse; connections end with ECONNRESET.  the_device_lock held. */
static void device_stop(struct glass_device *dev)
{
	RCU_INIT_POINTER(the_device, NULL);
	synchronize_net();

	virtio_reset_device(dev->vdev);
	cancel_work_sync(&dev->event_work);
	napi_disable(&dev->napi);
	cancel_delayed_work_sync(&dev->rx_retry);
	free_buffers(dev);
	dev->vdev->config->del_vqs(dev->vdev);
	page_pool_destroy(dev->pool);

	glass_reset_all(&glass_virtio, GLASS_VSOCK_R_TRANSPORT_GONE);
	trace_transport(GLASS_VSOCK_TRANSPORT_DOWN, dev->cid);
}

static struct glass_device *device_alloc(struct virtio_device *vdev)
{
	struct glass_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	dev->netdev = glass_alloc_netdev();
	if (!dev->netdev) {
		kfree(dev);
		return NULL;
	}
	dev->vdev = vdev;
	vdev->priv = dev;
	spin_lock_init(&dev->tx_lock);
	skb_queue_head_init(&dev->tx_pending);
	INIT_WORK(&dev->event_work, event_work);
	INIT_DELAYED_WORK(&dev->rx_retry, rx_retry);
	netif_napi_add(dev->netdev, &dev->napi, glass_poll);
	return dev;
}

static void device_free(struct glass_device *dev)
{
	netif_napi_del(&dev->napi);
	glass_free_netdev(dev->netdev);
	kfree(dev);
}

static int glass_probe(struct virtio_device *vdev)
{
	struct glass_device *dev;
	int err = -EBUSY;

	mutex_lock(&the_device_lock);
	if (rcu_access_pointer(the_device)) {
		dev_err(&vdev->dev, "another vsock device is in use already\n");
		goto out;
	}
	err = -ENOMEM;
	dev = device_alloc(vdev);
	if (!dev)
		goto out;
	err = device_start(dev);
	if (err)
		device_free(dev);
out:
	mutex_unlock(&the_device_lock);
	return err;
}

static void glass_remove(struct virtio_device *vdev)
{
	struct glass_device *dev = vdev->priv;

	mutex_lock(&the_device_lock);
	device_stop(dev);
	device_free(dev);
	mutex_unlock(&the_device_lock);
}

#ifdef CONFIG_PM_SLEEP
static int glass_freeze(struct virtio_device *vdev)
{
	mutex_lock(&the_device_lock);
	device_stop(vdev->priv);
	mutex_unlock(&the_device_lock);
	return 0;
}

static int glass_restore(struct virtio_device *vdev)
{
	int err;

	mutex_lock(&the_device_lock);
	err = device_start(vdev->priv);
	mutex_unlock(&the_device_lock);
	return err;
}
#endif

static const struct virtio_device_id id_table[] = {
	{ VIRTIO_ID_VSOCK, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
MODULE_DEVICE_TABLE(virtio, id_table);

static struct virtio_driver glass_virtio_driver = {
	.driver.name = KBUILD_MODNAME,
	.id_table = id_table,
	.probe = glass_probe,
	.remove = glass_remove,
#ifdef CONFIG_PM_SLEEP
	.freeze = glass_freeze,
	.restore = glass_restore,
#endif
};

int __init glass_virtio_init(void)
{
	return register_virtio_driver(&glass_virtio_driver);
}

void glass_virtio_exit(void)
{
	unregister_virtio_driver(&glass_virtio_driver);
}

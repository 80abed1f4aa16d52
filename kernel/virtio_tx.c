// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transmit: from whatever context the socket is in, straight into the ring.
 * Packets wait in tx_pending while it is full.  Used buffers are taken back on
 * the next send and, since the last packet has no next, by a delayed interrupt.
 */

#include "observe.h"
#include "stats.h"
#include "transport.h"
#include "virtio.h"

#define TX_REPLIES_MAX	256U	/* beyond, receiving pauses */

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
	const struct glass_vsock_hdr hdr = glass_packet_hdr(skb);

	glass_hdr_encode(&hdr, skb->data - GLASS_HDR_LEN);
}

bool glass_tx_congested(const struct glass_device *dev)
{
	return READ_ONCE(dev->tx_replies) >= TX_REPLIES_MAX;
}

/*
 * Move packets that the device is done with to @done.  Bottom halves are
 * disabled, tx_lock held.
 */
static void ring_reclaim(struct glass_device *dev, struct sk_buff_head *done)
{
	bool congested = glass_tx_congested(dev);
	struct sk_buff *skb;
	unsigned int len;

	while ((skb = virtqueue_get_buf(dev->vqs[VQ_TX], &len))) {
		WRITE_ONCE(dev->tx_replies,
			   dev->tx_replies - GLASS_CB(skb)->reply);
		__skb_queue_tail(done, skb);
	}
	if (congested && !glass_tx_congested(dev))
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

static u32 virtio_source_cid(u32 peer_cid)
{
	return glass_virtio_cid();
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
	dev = rcu_dereference_bh(glass_the_device);
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
	dev = rcu_dereference_bh(glass_the_device);
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

bool glass_tx_poll(struct glass_device *dev)
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

void glass_tx_free(struct glass_device *dev)
{
	struct sk_buff *skb;

	while ((skb = virtqueue_detach_unused_buf(dev->vqs[VQ_TX])))
		kfree_skb(skb);
	skb_queue_purge(&dev->tx_pending);
	dev->tx_replies = 0;
	dev->tx_unkicked = false;
}

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
#define TX_REQUESTS_MAX	1024U	/* that wait for the ring: no connect any more */

/*
 * The header is one buffer, all of the payload a second one.  Nothing else is
 * safe with every device: some take what follows the header for the payload,
 * and a second piece of payload for the end.
 */
static int ring_add(struct glass_device *dev, struct sk_buff *skb)
{
	struct scatterlist hdr, payload;
	struct scatterlist *sgs[] = { &hdr, &payload };
	unsigned int n = 1;

	sg_init_one(&hdr, skb->data - GLASS_HDR_LEN, GLASS_HDR_LEN);
	if (skb_is_nonlinear(skb)) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[0];

		/* Several pages of a program's follow each other. */
		sg_init_table(&payload, 1);
		sg_set_page(&payload, skb_frag_page(frag), skb->data_len,
			    skb_frag_off(frag));
		n = 2;
	} else if (skb->len) {
		sg_init_one(&payload, skb->data, skb->len);
		n = 2;
	}
	return virtqueue_add_sgs(dev->vqs[VQ_TX], sgs, n, 0, skb, GFP_ATOMIC);
}

static void write_header(struct sk_buff *skb)
{
	const struct glass_vsock_hdr hdr = glass_packet_hdr(skb);

	glass_hdr_encode(&hdr, skb->data - GLASS_HDR_LEN);
}

static bool is_request(struct sk_buff *skb)
{
	return GLASS_CB(skb)->op == GLASS_VSOCK_OP_REQUEST;
}

static bool is_credit_update(struct sk_buff *skb)
{
	return GLASS_CB(skb)->op == GLASS_VSOCK_OP_CREDIT_UPDATE;
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
			   dev->tx_replies - !!GLASS_CB(skb)->reply);
		__skb_queue_tail(done, skb);
	}
	if (congested && !glass_tx_congested(dev))
		napi_schedule(&dev->napi);
}

/*
 * Have the device interrupt for used buffers; false if there are some.  Most of
 * them may come together, but not while the replies among them hold up what is
 * received: the device may wait for that before it takes more.  tx_lock held.
 */
static bool ring_enable_interrupt(struct glass_device *dev)
{
	struct virtqueue *vq = dev->vqs[VQ_TX];

	return glass_tx_congested(dev) ? virtqueue_enable_cb(vq) :
					 virtqueue_enable_cb_delayed(vq);
}

/*
 * Fill the ring from tx_pending.  Credit is stated at the last moment, and in
 * the order of the ring: it must not go backwards.  tx_lock held.
 */
static void ring_push_pending(struct glass_device *dev)
{
	struct sk_buff *skb;
	int err;

	while ((skb = skb_peek(&dev->tx_pending))) {
		if (skb->sk)
			glass_fill_credit(skb->sk, skb);
		write_header(skb);
		err = ring_add(dev, skb);
		if (err) {
			/* The device may have nothing to interrupt for. */
			if (err != -ENOSPC)
				glass_poll_later(dev);
			return;
		}
		glass_observe_tx(skb->sk, skb);
		__skb_unlink(skb, &dev->tx_pending);
		dev->tx_requests -= is_request(skb);
		if (is_credit_update(skb))
			glass_sk(skb->sk)->credit_pending = false;
		dev->tx_unkicked = true;
	}
}

/* Of the packet's bytes the device needs no more. */
static void sent(struct sk_buff *skb)
{
	if (skb->sk && skb->len)
		atomic_sub(skb->len, &glass_sk(skb->sk)->tx_unsent);
}

/* Without locks: freeing a packet may wake its sender. */
static void free_done(struct sk_buff_head *done)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(done))) {
		sent(skb);
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

static bool virtio_carries(int type)
{
	struct glass_device *dev;
	u32 types;

	rcu_read_lock();
	dev = rcu_dereference(glass_the_device);
	types = dev ? dev->types : 0;
	rcu_read_unlock();
	return types & BIT(type == SOCK_SEQPACKET ? GLASS_TYPE_SEQPACKET :
						    GLASS_TYPE_STREAM);
}

static u32 virtio_source_cid(u32 peer_cid)
{
	return glass_virtio_cid();
}

/* Returns whether to notify the device, after unlocking.  tx_lock held. */
static bool ring_send(struct glass_device *dev, struct sk_buff *skb, bool more)
{
	if (is_credit_update(skb))
		glass_sk(skb->sk)->credit_pending = true;
	WRITE_ONCE(dev->tx_replies, dev->tx_replies + !!GLASS_CB(skb)->reply);
	if (skb->sk && skb->len)
		atomic_add(skb->len, &glass_sk(skb->sk)->tx_unsent);

	__skb_queue_tail(&dev->tx_pending, skb);
	dev->tx_requests += is_request(skb);
	ring_push_pending(dev);
	if (skb_queue_empty(&dev->tx_pending))
		return !more && ring_kick(dev);
	glass_count(tx_ring_full);
	return ring_kick(dev);
}

/*
 * What would fill the memory while the device stands still.  Who gives up
 * connecting is gone, its REQUEST is not; and a CREDIT_UPDATE that waits will
 * say all that a second one would.
 */
static bool refused(const struct glass_device *dev, struct sk_buff *skb,
		    int *err)
{
	*err = 0;
	if (is_credit_update(skb))
		return glass_sk(skb->sk)->credit_pending;
	if (!is_request(skb) || dev->tx_requests < TX_REQUESTS_MAX)
		return false;
	*err = -ENOBUFS;
	return true;
}

static int device_send(struct glass_device *dev, struct sk_buff *skb, bool more)
{
	struct sk_buff_head done;
	bool notify = false;
	bool refuse;
	int err;

	__skb_queue_head_init(&done);
	spin_lock_bh(&dev->tx_lock);
	ring_reclaim(dev, &done);
	refuse = refused(dev, skb, &err);
	if (!refuse)
		notify = ring_send(dev, skb, more);
	if (!ring_enable_interrupt(dev))
		napi_schedule(&dev->napi);
	spin_unlock_bh(&dev->tx_lock);

	if (notify)
		ring_notify(dev);
	free_done(&done);
	if (refuse)
		kfree_skb(skb);
	return err;
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
		err = device_send(dev, skb, more);
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
	.one_piece = true,
	.carries = virtio_carries,
	.source_cid = virtio_source_cid,
	.send = virtio_send,
	.flush = virtio_flush,
};

bool glass_tx_poll(struct glass_device *dev)
{
	struct sk_buff_head done;
	bool notify, again;

	__skb_queue_head_init(&done);
	spin_lock(&dev->tx_lock);
	virtqueue_disable_cb(dev->vqs[VQ_TX]);
	ring_reclaim(dev, &done);
	ring_push_pending(dev);
	notify = ring_kick(dev);
	again = !ring_enable_interrupt(dev);
	spin_unlock(&dev->tx_lock);

	if (notify)
		ring_notify(dev);
	free_done(&done);
	return again;
}

void glass_tx_free(struct glass_device *dev)
{
	struct sk_buff *skb;

	while ((skb = virtqueue_detach_unused_buf(dev->vqs[VQ_TX])) ||
	       (skb = __skb_dequeue(&dev->tx_pending))) {
		if (is_credit_update(skb))
			glass_sk(skb->sk)->credit_pending = false;
		sent(skb);
		glass_observe_drop(skb->sk, skb, GLASS_VSOCK_R_TRANSPORT_GONE);
	}
	dev->tx_requests = 0;
	dev->tx_replies = 0;
	dev->tx_unkicked = false;
}

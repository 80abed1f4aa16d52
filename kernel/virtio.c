// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio-vsock device (virtio 1.2, section 5.10): its life, its interrupts
 * and its events.  One device carries the family; a second one is refused.
 */

#include <linux/module.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include "stats.h"
#include "trace.h"
#include "transport.h"
#include "virtio.h"

#define RETRY_DELAY		(HZ / 10)

/* Virtio 1.3, section 5.10.3; the kernel's header knows F_SEQPACKET only. */
#define F_STREAM		0
#define F_NO_IMPLIED_STREAM	2

struct glass_device __rcu *glass_the_device;
static DEFINE_MUTEX(the_device_lock);	/* writers of glass_the_device */

u32 glass_virtio_cid(void)
{
	struct glass_device *dev;
	u32 cid;

	rcu_read_lock();
	dev = rcu_dereference(glass_the_device);
	cid = dev ? READ_ONCE(dev->cid) : VMADDR_CID_ANY;
	rcu_read_unlock();
	return cid;
}

/* Returns whether it was: another may be by now. */
static bool unpublish(struct glass_device *dev)
{
	bool was = cmpxchg((struct glass_device **)&glass_the_device, dev,
			   NULL) == dev;

	synchronize_net();
	return was;
}

/* Interrupts */

static bool is_broken(struct glass_device *dev)
{
	return virtqueue_is_broken(dev->vqs[VQ_RX]) ||
	       virtqueue_is_broken(dev->vqs[VQ_TX]);
}

static void rx_enable_interrupt(struct glass_device *dev, int n)
{
	struct virtqueue *vq = dev->vqs[VQ_RX];
	unsigned int seen = virtqueue_enable_cb_prepare(vq);

	/* Once this is done another CPU may poll: only look after it. */
	if (!napi_complete_done(&dev->napi, n)) {
		virtqueue_disable_cb(vq);
	} else if (virtqueue_poll(vq, seen) &&
		   napi_schedule_prep(&dev->napi)) {
		virtqueue_disable_cb(vq);
		__napi_schedule(&dev->napi);
	}
}

static int poll_broken(struct glass_device *dev)
{
	schedule_work(&dev->event_work);
	napi_complete(&dev->napi);
	return 0;
}

static int glass_poll(struct napi_struct *napi, int budget)
{
	struct glass_device *dev = container_of(napi, struct glass_device, napi);
	bool tx_again;
	int n;

	glass_count(napi_polls);
	/* Nothing is taken from it once it is known; and a poll may find out. */
	if (is_broken(dev))
		return poll_broken(dev);
	tx_again = glass_tx_poll(dev);
	n = glass_rx_poll(dev, budget);
	if (is_broken(dev))
		return poll_broken(dev);
	if (n >= budget || tx_again)
		return budget;
	if (glass_rx_paused(dev))
		napi_complete_done(napi, n);
	else
		rx_enable_interrupt(dev, n);
	return n;
}

static void vq_interrupt(struct virtqueue *vq)
{
	struct glass_device *dev = vq->vdev->priv;

	glass_count(interrupts);
	virtqueue_disable_cb(vq);
	napi_schedule(&dev->napi);
}

static void retry(struct work_struct *work)
{
	struct glass_device *dev =
		container_of(to_delayed_work(work), struct glass_device, retry);

	local_bh_disable();
	napi_schedule(&dev->napi);
	local_bh_enable();
}

void glass_poll_later(struct glass_device *dev)
{
	schedule_delayed_work(&dev->retry, RETRY_DELAY);
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
	u64 cid;

	/* All of it at once: some devices answer nothing else. */
	virtio_cread_le(dev->vdev, struct virtio_vsock_config, guest_cid, &cid);
	if (cid <= VMADDR_CID_HOST || cid >= VMADDR_CID_ANY) {
		dev_err_ratelimited(&dev->vdev->dev,
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
	read_cid(dev);	/* which says so if it cannot be; the old one stays */
	trace_transport(GLASS_VSOCK_TRANSPORT_RESET, dev->cid);
	glass_reset_all(&glass_virtio, GLASS_VSOCK_R_TRANSPORT_RESET);
}

/*
 * A device that sends events without end gets no more than one reset for as
 * many as there are buffers; the rest waits for its turn in the work queue.
 */
static void rcv_events(struct glass_device *dev)
{
	struct virtqueue *vq = dev->vqs[VQ_EVENT];
	struct virtio_vsock_event *event;
	bool reset = false;
	unsigned int len, n;

	virtqueue_disable_cb(vq);
	for (n = 0; n < GLASS_EVENT_BUFFERS; n++) {
		event = virtqueue_get_buf(vq, &len);
		if (!event)
			break;
		if (len >= sizeof(*event) &&
		    le32_to_cpu(READ_ONCE(event->id)) ==
		    VIRTIO_VSOCK_EVENT_TRANSPORT_RESET)
			reset = true;
		event_post(dev, event);
	}
	virtqueue_kick(vq);
	if (reset)
		transport_reset(dev);
	if (!virtqueue_enable_cb(vq) && !virtqueue_is_broken(vq))
		schedule_work(&dev->event_work);
}

/* A queue that the device corrupted, or a device that was pulled out. */
static void device_broken(struct glass_device *dev)
{
	dev_err(&dev->vdev->dev,
		"the device's queues are broken: its connections end, bind it anew\n");
	unpublish(dev);
	glass_reset_all(&glass_virtio, GLASS_VSOCK_R_TRANSPORT_GONE);
	trace_transport(GLASS_VSOCK_TRANSPORT_DOWN, dev->cid);
}

static void event_work(struct work_struct *work)
{
	struct glass_device *dev =
		container_of(work, struct glass_device, event_work);

	mutex_lock(&dev->event_lock);
	if (dev->started) {
		rcv_events(dev);
		if (is_broken(dev) &&
		    rcu_access_pointer(glass_the_device) == dev)
			device_broken(dev);
	}
	mutex_unlock(&dev->event_lock);
}

/* The life of the device */

/*
 * A device that says nothing carries streams.  One that carries messages may
 * say, by F_NO_IMPLIED_STREAM (virtio 1.3, section 5.10.3), that this is all.
 */
static u32 carried_types(struct virtio_device *vdev)
{
	u32 types = 0;

	if (virtio_has_feature(vdev, VIRTIO_VSOCK_F_SEQPACKET))
		types |= BIT(GLASS_TYPE_SEQPACKET);
	if (!types || virtio_has_feature(vdev, F_STREAM) ||
	    !virtio_has_feature(vdev, F_NO_IMPLIED_STREAM))
		types |= BIT(GLASS_TYPE_STREAM);
	return types;
}

static int make_queues(struct glass_device *dev)
{
	struct virtqueue_info info[VQ_MAX] = {
		[VQ_RX] = { .name = "rx", .callback = vq_interrupt },
		[VQ_TX] = { .name = "tx", .callback = vq_interrupt },
		[VQ_EVENT] = { .name = "event", .callback = event_interrupt },
	};
	int err;

	err = glass_rx_alloc(dev);
	if (err)
		return err;
	err = glass_find_vqs(dev->vdev, VQ_MAX, dev->vqs, info);
	if (err)
		goto free_rx;
	/* Header and payload: without indirect descriptors that takes two. */
	if (virtqueue_get_vring_size(dev->vqs[VQ_TX]) < 2) {
		dev_err(&dev->vdev->dev, "the transmit queue has one entry, two are needed\n");
		err = -EINVAL;
		goto del_vqs;
	}
	return 0;

del_vqs:
	dev->vdev->config->del_vqs(dev->vdev);
free_rx:
	glass_rx_free(dev);
	return err;
}

static void start_events(struct glass_device *dev)
{
	unsigned int i;

	mutex_lock(&dev->event_lock);
	for (i = 0; i < GLASS_EVENT_BUFFERS; i++)
		event_post(dev, &dev->events[i]);
	virtio_device_ready(dev->vdev);
	virtqueue_kick(dev->vqs[VQ_EVENT]);
	dev->started = true;
	mutex_unlock(&dev->event_lock);
}

/* Queues up, buffers posted, published.  the_device_lock held. */
static int device_start(struct glass_device *dev)
{
	int err;

	if (rcu_access_pointer(glass_the_device)) {
		dev_err(&dev->vdev->dev, "another vsock device is in use already\n");
		return -EBUSY;
	}
	err = read_cid(dev);
	if (err)
		return err;
	dev->types = carried_types(dev->vdev);
	err = make_queues(dev);
	if (err)
		return err;
	start_events(dev);
	napi_enable(&dev->napi);
	rcu_assign_pointer(glass_the_device, dev);
	trace_transport(GLASS_VSOCK_TRANSPORT_UP, dev->cid);

	/* The first poll posts the receive buffers. */
	local_bh_disable();
	napi_schedule(&dev->napi);
	local_bh_enable();
	return 0;
}

/*
 * The reverse; connections end with ECONNRESET.  the_device_lock held.
 *
 * An interrupt may still be running when the device is reset, and schedule
 * event_work: it will find that the queues cannot be used any more.
 */
static void device_stop(struct glass_device *dev)
{
	bool started, was_in_use;

	mutex_lock(&dev->event_lock);
	started = dev->started;
	dev->started = false;
	mutex_unlock(&dev->event_lock);
	if (!started) {
		/* It could not be restored.  The bus wants it reset. */
		virtio_reset_device(dev->vdev);
		return;
	}
	was_in_use = unpublish(dev);
	napi_disable(&dev->napi);
	cancel_delayed_work_sync(&dev->retry);
	virtio_reset_device(dev->vdev);
	glass_rx_detach(dev);
	glass_tx_free(dev);
	while (virtqueue_detach_unused_buf(dev->vqs[VQ_EVENT]))
		;
	dev->vdev->config->del_vqs(dev->vdev);
	cancel_work_sync(&dev->event_work);
	glass_rx_free(dev);

	if (!was_in_use)
		return;
	glass_reset_all(&glass_virtio, GLASS_VSOCK_R_TRANSPORT_GONE);
	trace_transport(GLASS_VSOCK_TRANSPORT_DOWN, dev->cid);
}

static struct glass_device *device_alloc(struct virtio_device *vdev)
{
	struct glass_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	/* Of its own: it must not share a cache line with what we write. */
	dev->events = kcalloc(GLASS_EVENT_BUFFERS, sizeof(*dev->events),
			      GFP_KERNEL);
	dev->netdev = glass_alloc_netdev();
	if (!dev->events || !dev->netdev)
		goto fail;
	dev->vdev = vdev;
	vdev->priv = dev;
	spin_lock_init(&dev->tx_lock);
	skb_queue_head_init(&dev->tx_pending);
	mutex_init(&dev->event_lock);
	INIT_WORK(&dev->event_work, event_work);
	INIT_DELAYED_WORK(&dev->retry, retry);
	netif_napi_add(dev->netdev, &dev->napi, glass_poll);
	return dev;

fail:
	if (dev->netdev)
		glass_free_netdev(dev->netdev);
	kfree(dev->events);
	kfree(dev);
	return NULL;
}

static void device_free(struct glass_device *dev)
{
	netif_napi_del(&dev->napi);
	glass_free_netdev(dev->netdev);
	kfree(dev->events);
	kfree(dev);
}

static int glass_probe(struct virtio_device *vdev)
{
	struct glass_device *dev = device_alloc(vdev);
	int err;

	if (!dev)
		return -ENOMEM;
	mutex_lock(&the_device_lock);
	err = device_start(dev);
	mutex_unlock(&the_device_lock);
	if (err)
		device_free(dev);
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

static unsigned int features[] = {
	F_STREAM, VIRTIO_VSOCK_F_SEQPACKET, F_NO_IMPLIED_STREAM,
};

static struct virtio_driver glass_virtio_driver = {
	.driver.name = KBUILD_MODNAME,
	.driver.owner = THIS_MODULE,	/* 6.1 does not set it */
	.id_table = id_table,
	.feature_table = features,
	.feature_table_size = ARRAY_SIZE(features),
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

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receive, in NAPI.  The buffers come from a page pool, so that they are
 * neither allocated nor zeroed for each packet.
 */

#include <net/busy_poll.h>

#include "monitor.h"
#include "observe.h"
#include "stats.h"
#include "transport.h"
#include "virtio.h"

#define RX_BUFFER_ORDER		get_order(SZ_32K) /* a peer sends fewer packets */
#define RX_BUFFERS		64U	/* posted at most: 2 MiB */
#define RX_COPY_MAX		1024	/* copied out, the buffer posted again */

static int rx_post(struct glass_device *dev, struct page *page)
{
	struct scatterlist sg;

	sg_init_table(&sg, 1);
	sg_set_page(&sg, page, page_size(page), 0);
	if (virtqueue_add_inbuf(dev->vqs[VQ_RX], &sg, 1, page, GFP_ATOMIC))
		return -ENOSPC;
	dev->rx_posted++;
	dev->rx_unkicked = true;
	return 0;
}

/* A buffer of one page when there are no larger ones. */
static struct page *get_buffer(struct glass_device *dev)
{
	struct page *page;

	page = page_pool_alloc_pages(dev->pool, GFP_ATOMIC | __GFP_NOWARN);
	if (!page && RX_BUFFER_ORDER)
		page = alloc_page(GFP_ATOMIC | __GFP_NOWARN);
	return page;
}

static void put_buffer(struct glass_device *dev, struct page *page)
{
	if (page_size(page) == PAGE_SIZE << RX_BUFFER_ORDER)
		page_pool_put_full_page(dev->pool, page, false);
	else
		put_page(page);
}

static void rx_refill(struct glass_device *dev)
{
	while (dev->rx_posted < RX_BUFFERS && dev->vqs[VQ_RX]->num_free) {
		struct page *page = get_buffer(dev);

		if (!page) {
			glass_count(rx_refill_failures);
			break;
		}
		if (rx_post(dev, page)) {
			put_buffer(dev, page);
			break;
		}
	}
	/* With nothing posted there is no interrupt to try again on. */
	if (!dev->rx_posted || !dev->rx_spare)
		glass_poll_later(dev);
	if (!dev->rx_unkicked)
		return;
	dev->rx_unkicked = false;
	if (virtqueue_kick_prepare(dev->vqs[VQ_RX])) {
		glass_count(rx_kicks);
		virtqueue_notify(dev->vqs[VQ_RX]);
	}
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
	struct sk_buff *skb;

	if (dev->rx_spare)
		return true;
	skb = napi_alloc_skb(&dev->napi, RX_COPY_MAX);
	/* The reserves are for those who free memory. */
	if (!skb || skb_pfmemalloc(skb)) {
		kfree_skb(skb);
		glass_count(alloc_failures);
		return false;
	}
	skb->dev = NULL;	/* which it may outlive */
	skb_mark_napi_id(skb, &dev->napi);
	dev->rx_spare = skb;
	return true;
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
	struct glass_vsock_hdr hdr = {};
	enum glass_vsock_reason reason;
	u8 wire[GLASS_HDR_LEN];
	struct sk_buff *skb;

	/* The device can still write to the buffer: judge a copy. */
	memcpy(wire, page_address(*page), sizeof(wire));
	reason = glass_packet_parse(wire, used, READ_ONCE(dev->cid), dev->types,
				    &hdr);
	if (used > page_size(*page) && credible(reason))
		reason = GLASS_VSOCK_R_BAD_LENGTH;
	if (used >= GLASS_HDR_LEN && used <= page_size(*page))
		glass_monitor_wire(&hdr, page_address(*page) + GLASS_HDR_LEN,
				   min(hdr.len, used - GLASS_HDR_LEN));
	if (!credible(reason)) {
		glass_observe_bad(&hdr, reason);
		return;
	}
	skb = rx_skb(dev, page, reason ? 0 : hdr.len);
	fill_cb(skb, &hdr, reason);
	glass_rcv(&glass_virtio, skb);
}

int glass_rx_poll(struct glass_device *dev, int budget)
{
	struct virtqueue *vq = dev->vqs[VQ_RX];
	struct page *page;
	unsigned int used;
	int n = 0;

	while (n < budget && !glass_tx_congested(dev) && rx_prepare(dev)) {
		page = virtqueue_get_buf(vq, &used);
		if (!page)
			break;
		dev->rx_posted--;
		n++;
		rx_packet(dev, &page, used);
		if (page && rx_post(dev, page))
			put_buffer(dev, page);
	}
	rx_prepare(dev);
	rx_refill(dev);
	return n;
}

int glass_rx_alloc(struct glass_device *dev)
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

void glass_rx_detach(struct glass_device *dev)
{
	struct page *page;

	while ((page = virtqueue_detach_unused_buf(dev->vqs[VQ_RX])))
		put_buffer(dev, page);
	dev->rx_posted = 0;
}

void glass_rx_free(struct glass_device *dev)
{
	kfree_skb(dev->rx_spare);
	dev->rx_spare = NULL;
	page_pool_destroy(dev->pool);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Payload by reference, for zero-copy sends and splice: the pages themselves go
 * to the device, or to the reader.
 */

#include "compat.h"
#include "stats.h"
#include "transport.h"
#include "tx.h"

#define PAGES_AT_ONCE	16
#define PACKET_MAX	SZ_64K

/*
 * Whether the packet takes these bytes, too.  For a device its payload is one
 * piece of memory (virtio_tx.c); a reader here takes any.
 */
static bool takes(const struct glass_tx *tx, const struct sk_buff *skb,
		  struct page *page, size_t offset, size_t len)
{
	const skb_frag_t *last;

	if (skb_shinfo(skb)->nr_frags == MAX_SKB_FRAGS ||
	    skb->len + len > PACKET_MAX)
		return false;
	if (!glass_sk(tx->sk)->transport->one_piece)
		return true;
	last = &skb_shinfo(skb)->frags[skb_shinfo(skb)->nr_frags - 1];
	return page_to_phys(skb_frag_page(last)) + skb_frag_off(last) +
	       skb_frag_size(last) == page_to_phys(page) + offset;
}

static struct sk_buff *packet_for(struct glass_tx *tx, struct page *page,
				  size_t offset, size_t len)
{
	struct sk_buff *skb = skb_peek_tail(&tx->packets);

	if (skb && takes(tx, skb, page, offset, len))
		return skb;
	skb = glass_control_alloc(tx->sk->sk_allocation);
	if (!skb)
		return NULL;
	if (tx->uarg)
		skb_zcopy_set(skb, tx->uarg, NULL);
	__skb_queue_tail(&tx->packets, skb);
	return skb;
}

/* Takes over the reference to the page. */
static int add_page(struct glass_tx *tx, struct page *page, size_t offset,
		    size_t len)
{
	struct sk_buff *skb;

	if (!sendpage_ok(page)) {
		put_page(page);
		return -EIO;
	}
	skb = packet_for(tx, page, offset, len);
	if (!skb) {
		put_page(page);
		return -ENOMEM;
	}
	skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page, offset, len,
			PAGE_SIZE);
	return 0;
}

int glass_tx_fill_pages(struct glass_tx *tx, size_t len)
{
	struct page *pages[PAGES_AT_ONCE];
	size_t offset, left;
	ssize_t got;
	int err = 0;
	int i;

	got = iov_iter_get_pages2(&tx->msg->msg_iter, pages, len,
				  PAGES_AT_ONCE, &offset);
	/* Stock says so; programs that test for it are about. */
	if (got <= 0)
		return -ENOMEM;
	for (i = 0, left = got; left; i++) {
		size_t n = min_t(size_t, left, PAGE_SIZE - offset);

		if (err)
			put_page(pages[i]);
		else
			err = add_page(tx, pages[i], offset, n);
		left -= n;
		offset = 0;
	}
	if (err) {
		iov_iter_revert(&tx->msg->msg_iter, got);
		return err;
	}
	return got;
}

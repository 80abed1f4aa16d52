// SPDX-License-Identifier: GPL-2.0-only
/* The arithmetic and the policy of credit. */

#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

#include "credit.h"

void glass_credit_init(struct glass_credit *c, __u32 buf_alloc)
{
	memset(c, 0, sizeof(*c));
	glass_credit_set_buf_alloc(c, buf_alloc, false);
	c->told_buf_alloc = buf_alloc;
}

void glass_credit_set_buf_alloc(struct glass_credit *c, __u32 buf_alloc,
				bool messages)
{
	WRITE_ONCE(c->tx_max, buf_alloc);
	if (buf_alloc > c->buf_alloc_max)
		WRITE_ONCE(c->buf_alloc_max, buf_alloc);
	WRITE_ONCE(c->buf_alloc, messages ? c->buf_alloc_max : buf_alloc);
}

static __u32 window_free(__u32 window, __u32 used)
{
	if (window > GLASS_CREDIT_MAX_WINDOW)
		window = GLASS_CREDIT_MAX_WINDOW;
	return used < window ? window - used : 0;
}

__u32 glass_credit_tx_window(const struct glass_credit *c)
{
	__u32 granted = READ_ONCE(c->peer_buf_alloc);
	__u32 max = READ_ONCE(c->tx_max);

	return granted < max ? granted : max;
}

__u32 glass_credit_tx_free(const struct glass_credit *c)
{
	return window_free(glass_credit_tx_window(c),
			   glass_credit_in_flight(c));
}

enum glass_vsock_reason glass_credit_peer_update(struct glass_credit *c,
						 __u32 buf_alloc,
						 __u32 fwd_cnt)
{
	__u32 read = fwd_cnt - c->peer_fwd_cnt;

	if (read > GLASS_CREDIT_MAX_WINDOW)
		return GLASS_VSOCK_R_CREDIT_STALE;
	if (read > glass_credit_in_flight(c))
		return GLASS_VSOCK_R_CREDIT_AHEAD;
	WRITE_ONCE(c->peer_buf_alloc, buf_alloc);
	WRITE_ONCE(c->peer_fwd_cnt, fwd_cnt);
	return GLASS_VSOCK_R_NONE;
}

bool glass_credit_tell(struct glass_credit *c, __u32 *buf_alloc,
		       __u32 *fwd_cnt)
{
	*buf_alloc = READ_ONCE(c->buf_alloc);
	*fwd_cnt = READ_ONCE(c->fwd_cnt);
	if (*buf_alloc == READ_ONCE(c->told_buf_alloc) &&
	    *fwd_cnt == READ_ONCE(c->told_fwd_cnt))
		return false;
	WRITE_ONCE(c->told_buf_alloc, *buf_alloc);
	WRITE_ONCE(c->told_fwd_cnt, *fwd_cnt);
	return true;
}

__u32 glass_credit_rx_free(const struct glass_credit *c)
{
	return window_free(READ_ONCE(c->told_buf_alloc),
			   READ_ONCE(c->rx_cnt) - READ_ONCE(c->told_fwd_cnt));
}

bool glass_credit_admit(struct glass_credit *c, __u32 len)
{
	if (len > window_free(READ_ONCE(c->buf_alloc_max),
			      glass_credit_rx_queued(c)))
		return false;
	WRITE_ONCE(c->rx_cnt, c->rx_cnt + len);
	return true;
}

bool glass_credit_message(struct glass_credit *c, __u32 len, bool ends)
{
	WRITE_ONCE(c->rx_message, ends ? 0 : c->rx_message + len);
	return c->rx_message < READ_ONCE(c->buf_alloc_max);
}

/* A peer may have no more in flight than its own buffer holds: so do we. */
static __u32 peer_uses(const struct glass_credit *c, __u32 granted)
{
	__u32 own = READ_ONCE(c->peer_buf_alloc);

	return granted < own ? granted : own;
}

bool glass_credit_update_due(const struct glass_credit *c, size_t wanted)
{
	__u32 told = READ_ONCE(c->told_fwd_cnt);
	__u32 untold = READ_ONCE(c->fwd_cnt) - told;

	if (!untold)
		return false;
	return untold >= peer_uses(c, READ_ONCE(c->buf_alloc)) / 4 ||
	       wanted > window_free(peer_uses(c, READ_ONCE(c->told_buf_alloc)),
				    READ_ONCE(c->rx_cnt) - told);
}

// SPDX-License-Identifier: GPL-2.0-only
/* What there is to know about one socket. */

#include "info.h"

/* What began after we looked at the clock is no age yet. */
static u64 age(u64 now, u64 since)
{
	return since && since < now ? now - since : 0;
}

static void fill_credit(const struct glass_sock *gs,
			struct glass_vsock_info *info)
{
	const struct glass_credit *c = &gs->credit;

	info->rx_buf_alloc = READ_ONCE(c->told_buf_alloc);
	info->rx_fwd_cnt = READ_ONCE(c->told_fwd_cnt);
	info->rx_queued = glass_credit_rx_queued(c);
	info->rx_free = glass_credit_rx_free(c);
	info->tx_buf_alloc = READ_ONCE(c->peer_buf_alloc);
	info->tx_fwd_cnt = READ_ONCE(c->peer_fwd_cnt);
	info->tx_in_flight = glass_credit_in_flight(c);
	info->tx_window = glass_credit_tx_window(c);
	info->tx_free = glass_credit_tx_free(c);
	info->tx_queued = sk_wmem_alloc_get(&gs->sk);
}

static void fill_times(const struct glass_sock *gs,
		       struct glass_vsock_info *info)
{
	unsigned long activity = READ_ONCE(gs->last_activity);
	u8 timer = READ_ONCE(gs->timer);
	u64 now = ktime_get_ns();

	info->age_ns = now - gs->born_ns;
	info->state_age_ns = age(now, READ_ONCE(gs->state_ns));
	info->stall_age_ns = age(now, READ_ONCE(gs->stall_ns));
	if (activity)
		info->activity_age_ns = jiffies64_to_nsecs(jiffies - activity);
	info->connect_ns = READ_ONCE(gs->connect_ns);
	if (timer < GLASS_VSOCK_TIMER_MAX) {
		long left = READ_ONCE(gs->sk.sk_timer.expires) - jiffies;

		info->timers = BIT(timer);
		info->timer_left_ns[timer] = jiffies64_to_nsecs(max(left, 0L));
	}
}

static_assert(GLASS_VSOCK_STALL_MAX <= GLASS_VSOCK_INFO_CAUSES &&
	      GLASS_VSOCK_TIMER_MAX <= GLASS_VSOCK_INFO_TIMERS);

/* Without the lock: every field is true, if not all of one moment. */
void glass_fill_info(const struct glass_sock *gs, struct glass_vsock_info *info)
{
	const struct sock *sk = &gs->sk;

	memset(info, 0, sizeof(*info));
	info->state = READ_ONCE(sk->sk_state);
	info->local_shutdown = READ_ONCE(sk->sk_shutdown);
	info->peer_shutdown = READ_ONCE(gs->peer_shutdown);
	info->reason = READ_ONCE(gs->reason);
	info->error = READ_ONCE(sk->sk_err);
	info->stall_cause = READ_ONCE(gs->stall_cause);
	if (info->state == GLASS_VSOCK_LISTEN) {
		info->accept_queue = READ_ONCE(sk->sk_ack_backlog);
		info->accept_queue_max = READ_ONCE(sk->sk_max_ack_backlog);
	}
	info->tx_bytes = gs->tx_bytes;
	info->rx_bytes = gs->rx_bytes;
	info->tx_packets = gs->tx_packets;
	info->rx_packets = gs->rx_packets;
	memcpy(info->stalls, gs->stalls, sizeof(gs->stalls));
	fill_credit(gs, info);
	fill_times(gs, info);
}

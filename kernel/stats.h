/* SPDX-License-Identifier: GPL-2.0-only */
/* The per-CPU counters of the contract and their file in /proc. */
#ifndef GLASS_STATS_H
#define GLASS_STATS_H

#include <linux/percpu.h>
#include <glass_vsock.h>

DECLARE_PER_CPU(struct glass_vsock_counters, glass_vsock_counters);

/* Add to a counter, by its field's name.  Any context. */
#define glass_count(field)						\
	this_cpu_inc(glass_vsock_counters.field)
#define glass_count_add(field, n)					\
	this_cpu_add(glass_vsock_counters.field, n)

/* Count a packet of @op with @bytes of payload.  Any context. */
void glass_count_tx(u8 op, u32 bytes);
void glass_count_rx(u8 op, u32 bytes);

/* Create /proc/net/glass_vsock.  May sleep.  -ENOMEM. */
int __init glass_stats_init(void);
void glass_stats_exit(void);

#endif /* GLASS_STATS_H */

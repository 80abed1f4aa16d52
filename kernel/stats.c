// SPDX-License-Identifier: GPL-2.0-only
/* Per-CPU counters, and /proc/net/glass_vsock which shows their totals. */

#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>

#include "stats.h"

/* The counters by op stand in the order of enum glass_vsock_op. */
#define COUNTER_INDEX(field)						\
	(offsetof(struct glass_vsock_counters, field) / sizeof(u64))

static_assert(COUNTER_INDEX(tx_credit_request) - COUNTER_INDEX(tx_invalid) ==
	      GLASS_VSOCK_OP_MAX - 1);
static_assert(COUNTER_INDEX(rx_credit_request) - COUNTER_INDEX(rx_invalid) ==
	      GLASS_VSOCK_OP_MAX - 1);

static void count_op(size_t first, u8 op)
{
	u64 __percpu *counters = (u64 __percpu *)&glass_vsock_counters;

	this_cpu_inc(counters[first + (op < GLASS_VSOCK_OP_MAX ? op : 0)]);
}

void glass_count_tx(u8 op, u32 bytes)
{
	glass_count(tx_packets);
	glass_count_add(tx_bytes, bytes);
	count_op(COUNTER_INDEX(tx_invalid), op);
}

void glass_count_rx(u8 op, u32 bytes)
{
	glass_count(rx_packets);
	glass_count_add(rx_bytes, bytes);
	count_op(COUNTER_INDEX(rx_invalid), op);
}

#ifdef CONFIG_PROC_FS
static u64 total(size_t index)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(((u64 *)per_cpu_ptr(&glass_vsock_counters,
						     cpu))[index]);
	return sum;
}

static void show_reasons(struct seq_file *seq, const char *name, size_t first)
{
	unsigned int reason;

	for (reason = 0; reason < GLASS_VSOCK_R_MAX; reason++)
		seq_printf(seq, "%s_%s %llu\n", name,
			   glass_vsock_reason_name(reason),
			   total(first + reason));
}

static int stats_show(struct seq_file *seq, void *v)
{
#define SHOW(field)							\
	seq_printf(seq, #field " %llu\n", total(COUNTER_INDEX(field)));
	GLASS_VSOCK_COUNTERS(SHOW)
#undef SHOW
	show_reasons(seq, "resets_tx", COUNTER_INDEX(resets_tx));
	show_reasons(seq, "resets_rx", COUNTER_INDEX(resets_rx));
	show_reasons(seq, "drops", COUNTER_INDEX(drops));
	return 0;
}

int __init glass_stats_init(void)
{
	if (!proc_create_single("glass_vsock", 0444, init_net.proc_net,
				stats_show))
		return -ENOMEM;
	return 0;
}

void glass_stats_exit(void)
{
	remove_proc_entry("glass_vsock", init_net.proc_net);
}
#else
int __init glass_stats_init(void)
{
	return 0;
}

void glass_stats_exit(void)
{
}
#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The counters themselves.  BPF programs find this variable by its name in all
 * of the kernel, so it is not static and the name is unlike any other.  It has
 * a file of its own because pahole makes no BTF for a per-CPU variable that
 * was declared before its definition.
 */

#include <linux/percpu.h>
#ifdef __CHECKER__
#include "stats.h"
#endif
#include <glass_vsock.h>

DEFINE_PER_CPU(struct glass_vsock_counters, glass_vsock_counters);

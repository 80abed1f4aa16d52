/* SPDX-License-Identifier: GPL-2.0-only */
/* PIDs as the one who runs the tool knows them. */
#ifndef PID_H
#define PID_H

#include <bpf/bpf_core_read.h>

#define MAX_PID_NAMESPACES	33	/* one in the other: the kernel's limit */

/* The inode number of the PID namespace that the tool is in, set before loading. */
const volatile __u32 pid_namespace;

/*
 * A process has a PID in its own namespace and in each around that; 0 if the tool's is none of them.
 */
static __u32 pid_here(const struct task_struct *task)
{
	const struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	const struct upid *numbers = __builtin_preserve_access_index(&pid->numbers[0]);
	__u32 level = BPF_CORE_READ(pid, level);
	struct upid upid;

	for (__u32 i = 0; i < MAX_PID_NAMESPACES && i <= level; i++) {
		if (bpf_probe_read_kernel(&upid, sizeof(upid), &numbers[i]))
			return 0;
		if (BPF_CORE_READ(upid.ns, ns.inum) == pid_namespace)
			return upid.nr;
	}
	return 0;
}

#endif

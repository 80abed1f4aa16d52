// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every connect that ends, with who asked for it, how it went and how long it took.
 *
 * connect_done may fire in softirq, where the current process is anybody's: the process is noted at
 * connect_start, under the socket's address.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "connect.h"
#include "glass_sock.h"
#include "pid.h"

#define MAX_PENDING	16384
#define RING_BYTES	(256 * 1024)

/* Set by vsocktrace before loading; 0 takes everything. */
const volatile __u32 only_pid;
const volatile __u64 min_duration_ns;

__u64 lost;

struct caller {
	__u32 pid;
	char comm[CONNECT_COMM_LEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PENDING);
	__type(key, __u64);
	__type(value, struct caller);
} callers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} events SEC(".maps");

/* The driver's tracepoints give a plain sock; newer verifiers want every such argument checked. */
SEC("tp_btf/connect_start")
int BPF_PROG(connect_start, const struct sock *sk)
{
	struct caller caller = { .pid = pid_here(bpf_get_current_task_btf()) };
	__u64 key = (__u64)sk;

	if (!sk || (only_pid && caller.pid != only_pid))
		return 0;

	bpf_get_current_comm(caller.comm, sizeof(caller.comm));
	/* Without a filter the event comes all the same, less its process. */
	if (bpf_map_update_elem(&callers, &key, &caller, BPF_ANY) && only_pid)
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

static void report(const struct glass_sock *gs, const struct caller *caller, int err,
		   __u64 duration_ns)
{
	struct connect_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		__sync_fetch_and_add(&lost, 1);
		return;
	}
	*event = (struct connect_event){
		.end_ns = bpf_ktime_get_ns(),
		.duration_ns = duration_ns,
		.local_cid = BPF_CORE_READ(gs, local_cid),
		.local_port = BPF_CORE_READ(gs, local_port),
		.peer_cid = BPF_CORE_READ(gs, peer_cid),
		.peer_port = BPF_CORE_READ(gs, peer_port),
		.error = err,
	};
	if (caller) {
		event->known = true;
		event->pid = caller->pid;
		__builtin_memcpy(event->comm, caller->comm, sizeof(event->comm));
	}
	bpf_ringbuf_submit(event, 0);
}

SEC("tp_btf/connect_done")
int BPF_PROG(connect_done, const struct sock *sk, int err, __u64 duration_ns)
{
	const struct caller *caller;
	__u64 key = (__u64)sk;

	if (!sk)
		return 0;

	caller = bpf_map_lookup_elem(&callers, &key);
	if (duration_ns >= min_duration_ns && (caller || !only_pid))
		report((const struct glass_sock *)sk, caller, err, duration_ns);
	bpf_map_delete_elem(&callers, &key);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

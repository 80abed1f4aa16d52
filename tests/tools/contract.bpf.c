// SPDX-License-Identifier: GPL-2.0-only
/*
 * A consumer of the whole contract: a program on each tracepoint, with its arguments as they are
 * declared, and one that sums the per-CPU counters.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/glass_sock.h"
#include "contract.h"

/* The driver may be newer: let every field be found by its name. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
#include "glass_vsock.h"
#pragma clang attribute pop

const volatile __u32 port;	/* the server's */

struct seen seen;
struct glass_vsock_counters total;

#define COUNT(name)	__sync_fetch_and_add(&seen.count.name, 1)

static bool is_client(const struct sock *sk)
{
	return BPF_CORE_READ((const struct glass_sock *)sk, peer_port) == port;
}

static bool is_server(const struct sock *sk)
{
	return BPF_CORE_READ((const struct glass_sock *)sk, local_port) == port;
}

SEC("tp_btf/state")
int BPF_PROG(state, const struct sock *sk, int from, int to, __u32 reason)
{
	COUNT(state);
	if (sk && is_client(sk) && seen.states < MAX_STATES) {
		seen.state[seen.states].from = from;
		seen.state[seen.states].to = to;
		seen.states++;
	}
	return 0;
}

SEC("tp_btf/connect_start")
int BPF_PROG(connect_start, const struct sock *sk)
{
	COUNT(connect_start);
	return 0;
}

SEC("tp_btf/connect_done")
int BPF_PROG(connect_done, const struct sock *sk, int err, __u64 duration_ns)
{
	COUNT(connect_done);
	if (sk && is_client(sk))
		seen.connect_ns = duration_ns;
	return 0;
}

SEC("tp_btf/accept")
int BPF_PROG(accept, const struct sock *sk, const struct sock *child, __u64 wait_ns)
{
	COUNT(accept);
	if (sk && child && is_server(sk) && is_server(child))
		seen.wait_ns = wait_ns;
	return 0;
}

SEC("tp_btf/packet_tx")
int BPF_PROG(packet_tx, const struct sock *sk, const struct glass_vsock_hdr *hdr)
{
	COUNT(packet_tx);
	if (sk && hdr && is_client(sk) && hdr->dst_port == port)
		__sync_fetch_and_add(&seen.sent, hdr->len);
	return 0;
}

SEC("tp_btf/packet_tx_done")
int BPF_PROG(packet_tx_done, const struct sock *sk, const struct glass_vsock_hdr *hdr)
{
	COUNT(packet_tx_done);
	return 0;
}

SEC("tp_btf/packet_rx")
int BPF_PROG(packet_rx, const struct sock *sk, const struct glass_vsock_hdr *hdr, __u32 verdict)
{
	COUNT(packet_rx);
	if (sk && hdr && verdict == GLASS_VSOCK_R_NONE && is_server(sk))
		__sync_fetch_and_add(&seen.received, hdr->len);
	return 0;
}

SEC("tp_btf/credit")
int BPF_PROG(credit, const struct sock *sk, __u32 dir, __u32 free, __u32 in_flight,
	     __u32 buf_alloc, __u32 fwd_cnt)
{
	COUNT(credit);
	if (!sk || dir != GLASS_VSOCK_TX || !is_client(sk))
		return 0;
	if (free + in_flight == buf_alloc)
		seen.windows++;
	else
		seen.wrong_windows++;
	return 0;
}

SEC("tp_btf/timeout")
int BPF_PROG(timeout, const struct sock *sk, __u32 timer, __u64 set_for_ns)
{
	COUNT(timeout);
	seen.timer = timer;
	seen.set_for_ns = set_for_ns;
	return 0;
}

SEC("tp_btf/reset")
int BPF_PROG(reset, const struct sock *sk, __u32 dir, __u32 reason)
{
	COUNT(reset);
	seen.reset_dir = dir;
	seen.reset_reason = reason;
	return 0;
}

SEC("tp_btf/drop")
int BPF_PROG(drop, const struct sock *sk, const struct glass_vsock_hdr *hdr, __u32 reason)
{
	COUNT(drop);
	return 0;
}

SEC("tp_btf/transport")
int BPF_PROG(transport, __u32 event, __u64 cid)
{
	COUNT(transport);
	return 0;
}

SEC("tp_btf/packet_tx_nosk")
int BPF_PROG(packet_tx_nosk, const struct glass_vsock_hdr *hdr)
{
	COUNT(packet_tx_nosk);
	return 0;
}

SEC("tp_btf/packet_tx_done_nosk")
int BPF_PROG(packet_tx_done_nosk, const struct glass_vsock_hdr *hdr)
{
	COUNT(packet_tx_done_nosk);
	return 0;
}

SEC("tp_btf/packet_rx_nosk")
int BPF_PROG(packet_rx_nosk, const struct glass_vsock_hdr *hdr, __u32 verdict)
{
	COUNT(packet_rx_nosk);
	seen.rx_nosk_verdict = verdict;
	return 0;
}

SEC("tp_btf/reset_nosk")
int BPF_PROG(reset_nosk, const struct glass_vsock_hdr *hdr, __u32 dir, __u32 reason)
{
	COUNT(reset_nosk);
	return 0;
}

SEC("tp_btf/drop_nosk")
int BPF_PROG(drop_nosk, const struct glass_vsock_hdr *hdr, __u32 reason)
{
	COUNT(drop_nosk);
	seen.drop_nosk_reason = reason;
	return 0;
}

extern const struct glass_vsock_counters glass_vsock_counters __ksym;

#define MAX_CPUS 1024

/* To be run once: total starts from zero. */
SEC("syscall")
int sum_counters(void *ctx)
{
	for (__u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		const struct glass_vsock_counters *counters;

		counters = bpf_per_cpu_ptr(&glass_vsock_counters, cpu);
		if (!counters)
			break;
#define ADD(field) total.field += counters->field;
		GLASS_VSOCK_COUNTERS(ADD)
#undef ADD
#pragma unroll
		for (int reason = 0; reason < GLASS_VSOCK_R_MAX; reason++) {
			total.resets_tx[reason] += counters->resets_tx[reason];
			total.resets_rx[reason] += counters->resets_rx[reason];
			total.drops[reason] += counters->drops[reason];
		}
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

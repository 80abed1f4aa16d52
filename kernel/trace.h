/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoints of the contract.  Those of packets that belong to no socket
 * are events of their own (_nosk), so that a program attached to the others
 * may trust sk.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM glass_vsock

#if !defined(GLASS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define GLASS_TRACE_H

#include <linux/tracepoint.h>

#include "glass.h"

/* A list of the contract as { value, name } pairs for __print_symbolic(). */
#undef GLASS_SYMBOL
#undef GLASS_STATE_SYMBOL
#undef GLASS_SYMBOLS_END
#define GLASS_SYMBOL(id, name)			{ id, name },
#define GLASS_STATE_SYMBOL(value, id, name)	{ id, name },
#define GLASS_SYMBOLS_END			{ -1, "?" }

#undef GLASS_EXPORT
#undef GLASS_STATE_EXPORT
#define GLASS_EXPORT(id, name)			TRACE_DEFINE_ENUM(id);
#define GLASS_STATE_EXPORT(value, id, name)	TRACE_DEFINE_ENUM(id);
GLASS_VSOCK_STATES(GLASS_STATE_EXPORT)
GLASS_VSOCK_OPS(GLASS_EXPORT)
GLASS_VSOCK_REASONS(GLASS_EXPORT)
GLASS_VSOCK_TIMERS(GLASS_EXPORT)
GLASS_VSOCK_DIRS(GLASS_EXPORT)
GLASS_VSOCK_TRANSPORT_EVENTS(GLASS_EXPORT)

#define show_state(x)	__print_symbolic(x,				\
		GLASS_VSOCK_STATES(GLASS_STATE_SYMBOL) GLASS_SYMBOLS_END)
#define show_op(x)	__print_symbolic(x,				\
		GLASS_VSOCK_OPS(GLASS_SYMBOL) GLASS_SYMBOLS_END)
#define show_reason(x)	__print_symbolic(x,				\
		GLASS_VSOCK_REASONS(GLASS_SYMBOL) GLASS_SYMBOLS_END)
#define show_timer(x)	__print_symbolic(x,				\
		GLASS_VSOCK_TIMERS(GLASS_SYMBOL) GLASS_SYMBOLS_END)
#define show_dir(x)	__print_symbolic(x,				\
		GLASS_VSOCK_DIRS(GLASS_SYMBOL) GLASS_SYMBOLS_END)
#define show_event(x)	__print_symbolic(x,				\
		GLASS_VSOCK_TRANSPORT_EVENTS(GLASS_SYMBOL) GLASS_SYMBOLS_END)

/* The four numbers of a connection, local end first. */
#define GLASS_ADDRESS_FIELDS						\
	__field(u32, local_cid)						\
	__field(u32, local_port)					\
	__field(u32, peer_cid)						\
	__field(u32, peer_port)
#define GLASS_ADDRESS_ASSIGN(sk)					\
	__entry->local_cid = glass_sk(sk)->local_cid;			\
	__entry->local_port = glass_sk(sk)->local_port;			\
	__entry->peer_cid = glass_sk(sk)->peer_cid;			\
	__entry->peer_port = glass_sk(sk)->peer_port;
#define GLASS_ADDRESS_FORMAT	"%u:%u -> %u:%u"
#define GLASS_ADDRESS_VALUES						\
	__entry->local_cid, __entry->local_port,			\
	__entry->peer_cid, __entry->peer_port

/* A packet's header, its sender first. */
#define GLASS_HDR_FIELDS						\
	__field(u64, src_cid)						\
	__field(u64, dst_cid)						\
	__field(u32, src_port)						\
	__field(u32, dst_port)						\
	__field(u32, len)						\
	__field(u32, flags)						\
	__field(u32, buf_alloc)						\
	__field(u32, fwd_cnt)						\
	__field(u16, type)						\
	__field(u16, op)
#define GLASS_HDR_ASSIGN(hdr)						\
	__entry->src_cid = (hdr)->src_cid;				\
	__entry->dst_cid = (hdr)->dst_cid;				\
	__entry->src_port = (hdr)->src_port;				\
	__entry->dst_port = (hdr)->dst_port;				\
	__entry->len = (hdr)->len;					\
	__entry->flags = (hdr)->flags;					\
	__entry->buf_alloc = (hdr)->buf_alloc;				\
	__entry->fwd_cnt = (hdr)->fwd_cnt;				\
	__entry->type = (hdr)->type;					\
	__entry->op = (hdr)->op;
#define GLASS_HDR_FORMAT						\
	"%llu:%u -> %llu:%u %s len=%u type=%u flags=%#x buf_alloc=%u fwd_cnt=%u"
#define GLASS_HDR_VALUES						\
	__entry->src_cid, __entry->src_port,				\
	__entry->dst_cid, __entry->dst_port, show_op(__entry->op),	\
	__entry->len, __entry->type, __entry->flags,			\
	__entry->buf_alloc, __entry->fwd_cnt

TRACE_EVENT(state,
	TP_PROTO(const struct sock *sk, int oldstate, int newstate, u32 reason),
	TP_ARGS(sk, oldstate, newstate, reason),
	TP_STRUCT__entry(
		GLASS_ADDRESS_FIELDS
		__field(int, oldstate)
		__field(int, newstate)
		__field(u32, reason)
	),
	TP_fast_assign(
		GLASS_ADDRESS_ASSIGN(sk)
		__entry->oldstate = oldstate;
		__entry->newstate = newstate;
		__entry->reason = reason;
	),
	TP_printk(GLASS_ADDRESS_FORMAT " %s -> %s reason=%s",
		  GLASS_ADDRESS_VALUES,
		  show_state(__entry->oldstate), show_state(__entry->newstate),
		  show_reason(__entry->reason))
);

TRACE_EVENT(connect_start,
	TP_PROTO(const struct sock *sk),
	TP_ARGS(sk),
	TP_STRUCT__entry(GLASS_ADDRESS_FIELDS),
	TP_fast_assign(GLASS_ADDRESS_ASSIGN(sk)),
	TP_printk(GLASS_ADDRESS_FORMAT, GLASS_ADDRESS_VALUES)
);

TRACE_EVENT(connect_done,
	TP_PROTO(const struct sock *sk, int err, u64 duration_ns),
	TP_ARGS(sk, err, duration_ns),
	TP_STRUCT__entry(
		GLASS_ADDRESS_FIELDS
		__field(int, err)
		__field(u64, duration_ns)
	),
	TP_fast_assign(
		GLASS_ADDRESS_ASSIGN(sk)
		__entry->err = err;
		__entry->duration_ns = duration_ns;
	),
	TP_printk(GLASS_ADDRESS_FORMAT " err=%d duration_ns=%llu",
		  GLASS_ADDRESS_VALUES, __entry->err, __entry->duration_ns)
);

TRACE_EVENT(accept,
	TP_PROTO(const struct sock *sk, const struct sock *child, u64 wait_ns),
	TP_ARGS(sk, child, wait_ns),
	TP_STRUCT__entry(
		GLASS_ADDRESS_FIELDS
		__field(u64, wait_ns)
	),
	TP_fast_assign(
		GLASS_ADDRESS_ASSIGN(child)
		__entry->wait_ns = wait_ns;
	),
	TP_printk(GLASS_ADDRESS_FORMAT " wait_ns=%llu",
		  GLASS_ADDRESS_VALUES, __entry->wait_ns)
);

DECLARE_EVENT_CLASS(glass_packet,
	TP_PROTO(const struct sock *sk, const struct glass_vsock_hdr *hdr),
	TP_ARGS(sk, hdr),
	TP_STRUCT__entry(GLASS_HDR_FIELDS),
	TP_fast_assign(GLASS_HDR_ASSIGN(hdr)),
	TP_printk(GLASS_HDR_FORMAT, GLASS_HDR_VALUES)
);

DEFINE_EVENT(glass_packet, packet_tx,
	TP_PROTO(const struct sock *sk, const struct glass_vsock_hdr *hdr),
	TP_ARGS(sk, hdr)
);

DEFINE_EVENT(glass_packet, packet_tx_done,
	TP_PROTO(const struct sock *sk, const struct glass_vsock_hdr *hdr),
	TP_ARGS(sk, hdr)
);

DECLARE_EVENT_CLASS(glass_packet_nosk,
	TP_PROTO(const struct glass_vsock_hdr *hdr),
	TP_ARGS(hdr),
	TP_STRUCT__entry(GLASS_HDR_FIELDS),
	TP_fast_assign(GLASS_HDR_ASSIGN(hdr)),
	TP_printk(GLASS_HDR_FORMAT, GLASS_HDR_VALUES)
);

DEFINE_EVENT(glass_packet_nosk, packet_tx_nosk,
	TP_PROTO(const struct glass_vsock_hdr *hdr),
	TP_ARGS(hdr)
);

DEFINE_EVENT(glass_packet_nosk, packet_tx_done_nosk,
	TP_PROTO(const struct glass_vsock_hdr *hdr),
	TP_ARGS(hdr)
);

DECLARE_EVENT_CLASS(glass_judged,
	TP_PROTO(const struct sock *sk, const struct glass_vsock_hdr *hdr,
		 u32 reason),
	TP_ARGS(sk, hdr, reason),
	TP_STRUCT__entry(
		GLASS_HDR_FIELDS
		__field(u32, reason)
	),
	TP_fast_assign(
		GLASS_HDR_ASSIGN(hdr)
		__entry->reason = reason;
	),
	TP_printk(GLASS_HDR_FORMAT " reason=%s",
		  GLASS_HDR_VALUES, show_reason(__entry->reason))
);

DEFINE_EVENT(glass_judged, packet_rx,
	TP_PROTO(const struct sock *sk, const struct glass_vsock_hdr *hdr,
		 u32 reason),
	TP_ARGS(sk, hdr, reason)
);

DEFINE_EVENT(glass_judged, drop,
	TP_PROTO(const struct sock *sk, const struct glass_vsock_hdr *hdr,
		 u32 reason),
	TP_ARGS(sk, hdr, reason)
);

DECLARE_EVENT_CLASS(glass_judged_nosk,
	TP_PROTO(const struct glass_vsock_hdr *hdr, u32 reason),
	TP_ARGS(hdr, reason),
	TP_STRUCT__entry(
		GLASS_HDR_FIELDS
		__field(u32, reason)
	),
	TP_fast_assign(
		GLASS_HDR_ASSIGN(hdr)
		__entry->reason = reason;
	),
	TP_printk(GLASS_HDR_FORMAT " reason=%s",
		  GLASS_HDR_VALUES, show_reason(__entry->reason))
);

DEFINE_EVENT(glass_judged_nosk, packet_rx_nosk,
	TP_PROTO(const struct glass_vsock_hdr *hdr, u32 reason),
	TP_ARGS(hdr, reason)
);

DEFINE_EVENT(glass_judged_nosk, drop_nosk,
	TP_PROTO(const struct glass_vsock_hdr *hdr, u32 reason),
	TP_ARGS(hdr, reason)
);

TRACE_EVENT(credit,
	TP_PROTO(const struct sock *sk, u32 dir, u32 free, u32 in_flight,
		 u32 buf_alloc, u32 fwd_cnt),
	TP_ARGS(sk, dir, free, in_flight, buf_alloc, fwd_cnt),
	TP_STRUCT__entry(
		GLASS_ADDRESS_FIELDS
		__field(u32, dir)
		__field(u32, free)
		__field(u32, in_flight)
		__field(u32, buf_alloc)
		__field(u32, fwd_cnt)
	),
	TP_fast_assign(
		GLASS_ADDRESS_ASSIGN(sk)
		__entry->dir = dir;
		__entry->free = free;
		__entry->in_flight = in_flight;
		__entry->buf_alloc = buf_alloc;
		__entry->fwd_cnt = fwd_cnt;
	),
	TP_printk(GLASS_ADDRESS_FORMAT
		  " %s free=%u in_flight=%u buf_alloc=%u fwd_cnt=%u",
		  GLASS_ADDRESS_VALUES, show_dir(__entry->dir), __entry->free,
		  __entry->in_flight, __entry->buf_alloc, __entry->fwd_cnt)
);

TRACE_EVENT(timeout,
	TP_PROTO(const struct sock *sk, u32 timer, u64 set_for_ns),
	TP_ARGS(sk, timer, set_for_ns),
	TP_STRUCT__entry(
		GLASS_ADDRESS_FIELDS
		__field(u32, timer)
		__field(u64, set_for_ns)
	),
	TP_fast_assign(
		GLASS_ADDRESS_ASSIGN(sk)
		__entry->timer = timer;
		__entry->set_for_ns = set_for_ns;
	),
	TP_printk(GLASS_ADDRESS_FORMAT " %s set_for_ns=%llu",
		  GLASS_ADDRESS_VALUES, show_timer(__entry->timer),
		  __entry->set_for_ns)
);

TRACE_EVENT(reset,
	TP_PROTO(const struct sock *sk, u32 dir, u32 reason),
	TP_ARGS(sk, dir, reason),
	TP_STRUCT__entry(
		GLASS_ADDRESS_FIELDS
		__field(u32, dir)
		__field(u32, reason)
	),
	TP_fast_assign(
		GLASS_ADDRESS_ASSIGN(sk)
		__entry->dir = dir;
		__entry->reason = reason;
	),
	TP_printk(GLASS_ADDRESS_FORMAT " %s reason=%s",
		  GLASS_ADDRESS_VALUES, show_dir(__entry->dir),
		  show_reason(__entry->reason))
);

/* The header is that of the reset itself. */
TRACE_EVENT(reset_nosk,
	TP_PROTO(const struct glass_vsock_hdr *hdr, u32 dir, u32 reason),
	TP_ARGS(hdr, dir, reason),
	TP_STRUCT__entry(
		GLASS_HDR_FIELDS
		__field(u32, dir)
		__field(u32, reason)
	),
	TP_fast_assign(
		GLASS_HDR_ASSIGN(hdr)
		__entry->dir = dir;
		__entry->reason = reason;
	),
	TP_printk(GLASS_HDR_FORMAT " %s reason=%s",
		  GLASS_HDR_VALUES, show_dir(__entry->dir),
		  show_reason(__entry->reason))
);

TRACE_EVENT(transport,
	TP_PROTO(u32 event, u64 cid),
	TP_ARGS(event, cid),
	TP_STRUCT__entry(
		__field(u32, event)
		__field(u64, cid)
	),
	TP_fast_assign(
		__entry->event = event;
		__entry->cid = cid;
	),
	TP_printk("%s cid=%llu", show_event(__entry->event), __entry->cid)
);

#endif /* GLASS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The contract of glass-vsock: what the driver exposes and what BPF programs
 * and tools consume.  Every enumeration is written once, as a list of
 * X(IDENTIFIER, "name"), from which the enum and the table of names are made.
 *
 * Compiles in the kernel, in BPF programs (after vmlinux.h) and in user space.
 */
#ifndef GLASS_VSOCK_H
#define GLASS_VSOCK_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/*
 * Raised whenever a tracepoint's arguments, a struct below or the meaning of
 * a value changes; a new value at the end of a list, a new counter (which BPF
 * programs find by name) or a new field at the end of struct glass_vsock_info
 * does not raise it.  The module shows it in
 * /sys/module/glass_vsock/parameters/contract.
 */
#define GLASS_VSOCK_CONTRACT	1

#define GLASS_VSOCK_ENUM_(id, name)	id,
#define GLASS_VSOCK_NAME_(id, name)	name,

/*
 * Socket states, in the order of the kernel's TCP_* numbers, which is what
 * sk_state, sock_diag and ss(8) carry.
 */
#define GLASS_VSOCK_STATES(X)					\
	X(1, GLASS_VSOCK_ESTABLISHED, "ESTABLISHED")		\
	X(2, GLASS_VSOCK_CONNECTING, "CONNECTING")		\
	X(7, GLASS_VSOCK_CLOSED, "CLOSED")			\
	X(10, GLASS_VSOCK_LISTEN, "LISTEN")			\
	X(11, GLASS_VSOCK_CLOSING, "CLOSING")

#define GLASS_VSOCK_STATE_ENUM_(value, id, name)	id = (value),
enum glass_vsock_state { GLASS_VSOCK_STATES(GLASS_VSOCK_STATE_ENUM_) };

/* Packet operations: virtio 1.2, section 5.10.6. */
#define GLASS_VSOCK_OPS(X)					\
	X(GLASS_VSOCK_OP_INVALID, "INVALID")			\
	X(GLASS_VSOCK_OP_REQUEST, "REQUEST")			\
	X(GLASS_VSOCK_OP_RESPONSE, "RESPONSE")			\
	X(GLASS_VSOCK_OP_RST, "RST")				\
	X(GLASS_VSOCK_OP_SHUTDOWN, "SHUTDOWN")			\
	X(GLASS_VSOCK_OP_RW, "RW")				\
	X(GLASS_VSOCK_OP_CREDIT_UPDATE, "CREDIT_UPDATE")	\
	X(GLASS_VSOCK_OP_CREDIT_REQUEST, "CREDIT_REQUEST")

enum glass_vsock_op {
	GLASS_VSOCK_OPS(GLASS_VSOCK_ENUM_)
	GLASS_VSOCK_OP_MAX
};

/*
 * Why something happened: a state change, a reset, a dropped packet.
 *
 * The first group is about a connection's life, the second about packets that
 * broke a rule of virtio 1.2, section 5.10.  Later ones follow as they came.
 */
#define GLASS_VSOCK_REASONS(X)						\
	X(GLASS_VSOCK_R_NONE, "none")					\
	X(GLASS_VSOCK_R_USER, "user")					\
	X(GLASS_VSOCK_R_PEER, "peer")					\
	X(GLASS_VSOCK_R_PEER_RESET, "peer_reset")			\
	X(GLASS_VSOCK_R_PEER_SHUTDOWN, "peer_shutdown")			\
	X(GLASS_VSOCK_R_CONNECT_TIMEOUT, "connect_timeout")		\
	X(GLASS_VSOCK_R_CLOSE_TIMEOUT, "close_timeout")			\
	X(GLASS_VSOCK_R_INTERRUPTED, "interrupted")			\
	X(GLASS_VSOCK_R_NO_LISTENER, "no_listener")			\
	X(GLASS_VSOCK_R_NO_SOCKET, "no_socket")				\
	X(GLASS_VSOCK_R_BACKLOG_FULL, "backlog_full")			\
	X(GLASS_VSOCK_R_NOT_ACCEPTED, "not_accepted")			\
	X(GLASS_VSOCK_R_NO_MEMORY, "no_memory")				\
	X(GLASS_VSOCK_R_DEVICE_QUEUE_FULL, "device_queue_full")		\
	X(GLASS_VSOCK_R_TRANSPORT_GONE, "transport_gone")		\
	X(GLASS_VSOCK_R_TRANSPORT_RESET, "transport_reset")		\
	X(GLASS_VSOCK_R_AFTER_CLOSE, "after_close")			\
									\
	X(GLASS_VSOCK_R_SHORT_HEADER, "short_header")			\
	X(GLASS_VSOCK_R_BAD_LENGTH, "bad_length")			\
	X(GLASS_VSOCK_R_BAD_TYPE, "bad_type")				\
	X(GLASS_VSOCK_R_BAD_OP, "bad_op")				\
	X(GLASS_VSOCK_R_BAD_FLAGS, "bad_flags")				\
	X(GLASS_VSOCK_R_BAD_SOURCE, "bad_source")			\
	X(GLASS_VSOCK_R_BAD_DESTINATION, "bad_destination")		\
	X(GLASS_VSOCK_R_TYPE_MISMATCH, "type_mismatch")			\
	X(GLASS_VSOCK_R_BAD_STATE, "bad_state")				\
	X(GLASS_VSOCK_R_DUPLICATE, "duplicate")				\
	X(GLASS_VSOCK_R_EMPTY, "empty")					\
	X(GLASS_VSOCK_R_AFTER_SHUTDOWN, "after_shutdown")		\
	X(GLASS_VSOCK_R_CREDIT_EXCEEDED, "credit_exceeded")		\
	X(GLASS_VSOCK_R_CREDIT_AHEAD, "credit_ahead")			\
	X(GLASS_VSOCK_R_CREDIT_STALE, "credit_stale")			\
	X(GLASS_VSOCK_R_MESSAGE_TOO_LONG, "message_too_long")		\
	X(GLASS_VSOCK_R_DESTROYED, "destroyed")

enum glass_vsock_reason {
	GLASS_VSOCK_REASONS(GLASS_VSOCK_ENUM_)
	GLASS_VSOCK_R_MAX
};

/* What a sender waits for. */
#define GLASS_VSOCK_CAUSES(X)					\
	X(GLASS_VSOCK_STALL_PEER_CREDIT, "peer_credit")		\
	X(GLASS_VSOCK_STALL_DEVICE_QUEUE, "device_queue")	\
	X(GLASS_VSOCK_STALL_MEMORY, "memory")

enum glass_vsock_cause {
	GLASS_VSOCK_CAUSES(GLASS_VSOCK_ENUM_)
	GLASS_VSOCK_STALL_MAX
};

#define GLASS_VSOCK_TIMERS(X)					\
	X(GLASS_VSOCK_TIMER_CONNECT, "connect")			\
	X(GLASS_VSOCK_TIMER_CLOSE, "close")			\
	X(GLASS_VSOCK_TIMER_LINGER, "linger")			\
	X(GLASS_VSOCK_TIMER_CREDIT_PROBE, "credit_probe")

enum glass_vsock_timer {
	GLASS_VSOCK_TIMERS(GLASS_VSOCK_ENUM_)
	GLASS_VSOCK_TIMER_MAX
};

/* Which way, seen from this guest: a packet, a reset, a credit window. */
#define GLASS_VSOCK_DIRS(X)					\
	X(GLASS_VSOCK_TX, "tx")					\
	X(GLASS_VSOCK_RX, "rx")

enum glass_vsock_dir {
	GLASS_VSOCK_DIRS(GLASS_VSOCK_ENUM_)
	GLASS_VSOCK_DIR_MAX
};

#define GLASS_VSOCK_TRANSPORT_EVENTS(X)				\
	X(GLASS_VSOCK_TRANSPORT_UP, "up")			\
	X(GLASS_VSOCK_TRANSPORT_DOWN, "down")			\
	X(GLASS_VSOCK_TRANSPORT_RESET, "reset")

enum glass_vsock_transport_event {
	GLASS_VSOCK_TRANSPORT_EVENTS(GLASS_VSOCK_ENUM_)
	GLASS_VSOCK_TRANSPORT_MAX
};

/* A packet's header (virtio 1.2, section 5.10.6) in the CPU's byte order. */
struct glass_vsock_hdr {
	__u64 src_cid;
	__u64 dst_cid;
	__u32 src_port;
	__u32 dst_port;
	__u32 len;		/* bytes of payload */
	__u16 type;		/* 1 stream, 2 seqpacket */
	__u16 op;		/* enum glass_vsock_op */
	__u32 flags;		/* of SHUTDOWN: 1 receives no more, 2 sends no more */
	__u32 buf_alloc;	/* bytes the sender of this packet buffers */
	__u32 fwd_cnt;		/* bytes it has handed to its program, modulo 2^32 */
};

/*
 * The counters, since the module was loaded, one struct for each CPU; a total
 * is the sum over all CPUs.  /proc/net/glass_vsock shows the totals, a BPF
 * program reads the per-CPU variable "glass_vsock_counters".
 *
 * X(field): every field is a __u64.  Units are packets, bytes (of payload),
 * events, or nanoseconds where the name ends so.
 */
#define GLASS_VSOCK_COUNTERS(X)						\
	X(tx_packets) X(tx_bytes)					\
	X(tx_invalid) X(tx_request) X(tx_response) X(tx_rst)		\
	X(tx_shutdown) X(tx_rw) X(tx_credit_update) X(tx_credit_request)\
	X(rx_packets) X(rx_bytes)					\
	X(rx_invalid) X(rx_request) X(rx_response) X(rx_rst)		\
	X(rx_shutdown) X(rx_rw) X(rx_credit_update) X(rx_credit_request)\
	X(connect_started) X(connect_done) X(connect_timed_out)		\
	X(connect_reset) X(connect_failed)				\
	X(accepted) X(accept_queue_overflows)				\
	X(stalls_peer_credit) X(stalls_device_queue) X(stalls_memory)	\
	X(stalled_ns_peer_credit) X(stalled_ns_device_queue)		\
	X(stalled_ns_memory)						\
	X(tx_kicks) X(rx_kicks) X(interrupts) X(napi_polls)		\
	X(tx_ring_full) X(rx_refill_failures) X(alloc_failures)		\
	X(zerocopy_sends) X(zerocopy_fallbacks)

/* Resets sent, resets received and packets dropped, each by reason. */
#define GLASS_VSOCK_COUNTER_FIELD_(field)	__u64 field;
struct glass_vsock_counters {
	GLASS_VSOCK_COUNTERS(GLASS_VSOCK_COUNTER_FIELD_)
	__u64 resets_tx[GLASS_VSOCK_R_MAX];
	__u64 resets_rx[GLASS_VSOCK_R_MAX];
	__u64 drops[GLASS_VSOCK_R_MAX];
};

/* Room in the struct below for causes and timers to come. */
#define GLASS_VSOCK_INFO_CAUSES		8
#define GLASS_VSOCK_INFO_TIMERS		8

/*
 * All there is to know about one socket.  A later version adds fields at the
 * end only: a reader takes the length it is given, and treats what is missing
 * as zero.  Times are nanoseconds; an "age" counts back from the moment of
 * reading; a time of something that never happened is zero.
 */
struct glass_vsock_info {
	__u8  state;			/* enum glass_vsock_state */
	__u8  local_shutdown;		/* 1 receives no more, 2 sends no more */
	__u8  peer_shutdown;
	__u8  timers;			/* bit N: enum glass_vsock_timer N is armed */
	__u32 reason;			/* enum glass_vsock_reason of the last state */
	__u32 error;			/* the errno that the next call reports, or 0 */
	__u32 stall_cause;		/* enum glass_vsock_cause, while stall_age is set */

	/* Receive window: what the peer was last told that it is granted. */
	__u32 rx_buf_alloc;
	__u32 rx_fwd_cnt;
	__u32 rx_queued;		/* arrived, not yet read */
	__u32 rx_free;			/* what the peer may still send, as it knows */

	/* Send window: what the peer grants. */
	__u32 tx_buf_alloc;
	__u32 tx_fwd_cnt;
	__u32 tx_in_flight;		/* sent, not yet known to be read */
	__u32 tx_free;
	__u32 tx_queued;		/* memory of packets the device still has */

	__u32 accept_queue;		/* listeners: waiting, and the limit */
	__u32 accept_queue_max;

	__u32 tx_window;		/* of tx_buf_alloc, what we use: no more
					 * than our own buffer has */

	__u64 tx_bytes;
	__u64 rx_bytes;
	__u64 tx_packets;		/* of data */
	__u64 rx_packets;
	__u64 stalls[GLASS_VSOCK_INFO_CAUSES];	/* by enum glass_vsock_cause */
	__u64 stall_age_ns;		/* of the present stall */
	__u64 connect_ns;		/* from REQUEST to RESPONSE */
	__u64 age_ns;			/* since the socket was made */
	__u64 state_age_ns;		/* since the last change of state */
	__u64 activity_age_ns;		/* since the last packet either way */
	__u64 timer_left_ns[GLASS_VSOCK_INFO_TIMERS];
};

/*
 * sock_diag (AF_VSOCK, linux/vm_sockets_diag.h).  The answer to a request
 * whose vdiag_show has the bit carries the attribute after the stock message;
 * without it the answer is stock's own.
 */
#define GLASS_VSOCK_DIAG_SHOW_INFO	(1U << 0)
#define GLASS_VSOCK_DIAG_INFO		1	/* struct glass_vsock_info */

/*
 * SOCK_DESTROY of sock_diag takes a struct vsock_diag_req, too.  It names one
 * socket, of the netlink socket's network namespace, by vdiag_ino, by
 * vdiag_cookie, or by both; zero is any, and a cookie of ones, too.  The other
 * fields are not looked at.  Wants CAP_NET_ADMIN over that namespace.
 *
 * A connection ends: its program gets ECONNABORTED, its peer a reset.  So does
 * an attempt to connect.  A listener no longer listens; what it has not
 * accepted is reset.  Any other socket gets the error.  What is bound stays so
 * until the program closes it.
 *
 * EINVAL: no socket is named.  EPERM.  ENOENT: there is none like that.
 */

/*
 * getsockopt() at level AF_VSOCK: the struct glass_vsock_info of the socket.
 * As with TCP_INFO, what does not fit into the length given is left out, and
 * the length that was filled in is returned.
 */
#define GLASS_VSOCK_SO_INFO	0x100

#ifndef __VMLINUX_H__
/*
 * Names for people.  An unknown value, from a driver newer than the program,
 * is "?".
 */
#define GLASS_VSOCK_NAMES_(fn, list)					\
static inline const char *fn(unsigned int value)			\
{									\
	static const char *const names[] = { list(GLASS_VSOCK_NAME_) };	\
									\
	return value < sizeof(names) / sizeof(names[0]) ?		\
	       names[value] : "?";					\
}

GLASS_VSOCK_NAMES_(glass_vsock_op_name, GLASS_VSOCK_OPS)
GLASS_VSOCK_NAMES_(glass_vsock_reason_name, GLASS_VSOCK_REASONS)
GLASS_VSOCK_NAMES_(glass_vsock_cause_name, GLASS_VSOCK_CAUSES)
GLASS_VSOCK_NAMES_(glass_vsock_timer_name, GLASS_VSOCK_TIMERS)
GLASS_VSOCK_NAMES_(glass_vsock_dir_name, GLASS_VSOCK_DIRS)
GLASS_VSOCK_NAMES_(glass_vsock_transport_event_name,
		   GLASS_VSOCK_TRANSPORT_EVENTS)

static inline const char *glass_vsock_state_name(unsigned int state)
{
#define GLASS_VSOCK_STATE_CASE_(value, id, name)	case id: return name;
	switch (state) {
	GLASS_VSOCK_STATES(GLASS_VSOCK_STATE_CASE_)
	}
#undef GLASS_VSOCK_STATE_CASE_
	return "?";
}
#endif /* __VMLINUX_H__ */

#endif /* GLASS_VSOCK_H */

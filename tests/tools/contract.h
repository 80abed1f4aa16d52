/* SPDX-License-Identifier: GPL-2.0-only */
/* What contract.bpf.c has seen. */
#ifndef CONTRACT_H
#define CONTRACT_H

#define TRACEPOINTS(X)								\
	X(state) X(connect_start) X(connect_done) X(accept) X(packet_tx)	\
	X(packet_tx_done) X(packet_rx) X(credit) X(timeout) X(reset) X(drop)	\
	X(transport) X(packet_tx_nosk) X(packet_tx_done_nosk) X(packet_rx_nosk)	\
	X(reset_nosk) X(drop_nosk)

#define MAX_STATES	16

struct seen {
#define COUNT(name) __u32 name;
	struct { TRACEPOINTS(COUNT) } count;	/* how often each was reached, by anyone */
#undef COUNT

	/* Of connections to the port that was asked for. */
	__u64 sent;			/* bytes of the client's packets */
	__u64 received;			/* bytes of the packets that the server took */
	__u32 states;			/* of the client */
	struct { __u32 from, to; } state[MAX_STATES];
	__u64 connect_ns;
	__u64 wait_ns;
	__u32 windows;			/* send windows that add up */
	__u32 wrong_windows;

	/* The last of its kind. */
	__u32 timer;
	__u64 set_for_ns;
	__u32 reset_dir, reset_reason;
	__u32 rx_nosk_verdict, drop_nosk_reason;
};

#endif

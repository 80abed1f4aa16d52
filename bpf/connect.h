/* SPDX-License-Identifier: GPL-2.0-only */
/* What connect.bpf.c tells vsocktrace about each connect that has ended. */
#ifndef CONNECT_H
#define CONNECT_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define CONNECT_COMM_LEN 16

struct connect_event {
	__u64 end_ns;		/* CLOCK_MONOTONIC */
	__u64 duration_ns;
	__u32 local_cid;
	__u32 local_port;
	__u32 peer_cid;
	__u32 peer_port;
	__u32 pid;		/* in the namespace asked for; 0: it has none there */
	__s32 error;		/* 0 or -errno */
	char comm[CONNECT_COMM_LEN];
	__u64 known;		/* false: it began before anybody looked */
};

#endif

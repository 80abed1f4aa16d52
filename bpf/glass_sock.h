/* SPDX-License-Identifier: GPL-2.0-only */
/* The fields of the driver's socket that BPF programs read, found by CO-RE in the module's BTF. */
#ifndef GLASS_SOCK_H
#define GLASS_SOCK_H

struct glass_sock {
	__u32 local_cid;
	__u32 local_port;
	__u32 peer_cid;
	__u32 peer_port;
} __attribute__((preserve_access_index));

#endif

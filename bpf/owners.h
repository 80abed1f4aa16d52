/* SPDX-License-Identifier: GPL-2.0-only */
/* One process that holds a vsock socket open: what owners.bpf.c writes for vsockstat. */
#ifndef OWNERS_H
#define OWNERS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define OWNER_COMM_LEN 16

struct owner {
	__u32 inode;		/* as sock_diag gives it */
	__u32 pid;
	char comm[OWNER_COMM_LEN];
};

#endif

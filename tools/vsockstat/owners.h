/* SPDX-License-Identifier: GPL-2.0-only */
/* Which processes hold which sockets open. */
#ifndef VSOCKSTAT_OWNERS_H
#define VSOCKSTAT_OWNERS_H

#include <linux/types.h>
#include <stddef.h>

#include "bpf/owners.h"

struct owners {
	struct owner *list;	/* by inode, then pid; each pair once */
	size_t count;
};

/* All owners, by BPF; without the privilege for that the ones /proc shows to this user. */
void owners_read(struct owners *owners);

/* The first owner of the socket with this inode; *count of them follow each other. */
const struct owner *owners_find(const struct owners *owners, __u32 inode, size_t *count);

/* Sorts and drops what is there twice: two descriptors of a process may be one socket. */
void owners_sort(struct owners *owners);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The contract's view of one socket, for sock_diag and getsockopt(). */
#ifndef GLASS_INFO_H
#define GLASS_INFO_H

#include "glass.h"

/* Fill in all of @info.  The caller has a reference.  Any context. */
void glass_fill_info(const struct glass_sock *gs, struct glass_vsock_info *info);

#endif /* GLASS_INFO_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* The vsock sockets there are, as sock_diag tells them. */
#ifndef SOCKETS_H
#define SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libmnl/libmnl.h>
#include <linux/vm_sockets_diag.h>

#include "glass_vsock.h"

struct owner;

struct socket {
	struct vsock_diag_msg msg;
	bool has_info;			/* the stock driver has none */
	struct glass_vsock_info info;
	const struct owner *owners;	/* see owners.h */
	size_t owner_count;
};

/* Which of them, as bits 1 << state. */
#define SOCKETS_CONNECTIONS						\
	(1U << GLASS_VSOCK_ESTABLISHED | 1U << GLASS_VSOCK_CONNECTING |	\
	 1U << GLASS_VSOCK_CLOSING)
#define SOCKETS_LISTENERS	(1U << GLASS_VSOCK_LISTEN)
#define SOCKETS_ALL		UINT32_MAX

/*
 * All sockets in one of @states, by local and then peer address; free() the
 * list. On failure it ends the program with one line.
 */
struct socket *sockets_read(uint32_t states, size_t *count);

/* Decodes one answer; -1 if it is not what a sock_diag of this family sends. */
int sockets_parse(const struct nlmsghdr *nlh, struct socket *sock);

#endif

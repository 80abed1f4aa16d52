/* SPDX-License-Identifier: GPL-2.0-only */
/* sock_diag by libmnl. */
#ifndef TESTS_GUEST_OBSERVE_DIAG_H
#define TESTS_GUEST_OBSERVE_DIAG_H

#include <stddef.h>
#include <stdint.h>
#include <linux/sock_diag.h>
#include <linux/vm_sockets_diag.h>

/* Send a request of SIZE bytes; the errno that it is answered with, negative, or 0. */
int diag_request(int type, int flags, const void *request, size_t size);

/*
 * Dump all sockets in STATES: how many; the message about inode INO in *MSG,
 * and in *LENGTH that of its netlink payload, or 0 if there is none.
 */
int diag_dump(uint32_t states, uint32_t show, uint32_t ino, struct vsock_diag_msg *msg,
	      size_t *length);

/* The inode of a socket. */
uint32_t inode(int fd);

#endif

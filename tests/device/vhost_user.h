/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhost-user, the protocol by which QEMU gives the queues of a device to
 * another process: as much of it as its vhost-user-vsock device needs.
 */
#ifndef TESTS_DEVICE_VHOST_USER_H
#define TESTS_DEVICE_VHOST_USER_H

#include "ring.h"

enum { RING_RX, RING_TX, RINGS };	/* named as the guest sees them */

struct vhost_user {
	int fd;				/* connected to QEMU */
	uint64_t cid;			/* for the guest */
	struct memory memory;
	struct ring rings[RINGS];
	uint64_t addresses[RINGS][3];	/* of descriptors, available and used; QEMU's own */
	void (*stopped)(void *);	/* the guest's driver left the device, or reset it */
	void *context;			/* for that */
};

void vhost_user_init(struct vhost_user *vu, int fd, uint64_t cid);

/* Take one message and answer it.  False when QEMU is gone. */
bool vhost_user_serve(struct vhost_user *vu);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A split virtqueue (virtio 1.2, section 2.7), as its device sees it. */
#ifndef TESTS_DEVICE_RING_H
#define TESTS_DEVICE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <linux/virtio_ring.h>

#define RING_PIECES	64

/* The guest's memory. */
struct region {
	uint64_t guest, user, size;
	char *map, *base;	/* what was mapped, and where the region begins in it */
};

struct memory {
	unsigned int count;
	struct region regions[8];
};

/* LEN bytes at an address of the guest's; NULL if they are not all there. */
void *memory_guest(const struct memory *memory, uint64_t address, uint64_t len);
/* The same at an address of the monitor's. */
void *memory_user(const struct memory *memory, uint64_t address, uint64_t len);

struct ring {
	unsigned int size;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_avail, next_used;
	int kick, call;		/* -1: none yet */
	bool enabled;
};

/* Buffers that the guest made available together. */
struct chain {
	uint16_t head;
	unsigned int count;
	struct iovec pieces[RING_PIECES];
	size_t len;
};

bool ring_runs(const struct ring *ring);

/* The next chain.  False if there is none; one that is broken ends the process. */
bool ring_take(struct ring *ring, const struct memory *memory, struct chain *chain);
void ring_give(struct ring *ring, uint32_t head, uint32_t len);

/* Interrupt the guest, unless it asked for none. */
void ring_interrupt(const struct ring *ring);
/* Whether it asked or not. */
void ring_interrupt_always(const struct ring *ring);

/* Both return the bytes that there was room for. */
size_t chain_read(const struct chain *chain, void *to, size_t max);
size_t chain_write(const struct chain *chain, size_t offset, const void *from, size_t len);

#endif

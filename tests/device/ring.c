// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ring.h"

static void *within(const struct region *region, uint64_t begin, uint64_t address, uint64_t len)
{
	uint64_t offset = address - begin;

	if (address < begin || offset > region->size || len > region->size - offset)
		return NULL;
	return region->base + offset;
}

void *memory_guest(const struct memory *memory, uint64_t address, uint64_t len)
{
	void *found = NULL;

	for (unsigned int i = 0; !found && i < memory->count; i++)
		found = within(&memory->regions[i], memory->regions[i].guest, address, len);
	return found;
}

void *memory_user(const struct memory *memory, uint64_t address, uint64_t len)
{
	void *found = NULL;

	for (unsigned int i = 0; !found && i < memory->count; i++)
		found = within(&memory->regions[i], memory->regions[i].user, address, len);
	return found;
}

bool ring_runs(const struct ring *ring)
{
	return ring->enabled && ring->kick >= 0 && ring->desc && ring->avail && ring->used;
}

/* It is the guest that is tested: whatever it does wrong is to be seen. */
static void broken(const char *what, unsigned int value)
{
	fprintf(stderr, "device: the guest's ring is broken: %s %u\n", what, value);
	exit(1);
}

static void add_piece(struct chain *chain, const struct memory *memory,
		      const struct vring_desc *desc)
{
	void *piece = memory_guest(memory, desc->addr, desc->len);

	if (!piece)
		broken("no memory for a buffer of length", desc->len);
	if (chain->count == RING_PIECES)
		broken("more buffers in a chain than", RING_PIECES);
	chain->pieces[chain->count++] = (struct iovec) { piece, desc->len };
	chain->len += desc->len;
}

bool ring_take(struct ring *ring, const struct memory *memory, struct chain *chain)
{
	unsigned int at;
	bool more;

	if (__atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE) == ring->next_avail)
		return false;
	at = ring->avail->ring[ring->next_avail++ % ring->size];
	chain->head = at;
	chain->count = 0;
	chain->len = 0;
	do {
		if (at >= ring->size)
			broken("descriptor", at);
		add_piece(chain, memory, &ring->desc[at]);
		more = ring->desc[at].flags & VRING_DESC_F_NEXT;
		at = ring->desc[at].next;
	} while (more);
	return true;
}

void ring_give(struct ring *ring, uint32_t head, uint32_t len)
{
	ring->used->ring[ring->next_used++ % ring->size] = (struct vring_used_elem) { head, len };
	__atomic_store_n(&ring->used->idx, ring->next_used, __ATOMIC_RELEASE);
}

void ring_interrupt_always(const struct ring *ring)
{
	const uint64_t one = 1;

	if (ring->call >= 0 && write(ring->call, &one, sizeof(one)) < 0)
		perror("device: interrupting the guest");
}

void ring_interrupt(const struct ring *ring)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&ring->avail->flags, __ATOMIC_RELAXED) & VRING_AVAIL_F_NO_INTERRUPT))
		ring_interrupt_always(ring);
}

size_t chain_read(const struct chain *chain, void *to, size_t max)
{
	size_t done = 0;

	for (unsigned int i = 0; i < chain->count && done < max; i++) {
		size_t left = max - done, n = chain->pieces[i].iov_len;

		n = n < left ? n : left;
		memcpy((char *)to + done, chain->pieces[i].iov_base, n);
		done += n;
	}
	return done;
}

size_t chain_write(const struct chain *chain, size_t offset, const void *from, size_t len)
{
	size_t done = 0;

	for (unsigned int i = 0; i < chain->count && done < len; i++) {
		size_t left = len - done, n = chain->pieces[i].iov_len;

		if (offset >= n) {
			offset -= n;
			continue;
		}
		n -= offset;
		n = n < left ? n : left;
		memcpy((char *)chain->pieces[i].iov_base + offset, (const char *)from + done, n);
		offset = 0;
		done += n;
	}
	return done;
}

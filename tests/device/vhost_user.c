// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_vsock.h>

#include "vhost_user.h"

enum request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	SET_VRING_ENABLE = 18,
	GET_CONFIG = 24,
};

#define VERSION			1
#define REPLY			4
#define F_PROTOCOL_FEATURES	(1ULL << 30)
#define PROTOCOL_F_CONFIG	(1ULL << 9)
#define MAX_FDS			8

#define FEATURES	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_VSOCK_F_SEQPACKET | \
			 F_PROTOCOL_FEATURES)

struct mem_table {
	uint32_t count, padding;
	struct {
		uint64_t guest, size, user, offset;
	} regions[MAX_FDS];
};

struct config {
	uint32_t offset, size, flags;
	uint8_t bytes[256];
};

struct message {
	struct {
		uint32_t request, flags, size;
	} header;
	union {
		uint64_t number;
		struct vhost_vring_state state;
		struct vhost_vring_addr addr;
		struct mem_table table;
		struct config config;
	} body;
	int fds[MAX_FDS];
	unsigned int fd_count;
};

void vhost_user_init(struct vhost_user *vu, int fd, uint64_t cid)
{
	memset(vu, 0, sizeof(*vu));
	vu->fd = fd;
	vu->cid = cid;
	for (int i = 0; i < RINGS; i++)
		vu->rings[i].kick = vu->rings[i].call = -1;
}

static bool receive_all(int fd, void *to, size_t len)
{
	return !len || recv(fd, to, len, MSG_WAITALL) == (ssize_t)len;
}

static bool receive(int fd, struct message *m)
{
	char control[CMSG_SPACE(sizeof(m->fds))];
	struct iovec piece = { &m->header, sizeof(m->header) };
	struct msghdr msg = {
		.msg_iov = &piece, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;

	memset(m, 0, sizeof(*m));
	if (recvmsg(fd, &msg, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof(m->header))
		return false;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS) {
		m->fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(m->fds, CMSG_DATA(c), m->fd_count * sizeof(int));
	}
	if (m->header.size > sizeof(m->body)) {
		fprintf(stderr, "device: vhost-user message %u of %u bytes\n",
			m->header.request, m->header.size);
		return false;
	}
	return receive_all(fd, &m->body, m->header.size);
}

static bool reply(int fd, struct message *m, size_t size)
{
	struct iovec pieces[] = { { &m->header, sizeof(m->header) }, { &m->body, size } };
	struct msghdr msg = { .msg_iov = pieces, .msg_iovlen = 2 };

	m->header.flags = VERSION | REPLY;
	m->header.size = size;
	return sendmsg(fd, &msg, MSG_NOSIGNAL) == (ssize_t)(sizeof(m->header) + size);
}

/* Rings */

static void find_ring(struct vhost_user *vu, int index)
{
	struct ring *ring = &vu->rings[index];
	const uint64_t *at = vu->addresses[index];

	ring->desc = memory_user(&vu->memory, at[0], ring->size * sizeof(*ring->desc));
	ring->avail = memory_user(&vu->memory, at[1], 4 + ring->size * sizeof(uint16_t));
	ring->used = memory_user(&vu->memory, at[2], 4 + ring->size * sizeof(struct vring_used_elem));
}

static void replace_fd(int *fd, const struct message *m)
{
	if (*fd >= 0)
		close(*fd);
	*fd = m->fd_count ? m->fds[0] : -1;
}

static struct ring *ring_of(struct vhost_user *vu, uint32_t index)
{
	if (index >= RINGS) {
		fprintf(stderr, "device: no ring %u\n", index);
		exit(1);
	}
	return &vu->rings[index];
}

static bool stop_ring(struct vhost_user *vu, struct message *m)
{
	struct ring *ring = ring_of(vu, m->body.state.index);

	m->body.state.num = ring->next_avail;
	if (ring->kick >= 0)
		close(ring->kick);
	ring->kick = -1;
	vu->stopped(vu->context);
	return reply(vu->fd, m, sizeof(m->body.state));
}

static void ring_message(struct vhost_user *vu, struct message *m)
{
	/* In each of these messages the lowest byte says which. */
	struct ring *ring = ring_of(vu, m->body.number & 0xff);

	switch (m->header.request) {
	case SET_VRING_NUM:
		ring->size = m->body.state.num;
		break;
	case SET_VRING_BASE:
		ring->next_avail = ring->next_used = m->body.state.num;
		break;
	case SET_VRING_ADDR:
		memcpy(vu->addresses[ring - vu->rings], (uint64_t[]) {
			m->body.addr.desc_user_addr, m->body.addr.avail_user_addr,
			m->body.addr.used_user_addr }, sizeof(vu->addresses[0]));
		find_ring(vu, ring - vu->rings);
		break;
	case SET_VRING_KICK:
		replace_fd(&ring->kick, m);
		ring->enabled = true;	/* until SET_VRING_ENABLE says otherwise */
		break;
	case SET_VRING_CALL:
		replace_fd(&ring->call, m);
		break;
	case SET_VRING_ERR:
		if (m->fd_count)
			close(m->fds[0]);
		break;
	case SET_VRING_ENABLE:
		ring->enabled = m->body.state.num;
		break;
	}
}

/* Memory and configuration */

static bool map_region(struct region *region, const struct mem_table *table, int i, int fd)
{
	uint64_t offset = table->regions[i].offset;

	region->guest = table->regions[i].guest;
	region->user = table->regions[i].user;
	region->size = table->regions[i].size;
	region->map = mmap(NULL, region->size + offset, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (region->map == MAP_FAILED) {
		perror("device: mapping the guest's memory");
		return false;
	}
	region->base = region->map + offset;
	close(fd);
	return true;
}

static bool set_memory(struct vhost_user *vu, const struct message *m)
{
	struct memory *memory = &vu->memory;

	for (unsigned int i = 0; i < memory->count; i++) {
		struct region *old = &memory->regions[i];

		munmap(old->map, old->size + (old->base - old->map));
	}
	memory->count = 0;
	if (m->body.table.count != m->fd_count)
		return false;
	for (unsigned int i = 0; i < m->fd_count; i++) {
		if (!map_region(&memory->regions[i], &m->body.table, i, m->fds[i]))
			return false;
		memory->count++;
	}
	for (int i = 0; i < RINGS; i++)
		find_ring(vu, i);
	return true;
}

static bool get_config(struct vhost_user *vu, struct message *m)
{
	struct virtio_vsock_config config = { .guest_cid = vu->cid };

	memset(m->body.config.bytes, 0, sizeof(m->body.config.bytes));
	memcpy(m->body.config.bytes, &config, sizeof(config));
	return reply(vu->fd, m, m->header.size);
}

static bool reply_number(struct vhost_user *vu, struct message *m, uint64_t number)
{
	m->body.number = number;
	return reply(vu->fd, m, sizeof(number));
}

bool vhost_user_serve(struct vhost_user *vu)
{
	struct message m;

	if (!receive(vu->fd, &m))
		return false;
	switch (m.header.request) {
	case GET_FEATURES:
		return reply_number(vu, &m, FEATURES);
	case GET_PROTOCOL_FEATURES:
		return reply_number(vu, &m, PROTOCOL_F_CONFIG);
	case GET_CONFIG:
		return get_config(vu, &m);
	case GET_VRING_BASE:
		return stop_ring(vu, &m);
	case SET_MEM_TABLE:
		return set_memory(vu, &m);
	case SET_FEATURES:
	case SET_PROTOCOL_FEATURES:
	case SET_OWNER:
	case RESET_OWNER:
		return true;
	case SET_VRING_NUM:
	case SET_VRING_ADDR:
	case SET_VRING_BASE:
	case SET_VRING_KICK:
	case SET_VRING_CALL:
	case SET_VRING_ERR:
	case SET_VRING_ENABLE:
		ring_message(vu, &m);
		return true;
	}
	fprintf(stderr, "device: unknown vhost-user message %u\n", m.header.request);
	return false;
}

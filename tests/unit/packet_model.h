/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a packet may be refused for, said a second time and in another way than
 * the driver says it: by the bytes on the wire, each rule for itself.
 */
#ifndef TESTS_UNIT_PACKET_MODEL_H
#define TESTS_UNIT_PACKET_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glass_vsock.h>

static inline uint64_t model_field(const unsigned char *wire, int at, int size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | wire[at + size];
	return value;
}

/* Whether REASON is true of the packet; of R_NONE, whether nothing is wrong. */
static inline bool model_is(const unsigned char *wire, size_t used, uint64_t guest,
			    enum glass_vsock_reason reason)
{
	enum { STREAM = 1, MESSAGES = 2, SHUTDOWN = 4, RW = 5, LAST_OP = 7 };
	const uint64_t any = 0xffffffff;
	uint64_t src_cid, dst_cid, src_port, dst_port, len, type, op, flags;

	if (used < 44)
		return reason == GLASS_VSOCK_R_SHORT_HEADER;
	src_cid = model_field(wire, 0, 8);
	dst_cid = model_field(wire, 8, 8);
	src_port = model_field(wire, 16, 4);
	dst_port = model_field(wire, 20, 4);
	len = model_field(wire, 24, 4);
	type = model_field(wire, 28, 2);
	op = model_field(wire, 30, 2);
	flags = model_field(wire, 32, 4);

	switch (reason) {
	case GLASS_VSOCK_R_BAD_SOURCE:
		return src_cid >= any || src_cid == guest || src_cid == 1 || src_port == any;
	case GLASS_VSOCK_R_BAD_DESTINATION:
		return dst_cid != guest || dst_port == any;
	case GLASS_VSOCK_R_BAD_TYPE:
		return type != STREAM && type != MESSAGES;
	case GLASS_VSOCK_R_BAD_OP:
		return op < 1 || op > LAST_OP;
	case GLASS_VSOCK_R_BAD_LENGTH:
		return 44 + len > used || (op != RW && len > 0);
	case GLASS_VSOCK_R_BAD_FLAGS:
		return (op == SHUTDOWN && (flags < 1 || flags > 3)) ||
		       (op == RW && type == MESSAGES && flags > 3);
	case GLASS_VSOCK_R_NONE:
		for (int r = GLASS_VSOCK_R_BAD_LENGTH; r <= GLASS_VSOCK_R_BAD_DESTINATION; r++) {
			if (model_is(wire, used, guest, r))
				return false;
		}
		return true;
	default:
		return false;
	}
}

/* Addresses are judged first; beyond that, any rule broken may be the one named. */
static inline bool model_allows(const unsigned char *wire, size_t used, uint64_t guest,
				enum glass_vsock_reason reason)
{
	if (!model_is(wire, used, guest, reason))
		return false;
	if (used < 44 || reason == GLASS_VSOCK_R_BAD_SOURCE)
		return true;
	if (model_is(wire, used, guest, GLASS_VSOCK_R_BAD_SOURCE))
		return false;
	return reason == GLASS_VSOCK_R_BAD_DESTINATION ||
	       !model_is(wire, used, guest, GLASS_VSOCK_R_BAD_DESTINATION);
}

#endif

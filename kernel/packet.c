// SPDX-License-Identifier: GPL-2.0-only
/* Encode, decode and judge the header of a packet. */

#ifdef __KERNEL__
#include <linux/string.h>
#include <linux/virtio_vsock.h>
#include <linux/vm_sockets.h>
#else
#include <endian.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/virtio_vsock.h>
#include <linux/vm_sockets.h>
#define cpu_to_le16	htole16
#define cpu_to_le32	htole32
#define cpu_to_le64	htole64
#define le16_to_cpu	le16toh
#define le32_to_cpu	le32toh
#define le64_to_cpu	le64toh
#endif

#include "packet.h"

_Static_assert(sizeof(struct virtio_vsock_hdr) == GLASS_HDR_LEN,
	       "the wire header is 44 bytes");

void glass_hdr_encode(const struct glass_vsock_hdr *hdr, void *wire)
{
	const struct virtio_vsock_hdr w = {
		.src_cid = cpu_to_le64(hdr->src_cid),
		.dst_cid = cpu_to_le64(hdr->dst_cid),
		.src_port = cpu_to_le32(hdr->src_port),
		.dst_port = cpu_to_le32(hdr->dst_port),
		.len = cpu_to_le32(hdr->len),
		.type = cpu_to_le16(hdr->type),
		.op = cpu_to_le16(hdr->op),
		.flags = cpu_to_le32(hdr->flags),
		.buf_alloc = cpu_to_le32(hdr->buf_alloc),
		.fwd_cnt = cpu_to_le32(hdr->fwd_cnt),
	};

	memcpy(wire, &w, sizeof(w));
}

void glass_hdr_decode(const void *wire, struct glass_vsock_hdr *hdr)
{
	struct virtio_vsock_hdr w;

	memcpy(&w, wire, sizeof(w));
	hdr->src_cid = le64_to_cpu(w.src_cid);
	hdr->dst_cid = le64_to_cpu(w.dst_cid);
	hdr->src_port = le32_to_cpu(w.src_port);
	hdr->dst_port = le32_to_cpu(w.dst_port);
	hdr->len = le32_to_cpu(w.len);
	hdr->type = le16_to_cpu(w.type);
	hdr->op = le16_to_cpu(w.op);
	hdr->flags = le32_to_cpu(w.flags);
	hdr->buf_alloc = le32_to_cpu(w.buf_alloc);
	hdr->fwd_cnt = le32_to_cpu(w.fwd_cnt);
}

/*
 * The upper half of a CID is reserved and zero (section 5.10.4).  A packet
 * that claims to come from this guest itself would pass for local delivery,
 * which programs trust more than the host.
 */
static enum glass_vsock_reason check_addresses(const struct glass_vsock_hdr *hdr,
					       __u64 guest_cid)
{
	if (hdr->src_cid >= VMADDR_CID_ANY || hdr->src_cid == guest_cid ||
	    hdr->src_cid == VMADDR_CID_LOCAL ||
	    hdr->src_port == VMADDR_PORT_ANY)
		return GLASS_VSOCK_R_BAD_SOURCE;
	if (hdr->dst_cid != guest_cid || hdr->dst_port == VMADDR_PORT_ANY)
		return GLASS_VSOCK_R_BAD_DESTINATION;
	return GLASS_VSOCK_R_NONE;
}

/* Flags mean something for SHUTDOWN and for messages only; elsewhere ignore. */
static enum glass_vsock_reason check_flags(const struct glass_vsock_hdr *hdr)
{
	if (hdr->op == GLASS_VSOCK_OP_SHUTDOWN &&
	    (!hdr->flags || hdr->flags & ~GLASS_SHUTDOWN_BOTH))
		return GLASS_VSOCK_R_BAD_FLAGS;
	if (hdr->op == GLASS_VSOCK_OP_RW &&
	    hdr->type == GLASS_TYPE_SEQPACKET &&
	    hdr->flags & ~(GLASS_SEQ_EOM | GLASS_SEQ_EOR))
		return GLASS_VSOCK_R_BAD_FLAGS;
	return GLASS_VSOCK_R_NONE;
}

enum glass_vsock_reason glass_packet_parse(const void *buf, size_t used,
					   __u64 guest_cid, unsigned int types,
					   struct glass_vsock_hdr *hdr)
{
	enum glass_vsock_reason reason;

	if (used < GLASS_HDR_LEN)
		return GLASS_VSOCK_R_SHORT_HEADER;
	glass_hdr_decode(buf, hdr);

	reason = check_addresses(hdr, guest_cid);
	if (reason)
		return reason;
	if (hdr->type > GLASS_TYPE_SEQPACKET || !(types & 1U << hdr->type))
		return GLASS_VSOCK_R_BAD_TYPE;
	if (hdr->op == GLASS_VSOCK_OP_INVALID || hdr->op >= GLASS_VSOCK_OP_MAX)
		return GLASS_VSOCK_R_BAD_OP;
	if (hdr->len > used - GLASS_HDR_LEN ||
	    (hdr->len && hdr->op != GLASS_VSOCK_OP_RW))
		return GLASS_VSOCK_R_BAD_LENGTH;
	return check_flags(hdr);
}

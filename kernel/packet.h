/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wire format of a packet: virtio 1.2, section 5.10.6.
 *
 * Pure: no kernel state, no locks, may be called from any context.  Builds in
 * user space, where the unit tests and the fuzzer use it.
 */
#ifndef GLASS_PACKET_H
#define GLASS_PACKET_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stddef.h>
#endif
#include <glass_vsock.h>

#define GLASS_HDR_LEN		44	/* bytes of a header on the wire */

#define GLASS_TYPE_STREAM	1
#define GLASS_TYPE_SEQPACKET	2

/* A set of types: bit N is for type N. */
#define GLASS_TYPES_ALL							\
	(1U << GLASS_TYPE_STREAM | 1U << GLASS_TYPE_SEQPACKET)

#define GLASS_SHUTDOWN_RCV	1	/* flags of SHUTDOWN: section 5.10.6.5 */
#define GLASS_SHUTDOWN_SEND	2
#define GLASS_SHUTDOWN_BOTH	(GLASS_SHUTDOWN_RCV | GLASS_SHUTDOWN_SEND)

#define GLASS_SEQ_EOM		1	/* flags of RW in SEQPACKET: 5.10.6.6 */
#define GLASS_SEQ_EOR		2

/* Write @hdr as GLASS_HDR_LEN bytes at @wire, which need not be aligned. */
void glass_hdr_encode(const struct glass_vsock_hdr *hdr, void *wire);

/* Read @hdr from GLASS_HDR_LEN bytes at @wire, which need not be aligned. */
void glass_hdr_decode(const void *wire, struct glass_vsock_hdr *hdr);

/**
 * glass_packet_parse - decode and judge a packet that a device delivered
 * @buf: private memory, at least GLASS_HDR_LEN bytes: the header, copied out of
 *	 what the device can write to
 * @used: bytes that the device says it wrote, header and payload
 * @guest_cid: this guest's CID
 * @types: the types that the device carries
 * @hdr: filled in, unless the header is short
 *
 * The payload itself is not looked at.  Returns GLASS_VSOCK_R_NONE for a packet
 * that may go to a socket, else the rule it breaks.  Addresses are judged
 * first: only a packet with credible ones (any other reason) may be answered.
 */
enum glass_vsock_reason glass_packet_parse(const void *buf, size_t used,
					   __u64 guest_cid, unsigned int types,
					   struct glass_vsock_hdr *hdr);

#endif /* GLASS_PACKET_H */

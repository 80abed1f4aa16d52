// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: what a device delivers, as 8 bytes of guest CID, 2 of
 * payload length and the header.  The mutator makes its own first input.
 */
#include <stdlib.h>
#include <string.h>

#include "packet.h"
#include "packet_model.h"

#define PREFIX	10	/* CID and length */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static void need(bool property)
{
	if (!property)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct glass_vsock_hdr hdr;
	unsigned char again[GLASS_HDR_LEN];
	enum glass_vsock_reason reason;
	size_t header, used;
	uint64_t guest;
	void *wire;

	if (size < PREFIX || size > PREFIX + GLASS_HDR_LEN)
		return -1;
	guest = model_field(data, 0, 8);
	header = size - PREFIX;
	used = header < GLASS_HDR_LEN ? header : header + model_field(data, 8, 2);

	/* As many bytes as there are: a sanitizer sees a read beyond them. */
	wire = malloc(header);
	memcpy(wire, data + PREFIX, header);
	reason = glass_packet_parse(wire, used, guest, GLASS_TYPES_ALL, &hdr);
	need(!memcmp(wire, data + PREFIX, header));
	need(model_allows(wire, used, guest, reason));
	if (used >= GLASS_HDR_LEN) {
		glass_hdr_encode(&hdr, again);
		need(!memcmp(again, wire, GLASS_HDR_LEN));
		need(glass_packet_parse(again, used, guest, GLASS_TYPES_ALL, &hdr) == reason);
	}
	free(wire);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	const struct glass_vsock_hdr good = {
		.src_cid = 2, .dst_cid = 3, .src_port = 1, .dst_port = 1, .len = seed % 3,
		.type = 1 + seed / 8 % 2, .op = 1 + seed / 64 % 7, .flags = seed % 2,
	};

	if (size < PREFIX || seed % 16 == 0) {
		if (max_size < PREFIX + GLASS_HDR_LEN)
			return 0;
		memset(data, 0, PREFIX);
		data[0] = 3;
		data[8] = 2;
		glass_hdr_encode(&good, data + PREFIX);
		size = PREFIX + GLASS_HDR_LEN;
	}
	if (max_size > PREFIX + GLASS_HDR_LEN)
		max_size = PREFIX + GLASS_HDR_LEN;
	return LLVMFuzzerMutate(data, size, max_size);
}

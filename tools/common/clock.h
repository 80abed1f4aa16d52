/* SPDX-License-Identifier: GPL-2.0-only */
/* The time of day of moments that the kernel dates by CLOCK_MONOTONIC. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

/* CLOCK_REALTIME less CLOCK_MONOTONIC, and by how much that may be wrong; zeros to begin with. */
struct clock_offset {
	int64_t ns;
	int64_t slack_ns;
};

/* Reads a clock, in ns. */
typedef int64_t clock_reader(clockid_t clock);
clock_reader clock_read;

/*
 * The offset as it is now. It stays what it was until the clock is set: moments
 * keep their distances, however roughly the clocks can be compared.
 */
int64_t clock_offset_now(struct clock_offset *offset, clock_reader *read);

#endif

// SPDX-License-Identifier: GPL-2.0-only
#include "common/clock.h"

#include <stdlib.h>

#define SEC	INT64_C(1000000000)
#define TRIES	5

int64_t clock_read(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * SEC + now.tv_nsec;
}

/* Other processes may run between two readings: the time of day is that of a moment between. */
static struct clock_offset compare(clock_reader *read)
{
	int64_t before = read(CLOCK_MONOTONIC);
	int64_t now = read(CLOCK_REALTIME);
	int64_t after = read(CLOCK_MONOTONIC);
	int64_t half = (after - before) / 2;

	/* And one for what these divisions, the clock's too, leave over. */
	return (struct clock_offset){ .ns = now - before - half, .slack_ns = half + 1 };
}

static struct clock_offset compare_well(clock_reader *read)
{
	struct clock_offset best = compare(read);

	for (int i = 1; i < TRIES; i++) {
		struct clock_offset again = compare(read);

		if (again.slack_ns < best.slack_ns)
			best = again;
	}
	return best;
}

int64_t clock_offset_now(struct clock_offset *offset, clock_reader *read)
{
	struct clock_offset seen = compare(read);

	if (llabs(seen.ns - offset->ns) > seen.slack_ns + offset->slack_ns)
		*offset = compare_well(read);
	return offset->ns;
}

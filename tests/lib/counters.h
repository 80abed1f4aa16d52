/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/net/glass_vsock, in a test: skips it where the driver is another. */
#ifndef TESTS_LIB_COUNTERS_H
#define TESTS_LIB_COUNTERS_H

struct counters {
	char text[16384];
};

void counters_read(struct counters *counters);

/* Ends the test when there is no such line. */
unsigned long long counters_get(const struct counters *counters, const char *name);
long long counters_diff(const struct counters *before, const struct counters *after,
			const char *name);

#endif

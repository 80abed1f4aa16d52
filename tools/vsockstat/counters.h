/* SPDX-License-Identifier: GPL-2.0-only */
/* The driver's counters, as /proc/net/glass_vsock tells them. */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "table.h"

#define COUNTERS_FILE	"/proc/net/glass_vsock"

struct counter {
	char name[64];
	uint64_t value;
};

/* Rows are struct counter. */
extern const struct view counters_view;

/*
 * The counters in the driver's order, zeros left out unless @zeros; free() the list.
 * A malformed line of @file ends the program.
 */
struct counter *counters_parse(FILE *file, bool zeros, size_t *count);

#endif

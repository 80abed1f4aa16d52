/* SPDX-License-Identifier: GPL-2.0-only */
/* The tools at work in a guest, as root, with the driver: a table of tests for each concern. */
#ifndef TESTS_TOOLS_GUEST_H
#define TESTS_TOOLS_GUEST_H

#include "run.h"

/* The device drops what is sent to a CID that is nobody's. */
#define SILENT_CID	77

extern const struct test missing_tests[];	/* these unload the driver for a while */
extern const struct test stat_tests[];
extern const struct test trace_tests[];
extern const struct test contract_tests[];

#endif

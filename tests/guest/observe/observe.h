/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be seen, and ended, from outside of a socket's program. */
#ifndef TESTS_GUEST_OBSERVE_H
#define TESTS_GUEST_OBSERVE_H

#include "run.h"

extern const struct test capture_tests[];
extern const struct test cost_tests[];
extern const struct test diag_tests[];
extern const struct test destroy_tests[];
extern const struct test info_tests[];

#endif

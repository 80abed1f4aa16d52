/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests of the driver's pure code, in user space. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include "run.h"

extern const struct test packet_tests[];
extern const struct test credit_tests[];

#endif

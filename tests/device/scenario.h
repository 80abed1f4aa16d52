/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_DEVICE_SCENARIO_H
#define TESTS_DEVICE_SCENARIO_H

#include "vsock.h"

/* By port, or by name; NULL if there is none. */
const struct scenario *scenario_of(uint32_t port);
const struct scenario *scenario_named(const char *name);

#endif

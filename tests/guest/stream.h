/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_GUEST_STREAM_H
#define TESTS_GUEST_STREAM_H

#define STREAM_SEED	64	/* of what tests/guest/stream sends and expects */

#endif

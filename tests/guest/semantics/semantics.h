/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The semantics of the family, a table of tests for each concern.  A row()
 * whose first argument is NULL is one that the design leaves open: it is
 * recorded, and compared with stock's answer only.
 */
#ifndef TESTS_GUEST_SEMANTICS_H
#define TESTS_GUEST_SEMANTICS_H

#include "run.h"

extern unsigned int cid;	/* where this guest reaches itself: 1 or its own */

/* Kill a process that sleeps in LAST(fd) or after it. It alone has FD then, and it does not have OTHER (-1: none). */
void killed_in(void (*last)(int fd), int fd, int other);

extern const struct test create_tests[];
extern const struct test bind_tests[];
extern const struct test option_tests[];
extern const struct test ioctl_tests[];

/* Run for each local CID. */
extern const struct test connect_tests[];
extern const struct test accept_tests[];
extern const struct test stream_tests[];
extern const struct test message_tests[];
extern const struct test pages_tests[];
extern const struct test uring_tests[];
extern const struct test receive_tests[];
extern const struct test credit_tests[];
extern const struct test shutdown_tests[];
extern const struct test poll_tests[];
extern const struct test epoll_tests[];
extern const struct test life_tests[];
extern const struct test counter_tests[];

/* With a host: see tests/interop/peer.h. */
extern const struct test device_tests[];
extern const struct test device_pages_tests[];
extern const struct test no_answer_tests[];
extern const struct test no_device_tests[];

#endif

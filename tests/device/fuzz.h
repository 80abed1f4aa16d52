/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_DEVICE_FUZZ_H
#define TESTS_DEVICE_FUZZ_H

#include "vsock.h"

/*
 * Now and then break a packet that is about to leave, or send another one
 * before it, as the session's generator says.  False: it does not leave.
 */
bool fuzz_packet(struct session *s, struct packet *p);

#endif

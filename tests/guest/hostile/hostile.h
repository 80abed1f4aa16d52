/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that misbehaves (tests/device), seen from the guest.  Each test is
 * named as its scenario; beside each goes a connection that has nothing to do
 * with it, and has to go on.
 */
#ifndef TESTS_GUEST_HOSTILE_H
#define TESTS_GUEST_HOSTILE_H

#include <stdint.h>

#include "../../device/scenarios.h"
#include "counters.h"
#include "glass_vsock.h"
#include "run.h"

/* Opens the connection beside; of every suite whose device stays whole. */
void open_beside(void);
/* It sends and receives, behind all that the device sent. */
void beside_goes_on(void);
/* So does a new one, too. */
void others_go_on(void);

/* The name of the test that runs, and its port. */
const char *scenario(void);
enum scenario_port scenario_port(void);

/* A connection to a port of the device's. */
int device(enum scenario_port port);
/* To the scenario's, of TYPE; with a buffer of SIZE bytes unless 0. */
int victim(int type, unsigned long long size);

struct glass_vsock_info socket_info(int fd);

/* Send one byte to an echo, and get it back. */
void round_trip(int fd);

/* Note that the scenario counted TIMES in COUNTER, since BEFORE. */
void recorded(const struct counters *before, const char *counter, long long times);
/* And what came of it, for those who use the connection. */
void ended_as(const char *want, const char *seen);

/* Both ends of a connection within the guest send and receive. */
void local_goes_on(void);

extern const struct test connect_tests[];
extern const struct test violation_tests[];
extern const struct test listener_tests[];
extern const struct test credit_tests[];
extern const struct test memory_tests[];
extern const struct test ring_tests[];
extern const struct test gone_tests[];

#endif

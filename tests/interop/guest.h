/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guests that take shell commands from a test, one after the other.  Whatever
 * a guest does not do or say as expected ends the test.
 */
#ifndef TESTS_INTEROP_GUEST_H
#define TESTS_INTEROP_GUEST_H

#include <sys/types.h>

struct guest {
	int in, out;
	char line[256];		/* that it said last */
};

/* fork(); the child gets SIGNAL when this process ends. */
pid_t child(int signal);

/*
 * Prepare tests/vm/vm with SETTINGS ("A=B", up to a NULL) in its environment.
 * It boots at the first guest_fresh(), and ends with this process at the latest.
 */
void guest_prepare(struct guest *guest, const char *const settings[]);

/* Boot if need be, and leave behind what other tests' commands had to say. */
void guest_fresh(struct guest *guest);

/* Start a command; its standard input is empty. */
void guest_do(struct guest *guest, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The command's next line of output that contains TEXT. */
const char *guest_says(struct guest *guest, const char *text);

/* Wait for the command's end, and success. */
void guest_done(struct guest *guest);

/* Turn it off.  Fails if its kernel had complained of anything. */
void guest_end(struct guest *guest);

#endif

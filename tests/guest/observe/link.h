/* SPDX-License-Identifier: GPL-2.0-only */
/* Capture interfaces, by the commands that people use. */
#ifndef TESTS_GUEST_OBSERVE_LINK_H
#define TESTS_GUEST_OBSERVE_LINK_H

#define LINK	"vsockmon0"

/* What the last command said, on either stream. */
extern char said[65536];

/* The command's exit status. */
int run(const char *command);
/* These end the test when they fail. */
void must_run(const char *command);
void link_add(const char *name);	/* a new one, which is up */
unsigned long link_count(const char *statistic);	/* of LINK */

#endif

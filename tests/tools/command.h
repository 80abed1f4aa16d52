/* SPDX-License-Identifier: GPL-2.0-only */
/* Running the tools, in the background or to their end, and what they print. */
#ifndef TESTS_TOOLS_COMMAND_H
#define TESTS_TOOLS_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

/* The descriptor that --ready-fd is to name; above those that a test has open. */
#define READY_FD	"200"

#define ARGS(...)	((const char *const[]){ __VA_ARGS__, NULL })

struct command {
	const char *const *args;	/* args[0] is the tool's name */
	bool as_nobody;
	int stdout_fd;			/* 0: kept for struct output; -1: closed */
	int ignored;			/* a signal, or 0 */

	pid_t pid;
	int out, err, ready;
};

struct output {
	int status;			/* -1: killed by a signal */
	char *out, *err;
};

/* These end the test when they fail. */
void command_start(struct command *command);
void command_ready(struct command *command);		/* until it has written to READY_FD */
struct output command_end(struct command *command);	/* waits for it */
struct output command_stop(struct command *command, int signal);

/* fork() into PID and mount namespaces of its own, with a /proc; ends the test when it fails. */
pid_t fork_container(void);

struct output run_command(const char *const *args);
json_t *run_json(const char *const *args);

/* The one object of an array whose FIELD is VALUE; NULL when it is not exactly one. */
json_t *find_object(json_t *array, const char *field, json_int_t value);

/* A number of an object; ends the test if that is not what it is. */
json_int_t number(json_t *object, const char *field);
const char *string(json_t *object, const char *field);
bool is_null(json_t *object, const char *field);

#endif

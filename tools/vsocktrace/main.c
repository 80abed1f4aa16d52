// SPDX-License-Identifier: GPL-2.0-only
/* vsocktrace: what happens on vsock, as it happens. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "common/bpf.h"
#include "common/driver.h"

#define PROGRAM	"vsocktrace"

const char *argp_program_version = DRIVER_VERSION(PROGRAM);

struct command {
	const char *name;
	const char *help;
	int (*main)(int argc, char **argv);
};

static const struct command commands[] = {
	{ "connect", "each connect: who, where to, its result and how long it took", connect_main },
	{}
};

struct call {
	const struct command *command;
	int at;				/* its place among the arguments */
};

static void choose_command(const char *name, struct argp_state *state)
{
	struct call *call = state->input;

	for (const struct command *command = commands; command->name; command++) {
		if (strcmp(command->name, name))
			continue;
		call->command = command;
		call->at = state->next - 1;
		/* The rest is for the command to parse. */
		state->next = state->argc;
		return;
	}
	argp_error(state, "unknown command '%s'; --help lists them all", name);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		choose_command(arg, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a command is missing; --help lists them all");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static char *help_filter(int key, const char *text, void *input)
{
	char *help = NULL;
	size_t size;
	FILE *out;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC || !(out = open_memstream(&help, &size)))
		return (char *)text;
	fputs("Commands:\n", out);
	for (const struct command *command = commands; command->name; command++)
		fprintf(out, "  %-10s %s\n", command->name, command->help);
	fputs("\n'" PROGRAM " COMMAND --help' tells a command's options.", out);
	return fclose(out) ? (char *)text : help;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse_option,
		.args_doc = "COMMAND [OPTION...]",
		.doc = "Prints what happens on this machine's vsock sockets, as the glass_vsock"
		       " driver tells it.\v ",
		.help_filter = help_filter,
	};
	struct call call = {};
	char name[32];

	argp_err_exit_status = 2;
	bpf_set_verbose(false);
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &call);

	snprintf(name, sizeof(name), PROGRAM " %s", call.command->name);
	argv[call.at] = name;
	return call.command->main(argc - call.at, argv + call.at);
}

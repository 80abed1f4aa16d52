// SPDX-License-Identifier: GPL-2.0-only
/* vsockstat: the vsock sockets and counters there are now. */
#include <argp.h>
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "common/bpf.h"
#include "common/driver.h"
#include "counters.h"
#include "owners.h"
#include "sockets.h"
#include "table.h"

#define PROGRAM	"vsockstat"

const char *argp_program_version = DRIVER_VERSION(PROGRAM);

struct mode {
	int key;
	const struct view *view;
	uint32_t states;		/* 0: not a list of sockets */
};

static const struct mode modes[] = {
	{ 'c', &connections_view, SOCKETS_CONNECTIONS },
	{ 'l', &listeners_view, SOCKETS_LISTENERS },
	{ 'a', &sockets_view, SOCKETS_ALL },
	{ 's', &counters_view, 0 },
	{}
};

struct options {
	const struct mode *mode;
	struct table_options table;
	bool zeros;
};

static const struct argp_option argp_options[] = {
	{ .doc = "What to show:", .group = 1 },
	{ "connections", 'c', .group = 1,
	  .doc = "Connections, also those being made or closed (the default)" },
	{ "listeners", 'l', .doc = "Listening sockets", .group = 1 },
	{ "all", 'a', .doc = "All sockets, unconnected and unbound ones too", .group = 1 },
	{ "counters", 's', .doc = "The driver's counters, those that are not zero", .group = 1 },
	{ "zero", 'z', .doc = "With --counters, the zeros too", .group = 1 },

	{ .doc = "How to show it:", .group = 2 },
	{ "json", 'J', .group = 2,
	  .doc = "JSON, with all columns (and counters) unless --output chooses" },
	{ "noheadings", 'n', .doc = "No line of column names", .group = 2 },
	{ "output", 'o', "LIST", .group = 2,
	  .doc = "Only these columns (NAME,NAME...); +LIST adds to the usual ones" },
	{ "output-all", 'O', .doc = "All columns", .group = 2 },
	{ "verbose", 'v', .doc = "Show libbpf's messages", .group = 2 },

	{ .doc = "Help:", .group = -1 },
	{}
};

static void choose_mode(int key, struct argp_state *state)
{
	struct options *options = state->input;
	const struct mode *mode = modes;

	while (mode->key != key)
		mode++;
	if (options->mode && options->mode != mode)
		argp_error(state, "-c, -l, -a and -s exclude each other");
	options->mode = mode;
}

static void check_options(struct argp_state *state)
{
	struct options *options = state->input;
	const char *unknown = NULL;
	int len;

	if (!options->mode)
		options->mode = &modes[0];
	if (options->zeros && options->mode->states)
		argp_error(state, "--zero goes with --counters only");
	if (options->table.output)
		unknown = table_unknown_column(options->mode->view, options->table.output, &len);
	if (unknown)
		argp_error(state, "unknown column '%.*s'; --help lists them all", len, unknown);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'c':
	case 'l':
	case 'a':
	case 's':
		choose_mode(key, state);
		return 0;
	case 'z':
		options->zeros = true;
		return 0;
	case 'J':
		options->table.json = true;
		return 0;
	case 'n':
		options->table.no_headings = true;
		return 0;
	case 'o':
		options->table.output = arg;
		return 0;
	case 'O':
		options->table.output_all = true;
		return 0;
	case 'v':
		bpf_set_verbose(true);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'", arg);
		return 0;
	case ARGP_KEY_END:
		check_options(state);
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

	if (key != ARGP_KEY_HELP_POST_DOC || !(out = open_memstream(&help, &size)))
		return (char *)text;
	fputs("Columns of sockets:\n", out);
	table_help(&sockets_view, out);
	fputs("\nColumns of counters:\n", out);
	table_help(&counters_view, out);
	fputs("\nExamples:\n"
	      "  vsockstat                          connections and their credit\n"
	      "  vsockstat -o +IDLE,TX_IN_FLIGHT    the same with two more columns\n"
	      "  vsockstat -s                       what the driver has counted\n"
	      "  vsockstat -J | jq '.connections[] | select(.tx_free==0 and .tx_window>0)'\n", out);
	return fclose(out) ? (char *)text : help;
}

static void show_counters(const struct options *options)
{
	struct counter *counters;
	size_t count;
	FILE *file;

	driver_require_glass();
	file = fopen(COUNTERS_FILE, "re");
	if (!file && errno == ENOENT)
		errx(EXIT_FAILURE, "the counters are in the initial network namespace: run this"
		     " there (nsenter -t 1 -n vsockstat -s)");
	if (!file)
		err(EXIT_FAILURE, "cannot read counters from %s", COUNTERS_FILE);
	counters = counters_parse(file, options->zeros || options->table.json, &count);
	fclose(file);

	table_print(&counters_view, &options->table, counters, count);
	free(counters);
}

static bool shows_owners(const struct options *options)
{
	const struct view *view = options->mode->view;

	return table_shows(view, &options->table, "PROCESS") ||
	       table_shows(view, &options->table, "PID") ||
	       table_shows(view, &options->table, "COMMAND");
}

static void show_sockets(const struct options *options)
{
	struct owners owners = {};
	struct socket *sockets;
	size_t count;

	driver_require_any();
	sockets = sockets_read(options->mode->states, &count);
	if (count && shows_owners(options))
		owners_read(&owners);
	for (size_t i = 0; i < count; i++)
		sockets[i].owners = owners_find(&owners, sockets[i].msg.vdiag_ino,
						&sockets[i].owner_count);

	table_print(options->mode->view, &options->table, sockets, count);
	free(owners.list);
	free(sockets);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.doc = "Shows this machine's vsock sockets, with their credit windows and owners,"
		       " or the counters of the glass_vsock driver.\v ",
		.help_filter = help_filter,
	};
	struct options options = {};

	argp_err_exit_status = 2;
	bpf_set_verbose(false);
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	if (options.mode->states)
		show_sockets(&options);
	else
		show_counters(&options);

	if (fflush(stdout) || ferror(stdout))
		err(EXIT_FAILURE, "cannot write");
	return EXIT_SUCCESS;
}

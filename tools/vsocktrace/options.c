// SPDX-License-Identifier: GPL-2.0-only
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/bpf.h"

#define SEC	UINT64_C(1000000000)
#define LONGEST	(UINT64_C(1) << 62)	/* ns: 146 years */

enum { KEY_DURATION = 256, KEY_READY_FD };

static const struct argp_option argp_options[] = {
	{ "json", 'J', .doc = "One JSON object a line" },
	{ "verbose", 'v', .doc = "Show libbpf's messages" },
	{ "pid", 'p', "PID", .doc = "Only this process" },
	{ "duration", KEY_DURATION, "SEC", .doc = "Stop after so many seconds" },
	{ "ready-fd", KEY_READY_FD, "FD",
	  .doc = "When tracing has begun, write a line to this file descriptor and close it" },
	{}
};

uint64_t trace_parse_time(struct argp_state *state, const char *name, const char *text,
			  const char *unit, uint64_t unit_ns)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0))
		argp_error(state, "%s takes a number of %s, not '%s'", name, unit, text);
	if (value * unit_ns > LONGEST)
		argp_error(state, "%s takes at most %" PRIu64 " %s, not '%s'", name,
			   LONGEST / unit_ns, unit, text);
	return value * unit_ns;
}

static long parse_number(struct argp_state *state, const char *name, const char *text, long least)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < least || value > INT32_MAX)
		argp_error(state, "%s takes a whole number from %ld up, not '%s'", name, least,
			   text);
	return value;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct trace_options *options = state->input;

	switch (key) {
	case 'J':
		options->json = true;
		return 0;
	case 'v':
		bpf_set_verbose(true);
		return 0;
	case 'p':
		options->pid = parse_number(state, "--pid", arg, 1);
		return 0;
	case KEY_DURATION:
		options->duration_ns = trace_parse_time(state, "--duration", arg, "seconds", SEC);
		if (!options->duration_ns)
			argp_error(state, "--duration has to be more than zero");
		return 0;
	case KEY_READY_FD:
		options->ready_fd = parse_number(state, "--ready-fd", arg, 0);
		if (fcntl(options->ready_fd, F_GETFD) < 0)
			argp_error(state, "--ready-fd: file descriptor %s is not open", arg);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp trace_argp = { .options = argp_options, .parser = parse_option };

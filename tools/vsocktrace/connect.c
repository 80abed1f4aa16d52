// SPDX-License-Identifier: GPL-2.0-only
/* vsocktrace connect: how each connect went, and how long it took. */
#include <argp.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/connect.h"
#include "commands.h"
#include "common/bpf.h"
#include "common/driver.h"
#include "common/format.h"
#include "connect.skel.h"
#include "trace.h"

#define MSEC		UINT64_C(1000000)

/* COMMAND(PID); the PID is - for a process of another namespace. */
#define PROCESS_LEN	(CONNECT_COMM_LEN + sizeof("(4294967295)"))

enum { KEY_MIN_MS = 1 };

struct options {
	struct trace_options trace;
	uint64_t min_duration_ns;
};

static const struct argp_option argp_options[] = {
	{ "min-ms", KEY_MIN_MS, "N",
	  .doc = "Only connects that took at least so many milliseconds" },
	{}
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->trace;
		return 0;
	case KEY_MIN_MS:
		options->min_duration_ns =
			trace_parse_time(state, "--min-ms", arg, "milliseconds", MSEC);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = { { .argp = &trace_argp }, {} };

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_option,
	.children = children,
	.doc = "Prints a line for each connect that has ended: when, whose, from where to where,"
	       " its result and how long it took.\v"
	       "Examples:\n"
	       "  vsocktrace connect                  every connect, until Ctrl-C\n"
	       "  vsocktrace connect --min-ms 100     slow ones only\n"
	       "  vsocktrace connect -p 4321 --json   those of one process, as JSON",
};

static const char header[] = "TIME            PROCESS                  LOCAL            "
			     "PEER             RESULT        LATENCY(ms)";

static void print(const void *data)
{
	const struct connect_event *event = data;
	char time[TRACE_TIME_LEN], process[PROCESS_LEN] = "-", comm[CONNECT_COMM_LEN];
	char local[FORMAT_ADDRESS_LEN], peer[FORMAT_ADDRESS_LEN], result[FORMAT_ERROR_LEN];
	uint64_t us = event->duration_ns / 1000;

	memcpy(comm, event->comm, sizeof(comm));
	if (event->pid)
		snprintf(process, sizeof(process), "%s(%u)", format_comm(comm), event->pid);
	else if (event->known)
		snprintf(process, sizeof(process), "%s(-)", format_comm(comm));
	printf("%s %-24s %-16s %-16s %-13s %7" PRIu64 ".%03" PRIu64 "\n",
	       trace_time(time, event->end_ns, false), process,
	       format_address(local, event->local_cid, event->local_port),
	       format_address(peer, event->peer_cid, event->peer_port),
	       format_error(result, -event->error), us / 1000, us % 1000);
}

static json_t *to_json(const void *data)
{
	const struct connect_event *event = data;
	char time[TRACE_TIME_LEN], comm[CONNECT_COMM_LEN], result[FORMAT_ERROR_LEN];

	memcpy(comm, event->comm, sizeof(comm));
	return json_pack("{ss so ss? sI sI sI sI ss si sf}",
			 "time", trace_time(time, event->end_ns, true),
			 "pid", event->pid ? json_integer(event->pid) : json_null(),
			 "command", event->known ? format_comm(comm) : NULL,
			 "local_cid", (json_int_t)event->local_cid,
			 "local_port", (json_int_t)event->local_port,
			 "peer_cid", (json_int_t)event->peer_cid,
			 "peer_port", (json_int_t)event->peer_port,
			 "result", format_error(result, -event->error),
			 "errno", -event->error,
			 "latency_ms", event->duration_ns / 1000 / 1000.0);
}

static struct connect_bpf *start(const struct options *options)
{
	struct connect_bpf *skel = connect_bpf__open();
	int error;

	if (!skel)
		bpf_fail(-errno);
	skel->rodata->pid_namespace = bpf_pid_namespace();
	skel->rodata->only_pid = options->trace.pid;
	skel->rodata->min_duration_ns = options->min_duration_ns;

	error = connect_bpf__load(skel) ?: connect_bpf__attach(skel);
	if (error)
		bpf_fail(error);
	return skel;
}

int connect_main(int argc, char **argv)
{
	struct options options = { .trace = TRACE_OPTIONS_NONE };
	struct connect_bpf *skel;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	trace_begin();
	driver_require_glass();
	bpf_require_driver_types();

	skel = start(&options);
	status = trace_run(&(struct trace){
		.options = &options.trace,
		.skeleton = skel->skeleton,
		.events = skel->maps.events,
		.lost = &skel->bss->lost,
		.header = header,
		.print = print,
		.to_json = to_json,
	});
	connect_bpf__destroy(skel);
	return status;
}

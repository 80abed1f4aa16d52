/* SPDX-License-Identifier: GPL-2.0-only */
/* What the commands of vsocktrace share: options, and waiting for events and printing them. */
#ifndef TRACE_H
#define TRACE_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include <bpf/libbpf.h>
#include <jansson.h>

struct trace_options {
	bool json;
	uint32_t pid;			/* 0: every process */
	uint64_t duration_ns;		/* 0: until stopped */
	int ready_fd;			/* -1: nobody waits for it */
};

#define TRACE_OPTIONS_NONE	{ .ready_fd = -1 }

/* A child parser, whose input is a struct trace_options. */
extern const struct argp trace_argp;

/* An option's value in ns: a number of @unit, maybe with decimals, or it is a usage error. */
uint64_t trace_parse_time(struct argp_state *state, const char *name, const char *text,
			  const char *unit, uint64_t unit_ns);

struct trace {
	const struct trace_options *options;
	struct bpf_object_skeleton *skeleton;	/* attached */
	const struct bpf_map *events;		/* its ring buffer */
	const __u64 *lost;			/* its count of events without room there */
	const char *header;			/* of the text output */
	void (*print)(const void *event);
	json_t *(*to_json)(const void *event);
};

/*
 * To be called first: checks that there is an output, and blocks the signals that end a trace, so
 * that none is missed between here and trace_run().
 */
void trace_begin(void);

/* Prints events until a signal, the end of the time, or nobody reads any more; the exit status. */
int trace_run(const struct trace *trace);

/* A moment of CLOCK_MONOTONIC in the time of day: 13:45:00.123456, or ISO 8601 for JSON. */
#define TRACE_TIME_LEN	sizeof("2026-01-01T00:00:00.000000Z")
char *trace_time(char out[TRACE_TIME_LEN], uint64_t monotonic_ns, bool json);

#endif

// SPDX-License-Identifier: GPL-2.0-only
#include "trace.h"

#include <bpf/bpf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

#define SEC	UINT64_C(1000000000)

/*
 * Events printed before looking for a reason to stop: reading a ring goes on
 * as long as there are events, which may be for ever when they come faster
 * than they can be printed.
 */
#define BATCH	1024

struct session {
	const struct trace *trace;
	int budget;
	int write_error;		/* errno of the first one */
};

char *trace_time(char out[TRACE_TIME_LEN], uint64_t monotonic_ns, bool json)
{
	static struct clock_offset offset;
	/* The clock may have been set since the last event: look each time. */
	uint64_t ns = monotonic_ns + clock_offset_now(&offset, clock_read);
	time_t sec = ns / SEC;
	struct tm tm;

	if (json)
		strftime(out, TRACE_TIME_LEN, "%FT%T", gmtime_r(&sec, &tm));
	else
		strftime(out, TRACE_TIME_LEN, "%T", localtime_r(&sec, &tm));
	sprintf(out + strlen(out), ".%06" PRIu64 "%s", ns % SEC / 1000, json ? "Z" : "");
	return out;
}

static void print_json(json_t *object)
{
	/* Fifteen digits: what a double holds of any decimal number. */
	json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
	putchar('\n');
	json_decref(object);
}

static void check_output(struct session *session)
{
	if (ferror(stdout) && !session->write_error)
		session->write_error = errno;
}

static int on_event(void *context, void *event, size_t size)
{
	struct session *session = context;

	(void)size;
	if (session->trace->options->json)
		print_json(session->trace->to_json(event));
	else
		session->trace->print(event);
	check_output(session);
	return --session->budget > 0 ? 0 : -EAGAIN;
}

static void wait_for(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		err(EXIT_FAILURE, "cannot wait for events");
}

/* Blocked signals are queued even if ignored: leave those to nohup and the shell. */
static sigset_t stop_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (!sigaction(signals[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	return set;
}

void trace_begin(void)
{
	sigset_t set = stop_signals();

	/* Or the next file that is opened would be taken for it. */
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
		errx(EXIT_FAILURE, "standard output is closed");
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int stop_timer(uint64_t after_ns)
{
	struct itimerspec when = {
		.it_value = { .tv_sec = after_ns / SEC, .tv_nsec = after_ns % SEC },
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	if (fd < 0 || timerfd_settime(fd, 0, &when, NULL))
		err(EXIT_FAILURE, "cannot set a timer");
	return fd;
}

/* Everything that can happen; all but the ring's events mean that it is time to stop. */
static int watch(struct ring_buffer *ring, const struct trace_options *options)
{
	struct epoll_event reader_gone = { .data.fd = STDOUT_FILENO };
	sigset_t set = stop_signals();
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	wait_for(epoll, ring_buffer__epoll_fd(ring), EPOLLIN);
	wait_for(epoll, signalfd(-1, &set, SFD_CLOEXEC), EPOLLIN);
	if (options->duration_ns)
		wait_for(epoll, stop_timer(options->duration_ns), EPOLLIN);
	/* A pipe's reader may go while there is nothing to write; files (EPERM) have none. */
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDOUT_FILENO, &reader_gone) && errno != EPERM)
		err(EXIT_FAILURE, "cannot wait for the output to close");
	return epoll;
}

static void flush_output(struct session *session)
{
	fflush(stdout);
	check_output(session);
}

static void say_ready(struct session *session)
{
	const struct trace_options *options = session->trace->options;

	if (!options->json)
		puts(session->trace->header);
	flush_output(session);

	if (options->ready_fd >= 0) {
		if (write(options->ready_fd, "\n", 1) < 0)
			warn("cannot write to --ready-fd %d", options->ready_fd);
		close(options->ready_fd);
	}
}

/* -EAGAIN: there may be more. */
static int read_ring(struct ring_buffer *ring, struct session *session)
{
	int result;

	session->budget = BATCH;
	result = ring_buffer__consume(ring);
	flush_output(session);
	return result;
}

/* Runs of the programs that the kernel left out, because one was running on that CPU already. */
static __u64 missed_runs(const struct bpf_object *object)
{
	struct bpf_program *program;
	__u64 missed = 0;

	bpf_object__for_each_program(program, object) {
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len))
			missed += info.recursion_misses;
	}
	return missed;
}

static void report_lost(const struct trace *trace)
{
	__u64 lost = *trace->lost + missed_runs(*trace->skeleton->obj);

	if (!lost)
		return;
	if (trace->options->json)
		print_json(json_pack("{sI}", "lost", (json_int_t)lost));
	else
		warnx("%llu events were lost: they came faster than they could be written", lost);
}

int trace_run(const struct trace *trace)
{
	struct session session = { .trace = trace };
	struct ring_buffer *ring =
		ring_buffer__new(bpf_map__fd(trace->events), on_event, &session, NULL);
	struct epoll_event event;
	int epoll;

	if (!ring)
		err(EXIT_FAILURE, "cannot read the BPF program's events");
	epoll = watch(ring, trace->options);
	say_ready(&session);

	while (!session.write_error) {
		if (epoll_wait(epoll, &event, 1, -1) != 1)
			continue;
		if (event.data.fd != ring_buffer__epoll_fd(ring))
			break;
		read_ring(ring, &session);
	}

	bpf_object__detach_skeleton(trace->skeleton);
	while (read_ring(ring, &session) == -EAGAIN)
		;
	report_lost(trace);
	flush_output(&session);
	ring_buffer__free(ring);

	if (!session.write_error || session.write_error == EPIPE)
		return EXIT_SUCCESS;
	errno = session.write_error;
	warn("cannot write");
	return EXIT_FAILURE;
}

// SPDX-License-Identifier: GPL-2.0-only
/* vsocktrace against what was really done. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "guest.h"
#include "text.h"
#include "vsock.h"

#define FLOOD	6000
#define TICK_MS	10	/* at most: a timer may run out in the midst of the last one */
#define TRACE(...) \
	ARGS("vsocktrace", "connect", "--json", "--ready-fd", READY_FD, ##__VA_ARGS__)

static struct command trace(const char *const *args)
{
	struct command command = { .args = args };

	command_start(&command);
	command_ready(&command);
	return command;
}

/* The objects that were printed, one a line. */
static json_t *objects(const char *text)
{
	json_t *list = json_array();

	for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
		json_t *object = json_loadb(text, end - text, JSON_REJECT_DUPLICATES, NULL);

		NEED(json_is_object(object));
		json_array_append_new(list, object);
	}
	CHECK_TEXT(text, "");
	return list;
}

static json_t *stop(struct command *command)
{
	struct output output = command_stop(command, SIGINT);

	CHECK_EQ(output.status, 0);
	CHECK_TEXT(output.err, "");
	return objects(output.out);
}

static double latency(json_t *event)
{
	json_t *value = json_object_get(event, "latency_ms");

	NEED(json_is_real(value));
	return json_real_value(value);
}

static void check_latency(json_t *event, double from_ms, double to_ms)
{
	CHECK(latency(event) >= from_ms && latency(event) < to_ms);
}

static void check_event(json_t *event, unsigned int cid, unsigned int port, const char *result)
{
	CHECK_EQ(number(event, "pid"), getpid());
	CHECK_TEXT(string(event, "command"), "tools_guest");
	CHECK_EQ(number(event, "peer_cid"), cid);
	CHECK_EQ(number(event, "peer_port"), port);
	CHECK_TEXT(string(event, "result"), result);
	CHECK(latency(event) > 0);
}

static void established(void)
{
	struct command command = trace(TRACE());
	double start = seconds(), took;
	struct sockaddr_vm local;
	unsigned int port;
	json_t *events, *event;

	listener(VMADDR_CID_ANY, 1, &port);
	local = local_name(connected(VMADDR_CID_LOCAL, port));
	took = seconds() - start;

	events = stop(&command);
	CHECK_EQ(json_array_size(events), 1);
	event = json_array_get(events, 0);
	check_event(event, VMADDR_CID_LOCAL, port, "OK");
	CHECK_EQ(number(event, "errno"), 0);
	CHECK_EQ(number(event, "local_cid"), local.svm_cid);
	CHECK_EQ(number(event, "local_port"), local.svm_port);
	CHECK(latency(event) < took * 1000);
}

static void refused(void)
{
	struct command command = trace(TRACE());
	unsigned int port = dead_port();
	json_t *events;

	CHECK_OUTCOME(vm_connect(stream_socket(), VMADDR_CID_LOCAL, port), "ECONNRESET");
	events = stop(&command);
	CHECK_EQ(json_array_size(events), 1);
	check_event(json_array_get(events, 0), VMADDR_CID_LOCAL, port, "ECONNRESET");
	CHECK_EQ(number(json_array_get(events, 0), "errno"), ECONNRESET);
}

/* No process runs when a connect times out. */
static void not_answered(void)
{
	int waiting = stream_socket(), polling = stream_nonblocking();
	struct command command;
	json_t *events;

	if (own_cid() == VMADDR_CID_LOCAL)
		skip("there is no device");

	command = trace(TRACE());
	set_timeout(polling, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 300);
	CHECK_OUTCOME(vm_connect(polling, SILENT_CID, 6789), "EINPROGRESS");
	NEED(ready(polling, POLLOUT, 5000));
	CHECK_EQ(socket_error(polling), ETIMEDOUT);
	set_timeout(waiting, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 100);
	CHECK_OUTCOME(vm_connect(waiting, SILENT_CID, 6790), "ETIMEDOUT");

	events = stop(&command);
	CHECK_EQ(json_array_size(events), 2);
	check_event(json_array_get(events, 0), SILENT_CID, 6789, "ETIMEDOUT");
	check_event(json_array_get(events, 1), SILENT_CID, 6790, "ETIMEDOUT");
	CHECK_EQ(number(json_array_get(events, 0), "local_cid"), own_cid());
	check_latency(json_array_get(events, 0), 300 - TICK_MS, 2000);
	check_latency(json_array_get(events, 1), 100 - TICK_MS, 2000);
}

static pid_t connect_in_child(unsigned int port)
{
	pid_t child = NEED_OK(fork());

	if (!child) {
		prctl(PR_SET_NAME, "a\033child");
		connected(VMADDR_CID_LOCAL, port);
		_exit(0);
	}
	NEED_OK(waitpid(child, NULL, 0));
	return child;
}

static void every_process(void)
{
	struct command command = trace(TRACE());
	unsigned int port;
	json_t *events;
	pid_t child;

	listener(VMADDR_CID_ANY, 2, &port);
	connected(VMADDR_CID_LOCAL, port);
	child = connect_in_child(port);
	events = stop(&command);
	CHECK_EQ(json_array_size(events), 2);
	CHECK_EQ(number(json_array_get(events, 1), "pid"), child);
	CHECK_TEXT(string(json_array_get(events, 1), "command"), "a?child");
}

static void one_process(void)
{
	struct command command;
	unsigned int port;
	char pid[16];
	json_t *events;

	snprintf(pid, sizeof(pid), "%d", getpid());
	command = trace(TRACE("-p", pid));
	listener(VMADDR_CID_ANY, 3, &port);
	connect_in_child(port);
	connected(VMADDR_CID_LOCAL, port);
	connect_in_child(port);
	events = stop(&command);
	CHECK_EQ(json_array_size(events), 1);
	CHECK_EQ(number(json_array_get(events, 0), "pid"), getpid());
}

static void take_turn(int fd)
{
	char byte;

	NEED(read(fd, &byte, 1) == 1);
}

static void give_turn(int fd)
{
	NEED(write(fd, "", 1) == 1);
}

/* PIDs are those of where vsocktrace runs: there this process is number 1. */
static void one_process_in_container(void)
{
	struct command command;
	unsigned int port;
	json_t *events;
	pid_t container = fork_container();

	if (container) {
		NEED_OK(waitpid(container, NULL, 0));
		return;
	}
	listener(VMADDR_CID_ANY, 2, &port);
	command = trace(TRACE("-p", "1"));
	connect_in_child(port);
	connected(VMADDR_CID_LOCAL, port);
	events = stop(&command);
	CHECK_EQ(json_array_size(events), 1);
	CHECK_EQ(number(json_array_get(events, 0), "pid"), 1);
	_exit(0);
}

/* From around a container its processes have PIDs, too. */
static void one_process_of_container(void)
{
	struct command command;
	unsigned int port;
	int link[2];
	json_t *events;
	pid_t container;
	char pid[16];

	listener(VMADDR_CID_ANY, 2, &port);
	NEED_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, link));
	container = fork_container();
	if (!container) {
		take_turn(link[1]);
		connect_in_child(port);
		connected(VMADDR_CID_LOCAL, port);
		_exit(0);
	}
	snprintf(pid, sizeof(pid), "%d", container);
	command = trace(TRACE("-p", pid));
	give_turn(link[0]);
	NEED_OK(waitpid(container, NULL, 0));
	events = stop(&command);
	CHECK_EQ(json_array_size(events), 1);
	CHECK_EQ(number(json_array_get(events, 0), "pid"), container);
}

/* But those outside have none in it. */
static void process_outside_container(void)
{
	struct command command;
	int link[2];
	json_t *event;
	pid_t container;

	NEED_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, link));
	container = fork_container();
	if (container) {
		take_turn(link[0]);
		vm_connect(stream_socket(), VMADDR_CID_LOCAL, dead_port());
		give_turn(link[0]);
		NEED_OK(waitpid(container, NULL, 0));
		return;
	}
	command = trace(TRACE());
	give_turn(link[1]);
	take_turn(link[1]);
	event = json_array_get(stop(&command), 0);
	CHECK(is_null(event, "pid"));
	CHECK_TEXT(string(event, "command"), "tools_guest");
	_exit(0);
}

static void only_slow_ones(void)
{
	struct command command;
	unsigned int port = dead_port();
	int late = stream_socket();
	json_t *events;

	if (own_cid() == VMADDR_CID_LOCAL)
		skip("there is no device");

	command = trace(TRACE("--min-ms", "150.5"));
	CHECK_OUTCOME(vm_connect(stream_socket(), VMADDR_CID_LOCAL, port), "ECONNRESET");
	set_timeout(late, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 200);
	CHECK_OUTCOME(vm_connect(late, SILENT_CID, 1), "ETIMEDOUT");
	events = stop(&command);
	CHECK_EQ(json_array_size(events), 1);
	CHECK_EQ(number(json_array_get(events, 0), "peer_cid"), SILENT_CID);
}

/* Its process cannot be known, but that it failed can. */
static void begun_before(void)
{
	int late = stream_nonblocking();
	struct command command;
	json_t *events;

	if (own_cid() == VMADDR_CID_LOCAL)
		skip("there is no device");

	set_timeout(late, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 20000);
	CHECK_OUTCOME(vm_connect(late, SILENT_CID, 2), "EINPROGRESS");
	command = trace(TRACE());
	close(late);
	events = stop(&command);
	if (!json_array_size(events))
		skip("closing the socket does not end its connect");
	CHECK_EQ(number(json_array_get(events, 0), "peer_port"), 2);
	CHECK(is_null(json_array_get(events, 0), "pid"));
	CHECK(is_null(json_array_get(events, 0), "command"));
}

static void for_a_while(void)
{
	struct command command = trace(TRACE("--duration", "0.4"));
	double start = seconds(), took;
	struct output output = command_end(&command);

	took = seconds() - start;
	CHECK_EQ(output.status, 0);
	CHECK_TEXT(output.out, "");
	CHECK(took > 0.2 && took < 5);
}

static void signals(void)
{
	static const int stops[] = { SIGINT, SIGTERM, SIGHUP };
	unsigned int port;

	listener(VMADDR_CID_ANY, 3, &port);
	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		struct command command = trace(TRACE());
		struct output output;

		connected(VMADDR_CID_LOCAL, port);
		output = command_stop(&command, stops[i]);
		CHECK_EQ(output.status, 0);
		CHECK_EQ(json_array_size(objects(output.out)), 1);
	}
}

static char *next_line(FILE *file)
{
	static char line[512];

	NEED(fgets(line, sizeof(line), file));
	return line;
}

/*
 * A trace whose objects are read as they come
 */

struct stream {
	struct command command;
	FILE *lines;
};

static void stream_start(struct stream *stream)
{
	int out[2];

	NEED_OK(pipe2(out, O_CLOEXEC));
	stream->command.stdout_fd = out[1];
	command_start(&stream->command);
	close(out[1]);
	stream->lines = fdopen(out[0], "r");
	command_ready(&stream->command);
}

/* Of a connect that is made for it. */
static json_t *stream_connect(struct stream *stream)
{
	json_t *event;

	vm_connect(stream_socket(), VMADDR_CID_LOCAL, dead_port());
	event = json_loads(next_line(stream->lines), JSON_REJECT_DUPLICATES, NULL);
	NEED(json_is_object(event));
	return event;
}

static void stream_stop(struct stream *stream)
{
	struct output output = command_stop(&stream->command, SIGTERM);

	CHECK_EQ(output.status, 0);
	CHECK_TEXT(output.err, "");
}

/* As nohup and shells leave them: a trace that they stopped would not make the second line. */
static void ignored_signals(void)
{
	static const int ignored[] = { SIGHUP, SIGINT };

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
		struct stream stream = {
			.command = { .args = TRACE(), .ignored = ignored[i] },
		};

		stream_start(&stream);
		NEED_OK(kill(stream.command.pid, ignored[i]));
		stream_connect(&stream);
		stream_connect(&stream);
		stream_stop(&stream);
	}
}

static double time_of_day(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static double event_time(json_t *event)
{
	struct tm tm = {};
	const char *rest = strptime(string(event, "time"), "%FT%T", &tm);

	NEED(rest && rest[0] == '.' && strlen(rest) == strlen(".123456Z"));
	return timegm(&tm) + atof(rest);
}

#define COARSE	100e-6	/* seconds: times are in whole microseconds, machines slow */

static void check_times(struct stream *stream, int count)
{
	while (count--) {
		double before = time_of_day(), at = event_time(stream_connect(stream));

		CHECK(at > before - COARSE && at < time_of_day() + COARSE);
	}
}

static void move_clock(int seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += seconds;
	NEED_OK(clock_settime(CLOCK_REALTIME, &now));
}

static void times(void)
{
	struct stream stream = { .command = { .args = TRACE() } };

	stream_start(&stream);
	check_times(&stream, 100);
	move_clock(3600);
	check_times(&stream, 2);
	move_clock(-3600);
	check_times(&stream, 2);
	stream_stop(&stream);
}

/* Whoever reads text waits for the header; then each line comes at once. */
static void text(void)
{
	struct command command = { .args = ARGS("vsocktrace", "connect") };
	char time[32], process[64], local[32], peer[32], result[32], want[64];
	unsigned int port = dead_port();
	double latency;
	int out[2];
	FILE *lines;

	NEED_OK(pipe2(out, O_CLOEXEC));
	command.stdout_fd = out[1];
	command_start(&command);
	close(out[1]);
	lines = fdopen(out[0], "r");

	CHECK_TEXT(next_line(lines), "TIME            PROCESS                  LOCAL            "
				     "PEER             RESULT        LATENCY(ms)\n");
	CHECK_OUTCOME(vm_connect(stream_socket(), VMADDR_CID_LOCAL, port), "ECONNRESET");
	CHECK_EQ(sscanf(next_line(lines), "%31s %63s %31s %31s %31s %lf\n", time, process, local,
			peer, result, &latency), 6);
	CHECK_EQ(strlen(time), strlen("12:00:00.000000"));
	snprintf(want, sizeof(want), "tools_guest(%d)", getpid());
	CHECK_TEXT(process, want);
	CHECK(!strncmp(local, "1:", 2));
	snprintf(want, sizeof(want), "1:%u", port);
	CHECK_TEXT(peer, want);
	CHECK_TEXT(result, "ECONNRESET");
	CHECK(latency > 0);
	NEED_OK(kill(command.pid, SIGKILL));
}

static void lost_pipe(void)
{
	struct command command = { .args = TRACE() };
	struct output output;
	int out[2];

	NEED_OK(pipe2(out, O_CLOEXEC));
	command.stdout_fd = out[1];
	command_start(&command);
	command_ready(&command);
	close(out[1]);
	close(out[0]);
	output = command_end(&command);
	CHECK_EQ(output.status, 0);
	CHECK_TEXT(output.err, "");
}

static void full_disk(void)
{
	struct command command = {
		.args = ARGS("vsocktrace", "connect"),
		.stdout_fd = NEED_OK(open("/dev/full", O_WRONLY)),
	};
	struct output output;

	command_start(&command);
	output = command_end(&command);
	CHECK_EQ(output.status, 1);
	CHECK_CONTAINS(output.err, "No space left");
}

/* More connects than there is room for, while the reader stands still. */
static void overflow(struct command *command)
{
	unsigned int port = dead_port();

	NEED_OK(kill(command->pid, SIGSTOP));
	for (unsigned int i = 0; i < FLOOD; i++) {
		int fd = stream_socket();

		NEED(vm_connect(fd, VMADDR_CID_LOCAL, port) < 0);
		close(fd);
	}
	NEED_OK(kill(command->pid, SIGCONT));
}

/* Each is printed or counted. */
static void lost_events(void)
{
	struct command command = trace(TRACE());
	size_t lines;
	json_t *events;

	overflow(&command);
	events = stop(&command);
	lines = json_array_size(events) - 1;
	CHECK(lines > 1000 && lines < FLOOD);
	CHECK_EQ(number(json_array_get(events, lines), "lost"), FLOOD - lines);
}

static void lost_events_as_text(void)
{
	struct command command = trace(ARGS("vsocktrace", "connect", "--ready-fd", READY_FD));
	struct output output;
	size_t lines = 0;
	char want[64];

	overflow(&command);
	output = command_stop(&command, SIGTERM);
	for (const char *c = output.out; (c = strchr(c, '\n')); c++)
		lines++;
	/* One of them is the header. */
	snprintf(want, sizeof(want), "vsocktrace: %zu events were lost", FLOOD - (lines - 1));
	CHECK_CONTAINS(output.err, want);
	CHECK_EQ(output.status, 0);
}

const struct test trace_tests[] = {
	TEST("a connect that is answered", established),
	TEST("a connect where nobody listens", refused),
	TEST("connects that are not answered", not_answered),
	TEST("all processes", every_process),
	TEST("--pid", one_process),
	TEST("--pid in a container", one_process_in_container),
	TEST("--pid of a container's process", one_process_of_container),
	TEST("a process outside of the container", process_outside_container),
	TEST("--min-ms", only_slow_ones),
	TEST("a connect begun before tracing", begun_before),
	TEST("--duration", for_a_while),
	TEST("signals", signals),
	TEST("signals that are ignored", ignored_signals),
	TEST("times", times, 90),
	TEST("text", text),
	TEST("a reader that goes away", lost_pipe),
	TEST("output that cannot be written", full_disk),
	TEST("lost events are counted", lost_events, 90),
	TEST("lost events are counted, as text", lost_events_as_text, 90),
	{}
};

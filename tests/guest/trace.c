// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints as tracefs and perf print them: for a guest with the driver
 * loaded.  What is traced goes to an instance of this program's own, so that
 * nobody else's tracing meets it.
 */
#include <fcntl.h>
#include <limits.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../interop/peer.h"
#include "data.h"
#include "run.h"
#include "vsock.h"

#define INSTANCE	"/sys/kernel/tracing/instances/glass_vsock_test"
#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/*
 * Every event of the contract, and what it prints.  Names are words: a value
 * that has none would show as a number or as "?".
 */
#define ADDRESS	"[0-9]+:[0-9]+ -> [0-9]+:[0-9]+"
#define HEADER	ADDRESS " [A-Z_]+ len=[0-9]+ type=1 flags=0x[0-9a-f]+ buf_alloc=[0-9]+ fwd_cnt=[0-9]+"
#define DIR	" (tx|rx)"
#define REASON	" reason=[a-z_]+"

static const struct event {
	const char *name, *form;
} contract[] = {
	{ "state", ADDRESS " [A-Z]+ -> [A-Z]+" REASON },
	{ "connect_start", ADDRESS },
	{ "connect_done", ADDRESS " err=-?[0-9]+ duration_ns=[0-9]+" },
	{ "accept", ADDRESS " wait_ns=[0-9]+" },
	{ "packet_tx", HEADER },
	{ "packet_tx_nosk", HEADER },
	{ "packet_tx_done", HEADER },
	{ "packet_tx_done_nosk", HEADER },
	{ "packet_rx", HEADER REASON },
	{ "packet_rx_nosk", HEADER REASON },
	{ "drop", HEADER REASON },
	{ "drop_nosk", HEADER REASON },
	{ "credit", ADDRESS DIR " free=[0-9]+ in_flight=[0-9]+ buf_alloc=[0-9]+ fwd_cnt=[0-9]+" },
	{ "timeout", ADDRESS " (connect|close|linger) set_for_ns=[0-9]+" },
	{ "reset", ADDRESS DIR REASON },
	{ "reset_nosk", HEADER DIR REASON },
	{ "transport", "[a-z]+ cid=[0-9]+" },
};

/* Both ends of a connection as they are printed. */
struct names {
	char client[64], server[64];
};

static char text[1 << 20];	/* what was traced */

static void write_to(const char *path, const char *value)
{
	int fd = NEED_OK(open(path, O_WRONLY | O_CLOEXEC));

	NEED_OK(write(fd, value, strlen(value)));
	close(fd);
}

static void start(void)
{
	/* Left by a test that died. */
	if (!access(INSTANCE, F_OK)) {
		write_to(INSTANCE "/events/enable", "0");
		NEED_OK(rmdir(INSTANCE));
	}
	NEED_OK(mkdir(INSTANCE, 0700));
	write_to(INSTANCE "/events/glass_vsock/enable", "1");
}

/* LINE is "event: what it prints". */
static void check_form(const char *line)
{
	size_t length = strcspn(line, ":");
	const struct event *event = contract;
	char form[512];
	regex_t regex;

	while (event < contract + COUNT(contract) &&
	       (strlen(event->name) != length || strncmp(event->name, line, length)))
		event++;
	if (event == contract + COUNT(contract)) {
		fail_at(__FILE__, __LINE__, false, "not an event of the contract: %s", line);
		return;
	}
	snprintf(form, sizeof(form), "^%s: %s$", event->name, event->form);
	NEED(!regcomp(&regex, form, REG_EXTENDED | REG_NOSUB));
	if (regexec(&regex, line, 0, NULL, 0))
		fail_at(__FILE__, __LINE__, false, "\"%s\" has not the form of its event", line);
	regfree(&regex);
}

/* Each is "TASK-PID [CPU] FLAGS TIME: event: what it prints". */
static unsigned int check_lines(void)
{
	char *copy = strdup(text), *rest = copy, *line;
	unsigned int lines = 0;

	while ((line = strsep(&rest, "\n"))) {
		if (!*line || *line == '#')
			continue;
		line = strstr(line, ": ");
		NEED(line != NULL);
		check_form(line + 2);
		lines++;
	}
	free(copy);
	return lines;
}

/* Ends what start() began.  Every line has to have the form of its event. */
static void stop(void)
{
	FILE *file;
	size_t used;

	write_to(INSTANCE "/events/glass_vsock/enable", "0");
	file = fopen(INSTANCE "/trace", "re");
	NEED(file != NULL);
	used = fread(text, 1, sizeof(text) - 1, file);
	text[used] = '\0';
	fclose(file);
	NEED_OK(rmdir(INSTANCE));
	NEED(used < sizeof(text) - 1);
	CHECK(check_lines() > 0);
}

/* What follows the first occurrence of a line that begins so, from AT on. */
static __attribute__((format(printf, 2, 3)))
const char *find(const char *at, const char *fmt, ...)
{
	char start[256] = ": ";
	va_list args;

	va_start(args, fmt);
	vsnprintf(start + 2, sizeof(start) - 2, fmt, args);
	va_end(args);
	at = strstr(at, start);
	return at ? at + strlen(start) : NULL;
}

/* How many lines begin so; "\n" at the end of the format ends the line. */
#define TRACED(...)							\
	({								\
		unsigned int count_ = 0;				\
									\
		for (const char *at_ = text; (at_ = find(at_, __VA_ARGS__)); )	\
			count_++;					\
		count_;							\
	})

static unsigned long payload(const char *event, const char *from, const char *to)
{
	unsigned long total = 0;

	for (const char *at = text; (at = find(at, "%s: %s -> %s RW len=", event, from, to)); )
		total += strtoul(at, NULL, 10);
	return total;
}

static void name_of(char *name, size_t size, struct sockaddr_vm addr)
{
	snprintf(name, size, "%u:%u", addr.svm_cid, addr.svm_port);
}

static struct names names_of(int client)
{
	struct names names;

	name_of(names.client, sizeof(names.client), local_name(client));
	name_of(names.server, sizeof(names.server), peer_name(client));
	return names;
}

static void listed(void)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < COUNT(contract); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/tracing/events/glass_vsock/%s/format",
			 contract[i].name);
		if (access(path, R_OK))
			fail_at(__FILE__, __LINE__, false, "there is no %s", path);
	}
}

static void check_life(const char *client, const char *server)
{
	CHECK_EQ(TRACED("connect_start: %s -> %s\n", client, server), 1);
	CHECK_EQ(TRACED("connect_done: %s -> %s err=0 duration_ns=", client, server), 1);
	CHECK_EQ(TRACED("accept: %s -> %s wait_ns=", server, client), 1);
	CHECK_EQ(TRACED("state: %s -> %s CLOSED -> CONNECTING reason=user\n", client, server), 1);
	CHECK_EQ(TRACED("state: %s -> %s CONNECTING -> ESTABLISHED reason=peer\n", client, server),
		 1);
	CHECK_EQ(TRACED("state: %s -> %s CLOSED -> ESTABLISHED reason=peer\n", server, client), 1);
	CHECK_EQ(TRACED("state: %s -> %s ESTABLISHED -> CLOSED reason=", client, server) +
		 TRACED("state: %s -> %s CLOSING -> CLOSED reason=", client, server), 1);
	CHECK_EQ(TRACED("state: %s -> %s ESTABLISHED -> CLOSED reason=", server, client) +
		 TRACED("state: %s -> %s CLOSING -> CLOSED reason=", server, client), 1);
}

static void check_packets(const char *client, const char *server, unsigned long sent)
{
	static const char *const events[] = { "packet_tx", "packet_tx_done", "packet_rx" };

	for (size_t i = 0; i < COUNT(events); i++) {
		CHECK_EQ(payload(events[i], client, server), sent);
		CHECK_EQ(payload(events[i], server, client), 0);
		CHECK_EQ(TRACED("%s: %s -> %s RESPONSE len=0 ", events[i], server, client), 1);
	}
	CHECK_EQ(TRACED("packet_tx: %s -> %s REQUEST len=0 ", client, server), 1);
	CHECK_EQ(TRACED("packet_tx_done: %s -> %s REQUEST len=0 ", client, server), 1);
	/* The listener is not yet a socket of this connection. */
	CHECK_EQ(TRACED("packet_rx_nosk: %s -> %s REQUEST len=0 ", client, server), 1);
}

static void connection(void)
{
	static char data[100000];
	unsigned long long buffer;
	struct names names;
	int fd[2];

	start();
	connected_pair(VMADDR_CID_LOCAL, fd);
	names = names_of(fd[0]);
	buffer = get_u64(fd[0], SO_VM_SOCKETS_BUFFER_SIZE);
	NEED(send_all(fd[0], data, sizeof(data)) == sizeof(data));
	NEED(recv_all(fd[1], data, sizeof(data)) == sizeof(data));
	close(fd[0]);
	close(fd[1]);
	stop();

	check_life(names.client, names.server);
	check_packets(names.client, names.server, sizeof(data));
	/* The window that the client was given, and the one that the server gave when all was read. */
	CHECK_EQ(TRACED("credit: %s -> %s tx free=%llu in_flight=0 buf_alloc=%llu fwd_cnt=0\n",
			names.client, names.server, buffer, buffer), 1);
	CHECK(TRACED("credit: %s -> %s rx free=%llu in_flight=0 buf_alloc=%llu fwd_cnt=%zu\n",
		     names.server, names.client, buffer, buffer, sizeof(data)) > 0);
	/* Whoever closes last resets what the other has closed. */
	CHECK_EQ(TRACED("reset: %s -> %s tx reason=", names.client, names.server) +
		 TRACED("reset: %s -> %s tx reason=", names.server, names.client), 1);
	CHECK_EQ(TRACED("reset: %s -> %s rx reason=peer_reset\n", names.client, names.server) +
		 TRACED("reset: %s -> %s rx reason=peer_reset\n", names.server, names.client), 1);
}

static void refused(void)
{
	unsigned int port = dead_port(), local;
	int fd = bound_socket(VMADDR_CID_ANY, &local);

	start();
	CHECK_OUTCOME(vm_connect(fd, VMADDR_CID_LOCAL, port), "ECONNRESET");
	stop();

	CHECK_EQ(TRACED("connect_start: 1:%u -> 1:%u\n", local, port), 1);
	CHECK_EQ(TRACED("connect_done: 1:%u -> 1:%u err=-104 duration_ns=", local, port), 1);
	CHECK_EQ(TRACED("reset_nosk: 1:%u -> 1:%u RST len=0 type=1 flags=0x0 buf_alloc=0 fwd_cnt=0"
			" tx reason=no_listener\n", port, local), 1);
	CHECK_EQ(TRACED("packet_tx_nosk: 1:%u -> 1:%u RST len=0 ", port, local), 1);
	CHECK_EQ(TRACED("packet_tx_done_nosk: 1:%u -> 1:%u RST len=0 ", port, local), 1);
	CHECK_EQ(TRACED("reset: 1:%u -> 1:%u rx reason=peer_reset\n", local, port), 1);
	CHECK_EQ(TRACED("state: 1:%u -> 1:%u CONNECTING -> CLOSED reason=peer_reset\n", local, port),
		 1);
}

static void timed_out(void)
{
	unsigned int own = own_cid(), port;
	int fd = bound_socket(VMADDR_CID_ANY, &port);
	char names[64];

	if (own == VMADDR_CID_LOCAL)
		skip("there is no device");
	snprintf(names, sizeof(names), "%u:%u -> %u:1234", own, port, NO_CID);
	set_timeout(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 200);
	start();
	CHECK_OUTCOME(vm_connect(fd, NO_CID, 1234), "ETIMEDOUT");
	stop();

	CHECK_EQ(TRACED("timeout: %s connect set_for_ns=200000000\n", names), 1);
	CHECK_EQ(TRACED("connect_done: %s err=-110 duration_ns=", names), 1);
	CHECK_EQ(TRACED("state: %s CONNECTING -> CLOSED reason=connect_timeout\n", names), 1);
}

/* What COMMAND says, on either stream; its exit status has to be 0. */
static void say(const char *command)
{
	FILE *pipe = popen(command, "re");
	int status;

	NEED(pipe != NULL);
	text[fread(text, 1, sizeof(text) - 1, pipe)] = '\0';
	status = pclose(pipe);
	if (status)
		fail_at(__FILE__, __LINE__, true, "\"%s\" failed: %s", command, text);
}

/* It prints the fields, by their names, and does not look names of values up. */
static void perf_trace(void)
{
	static const char *const events[] = {
		"state", "connect_start", "connect_done", "packet_tx", "packet_tx_done",
		"packet_rx", "credit",
	};
	char command[256], needle[128];
	unsigned int port;

	if (system("command -v perf >/dev/null"))
		skip("there is no perf: install the package linux-perf");
	listener(VMADDR_CID_ANY, 1, &port);
	snprintf(command, sizeof(command),
		 "perf trace -e 'glass_vsock:*' -- socat -u /dev/null VSOCK-CONNECT:1:%u 2>&1", port);
	say(command);
	for (size_t i = 0; i < COUNT(events); i++) {
		snprintf(needle, sizeof(needle), " glass_vsock:%s(", events[i]);
		if (!strstr(text, needle))
			fail_at(__FILE__, __LINE__, false, "perf trace prints no %s", events[i]);
	}
	snprintf(needle, sizeof(needle), "peer_cid: 1, peer_port: %u)", port);
	CHECK(strstr(text, needle) != NULL);
}

static const struct test trace_tests[] = {
	TEST("tracefs has every event of the contract", listed),
	TEST("a connection's events have its numbers", connection),
	TEST("connect to a dead port", refused),
	TEST("connect without an answer", timed_out),
	TEST("perf trace prints the events", perf_trace, .deadline = 120),
	{ .name = NULL },
};

static const struct suite suites[] = {
	SUITE("trace", trace_tests),
	{ .name = NULL },
};

int main(int argc, char **argv)
{
	return run_suites(argc, argv, suites);
}

// SPDX-License-Identifier: GPL-2.0-only
/* vsockstat against what was really done. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "counters.h"
#include "data.h"
#include "guest.h"
#include "text.h"
#include "vsock.h"

static json_t *list(const char *mode, const char *name)
{
	json_t *json = json_object_get(run_json(ARGS("vsockstat", mode, "--json")), name);

	NEED(json_is_array(json));
	return json;
}

static unsigned long inode(int fd)
{
	struct stat stat;

	NEED_OK(fstat(fd, &stat));
	return stat.st_ino;
}

/* The row of this socket; NULL if it is not listed, or twice. */
static json_t *row_of(json_t *rows, int fd)
{
	return find_object(rows, "inode", inode(fd));
}

static json_t *connection(int fd)
{
	json_t *row = row_of(list("-c", "connections"), fd);

	NEED(row != NULL);
	return row;
}

static double seconds_of(json_t *row, const char *field)
{
	json_t *value = json_object_get(row, field);

	NEED(json_is_real(value));
	return json_real_value(value);
}

static void check_addresses(json_t *row, int fd)
{
	struct sockaddr_vm local = local_name(fd), peer = peer_name(fd);
	char text[64];

	CHECK_EQ(number(row, "local_cid"), local.svm_cid);
	CHECK_EQ(number(row, "local_port"), local.svm_port);
	CHECK_EQ(number(row, "peer_cid"), peer.svm_cid);
	CHECK_EQ(number(row, "peer_port"), peer.svm_port);
	snprintf(text, sizeof(text), "%u:%u", local.svm_cid, local.svm_port);
	CHECK_TEXT(string(row, "local"), text);
	snprintf(text, sizeof(text), "%u:%u", peer.svm_cid, peer.svm_port);
	CHECK_TEXT(string(row, "peer"), text);
}

static void send_bytes(int fd, size_t len)
{
	static char data[65536];

	NEED(len <= sizeof(data) && send_all(fd, data, len) == (ssize_t)len);
}

static void receive_bytes(int fd, size_t len)
{
	static char data[65536];

	NEED(len <= sizeof(data) && recv_all(fd, data, len) == (ssize_t)len);
}

static void a_connection(void)
{
	json_t *rows, *client, *server;
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	send_bytes(fd[0], 30000);
	receive_bytes(fd[1], 10000);
	send_bytes(fd[1], 77);
	rows = list("-c", "connections");
	client = row_of(rows, fd[0]);
	server = row_of(rows, fd[1]);
	NEED(client && server);

	check_addresses(client, fd[0]);
	check_addresses(server, fd[1]);
	CHECK_TEXT(string(client, "state"), "ESTABLISHED");
	CHECK_TEXT(string(server, "state"), "ESTABLISHED");
	CHECK_TEXT(string(client, "type"), "stream");
	CHECK_EQ(number(client, "tx_bytes"), 30000);
	CHECK_EQ(number(client, "rx_bytes"), 77);
	CHECK_EQ(number(client, "recv_q"), 77);
	CHECK_EQ(number(server, "tx_bytes"), 77);
	CHECK_EQ(number(server, "rx_bytes"), 30000);
	CHECK_EQ(number(server, "recv_q"), 20000);
	/* Of data, and every one has arrived. */
	CHECK(number(client, "tx_packets") >= 1);
	CHECK_EQ(number(client, "tx_packets"), number(server, "rx_packets"));
	CHECK_EQ(number(server, "tx_packets"), number(client, "rx_packets"));
	CHECK(is_null(client, "accept_q"));
	CHECK(is_null(client, "error"));
}

static void credit(void)
{
	json_t *client, *server;
	unsigned int window = 20000;
	char text[64];
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	set_u64(fd[1], SO_VM_SOCKETS_BUFFER_SIZE, window);
	/* A packet from the server tells the client. */
	send_bytes(fd[1], 1);
	send_bytes(fd[0], 15000);

	client = connection(fd[0]);
	server = connection(fd[1]);
	CHECK_EQ(number(server, "rx_window"), window);
	CHECK_EQ(number(server, "rx_free"), window - 15000);
	CHECK_EQ(number(client, "tx_window"), window);
	CHECK_EQ(number(client, "tx_in_flight"), 15000);
	CHECK_EQ(number(client, "tx_free"), window - 15000);
	snprintf(text, sizeof(text), "%u/%u", window - 15000, window);
	CHECK_TEXT(string(client, "credit"), text);

	/* The reply tells the client that all was read. */
	receive_bytes(fd[1], 15000);
	send_bytes(fd[1], 1);
	client = connection(fd[0]);
	CHECK_EQ(number(client, "tx_in_flight"), 0);
	CHECK_EQ(number(client, "tx_free"), window);
	CHECK_EQ(number(client, "tx_fwd_cnt"), 15000);
	CHECK_EQ(number(connection(fd[1]), "rx_fwd_cnt"), 15000);

	/* So little is not worth telling before there is a packet. */
	send_bytes(fd[0], 100);
	receive_bytes(fd[1], 100);
	server = connection(fd[1]);
	CHECK_EQ(number(server, "rx_fwd_cnt"), 15000);
	CHECK_EQ(number(server, "rx_free"), window - 100);
	CHECK_EQ(number(server, "recv_q"), 0);
}

static void await_stall(int fd)
{
	double start = seconds();

	while (is_null(connection(fd), "stall"))
		NEED(seconds() - start < 10);
}

/* Only a send() that blocks is a stall: of who polls it is seen that he has no credit. */
static void no_credit(void)
{
	json_t *row;
	pid_t child;
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	fill(fd[0], 65536);
	CHECK_TEXT(events(fd[0], POLLOUT, 0), "none");
	row = connection(fd[0]);
	CHECK_EQ(number(row, "tx_free"), 0);
	CHECK(number(row, "tx_window") > 0);
	CHECK(is_null(row, "stall"));
	CHECK_EQ(number(row, "stalls_peer_credit"), 0);

	child = NEED_OK(fork());
	if (!child)
		_exit(send(fd[0], "x", 1, 0) != 1);
	await_stall(fd[0]);
	row = connection(fd[0]);
	CHECK_TEXT(string(row, "stall"), "peer_credit");
	CHECK_EQ(number(row, "tx_free"), 0);
	CHECK_EQ(number(row, "stalls_peer_credit"), 1);
	CHECK(seconds_of(row, "stall_age") > 0);
	drain(fd[1]);
	NEED_OK(waitpid(child, NULL, 0));
	row = connection(fd[0]);
	CHECK(is_null(row, "stall"));
	CHECK_EQ(number(row, "stalls_peer_credit"), 1);
}

static void times(void)
{
	double start = seconds(), age, lived;
	json_t *client;
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	client = connection(fd[0]);
	lived = seconds() - start;
	age = seconds_of(client, "age");
	CHECK(age > 0 && age < lived);
	CHECK(seconds_of(client, "connect_time") > 0 && seconds_of(client, "connect_time") < age);
	CHECK(seconds_of(client, "state_age") > 0 && seconds_of(client, "state_age") < age);
	CHECK(is_null(client, "timers"));
}

static void processes(void)
{
	json_t *row;
	char text[64];
	pid_t child;
	int fd[2];

	NEED_OK(prctl(PR_SET_NAME, "odd\033name"));
	connected_pair(VMADDR_CID_LOCAL, fd);
	NEED_OK(fcntl(fd[0], F_DUPFD_CLOEXEC, 0));
	row = connection(fd[0]);
	CHECK_EQ(number(row, "pid"), getpid());
	CHECK_TEXT(string(row, "command"), "odd?name");
	snprintf(text, sizeof(text), "odd?name(%d)", getpid());
	CHECK_TEXT(string(row, "process"), text);

	child = NEED_OK(fork());
	if (!child)
		pause();
	snprintf(text + strlen(text), sizeof(text) - strlen(text), ",odd?name(%d)", child);
	CHECK_TEXT(string(connection(fd[0]), "process"), text);
	NEED_OK(kill(child, SIGKILL));
}

/* PIDs are those of where vsockstat runs: there this process is number 1. */
static void processes_in_container(void)
{
	pid_t container = fork_container();
	int fd[2];

	if (container) {
		int status;

		NEED_OK(waitpid(container, &status, 0));
		CHECK_EQ(status, 0);
		return;
	}
	connected_pair(VMADDR_CID_LOCAL, fd);
	CHECK_EQ(number(connection(fd[0]), "pid"), 1);
	_exit(0);
}

static void listeners(void)
{
	unsigned int port, waiting = 3;
	int fd = listener(VMADDR_CID_ANY, 5, &port), client, first = -1;
	json_t *row;

	for (unsigned int i = 0; i < waiting; i++) {
		client = connected(VMADDR_CID_LOCAL, port);
		if (first < 0)
			first = client;
	}
	row = row_of(list("-l", "listeners"), fd);
	NEED(row != NULL);
	CHECK_TEXT(string(row, "state"), "LISTEN");
	CHECK_EQ(number(row, "local_port"), port);
	CHECK_EQ(number(row, "accept_waiting"), waiting);
	CHECK_EQ(number(row, "accept_limit"), 5);
	CHECK_TEXT(string(row, "accept_q"), "3/5");
	CHECK(is_null(row, "credit"));
	CHECK(!row_of(list("-l", "listeners"), first));
	CHECK(!row_of(list("-c", "connections"), fd));

	/* What was not accepted yet is a connection that nobody has open. */
	row = find_object(list("-c", "connections"), "peer_port", local_name(first).svm_port);
	NEED(row != NULL);
	CHECK(is_null(row, "inode"));
	CHECK(is_null(row, "process"));

	NEED_OK(accept(fd, NULL, NULL));
	row = row_of(list("-l", "listeners"), fd);
	CHECK_EQ(number(row, "accept_waiting"), waiting - 1);
}

static void unconnected(void)
{
	unsigned int port;
	int fresh = stream_socket(), bound = bound_socket(VMADDR_CID_LOCAL, &port);
	json_t *rows = list("-a", "sockets"), *row;

	row = row_of(rows, fresh);
	NEED(row != NULL);
	CHECK_TEXT(string(row, "state"), "CLOSED");
	CHECK_TEXT(string(row, "local"), "*:*");
	CHECK_TEXT(string(row, "peer"), "*:*");
	CHECK_EQ(number(row, "tx_bytes"), 0);
	CHECK(is_null(row, "credit"));

	row = row_of(rows, bound);
	NEED(row != NULL);
	CHECK_TEXT(string(row, "state"), "CLOSED");
	CHECK_EQ(number(row, "local_cid"), VMADDR_CID_LOCAL);
	CHECK_EQ(number(row, "local_port"), port);

	CHECK(!row_of(list("-c", "connections"), fresh));
	CHECK(!row_of(list("-l", "listeners"), bound));
}

static void connecting(void)
{
	int fd = stream_nonblocking();
	json_t *row;

	if (own_cid() == VMADDR_CID_LOCAL)
		skip("there is no device");
	NEED(vm_connect(fd, SILENT_CID, 1) < 0 && errno == EINPROGRESS);
	row = connection(fd);
	CHECK_TEXT(string(row, "state"), "CONNECTING");
	CHECK_EQ(number(row, "peer_cid"), SILENT_CID);
	CHECK_CONTAINS(string(row, "timers"), "connect=1.");
	CHECK(is_null(row, "connect_time"));
}

static void shut_down(void)
{
	json_t *rows, *row;
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	NEED_OK(shutdown(fd[0], SHUT_WR));
	rows = list("-a", "sockets");
	row = row_of(rows, fd[0]);
	CHECK_TEXT(string(row, "shutdown"), "send");
	CHECK(is_null(row, "peer_shutdown"));
	row = row_of(rows, fd[1]);
	CHECK(is_null(row, "shutdown"));
	CHECK_TEXT(string(row, "peer_shutdown"), "send");
}

static unsigned long counter_total(json_t *counters, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach(counters, i, row)
		if (!strcmp(string(row, "name"), name))
			return number(row, "value");
	fail_at(__FILE__, __LINE__, true, "there is no counter %s", name);
	return 0;
}

static void counters(void)
{
	static struct counters file;
	json_t *before = list("-s", "counters"), *after;
	size_t lines = 0;
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	send_bytes(fd[0], 54321);
	after = list("-s", "counters");
	CHECK_EQ(counter_total(after, "tx_bytes") - counter_total(before, "tx_bytes"), 54321);
	CHECK_EQ(counter_total(after, "connect_done") - counter_total(before, "connect_done"), 1);
	CHECK_EQ(counter_total(after, "accepted") - counter_total(before, "accepted"), 1);

	/* All there are, as they are. */
	counters_read(&file);
	for (const char *c = file.text + 1; (c = strchr(c, '\n')); c++)
		lines++;
	CHECK_EQ(json_array_size(after), lines);
	CHECK_EQ(counter_total(after, "tx_packets"), counters_get(&file, "tx_packets"));
	CHECK_EQ(counter_total(after, "resets_tx_no_listener"),
		 counters_get(&file, "resets_tx_no_listener"));
}

static void counters_table(void)
{
	const char *some, *all;
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	some = run_command(ARGS("vsockstat", "-s")).out;
	all = run_command(ARGS("vsockstat", "-s", "-z", "-n")).out;
	CHECK(!strncmp(some, "NAME ", 5));
	CHECK_CONTAINS(some, "\nconnect_started ");
	CHECK(!strstr(some, " 0\n"));
	CHECK(strncmp(all, "NAME", 4));
	CHECK_CONTAINS(all, "drops_bad_op ");
	CHECK_CONTAINS(all, " 0\n");
}

static void text(void)
{
	unsigned int port;
	struct output output = run_command(ARGS("vsockstat"));
	char want[128];

	CHECK_TEXT(output.out, "");
	CHECK_TEXT(output.err, "");
	CHECK_EQ(output.status, 0);

	listener(VMADDR_CID_ANY, 7, &port);
	output = run_command(ARGS("vsockstat", "-l", "-n", "-o", "local,accept_q,pid"));
	snprintf(want, sizeof(want), "*:%u 0/7      %d\n", port, getpid());
	CHECK_CONTAINS(output.out, want);
}

static void full_disk(void)
{
	struct command command = {
		.args = ARGS("vsockstat", "-s"),
		.stdout_fd = NEED_OK(open("/dev/full", O_WRONLY)),
	};
	struct output output;

	command_start(&command);
	output = command_end(&command);
	CHECK_EQ(output.status, 1);
	CHECK_CONTAINS(output.err, "No space left");
}

const struct test stat_tests[] = {
	TEST("a connection", a_connection),
	TEST("credit", credit),
	TEST("senders without credit", no_credit),
	TEST("times", times),
	TEST("processes", processes),
	TEST("processes in a container", processes_in_container),
	TEST("listeners and their queues", listeners),
	TEST("unbound and bound sockets", unconnected),
	TEST("a connect that is not answered", connecting),
	TEST("shutdown", shut_down),
	TEST("counters", counters),
	TEST("counters as a table", counters_table),
	TEST("text", text),
	TEST("output that cannot be written", full_disk),
	{}
};

// SPDX-License-Identifier: GPL-2.0-only
/* The tools' parts that need no driver: what they make of data, print and refuse. */
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "common/clock.h"
#include "common/format.h"
#include "run.h"
#include "text.h"
#include "vsockstat/columns.h"
#include "vsockstat/counters.h"
#include "vsockstat/owners.h"
#include "vsockstat/sockets.h"

#define ANY	UINT32_MAX

/* What a function prints to stdout, and the status of a process that calls it. */
static char *printed(void (*print)(void *), void *data, int *status)
{
	int fd = NEED_OK(memfd_create("printed", MFD_CLOEXEC));
	pid_t pid = NEED_OK(fork());
	static char text[65536];

	if (!pid) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		print(data);
		fflush(stdout);
		_exit(0);
	}
	NEED_OK(waitpid(pid, status, 0));
	text[NEED_OK(pread(fd, text, sizeof(text) - 1, 0))] = '\0';
	close(fd);
	return text;
}

/*
 * format.c
 */

static void addresses(void)
{
	char text[FORMAT_ADDRESS_LEN];

	CHECK_TEXT(format_address(text, 3, 1024), "3:1024");
	CHECK_TEXT(format_address(text, 0, 0), "0:0");
	CHECK_TEXT(format_address(text, ANY, 22), "*:22");
	CHECK_TEXT(format_address(text, ANY, ANY), "*:*");
	CHECK_TEXT(format_address(text, ANY - 1, ANY - 1), "4294967294:4294967294");
}

static void durations(void)
{
	static const struct { uint64_t ns; const char *text; } cases[] = {
		{ 0, "0us" }, { 999, "0us" }, { 840000, "840us" }, { 999999, "999us" },
		{ 1000000, "1.0ms" }, { 12345678, "12.3ms" }, { 999999999, "999.9ms" },
		{ 1000000000, "1.0s" }, { 59999999999, "59.9s" }, { 60000000000, "1m00s" },
		{ 245000000000, "4m05s" }, { 3599999999999, "59m59s" }, { 3600000000000, "1h00m" },
		{ 86399999999999, "23h59m" }, { 86400000000000, "1d00h" },
		{ UINT64_MAX, "213503d23h" },
	};
	char text[FORMAT_DURATION_LEN];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_TEXT(format_duration(text, cases[i].ns), cases[i].text);
}

static void errors(void)
{
	char text[FORMAT_ERROR_LEN];

	CHECK_TEXT(format_error(text, 0), "OK");
	for (int error = 1; error < 200; error++) {
		const char *name = strerrorname_np(error);

		if (name)
			CHECK_TEXT(format_error(text, error), name);
	}
	CHECK_TEXT(format_error(text, 4095), "4095");
	CHECK_TEXT(format_error(text, UINT32_MAX), "4294967295");
}

static void process_names(void)
{
	char plain[] = "socat: a/b", hostile[] = "a\033[2J\n\xc3\xa9\x7f";

	CHECK_TEXT(format_comm(plain), "socat: a/b");
	CHECK_TEXT(format_comm(hostile), "a?[2J????");
}

static const struct test format_tests[] = {
	TEST("addresses", addresses),
	TEST("durations", durations),
	TEST("errors", errors),
	TEST("process names cannot control a terminal", process_names),
	{}
};

/*
 * clock.c, with clocks whose readings take as long as a case says
 */

#define HOUR	INT64_C(3600000000000)
#define MS	INT64_C(1000000)

static struct {
	int64_t now;			/* CLOCK_MONOTONIC */
	int64_t ahead;			/* CLOCK_REALTIME of it */
	const int64_t *delays;		/* after the next readings, 0 for no more of them */
} fake;

static int64_t read_fake(clockid_t clock)
{
	int64_t value = clock == CLOCK_REALTIME ? fake.now + fake.ahead : fake.now;

	fake.now += fake.delays && *fake.delays ? *fake.delays++ : 40;
	return value;
}

static int64_t offset_with(struct clock_offset *offset, const int64_t *delays)
{
	fake.delays = delays;
	return clock_offset_now(offset, read_fake);
}

#define CHECK_NEAR(value, want)		CHECK(llabs((value) - (want)) <= 50)

/* The first try, and then one of the others, is interrupted for a millisecond. */
static void interrupted_readings(void)
{
	struct clock_offset offset = {};

	fake.ahead = 500 * HOUR;
	CHECK_NEAR(offset_with(&offset, (int64_t[]){ MS, 40, 40, 40, MS, 0 }), 500 * HOUR);
	fake.ahead = -500 * HOUR;
	CHECK_NEAR(offset_with(&offset, (int64_t[]){ 40, MS, 40, MS, 0 }), -500 * HOUR);
}

static void steady_offset(void)
{
	struct clock_offset offset = {};
	int64_t first;

	fake.ahead = 500 * HOUR;
	first = offset_with(&offset, NULL);
	CHECK_EQ(offset_with(&offset, (int64_t[]){ 7 * MS, 0 }), first);
	CHECK_EQ(offset_with(&offset, (int64_t[]){ 40, 7 * MS, 0 }), first);
	CHECK_EQ(offset_with(&offset, (int64_t[]){ 300, 10, 0 }), first);
	CHECK_EQ(offset_with(&offset, NULL), first);
}

static void clock_is_set(void)
{
	static const int64_t steps[] = { HOUR, -2 * HOUR, MS, 1000, -400 };
	struct clock_offset offset = {};

	fake.ahead = 500 * HOUR;
	offset_with(&offset, NULL);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		fake.ahead += steps[i];
		CHECK_NEAR(offset_with(&offset, NULL), fake.ahead);
	}
	/* Even if this is found out while other processes interrupt. */
	fake.ahead += HOUR;
	CHECK_NEAR(offset_with(&offset, (int64_t[]){ 40, MS, 40, MS, 0 }), fake.ahead);
}

/* It lies between what any two readings around one of the other clock allow. */
static void real_clocks(void)
{
	struct clock_offset offset = {};

	for (int i = 0; i < 1000; i++) {
		int64_t before = clock_read(CLOCK_MONOTONIC);
		int64_t now = clock_read(CLOCK_REALTIME);
		int64_t after = clock_read(CLOCK_MONOTONIC), got;

		got = clock_offset_now(&offset, clock_read);
		CHECK(got >= now - after - offset.slack_ns && got <= now - before + offset.slack_ns);
	}
}

static const struct test clock_tests[] = {
	TEST("readings that are interrupted", interrupted_readings),
	TEST("an offset stays as it is", steady_offset),
	TEST("a clock that is set", clock_is_set),
	TEST("the real clocks", real_clocks),
	{}
};

/*
 * sockets.c
 */

static char message[4096] __attribute__((aligned(8)));

static struct nlmsghdr *put_message(size_t payload)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(message);
	struct vsock_diag_msg *msg;

	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	msg = mnl_nlmsg_put_extra_header(nlh, payload);
	*msg = (struct vsock_diag_msg){
		.vdiag_family = AF_VSOCK,
		.vdiag_type = SOCK_STREAM,
		.vdiag_state = GLASS_VSOCK_ESTABLISHED,
		.vdiag_src_cid = 3,
		.vdiag_src_port = 1024,
		.vdiag_dst_cid = 2,
		.vdiag_dst_port = 22,
		.vdiag_ino = 4711,
	};
	return nlh;
}

static const struct glass_vsock_info some_info = {
	.state = GLASS_VSOCK_ESTABLISHED,
	.timers = 1 << GLASS_VSOCK_TIMER_CONNECT | 1 << GLASS_VSOCK_TIMER_CREDIT_PROBE,
	.reason = GLASS_VSOCK_R_PEER,
	.rx_queued = 17,
	.tx_buf_alloc = 100000,
	.tx_window = 65536,
	.tx_free = 1000,
	.tx_bytes = UINT64_MAX,
	.age_ns = 12345678901,
	.timer_left_ns = { [GLASS_VSOCK_TIMER_CONNECT] = 1500000000 },
};

static void stock_message(void)
{
	struct socket sock;

	NEED(!sockets_parse(put_message(sizeof(struct vsock_diag_msg)), &sock));
	CHECK(!sock.has_info);
	CHECK_EQ(sock.msg.vdiag_src_port, 1024);
	CHECK_EQ(sock.msg.vdiag_dst_cid, 2);
	CHECK_EQ(sock.msg.vdiag_ino, 4711);
	CHECK_EQ(sock.info.age_ns, 0);
}

static void message_with_info(void)
{
	struct nlmsghdr *nlh = put_message(sizeof(struct vsock_diag_msg));
	struct socket sock;

	mnl_attr_put_u32(nlh, 77, 5);
	mnl_attr_put(nlh, GLASS_VSOCK_DIAG_INFO, sizeof(some_info), &some_info);
	NEED(!sockets_parse(nlh, &sock));
	CHECK(sock.has_info);
	CHECK(!memcmp(&sock.info, &some_info, sizeof(some_info)));
}

static void info_of_another_version(void)
{
	struct nlmsghdr *nlh = put_message(sizeof(struct vsock_diag_msg));
	char longer[sizeof(some_info) + 64] = {};
	struct socket sock;

	mnl_attr_put(nlh, GLASS_VSOCK_DIAG_INFO, offsetof(struct glass_vsock_info, tx_bytes),
		     &some_info);
	NEED(!sockets_parse(nlh, &sock));
	CHECK_EQ(sock.info.rx_queued, 17);
	CHECK_EQ(sock.info.tx_bytes, 0);
	CHECK_EQ(sock.info.age_ns, 0);

	nlh = put_message(sizeof(struct vsock_diag_msg));
	memcpy(longer, &some_info, sizeof(some_info));
	memset(longer + sizeof(some_info), 0xff, 64);
	mnl_attr_put(nlh, GLASS_VSOCK_DIAG_INFO, sizeof(longer), longer);
	NEED(!sockets_parse(nlh, &sock));
	CHECK(!memcmp(&sock.info, &some_info, sizeof(some_info)));
	CHECK_EQ(sock.owner_count, 0);
}

static void strange_messages(void)
{
	struct nlmsghdr *nlh = put_message(sizeof(struct vsock_diag_msg));
	struct vsock_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	struct socket sock;

	msg->vdiag_family = AF_UNIX;
	CHECK_EQ(sockets_parse(nlh, &sock), -1);

	nlh = put_message(sizeof(struct vsock_diag_msg));
	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY + 1;
	CHECK_EQ(sockets_parse(nlh, &sock), -1);

	nlh = put_message(sizeof(struct vsock_diag_msg));
	nlh->nlmsg_len -= 4;
	CHECK_EQ(sockets_parse(nlh, &sock), -1);
}

static const struct test socket_tests[] = {
	TEST("a message of the stock driver", stock_message),
	TEST("a message with the driver's own part", message_with_info),
	TEST("shorter and longer parts of other versions", info_of_another_version),
	TEST("messages of another kind are refused", strange_messages),
	{}
};

/*
 * owners.c
 */

static void sorted_owners(void)
{
	struct owner list[] = {
		{ 9, 2, "b" }, { 5, 7, "a" }, { 9, 1, "a" },
		{ 9, 2, "b" }, { 5, 7, "a" }, { 9, 2, "b" },
	};
	struct owners owners = { list, 6 };

	owners_sort(&owners);
	CHECK_EQ(owners.count, 3);
	CHECK_EQ(list[0].inode, 5);
	CHECK_EQ(list[1].pid, 1);
	CHECK_EQ(list[2].pid, 2);
}

static void found_owners(void)
{
	struct owner list[] = { { 5, 7, "a" }, { 9, 1, "a" }, { 9, 2, "b" }, { 12, 1, "c" } };
	struct owners owners = { list, 4 }, none = {};
	size_t count;

	CHECK(owners_find(&owners, 9, &count) == &list[1] && count == 2);
	CHECK(owners_find(&owners, 5, &count) == &list[0] && count == 1);
	CHECK(owners_find(&owners, 12, &count) == &list[3] && count == 1);
	for (__u32 inode = 0; inode < 14; inode++) {
		owners_find(&owners, inode, &count);
		CHECK_EQ(count, inode == 9 ? 2 : inode == 5 || inode == 12);
	}
	owners_find(&none, 9, &count);
	CHECK_EQ(count, 0);
}

static const struct test owner_tests[] = {
	TEST("each process once for a socket", sorted_owners),
	TEST("looked up by inode", found_owners),
	{}
};

/*
 * columns.c and table.c
 */

struct print_args {
	const struct view *view;
	struct table_options options;
	const void *rows;
	size_t count;
};

static void call_table_print(void *data)
{
	const struct print_args *args = data;

	table_print(args->view, &args->options, args->rows, args->count);
}

static const char *table(const struct print_args *args)
{
	int status;
	const char *text = printed(call_table_print, (void *)args, &status);

	CHECK_EQ(status, 0);
	return text;
}

static const char *columns_of(const struct view *view, const char *output,
			      const struct socket *sock)
{
	return table(&(struct print_args){ view, { .output = output }, sock, 1 });
}

static json_t *json_rows(const struct print_args *args)
{
	json_t *json = json_loads(table(args), JSON_REJECT_DUPLICATES, NULL);
	json_t *rows = json_object_get(json, args->view->name);

	NEED(json_is_array(rows));
	return rows;
}

static json_t *json_of(const struct socket *sock)
{
	struct print_args args = { &sockets_view, { .json = true }, sock, 1 };

	return json_array_get(json_rows(&args), 0);
}

static struct socket with_info(void)
{
	struct nlmsghdr *nlh = put_message(sizeof(struct vsock_diag_msg));
	struct socket sock;

	mnl_attr_put(nlh, GLASS_VSOCK_DIAG_INFO, sizeof(some_info), &some_info);
	NEED(!sockets_parse(nlh, &sock));
	return sock;
}

static struct socket without_info(void)
{
	struct socket sock;

	NEED(!sockets_parse(put_message(sizeof(struct vsock_diag_msg)), &sock));
	return sock;
}

static void usual_columns(void)
{
	static const struct owner owners[] = { { 4711, 12, "cat" }, { 4711, 13, "dog" } };
	struct socket sock = with_info();

	sock.owners = owners;
	sock.owner_count = 2;
	sock.info.tx_bytes = 30000;
	CHECK_TEXT(table(&(struct print_args){ &connections_view, {}, &sock, 1 }),
		   "STATE       TYPE   LOCAL  PEER RECV_Q CREDIT     TX_BYTES RX_BYTES   AGE PROCESS\n"
		   "ESTABLISHED stream 3:1024 2:22     17 1000/65536    30000        0 12.3s cat(12),dog(13)\n");
}

static void json_of_a_socket(void)
{
	static const struct owner owners[] = { { 4711, 12, "cat" }, { 4711, 13, "dog" } };
	struct socket sock = with_info();
	json_t *row;

	sock.owners = owners;
	sock.owner_count = 2;
	sock.info.tx_bytes = 1ULL << 40;
	row = json_of(&sock);
	CHECK_TEXT(string(row, "state"), "ESTABLISHED");
	CHECK_TEXT(string(row, "local"), "3:1024");
	CHECK_EQ(number(row, "local_cid"), 3);
	CHECK_EQ(number(row, "peer_port"), 22);
	CHECK_EQ(number(row, "tx_bytes"), 1LL << 40);
	CHECK_EQ(number(row, "tx_window"), 65536);
	CHECK_EQ(number(row, "pid"), 12);
	CHECK_TEXT(string(row, "command"), "cat");
	CHECK_TEXT(string(row, "process"), "cat(12),dog(13)");
	CHECK_TEXT(string(row, "reason"), "peer");
	CHECK_TEXT(string(row, "timers"), "connect=1.5s,credit_probe=0us");
	CHECK(json_real_value(json_object_get(row, "age")) == 12.345678);
	CHECK(is_null(row, "connect_time"));
	CHECK(is_null(row, "error"));
	CHECK(is_null(row, "stall"));
	CHECK(is_null(row, "accept_q"));
	CHECK_EQ(number(row, "accept_limit"), 0);
}

static void json_of_a_stock_socket(void)
{
	static const char *const known[] = {
		"state", "type", "local", "peer", "local_cid", "local_port", "peer_cid",
		"peer_port", "inode",
	};
	struct socket sock = without_info();
	json_t *row = json_of(&sock);
	const char *field;
	json_t *value;
	size_t nulls = 0;

	json_object_foreach(row, field, value)
		nulls += json_is_null(value);
	CHECK_EQ(json_object_size(row) - nulls, sizeof(known) / sizeof(known[0]));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		CHECK(!is_null(row, known[i]));
}

static void wildcards(void)
{
	struct socket sock = without_info();
	json_t *row;

	sock.msg.vdiag_state = GLASS_VSOCK_CLOSED;
	sock.msg.vdiag_src_cid = sock.msg.vdiag_src_port = ANY;
	CHECK_TEXT(columns_of(&sockets_view, "state,local,local_cid", &sock),
		   "STATE  LOCAL LOCAL_CID\nCLOSED *:*           *\n");
	row = json_of(&sock);
	CHECK_EQ(number(row, "local_cid"), ANY);
}

static void unknown_values(void)
{
	struct socket sock = with_info();

	sock.msg.vdiag_state = 99;
	sock.msg.vdiag_type = 77;
	sock.info.reason = 1000;
	sock.info.error = 104;
	CHECK_TEXT(table(&(struct print_args){ &sockets_view,
		   { .output = "STATE,TYPE,REASON,ERROR", .no_headings = true }, &sock, 1 }),
		   "?     77   ?      ECONNRESET\n");
}

/* From a driver that has one more: what this program does not know it does not show. */
static void unknown_timers(void)
{
	struct socket sock = with_info();
	json_t *row;

	sock.info.tx_bytes = 0;
	sock.info.timers |= 1 << GLASS_VSOCK_TIMER_MAX | 1 << (GLASS_VSOCK_INFO_TIMERS - 1);
	sock.info.timer_left_ns[GLASS_VSOCK_TIMER_MAX] = 1000000000;
	sock.info.stalls[GLASS_VSOCK_STALL_MAX] = 4711;
	row = json_of(&sock);
	CHECK_TEXT(string(row, "timers"), "connect=1.5s,credit_probe=0us");
	CHECK_EQ(number(row, "stalls_memory"), 0);
}

static void chosen_columns(void)
{
	struct socket sock = with_info();
	const char *text;

	text = columns_of(&listeners_view, "+inode,TYPE", &sock);
	CHECK(!strncmp(text, "TYPE   LOCAL  ACCEPT_Q   AGE PROCESS INODE\n", 43));

	text = table(&(struct print_args){
		&listeners_view, { .output = "PEER,PEER", .json = true }, &sock, 1 });
	CHECK_TEXT(text, "{\n   \"listeners\": [\n"
			 "      {\n         \"peer\": \"2:22\"\n      }\n   ]\n}\n");
}

static void unknown_columns(void)
{
	int len = 0;

	CHECK(!table_unknown_column(&sockets_view, "STATE,peer", &len));
	CHECK(!table_unknown_column(&sockets_view, "+AGE", &len));
	CHECK_TEXT(table_unknown_column(&sockets_view, "STATE,PEE,AGE", &len), "PEE,AGE");
	CHECK_EQ(len, 3);
	CHECK_TEXT(table_unknown_column(&sockets_view, "STATE,", &len), "");
	CHECK_TEXT(table_unknown_column(&sockets_view, "", &len), "");
	CHECK_TEXT(table_unknown_column(&counters_view, "STATE", &len), "STATE");
}

static void nothing(void)
{
	struct print_args as_json = { &connections_view, { .json = true }, NULL, 0 };

	CHECK_TEXT(table(&(struct print_args){ &connections_view, {}, NULL, 0 }), "");
	CHECK_EQ(json_array_size(json_rows(&as_json)), 0);
}

static const struct test table_tests[] = {
	TEST("the usual columns of a connection", usual_columns),
	TEST("JSON of a socket", json_of_a_socket),
	TEST("JSON of a stock driver's socket has nulls", json_of_a_stock_socket),
	TEST("wildcards", wildcards),
	TEST("values this program does not know", unknown_values),
	TEST("timers and stalls this program does not know", unknown_timers),
	TEST("chosen columns", chosen_columns),
	TEST("unknown columns", unknown_columns),
	TEST("nothing to show", nothing),
	{}
};

/*
 * counters.c
 */

static FILE *text_file(const char *text)
{
	return fmemopen((void *)text, strlen(text), "r");
}

static void good_counters(void)
{
	static const char text[] = "tx_packets 5\nrx_packets 0\n"
				   "drops_bad_op 18446744073709551615\n";
	struct counter *list;
	size_t count;

	list = counters_parse(text_file(text), true, &count);
	NEED(count == 3);
	CHECK_TEXT(list[1].name, "rx_packets");
	CHECK_EQ(list[1].value, 0);
	CHECK(list[2].value == UINT64_MAX);

	list = counters_parse(text_file(text), false, &count);
	NEED(count == 2);
	CHECK_TEXT(list[1].name, "drops_bad_op");
	CHECK_TEXT(table(&(struct print_args){ &counters_view, {}, list, 1 }),
		   "NAME       VALUE\ntx_packets     5\n");
}

static void call_counters_parse(void *data)
{
	size_t count;

	counters_parse(text_file(data), false, &count);
}

static void bad_counters(void)
{
	static const char *const bad[] = {
		"tx_packets\n", "tx_packets x\n", "a 1 2\n", "a 1", "\n", "ok 1\n5\n",
	};
	int status;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_CONTAINS(printed(call_counters_parse, (void *)bad[i], &status),
			       "is not a counter");
		CHECK_EQ(WEXITSTATUS(status), 1);
	}
}

static const struct test counter_tests[] = {
	TEST("read, with and without zeros", good_counters),
	TEST("malformed lines are named", bad_counters),
	{}
};

/*
 * The programs themselves, as far as they get without a driver
 */

static void versions(void)
{
	struct output output = run_command(ARGS("vsockstat", "--version"));

	CHECK_TEXT(output.out, "vsockstat " GLASS_VSOCK_VERSION " (contract 1)\n");
	CHECK_EQ(output.status, 0);
	output = run_command(ARGS("vsocktrace", "--version"));
	CHECK_TEXT(output.out, "vsocktrace " GLASS_VSOCK_VERSION " (contract 1)\n");
	CHECK_EQ(output.status, 0);
}

static void help(void)
{
	struct output output = run_command(ARGS("vsockstat", "--help"));

	CHECK_EQ(output.status, 0);
	for (const struct column *column = sockets_view.columns; column->name; column++)
		CHECK_CONTAINS(output.out, column->name);
	output = run_command(ARGS("vsocktrace", "--help"));
	CHECK_EQ(output.status, 0);
	CHECK_CONTAINS(output.out, "  connect ");
	output = run_command(ARGS("vsocktrace", "connect", "--help"));
	CHECK_EQ(output.status, 0);
	CHECK_CONTAINS(output.out, "--min-ms");
}

static void usage_errors(void)
{
	static const struct { const char *args[5], *message; } cases[] = {
		{ { "vsockstat", "--frobnicate" }, "'--frobnicate'" },
		{ { "vsockstat", "-c", "-l" }, "-c, -l, -a and -s exclude each other" },
		{ { "vsockstat", "-z" }, "--zero goes with --counters only" },
		{ { "vsockstat", "-o", "STATE,FOO,PEER" }, "unknown column 'FOO'" },
		{ { "vsockstat", "-s", "-o", "STATE" }, "unknown column 'STATE'" },
		{ { "vsockstat", "-o", "" }, "unknown column ''" },
		{ { "vsockstat", "extra" }, "unexpected argument 'extra'" },
		{ { "vsocktrace" }, "a command is missing" },
		{ { "vsocktrace", "frob" }, "unknown command 'frob'" },
		{ { "vsocktrace", "--frob" }, "'--frob'" },
		{ { "vsocktrace", "connect", "--frob" },
		  "vsocktrace connect: unrecognized option '--frob'" },
		{ { "vsocktrace", "connect", "extra" }, "unexpected argument 'extra'" },
		{ { "vsocktrace", "connect", "-p", "0" },
		  "--pid takes a whole number from 1 up, not '0'" },
		{ { "vsocktrace", "connect", "-p", "12x" }, "not '12x'" },
		{ { "vsocktrace", "connect", "-p", "99999999999" }, "not '99999999999'" },
		{ { "vsocktrace", "connect", "--duration", "soon" },
		  "--duration takes a number of seconds, not 'soon'" },
		{ { "vsocktrace", "connect", "--duration", "-1" }, "not '-1'" },
		{ { "vsocktrace", "connect", "--duration", "nan" }, "not 'nan'" },
		{ { "vsocktrace", "connect", "--duration", "1e99" },
		  "at most 4611686018 seconds, not '1e99'" },
		{ { "vsocktrace", "connect", "--duration", "0" },
		  "--duration has to be more than zero" },
		{ { "vsocktrace", "connect", "--min-ms", "" },
		  "--min-ms takes a number of milliseconds, not ''" },
		{ { "vsocktrace", "connect", "--ready-fd", "77" },
		  "file descriptor 77 is not open" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct output output = run_command(cases[i].args);

		CHECK_CONTAINS(output.err, cases[i].message);
		CHECK_CONTAINS(output.err, "--usage");
		CHECK_TEXT(output.out, "");
		CHECK_EQ(output.status, 2);
	}
}

/* Before anything else: what is opened then would take its place. */
static void closed_output(void)
{
	struct command command = { .args = ARGS("vsocktrace", "connect"), .stdout_fd = -1 };
	struct output output;

	command_start(&command);
	output = command_end(&command);
	CHECK_TEXT(output.err, "vsocktrace: standard output is closed\n");
	CHECK_EQ(output.status, 1);
}

static const struct test program_tests[] = {
	TEST("--version", versions),
	TEST("--help", help),
	TEST("usage errors", usage_errors),
	TEST("an output that is closed", closed_output),
	{}
};

int main(int argc, char **argv)
{
	static const struct suite suites[] = {
		SUITE("format", format_tests),
		SUITE("clock", clock_tests),
		SUITE("sockets", socket_tests),
		SUITE("owners", owner_tests),
		SUITE("table", table_tests),
		SUITE("counters", counter_tests),
		SUITE("programs", program_tests),
		{}
	};

	return run_suites(argc, argv, suites);
}

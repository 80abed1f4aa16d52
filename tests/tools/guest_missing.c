// SPDX-License-Identifier: GPL-2.0-only
/* What the tools say when something they need is missing. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "guest.h"
#include "text.h"
#include "vsock.h"

#define CONTRACT	"/sys/module/glass_vsock/parameters/contract"

static void check_refusal(struct output output, const char *what)
{
	CHECK_EQ(output.status, 1);
	CHECK_TEXT(output.out, "");
	CHECK_CONTAINS(output.err, what);
	/* One line, no more. */
	CHECK(strchr(output.err, '\n') == output.err + strlen(output.err) - 1);
}

#define LOAD	"modprobe glass_vsock"
#define UNLOAD	"modprobe -r glass_vsock"

/* Past the rules that keep the stock driver out of a guest like this. */
#define STOCK	"modprobe -C /dev/null "

static void no_driver(void)
{
	struct output list, counters, trace;

	NEED(!system(UNLOAD));
	list = run_command(ARGS("vsockstat"));
	counters = run_command(ARGS("vsockstat", "-s"));
	trace = run_command(ARGS("vsocktrace", "connect"));
	NEED(!system(LOAD));

	check_refusal(list, "no vsock driver is loaded: load it with '" LOAD "'");
	check_refusal(counters, "the glass_vsock driver is not loaded: load it with '" LOAD "'");
	check_refusal(trace, "the glass_vsock driver is not loaded: load it with '" LOAD "'");
}

/* With the stock driver sockets are listed all the same, less what it does not tell. */
static void stock_driver(void)
{
	struct output counters, trace;
	json_t *row, *list;
	unsigned int port;
	int fd;

	NEED(!system(UNLOAD " && " STOCK "-a vsock_loopback vsock_diag"));
	fd = listener(VMADDR_CID_ANY, 3, &port);
	list = run_json(ARGS("vsockstat", "-l", "--json"));
	counters = run_command(ARGS("vsockstat", "-s"));
	trace = run_command(ARGS("vsocktrace", "connect"));
	close(fd);
	NEED(!system(STOCK "-r vsock_diag vsock_loopback vsock && " LOAD));

	row = find_object(json_object_get(list, "listeners"), "local_port", port);
	NEED(row != NULL);
	CHECK_TEXT(string(row, "state"), "LISTEN");
	CHECK_EQ(number(row, "pid"), getpid());
	CHECK(is_null(row, "accept_q"));
	CHECK(is_null(row, "age"));
	CHECK(is_null(row, "recv_q"));
	check_refusal(counters, "the stock vsock driver is loaded");
	check_refusal(trace, "the stock vsock driver is loaded");
}

static void own_mounts(void)
{
	NEED_OK(unshare(CLONE_NEWNS));
	NEED_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static void other_contract(void)
{
	char path[] = "/tmp/contract.XXXXXX";
	int fd = NEED_OK(mkostemp(path, O_CLOEXEC));

	NEED(write(fd, "4711\n", 5) == 5);
	own_mounts();
	NEED_OK(mount(path, CONTRACT, NULL, MS_BIND, NULL));
	unlink(path);

	check_refusal(run_command(ARGS("vsockstat")), "version 4711, this program needs 1");
	check_refusal(run_command(ARGS("vsockstat", "-s")), "version 4711");
	check_refusal(run_command(ARGS("vsocktrace", "connect")), "version 4711");
}

static void no_types(void)
{
	own_mounts();
	NEED_OK(mount("none", "/sys/kernel/btf", "tmpfs", 0, NULL));
	check_refusal(run_command(ARGS("vsocktrace", "connect")), "btf/vmlinux is missing");

	close(NEED_OK(creat("/sys/kernel/btf/vmlinux", 0444)));
	check_refusal(run_command(ARGS("vsocktrace", "connect")), "btf/glass_vsock is missing");
}

static struct output run_as_nobody(const char *const *args)
{
	struct command command = { .args = args, .as_nobody = true };

	command_start(&command);
	return command_end(&command);
}

static void trace_without_privilege(void)
{
	check_refusal(run_as_nobody(ARGS("vsocktrace", "connect")), "run this as root");
}

static json_t *listener_seen_by_nobody(unsigned int port)
{
	struct output output = run_as_nobody(ARGS("vsockstat", "-l", "--json"));
	json_t *json = json_loads(output.out, 0, NULL), *row;

	CHECK_EQ(output.status, 0);
	CHECK_TEXT(output.err, "");
	row = find_object(json_object_get(json, "listeners"), "local_port", port);
	NEED(row != NULL);
	return row;
}

/* A user sees everybody's sockets, but only whose own processes hold them. */
static void list_without_privilege(void)
{
	unsigned int port;
	json_t *row;

	listener(VMADDR_CID_ANY, 3, &port);
	row = listener_seen_by_nobody(port);
	CHECK_EQ(number(row, "accept_limit"), 3);
	CHECK(is_null(row, "process"));
	CHECK(is_null(row, "pid"));

	NEED_OK(setuid(65534));
	/* As it is for any process that a user starts. */
	NEED_OK(prctl(PR_SET_DUMPABLE, 1));
	listener(VMADDR_CID_ANY, 3, &port);
	CHECK_EQ(number(listener_seen_by_nobody(port), "pid"), getpid());
}

static void counters_without_privilege(void)
{
	struct output output = run_as_nobody(ARGS("vsockstat", "-sz"));

	CHECK_EQ(output.status, 0);
	CHECK_CONTAINS(output.out, "connect_timed_out");
}

static void counters_elsewhere(void)
{
	NEED_OK(unshare(CLONE_NEWNET));
	check_refusal(run_command(ARGS("vsockstat", "-s")),
		      "the counters are in the initial network namespace: run this there"
		      " (nsenter -t 1 -n vsockstat -s)");
	CHECK_EQ(system("nsenter -t 1 -n vsockstat -s -z | grep -q connect_timed_out"), 0);
}

const struct test missing_tests[] = {
	TEST("a driver", no_driver),
	TEST("this driver but the stock one", stock_driver),
	TEST("the driver's contract", other_contract),
	TEST("BTF", no_types),
	TEST("privilege to trace", trace_without_privilege),
	TEST("privilege to see who has a socket", list_without_privilege),
	TEST("privilege, counters", counters_without_privilege),
	TEST("the initial network namespace", counters_elsewhere),
	{}
};

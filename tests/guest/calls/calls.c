// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any sequence of calls: as root and as nobody at once, in a guest with the
 * driver, and with PEER over its device, too.  Nothing breaks, nothing waits
 * for ever, and nothing is left afterwards.
 *
 *	calls [--seed S] [--calls N] [--threads T]
 *
 * The seed of a run is printed: with it, and the same N and T, every thread
 * makes the same choices again.
 */
#include <getopt.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/vm_sockets_diag.h>

#include "calls.h"
#include "counters.h"
#include "module.h"
#include "run.h"
#include "vsock.h"

#define DRIVER	"glass_vsock"
#define NOBODY	65534

static uint64_t seed;
static unsigned long calls = 60000;
static unsigned int threads = 3;	/* of each of two processes */

/* Of all processes, since before the first of them. */
static struct run {
	struct tally tally;
	struct counters before;
	long packets_before;
} *run;

/* Time */

static unsigned int most_seconds(void)
{
	return 60 + calls / 400;
}

static int left_ms(double end)
{
	double left = end - seconds();

	return left > 0 ? left * 1000 : 0;
}

/* Ask every hundredth of a second until it is so; nobody tells of these things. */
static bool comes(bool (*is_so)(void), double limit)
{
	double end = seconds() + limit;

	while (!is_so()) {
		if (seconds() > end)
			return false;
		poll(NULL, 0, 10);
	}
	return true;
}

/* The calls */

static pid_t start_process(bool as_root, unsigned int number)
{
	pid_t pid = NEED_OK(fork());

	if (pid)
		return pid;
	if (!as_root) {
		NEED_OK(setgroups(0, NULL));
		NEED_OK(setgid(NOBODY));
		NEED_OK(setuid(NOBODY));
	}
	/* It takes a while to be killed if it waits where it should not. */
	NEED_OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
	run_callers(number * threads, threads, calls / (2 * threads), seed, &run->tally);
	_exit(0);
}

/* Where those are that have not come to their end. */
static void report_late(void)
{
	const struct operation *operations[OPERATIONS_MAX];

	all_operations(operations);
	for (unsigned int i = 0; i < 2 * threads; i++) {
		int at = run->tally.current[i];

		if (at != CALLER_ENDED)
			fail_at(__FILE__, __LINE__, false, "not done after %u seconds: caller %u: %s",
				most_seconds(), i, at < 0 ? "start" : operations[at]->name);
	}
}

static void make_calls(void)
{
	double end = seconds() + most_seconds();
	pid_t pid[2] = { start_process(true, 0), start_process(false, 1) };

	for (int i = 0; i < 2; i++) {
		struct pollfd exited = { .fd = NEED_OK(pidfd_open(pid[i], 0)), .events = POLLIN };
		int status;

		if (poll(&exited, 1, left_ms(end)) != 1) {
			report_late();
			return;
		}
		NEED_OK(waitpid(pid[i], &status, 0));
		CHECK_EQ(status, 0);
	}
}

/* What they did */

static void print_tally(const struct operation *const *operations, unsigned int count)
{
	printf("calls done/made:");
	for (unsigned int i = 0; i < count; i++)
		printf("%s %s %lu/%lu%s", i % 6 ? "" : "\n    ", operations[i]->name,
		       run->tally.of[i].done, run->tally.of[i].calls, i + 1 < count ? "," : "\n");
	fflush(stdout);
}

/* Whether this kernel lets the family have it: its core decides. */
static bool zerocopy(void)
{
	int fd = stream_socket(), one = 1;
	bool allowed = !setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));

	close(fd);
	return allowed;
}

static bool can_succeed(const char *name)
{
	if (!strcmp(name, "connect to host"))
		return getenv("PEER");
	return strcmp(name, "read errors") || zerocopy();
}

static void each_succeeded(void)
{
	const struct operation *operations[OPERATIONS_MAX];
	unsigned int count = all_operations(operations);

	print_tally(operations, count);
	for (unsigned int i = 0; i < count; i++) {
		if (!run->tally.of[i].done && can_succeed(operations[i]->name))
			fail_at(__FILE__, __LINE__, false, "%s: none of %lu calls succeeded",
				operations[i]->name, run->tally.of[i].calls);
	}
}

/* At least one in so many of all calls. */
static void check_counter(const struct counters *now, const char *name, unsigned long calls_each)
{
	long long seen = counters_diff(&run->before, now, name);

	if (seen < (long long)(calls / calls_each))
		fail_at(__FILE__, __LINE__, false, "%s: %lld in %lu calls", name, seen, calls);
}

static void much_happened(void)
{
	struct counters now;

	counters_read(&now);
	check_counter(&now, "connect_done", 50);
	check_counter(&now, "accepted", 100);
	check_counter(&now, "tx_rw", 50);
	check_counter(&now, "rx_rw", 50);
	check_counter(&now, "connect_reset", 200);
	check_counter(&now, "stalls_peer_credit", 4000);
	check_counter(&now, "resets_tx_destroyed", 10000);
}

/* What is left */

static void describe(const struct vsock_diag_msg *msg, void *data)
{
	(void)data;
	fail_at(__FILE__, __LINE__, false, "left: a socket in state %u, %u:%u to %u:%u, inode %u",
		msg->vdiag_state, msg->vdiag_src_cid, msg->vdiag_src_port, msg->vdiag_dst_cid,
		msg->vdiag_dst_port, msg->vdiag_ino);
}

/* Sockets that nobody took from a Unix socket go with the next one that is closed. */
static bool no_socket(void)
{
	int pair[2];

	NEED_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	close(pair[0]);
	close(pair[1]);
	return !NEED_OK(diag_list(UINT32_MAX, 0, NULL, NULL));
}

/* A connection whose peer does not answer takes 8 seconds to close. */
static void no_socket_left(void)
{
	if (!comes(no_socket, 12))
		diag_list(UINT32_MAX, 0, describe, NULL);
	module_await_unused(DRIVER);
}

static long packets_now;

/* The core of the network keeps 64 for each processor at most, to use them again. */
static bool few_packets(void)
{
	packets_now = slab_objects("skbuff_head_cache");
	return packets_now < run->packets_before + 80 * get_nprocs();
}

static void module_goes(void)
{
	module_unload(DRIVER);
	CHECK_EQ(slab_caches(DRIVER), 0);
	if (!comes(few_packets, 5))
		fail_at(__FILE__, __LINE__, false, "%ld packets are left, %ld were before",
			packets_now, run->packets_before);
}

static struct test tests[] = {
	TEST("random calls of root and of nobody end", make_calls),
	TEST("each of them succeeds, too", each_succeeded),
	TEST("connections, data and stalls come of them", much_happened),
	TEST("no socket is left", no_socket_left),
	TEST("the module goes, and all packets", module_goes),
	{ .name = NULL },
};

static const struct suite suites[] = {
	SUITE("calls", tests),
	{ .name = NULL },
};

static int usage(const char *program)
{
	fprintf(stderr, "usage: %s [--seed S] [--calls N] [--threads T]\n", program);
	return 2;
}

static bool take_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "calls", required_argument, NULL, 'c' },
		{ "threads", required_argument, NULL, 't' },
		{ .name = NULL },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (option == 'c')
			calls = strtoul(optarg, NULL, 0);
		else if (option == 't')
			threads = strtoul(optarg, NULL, 0);
		else
			return false;
	}
	return optind == argc && threads && 2 * threads <= CALLERS_MAX && calls >= 2 * threads;
}

int main(int argc, char **argv)
{
	int status;

	if (getrandom(&seed, sizeof(uint32_t), 0) < 0 || !take_options(argc, argv))
		return usage(argv[0]);
	if (!module_loaded(DRIVER)) {
		fprintf(stderr, "%s: the driver is not loaded: run it with tests/vm/vm\n", argv[0]);
		return 2;
	}
	run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run == MAP_FAILED)
		return 1;
	memset(run->tally.current, CALLER_STARTS, sizeof(run->tally.current));
	counters_read(&run->before);
	run->packets_before = slab_objects("skbuff_head_cache");
	tests[0].deadline = most_seconds() + 30;
	printf("calls --seed %ju --calls %lu --threads %u\n", (uintmax_t)seed, calls, threads);
	status = run_suites(1, argv, suites);
	/* Whoever runs next in this guest expects it. */
	if (!module_loaded(DRIVER) && system("modprobe " DRIVER))
		return 1;
	return status;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

#define USUAL_DEADLINE	30
#define ANSWER_DEADLINE	5	/* nobody waits for a driver that hangs to be described */
#define RECORD_MAX	1024	/* well under PIPE_BUF: records never mix */

static const struct suite *all_suites;
static const char *label = "host";
static FILE *answers;
static bool judge = true;
static int passed, failures, skipped;

/* Of the test that runs now. */
static char skip_reason[RECORD_MAX];
static int report_fd = -1;

/*
 * In the test's process
 */

const char *outcome(long result)
{
	static __thread char text[4][32];
	static __thread unsigned int next;
	char *out = text[next++ % 4];

	if (result < 0)
		return strerrorname_np(errno) ?: "an errno without a name";
	if (!result)
		return "ok";
	snprintf(out, sizeof(text[0]), "%ld", result);
	return out;
}

static void report(char kind, const char *fmt, va_list args)
{
	char record[RECORD_MAX] = { kind };
	char *end;

	vsnprintf(record + 1, sizeof(record) - 2, fmt, args);
	while ((end = strchr(record, '\n')))
		*end = ' ';
	strcat(record, "\n");
	if (write(report_fd, record, strlen(record)) < 0)
		_exit(1);
}

static void reportf(char kind, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report(kind, fmt, args);
	va_end(args);
}

void fail_at(const char *file, int line, bool fatal, const char *fmt, ...)
{
	int saved = errno;
	char text[RECORD_MAX / 2];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	reportf('F', "%s:%d: %s", strrchr(file, '/') ? strrchr(file, '/') + 1 : file,
		line, text);
	if (fatal)
		_exit(0);
	errno = saved;
}

void row(const char *want, const char *seen, const char *fmt, ...)
{
	char name[RECORD_MAX / 4];
	va_list args;

	va_start(args, fmt);
	vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	reportf('R', "%s\t%s\t%s", name, seen, want ?: "");
}

void skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report('S', fmt, args);
	va_end(args);
	_exit(0);
}

/*
 * In the runner
 */

static void note_failure(const char *text)
{
	CU_assertImplementation(CU_FALSE, 0, text, "", "", CU_FALSE);
}

static bool one_of(const char *seen, const char *alternatives)
{
	size_t length = strlen(seen);

	for (const char *at = alternatives; *at; at += strcspn(at, "|")) {
		at += *at == '|';
		if (strcspn(at, "|") == length && !strncmp(at, seen, length))
			return true;
	}
	return false;
}

static void take_row(char *record)
{
	char *name = strsep(&record, "\t");
	char *seen = strsep(&record, "\t");
	char text[RECORD_MAX * 2];

	if (answers)
		fprintf(answers, "%s: %s\t%s\n", CU_get_current_suite()->pName, name, seen);
	if (!judge || !*record || one_of(seen, record))
		return;
	snprintf(text, sizeof(text), "%s: expected %s, got %s", name, record, seen);
	note_failure(text);
}

static void take_record(char *record)
{
	switch (record[0]) {
	case 'F':
		note_failure(record + 1);
		break;
	case 'R':
		take_row(record + 1);
		break;
	case 'S':
		strcpy(skip_reason, record + 1);
		break;
	}
}

static long left_ms(const struct timespec *end)
{
	struct timespec now;
	long ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (end->tv_sec - now.tv_sec) * 1000 + (end->tv_nsec - now.tv_nsec) / 1000000;
	return ms > 0 ? ms : 0;
}

static bool ended_in_time(pid_t pid, const struct test *test)
{
	unsigned int deadline = test->deadline ?: judge ? USUAL_DEADLINE : ANSWER_DEADLINE;
	struct pollfd exited = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	bool in_time = poll(&exited, 1, deadline * 1000) == 1;
	char text[64];

	close(exited.fd);
	if (in_time)
		return true;
	snprintf(text, sizeof(text), "not done after %u seconds", deadline);
	note_failure(text);
	return false;
}

/* Reads what the test reported; its processes have all been told to die. */
static void take_report(int fd)
{
	struct timespec end;
	char text[65536];
	size_t used = 0;
	ssize_t got;
	char *line, *rest = text;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 5;
	while (used < sizeof(text) - 1) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };

		if (poll(&ready, 1, left_ms(&end)) != 1) {
			note_failure("a process of the test cannot be killed");
			break;
		}
		got = read(fd, text + used, sizeof(text) - 1 - used);
		if (got <= 0)
			break;
		used += got;
	}
	text[used] = '\0';
	while ((line = strsep(&rest, "\n")) && *line)
		take_record(line);
}

static void take_status(pid_t pid, bool in_time)
{
	char text[64];
	int status;

	if (waitpid(pid, &status, in_time ? 0 : WNOHANG) != pid || !in_time)
		return;
	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		snprintf(text, sizeof(text), "exit status %d", WEXITSTATUS(status));
	else
		return;
	note_failure(text);
}

static const struct test *current_test(const struct suite **suite)
{
	const char *name = CU_get_current_test()->pName;
	const struct test *test;

	for (*suite = all_suites; strcmp((*suite)->name, CU_get_current_suite()->pName); (*suite)++)
		;
	for (test = (*suite)->tests; strcmp(test->name, name); test++)
		;
	return test;
}

static void run_child(const struct suite *suite, const struct test *test, int fd)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	report_fd = fd;
	if (suite->setup)
		suite->setup();
	test->run();
	exit(0);
}

/* What CUnit calls for each and every test. */
static void run_current(void)
{
	const struct suite *suite;
	const struct test *test = current_test(&suite);
	int report[2];
	bool in_time;
	pid_t pid;

	skip_reason[0] = '\0';
	fflush(NULL);
	if (pipe(report) || (pid = fork()) < 0) {
		note_failure(strerror(errno));
		return;
	}
	if (!pid) {
		close(report[0]);
		run_child(suite, test, report[1]);
	}
	setpgid(pid, pid);
	close(report[1]);
	fcntl(report[0], F_SETPIPE_SZ, 65536);
	in_time = ended_in_time(pid, test);
	kill(-pid, SIGKILL);
	take_report(report[0]);
	close(report[0]);
	take_status(pid, in_time);
}

static void record_failures(const CU_pTest test, const CU_pSuite suite, CU_pFailureRecord failure)
{
	if (!failure)
		return;
	fprintf(answers, "%s: %s\t", suite->pName, test->pName);
	for (; failure; failure = failure->pNext)
		fprintf(answers, "%s%s", failure->strCondition, failure->pNext ? "; " : "\n");
}

static void completed(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord first)
{
	if (!judge) {
		record_failures(test, suite, first);
		return;
	}
	if (first) {
		failures++;
		printf("FAIL %s %s: %s\n", label, suite->pName, test->pName);
		for (CU_pFailureRecord f = first; f; f = f->pNext)
			printf("     %s\n", f->strCondition);
	} else if (skip_reason[0]) {
		skipped++;
		printf("skip %s %s: %s: %s\n", label, suite->pName, test->pName, skip_reason);
	} else {
		passed++;
		printf("ok %s %s: %s\n", label, suite->pName, test->pName);
	}
}

static bool wanted(const struct suite *suite, const struct test *test, const char *filter)
{
	char name[256];

	snprintf(name, sizeof(name), "%s: %s", suite->name, test->name);
	return strstr(name, filter) != NULL;
}

static void register_tests(const char *filter, bool list)
{
	for (const struct suite *suite = all_suites; suite->name; suite++) {
		CU_pSuite cu = NULL;

		for (const struct test *test = suite->tests; test->name; test++) {
			if (!wanted(suite, test, filter))
				continue;
			if (list) {
				printf("%s: %s\n", suite->name, test->name);
				continue;
			}
			if (!cu)
				cu = CU_add_suite(suite->name, NULL, NULL);
			CU_add_test(cu, test->name, run_current);
		}
	}
}

static int usage(const char *program)
{
	fprintf(stderr, "usage: %s [--list | --answers | --save FILE] [FILTER]\n", program);
	return 2;
}

int run_suites(int argc, char **argv, const struct suite *suites)
{
	bool list = false;
	int at;

	for (at = 1; at < argc && !strncmp(argv[at], "--", 2); at++) {
		if (!strcmp(argv[at], "--list"))
			list = true;
		else if (!strcmp(argv[at], "--answers"))
			judge = false;
		else if (!strcmp(argv[at], "--save") && ++at < argc)
			answers = fopen(argv[at], "we");
		else
			return usage(argv[0]);
	}
	if (argc - at > 1)
		return usage(argv[0]);
	if (!judge)
		answers = stdout;
	if (getenv("KERNEL"))
		label = getenv("KERNEL");
	setvbuf(stdout, NULL, _IOLBF, 0);

	all_suites = suites;
	CU_initialize_registry();
	register_tests(at < argc ? argv[at] : "", list);
	CU_set_test_complete_handler(completed);
	CU_run_all_tests();
	CU_cleanup_registry();
	if (list || !judge)
		return 0;
	printf("%d passed, %d failed", passed, failures);
	if (skipped)
		printf(", %d skipped", skipped);
	printf("\n");
	if (answers && fclose(answers)) {
		perror("writing the answers");
		return 1;
	}
	/* A filter that matches nothing must not look like success. */
	if (!(passed + skipped + failures))
		fprintf(stderr, "no test's name contains '%s': --list shows them\n",
			at < argc ? argv[at] : "");
	return failures || !(passed + skipped);
}

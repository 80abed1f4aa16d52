/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thin layer over CUnit.
 *
 * Each test runs in a process of its own: one that crashes, hangs or leaves
 * descriptors behind fails alone, and by name.  Only the test's own process
 * and its children may use what is declared here.
 *
 * A program of tests takes
 *	--list		print the tests' names and stop
 *	--save FILE	write "case<TAB>answer" for each row() there, too
 *	--answers	print those lines only, and judge nothing
 *	[FILTER]	only tests whose "suite: name" contains it
 * and prints "ok KERNEL suite: name", FAIL or skip with what was seen, then
 * "N passed, N failed".  KERNEL is taken from the environment.
 */
#ifndef TESTS_LIB_RUN_H
#define TESTS_LIB_RUN_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

struct test {
	const char *name;
	void (*run)(void);
	unsigned int deadline;		/* seconds; 0 is the usual 30 */
};

/* Both tables end with an empty entry. */
struct suite {
	const char *name;
	const struct test *tests;
	void (*setup)(void);		/* in the test's process, before it */
};

#define TEST(text, function, ...)	{ .name = (text), .run = (function), ##__VA_ARGS__ }
#define SUITE(text, table, ...)		{ .name = (text), .tests = (table), ##__VA_ARGS__ }

int run_suites(int argc, char **argv, const struct suite *suites);

/* The errno's name, "ok" for zero, or the number of a positive result. */
const char *outcome(long result);

/* Record what was seen of CASE.  It has to be one of WANT's "a|b|c". */
void row(const char *want, const char *seen, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

void skip(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

void fail_at(const char *file, int line, bool fatal, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* CHECK notes a failure and goes on, NEED ends the test. */
#define CHECK(cond)	CHECK_(cond, #cond, false)
#define NEED(cond)	CHECK_(cond, #cond, true)
#define CHECK_(cond, text, fatal)					\
	do {								\
		if (!(cond))						\
			fail_at(__FILE__, __LINE__, fatal,		\
				"expected %s", text);			\
	} while (0)

#define CHECK_EQ(expr, want)						\
	do {								\
		long long got_ = (expr), want_ = (want);		\
									\
		if (got_ != want_)					\
			fail_at(__FILE__, __LINE__, false,		\
				"expected %s to be %lld, got %lld",	\
				#expr, want_, got_);			\
	} while (0)

#define CHECK_OUTCOME(call, want)					\
	do {								\
		const char *seen_ = outcome(call), *want_ = (want);	\
									\
		if (strcmp(seen_, want_))				\
			fail_at(__FILE__, __LINE__, false,		\
				"expected %s to be %s, got %s",		\
				#call, want_, seen_);			\
	} while (0)

/* The value of a call that must not fail. */
#define NEED_OK(call)							\
	({								\
		__typeof__(call) result_ = (call);			\
									\
		if (result_ < 0)					\
			fail_at(__FILE__, __LINE__, true,		\
				"%s failed: %s", #call,			\
				outcome(result_));			\
		result_;						\
	})

#endif

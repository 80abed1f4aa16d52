/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks of what a program prints. */
#ifndef TESTS_TOOLS_TEXT_H
#define TESTS_TOOLS_TEXT_H

#include <string.h>

#include "run.h"

#define CHECK_TEXT(expr, want)								\
	do {										\
		const char *got_ = (expr), *want_ = (want);				\
											\
		if (strcmp(got_, want_))						\
			fail_at(__FILE__, __LINE__, false, "expected %s to be '%s', got '%s'",	\
				#expr, want_, got_);					\
	} while (0)

#define CHECK_CONTAINS(text, want)							\
	do {										\
		const char *text_ = (text), *want_ = (want);				\
											\
		if (!strstr(text_, want_))						\
			fail_at(__FILE__, __LINE__, false, "expected '%s' in %s, got '%s'",	\
				want_, #text, text_);					\
	} while (0)

#endif

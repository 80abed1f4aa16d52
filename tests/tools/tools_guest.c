// SPDX-License-Identifier: GPL-2.0-only
#include "guest.h"

int main(int argc, char **argv)
{
	/* First those that unload the driver: nothing uses it yet. */
	static const struct suite suites[] = {
		SUITE("tools without", missing_tests),
		SUITE("vsockstat", stat_tests),
		SUITE("vsocktrace", trace_tests),
		SUITE("contract", contract_tests),
		{}
	};

	return run_suites(argc, argv, suites);
}

// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

static const struct suite suites[] = {
	SUITE("packet", packet_tests),
	SUITE("credit", credit_tests),
	{ .name = NULL },
};

int main(int argc, char **argv)
{
	return run_suites(argc, argv, suites);
}

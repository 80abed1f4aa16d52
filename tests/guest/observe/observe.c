// SPDX-License-Identifier: GPL-2.0-only
/* In a guest with the driver, as root; the tests on the device want PEER, as those of semantics do. */
#include "observe.h"

static const struct suite suites[] = {
	SUITE("capture", capture_tests),
	SUITE("capture cost", cost_tests),
	SUITE("diag", diag_tests),
	SUITE("destroy", destroy_tests),
	SUITE("info", info_tests),
	{ .name = NULL },
};

int main(int argc, char **argv)
{
	return run_suites(argc, argv, suites);
}

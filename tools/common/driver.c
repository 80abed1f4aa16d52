// SPDX-License-Identifier: GPL-2.0-only
#include "common/driver.h"

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE_DIR	"/sys/module/glass_vsock"
#define CONTRACT_FILE	MODULE_DIR "/parameters/contract"
#define PROTOCOLS_FILE	"/proc/net/protocols"
#define FAMILY_NAME	"AF_VSOCK "

static void check_contract(void)
{
	FILE *file = fopen(CONTRACT_FILE, "re");
	unsigned int contract;

	if (!file)
		err(EXIT_FAILURE, "cannot read the driver's contract version from %s",
		    CONTRACT_FILE);
	if (fscanf(file, "%u", &contract) != 1)
		errx(EXIT_FAILURE, "%s does not hold a number", CONTRACT_FILE);
	fclose(file);

	if (contract != GLASS_VSOCK_CONTRACT)
		errx(EXIT_FAILURE,
		     "the loaded glass_vsock driver has contract version %u, this program needs %d:"
		     " install driver and tools of the same release",
		     contract, GLASS_VSOCK_CONTRACT);
}

/* Whoever registered the family, built in or not, is listed among the protocols. */
static bool family_registered(void)
{
	FILE *file = fopen(PROTOCOLS_FILE, "re");
	bool found = false;
	char line[512];

	if (!file)
		err(EXIT_FAILURE, "cannot read %s", PROTOCOLS_FILE);
	while (!found && fgets(line, sizeof(line), file))
		found = !strncmp(line, FAMILY_NAME, strlen(FAMILY_NAME));
	fclose(file);
	return found;
}

static bool glass_loaded(void)
{
	if (access(MODULE_DIR, F_OK))
		return false;
	check_contract();
	return true;
}

void driver_require_any(void)
{
	if (!glass_loaded() && !family_registered())
		errx(EXIT_FAILURE,
		     "no vsock driver is loaded: load it with 'modprobe glass_vsock'");
}

void driver_require_glass(void)
{
	if (glass_loaded())
		return;
	if (family_registered())
		errx(EXIT_FAILURE,
		     "this needs the glass_vsock driver, but the stock vsock driver is loaded:"
		     " unload that, then run 'modprobe glass_vsock'");
	errx(EXIT_FAILURE,
	     "the glass_vsock driver is not loaded: load it with 'modprobe glass_vsock'");
}

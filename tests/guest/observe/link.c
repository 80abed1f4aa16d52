// SPDX-License-Identifier: GPL-2.0-only
/* Capture interfaces, by the commands that people use. */
#include <net/if.h>
#include <stdio.h>
#include <sys/wait.h>

#include "link.h"
#include "run.h"

char said[65536];

int run(const char *command)
{
	FILE *pipe;
	int status;

	snprintf(said, sizeof(said), "(%s) 2>&1", command);
	pipe = popen(said, "re");
	NEED(pipe != NULL);
	said[fread(said, 1, sizeof(said) - 1, pipe)] = '\0';
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

void must_run(const char *command)
{
	if (run(command))
		fail_at(__FILE__, __LINE__, true, "\"%s\" failed: %s", command, said);
}

void link_add(const char *name)
{
	char command[128];

	/* One may be left by a test that died. */
	if (if_nametoindex(name)) {
		snprintf(command, sizeof(command), "ip link del %s", name);
		must_run(command);
	}
	snprintf(command, sizeof(command), "ip link add %s type vsockmon && ip link set %s up",
		 name, name);
	must_run(command);
}

unsigned long link_count(const char *statistic)
{
	char path[128];
	unsigned long count;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/net/" LINK "/statistics/%s", statistic);
	file = fopen(path, "re");
	NEED(file != NULL);
	NEED(fscanf(file, "%lu", &count) == 1);
	fclose(file);
	return count;
}

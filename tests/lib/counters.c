// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "run.h"

#define COUNTERS	"/proc/net/glass_vsock"

void counters_read(struct counters *counters)
{
	FILE *file = fopen(COUNTERS, "re");
	size_t used;

	if (!file)
		skip("no %s: another driver is loaded", COUNTERS);
	/* A newline first, so that every name has one before it. */
	counters->text[0] = '\n';
	used = fread(counters->text + 1, 1, sizeof(counters->text) - 2, file);
	counters->text[used + 1] = '\0';
	NEED(used < sizeof(counters->text) - 2);
	fclose(file);
}

unsigned long long counters_get(const struct counters *counters, const char *name)
{
	char key[80];
	const char *line;

	snprintf(key, sizeof(key), "\n%s ", name);
	line = strstr(counters->text, key);
	if (!line)
		fail_at(__FILE__, __LINE__, true, "%s has no %s", COUNTERS, name);
	return strtoull(line + strlen(key), NULL, 10);
}

long long counters_diff(const struct counters *before, const struct counters *after,
			const char *name)
{
	return counters_get(after, name) - counters_get(before, name);
}

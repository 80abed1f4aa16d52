// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "module.h"
#include "run.h"
#include "vsock.h"

bool module_loaded(const char *module)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	return !access(path, F_OK);
}

int module_unload_now(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK);
}

static long references(const char *module)
{
	char path[64];
	FILE *file;
	long count;

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	file = fopen(path, "re");
	NEED(file != NULL);
	NEED(fscanf(file, "%ld", &count) == 1);
	fclose(file);
	return count;
}

void module_await_unused(const char *module)
{
	double end = seconds() + 5;

	while (references(module)) {
		struct timespec pause = { 0, 10000000 };

		if (seconds() > end)
			fail_at(__FILE__, __LINE__, true, "%s is still in use after 5 seconds",
				module);
		nanosleep(&pause, NULL);
	}
}

void module_unload(const char *module)
{
	module_await_unused(module);
	NEED_OK(module_unload_now(module));
}

int slab_caches(const char *prefix)
{
	FILE *file = fopen("/proc/slabinfo", "re");
	char line[512];
	int count = 0;

	NEED(file != NULL);
	while (fgets(line, sizeof(line), file))
		count += !strncmp(line, prefix, strlen(prefix));
	fclose(file);
	return count;
}

/* What processors keep for themselves counts as in use, until they give it back. */
static void shrink(const char *name)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", name);
	fd = NEED_OK(open(path, O_WRONLY | O_CLOEXEC));
	NEED_OK(write(fd, "1", 1));
	close(fd);
}

long slab_objects(const char *name)
{
	char line[512], format[64];
	long objects = -1;
	FILE *file;

	shrink(name);
	file = fopen("/proc/slabinfo", "re");
	NEED(file != NULL);
	snprintf(format, sizeof(format), "%s %%ld ", name);
	while (objects < 0 && fgets(line, sizeof(line), file))
		sscanf(line, format, &objects);
	fclose(file);
	NEED(objects >= 0);
	return objects;
}

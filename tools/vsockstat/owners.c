// SPDX-License-Identifier: GPL-2.0-only
#include "owners.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bpf.h"
#include "common/format.h"
#include "owners.skel.h"

static bool copy_records(int from, FILE *to)
{
	char buffer[128 * sizeof(struct owner)];
	ssize_t len;

	while ((len = read(from, buffer, sizeof(buffer))) > 0)
		fwrite(buffer, 1, len, to);
	return !len;
}

/* False without privilege or kernel BTF. */
static bool read_bpf(FILE *list)
{
	struct owners_bpf *skel = owners_bpf__open();
	bool done = false;
	int fd = -1;

	if (!skel)
		return false;
	skel->rodata->pid_namespace = bpf_pid_namespace();
	if (!owners_bpf__load(skel) && !owners_bpf__attach(skel))
		fd = bpf_iter_create(bpf_link__fd(skel->links.owners));
	if (fd >= 0) {
		done = copy_records(fd, list);
		close(fd);
	}
	owners_bpf__destroy(skel);
	return done;
}

static void read_comm(struct owner *owner)
{
	char path[sizeof("/proc/4294967295/comm")];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/comm", owner->pid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fscanf(file, "%15[^\n]", owner->comm) != 1)
		owner->comm[0] = '\0';
	fclose(file);
}

/* All sockets of a process: those of other families have inodes that nobody will look up. */
static void read_process(__u32 pid, FILE *list)
{
	struct owner owner = { .pid = pid };
	char path[sizeof("/proc/4294967295/fd")];
	struct dirent *entry;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	fds = opendir(path);
	if (!fds)
		return;

	read_comm(&owner);
	while ((entry = readdir(fds))) {
		char target[sizeof("socket:[4294967295]")] = "";

		if (readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1) > 0 &&
		    sscanf(target, "socket:[%u]", &owner.inode) == 1)
			fwrite(&owner, sizeof(owner), 1, list);
	}
	closedir(fds);
}

static void read_proc(FILE *list)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;

	if (!processes)
		return;
	while ((entry = readdir(processes)))
		if (isdigit((unsigned char)entry->d_name[0]))
			read_process(strtoul(entry->d_name, NULL, 10), list);
	closedir(processes);
}

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int by_inode_and_pid(const void *left, const void *right)
{
	const struct owner *a = left, *b = right;

	return COMPARE(a->inode, b->inode) ?: COMPARE(a->pid, b->pid);
}

void owners_sort(struct owners *owners)
{
	size_t kept = 0;

	qsort(owners->list, owners->count, sizeof(*owners->list), by_inode_and_pid);
	for (size_t i = 0; i < owners->count; i++)
		if (!i || by_inode_and_pid(&owners->list[i], &owners->list[kept - 1]))
			owners->list[kept++] = owners->list[i];
	owners->count = kept;
}

void owners_read(struct owners *owners)
{
	char *list = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&list, &size);

	if (!stream)
		err(EXIT_FAILURE, "cannot list processes");
	if (!read_bpf(stream))
		read_proc(stream);
	if (fclose(stream))
		err(EXIT_FAILURE, "cannot list processes");

	owners->list = (struct owner *)list;
	owners->count = size / sizeof(struct owner);
	for (size_t i = 0; i < owners->count; i++)
		format_comm(owners->list[i].comm);
	owners_sort(owners);
}

const struct owner *owners_find(const struct owners *owners, __u32 inode, size_t *count)
{
	size_t low = 0, high = owners->count, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (owners->list[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < owners->count && owners->list[end].inode == inode; end++)
		;
	*count = end - low;
	return &owners->list[low];
}

// SPDX-License-Identifier: GPL-2.0-only
#include "common/bpf.h"

#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KERNEL_TYPES	"/sys/kernel/btf/vmlinux"
#define PID_NAMESPACE	"/proc/self/ns/pid"
#define DRIVER_TYPES	"/sys/kernel/btf/glass_vsock"

static int print_to_stderr(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	return vfprintf(stderr, format, args);
}

void bpf_set_verbose(bool verbose)
{
	libbpf_set_print(verbose ? print_to_stderr : NULL);
}

void bpf_require_driver_types(void)
{
	if (access(KERNEL_TYPES, F_OK))
		errx(EXIT_FAILURE,
		     "%s is missing: this needs a kernel built with CONFIG_DEBUG_INFO_BTF",
		     KERNEL_TYPES);
	if (access(DRIVER_TYPES, F_OK))
		errx(EXIT_FAILURE, "%s is missing: the loaded glass_vsock.ko was built without BTF;"
		     " build it with 'make modules' and load it again", DRIVER_TYPES);
}

uint32_t bpf_pid_namespace(void)
{
	struct stat file;

	if (stat(PID_NAMESPACE, &file))
		err(EXIT_FAILURE, "cannot read %s", PID_NAMESPACE);
	return file.st_ino;
}

_Noreturn void bpf_fail(int error)
{
	if (error == -EPERM)
		errx(EXIT_FAILURE,
		     "not permitted to use BPF: run this as root (or with CAP_SYS_ADMIN)");
	errx(EXIT_FAILURE, "cannot start the BPF program: %s; see more with --verbose",
	     strerror(-error));
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tools need around libbpf. */
#ifndef COMMON_BPF_H
#define COMMON_BPF_H

#include <stdbool.h>
#include <stdint.h>

/* libbpf's own messages are for developers: silent unless asked for. */
void bpf_set_verbose(bool verbose);

/* Ends the program with one line unless the driver's types are known to the kernel. */
void bpf_require_driver_types(void);

/* The PID namespace that this process is in, by its inode number. */
uint32_t bpf_pid_namespace(void);

/* Ends the program with one line that says why loading or attaching failed with @error (-errno). */
_Noreturn void bpf_fail(int error);

#endif

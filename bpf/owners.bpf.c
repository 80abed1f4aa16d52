// SPDX-License-Identifier: GPL-2.0-only
/* Which processes hold vsock sockets: one struct owner for each such file descriptor. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "owners.h"
#include "pid.h"

#define AF_VSOCK 40

SEC("iter/task_file")
int owners(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct owner owner = {};
	struct socket *sock;
	struct sock *sk;

	if (!task || !file)
		return 0;

	sock = bpf_sock_from_file(file);
	if (!sock)
		return 0;
	sk = sock->sk;
	if (!sk || sk->__sk_common.skc_family != AF_VSOCK)
		return 0;

	owner.inode = file->f_inode->i_ino;
	owner.pid = pid_here(task);
	bpf_probe_read_kernel_str(owner.comm, sizeof(owner.comm), task->group_leader->comm);
	bpf_seq_write(ctx->meta->seq, &owner, sizeof(owner));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

// SPDX-License-Identifier: GPL-2.0-only
/* Other processes: they get sockets, end, are killed, and destroy what is not theirs. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "glass_vsock.h"

#include "calls.h"

static long send_fd(int over, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = {
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(fd)),
	} };
	struct iovec iov = { "", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(over, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int receive_fd(int over)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	int fd;

	if (recvmsg(over, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return -1;
	header = CMSG_FIRSTHDR(&msg);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* A socket on its way belongs to nobody, until somebody takes it. */
static long op_pass(struct caller *c)
{
	if (one_in(c, 3))
		return send_fd(c->unix_pair[0], SLOT_FIRST + below(c, SLOTS));
	return put(c, receive_fd(c->unix_pair[1]));
}

/* Nobody takes these: two Unix sockets, each on its way through the other, and one of ours. */
static long op_pass_in_cycle(struct caller *c)
{
	int pair[2];
	long err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -1;
	err = send_fd(pair[0], SLOT_FIRST + below(c, SLOTS));
	if (send_fd(pair[0], pair[0]) < 0 || send_fd(pair[1], pair[1]) < 0)
		err = -1;
	close(pair[0]);
	close(pair[1]);
	return err;
}

static long op_list(struct caller *c)
{
	return diag_list(one_in(c, 2) ? UINT32_MAX : below(c, 4096),
			 PICK(c, 0, GLASS_VSOCK_DIAG_SHOW_INFO, -1), NULL, NULL);
}

static long op_destroy(struct caller *c)
{
	struct stat status;

	if (fstat(SLOT_FIRST + below(c, SLOTS), &status))
		return -1;
	return diag_destroy(status.st_ino);
}

/* What a child waits in until it is killed, or for a little while. */
static void wait_in_call(struct caller *c)
{
	int fd = SLOT_FIRST + below(c, SLOTS);
	struct sockaddr_vm addr;
	char byte;

	if (one_in(c, 2)) {
		const struct timeval none = { 0 };

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
	}
	switch (below(c, 4)) {
	case 0:
		accept(fd, NULL, NULL);
		break;
	case 1:
		connect(fd, (struct sockaddr *)&addr, an_address(c, &addr));
		break;
	case 2:
		while (send(fd, c->buffer, BUFFER_SIZE, MSG_NOSIGNAL) > 0)
			;
		break;
	default:
		recv(fd, &byte, 1, 0);
	}
}

static void await_end(pid_t child)
{
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

void kill_child(pid_t *child)
{
	if (*child > 0) {
		kill(*child, SIGKILL);
		await_end(*child);
	}
	*child = 0;
}

/* A copy of all descriptors, held by one that waits, and is killed at some later time. */
static long op_fork_and_kill(struct caller *c)
{
	kill_child(&c->child);
	c->child = fork();
	if (!c->child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		wait_in_call(c);
		for (;;)
			pause();
	}
	return c->child;
}

static long op_fork_and_exit(struct caller *c)
{
	pid_t child = fork();

	if (!child) {
		close(SLOT_FIRST + below(c, SLOTS));
		_exit(0);
	}
	if (child > 0)
		await_end(child);
	return child;
}

/* Another caller's call goes on after this one, or ends, as it likes. */
static long op_signal(struct caller *c)
{
	return tgkill(getpid(), c->sibling[below(c, c->siblings)], PICK(c, SIGUSR1, SIGURG));
}

const struct operation process_operations[] = {
	{ "pass", 4, op_pass },
	{ "pass in a cycle", 1, op_pass_in_cycle },
	{ "list", 1, op_list },
	{ "destroy", 2, op_destroy },
	{ "fork and kill", 2, op_fork_and_kill },
	{ "fork and exit", 1, op_fork_and_exit },
	{ "signal", 2, op_signal },
	{ .name = NULL },
};

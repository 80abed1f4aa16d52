// SPDX-License-Identifier: GPL-2.0-only
/* SOCK_DESTROY: what becomes of a socket in each state. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../interop/peer.h"
#include "diag.h"
#include "observe.h"
#include "vsock.h"

static int destroy(uint32_t ino, const uint32_t *cookie)
{
	struct vsock_diag_req req = { .sdiag_family = AF_VSOCK, .vdiag_ino = ino };
	int err;

	if (cookie)
		memcpy(req.vdiag_cookie, cookie, sizeof(req.vdiag_cookie));
	err = diag_request(SOCK_DESTROY, 0, &req, sizeof(req));
	errno = -err;
	return err ? -1 : 0;
}

static const char *const connection_gone = "IN+OUT+RDHUP+ERR+HUP";

static void connection(void)
{
	char text[8];
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	NEED_OK(send(fd[1], "abc", 3, 0));
	CHECK_OUTCOME(destroy(inode(fd[0]), NULL), "ok");
	CHECK(!strcmp(events(fd[0], POLLIN | POLLOUT | POLLRDHUP, 0), connection_gone));
	/* What came before can be read, then the error, then the end. */
	CHECK_EQ(recv(fd[0], text, sizeof(text), 0), 3);
	CHECK_OUTCOME(recv(fd[0], text, sizeof(text), 0), "ECONNABORTED");
	CHECK_OUTCOME(recv(fd[0], text, sizeof(text), 0), "ok");
	CHECK_OUTCOME(send(fd[0], "x", 1, MSG_NOSIGNAL), "EPIPE");
	/* The peer was reset. */
	CHECK_OUTCOME(recv(fd[1], text, sizeof(text), 0), "ok");
	CHECK_OUTCOME(send(fd[1], "x", 1, MSG_NOSIGNAL), "EPIPE");
}

/* The outcome of a call that blocks meanwhile; how: 'a'ccept, 'c'onnect, 'r'ecv, 's'end. */
struct blocked {
	int fd;
	char how;
	int err;
	pthread_t thread;
	volatile pid_t tid;
};

static void *block(void *arg)
{
	static char data[1 << 20];
	struct blocked *blocked = arg;
	int got = 0;

	blocked->tid = gettid();
	switch (blocked->how) {
	case 'a':
		got = accept(blocked->fd, NULL, NULL);
		break;
	case 'c':
		got = vm_connect(blocked->fd, NO_CID, 1);
		break;
	case 'r':
		got = recv(blocked->fd, data, 1, 0);
		break;
	case 's':
		while ((got = send(blocked->fd, data, sizeof(data), MSG_NOSIGNAL)) > 0)
			;
		break;
	}
	blocked->err = got < 0 ? errno : 0;
	return NULL;
}

static bool sleeps(pid_t tid)
{
	char path[64], line[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "re");
	if (file) {
		line[fread(line, 1, sizeof(line) - 1, file)] = '\0';
		fclose(file);
	}
	return strstr(line, ") S ") != NULL;
}

/* Destroy the socket while a thread waits in a call on it; the call's errno. */
static int destroy_blocked(int fd, char how)
{
	struct blocked blocked = { .fd = fd, .how = how };

	NEED(!pthread_create(&blocked.thread, NULL, block, &blocked));
	while (!blocked.tid || !sleeps(blocked.tid))
		sched_yield();
	CHECK_OUTCOME(destroy(inode(fd), NULL), "ok");
	NEED(!pthread_join(blocked.thread, NULL));
	return blocked.err;
}

static void blocked_calls(void)
{
	unsigned int port;
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	CHECK_EQ(destroy_blocked(fd[0], 'r'), ECONNABORTED);
	/* After a part of it, the next send says why, and this is that. */
	connected_pair(VMADDR_CID_LOCAL, fd);
	CHECK_EQ(destroy_blocked(fd[0], 's'), ECONNABORTED);
	CHECK_EQ(destroy_blocked(listener(VMADDR_CID_ANY, 1, &port), 'a'), EINVAL);
	if (own_cid() == VMADDR_CID_LOCAL)
		skip("there is no device to connect over");
	CHECK_EQ(destroy_blocked(stream_socket(), 'c'), ECONNABORTED);
}

static void connecting(void)
{
	int fd = stream_nonblocking();

	if (own_cid() == VMADDR_CID_LOCAL)
		skip("there is no device to connect over");
	CHECK_OUTCOME(vm_connect(fd, NO_CID, 1), "EINPROGRESS");
	CHECK_OUTCOME(destroy(inode(fd), NULL), "ok");
	CHECK(ready(fd, POLLERR, 0));
	CHECK_EQ(socket_error(fd), ECONNABORTED);
}

static void listening(void)
{
	unsigned int port;
	int fd = listener(VMADDR_CID_ANY, 9, &port), child = connected(VMADDR_CID_LOCAL, port);
	char byte;

	CHECK_OUTCOME(destroy(inode(fd), NULL), "ok");
	CHECK_OUTCOME(recv(child, &byte, 1, 0), "ok");
	CHECK_OUTCOME(send(child, "x", 1, MSG_NOSIGNAL), "EPIPE");
	CHECK_OUTCOME(vm_connect(stream_socket(), VMADDR_CID_LOCAL, port), "ECONNRESET");
	CHECK_OUTCOME(accept(fd, NULL, NULL), "EINVAL");
	CHECK_EQ(socket_error(fd), ECONNABORTED);
	/* The name is the program's until it closes the socket. */
	CHECK_OUTCOME(vm_bind(stream_socket(), VMADDR_CID_ANY, port), "EADDRINUSE");
	NEED_OK(listen(fd, 1));
	connected(VMADDR_CID_LOCAL, port);
	CHECK(NEED_OK(accept(fd, NULL, NULL)) >= 0);
}

static void unconnected(void)
{
	unsigned int port;
	int fd = bound_socket(VMADDR_CID_ANY, &port);

	CHECK_OUTCOME(destroy(inode(fd), NULL), "ok");
	CHECK_EQ(socket_error(fd), ECONNABORTED);
	CHECK_EQ(local_name(fd).svm_port, port);
}

/* A child that waits to be accepted has no inode. */
static void by_cookie(void)
{
	struct vsock_diag_msg msg;
	const uint32_t none[2] = { -1, -1 };
	uint32_t other[2];
	unsigned int port;
	size_t length;
	char byte;
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	diag_dump(-1, 0, inode(fd[0]), &msg, &length);
	NEED(length);
	other[0] = msg.vdiag_cookie[0] + 1000;
	other[1] = msg.vdiag_cookie[1];
	CHECK_OUTCOME(destroy(inode(fd[0]), other), "ENOENT");
	CHECK_OUTCOME(destroy(0, other), "ENOENT");
	CHECK_OUTCOME(destroy(inode(fd[1]), msg.vdiag_cookie), "ENOENT");
	CHECK_OUTCOME(destroy(0, none), "EINVAL");
	CHECK_OUTCOME(destroy(0, NULL), "EINVAL");
	CHECK_OUTCOME(recv(fd[1], &byte, 1, MSG_DONTWAIT), "EAGAIN");
	CHECK_OUTCOME(destroy(inode(fd[0]), msg.vdiag_cookie), "ok");
	CHECK_OUTCOME(recv(fd[1], &byte, 1, 0), "ok");

	listener(VMADDR_CID_ANY, 1, &port);
	fd[0] = connected(VMADDR_CID_LOCAL, port);
	diag_dump(1 << 1, 0, 0, &msg, &length);
	NEED(length);
	CHECK_OUTCOME(destroy(0, msg.vdiag_cookie), "ok");
	CHECK_OUTCOME(recv(fd[0], &byte, 1, 0), "ok");
}

static void not_allowed(void)
{
	int fd = stream_socket(), status;
	pid_t pid = NEED_OK(fork());

	if (!pid) {
		NEED_OK(setuid(65534));
		CHECK_OUTCOME(destroy(inode(fd), NULL), "EPERM");
		_exit(0);
	}
	NEED_OK(waitpid(pid, &status, 0));
	CHECK_EQ(status, 0);
	/* Another namespace's root does not see it. */
	pid = NEED_OK(fork());
	if (!pid) {
		NEED_OK(unshare(CLONE_NEWUSER | CLONE_NEWNET));
		CHECK_OUTCOME(destroy(inode(fd), NULL), "ENOENT");
		_exit(0);
	}
	NEED_OK(waitpid(pid, &status, 0));
	CHECK_EQ(status, 0);
	CHECK_EQ(socket_error(fd), 0);
}

const struct test destroy_tests[] = {
	TEST("a connection", connection),
	TEST("under a call that waits", blocked_calls),
	TEST("an attempt to connect", connecting),
	TEST("a listener", listening),
	TEST("a socket without a connection", unconnected),
	TEST("by cookie and inode", by_cookie),
	TEST("who may", not_allowed),
	{ .name = NULL },
};

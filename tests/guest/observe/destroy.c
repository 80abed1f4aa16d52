// SPDX-License-Identifier: GPL-2.0-only
/* SOCK_DESTROY: what becomes of a socket in each state. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "glass_vsock.h"

#include "../../interop/peer.h"
#include "counters.h"
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

/* Messages are whole before it, and there is none after it. */
static void messages(void)
{
	char text[8];
	int fd[2];

	connected_pair_of(SOCK_SEQPACKET, VMADDR_CID_LOCAL, 262144, fd);
	for (int i = 0; i < 2; i++) {
		NEED_OK(send(fd[i], "abc", 3, 0));
		NEED_OK(send(fd[i], "de", 2, 0));
	}
	CHECK_OUTCOME(destroy(inode(fd[0]), NULL), "ok");
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(recv(fd[i], text, sizeof(text), 0), 3);
		CHECK_EQ(recv(fd[i], text, sizeof(text), 0), 2);
		CHECK_OUTCOME(recv(fd[i], text, sizeof(text), 0), i ? "ok" : "ECONNABORTED");
		CHECK_OUTCOME(recv(fd[i], text, sizeof(text), 0), "ok");
		CHECK_OUTCOME(send(fd[i], "x", 1, 0), "EPIPE");
	}
	/* There is nothing left to end; the socket is the program's still. */
	CHECK_OUTCOME(destroy(inode(fd[0]), NULL), "ok");
	CHECK_EQ(socket_error(fd[0]), ECONNABORTED);
}

/* The socket that nobody has open, in CLOSING; there is one. */
static struct vsock_diag_msg orphan(void)
{
	struct vsock_diag_msg msg;
	size_t length;

	CHECK_EQ(diag_dump(1 << GLASS_VSOCK_CLOSING, 0, 0, &msg, &length), 1);
	NEED(length);
	return msg;
}

/* Its peer, which has not read all, would have 8 s for its reset. */
static void closing(void)
{
	static struct counters before, after;
	struct vsock_diag_msg msg;
	struct sockaddr_vm name;
	char text[8];
	size_t length;
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	name = local_name(fd[0]);
	NEED_OK(send(fd[0], "abc", 3, 0));
	close(fd[0]);
	msg = orphan();
	CHECK_EQ(msg.vdiag_src_port, name.svm_port);
	counters_read(&before);
	CHECK_OUTCOME(destroy(0, msg.vdiag_cookie), "ok");
	counters_read(&after);
	CHECK_EQ(counters_diff(&before, &after, "resets_tx_destroyed"), 1);
	CHECK_EQ(counters_diff(&before, &after, "tx_rst"), 1);
	CHECK_EQ(diag_dump(1 << GLASS_VSOCK_CLOSING, 0, 0, &msg, &length), 0);
	CHECK_OUTCOME(destroy(0, msg.vdiag_cookie), "ENOENT");
	/* Its name is free. */
	NEED_OK(vm_bind(stream_socket(), VMADDR_CID_ANY, name.svm_port));
	CHECK(!strcmp(events(fd[1], POLLIN | POLLOUT | POLLRDHUP, 0), "IN+OUT+RDHUP+HUP"));
	CHECK_EQ(recv(fd[1], text, sizeof(text), 0), 3);
	CHECK_OUTCOME(recv(fd[1], text, sizeof(text), 0), "ok");
	CHECK_OUTCOME(send(fd[1], "x", 1, MSG_NOSIGNAL), "EPIPE");
}

/* The outcome of a call that blocks meanwhile; how: 'a'ccept, 'c'onnect, 'p'oll, 'r'ecv, 's'end. */
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
	case 'p':
		got = poll(&(struct pollfd) { blocked->fd, POLLIN, 0 }, 1, -1) == 1 ? 0 : -1;
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
	connected_pair(VMADDR_CID_LOCAL, fd);
	CHECK_EQ(destroy_blocked(fd[0], 'p'), 0);
	connected_pair_of(SOCK_SEQPACKET, VMADDR_CID_LOCAL, 2 << 20, fd);
	CHECK_EQ(destroy_blocked(fd[0], 'r'), ECONNABORTED);
	connected_pair_of(SOCK_SEQPACKET, VMADDR_CID_LOCAL, 2 << 20, fd);
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

/* What waits to be accepted, with data or without, goes with it; what was accepted stays. */
static void listening_with_children(void)
{
	static struct counters before, after;
	unsigned int port;
	int fd = listener(VMADDR_CID_ANY, 9, &port), client[5], accepted;
	struct vsock_diag_msg msg;
	size_t length;
	char byte;

	for (int i = 0; i < 5; i++)
		client[i] = connected(VMADDR_CID_LOCAL, port);
	accepted = NEED_OK(accept(fd, NULL, NULL));
	NEED_OK(send(client[1], "abc", 3, 0));
	counters_read(&before);
	CHECK_OUTCOME(destroy(inode(fd), NULL), "ok");
	counters_read(&after);
	CHECK_EQ(counters_diff(&before, &after, "resets_tx_not_accepted"), 4);
	CHECK_EQ(counters_diff(&before, &after, "tx_rst"), 4);
	for (int i = 1; i < 5; i++) {
		CHECK(!strcmp(events(client[i], POLLIN | POLLOUT | POLLRDHUP, 0), "IN+OUT+RDHUP+HUP"));
		CHECK_OUTCOME(recv(client[i], &byte, 1, 0), "ok");
	}
	/* Of the connections there is one left, with two ends. */
	CHECK_EQ(diag_dump(1 << GLASS_VSOCK_ESTABLISHED, 0, 0, &msg, &length), 2);
	NEED_OK(send(client[0], "x", 1, 0));
	CHECK_EQ(recv(accepted, &byte, 1, 0), 1);
}

static void fresh(void)
{
	unsigned int port;
	int fd = stream_socket(), to = listener(VMADDR_CID_ANY, 1, &port);

	CHECK_OUTCOME(destroy(inode(fd), NULL), "ok");
	CHECK_EQ(socket_error(fd), ECONNABORTED);
	/* It was told, and that is all. */
	NEED_OK(vm_connect(fd, VMADDR_CID_LOCAL, port));
	NEED_OK(accept(to, NULL, NULL));
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
	CHECK_EQ(diag_request(SOCK_DESTROY, 0, &(struct vsock_diag_req) {
		.sdiag_family = AF_VSOCK, .vdiag_ino = inode(fd[0]),
	}, sizeof(struct vsock_diag_req) - 4), -EINVAL);
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
	TEST("a connection of messages", messages),
	TEST("a closed socket that waits for its peer", closing),
	TEST("under a call that waits", blocked_calls),
	TEST("an attempt to connect", connecting),
	TEST("a listener", listening),
	TEST("a listener with connections", listening_with_children),
	TEST("a fresh socket", fresh),
	TEST("a socket without a connection", unconnected),
	TEST("by cookie and inode", by_cookie),
	TEST("who may", not_allowed),
	{ .name = NULL },
};

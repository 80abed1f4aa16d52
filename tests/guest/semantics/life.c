// SPDX-License-Identifier: GPL-2.0-only
/* fork, dup, threads: who holds a socket, and when it ends. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "semantics.h"
#include "vsock.h"

static char byte;

static void duplicated(void)
{
	int fd[2], copy;

	connected_pair(cid, fd);
	copy = NEED_OK(dup(fd[0]));
	close(fd[0]);
	CHECK_EQ(send(copy, "x", 1, 0), 1);
	CHECK_EQ(recv(fd[1], &byte, 1, 0), 1);
	CHECK_OUTCOME(recv(fd[1], &byte, 1, MSG_DONTWAIT), "EAGAIN");
	close(copy);
	CHECK_EQ(recv(fd[1], &byte, 1, 0), 0);
}

static void forked(void)
{
	int fd[2];
	pid_t child;

	connected_pair(cid, fd);
	child = NEED_OK(fork());
	if (!child) {
		close(fd[1]);
		_exit(recv(fd[0], &byte, 1, 0) != 1 || send(fd[0], "y", 1, 0) != 1);
	}
	close(fd[0]);
	CHECK_EQ(send(fd[1], "x", 1, 0), 1);
	CHECK_EQ(recv(fd[1], &byte, 1, 0), 1);
	CHECK_EQ(byte, 'y');
	CHECK_EQ(recv(fd[1], &byte, 1, 0), 0);
	NEED_OK(waitpid(child, NULL, 0));
}

static void idles(int fd)
{
	(void)fd;
}

static void receives(int fd)
{
	(void)!recv(fd, &byte, 1, 0);
}

static void sends(int fd)
{
	fill(fd, 65536);
	(void)!send(fd, "x", 1, 0);
}

static void finishes(int fd)
{
	shutdown(fd, SHUT_WR);
}

static void lingers(int fd)
{
	struct linger linger = { 1, 60 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	fill(fd, 65536);
	close(fd);
}

/* What had gone out is there still, and then the end. */
static void killed(void)
{
	static const struct {
		const char *name;
		void (*last)(int fd);
		const char *unread;
	} states[] = {
		{ "idle", idles, "" },
		{ "with data it has not read", idles, "unread" },
		{ "in recv", receives, "" },
		{ "in send", sends, "" },
		{ "after SHUT_WR", finishes, "" },
		{ "after close with SO_LINGER", lingers, "" },
	};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		int fd[2];

		connected_pair(cid, fd);
		CHECK_EQ(send(fd[1], states[i].unread, strlen(states[i].unread), 0),
			 strlen(states[i].unread));
		killed_in(states[i].last, fd[0], fd[1]);
		drain(fd[1]);
		row("ok", outcome(recv(fd[1], &byte, 1, 0)),
		    "recv from a process killed %s", states[i].name);
		CHECK_OUTCOME(send(fd[1], "x", 1, MSG_NOSIGNAL), "EPIPE");
	}
}

static void accepts(int fd)
{
	(void)!accept(fd, NULL, NULL);
}

static void killed_in_accept(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 1, &port);

	killed_in(accepts, listening, -1);
	CHECK_OUTCOME(vm_connect(stream_socket(), cid, port), "ECONNRESET");
	CHECK_OUTCOME(vm_bind(stream_socket(), VMADDR_CID_ANY, port), "ok");
}

static void *receive(void *fd)
{
	return (void *)recv(*(int *)fd, &byte, 1, 0);
}

static void *accept_one(void *fd)
{
	return (void *)(long)accept(*(int *)fd, NULL, NULL);
}

static pthread_t waiting(void *(*call)(void *), int *fd)
{
	struct timespec pause = { 0, 200000000 };
	pthread_t thread;

	NEED(!pthread_create(&thread, NULL, call, fd));
	nanosleep(&pause, NULL);
	CHECK_EQ(pthread_tryjoin_np(thread, NULL), EBUSY);
	return thread;
}

/* A call that waits holds the socket: it ends when the call does. */
static void closed_in_recv(void)
{
	pthread_t thread;
	void *result;
	int fd[2];

	connected_pair(cid, fd);
	thread = waiting(receive, &fd[0]);
	close(fd[0]);
	CHECK_EQ(send(fd[1], "x", 1, MSG_NOSIGNAL), 1);
	NEED(!pthread_join(thread, &result));
	CHECK_EQ((long)result, 1);
	CHECK_EQ(recv(fd[1], &byte, 1, 0), 0);
}

static void closed_in_accept(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 1, &port), fd;
	pthread_t thread = waiting(accept_one, &listening);
	void *server;

	close(listening);
	fd = connected(cid, port);
	NEED(!pthread_join(thread, &server));
	CHECK((long)server >= 0);
	CHECK_EQ(send(fd, "x", 1, 0), 1);
	CHECK_EQ(recv((long)server, &byte, 1, 0), 1);
	CHECK_OUTCOME(vm_connect(stream_socket(), cid, port), "ECONNRESET");
}

/* Threads that send, receive, poll and close the same few sockets. */
enum { SOCKETS = 8 };
static int shared[SOCKETS][2];

static void *abuse(void *data)
{
	unsigned int at = (long)data;

	for (int i = 0; i < 300; i++) {
		int *fd = shared[(at = at * 5 + 1) % SOCKETS];
		char text[2000];

		switch ((at >> 4) % 5) {
		case 0:
			(void)!send(fd[0], text, sizeof(text), MSG_DONTWAIT | MSG_NOSIGNAL);
			break;
		case 1:
			(void)!recv(fd[1], text, sizeof(text), MSG_DONTWAIT);
			break;
		case 2:
			events(fd[0], POLLIN | POLLOUT, 0);
			break;
		case 3:
			shutdown(fd[i % 2], i % 3);
			break;
		default:
			close(fd[i % 2]);
		}
	}
	return NULL;
}

static void shared_by_threads(void)
{
	pthread_t threads[4];
	int fd[2];

	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < SOCKETS; i++)
			connected_pair(cid, shared[i]);
		for (long i = 0; i < 4; i++)
			NEED(!pthread_create(&threads[i], NULL, abuse, (void *)(i * 77 + round)));
		for (int i = 0; i < 4; i++)
			NEED(!pthread_join(threads[i], NULL));
		for (int i = 0; i < SOCKETS; i++) {
			close(shared[i][0]);
			close(shared[i][1]);
		}
	}
	connected_pair(cid, fd);
	CHECK_EQ(send(fd[0], "x", 1, 0), 1);
	CHECK_EQ(recv(fd[1], &byte, 1, 0), 1);
}

const struct test life_tests[] = {
	TEST("dup", duplicated),
	TEST("fork", forked),
	TEST("a killed process", killed),
	TEST("a process killed in accept", killed_in_accept),
	TEST("closed while another thread receives", closed_in_recv),
	TEST("closed while another thread accepts", closed_in_accept),
	TEST("shared by threads", shared_by_threads),
	{ .name = NULL },
};

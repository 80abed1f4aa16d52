// SPDX-License-Identifier: GPL-2.0-only
/* connect() to a CID that the device knows nothing of: no answer ever comes. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../interop/peer.h"
#include "semantics.h"
#include "vsock.h"

static void timed_out(void)
{
	static const struct { int option; const char *name; } forms[] = {
		{ SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD, "old" },
		{ SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW, "new" },
	};

	for (int i = 0; i < 2; i++) {
		int fd = stream_socket(), fresh[2];
		double begin = seconds(), took;

		set_timeout(fd, AF_VSOCK, forms[i].option, 400);
		row("ETIMEDOUT", outcome(vm_connect(fd, NO_CID, 1234)),
		    "connect without an answer, timeout of the %s form", forms[i].name);
		took = seconds() - begin;
		CHECK(took >= 0.39);
		CHECK(took < 1.9);
		CHECK_EQ(socket_error(fd), 0);

		fresh[0] = listener(VMADDR_CID_ANY, 1, (unsigned int *)&fresh[1]);
		row("ok", outcome(vm_connect(fd, VMADDR_CID_LOCAL, fresh[1])),
		    "connect after ETIMEDOUT");
	}
}

static void default_timeout(void)
{
	double begin = seconds(), took;

	CHECK_OUTCOME(vm_connect(stream_socket(), NO_CID, 1234), "ETIMEDOUT");
	took = seconds() - begin;
	row("2 s", took > 1.9 && took < 3 ? "2 s" : took < 1.9 ? "sooner" : "later",
	    "default connect timeout, measured");
}

static void nonblocking(void)
{
	int fd = stream_nonblocking();
	struct timeval none = { 0 };
	fd_set reading, writing;

	set_timeout(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 600);
	row("EINPROGRESS", outcome(vm_connect(fd, NO_CID, 1234)),
	    "connect, non-blocking, no answer yet");
	row("EALREADY", outcome(vm_connect(fd, NO_CID, 1234)), "connect once more, no answer yet");
	row("none", events(fd, POLLIN | POLLOUT | POLLRDHUP, 100), "poll, no answer yet");
	row("ENOTCONN", outcome(send(fd, "x", 1, MSG_NOSIGNAL)), "send, no answer yet");
	row("ENOTCONN", outcome(recv(fd, &none, 1, 0)), "recv, no answer yet");
	NEED(ready(fd, POLLOUT, 5000));
	FD_ZERO(&reading);
	FD_SET(fd, &reading);
	writing = reading;
	NEED_OK(select(fd + 1, &reading, &writing, NULL, &none));
	row("readable", FD_ISSET(fd, &reading) ? "readable" : "not", "select for reading, timed out");
	row("writable", FD_ISSET(fd, &writing) ? "writable" : "not", "select for writing, timed out");
	errno = socket_error(fd);
	row("ETIMEDOUT", outcome(-1), "SO_ERROR, timed out");
	CHECK_EQ(socket_error(fd), 0);
}

static void on_alarm(int number)
{
	(void)number;
}

static void interrupted_with(const char *name, int flags)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 1, &port), fd = stream_socket(), server;
	double begin = seconds();
	char byte;

	sigaction(SIGALRM, &(struct sigaction) { .sa_handler = on_alarm, .sa_flags = flags }, NULL);
	set_timeout(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 10000);
	ualarm(300000, 0);
	row("EINTR", outcome(vm_connect(fd, NO_CID, 1234)), "connect, interrupted%s", name);
	CHECK(seconds() - begin < 5);
	row("ok", outcome(vm_connect(fd, VMADDR_CID_LOCAL, port)), "connect after EINTR%s", name);
	server = NEED_OK(accept(listening, NULL, NULL));
	NEED_OK(send(server, "x", 1, 0));
	CHECK_EQ(recv(fd, &byte, 1, 0), 1);
}

static void interrupted(void)
{
	interrupted_with("", 0);
	interrupted_with(", SA_RESTART", SA_RESTART);
}

/* Several may wait for one attempt. */
static void interrupted_for_others(void)
{
	int fd = stream_socket(), started[2], status;
	double begin = seconds();
	pid_t pid;
	char byte;

	sigaction(SIGALRM, &(struct sigaction) { .sa_handler = on_alarm }, NULL);
	set_timeout(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 10000);
	NEED_OK(pipe(started));
	pid = NEED_OK(fork());
	if (!pid) {
		NEED_OK(write(started[1], "x", 1));
		_exit(vm_connect(fd, NO_CID, 1234) ? 1 : 0);
	}
	CHECK_EQ(read(started[0], &byte, 1), 1);
	ualarm(500000, 0);
	row("EINTR", outcome(vm_connect(fd, NO_CID, 1234)), "connect of two, interrupted");
	NEED_OK(waitpid(pid, &status, 0));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	row("at once", seconds() - begin < 5 ? "at once" : "later",
	    "connect of the other one returns");
}

static void closed(void)
{
	for (int i = 0; i < 50; i++) {
		int fd = stream_nonblocking();

		CHECK_OUTCOME(vm_connect(fd, NO_CID, 1234 + i), "EINPROGRESS");
		close(fd);
	}
}

static void *connect_slowly(void *fd)
{
	row("ETIMEDOUT", outcome(vm_connect(*(int *)fd, NO_CID, 1234)),
	    "connect that waits, closed by another thread");
	return NULL;
}

static void closed_by_thread(void)
{
	struct timespec pause = { 0, 200000000 };
	int fd = stream_socket(), copy = fd;
	pthread_t thread;

	set_timeout(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 800);
	NEED(!pthread_create(&thread, NULL, connect_slowly, &copy));
	nanosleep(&pause, NULL);
	close(fd);
	NEED(!pthread_join(thread, NULL));
}

static void connects(int fd)
{
	vm_connect(fd, NO_CID, 1234);
}

static void killed(void)
{
	unsigned int port;

	killed_in(connects, bound_socket(VMADDR_CID_ANY, &port), -1);
	row("ok", outcome(vm_bind(stream_socket(), VMADDR_CID_ANY, port)),
	    "bind to the port of a process killed in connect");
}

static void shut_down(void)
{
	int fd = stream_nonblocking();

	set_timeout(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 600);
	CHECK_OUTCOME(vm_connect(fd, NO_CID, 1234), "EINPROGRESS");
	row(NULL, outcome(shutdown(fd, SHUT_RDWR)), "shutdown, no answer yet");
}

static void listening(void)
{
	unsigned int port;
	int fd = bound_socket(VMADDR_CID_ANY, &port);

	set_nonblocking(fd);
	CHECK_OUTCOME(vm_connect(fd, NO_CID, 1234), "EINPROGRESS");
	row("EINVAL", outcome(listen(fd, 1)), "listen, no answer yet");
}

const struct test no_answer_tests[] = {
	TEST("timed out", timed_out),
	TEST("timed out by default", default_timeout),
	TEST("non-blocking", nonblocking),
	TEST("interrupted", interrupted),
	TEST("interrupted while another waits", interrupted_for_others),
	TEST("closed meanwhile", closed),
	TEST("closed by another thread", closed_by_thread),
	TEST("killed meanwhile", killed),
	TEST("shutdown meanwhile", shut_down),
	TEST("listen meanwhile", listening),
	{ .name = NULL },
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks the table of semantics, inside a guest.  The suites on the device want
 * a host that runs tests/interop/peer.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "semantics.h"
#include "vsock.h"

unsigned int cid = VMADDR_CID_LOCAL;

/* Nothing tells when a process has come to sleep: look again and again. */
static void await_sleep(pid_t pid)
{
	const struct timespec pause = { 0, 1000000 };
	char path[32], state = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (state != 'S') {
		FILE *file = fopen(path, "re");

		NEED(file != NULL);
		NEED(fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
		fclose(file);
		nanosleep(&pause, NULL);
	}
}

void killed_in(void (*last)(int fd), int fd, int other)
{
	pid_t child = NEED_OK(fork());
	int status;

	if (!child) {
		if (other >= 0)
			close(other);
		last(fd);
		pause();
	}
	close(fd);
	await_sleep(child);
	NEED_OK(kill(child, SIGKILL));
	NEED_OK(waitpid(child, &status, 0));
	CHECK(WIFSIGNALED(status));
}

static void use_own_cid(void)
{
	cid = own_cid();
	if (cid == VMADDR_CID_LOCAL || cid == VMADDR_CID_ANY)
		skip("no device, so no CID of its own");
}

static void need_device(void)
{
	use_own_cid();
	cid = VMADDR_CID_LOCAL;
}

static void need_host(void)
{
	need_device();
	if (!getenv("PEER"))
		skip("no host program to talk to: PEER is not set");
}

static const struct suite suites[] = {
	SUITE("create", create_tests),
	SUITE("bind", bind_tests),
	SUITE("options", option_tests),
	SUITE("ioctl", ioctl_tests),
	SUITE("connect/local", connect_tests),
	SUITE("accept/local", accept_tests),
	SUITE("stream/local", stream_tests),
	SUITE("message/local", message_tests),
	SUITE("pages/local", pages_tests),
	SUITE("io_uring/local", uring_tests),
	SUITE("receive/local", receive_tests),
	SUITE("credit/local", credit_tests),
	SUITE("shutdown/local", shutdown_tests),
	SUITE("poll/local", poll_tests),
	SUITE("epoll/local", epoll_tests),
	SUITE("life/local", life_tests),
	SUITE("counters/local", counter_tests),
	SUITE("connect/own", connect_tests, .setup = use_own_cid),
	SUITE("accept/own", accept_tests, .setup = use_own_cid),
	SUITE("stream/own", stream_tests, .setup = use_own_cid),
	SUITE("message/own", message_tests, .setup = use_own_cid),
	SUITE("pages/own", pages_tests, .setup = use_own_cid),
	SUITE("receive/own", receive_tests, .setup = use_own_cid),
	SUITE("credit/own", credit_tests, .setup = use_own_cid),
	SUITE("shutdown/own", shutdown_tests, .setup = use_own_cid),
	SUITE("poll/own", poll_tests, .setup = use_own_cid),
	SUITE("epoll/own", epoll_tests, .setup = use_own_cid),
	SUITE("counters/own", counter_tests, .setup = use_own_cid),
	SUITE("no answer", no_answer_tests, .setup = need_device),
	SUITE("device", device_tests, .setup = need_host),
	SUITE("device pages", device_pages_tests, .setup = need_host),
	SUITE("no device", no_device_tests),
	{ .name = NULL },
};

int main(int argc, char **argv)
{
	const struct rlimit files = { 20000, 20000 };

	setrlimit(RLIMIT_NOFILE, &files);
	return run_suites(argc, argv, suites);
}

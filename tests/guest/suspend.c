// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine is suspended and resumed, but for the sleep itself: for a guest
 * with the driver and a host (PEER).  What a guest's files are on does not
 * come back from that, so this program is all in memory, and it is the last one
 * to run in its guest.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../interop/peer.h"
#include "data.h"
#include "run.h"
#include "vsock.h"

static void write_to(const char *path, const char *value)
{
	int fd = NEED_OK(open(path, O_WRONLY | O_CLOEXEC));

	NEED_OK(write(fd, value, strlen(value)));
	close(fd);
}

static void suspend_and_resume(void)
{
	write_to("/sys/module/suspend/parameters/pm_test_delay", "0");
	write_to("/sys/power/pm_test", "devices");
	write_to("/sys/power/state", "freeze");
}

static bool echoes(int fd)
{
	unsigned char data[1000];

	data_fill(data, sizeof(data), 1, 0);
	return send_all(fd, data, sizeof(data)) == sizeof(data) &&
	       recv_all(fd, data, sizeof(data)) == sizeof(data) &&
	       data_matches(data, sizeof(data), 1, 0);
}

static void connections(void)
{
	unsigned int port, before = own_cid();
	int listening = listener(VMADDR_CID_ANY, 2, &port);
	int fd = connected(VMADDR_CID_HOST, PEER_ECHO);
	int waiting = stream_nonblocking();
	int local[2];
	char byte;

	connected_pair(VMADDR_CID_LOCAL, local);
	CHECK(echoes(fd));
	CHECK_OUTCOME(vm_connect(waiting, NO_CID, 1), "EINPROGRESS");

	suspend_and_resume();
	CHECK_OUTCOME(recv(fd, &byte, 1, MSG_DONTWAIT), "ECONNRESET");
	CHECK_OUTCOME(send(fd, &byte, 1, MSG_NOSIGNAL), "EPIPE");
	CHECK_EQ(socket_error(waiting), ECONNRESET);

	/* What the device does not carry has not noticed. */
	CHECK_EQ(send(local[0], "x", 1, 0), 1);
	CHECK_EQ(recv(local[1], &byte, 1, 0), 1);
	connected(VMADDR_CID_LOCAL, port);
	CHECK(accept(listening, NULL, NULL) >= 0);

	CHECK_EQ(own_cid(), before);
	CHECK(echoes(connected(VMADDR_CID_HOST, PEER_ECHO)));
}

static void again(void)
{
	for (int i = 0; i < 5; i++)
		suspend_and_resume();
	CHECK(echoes(connected(VMADDR_CID_HOST, PEER_ECHO)));
}

static void setup(void)
{
	if (!getenv("PEER"))
		skip("no host program to talk to: PEER is not set");
	NEED_OK(mlockall(MCL_CURRENT));
}

static const struct test suspend_tests[] = {
	TEST("connections over the device end, nothing else does", connections),
	TEST("five times", again),
	{ .name = NULL },
};

static const struct suite suites[] = {
	SUITE("suspend", suspend_tests, .setup = setup),
	{ .name = NULL },
};

int main(int argc, char **argv)
{
	if (mlockall(MCL_CURRENT))
		return 1;
	return run_suites(argc, argv, suites);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that breaks the rings themselves, or dies.  Its connections end, and
 * the kernel log says so; it is good again once the driver is bound anew.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <time.h>
#include <unistd.h>

#include "data.h"
#include "hostile.h"
#include "vsock.h"

#define DRIVER	"/sys/bus/virtio/drivers/glass_vsock"
#define LINE	"queues are broken"

/* Lines of the kernel log that have TEXT. */
static int logged(const char *text)
{
	static char log[1 << 18];
	int len = NEED_OK(klogctl(3, log, sizeof(log) - 1)), count = 0;

	log[len] = '\0';
	for (const char *at = log; (at = strstr(at, text)); at++)
		count++;
	return count;
}

static void say(const char *path, const char *word)
{
	int fd = NEED_OK(open(path, O_WRONLY | O_CLOEXEC));

	NEED_OK(write(fd, word, strlen(word)));
	close(fd);
}

static void bind_anew(void)
{
	DIR *dir = opendir(DRIVER);
	struct dirent *entry;

	NEED(dir != NULL);
	while ((entry = readdir(dir)) && strncmp(entry->d_name, "virtio", 6))
		;
	NEED(entry != NULL);
	say(DRIVER "/unbind", entry->d_name);
	say(DRIVER "/bind", entry->d_name);
	closedir(dir);
}

static void loses_device(void)
{
	struct counters before;
	int lines = logged(LINE), fd = victim(SOCK_STREAM, 0), other = device(PORT_ECHO);
	char byte;

	round_trip(other);
	counters_read(&before);
	NEED_OK(send(fd, "x", 1, 0));
	NEED(ready(fd, 0, 5000));
	ended_as("ECONNRESET", outcome(recv(fd, &byte, 1, 0)));
	CHECK_OUTCOME(recv(other, &byte, 1, 0), "ECONNRESET");
	CHECK_EQ(socket_info(fd).reason, GLASS_VSOCK_R_TRANSPORT_GONE);
	CHECK_OUTCOME(vm_connect(stream_socket(), VMADDR_CID_HOST, PORT_ECHO), "ENODEV");
	local_goes_on();
	row("a line in the kernel log",
	    logged(LINE) == lines + 1 ? "a line in the kernel log" : outcome(logged(LINE) - lines),
	    "%s, recorded by", scenario());

	bind_anew();
	open_beside();
	others_go_on();
}

/* Nothing tells when it is back: look again and again. */
static void await_device(void)
{
	const struct timespec pause = { 0, 10000000 };
	int result;

	while ((result = vm_connect(stream_socket(), VMADDR_CID_HOST, PORT_ECHO)) &&
	       errno == ENODEV)
		nanosleep(&pause, NULL);
	CHECK_OUTCOME(result, "ok");
}

/* The monitor does it, the guest agrees; who listens need not care. */
static void unplugged(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 1, &port), fd = victim(SOCK_STREAM, 0);
	uint64_t numbers[] = { port, 1 };
	int other = device(PORT_ECHO);
	char byte;

	round_trip(other);
	NEED_OK(send(fd, "x", 1, 0));
	NEED(ready(other, 0, 20000));
	ended_as("ECONNRESET", outcome(recv(fd, &byte, 1, 0)));
	CHECK_OUTCOME(recv(other, &byte, 1, 0), "ECONNRESET");
	CHECK_EQ(socket_info(fd).reason, GLASS_VSOCK_R_TRANSPORT_GONE);
	local_goes_on();

	await_device();
	open_beside();
	others_go_on();
	NEED(send_all(device(PORT_TAKEN_BACK), numbers, sizeof(numbers)) == sizeof(numbers));
	NEED(ready(listening, POLLIN, 5000));
	CHECK(accept(listening, NULL, NULL) >= 0);
}

const struct test ring_tests[] = {
	TEST("used index outside of the ring", loses_device),
	TEST("used twice", loses_device),
	TEST("used index ahead", loses_device),
	TEST("used index goes back", loses_device),
	TEST("device unplugged, and another one plugged in", unplugged, .deadline = 60),
	{ .name = NULL },
};

/* Nobody says that it is gone: what was connected ends by its timers. */
static void dies(void)
{
	const uint64_t count = WINDOW / 2;
	const struct linger linger = { 1, 20 };
	int fd = victim(SOCK_STREAM, 0), connecting = stream_socket();
	struct counters before;
	char bytes[65536] = "";
	double begin;
	ssize_t sent;

	counters_read(&before);
	NEED(send_all(fd, &count, sizeof(count)) == sizeof(count));
	set_timeout(fd, SOL_SOCKET, SO_SNDTIMEO, 500);
	while ((sent = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL)) > 0)
		;
	ended_as("EAGAIN", outcome(sent));
	set_timeout(connecting, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 500);
	CHECK_OUTCOME(vm_connect(connecting, VMADDR_CID_HOST, PORT_ECHO), "ETIMEDOUT");
	local_goes_on();

	NEED_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	begin = seconds();
	close(fd);
	CHECK(seconds() - begin > 4);
	CHECK(seconds() - begin < 15);
	recorded(&before, "resets_tx_close_timeout", 1);
}

const struct test gone_tests[] = {
	TEST("device gone in mid-stream", dies),
	{ .name = NULL },
};

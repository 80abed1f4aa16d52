// SPDX-License-Identifier: GPL-2.0-only
/* The device goes, is not there, and comes back: by unbinding it in sysfs. */
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../interop/peer.h"
#include "data.h"
#include "semantics.h"
#include "vsock.h"

#define DEVICE_ID	"0x0013"	/* virtio's for vsock */

/* "virtio3", or false where this guest has none. */
static bool find_device(char name[64])
{
	char id[16];
	glob_t found;

	NEED(!glob("/sys/bus/virtio/devices/*", 0, NULL, &found));
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char path[PATH_MAX];
		FILE *file;

		snprintf(path, sizeof(path), "%s/device", found.gl_pathv[i]);
		file = fopen(path, "re");
		if (file && fscanf(file, "%15s", id) == 1 && !strcmp(id, DEVICE_ID)) {
			snprintf(name, 64, "%s", strrchr(found.gl_pathv[i], '/') + 1);
			return true;
		}
		if (file)
			fclose(file);
	}
	return false;
}

static const char *driver(void)
{
	const char *ours = "/sys/bus/virtio/drivers/glass_vsock";

	return access(ours, F_OK) ? "/sys/bus/virtio/drivers/vmw_vsock_virtio_transport" : ours;
}

static bool is_bound(const char *device)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", driver(), device);
	return !access(path, F_OK);
}

static void tell_driver(const char *file, const char *device)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", driver(), file);
	fd = NEED_OK(open(path, O_WRONLY));
	NEED_OK(write(fd, device, strlen(device)));
	close(fd);
}

static void goes(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 2, &port), fd, waiting;
	char device[64], byte;

	if (!find_device(device))
		skip("this guest has no device");
	if (!getenv("PEER"))
		skip("no host program to talk to: PEER is not set");
	fd = connected(VMADDR_CID_HOST, PEER_ECHO);
	CHECK(stream_both(fd, 1000, 1, 1));
	waiting = stream_nonblocking();
	CHECK_OUTCOME(vm_connect(waiting, NO_CID, 1), "EINPROGRESS");

	tell_driver("unbind", device);
	NEED(ready(fd, POLLIN, 5000));
	row("ECONNRESET", outcome(recv(fd, &byte, 1, MSG_DONTWAIT)), "recv, the device is gone");
	row("EPIPE", outcome(send(fd, &byte, 1, MSG_NOSIGNAL)), "send, the device is gone");
	NEED(ready(waiting, POLLOUT, 5000));
	errno = socket_error(waiting);
	row("ECONNRESET", outcome(-1), "SO_ERROR of a connect, the device is gone");
	CHECK_OUTCOME(vm_connect(stream_socket(), VMADDR_CID_LOCAL, port), "ok");
	CHECK(accept(listening, NULL, NULL) >= 0);
}

static void none(void)
{
	static const unsigned int cids[] = { 0, 2, 3, NO_CID };
	unsigned int port, cid = 0;
	char device[64];

	if (find_device(device) && is_bound(device))
		tell_driver("unbind", device);
	for (int i = 0; i < 4; i++)
		row("ENODEV", outcome(vm_connect(stream_nonblocking(), cids[i], 1234)),
		    "connect to CID %u without a device", cids[i]);
	listener(VMADDR_CID_ANY, 1, &port);
	row("ENODEV", outcome(vm_connect(stream_nonblocking(), VMADDR_CID_HOST, port)),
	    "connect to CID 2 without a device, a local listener on the port");
	row("EFAULT", outcome(vm_connect(stream_nonblocking(), VMADDR_CID_ANY, port)),
	    "connect to CID ANY without a device");
	row("EADDRNOTAVAIL", outcome(vm_bind(stream_socket(), 3, VMADDR_PORT_ANY)),
	    "bind to CID 3 without a device");
	NEED_OK(ioctl(NEED_OK(open("/dev/vsock", O_RDONLY)), IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid));
	row("1", outcome((int)cid), "GET_LOCAL_CID of /dev/vsock without a device");
	cid = 0;
	row("ok", outcome(ioctl(stream_socket(), IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid)),
	    "ioctl of a socket without a device");
	row("1", outcome((int)cid), "GET_LOCAL_CID of a socket without a device");
}

static void local_goes_on(void)
{
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	CHECK_EQ(send(fd[0], "abc", 3, 0), 3);
	NEED(ready(fd[1], POLLIN, 5000));
	CHECK_EQ(drain(fd[1]), 3);
}

static void comes_back(void)
{
	char device[64];

	if (!find_device(device))
		skip("this guest has no device");
	if (!is_bound(device))
		tell_driver("bind", device);
	CHECK(is_bound(device));
	CHECK(own_cid() > VMADDR_CID_HOST);
	if (getenv("PEER"))
		CHECK(stream_both(connected(VMADDR_CID_HOST, PEER_ECHO), 1000, 1, 1));
}

/* A page that does not come until it is given: as one of a file system that hangs. */
static void *slow_page(int *handler, size_t *size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register registration = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	void *page;

	*size = sysconf(_SC_PAGESIZE);
	page = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(page != MAP_FAILED);
	*handler = NEED_OK(syscall(SYS_userfaultfd, O_CLOEXEC));
	NEED_OK(ioctl(*handler, UFFDIO_API, &api));
	registration.range.start = (uintptr_t)page;
	registration.range.len = *size;
	NEED_OK(ioctl(*handler, UFFDIO_REGISTER, &registration));
	return page;
}

struct slow_send {
	int fd;
	void *page;
	size_t size;
};

static void *send_slow_page(void *argument)
{
	struct slow_send *slow = argument;

	CHECK_EQ(send(slow->fd, slow->page, slow->size, MSG_NOSIGNAL), (int)slow->size);
	return NULL;
}

/* A program that waits for its memory, in a call on a socket, holds up nobody else. */
static void goes_beside_slow_send(void)
{
	struct uffdio_zeropage zero = { 0 };
	struct slow_send slow;
	int handler, fd[2];
	pthread_t thread;
	char device[64];
	double begin;

	if (!find_device(device))
		skip("this guest has no device");
	if (!is_bound(device))
		tell_driver("bind", device);
	connected_pair(VMADDR_CID_LOCAL, fd);
	slow.fd = fd[0];
	slow.page = slow_page(&handler, &slow.size);
	NEED(!pthread_create(&thread, NULL, send_slow_page, &slow));
	/* Its page fault. */
	NEED(poll(&(struct pollfd) { .fd = handler, .events = POLLIN }, 1, 5000) == 1);

	begin = seconds();
	tell_driver("unbind", device);
	CHECK(seconds() - begin < 5);
	tell_driver("bind", device);

	zero.range.start = (uintptr_t)slow.page;
	zero.range.len = slow.size;
	NEED_OK(ioctl(handler, UFFDIO_ZEROPAGE, &zero));
	NEED(!pthread_join(thread, NULL));
}

const struct test no_device_tests[] = {
	TEST("it goes", goes),
	TEST("there is none", none),
	TEST("local delivery without it", local_goes_on),
	TEST("it comes back", comes_back),
	TEST("it goes while a program waits for its memory", goes_beside_slow_send),
	{ .name = NULL },
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Made for 32 bits: the connect timeout in both layouts, with 32 and 64 bits of
 * time.  The exit status is 0, or the line at which something was wrong.
 */
#include <stdint.h>
#include <sys/socket.h>
#include <linux/vm_sockets.h>

#define CHECK(cond)	do { if (!(cond)) return __LINE__; } while (0)

struct old_time {
	int32_t sec;
	int32_t usec;
};

struct new_time {
	int64_t sec;
	int64_t usec;
};

_Static_assert(sizeof(void *) == 4, "a program of 32 bits");

int main(void)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	struct old_time old = { 1, 500000 };
	struct new_time new = { 0, 0 };
	socklen_t len = sizeof(new);

	CHECK(fd >= 0);
	CHECK(!setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD, &old, sizeof(old)));
	CHECK(!getsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW, &new, &len));
	CHECK(len == sizeof(new) && new.sec == 1 && new.usec == 500000);

	new.sec = 3;
	new.usec = 252000;
	CHECK(!setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW, &new, sizeof(new)));
	len = sizeof(old);
	CHECK(!getsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD, &old, &len));
	CHECK(len == sizeof(old) && old.sec == 3 && old.usec == 252000);

	CHECK(setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD, &old, 4));
	CHECK(setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW, &old, sizeof(old)));
	return 0;
}

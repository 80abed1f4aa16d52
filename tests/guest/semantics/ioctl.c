// SPDX-License-Identifier: GPL-2.0-only
/* ioctl() on sockets and on /dev/vsock. */
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "semantics.h"
#include "vsock.h"

static const char *local_cid(int fd)
{
	static char text[64];
	unsigned int own = own_cid(), got = 0;

	if (ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &got))
		return outcome(-1);
	if (got == own)
		return "the own CID";
	snprintf(text, sizeof(text), "%u instead of %u", got, own);
	return text;
}

static void sockets(void)
{
	int fd[2];
	unsigned int port;

	row("the own CID", local_cid(stream_socket()), "GET_LOCAL_CID on a fresh socket");
	row("the own CID", local_cid(listener(VMADDR_CID_ANY, 1, &port)),
	    "GET_LOCAL_CID on a listener");
	connected_pair(VMADDR_CID_LOCAL, fd);
	row("the own CID", local_cid(fd[0]), "GET_LOCAL_CID on a connected socket");
	row("EFAULT", outcome(ioctl(fd[0], IOCTL_VM_SOCKETS_GET_LOCAL_CID, NULL)),
	    "GET_LOCAL_CID of a socket to a bad address");
	row("ENOTTY", outcome(ioctl(fd[0], _IO(7, 0xee), 0)), "unknown ioctl of a socket");
}

static void device_file(void)
{
	int fd = NEED_OK(open("/dev/vsock", O_RDWR));
	struct stat st;

	NEED_OK(fstat(fd, &st));
	row(NULL, st.st_mode & 0006 ? "to all" : "to root", "/dev/vsock is open, without udev");
	row("the own CID", local_cid(fd), "GET_LOCAL_CID on /dev/vsock");
	row("EFAULT", outcome(ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, NULL)),
	    "GET_LOCAL_CID of /dev/vsock to a bad address");
	row("ENOTTY", outcome(ioctl(fd, _IO(7, 0xee), 0)), "unknown ioctl of /dev/vsock");
}

static void as_nobody(void)
{
	int fd = NEED_OK(open("/dev/vsock", O_RDONLY));
	unsigned int cid;

	NEED_OK(setuid(getpwnam("nobody")->pw_uid));
	row("ok", outcome(ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid)),
	    "GET_LOCAL_CID as nobody");
}

const struct test ioctl_tests[] = {
	TEST("sockets", sockets),
	TEST("/dev/vsock", device_file),
	TEST("/dev/vsock as nobody", as_nobody),
	{ .name = NULL },
};

// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "run.h"
#include "vsock.h"

struct sockaddr_vm vm_addr(unsigned int cid, unsigned int port)
{
	return (struct sockaddr_vm) {
		.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port,
	};
}

int vm_bind(int fd, unsigned int cid, unsigned int port)
{
	struct sockaddr_vm addr = vm_addr(cid, port);

	return bind(fd, (struct sockaddr *)&addr, sizeof(addr));
}

int vm_connect(int fd, unsigned int cid, unsigned int port)
{
	struct sockaddr_vm addr = vm_addr(cid, port);

	return connect(fd, (struct sockaddr *)&addr, sizeof(addr));
}

unsigned int own_cid(void)
{
	int fd = NEED_OK(open("/dev/vsock", O_RDONLY | O_CLOEXEC));
	unsigned int cid;

	NEED_OK(ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid));
	close(fd);
	return cid;
}

const char *cid_name(unsigned int cid)
{
	if (cid == VMADDR_CID_ANY)
		return "ANY";
	return cid > VMADDR_CID_HOST && cid == own_cid() ? "own" : outcome(cid);
}

int stream_socket(void)
{
	return NEED_OK(socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

int stream_nonblocking(void)
{
	return NEED_OK(socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

struct sockaddr_vm local_name(int fd)
{
	struct sockaddr_vm addr;
	socklen_t len = sizeof(addr);

	NEED_OK(getsockname(fd, (struct sockaddr *)&addr, &len));
	return addr;
}

struct sockaddr_vm peer_name(int fd)
{
	struct sockaddr_vm addr;
	socklen_t len = sizeof(addr);

	NEED_OK(getpeername(fd, (struct sockaddr *)&addr, &len));
	return addr;
}

int bound_socket(unsigned int cid, unsigned int *port)
{
	int fd = stream_socket();

	NEED_OK(vm_bind(fd, cid, VMADDR_PORT_ANY));
	*port = local_name(fd).svm_port;
	return fd;
}

int listener(unsigned int cid, int backlog, unsigned int *port)
{
	int fd = bound_socket(cid, port);

	NEED_OK(listen(fd, backlog));
	return fd;
}

int connected(unsigned int cid, unsigned int port)
{
	int fd = stream_socket();

	NEED_OK(vm_connect(fd, cid, port));
	return fd;
}

#define DEFAULT_BUFFER	262144

void connected_pair(unsigned int cid, int fd[2])
{
	connected_pair_of(SOCK_STREAM, cid, DEFAULT_BUFFER, fd);
}

int listener_of(int type, unsigned int cid, int backlog, unsigned int *port)
{
	int fd = NEED_OK(socket(AF_VSOCK, type | SOCK_CLOEXEC, 0));

	NEED_OK(vm_bind(fd, cid, VMADDR_PORT_ANY));
	*port = local_name(fd).svm_port;
	NEED_OK(listen(fd, backlog));
	return fd;
}

static void set_buffer(int fd, unsigned long long size)
{
	if (size > DEFAULT_BUFFER)
		set_u64(fd, SO_VM_SOCKETS_BUFFER_MAX_SIZE, size);
	if (size != DEFAULT_BUFFER)
		set_u64(fd, SO_VM_SOCKETS_BUFFER_SIZE, size);
}

void connected_pair_of(int type, unsigned int cid, unsigned long long size, int fd[2])
{
	unsigned int port;
	int listening = listener_of(type, VMADDR_CID_ANY, 1, &port);

	set_buffer(listening, size);
	fd[0] = NEED_OK(socket(AF_VSOCK, type | SOCK_CLOEXEC, 0));
	set_buffer(fd[0], size);
	NEED_OK(vm_connect(fd[0], cid, port));
	fd[1] = NEED_OK(accept4(listening, NULL, NULL, SOCK_CLOEXEC));
	close(listening);
}

unsigned int dead_port(void)
{
	unsigned int port;

	close(bound_socket(VMADDR_CID_ANY, &port));
	return port;
}

void set_nonblocking(int fd)
{
	NEED_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
}

void set_u64(int fd, int option, unsigned long long value)
{
	NEED_OK(setsockopt(fd, AF_VSOCK, option, &value, sizeof(value)));
}

unsigned long long get_u64(int fd, int option)
{
	unsigned long long value;
	socklen_t len = sizeof(value);

	NEED_OK(getsockopt(fd, AF_VSOCK, option, &value, &len));
	return value;
}

void set_timeout(int fd, int level, int option, unsigned int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	NEED_OK(setsockopt(fd, level, option, &tv, sizeof(tv)));
}

int socket_error(int fd)
{
	int error;
	socklen_t len = sizeof(error);

	NEED_OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
	return error;
}

const char *events(int fd, int wanted, int ms)
{
	static const struct { int bit; const char *name; } names[] = {
		{ POLLIN, "IN" }, { POLLOUT, "OUT" }, { POLLRDHUP, "RDHUP" },
		{ POLLERR, "ERR" }, { POLLHUP, "HUP" }, { POLLNVAL, "NVAL" },
	};
	struct pollfd poller = { .fd = fd, .events = wanted };
	static char text[64];

	NEED_OK(poll(&poller, 1, ms));
	text[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(poller.revents & names[i].bit))
			continue;
		if (text[0])
			strcat(text, "+");
		strcat(text, names[i].name);
	}
	return text[0] ? text : "none";
}

bool ready(int fd, int wanted, int ms)
{
	struct pollfd poller = { .fd = fd, .events = wanted };

	return NEED_OK(poll(&poller, 1, ms)) > 0;
}

size_t fill(int fd, size_t chunk)
{
	char *buf = calloc(1, chunk);
	size_t total = 0;
	ssize_t n;

	while ((n = send(fd, buf, chunk, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		total += n;
	free(buf);
	CHECK_OUTCOME(n, "EAGAIN");
	return total;
}

size_t drain(int fd)
{
	static char buf[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		total += n;
	return total;
}

double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

bool waited(double begin, double seconds_asked)
{
	return seconds() - begin >= seconds_asked / 2;
}

// SPDX-License-Identifier: GPL-2.0-only
/* In a guest whose device is tests/device. */
#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data.h"
#include "hostile.h"
#include "vsock.h"

static int beside = -1;

const char *scenario(void)
{
	return CU_get_current_test()->pName;
}

enum scenario_port scenario_port(void)
{
#define SCENARIO_TEXT_(id, name)	name,
	static const char *const names[] = { SCENARIOS(SCENARIO_TEXT_) };
	int i = 0;

	while (i < SCENARIO_MAX && strcmp(names[i], scenario()))
		i++;
	NEED(i < SCENARIO_MAX);
	return PORT_ECHO + i;
}

int device(enum scenario_port port)
{
	return connected(VMADDR_CID_HOST, port);
}

int victim(int type, unsigned long long size)
{
	int fd = NEED_OK(socket(AF_VSOCK, type | SOCK_CLOEXEC, 0));

	if (size)
		set_u64(fd, SO_VM_SOCKETS_BUFFER_SIZE, size);
	NEED_OK(vm_connect(fd, VMADDR_CID_HOST, scenario_port()));
	return fd;
}

struct glass_vsock_info socket_info(int fd)
{
	struct glass_vsock_info info;
	socklen_t len = sizeof(info);

	NEED_OK(getsockopt(fd, AF_VSOCK, GLASS_VSOCK_SO_INFO, &info, &len));
	return info;
}

void round_trip(int fd)
{
	char byte = 0;

	NEED_OK(send(fd, "x", 1, MSG_NOSIGNAL));
	CHECK_EQ(recv(fd, &byte, 1, 0), 1);
	CHECK_EQ(byte, 'x');
}

void open_beside(void)
{
	beside = device(PORT_ECHO);
	round_trip(beside);
}

static void exchange(int fd)
{
	char sent[3000], got[sizeof(sent)];

	data_fill(sent, sizeof(sent), 5, 0);
	NEED(send_all(fd, sent, sizeof(sent)) == sizeof(sent));
	NEED(recv_all(fd, got, sizeof(got)) == sizeof(got));
	CHECK(!memcmp(sent, got, sizeof(sent)));
}

void beside_goes_on(void)
{
	exchange(beside);
}

void others_go_on(void)
{
	int fresh = device(PORT_ECHO);

	beside_goes_on();
	exchange(fresh);
	close(fresh);
}

void local_goes_on(void)
{
	int fd[2];
	char byte;

	connected_pair(VMADDR_CID_LOCAL, fd);
	NEED_OK(send(fd[0], "x", 1, 0));
	CHECK_EQ(recv(fd[1], &byte, 1, 0), 1);
	close(fd[0]);
	close(fd[1]);
}

void recorded(const struct counters *before, const char *counter, long long times)
{
	struct counters after;
	char want[80], seen[80];

	counters_read(&after);
	snprintf(want, sizeof(want), "%s %lld", counter, times);
	snprintf(seen, sizeof(seen), "%s %lld", counter, counters_diff(before, &after, counter));
	row(want, seen, "%s, recorded by", scenario());
}

void ended_as(const char *want, const char *seen)
{
	row(want, seen, "%s, seen by the program", scenario());
}

static const struct suite suites[] = {
	SUITE("hostile", connect_tests, .setup = open_beside),
	SUITE("hostile packets", violation_tests, .setup = open_beside),
	SUITE("hostile listeners", listener_tests, .setup = open_beside),
	SUITE("hostile credit", credit_tests, .setup = open_beside),
	SUITE("hostile memory", memory_tests, .setup = open_beside),
	SUITE("hostile rings", ring_tests),
	/* And after this one there is none. */
	SUITE("hostile device", gone_tests),
	{ .name = NULL },
};

int main(int argc, char **argv)
{
	return run_suites(argc, argv, suites);
}

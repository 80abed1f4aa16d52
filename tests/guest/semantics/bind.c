// SPDX-License-Identifier: GPL-2.0-only
/* bind(): which addresses, and which port for PORT_ANY. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "semantics.h"
#include "vsock.h"

#define RESERVED	1024	/* ports below it are the privileged ones */
#define PROBES		24	/* ports that PORT_ANY tries from its cursor on */

static void addresses(void)
{
	static const struct { unsigned int cid; const char *name, *want; } cases[] = {
		{ VMADDR_CID_ANY, "CID ANY", "ok" },
		{ VMADDR_CID_LOCAL, "CID LOCAL", "ok" },
		{ VMADDR_CID_HYPERVISOR, "CID HYPERVISOR", "EADDRNOTAVAIL" },
		{ VMADDR_CID_HOST, "CID HOST", "EADDRNOTAVAIL" },
		{ 0x12345678, "a CID of nobody", "EADDRNOTAVAIL" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = stream_socket();
		int result = vm_bind(fd, cases[i].cid, VMADDR_PORT_ANY);

		row(cases[i].want, outcome(result), "bind to %s", cases[i].name);
		if (!result)
			CHECK_EQ(local_name(fd).svm_cid, cases[i].cid);
		close(fd);
	}
}

static void own(void)
{
	unsigned int cid = own_cid();
	int fd = stream_socket();

	row("ok", outcome(vm_bind(fd, cid, VMADDR_PORT_ANY)), "bind to the own CID");
	CHECK_EQ(local_name(fd).svm_cid, cid);
	fd = stream_socket();
	row("EADDRNOTAVAIL", outcome(vm_bind(fd, cid + 1, VMADDR_PORT_ANY)),
	    "bind to a sibling's CID");
}

static void cursor(void)
{
	unsigned int first, port;

	bound_socket(VMADDR_CID_ANY, &first);
	CHECK(first >= RESERVED);
	for (unsigned int i = 1; i <= 50; i++) {
		bound_socket(VMADDR_CID_ANY, &port);
		CHECK_EQ(port, first + i);
	}
}

static void skips_used(void)
{
	unsigned int first, port;

	bound_socket(VMADDR_CID_ANY, &first);
	NEED_OK(vm_bind(stream_socket(), VMADDR_CID_ANY, first + 1));
	NEED_OK(vm_bind(stream_socket(), VMADDR_CID_LOCAL, first + 2));
	bound_socket(VMADDR_CID_ANY, &port);
	CHECK_EQ(port, first + 3);
}

static void occupy(unsigned int first, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		NEED_OK(vm_bind(stream_socket(), VMADDR_CID_ANY, first + i));
}

static void probes(void)
{
	unsigned int first, port;

	bound_socket(VMADDR_CID_ANY, &first);
	occupy(first + 1, PROBES);
	row("EADDRNOTAVAIL", outcome(vm_bind(stream_socket(), VMADDR_CID_ANY, VMADDR_PORT_ANY)),
	    "bind to PORT_ANY, %d ports behind the cursor used", PROBES);
	bound_socket(VMADDR_CID_ANY, &port);
	CHECK_EQ(port, first + PROBES + 1);

	occupy(port + 1, PROBES);
	row("EADDRNOTAVAIL", outcome(vm_connect(stream_socket(), VMADDR_CID_LOCAL, first)),
	    "connect, %d ports behind the cursor used", PROBES);

	bound_socket(VMADDR_CID_ANY, &first);
	occupy(first + 1, PROBES - 1);
	bound_socket(VMADDR_CID_ANY, &port);
	CHECK_EQ(port, first + PROBES);
}

static void privileged(void)
{
	struct passwd *nobody = getpwnam("nobody");

	NEED(nobody);
	row("ok", outcome(vm_bind(stream_socket(), VMADDR_CID_ANY, RESERVED - 1)),
	    "bind to port 1023 as root");
	row("ok", outcome(vm_bind(stream_socket(), VMADDR_CID_ANY, 0)),
	    "bind to port 0 as root");
	NEED_OK(setuid(nobody->pw_uid));
	row("EACCES", outcome(vm_bind(stream_socket(), VMADDR_CID_ANY, RESERVED - 2)),
	    "bind to port 1022 as nobody");
	row("EACCES", outcome(vm_bind(stream_socket(), VMADDR_CID_ANY, 0)),
	    "bind to port 0 as nobody");
	row("EACCES", outcome(vm_bind(stream_socket(), VMADDR_CID_ANY, RESERVED - 1)),
	    "bind to a used port 1023 as nobody");
	row("ok", outcome(vm_bind(stream_socket(), VMADDR_CID_ANY, RESERVED)),
	    "bind to port 1024 as nobody");
}

static void overlap_of(const char *want, unsigned int first, unsigned int second,
		       const char *what)
{
	unsigned int port;
	int fd = bound_socket(first, &port), other = stream_socket();

	row(want, outcome(vm_bind(other, second, port)), "bind to a used port: %s", what);
	close(fd);
	close(other);
}

static void overlap(void)
{
	unsigned int any = VMADDR_CID_ANY, local = VMADDR_CID_LOCAL, own = own_cid();

	overlap_of("EADDRINUSE", any, any, "ANY, then ANY");
	overlap_of("EADDRINUSE", any, local, "ANY, then LOCAL");
	overlap_of("EADDRINUSE", local, any, "LOCAL, then ANY");
	overlap_of("EADDRINUSE", local, local, "LOCAL, then LOCAL");
	if (own == local)
		return;
	overlap_of("EADDRINUSE", own, any, "own, then ANY");
	overlap_of("EADDRINUSE", any, own, "ANY, then own");
	overlap_of("ok", own, local, "own, then LOCAL");
	overlap_of("ok", local, own, "LOCAL, then own");
}

static void freed(void)
{
	unsigned int port;
	int fd = bound_socket(VMADDR_CID_ANY, &port);

	close(fd);
	CHECK_OUTCOME(vm_bind(stream_socket(), VMADDR_CID_ANY, port), "ok");
}

static void freed_by_listener(void)
{
	unsigned int port;
	int listening = listener(VMADDR_CID_ANY, 1, &port);

	connected(VMADDR_CID_LOCAL, port);
	NEED_OK(accept(listening, NULL, NULL));
	close(listening);
	row("ok", outcome(vm_bind(stream_socket(), VMADDR_CID_ANY, port)),
	    "bind to a port of connections whose listener is closed");
}

static void again(void)
{
	unsigned int port;
	int fd = bound_socket(VMADDR_CID_ANY, &port);

	row("EINVAL", outcome(vm_bind(fd, VMADDR_CID_ANY, VMADDR_PORT_ANY)), "bind twice");
	row("EINVAL", outcome(vm_bind(fd, VMADDR_CID_ANY, port)), "bind twice to the same");
	CHECK_EQ(local_name(fd).svm_port, port);
}

/* The name of a connection is what it is found by. */
static void of_connection(void)
{
	int fd[2];

	for (int i = 0; i < 100; i++) {
		connected_pair(VMADDR_CID_LOCAL, fd);
		if (!i) {
			row("EINVAL", outcome(vm_bind(fd[0], VMADDR_CID_ANY, VMADDR_PORT_ANY)),
			    "bind of a connected socket");
			row("EINVAL", outcome(vm_bind(fd[1], VMADDR_CID_ANY, VMADDR_PORT_ANY)),
			    "bind of an accepted socket");
		}
		vm_bind(fd[1], VMADDR_CID_ANY, VMADDR_PORT_ANY);
		close(fd[0]);
		close(fd[1]);
	}
}

static int bind_raw(const struct sockaddr_vm *addr, socklen_t len)
{
	return bind(stream_socket(), (const struct sockaddr *)addr, len);
}

static void bad_addresses(void)
{
	struct sockaddr_vm good = vm_addr(VMADDR_CID_ANY, VMADDR_PORT_ANY), bad = good;
	struct { struct sockaddr_vm addr; char more[112]; } large = { .addr = good };

	bad.svm_family = AF_INET;
	row("EINVAL", outcome(bind_raw(&bad, sizeof(bad))), "bind to another family");
	bad.svm_family = AF_UNSPEC;
	row("EINVAL", outcome(bind_raw(&bad, sizeof(bad))), "bind to AF_UNSPEC");
	row("EINVAL", outcome(bind_raw(&good, sizeof(good) - 1)), "bind to a short address");
	row("EINVAL", outcome(bind_raw(&good, 0)), "bind to an empty address");
	row("ok", outcome(bind_raw(&large.addr, sizeof(large))), "bind to a long address");
}

static void unset_fields(void)
{
	struct sockaddr_vm addr = vm_addr(VMADDR_CID_ANY, VMADDR_PORT_ANY);

	addr.svm_flags = VMADDR_FLAG_TO_HOST;
	row("ok", outcome(bind_raw(&addr, sizeof(addr))), "bind with VMADDR_FLAG_TO_HOST");
	addr.svm_flags = 0x80;
	row("EINVAL", outcome(bind_raw(&addr, sizeof(addr))), "bind with unknown flags");
	addr.svm_flags = 0;
	addr.svm_reserved1 = 7;
	memset(addr.svm_zero, 7, sizeof(addr.svm_zero));
	row("ok", outcome(bind_raw(&addr, sizeof(addr))), "bind with svm_zero not zero");
}

static void thousands(void)
{
	unsigned int first, port;

	bound_socket(VMADDR_CID_ANY, &first);
	for (unsigned int i = 1; i <= 4000; i++) {
		bound_socket(VMADDR_CID_ANY, &port);
		if (port != first + i)
			break;
	}
	CHECK_EQ(port, first + 4000);
	CHECK_OUTCOME(vm_bind(stream_socket(), VMADDR_CID_LOCAL, first + 2000), "EADDRINUSE");
}

const struct test bind_tests[] = {
	TEST("addresses", addresses),
	TEST("the own CID", own),
	TEST("PORT_ANY counts up", cursor),
	TEST("PORT_ANY skips used ports", skips_used),
	TEST("PORT_ANY gives up after 24 probes", probes),
	TEST("privileged ports", privileged),
	TEST("overlap", overlap),
	TEST("a closed socket's port is free", freed),
	TEST("a closed listener's port is free", freed_by_listener),
	TEST("bound already", again),
	TEST("of a connection", of_connection),
	TEST("bad addresses", bad_addresses),
	TEST("flags and unset fields", unset_fields),
	TEST("4000 ports", thousands),
	{ .name = NULL },
};

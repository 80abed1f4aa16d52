// SPDX-License-Identifier: GPL-2.0-only
/* Memory that a device makes a socket take. */
#include <string.h>
#include <unistd.h>
#include <linux/sock_diag.h>

#include "data.h"
#include "hostile.h"
#include "vsock.h"

static unsigned int memory_held(int fd)
{
	unsigned int info[SK_MEMINFO_VARS];
	socklen_t len = sizeof(info);

	NEED_OK(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len));
	return info[SK_MEMINFO_RMEM_ALLOC];
}

/* Fills the window, and lets it be read only then. */
static void one_byte(int type, uint64_t window)
{
	int fd = victim(type, window);
	struct glass_vsock_info info;
	unsigned int held;
	char byte, want;

	NEED_OK(send(fd, &window, sizeof(window), 0));
	while ((info = socket_info(fd)).rx_queued < window)
		others_go_on();
	CHECK_EQ(info.rx_free, 0);
	held = memory_held(fd);
	ended_as("at most twice the window",
		 held <= 2 * window ? "at most twice the window" : outcome(held));
	for (uint64_t i = 0; i < window; i++) {
		data_fill(&want, 1, SOURCE_SEED, i);
		NEED(recv(fd, &byte, 1, 0) == 1);
		NEED(byte == want);
	}
	others_go_on();
}

static void one_byte_stream(void)
{
	one_byte(SOCK_STREAM, WINDOW);
}

const struct test memory_tests[] = {
	TEST("one byte a packet", one_byte_stream, .deadline = 120),
	{ .name = NULL },
};

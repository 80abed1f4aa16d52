// SPDX-License-Identifier: GPL-2.0-only
/* getsockopt(GLASS_VSOCK_SO_INFO). */
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "glass_vsock.h"

#include "observe.h"
#include "vsock.h"

static struct glass_vsock_info read_info(int fd)
{
	struct glass_vsock_info info;
	socklen_t len = sizeof(info);

	NEED_OK(getsockopt(fd, AF_VSOCK, GLASS_VSOCK_SO_INFO, &info, &len));
	CHECK_EQ(len, sizeof(info));
	return info;
}

static void values(void)
{
	struct glass_vsock_info info;
	int fd[2];

	info = read_info(stream_socket());
	CHECK_EQ(info.state, GLASS_VSOCK_CLOSED);
	CHECK_EQ(info.activity_age_ns, 0);

	connected_pair(VMADDR_CID_LOCAL, fd);
	NEED_OK(send(fd[0], "abc", 3, 0));
	info = read_info(fd[0]);
	CHECK_EQ(info.state, GLASS_VSOCK_ESTABLISHED);
	CHECK_EQ(info.tx_bytes, 3);
	CHECK_EQ(info.tx_packets, 1);
	CHECK_EQ(info.tx_in_flight, 3);
	CHECK_EQ(info.tx_buf_alloc, 262144);
	CHECK_EQ(info.tx_free, 262144 - 3);
	CHECK(info.connect_ns > 0);
	info = read_info(fd[1]);
	CHECK_EQ(info.rx_bytes, 3);
	CHECK_EQ(info.rx_queued, 3);
}

static void lengths(void)
{
	uint8_t text[sizeof(struct glass_vsock_info) + 16];
	const socklen_t asked[] = { 0, 1, 4, sizeof(struct glass_vsock_info), sizeof(text) };
	int fd = stream_socket();
	socklen_t len;

	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		socklen_t want = asked[i] < sizeof(struct glass_vsock_info) ?
				 asked[i] : sizeof(struct glass_vsock_info);

		memset(text, 0xee, sizeof(text));
		len = asked[i];
		NEED_OK(getsockopt(fd, AF_VSOCK, GLASS_VSOCK_SO_INFO, text, &len));
		CHECK_EQ(len, want);
		CHECK(!len || text[0] == GLASS_VSOCK_CLOSED);
		for (size_t at = want; at < sizeof(text); at++)
			CHECK_EQ(text[at], 0xee);
	}
	len = -1;
	CHECK_OUTCOME(getsockopt(fd, AF_VSOCK, GLASS_VSOCK_SO_INFO, text, &len), "EINVAL");
	len = 4;
	CHECK_OUTCOME(getsockopt(fd, AF_VSOCK, GLASS_VSOCK_SO_INFO, NULL, &len), "EFAULT");
	CHECK_OUTCOME(setsockopt(fd, AF_VSOCK, GLASS_VSOCK_SO_INFO, text, 4), "ENOPROTOOPT");
}

const struct test info_tests[] = {
	TEST("of a connection", values),
	TEST("cut to the length given", lengths),
	{ .name = NULL },
};

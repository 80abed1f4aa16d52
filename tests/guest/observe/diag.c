// SPDX-License-Identifier: GPL-2.0-only
/* sock_diag: what stock's programs get, byte by byte. */
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "glass_vsock.h"

#include "diag.h"
#include "observe.h"
#include "vsock.h"

struct dump {
	uint32_t ino;
	struct vsock_diag_msg *msg;
	size_t *length;
	int count;
};

static int take(const struct nlmsghdr *nlh, void *data)
{
	const struct vsock_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	struct dump *dump = data;

	dump->count++;
	if (msg->vdiag_ino == dump->ino) {
		*dump->msg = *msg;
		*dump->length = mnl_nlmsg_get_payload_len(nlh);
	}
	return MNL_CB_OK;
}

static int ask(int type, int flags, const void *request, size_t size, struct dump *dump)
{
	static char buf[65536];
	struct mnl_socket *nl = mnl_socket_open(NETLINK_SOCK_DIAG);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int got, more = MNL_CB_OK, err = 0;

	NEED(nl != NULL);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	memcpy(mnl_nlmsg_put_extra_header(nlh, size), request, size);
	NEED_OK(mnl_socket_sendto(nl, nlh, nlh->nlmsg_len));
	while (more == MNL_CB_OK) {
		got = NEED_OK(mnl_socket_recvfrom(nl, buf, sizeof(buf)));
		more = mnl_cb_run(buf, got, 0, 0, take, dump);
	}
	if (more < 0)
		err = -errno;
	mnl_socket_close(nl);
	return err;
}

int diag_request(int type, int flags, const void *request, size_t size)
{
	return ask(type, NLM_F_ACK | flags, request, size, NULL);
}

int diag_dump(uint32_t states, uint32_t show, uint32_t ino, struct vsock_diag_msg *msg,
	      size_t *length)
{
	const struct vsock_diag_req req = {
		.sdiag_family = AF_VSOCK, .vdiag_states = states, .vdiag_show = show,
	};
	struct dump dump = { .ino = ino, .msg = msg, .length = length };

	*length = 0;
	NEED_OK(ask(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &req, sizeof(req), &dump));
	return dump.count;
}

uint32_t inode(int fd)
{
	struct stat status;

	NEED_OK(fstat(fd, &status));
	return status.st_ino;
}

/* The cookie is the socket's own affair. */
static void check_message(int fd, struct vsock_diag_msg want)
{
	struct vsock_diag_msg msg;
	size_t length;

	want.vdiag_family = AF_VSOCK;
	want.vdiag_type = SOCK_STREAM;
	want.vdiag_ino = inode(fd);
	CHECK(diag_dump(-1, 0, inode(fd), &msg, &length) > 0);
	CHECK_EQ(length, sizeof(msg));
	CHECK(msg.vdiag_cookie[0] || msg.vdiag_cookie[1]);
	memcpy(want.vdiag_cookie, msg.vdiag_cookie, sizeof(want.vdiag_cookie));
	CHECK(!memcmp(&msg, &want, sizeof(msg)));
}

static void messages(void)
{
	unsigned int port;
	int fd[2];

	fd[0] = stream_socket();
	check_message(fd[0], (struct vsock_diag_msg) {
		.vdiag_state = 7, .vdiag_src_cid = -1, .vdiag_src_port = -1,
		.vdiag_dst_cid = -1, .vdiag_dst_port = -1,
	});
	fd[0] = bound_socket(VMADDR_CID_LOCAL, &port);
	check_message(fd[0], (struct vsock_diag_msg) {
		.vdiag_state = 7, .vdiag_src_cid = 1, .vdiag_src_port = port,
		.vdiag_dst_cid = -1, .vdiag_dst_port = -1,
	});
	NEED_OK(listen(fd[0], 1));
	check_message(fd[0], (struct vsock_diag_msg) {
		.vdiag_state = 10, .vdiag_src_cid = 1, .vdiag_src_port = port,
		.vdiag_dst_cid = -1, .vdiag_dst_port = -1,
	});
	connected_pair(VMADDR_CID_LOCAL, fd);
	NEED_OK(shutdown(fd[0], SHUT_WR));
	check_message(fd[0], (struct vsock_diag_msg) {
		.vdiag_state = 1, .vdiag_shutdown = 2, .vdiag_src_cid = 1,
		.vdiag_src_port = local_name(fd[0]).svm_port, .vdiag_dst_cid = 1,
		.vdiag_dst_port = local_name(fd[1]).svm_port,
	});
}

static void requests(void)
{
	struct vsock_diag_req req = { .sdiag_family = AF_VSOCK, .vdiag_states = 1 << 10 };
	struct vsock_diag_msg msg;
	unsigned int port;
	size_t length;
	int fd = listener(VMADDR_CID_ANY, 1, &port);

	stream_socket();
	CHECK_EQ(diag_dump(1 << 10, 0, inode(fd), &msg, &length), 1);
	CHECK_EQ(length, sizeof(msg));
	CHECK_EQ(diag_dump(0, 0, inode(fd), &msg, &length), 0);

	/* One socket only, stock does not know either. */
	req.vdiag_ino = inode(fd);
	CHECK_EQ(diag_request(SOCK_DIAG_BY_FAMILY, 0, &req, sizeof(req)), -EOPNOTSUPP);
	diag_dump(-1, GLASS_VSOCK_DIAG_SHOW_INFO, inode(fd), &msg, &length);
	CHECK_EQ(length, sizeof(msg) + NLA_HDRLEN + sizeof(struct glass_vsock_info));
}

static void with_ss(void)
{
	static char text[65536];
	char want[64];
	unsigned int port;
	FILE *pipe;

	listener(VMADDR_CID_ANY, 1, &port);
	pipe = popen("ss --vsock -a -p -n", "re");
	NEED(pipe != NULL);
	text[fread(text, 1, sizeof(text) - 1, pipe)] = '\0';
	CHECK(!pclose(pipe));
	snprintf(want, sizeof(want), "*:%u", port);
	CHECK(strstr(text, want) != NULL);
	snprintf(want, sizeof(want), "pid=%d,", getpid());
	CHECK(strstr(text, want) != NULL);
}

const struct test diag_tests[] = {
	TEST("stock's message for each kind of socket", messages),
	TEST("requests", requests),
	TEST("ss --vsock -a -p", with_ss),
	{ .name = NULL },
};

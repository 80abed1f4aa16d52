// SPDX-License-Identifier: GPL-2.0-only
#include "sockets.h"

#include <err.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Large reads make the kernel send large messages: fewer system calls for many sockets. */
#define BUFFER_SIZE	32768

static int parse_attribute(const struct nlattr *attr, void *data)
{
	struct socket *sock = data;
	size_t len = mnl_attr_get_payload_len(attr);

	if (mnl_attr_get_type(attr) != GLASS_VSOCK_DIAG_INFO)
		return MNL_CB_OK;

	/* Another version of the driver may send less or more. */
	if (len > sizeof(sock->info))
		len = sizeof(sock->info);
	memcpy(&sock->info, mnl_attr_get_payload(attr), len);
	sock->has_info = true;
	return MNL_CB_OK;
}

int sockets_parse(const struct nlmsghdr *nlh, struct socket *sock)
{
	memset(sock, 0, sizeof(*sock));
	if (nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(sock->msg))
		return -1;

	memcpy(&sock->msg, mnl_nlmsg_get_payload(nlh), sizeof(sock->msg));
	if (sock->msg.vdiag_family != AF_VSOCK)
		return -1;

	mnl_attr_parse(nlh, sizeof(sock->msg), parse_attribute, sock);
	return 0;
}

static int append(const struct nlmsghdr *nlh, void *data)
{
	struct socket sock;

	if (sockets_parse(nlh, &sock)) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	fwrite(&sock, sizeof(sock), 1, data);
	return MNL_CB_OK;
}

static void send_request(struct mnl_socket *nl, uint32_t states)
{
	struct {
		struct nlmsghdr nlh;
		struct vsock_diag_req req;
	} message = {
		.nlh.nlmsg_len = sizeof(message),
		.nlh.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlh.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		.req.sdiag_family = AF_VSOCK,
		.req.vdiag_states = states,
		.req.vdiag_show = GLASS_VSOCK_DIAG_SHOW_INFO,
	};

	if (mnl_socket_sendto(nl, &message, sizeof(message)) < 0)
		err(EXIT_FAILURE, "cannot ask the kernel for its vsock sockets");
}

static void receive_answers(struct mnl_socket *nl, FILE *list)
{
	static char buffer[BUFFER_SIZE];
	int result = MNL_CB_OK;

	while (result > MNL_CB_STOP) {
		ssize_t len = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));

		if (len < 0)
			err(EXIT_FAILURE, "cannot read the kernel's list of vsock sockets");
		result = mnl_cb_run(buffer, len, 0, mnl_socket_get_portid(nl), append, list);
	}
	if (result == MNL_CB_ERROR && errno == ENOENT)
		errx(EXIT_FAILURE,
		     "the loaded vsock driver lacks its sock_diag part: run 'modprobe vsock_diag'");
	if (result == MNL_CB_ERROR)
		err(EXIT_FAILURE, "cannot list vsock sockets");
}

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int by_address(const void *left, const void *right)
{
	const struct vsock_diag_msg *a = &((const struct socket *)left)->msg;
	const struct vsock_diag_msg *b = &((const struct socket *)right)->msg;

	return COMPARE(a->vdiag_src_port, b->vdiag_src_port) ?:
	       COMPARE(a->vdiag_src_cid, b->vdiag_src_cid) ?:
	       COMPARE(a->vdiag_dst_cid, b->vdiag_dst_cid) ?:
	       COMPARE(a->vdiag_dst_port, b->vdiag_dst_port);
}

struct socket *sockets_read(uint32_t states, size_t *count)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	char *list = NULL;
	size_t size = 0;
	FILE *stream;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		err(EXIT_FAILURE, "cannot open a sock_diag socket");
	stream = open_memstream(&list, &size);
	if (!stream)
		err(EXIT_FAILURE, "cannot list vsock sockets");

	send_request(nl, states);
	receive_answers(nl, stream);
	mnl_socket_close(nl);
	if (fclose(stream))
		err(EXIT_FAILURE, "cannot list vsock sockets");

	*count = size / sizeof(struct socket);
	qsort(list, *count, sizeof(struct socket), by_address);
	return (struct socket *)list;
}

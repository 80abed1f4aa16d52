// SPDX-License-Identifier: GPL-2.0-only
/* sock_diag, by several threads at once. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/sock_diag.h>
#include <linux/vm_sockets_diag.h>

#include "calls.h"

struct visit {
	void (*each)(const struct vsock_diag_msg *msg, void *data);
	void *data;
	long count;
};

static int take(const struct nlmsghdr *nlh, void *data)
{
	struct visit *visit = data;

	visit->count++;
	if (visit->each)
		visit->each(mnl_nlmsg_get_payload(nlh), visit->data);
	return MNL_CB_OK;
}

static long ask(int type, int flags, const struct vsock_diag_req *req, struct visit *visit)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	char buf[32768];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int got, more = MNL_CB_OK;

	if (!nl)
		return -1;
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	*(struct vsock_diag_req *)mnl_nlmsg_put_extra_header(nlh, sizeof(*req)) = *req;
	got = mnl_socket_sendto(nl, nlh, nlh->nlmsg_len);
	while (got >= 0 && more == MNL_CB_OK) {
		got = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		more = got < 0 ? got : mnl_cb_run(buf, got, 0, 0, take, visit);
	}
	mnl_socket_close(nl);
	return got < 0 ? got : more;
}

long diag_list(uint32_t states, uint32_t show,
	       void (*each)(const struct vsock_diag_msg *msg, void *data), void *data)
{
	const struct vsock_diag_req req = {
		.sdiag_family = AF_VSOCK, .vdiag_states = states, .vdiag_show = show,
	};
	struct visit visit = { .each = each, .data = data };

	return ask(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &req, &visit) < 0 ? -1 : visit.count;
}

long diag_destroy(uint32_t ino)
{
	const struct vsock_diag_req req = { .sdiag_family = AF_VSOCK, .vdiag_ino = ino };

	return ask(SOCK_DESTROY, NLM_F_ACK, &req, NULL);
}

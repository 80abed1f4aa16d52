// SPDX-License-Identifier: GPL-2.0-only
/* The module: what is set up, in order, and taken down in reverse. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/net.h>

#include "diag.h"
#include "monitor.h"
#include "socket.h"
#include "stats.h"
#include "table.h"
#include "transport.h"

/* For the tools, which refuse a contract they do not know. */
static unsigned int contract = GLASS_VSOCK_CONTRACT;
module_param(contract, uint, 0444);
MODULE_PARM_DESC(contract, "Version of the contract with tools (read only)");

static int __init glass_init(void)
{
	int err;

	err = glass_table_init();
	if (err)
		return err;
	err = glass_socket_init();
	if (err)
		goto exit_table;
	err = glass_diag_init();
	if (err)
		goto exit_socket;
	err = glass_monitor_init();
	if (err)
		goto exit_diag;
	err = glass_stats_init();
	if (err)
		goto exit_monitor;
	err = glass_virtio_init();
	if (err)
		goto exit_stats;
	glass_socket_open();
	return 0;

exit_stats:
	glass_stats_exit();
exit_monitor:
	glass_monitor_exit();
exit_diag:
	glass_diag_exit();
exit_socket:
	glass_socket_exit();
exit_table:
	glass_table_exit();
	return err;
}

static void __exit glass_exit(void)
{
	glass_virtio_exit();
	glass_stats_exit();
	glass_monitor_exit();
	glass_diag_exit();
	glass_socket_exit();
	/* Sockets are freed by RCU, from this module's cache. */
	rcu_barrier();
	glass_table_exit();
}

module_init(glass_init);
module_exit(glass_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("AF_VSOCK for guests that can be seen through");
MODULE_VERSION("0.1.0");
MODULE_ALIAS_NETPROTO(PF_VSOCK);
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_NETLINK, NETLINK_SOCK_DIAG, AF_VSOCK);

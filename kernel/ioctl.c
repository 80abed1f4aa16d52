// SPDX-License-Identifier: GPL-2.0-only
/* ioctl() on sockets, and of what /dev/vsock has as well. */

#include <linux/compat.h>
#include <linux/sockios.h>

#include <asm/ioctls.h>

#include "rx.h"
#include "socket.h"
#include "transport.h"

int glass_local_cid_ioctl(unsigned int cmd, unsigned long arg)
{
	u32 cid = glass_virtio_cid();

	if (cmd != IOCTL_VM_SOCKETS_GET_LOCAL_CID)
		return -ENOIOCTLCMD;
	if (cid == VMADDR_CID_ANY)
		cid = VMADDR_CID_LOCAL;
	return put_user(cid, (u32 __user *)arg);
}

/* Bytes to be read, and bytes that the carrier has not handed over yet. */
static int queue_ioctl(struct sock *sk, unsigned int cmd, int __user *arg)
{
	struct glass_sock *gs = glass_sk(sk);
	u32 bytes;

	/* As stock says it: there is no carrier before the first connect(). */
	if (!READ_ONCE(gs->transport))
		return -EOPNOTSUPP;
	if (READ_ONCE(sk->sk_state) == GLASS_VSOCK_LISTEN)
		return -EINVAL;
	bytes = cmd == SIOCINQ ? glass_rx_bytes(sk) :
				 atomic_read(&gs->tx_unsent);
	return put_user(min_t(u32, bytes, INT_MAX), arg);
}

int glass_socket_ioctl(struct socket *sock, unsigned int cmd,
		       unsigned long arg)
{
	switch (cmd) {
	case SIOCINQ:
	case SIOCOUTQ:
		return queue_ioctl(sock->sk, cmd, (int __user *)arg);
	default:
		return glass_local_cid_ioctl(cmd, arg);
	}
}

#ifdef CONFIG_COMPAT
int glass_socket_compat_ioctl(struct socket *sock, unsigned int cmd,
			      unsigned long arg)
{
	return glass_socket_ioctl(sock, cmd, (unsigned long)compat_ptr(arg));
}
#endif

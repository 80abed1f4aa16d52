/* SPDX-License-Identifier: GPL-2.0-only */
/* The socket family and its calls. */
#ifndef GLASS_SOCKET_H
#define GLASS_SOCKET_H

#include "glass.h"

/*
 * Register the protocol, the family and /dev/vsock.  Sockets can be made once
 * glass_socket_open() was called.  May sleep.  -EEXIST if another driver owns
 * the family, -ENOMEM.
 */
int __init glass_socket_init(void);
void glass_socket_open(void);
void glass_socket_exit(void);

/*
 * AF_VSOCK's options, for struct proto_ops.  Process context; take the socket
 * lock.  -ENOPROTOOPT, -EINVAL, -EFAULT, -ERANGE.
 */
int glass_setsockopt(struct socket *sock, int level, int optname,
		     sockptr_t optval, unsigned int optlen);
int glass_getsockopt(struct socket *sock, int level, int optname,
		     char __user *optval, int __user *optlen);

/* For struct proto_ops.  Takes no lock; may sleep. */
__poll_t glass_socket_poll(struct file *file, struct socket *sock,
			   poll_table *table);

/*
 * For struct proto_ops: bytes in the queues, and the CID, which /dev/vsock has,
 * too.  Process context.  -EFAULT; -EOPNOTSUPP, -EINVAL of a socket that has no
 * queues; -ENOIOCTLCMD.
 */
int glass_socket_ioctl(struct socket *sock, unsigned int cmd,
		       unsigned long arg);
int glass_socket_compat_ioctl(struct socket *sock, unsigned int cmd,
			      unsigned long arg);
int glass_local_cid_ioctl(unsigned int cmd, unsigned long arg);

/* The options of a fresh socket. */
void glass_default_options(struct glass_sock *gs);

#endif /* GLASS_SOCKET_H */

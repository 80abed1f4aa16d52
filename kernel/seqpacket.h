/* SPDX-License-Identifier: GPL-2.0-only */
/* Sending and receiving on SOCK_SEQPACKET. */
#ifndef GLASS_SEQPACKET_H
#define GLASS_SEQPACKET_H

#include "glass.h"

/*
 * struct proto_ops' sendmsg: all of the message or nothing, and an errno.  May
 * sleep.  -EMSGSIZE if it is larger than the window will ever be.
 */
int glass_seqpacket_sendmsg(struct socket *sock, struct msghdr *msg,
			    size_t len);

/*
 * struct proto_ops' recvmsg: the bytes of the next message that fit (with
 * MSG_TRUNC all that it has), or an errno.  The rest of it is lost.  May sleep.
 */
int glass_seqpacket_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
			    int flags);

#endif /* GLASS_SEQPACKET_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* Sending and receiving on SOCK_STREAM. */
#ifndef GLASS_STREAM_H
#define GLASS_STREAM_H

#include "glass.h"

/*
 * struct proto_ops' sendmsg and recvmsg: bytes moved, which may be fewer than
 * asked, or an errno.  May sleep.
 */
int glass_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len);
int glass_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
			 int flags);

/* Bytes that send() would take now.  Any context. */
u32 glass_stream_tx_room(const struct sock *sk);

/*
 * Bytes that make the socket readable: SO_RCVLOWAT, but no more than can be
 * there.  Any context.
 */
u32 glass_stream_rcvlowat(const struct sock *sk);

/* struct proto_ops' set_rcvlowat.  Owned by the calling process; may sleep. */
int glass_stream_set_rcvlowat(struct sock *sk, int val);

/* Forget what was received and not read.  Owned by the calling process. */
void glass_stream_purge(struct sock *sk);

#endif /* GLASS_STREAM_H */

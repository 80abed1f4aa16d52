/* SPDX-License-Identifier: GPL-2.0-only */
/* Sending and receiving on SOCK_STREAM. */
#ifndef GLASS_STREAM_H
#define GLASS_STREAM_H

#include "glass.h"

struct pipe_inode_info;

/*
 * struct proto_ops' sendmsg and recvmsg: bytes moved, which may be fewer than
 * asked, or an errno.  May sleep.
 */
int glass_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len);
int glass_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
			 int flags);

/*
 * Bytes that make the socket readable: SO_RCVLOWAT, but no more than can be
 * there.  Any context.
 */
u32 glass_stream_rcvlowat(const struct sock *sk);

/* struct proto_ops' splice_read, and until 6.5 sendpage.  May sleep. */
ssize_t glass_stream_splice_read(struct socket *sock, loff_t *ppos,
				 struct pipe_inode_info *pipe, size_t len,
				 unsigned int flags);
ssize_t glass_stream_sendpage(struct socket *sock, struct page *page,
			      int offset, size_t size, int flags);

/* struct proto_ops' set_rcvlowat.  Owned by the calling process; may sleep. */
int glass_stream_set_rcvlowat(struct sock *sk, int val);

#endif /* GLASS_STREAM_H */

// SPDX-License-Identifier: GPL-2.0-only
/* Pages between sockets, pipes and files. */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "calls.h"

static unsigned int splice_flags(struct caller *c)
{
	return MIX(c, 2, SPLICE_F_NONBLOCK) | MIX(c, 3, SPLICE_F_MOVE, SPLICE_F_MORE);
}

static long op_splice_out(struct caller *c)
{
	return splice(a_slot(c), NULL, c->pipe[1], NULL, a_size(c), splice_flags(c));
}

static long op_splice_in(struct caller *c)
{
	return splice(c->pipe[0], NULL, a_slot(c), NULL, a_size(c), splice_flags(c));
}

/* The pipe is emptied when nothing more goes in. */
static long op_vmsplice(struct caller *c)
{
	struct iovec iov = { c->buffer, 1 + below(c, 60000) };
	long n = vmsplice(c->pipe[1], &iov, 1, SPLICE_F_NONBLOCK | MIX(c, 4, SPLICE_F_GIFT));

	while (n < 0 && read(c->pipe[0], c->buffer, BUFFER_SIZE) > 0)
		;
	return n;
}

static long op_tee(struct caller *c)
{
	long n = tee(c->pipe[0], c->other_pipe[1], 1 + below(c, 65536), SPLICE_F_NONBLOCK);

	if (one_in(c, 2))
		return n;
	return splice(c->other_pipe[0], NULL, a_slot(c), NULL, a_size(c), splice_flags(c));
}

static long op_sendfile(struct caller *c)
{
	off_t offset = below(c, BUFFER_SIZE);

	return sendfile(a_slot(c), c->file, a_pointer(c, &offset), a_size(c));
}

const struct operation pipe_operations[] = {
	{ "splice out", 4, op_splice_out },
	{ "splice in", 3, op_splice_in },
	{ "vmsplice", 3, op_vmsplice },
	{ "tee", 2, op_tee },
	{ "sendfile", 3, op_sendfile },
	{ .name = NULL },
};

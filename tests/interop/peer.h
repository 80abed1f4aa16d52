/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a host offers to the tests in a guest: port by port, each connection on
 * its own.  Numbers on the wire are little-endian.
 */
#ifndef TESTS_INTEROP_PEER_H
#define TESTS_INTEROP_PEER_H

#include <stdbool.h>
#include <stdint.h>

enum peer_port {
	PEER_ECHO = 7001,	/* sends back what comes */
	PEER_SINK,		/* u64 count, then so many bytes; answers their u64 digest */
	PEER_SOURCE,		/* u64 count; sends so many bytes of PEER_SEED, closes */
	PEER_HOLD,		/* reads nothing until the other end is gone */
	PEER_DROP,		/* closes at once */
	PEER_CALL,		/* u32 port: connects to it in the guest and joins the two */
	PEER_COLLECT,		/* reads to the end; a REPORT tells */
	PEER_REPORT,		/* struct peer_report on the next COLLECT that ends */
	PEER_LAST,
};

#define PEER_SEED	4711
#define PEER_DEAD	7999	/* nobody listens */
#define NO_CID		77	/* never answers */

struct peer_report {
	uint64_t count;
	uint64_t digest;
};

/*
 * Serve all ports on the Unix sockets UDS_PORT of a vhost-device-vsock, in
 * threads.  False, with a line on stderr, if that cannot be.
 */
bool peer_serve(const char *uds);

/* Connect to a guest's port through UDS; -1 if nobody listens there. */
int peer_call(const char *uds, unsigned int port);

/* A Unix socket at PATH, listening or connected; -1 with errno. */
int unix_listen(const char *path);
int unix_connect(const char *path);

#endif

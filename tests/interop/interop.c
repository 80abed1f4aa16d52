// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of KERNEL over a device, against this host's programs and against
 * stock guests.  Runs in the top directory.
 *
 * All guests are on one vhost-device-vsock, so that they reach each other.  The
 * one with our driver serves all tests; a stock one, or one on another bus, lives
 * as long as its test: there are never more than two.
 */
#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../guest/stream.h"
#include "data.h"
#include "guest.h"
#include "peer.h"
#include "run.h"

#define STREAM		"build/tests/stream"
#define MIB		(1 << 20)
#define OUR_CID		3
#define STOCK_CID	4	/* of the first stock guest */
#define KERNELS_MAX	8
#define PORT		6000
#define MANY		200

static char directory[] = "/tmp/interop.XXXXXX";
static char uds[64], data_file[64], vhost_setting[96];
static char kernels[KERNELS_MAX][16];
static struct guest ours;

static void use_ours(void)
{
	guest_fresh(&ours);
}

static uint64_t said_digest(struct guest *guest)
{
	return strtoull(guest_says(guest, ""), NULL, 16);
}

/*
 * The host's end
 */

static int host_listen(const char *socket, unsigned int port)
{
	char path[96];

	snprintf(path, sizeof(path), "%s_%u", socket, port);
	unlink(path);
	return NEED_OK(unix_listen(path));
}

static int accept_one(int listening)
{
	int fd = NEED_OK(accept(listening, NULL, NULL));

	close(listening);
	return fd;
}

/* Who receives closes first: the device forgets what is on its way from who closed. */
static void receive_from_guest(int fd, uint64_t count, uint64_t seed, uint64_t *sum)
{
	*sum = stream_recv(fd, count, 65536, seed);
	NEED(*sum);
	close(fd);
}

static void guest_to_host(struct guest *guest, const char *socket, uint64_t count, size_t chunk)
{
	int listening = host_listen(socket, PORT);
	uint64_t sum;

	guest_do(guest, STREAM " connect 2 %d send %ju %zu", PORT, (uintmax_t)count, chunk);
	receive_from_guest(accept_one(listening), count, STREAM_SEED, &sum);
	CHECK(said_digest(guest) == sum);
	guest_done(guest);
}

static void host_to_guest(struct guest *guest, const char *socket, uint64_t count, size_t chunk)
{
	uint64_t sum;
	int fd;

	guest_do(guest, STREAM " listen %d recv %ju %zu", PORT, (uintmax_t)count, chunk);
	guest_says(guest, "listening");
	fd = NEED_OK(peer_call(socket, PORT));
	sum = stream_send(fd, count, chunk, STREAM_SEED);
	NEED(sum);
	CHECK(said_digest(guest) == sum);
	guest_done(guest);
	close(fd);
}

static void upload(void)
{
	guest_to_host(&ours, uds, 64 * MIB, 65536);
}

static void upload_megabytes(void)
{
	guest_to_host(&ours, uds, 64 * MIB, MIB);
}

static void download(void)
{
	host_to_guest(&ours, uds, 64 * MIB, 65536);
}

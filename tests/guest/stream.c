// SPDX-License-Identifier: GPL-2.0-only
/*
 * One end of what tests/interop asks for:
 *	stream connect CID PORT send|recv BYTES CHUNK
 *	stream listen PORT send|recv BYTES CHUNK
 *	stream connect CID PORT many COUNT	COUNT connections at once to an echo
 *	stream listen PORT echo COUNT		an echo for so many at once
 * A listener says "listening" when it does.  The digest of all data goes to
 * standard output; the exit status is 0 if all went well.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <linux/vm_sockets.h>
#include <unistd.h>

#include "data.h"
#include "stream.h"

static struct sockaddr_vm address(unsigned int cid, unsigned int port)
{
	return (struct sockaddr_vm) {
		.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port,
	};
}

static void give_up(const char *what)
{
	perror(what);
	exit(1);
}

static int connect_to(unsigned int cid, unsigned int port)
{
	struct sockaddr_vm addr = address(cid, port);
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		give_up("connect");
	return fd;
}

static int listen_on(unsigned int port)
{
	struct sockaddr_vm addr = address(VMADDR_CID_ANY, port);
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 300))
		give_up("listen");
	printf("listening\n");
	fflush(stdout);
	return fd;
}

static int accept_one(int listening)
{
	int fd = accept(listening, NULL, NULL);

	if (fd < 0)
		give_up("accept");
	return fd;
}

/* The receiver closes first: a device may forget data when the sender does. */
static int transfer(int fd, const char *direction, uint64_t count, size_t chunk)
{
	bool sends = !strcmp(direction, "send");
	uint64_t sum;
	char byte;

	sum = sends ? stream_send(fd, count, chunk, STREAM_SEED) :
		      stream_recv(fd, count, chunk, STREAM_SEED);
	if (sends && sum)
		recv_all(fd, &byte, 1);
	printf("%016jx\n", (uintmax_t)sum);
	return !sum;
}

static int many(unsigned int cid, unsigned int port, int count)
{
	int *fd = calloc(count, sizeof(*fd)), wrong = 0;
	char out[1000], in[sizeof(out)];

	for (int i = 0; i < count; i++)
		fd[i] = connect_to(cid, port);
	for (int i = 0; i < count; i++) {
		data_fill(out, sizeof(out), i, 0);
		if (send_all(fd[i], out, sizeof(out)) < 0)
			give_up("send");
	}
	for (int i = 0; i < count; i++)
		wrong += recv_all(fd[i], in, sizeof(in)) != sizeof(in) ||
			 !data_matches(in, sizeof(in), i, 0);
	if (wrong)
		fprintf(stderr, "%d of %d connections got wrong data\n", wrong, count);
	return !!wrong;
}

/* All are accepted before one is served, so that they are there at once. */
static int echo(int listening, int count)
{
	struct pollfd *peers = calloc(count, sizeof(*peers));
	char buf[65536];

	for (int i = 0; i < count; i++)
		peers[i] = (struct pollfd) { .fd = accept_one(listening), .events = POLLIN };
	for (int left = count; left && poll(peers, count, -1) > 0;) {
		for (int i = 0; i < count; i++) {
			ssize_t n;

			if (peers[i].fd < 0 || !peers[i].revents)
				continue;
			n = recv(peers[i].fd, buf, sizeof(buf), 0);
			if (n > 0 && send_all(peers[i].fd, buf, n) == n)
				continue;
			close(peers[i].fd);
			peers[i].fd = -1;
			left--;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	bool connects = argc > 1 && !strcmp(argv[1], "connect");
	char **rest = argv + (connects ? 4 : 3);
	int words = argc - (connects ? 4 : 3);
	int fd;

	if (argc < 3 || words < 2 || words > 3) {
		fprintf(stderr, "usage: see tests/guest/stream.c\n");
		return 2;
	}
	if (connects && words == 2)
		return many(atoi(argv[2]), atoi(argv[3]), atoi(rest[1]));
	fd = connects ? connect_to(atoi(argv[2]), atoi(argv[3])) : listen_on(atoi(argv[2]));
	if (words == 2)
		return echo(fd, atoi(rest[1]));
	if (!connects)
		fd = accept_one(fd);
	return transfer(fd, rest[0], strtoull(rest[1], NULL, 10), strtoul(rest[2], NULL, 10));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz SECONDS SEED: in a guest whose device breaks packets at random
 * (tests/device --fuzz), use one connection after the other, beside a few that
 * stay, for so long.  What goes wrong on them is the device's right; the driver
 * has to live on, and to give back all sockets.
 *
 * Prints how often each reason was counted; each that a device can cause has to
 * be, and there have to be connections.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

#include "../device/scenarios.h"
#include "data.h"
#include "glass_vsock.h"

#define WAIT_MS		50
#define KEPT		8
#define END_S		20	/* more than what closes has time for */
#define BYTES_MAX	30000

static uint64_t random_state;
static unsigned int connects, established, calls;

static unsigned int below(unsigned int limit)
{
	return random_below(&random_state, limit);
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* No wait is long: what does not come was lost. */
static int new_socket(int type)
{
	const struct timeval wait = { 0, WAIT_MS * 1000 };
	const int options[] = { SO_RCVTIMEO, SO_SNDTIMEO };
	int fd = socket(AF_VSOCK, type, 0);

	if (fd < 0) {
		perror("socket");
		exit(1);
	}
	for (int i = 0; i < 2; i++)
		setsockopt(fd, SOL_SOCKET, options[i], &wait, sizeof(wait));
	setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &wait, sizeof(wait));
	return fd;
}

/* Now and then one too small for what the device sends. */
static void choose_buffer(int fd)
{
	uint64_t size = 1 << (10 + below(9));

	if (below(2))
		setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, sizeof(size));
}

static int connect_to(int type, unsigned int port)
{
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = port,
	};
	int fd = new_socket(type);

	choose_buffer(fd);
	connects++;
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		established++;
		return fd;
	}
	close(fd);
	return -1;
}

/* All but what breaks rings, or takes long. */
static unsigned int choose_port(void)
{
	static const unsigned int usual[] = { PORT_ECHO, PORT_SINK, PORT_SOURCE, PORT_ONE_BYTE };

	if (below(3))
		return usual[below(sizeof(usual) / sizeof(usual[0]))];
	return below(2) ? PORT_SILENT + below(PORT_IDLE_INTERRUPTS - PORT_SILENT) :
			  PORT_LONG_PACKET + below(PORT_RESET_STORM - PORT_LONG_PACKET);
}

static void talk(int fd, unsigned int port)
{
	static char bytes[BYTES_MAX];
	uint64_t count = below(BYTES_MAX);

	if (port == PORT_SINK || port == PORT_SOURCE || port == PORT_ONE_BYTE)
		send(fd, &count, sizeof(count), MSG_NOSIGNAL);
	for (int i = below(4); i >= 0; i--)
		send(fd, bytes, 1 + below(sizeof(bytes)), MSG_NOSIGNAL);
	for (int i = below(8); i >= 0; i--) {
		if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
			break;
	}
	if (!below(8))
		shutdown(fd, below(3));
}

static int choose_type(unsigned int port)
{
	if (port == PORT_ENDLESS_MESSAGE || port == PORT_MESSAGE_FLAGS)
		return SOCK_SEQPACKET;
	return below(4) ? SOCK_STREAM : SOCK_SEQPACKET;
}

static void one_connection(int kept[KEPT])
{
	unsigned int port = choose_port(), place = below(KEPT);
	int fd = connect_to(choose_type(port), port);

	if (fd < 0)
		return;
	talk(fd, port);
	if (below(4)) {
		close(fd);
		return;
	}
	if (kept[place] >= 0)
		close(kept[place]);
	kept[place] = fd;
}

/* The device calls a listener that nobody serves, in all the ways it has. */
static void be_called(int listening, unsigned int port)
{
	const unsigned int how = PORT_FLOOD + below(PORT_TAKEN_BACK - PORT_FLOOD + 1);
	const uint64_t numbers[] = { below(8) ? port : port + 1, 1 + below(30) };
	int fd = connect_to(SOCK_STREAM, how), child;
	char byte;

	if (fd < 0)
		return;
	if (send(fd, numbers, sizeof(numbers), MSG_NOSIGNAL) > 0)
		recv(fd, &byte, 1, 0);
	close(fd);
	while ((child = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		calls++;
		send(child, "x", 1, MSG_NOSIGNAL);
		recv(child, &byte, 1, 0);
		close(child);
		if (!below(4))
			break;
	}
}

static int listen_somewhere(unsigned int *port)
{
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = VMADDR_PORT_ANY,
	};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (bind(fd, (struct sockaddr *)&addr, len) || listen(fd, 4) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len)) {
		perror("listen");
		exit(1);
	}
	*port = addr.svm_port;
	return fd;
}

static void fuzz(time_t seconds, uint64_t seed)
{
	time_t end = now() + seconds;
	int kept[KEPT], listening;
	unsigned int port;

	memset(kept, -1, sizeof(kept));
	listening = listen_somewhere(&port);
	/* What is done next does not depend on how the last went. */
	for (uint64_t step = 0; now() < end; step++) {
		random_state = seed + (step << 32);
		if (below(8))
			one_connection(kept);
		else
			be_called(listening, port);
	}
	close(listening);
	for (int i = 0; i < KEPT; i++) {
		if (kept[i] >= 0)
			close(kept[i]);
	}
}

/* The line of NAME in /proc/net/glass_vsock. */
static unsigned long long counted(const char *name)
{
	FILE *file = fopen("/proc/net/glass_vsock", "re");
	unsigned long long value = 0;
	char key[80];

	if (!file) {
		perror("/proc/net/glass_vsock");
		exit(1);
	}
	while (fscanf(file, "%79s %llu", key, &value) == 2 && strcmp(key, name))
		;
	if (strcmp(key, name))
		value = 0;
	fclose(file);
	return value;
}

static unsigned long long counted_of(const char *what, int reason)
{
	char name[80];

	snprintf(name, sizeof(name), "%s_%s", what, glass_vsock_reason_name(reason));
	return counted(name);
}

static bool print_reasons(void)
{
	bool all = true;

	for (int reason = 1; reason < GLASS_VSOCK_R_MAX; reason++) {
		unsigned long long sent = counted_of("resets_tx", reason);
		unsigned long long drops = counted_of("drops", reason);
		bool wanted = reason >= GLASS_VSOCK_R_SHORT_HEADER &&
			      reason <= GLASS_VSOCK_R_MESSAGE_TOO_LONG;

		printf("%-18s %8llu resets %8llu drops\n", glass_vsock_reason_name(reason),
		       sent, drops);
		if (wanted && !sent && !drops) {
			printf("FAIL: nothing was %s\n", glass_vsock_reason_name(reason));
			all = false;
		}
	}
	return all;
}

/* Sockets of the driver, open or not yet freed. */
static int sockets(void)
{
	FILE *file = fopen("/proc/net/protocols", "re");
	char line[256];
	int count = -1;

	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "glass_vsock ", 12))
			sscanf(line, "%*s %*d %d", &count);
	}
	if (file)
		fclose(file);
	return count;
}

/* What was closed has 8 s to hear of it.  Nothing tells when the last is free. */
static bool all_freed(void)
{
	time_t end = now() + END_S;

	while (sockets() && now() < end)
		poll(NULL, 0, 50);
	if (!sockets())
		return true;
	printf("FAIL: %d sockets are left\n", sockets());
	return false;
}

int main(int argc, char **argv)
{
	bool good;

	if (argc != 3) {
		fprintf(stderr, "usage: fuzz SECONDS SEED\n");
		return 2;
	}
	fuzz(atoi(argv[1]), strtoull(argv[2], NULL, 0));
	good = all_freed();
	good &= print_reasons();
	printf("%u of %u connections established, %u accepted, %llu packets sent, %llu received\n",
	       established, connects, calls, counted("tx_packets"), counted("rx_packets"));
	if (!established || !calls) {
		printf("FAIL: no connections\n");
		good = false;
	}
	return !good;
}

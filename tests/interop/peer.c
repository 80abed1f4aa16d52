// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "data.h"
#include "peer.h"

static const char *uds_path;

/* COLLECT leaves one here, REPORT takes it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct peer_report collected;
static bool there;

static int unix_socket(const char *path, struct sockaddr_un *addr)
{
	*addr = (struct sockaddr_un) { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(addr->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(addr->sun_path, path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int unix_listen(const char *path)
{
	struct sockaddr_un addr;
	int fd = unix_socket(path, &addr);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 300))
		return -1;
	return fd;
}

int unix_connect(const char *path)
{
	struct sockaddr_un addr;
	int fd = unix_socket(path, &addr);

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -1;
	return fd;
}

int peer_call(const char *uds, unsigned int port)
{
	char text[32];
	int fd = unix_connect(uds);
	size_t used = 0;

	if (fd < 0)
		return -1;
	snprintf(text, sizeof(text), "CONNECT %u\n", port);
	send_all(fd, text, strlen(text));
	/* Byte by byte: what follows the line is the guest's. */
	while (used < sizeof(text) && recv(fd, text + used, 1, 0) == 1) {
		if (text[used++] == '\n')
			return fd;
	}
	close(fd);
	return -1;
}

static void serve_echo(int fd)
{
	char buf[65536];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		if (send_all(fd, buf, n) < 0)
			break;
	}
}

static uint64_t take(int fd, uint64_t count, uint64_t *taken)
{
	uint64_t sum = DIGEST_START;
	char buf[65536];
	ssize_t n = 1;

	for (*taken = 0; *taken < count && n > 0; *taken += n > 0 ? n : 0) {
		n = recv(fd, buf, count - *taken < sizeof(buf) ? count - *taken : sizeof(buf), 0);
		if (n > 0)
			sum = digest(sum, buf, n);
	}
	return sum;
}

static void serve_sink(int fd)
{
	uint64_t count, taken, sum;

	if (recv_all(fd, &count, sizeof(count)) != sizeof(count))
		return;
	sum = take(fd, count, &taken);
	send_all(fd, &sum, sizeof(sum));
	take(fd, UINT64_MAX, &taken);
}

static void serve_source(int fd)
{
	uint64_t count;

	if (recv_all(fd, &count, sizeof(count)) == sizeof(count))
		stream_send(fd, count, 65536, PEER_SEED);
}

static void serve_hold(int fd)
{
	struct pollfd gone = { .fd = fd };

	poll(&gone, 1, -1);
}

static void pass_on(struct pollfd *from, struct pollfd *to)
{
	char buf[65536];
	ssize_t n;

	if (!from->revents)
		return;
	n = recv(from->fd, buf, sizeof(buf), 0);
	if (n > 0 && send_all(to->fd, buf, n) == n)
		return;
	shutdown(to->fd, SHUT_WR);
	from->fd = -1;
}

static void serve_call(int fd)
{
	struct pollfd ends[2];
	uint32_t port;
	int guest;

	if (recv_all(fd, &port, sizeof(port)) != sizeof(port))
		return;
	guest = peer_call(uds_path, port);
	if (guest < 0)
		return;
	ends[0] = (struct pollfd) { .fd = fd, .events = POLLIN };
	ends[1] = (struct pollfd) { .fd = guest, .events = POLLIN };
	while (ends[0].fd >= 0 && ends[1].fd >= 0 && poll(ends, 2, -1) > 0) {
		pass_on(&ends[0], &ends[1]);
		if (ends[0].fd >= 0)
			pass_on(&ends[1], &ends[0]);
	}
	close(guest);
}

static void serve_collect(int fd)
{
	struct peer_report report;

	report.digest = take(fd, UINT64_MAX, &report.count);
	pthread_mutex_lock(&lock);
	collected = report;
	there = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void serve_report(int fd)
{
	pthread_mutex_lock(&lock);
	while (!there)
		pthread_cond_wait(&changed, &lock);
	there = false;
	send_all(fd, &collected, sizeof(collected));
	pthread_mutex_unlock(&lock);
}

struct connection {
	int fd, port;
};

static void *serve(void *data)
{
	struct connection connection = *(struct connection *)data;
	int fd = connection.fd;

	free(data);
	switch (connection.port) {
	case PEER_ECHO:
		serve_echo(fd);
		break;
	case PEER_SINK:
		serve_sink(fd);
		break;
	case PEER_SOURCE:
		serve_source(fd);
		break;
	case PEER_HOLD:
		serve_hold(fd);
		break;
	case PEER_CALL:
		serve_call(fd);
		break;
	case PEER_COLLECT:
		serve_collect(fd);
		break;
	case PEER_REPORT:
		serve_report(fd);
		break;
	}
	close(fd);
	return NULL;
}

static void *accept_all(void *data)
{
	struct connection listening = *(struct connection *)data;
	int fd;

	free(data);
	while ((fd = accept(listening.fd, NULL, NULL)) >= 0) {
		struct connection *connection = malloc(sizeof(*connection));
		pthread_t thread;

		*connection = (struct connection) { fd, listening.port };
		if (pthread_create(&thread, NULL, serve, connection))
			abort();
		pthread_detach(thread);
	}
	return NULL;
}

bool peer_serve(const char *uds)
{
	uds_path = uds;
	for (int port = PEER_ECHO; port < PEER_LAST; port++) {
		struct connection *listening = malloc(sizeof(*listening));
		char path[256];
		pthread_t thread;

		snprintf(path, sizeof(path), "%s_%d", uds, port);
		*listening = (struct connection) { unix_listen(path), port };
		if (listening->fd < 0 || pthread_create(&thread, NULL, accept_all, listening)) {
			perror(path);
			return false;
		}
		pthread_detach(thread);
	}
	return true;
}

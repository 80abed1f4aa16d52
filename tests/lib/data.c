// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "data.h"

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static uint64_t word_at(uint64_t seed, uint64_t index)
{
	return mix(mix(seed) + index * 0x9e3779b97f4a7c15ULL);
}

void data_fill(void *buf, size_t len, uint64_t seed, uint64_t offset)
{
	unsigned char *out = buf;

	while (len) {
		uint64_t word = word_at(seed, offset / 8);
		size_t skip = offset % 8;
		size_t n = len < 8 - skip ? len : 8 - skip;

		memcpy(out, (char *)&word + skip, n);
		out += n;
		offset += n;
		len -= n;
	}
}

bool data_matches(const void *buf, size_t len, uint64_t seed, uint64_t offset)
{
	const char *at = buf;
	char want[4096];

	while (len) {
		size_t n = len < sizeof(want) ? len : sizeof(want);

		data_fill(want, n, seed, offset);
		if (memcmp(at, want, n))
			return false;
		at += n;
		offset += n;
		len -= n;
	}
	return true;
}

uint64_t digest(uint64_t so_far, const void *buf, size_t len)
{
	const unsigned char *at = buf;

	while (len--)
		so_far = (so_far ^ *at++) * 0x100000001b3ULL;
	return so_far;
}

uint64_t random_next(uint64_t *state)
{
	return mix(*state += 0x9e3779b97f4a7c15ULL);
}

uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return ((random_next(state) >> 32) * limit) >> 32;
}

ssize_t send_all(int fd, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = send(fd, (const char *)buf + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			done += n;
	}
	return done;
}

ssize_t recv_all(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = recv(fd, (char *)buf + done, len - done, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += n;
	}
	return done;
}

uint64_t stream_send(int fd, uint64_t count, size_t chunk, uint64_t seed)
{
	char *buf = malloc(chunk);
	uint64_t sum = DIGEST_START, done = 0;

	while (done < count) {
		size_t n = count - done < chunk ? count - done : chunk;

		data_fill(buf, n, seed, done);
		if (send_all(fd, buf, n) < 0) {
			fprintf(stderr, "send after %ju bytes: %s\n", (uintmax_t)done,
				strerror(errno));
			sum = 0;
			break;
		}
		sum = digest(sum, buf, n);
		done += n;
	}
	free(buf);
	return sum;
}

uint64_t stream_recv(int fd, uint64_t count, size_t chunk, uint64_t seed)
{
	char *buf = malloc(chunk);
	uint64_t sum = DIGEST_START, done = 0;

	while (done < count) {
		ssize_t n = recv(fd, buf, count - done < chunk ? count - done : chunk, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || !data_matches(buf, n, seed, done)) {
			fprintf(stderr, "receive after %ju bytes: %s\n", (uintmax_t)done,
				n < 0 ? strerror(errno) : n ? "wrong data" : "end of file");
			sum = 0;
			break;
		}
		sum = digest(sum, buf, n);
		done += n;
	}
	free(buf);
	return sum;
}

/* The number of bytes, 0 for not now, or -1. */
static ssize_t tried(ssize_t result)
{
	return result < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : result;
}

bool stream_both(int fd, size_t count, uint64_t sends, uint64_t receives)
{
	char out[40000], in[30000];
	size_t sent = 0, received = 0;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (sent < count || received < count) {
		struct pollfd poller = { .fd = fd, .events = POLLIN };
		size_t left = count - sent;
		ssize_t n = 0;

		if (left) {
			poller.events |= POLLOUT;
			left = left < sizeof(out) ? left : sizeof(out);
			data_fill(out, left, sends, sent);
		}
		if (poll(&poller, 1, -1) < 0)
			return false;
		if (left)
			n = tried(send(fd, out, left, MSG_NOSIGNAL));
		if (n < 0)
			return false;
		sent += n;
		n = 0;
		if (received < count && poller.revents & ~POLLOUT) {
			n = recv(fd, in, sizeof(in), 0);
			if (!n || (n = tried(n)) < 0 || !data_matches(in, n, receives, received))
				return false;
		}
		received += n;
	}
	return true;
}

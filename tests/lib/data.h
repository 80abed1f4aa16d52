/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bytes to send: a stream that a seed and an offset determine, so that any
 * part of it can be made, and checked, anywhere.
 */
#ifndef TESTS_LIB_DATA_H
#define TESTS_LIB_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

void data_fill(void *buf, size_t len, uint64_t seed, uint64_t offset);
bool data_matches(const void *buf, size_t len, uint64_t seed, uint64_t offset);

/* FNV-1a, to compare two ends by: start with DIGEST_START. */
#define DIGEST_START	0xcbf29ce484222325ULL
uint64_t digest(uint64_t so_far, const void *buf, size_t len);

/* A seeded generator (splitmix64); below(0) is 0. */
uint64_t random_next(uint64_t *state);
uint32_t random_below(uint64_t *state, uint32_t limit);

/* All of it, or less: recv_all at end of file or an error, send_all at an error (-1). */
ssize_t send_all(int fd, const void *buf, size_t len);
ssize_t recv_all(int fd, void *buf, size_t len);

/*
 * Send or receive COUNT bytes of stream SEED in calls of at most CHUNK.  The
 * digest of all of it; 0, with a line on stderr, if something was wrong.
 */
uint64_t stream_send(int fd, uint64_t count, size_t chunk, uint64_t seed);
uint64_t stream_recv(int fd, uint64_t count, size_t chunk, uint64_t seed);

/*
 * Send COUNT bytes of stream SENDS and receive as many of RECEIVES at once, so
 * that neither end waits for the other.  Leaves the socket non-blocking.
 */
bool stream_both(int fd, size_t count, uint64_t sends, uint64_t receives);

#endif

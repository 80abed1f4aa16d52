/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiting by edges. */
#ifndef TESTS_GUEST_EPOLL_H
#define TESTS_GUEST_EPOLL_H

#include <stdbool.h>
#include <stddef.h>

/* An epoll that watches FD; the first events are there at once. */
int edges_of(int fd, unsigned int events);
/* The events of the next edge that comes within MS, or 0. */
unsigned int edge(int epoll, int ms);

/* False if there is an error, or no edge in ten seconds. */
bool send_by_edges(int fd, size_t count);

#endif

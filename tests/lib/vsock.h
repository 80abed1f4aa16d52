/* SPDX-License-Identifier: GPL-2.0-only */
/* AF_VSOCK in few words.  What says so ends the test when it fails. */
#ifndef TESTS_LIB_VSOCK_H
#define TESTS_LIB_VSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <linux/vm_sockets.h>

#define NO_PORT		VMADDR_PORT_ANY

struct sockaddr_vm vm_addr(unsigned int cid, unsigned int port);
int vm_bind(int fd, unsigned int cid, unsigned int port);
int vm_connect(int fd, unsigned int cid, unsigned int port);

/* These end the test when they fail. */
unsigned int own_cid(void);
int stream_socket(void);
int stream_nonblocking(void);
const char *cid_name(unsigned int cid);			/* "ANY", "own" or the number */
struct sockaddr_vm local_name(int fd);
struct sockaddr_vm peer_name(int fd);
int bound_socket(unsigned int cid, unsigned int *port);
int listener(unsigned int cid, int backlog, unsigned int *port);
int connected(unsigned int cid, unsigned int port);
void connected_pair(unsigned int cid, int fd[2]);	/* client, accepted */
int listener_of(int type, unsigned int cid, int backlog, unsigned int *port);
/* Both with buffers of SIZE bytes, from the first packet on. */
void connected_pair_of(int type, unsigned int cid, unsigned long long size, int fd[2]);
unsigned int dead_port(void);				/* where nobody listens */
void set_nonblocking(int fd);
void set_u64(int fd, int option, unsigned long long value);
unsigned long long get_u64(int fd, int option);
void set_timeout(int fd, int level, int option, unsigned int ms);
int socket_error(int fd);				/* SO_ERROR */

/* The events that poll() shows within MS, as "IN+OUT+HUP", or "none". */
const char *events(int fd, int wanted, int ms);
/* Whether one of WANTED, or an error, comes within MS. */
bool ready(int fd, int wanted, int ms);

/* Sends without blocking until EAGAIN; the number of bytes that went. */
size_t fill(int fd, size_t chunk);
/* Receives without blocking until EAGAIN or the end; the number of bytes. */
size_t drain(int fd);

double seconds(void);		/* monotonic */
/*
 * Whether it waited since BEGIN, and did not return at once.  Not for how long:
 * the ticks of a guest whose processor was away catch up, and timers are early.
 */
bool waited(double begin, double seconds_asked);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random calls.  Each caller is a thread, with choices of its own that follow
 * from the seed and its number alone.  All callers of a process use the
 * descriptors SLOT_FIRST to SLOT_FIRST + SLOTS - 1, and nothing else is ever
 * there: what one closes under another's feet is a socket, or nothing.
 */
#ifndef TESTS_GUEST_CALLS_H
#define TESTS_GUEST_CALLS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <liburing.h>
#include <linux/vm_sockets.h>

#define SLOT_FIRST	200
#define SLOTS		24
#define LISTENERS	6	/* of them, the first: for listeners, in most cases */

#define BUFFER_SIZE	(1 << 20)	/* a page that is not there follows it */
#define LIMIT_MS	12		/* for most calls that wait */

struct caller {
	uint64_t random;
	unsigned int number;
	char *buffer;
	int pipe[2], other_pipe[2];
	int unix_pair[2];
	int epoll;
	int file;
	struct io_uring ring;
	struct sockaddr_vm ring_addr;	/* of a connect until it is submitted */
	pid_t child;			/* that waits to be killed, or 0 */
	pid_t *sibling;			/* the threads of this process */
	unsigned int siblings;
};

/* Does one call, or a few that belong together: negative if it failed. */
struct operation {
	const char *name;
	unsigned int weight;
	long (*run)(struct caller *c);
};

/* Each table ends with an empty entry. */
extern const struct operation life_operations[];
extern const struct operation data_operations[];
extern const struct operation option_operations[];
extern const struct operation wait_operations[];
extern const struct operation pipe_operations[];
extern const struct operation process_operations[];

/* choose.c: arguments, most of them good. */
uint32_t below(struct caller *c, uint32_t limit);
bool one_in(struct caller *c, uint32_t n);
int pick(struct caller *c, const int *values, size_t count);
#define PICK(c, ...)							\
	pick(c, (const int []) { __VA_ARGS__ },				\
	     sizeof((int []) { __VA_ARGS__ }) / sizeof(int))
/* Each of them is in it one time in N. */
int mix(struct caller *c, uint32_t n, const int *flags, size_t count);
#define MIX(c, n, ...)							\
	mix(c, n, (const int []) { __VA_ARGS__ },			\
	    sizeof((int []) { __VA_ARGS__ }) / sizeof(int))

int a_slot(struct caller *c);
int a_type(struct caller *c);
void *a_pointer(struct caller *c, void *good);
socklen_t a_length(struct caller *c, socklen_t good);
size_t a_size(struct caller *c);
/* A part of the buffer of SIZE bytes, which may reach over its end. */
void *a_buffer(struct caller *c, size_t size);
/* Fills in up to 4 of IOV; how many to say. */
size_t a_vector(struct caller *c, struct iovec *iov);
socklen_t an_address(struct caller *c, struct sockaddr_vm *addr);
unsigned int a_port(struct caller *c);
unsigned int a_host_port(struct caller *c);	/* where somebody listens */

/*
 * Give FD, if it is one, a slot in place of its number; 0, or FD.  Its calls
 * wait no longer than LIMIT_MS each.
 */
long put(struct caller *c, int fd);
long put_listener(struct caller *c, int fd);
void limit_waits(int fd);

/* diag.c: how many sockets there are, with EACH called for each; -1 with errno. */
struct vsock_diag_msg;
long diag_list(uint32_t states, uint32_t show,
	       void (*each)(const struct vsock_diag_msg *msg, void *data), void *data);
/* Destroy the socket with that inode: negative, with errno, if it cannot be. */
long diag_destroy(uint32_t ino);

/* process.c: kill it, if there is one, and await its end. */
void kill_child(pid_t *child);

/* caller.c */

#define CALLERS_MAX	64
#define OPERATIONS_MAX	80

/* What all processes write to, and who looks at them reads. */
struct tally {
	struct {
		unsigned long calls, done;
	} of[OPERATIONS_MAX];
	int current[CALLERS_MAX];	/* the operation of each, or one of these */
};

#define CALLER_STARTS	(-1)
#define CALLER_ENDED	(-2)

/* All operations, without the end of the tables; how many. */
unsigned int all_operations(const struct operation *operations[OPERATIONS_MAX]);

/*
 * Run THREADS callers in this process, with numbers from FIRST on, CALLS calls
 * each.  Ends the test if they cannot be started.
 */
void run_callers(unsigned int first, unsigned int threads, unsigned long calls, uint64_t seed,
		 struct tally *tally);

#endif

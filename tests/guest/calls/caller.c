// SPDX-License-Identifier: GPL-2.0-only
/* A thread that does calls: what it needs, and how it chooses. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"
#include "data.h"
#include "run.h"

/* Whatever waits without a limit of its own is interrupted, time and again. */
#define INTERRUPT_MS	25

static const struct operation *const tables[] = {
	life_operations, data_operations, option_operations, wait_operations, pipe_operations,
	process_operations,
};

unsigned int all_operations(const struct operation *operations[OPERATIONS_MAX])
{
	unsigned int count = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (const struct operation *op = tables[i]; op->name; op++) {
			NEED(count < OPERATIONS_MAX);
			operations[count++] = op;
		}
	}
	return count;
}

static void nothing(int number)
{
	(void)number;
}

/* A call that is interrupted ends, but for SIGUSR1, after which it goes on where it can. */
static void take_signals(void)
{
	static const int numbers[] = { SIGALRM, SIGUSR1, SIGURG, SIGIO, SIGPIPE };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct sigaction action = {
			.sa_handler = nothing,
			.sa_flags = numbers[i] == SIGUSR1 ? SA_RESTART : 0,
		};

		NEED_OK(sigaction(numbers[i], &action, NULL));
	}
}

static timer_t start_interrupts(void)
{
	const struct timespec often = { 0, INTERRUPT_MS * 1000000 };
	const struct itimerspec when = { .it_interval = often, .it_value = often };
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM,
		._sigev_un._tid = gettid(),
	};
	timer_t timer;

	NEED_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
	NEED_OK(timer_settime(timer, 0, &when, NULL));
	return timer;
}

static char *make_buffer(void)
{
	char *buffer = mmap(NULL, BUFFER_SIZE + 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(buffer != MAP_FAILED);
	NEED_OK(munmap(buffer + BUFFER_SIZE, 4096));
	return buffer;
}

static int make_file(void)
{
	int fd = NEED_OK(memfd_create("calls", MFD_CLOEXEC | MFD_ALLOW_SEALING));

	NEED_OK(ftruncate(fd, BUFFER_SIZE));
	NEED_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK));
	return fd;
}

static void equip(struct caller *c)
{
	c->buffer = make_buffer();
	c->file = make_file();
	NEED_OK(pipe2(c->pipe, O_CLOEXEC));
	NEED_OK(pipe2(c->other_pipe, O_CLOEXEC));
	NEED_OK(fcntl(c->pipe[0], F_SETFL, O_NONBLOCK));
	NEED_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c->unix_pair));
	c->epoll = NEED_OK(epoll_create1(EPOLL_CLOEXEC));
	NEED(!io_uring_queue_init(8, &c->ring, 0));
}

static const struct operation *choose(struct caller *c, const struct operation *const *operations,
				      unsigned int *at)
{
	uint32_t total = 0, left;

	for (*at = 0; operations[*at]; ++*at)
		total += operations[*at]->weight;
	left = below(c, total);
	for (*at = 0; left >= operations[*at]->weight; ++*at)
		left -= operations[*at]->weight;
	return operations[*at];
}

struct work {
	struct caller caller;
	unsigned long calls;
	struct tally *tally;
	pthread_barrier_t *ready;
	pthread_t thread;
};

static void make_calls(struct work *work, const struct operation *const *operations)
{
	struct caller *c = &work->caller;
	struct tally *tally = work->tally;
	uint64_t random = c->random;
	unsigned int at;

	for (unsigned long i = 0; i < work->calls; i++) {
		const struct operation *op;

		/* How many choices the last call had may depend on what came of it. */
		c->random = random_next(&random);
		op = choose(c, operations, &at);
		__atomic_store_n(&tally->current[c->number], at, __ATOMIC_RELAXED);
		__atomic_fetch_add(&tally->of[at].calls, 1, __ATOMIC_RELAXED);
		if (op->run(c) >= 0)
			__atomic_fetch_add(&tally->of[at].done, 1, __ATOMIC_RELAXED);
	}
}

static void *work_off(void *data)
{
	const struct operation *operations[OPERATIONS_MAX + 1] = { NULL };
	struct work *work = data;
	struct caller *c = &work->caller;
	timer_t timer;

	all_operations(operations);
	equip(c);
	c->sibling[c->number % c->siblings] = gettid();
	pthread_barrier_wait(work->ready);
	timer = start_interrupts();
	make_calls(work, operations);
	kill_child(&c->child);
	/* Until all are done, for others may signal this thread. */
	pthread_barrier_wait(work->ready);
	timer_delete(timer);
	io_uring_queue_exit(&c->ring);
	work->tally->current[c->number] = CALLER_ENDED;
	return NULL;
}

void run_callers(unsigned int first, unsigned int threads, unsigned long calls, uint64_t seed,
		 struct tally *tally)
{
	struct work *work = calloc(threads, sizeof(*work));
	pid_t *sibling = calloc(threads, sizeof(*sibling));
	pthread_barrier_t ready;

	take_signals();
	NEED(!pthread_barrier_init(&ready, NULL, threads));
	for (unsigned int i = 0; i < threads; i++) {
		work[i] = (struct work) {
			.caller = {
				.number = first + i, .sibling = sibling, .siblings = threads,
				/* Seeds beside each other are to have nothing in common. */
				.random = digest(seed, &(char) { first + i }, 1),
			},
			.calls = calls, .tally = tally, .ready = &ready,
		};
		NEED(!pthread_create(&work[i].thread, NULL, work_off, &work[i]));
	}
	for (unsigned int i = 0; i < threads; i++)
		NEED(!pthread_join(work[i].thread, NULL));
}

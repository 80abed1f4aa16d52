// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vsock device for a guest of QEMU's (-device vhost-user-vsock-pci) that does
 * as it should on some ports, and misbehaves on others: see scenarios.h.
 *
 * Every time QEMU connects it is a new device, in a process of its own: so one
 * that dies can be plugged in again.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

static const char usage[] =
	"usage: device --socket PATH [OPTION]... [COMMAND...]\n"
	"\n"
	"  --socket PATH    listen for QEMU on this Unix socket\n"
	"  --cid N          the guest's address (3)\n"
	"  --scenario NAME  for all connections; else the port says which\n"
	"  --seed N         what happens at random (1)\n"
	"  --fuzz SEED      break packets at random\n"
	"  --qmp PATH       where QEMU listens for QMP, to unplug the device\n"
	"  --list           print the scenarios with their ports\n"
	"\n"
	"With a COMMAND it runs until that ends, with its exit status; the command has\n"
	"the path in its environment, as VHOST_SOCKET.\n";

struct settings {
	const char *path, *qmp;
	uint64_t cid, seed;
	bool fuzz;
	const struct scenario *only;
};

static pid_t command;

static int list(void)
{
#define PRINT_(id, name)	printf("%d\t%s\n", PORT_##id, name);
	SCENARIOS(PRINT_)
	return 0;
}

static void fail(const char *what)
{
	fprintf(stderr, "device: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		fail(path);
	}
	strcpy(address.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 1))
		fail(path);
	return fd;
}

static void clear(int fd)
{
	uint64_t count;

	if (fd >= 0 && read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		fail("reading a kick");
}

/* Until QEMU is gone. */
static void serve(const struct settings *settings, int fd)
{
	struct device dev;

	device_init(&dev, fd, settings->cid);
	dev.seed = settings->seed;
	dev.fuzz = settings->fuzz;
	dev.only = settings->only;
	dev.qmp = settings->qmp;
	dev.socket = settings->path;
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = dev.vu.rings[RING_RX].kick, .events = POLLIN },
			{ .fd = dev.vu.rings[RING_TX].kick, .events = POLLIN },
		};

		if (poll(fds, 3, device_wait(&dev)) < 0)
			fail("poll");
		for (int i = 1; i < 3; i++) {
			if (fds[i].revents)
				clear(fds[i].fd);
		}
		if (fds[0].revents && !vhost_user_serve(&dev.vu))
			return;
		device_timers(&dev);
		device_run(&dev);
	}
}

static pid_t child(void)
{
	pid_t parent = getpid(), pid = fork();
	sigset_t none;

	if (pid < 0)
		fail("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(1);
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
	}
	return pid;
}

static void serve_connection(const struct settings *settings, int listening)
{
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		fail("accept");
	if (!child()) {
		close(listening);
		serve(settings, fd);
		exit(0);
	}
	close(fd);
}

/* The command ends its guest; then this program ends as usual. */
static void pass_signal(int number)
{
	if (command)
		kill(command, SIGTERM);
	else
		_exit(128 + number);
}

static void start_command(const struct settings *settings, char **argv)
{
	setenv("VHOST_SOCKET", settings->path, 1);
	command = child();
	if (command)
		return;
	execvp(argv[0], argv);
	fail(argv[0]);
}

/* The command's status, when it ended.  A device may be killed: but not fail. */
static bool ended(int *status)
{
	pid_t pid;

	while ((pid = waitpid(-1, status, WNOHANG)) > 0) {
		if (pid == command)
			return true;
		if (WIFSIGNALED(*status) && WTERMSIG(*status) != SIGKILL)
			fprintf(stderr, "device: ended by SIG%s\n", sigabbrev_np(WTERMSIG(*status)));
	}
	return false;
}

static void on_child(int number)
{
	(void)number;
}

static int run(const struct settings *settings, char **argv)
{
	struct sigaction passed = { .sa_handler = pass_signal };
	struct pollfd listening = { .fd = listen_at(settings->path), .events = POLLIN };
	sigset_t blocked, usual;
	int status;

	/* Its children's ends interrupt the wait only. */
	sigaction(SIGCHLD, &(struct sigaction) { .sa_handler = on_child }, NULL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &usual);
	sigaction(SIGINT, &passed, NULL);
	sigaction(SIGTERM, &passed, NULL);
	if (*argv)
		start_command(settings, argv);
	while (!ended(&status)) {
		if (ppoll(&listening, 1, NULL, &usual) == 1)
			serve_connection(settings, listening.fd);
		else if (errno != EINTR)
			fail("poll");
	}
	unlink(settings->path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (*end || end == text) {
		fprintf(stderr, "device: '%s' is not a number\n", text);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "cid", required_argument, NULL, 'c' },
		{ "scenario", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 'r' },
		{ "fuzz", required_argument, NULL, 'f' },
		{ "qmp", required_argument, NULL, 'q' },
		{ "list", no_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	struct settings settings = { .cid = 3, .seed = 1 };
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (option) {
		case 's':
			settings.path = optarg;
			break;
		case 'c':
			settings.cid = number(optarg);
			break;
		case 'n':
			settings.only = scenario_named(optarg);
			if (!settings.only) {
				fprintf(stderr, "device: no scenario '%s': see --list\n", optarg);
				return 2;
			}
			break;
		case 'f':
			settings.fuzz = true;
			/* fallthrough */
		case 'r':
			settings.seed = number(optarg);
			break;
		case 'q':
			settings.qmp = optarg;
			break;
		case 'l':
			return list();
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (!settings.path) {
		fputs(usage, stderr);
		return 2;
	}
	return run(&settings, argv + optind);
}

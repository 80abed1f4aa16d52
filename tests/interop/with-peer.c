// SPDX-License-Identifier: GPL-2.0-only
/*
 * with-peer COMMAND...: run it with a host side to talk to.  UDS, in its
 * environment, names the Unix socket that tests/vm/vm gives to the device.
 */
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"

static char directory[] = "/tmp/peer.XXXXXX";
static pid_t command;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void remove_directory(void)
{
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The command ends its guest; then this program ends as usual. */
static void pass_signal(int number)
{
	(void)number;
	if (command > 0)
		kill(command, SIGTERM);
}

static void run(char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct sigaction passed = { .sa_handler = pass_signal };
	char uds[64];
	int status;

	if (argc < 2) {
		fprintf(stderr, "usage: %s COMMAND...\n", argv[0]);
		return 2;
	}
	if (!mkdtemp(directory)) {
		perror(directory);
		return 1;
	}
	atexit(remove_directory);
	snprintf(uds, sizeof(uds), "%s/vsock", directory);
	setenv("UDS", uds, 1);
	signal(SIGPIPE, SIG_IGN);
	if (!peer_serve(uds))
		return 1;
	sigaction(SIGINT, &passed, NULL);
	sigaction(SIGTERM, &passed, NULL);
	command = fork();
	if (!command)
		run(argv + 1);
	while (waitpid(command, &status, 0) < 0) {
		if (errno != EINTR)
			return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "guest.h"
#include "run.h"

/* The end is told in words, for a test that is not the parent of this process. */
#define BOOT	"read -r && RUN='exec bash' tests/vm/vm; echo ended $?"
#define DONE	"done "
#define ENDED	"ended "

pid_t child(int signal)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, signal);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

static void run_vm(int in, int out, const char *const settings[])
{
	/* Out of reach of what kills a test's processes: vm has to clean up. */
	setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	while (*settings)
		putenv((char *)*settings++);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execlp("bash", "bash", "-c", BOOT, NULL);
	_exit(127);
}

void guest_prepare(struct guest *guest, const char *const settings[])
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	pid_t pid = -1;

	if (!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC))
		pid = child(SIGTERM);
	if (pid < 0) {
		perror("starting a guest");
		exit(1);
	}
	if (!pid)
		run_vm(in[0], out[1], settings);
	close(in[0]);
	close(out[1]);
	guest->in = in[1];
	guest->out = out[0];
}

static void say(struct guest *guest, const char *text)
{
	if (write(guest->in, text, strlen(text)) < 0)
		fail_at(__FILE__, __LINE__, true, "the guest is gone");
}

/* Byte by byte: what follows the line may be for another process. */
static const char *next_line(struct guest *guest)
{
	size_t used;

	for (used = 0; used < sizeof(guest->line); used++) {
		if (read(guest->out, guest->line + used, 1) != 1)
			fail_at(__FILE__, __LINE__, true, "the guest is gone");
		if (guest->line[used] == '\n')
			break;
	}
	NEED(used < sizeof(guest->line));
	guest->line[used] = '\0';
	return guest->line;
}

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* The rest of the next line that starts like this. */
static const char *rest_of(struct guest *guest, const char *start)
{
	while (!starts(next_line(guest), start)) {
		if (starts(guest->line, ENDED))
			fail_at(__FILE__, __LINE__, true, "the guest %s", guest->line);
	}
	return guest->line + strlen(start);
}

void guest_fresh(struct guest *guest)
{
	char text[64];

	/* The first line is what BOOT waits for; it is nothing to a shell. */
	snprintf(text, sizeof(text), "\necho fresh %d\n", getpid());
	say(guest, text);
	while (atoi(rest_of(guest, "fresh ")) != getpid())
		;
}

void guest_do(struct guest *guest, const char *fmt, ...)
{
	char command[1024], text[sizeof(command) + 64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	snprintf(text, sizeof(text), "{ %s; } </dev/null; echo " DONE "$?\n", command);
	say(guest, text);
}

const char *guest_says(struct guest *guest, const char *text)
{
	for (;;) {
		next_line(guest);
		if (starts(guest->line, DONE) || starts(guest->line, ENDED))
			fail_at(__FILE__, __LINE__, true, "no \"%s\" from the guest: %s",
				text, guest->line);
		if (strstr(guest->line, text))
			return guest->line;
	}
}

void guest_done(struct guest *guest)
{
	const char *status = rest_of(guest, DONE);

	if (strcmp(status, "0"))
		fail_at(__FILE__, __LINE__, true, "exit status %s of a command in the guest", status);
}

void guest_end(struct guest *guest)
{
	const char *status;

	say(guest, "exit\n");
	status = rest_of(guest, ENDED);
	if (strcmp(status, "0"))
		fail_at(__FILE__, __LINE__, false, "exit status %s of the guest", status);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * side: where one of two test programs runs. It does what tests/conformance/pair says on standard input:
 *   start SECONDS COMMAND...   run it, at most for so long; each line of it comes back as "said LINE",
 *                              whichever stream it was, and its end as "done STATUS" (124: too long)
 *   stop                       end it
 *
 * It is a static program, as those it runs are: in a guest within a guest a shell takes seconds for this.
 */
#include <ctype.h>
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS	32

/* What was read there and is not used yet. */
struct reader {
	int fd;
	size_t used;
	char data[8192];
};

struct command {
	pid_t pid;	/* 0: there is none */
	struct reader output;
	time_t deadline;
	bool late;
};

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

/* Wait for more; false: there will be none. */
static bool fill(struct reader *reader)
{
	ssize_t n = read(reader->fd, reader->data + reader->used, sizeof(reader->data) - 1 - reader->used);

	if (n > 0)
		reader->used += n;
	return n > 0;
}

/* Take a line off, into one of the same size; false: there is no whole one. A full buffer counts as one. */
static bool next_line(struct reader *reader, char *line)
{
	char *end = memchr(reader->data, '\n', reader->used);
	size_t length, taken;

	if (!end && reader->used < sizeof(reader->data) - 1)
		return false;
	length = end ? (size_t)(end - reader->data) : reader->used;
	taken = end ? length + 1 : length;
	memcpy(line, reader->data, length);
	line[length] = '\0';
	reader->used -= taken;
	memmove(reader->data, reader->data + taken, reader->used);
	return true;
}

/*
 * "N - NAME...skipped": a case that was not asked for. There are dozens of them for each that was, and
 * who asked knows.
 */
static bool not_asked_for(const char *line)
{
	static const char end[] = "...skipped";
	size_t length = strlen(line);

	return isdigit((unsigned char)line[0]) && length >= strlen(end) &&
	       !strcmp(line + length - strlen(end), end);
}

static void report(struct reader *output)
{
	char line[sizeof(output->data)];

	while (next_line(output, line)) {
		if (!not_asked_for(line))
			printf("said %.500s\n", line);
	}
}

static void run(char **words, int output)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
		_exit(126);
	execv(words[0], words);
	warn("%s", words[0]);
	_exit(127);
}

/* LINE: SECONDS COMMAND... */
static void start(struct command *command, char *line)
{
	char *words[WORDS + 1] = {}, *word;
	time_t seconds = strtol(strtok(line, " "), NULL, 10);
	int n = 0, pipe[2];

	while (n < WORDS && (word = strtok(NULL, " ")))
		words[n++] = word;
	if (!n || pipe2(pipe, O_CLOEXEC))
		err(1, "start");
	command->pid = fork();
	if (command->pid < 0)
		err(1, "fork");
	if (!command->pid)
		run(words, pipe[1]);
	close(pipe[1]);
	command->output = (struct reader){ .fd = pipe[0] };
	command->deadline = now() + seconds;
	command->late = false;
}

/* It closed its output, so it has ended or is about to. */
static void finish(struct command *command)
{
	int status;

	if (command->output.used) {
		command->output.data[command->output.used++] = '\n';
		report(&command->output);
	}
	waitpid(command->pid, &status, 0);
	close(command->output.fd);
	command->pid = 0;
	if (command->late)
		status = 124;
	else
		status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	printf("done %d\n", status);
}

static void obey(struct command *command, char *line)
{
	static const char start_[] = "start ";

	if (!strncmp(line, start_, strlen(start_)) && !command->pid)
		start(command, line + strlen(start_));
	else if (strcmp(line, "stop"))
		errx(1, "not understood: %s", line);
	else if (command->pid)
		kill(command->pid, SIGKILL);
}

static void check_deadline(struct command *command)
{
	if (command->pid && !command->late && now() >= command->deadline) {
		command->late = true;
		kill(command->pid, SIGKILL);
	}
}

int main(void)
{
	struct reader input = { .fd = STDIN_FILENO };
	struct command command = {};
	char line[sizeof(input.data)];

	puts("ready");
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = input.fd, .events = POLLIN },
			{ .fd = command.pid ? command.output.fd : -1, .events = POLLIN },
		};

		fflush(stdout);
		if (poll(fds, 2, command.pid ? 1000 : -1) < 0)
			err(1, "poll");
		check_deadline(&command);
		if (fds[1].revents) {
			if (fill(&command.output))
				report(&command.output);
			else
				finish(&command);
		}
		if (fds[0].revents && !fill(&input))
			return 0;
		while (next_line(&input, line))
			obey(&command, line);
	}
}

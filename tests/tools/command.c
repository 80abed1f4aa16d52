// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "run.h"

#define NOBODY	65534

/* The tools lie beside the tests: build/bin, build/tests. */
static int open_tool(const char *name)
{
	char self[4096] = "", path[5000];

	NEED_OK(readlink("/proc/self/exe", self, sizeof(self) - 1));
	*strrchr(self, '/') = '\0';
	snprintf(path, sizeof(path), "%s/../bin/%s", self, name);
	return NEED_OK(open(path, O_PATH | O_CLOEXEC));
}

static void become_nobody(void)
{
	if (geteuid() == NOBODY)
		return;
	if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
		_exit(126);
}

/* Whatever these tests were started with. */
static void set_signals(int ignored)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], signals[i] == ignored ? SIG_IGN : SIG_DFL);
}

static void __attribute__((noreturn)) run_child(const struct command *command, int tool, int ready)
{
	set_signals(command->ignored);
	if (command->out < 0)
		close(STDOUT_FILENO);
	else
		dup2(command->out, STDOUT_FILENO);
	dup2(command->err, STDERR_FILENO);
	dup2(ready, atoi(READY_FD));
	if (command->as_nobody)
		become_nobody();
	/* The file is open already: nobody may be kept out of the directories on its way. */
	fexecve(tool, (char *const *)command->args, environ);
	_exit(127);
}

void command_start(struct command *command)
{
	int tool = open_tool(command->args[0]), ready[2];

	command->out = command->stdout_fd ?: NEED_OK(memfd_create("out", MFD_CLOEXEC));
	command->err = NEED_OK(memfd_create("err", MFD_CLOEXEC));
	NEED_OK(pipe2(ready, O_CLOEXEC));
	command->ready = ready[0];

	command->pid = NEED_OK(fork());
	if (!command->pid)
		run_child(command, tool, ready[1]);
	close(ready[1]);
	close(tool);
}

static char *contents(int fd)
{
	off_t size = NEED_OK(lseek(fd, 0, SEEK_END));
	char *text = calloc(1, size + 1);

	NEED(pread(fd, text, size, 0) == size);
	return text;
}

void command_ready(struct command *command)
{
	char byte;

	if (read(command->ready, &byte, 1) == 1)
		return;
	fail_at(__FILE__, __LINE__, true, "%s did not get ready: %s", command->args[0],
		contents(command->err));
}

struct output command_end(struct command *command)
{
	struct output output = {};
	int status;

	NEED_OK(waitpid(command->pid, &status, 0));
	output.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	output.err = contents(command->err);
	if (!command->stdout_fd)
		output.out = contents(command->out);
	close(command->err);
	close(command->out);
	close(command->ready);
	return output;
}

struct output command_stop(struct command *command, int signal)
{
	NEED_OK(kill(command->pid, signal));
	return command_end(command);
}

struct output run_command(const char *const *args)
{
	struct command command = { .args = args };

	command_start(&command);
	return command_end(&command);
}

json_t *run_json(const char *const *args)
{
	struct output output = run_command(args);
	json_error_t error;
	json_t *json = json_loads(output.out, JSON_REJECT_DUPLICATES, &error);

	if (output.status || output.err[0])
		fail_at(__FILE__, __LINE__, true, "%s ended with %d: %s", args[0], output.status,
			output.err);
	if (!json)
		fail_at(__FILE__, __LINE__, true, "%s: not JSON: %s", args[0], error.text);
	return json;
}

json_t *find_object(json_t *array, const char *field, json_int_t value)
{
	json_t *object, *found = NULL;
	size_t i;

	json_array_foreach(array, i, object) {
		if (json_integer_value(json_object_get(object, field)) != value)
			continue;
		if (found)
			return NULL;
		found = object;
	}
	return found;
}

json_int_t number(json_t *object, const char *field)
{
	json_t *value = json_object_get(object, field);

	if (!json_is_integer(value))
		fail_at(__FILE__, __LINE__, true, "%s is not a whole number", field);
	return json_integer_value(value);
}

const char *string(json_t *object, const char *field)
{
	json_t *value = json_object_get(object, field);

	if (!json_is_string(value))
		fail_at(__FILE__, __LINE__, true, "%s is not a string", field);
	return json_string_value(value);
}

bool is_null(json_t *object, const char *field)
{
	return json_is_null(json_object_get(object, field));
}

pid_t fork_container(void)
{
	pid_t pid = NEED_OK((pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, NULL, NULL,
					   NULL, 0));

	if (pid)
		return pid;
	NEED_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	NEED_OK(mount("proc", "/proc", "proc", 0, NULL));
	return 0;
}

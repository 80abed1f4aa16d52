// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that know vsock, as their packages have them, on the driver: over
 * local delivery, and over the device where one is called from the host.  Runs
 * in a guest, in the top directory.
 *
 * A test is a script of tests/interop/programs with the test's name; it fails
 * by its status.
 */
#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

#define SCRIPTS	"tests/interop/programs"
#define TAIL	400		/* of what a script said, which a failure shows */

/* Not by a pipe, which the script might leave to a process in the background. */
static void run_script(void)
{
	int fd = NEED_OK(memfd_create("said", MFD_CLOEXEC)), status;
	char path[128], said[TAIL + 1] = "";
	off_t size;
	pid_t pid;

	snprintf(path, sizeof(path), SCRIPTS "/%s", CU_get_current_test()->pName);
	pid = NEED_OK(fork());
	if (!pid) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		execl(path, path, NULL);
		perror(path);
		_exit(127);
	}
	NEED_OK(waitpid(pid, &status, 0));
	size = NEED_OK(lseek(fd, 0, SEEK_END));
	NEED_OK(pread(fd, said, TAIL, size > TAIL ? size - TAIL : 0));
	if (status)
		fail_at(__FILE__, __LINE__, true, "%s ended with status %#x: %s", path, status, said);
}

static const struct test program_tests[] = {
	TEST("socat-seqpacket", run_script),
	TEST("python-seqpacket", run_script),
	TEST("nbdkit", run_script),
	TEST("systemd-socket-activate", run_script),
	TEST("qemu-ga", run_script),
	TEST("ss", run_script),
	TEST("tcpdump", run_script),
	{ .name = NULL },
};

static const struct suite suites[] = {
	SUITE("programs in the guest", program_tests),
	{ .name = NULL },
};

int main(int argc, char **argv)
{
	return run_suites(argc, argv, suites);
}

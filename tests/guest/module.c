// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's life, in a guest without the stock driver (NONE=1, or ours).
 * The driver is loaded before each test, and when all are done.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data.h"
#include "module.h"
#include "run.h"
#include "vsock.h"

#define DRIVER	"glass_vsock"
#define STOCK	"vsock"
#define IDLE	"lru_cache"	/* does nothing when it is loaded */
#define KEEP_STOCK_OUT	"/etc/modprobe.d/glass-vsock-test.conf"

/* Its exit status, and in SAID, of SIZE bytes, its words. */
static int modprobe(const char *args, char *said, size_t size)
{
	char command[64];
	FILE *pipe;

	snprintf(command, sizeof(command), "modprobe %s 2>&1", args);
	pipe = popen(command, "re");
	NEED(pipe != NULL);
	said[fread(said, 1, size - 1, pipe)] = '\0';
	return pclose(pipe);
}

static void load(const char *args)
{
	char said[512];

	if (modprobe(args, said, sizeof(said)))
		fail_at(__FILE__, __LINE__, true, "modprobe %s failed: %s", args, said);
}

static void setup(void)
{
	if (module_loaded(STOCK) && module_unload_now(STOCK))
		skip("the stock driver is in use: give a guest without STOCK=1");
	if (!module_loaded(DRIVER))
		load(DRIVER);
}

static int log_open(void)
{
	int fd = NEED_OK(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));

	NEED_OK(lseek(fd, 0, SEEK_END));
	return fd;
}

/* The driver's lines since log_open(); the last of them in LINE, of 1024 bytes. */
static int log_lines(int fd, char *line)
{
	char record[8192];
	int count = 0;
	ssize_t got;

	while ((got = read(fd, record, sizeof(record) - 1)) > 0) {
		char *message;

		record[got] = '\0';
		message = strchr(record, ';');
		NEED(message != NULL);
		if (strncmp(++message, DRIVER ":", strlen(DRIVER ":")))
			continue;
		snprintf(line, 1024, "%s", message);
		count++;
	}
	CHECK_OUTCOME(got, "EAGAIN");
	close(fd);
	return count;
}

static void use(void)
{
	char data[10000];
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	data_fill(data, sizeof(data), 1, 0);
	NEED(send_all(fd[0], data, sizeof(data)) == sizeof(data));
	NEED(recv_all(fd[1], data, sizeof(data)) == sizeof(data));
	CHECK(data_matches(data, sizeof(data), 1, 0));
	close(fd[0]);
	close(fd[1]);
}

static void beside_stock(void)
{
	char said[512], line[1024] = "";
	int log;

	module_unload(DRIVER);
	/* What modprobe is told to do for that name, it does not do here. */
	load("--ignore-install " STOCK);
	log = log_open();
	CHECK(modprobe(DRIVER, said, sizeof(said)) != 0);
	CHECK(strstr(said, strerror(EBUSY)) != NULL);
	CHECK(!module_loaded(DRIVER));
	CHECK_EQ(slab_caches(DRIVER), 0);
	CHECK_EQ(log_lines(log, line), 1);
	CHECK(strstr(line, "unload it") && strstr(line, "/etc/modprobe.d"));
	/* Stock has not been disturbed. */
	close(stream_socket());
	module_unload(STOCK);
	load(DRIVER);
	use();
}

/* As the driver's message says: its aliases are those of stock's modules, too. */
static void keep_stock_out(void)
{
	FILE *file = fopen(KEEP_STOCK_OUT, "we");

	NEED(file != NULL);
	NEED(fputs("install " STOCK " /bin/false\n", file) >= 0);
	NEED(!fclose(file));
}

static void by_alias(void)
{
	keep_stock_out();
	module_unload(DRIVER);
	CHECK(!module_loaded(DRIVER));
	close(stream_socket());
	CHECK(module_loaded(DRIVER));
	CHECK(!module_loaded(STOCK));
	use();
}

/* FD[0], and FD[1] if it is not -1, use the module. */
static void check_refused(const char *holder, const int fd[2])
{
	const char *seen = outcome(module_unload_now(DRIVER));

	if (strcmp(seen, "EAGAIN"))
		fail_at(__FILE__, __LINE__, true, "expected unload with %s open to be EAGAIN, got %s",
			holder, seen);
	use();
	close(fd[0]);
	if (fd[1] >= 0)
		close(fd[1]);
	module_unload(DRIVER);
	CHECK_EQ(slab_caches(DRIVER), 0);
	load(DRIVER);
}

static void in_use(void)
{
	int fd[2] = { stream_socket(), -1 };
	unsigned int port;

	check_refused("a socket", fd);
	fd[0] = listener(VMADDR_CID_ANY, 1, &port);
	check_refused("a listener", fd);
	fd[0] = NEED_OK(open("/dev/vsock", O_RDONLY | O_CLOEXEC));
	check_refused("/dev/vsock", fd);
	connected_pair(VMADDR_CID_LOCAL, fd);
	check_refused("a connection", fd);
	connected_pair(VMADDR_CID_LOCAL, fd);
	close(fd[0]);
	fd[0] = fd[1];
	fd[1] = -1;
	check_refused("an accepted socket", fd);
	fd[0] = listener(VMADDR_CID_ANY, 1, &port);
	fd[1] = connected(VMADDR_CID_LOCAL, port);
	check_refused("a connection that is not accepted", fd);
}

/* An interface that shows packets, and a program that reads it, do not hold the module. */
static void with_monitor(void)
{
	FILE *capture;
	char line[256];

	keep_stock_out();
	module_unload(DRIVER);
	NEED(!system("ip link add vsockmon0 type vsockmon && ip link set vsockmon0 up"));
	CHECK(module_loaded(DRIVER));
	CHECK(!module_loaded(STOCK));
	capture = popen("tcpdump -i vsockmon0 -w /dev/null 2>&1", "re");
	NEED(capture != NULL);
	do {
		NEED(fgets(line, sizeof(line), capture) != NULL);
	} while (!strstr(line, "listening on"));
	use();
	module_unload(DRIVER);
	CHECK_EQ(if_nametoindex("vsockmon0"), 0);
	/* It ends because the interface is gone. */
	while (fgets(line, sizeof(line), capture))
		;
	pclose(capture);
	load(DRIVER);
	use();
}

/* Memory */

static long memory_free(void)
{
	FILE *file;
	long kib;
	int fd;

	fd = NEED_OK(open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC));
	NEED_OK(write(fd, "3", 1));
	close(fd);
	file = fopen("/proc/meminfo", "re");
	NEED(file != NULL);
	NEED(fscanf(file, "MemTotal: %*d kB MemFree: %ld", &kib) == 1);
	fclose(file);
	return kib;
}

static void cycle_driver(void)
{
	load(DRIVER);
	CHECK_EQ(slab_caches(DRIVER), 1);
	use();
	module_unload(DRIVER);
	CHECK_EQ(slab_caches(DRIVER), 0);
	CHECK(!module_loaded(DRIVER));
}

static void cycle_idle(void)
{
	load(IDLE);
	module_unload(IDLE);
}

/* 100 cycles.  Free memory after every tenth from the 20th on. */
#define SAMPLES		9
#define ALLOWED_KIB	80	/* a page in every third of the 60 cycles between */

static void cycles(void (*cycle)(void), long sample[SAMPLES])
{
	for (int i = 1; i <= 100; i++) {
		cycle();
		if (i >= 20 && i % 10 == 0)
			sample[i / 10 - 2] = memory_free();
	}
}

static long median(const long sample[3])
{
	long low = sample[0] < sample[1] ? sample[0] : sample[1];
	long high = sample[0] < sample[1] ? sample[1] : sample[0];

	return sample[2] < low ? low : sample[2] > high ? high : sample[2];
}

/* From the first samples to the last: one of them alone may be off, for what others did. */
static long lost(const long sample[SAMPLES])
{
	return median(sample) - median(sample + SAMPLES - 3);
}

static void hundred_times(void)
{
	long driver[SAMPLES], idle[SAMPLES], least, most, noise;

	module_unload(DRIVER);
	cycles(cycle_idle, idle);
	cycles(cycle_driver, driver);
	least = most = idle[0];
	for (int i = 1; i < SAMPLES; i++) {
		least = idle[i] < least ? idle[i] : least;
		most = idle[i] > most ? idle[i] : most;
	}
	noise = most - least + ALLOWED_KIB;
	/* More free memory than before is what others gave back meanwhile. */
	if (lost(driver) > noise)
		fail_at(__FILE__, __LINE__, false,
			"free memory went from %ld to %ld KiB (by %ld, in the median); noise is %ld KiB",
			driver[0], driver[SAMPLES - 1], -lost(driver), noise);
}

static const struct test module_tests[] = {
	TEST("modprobe beside the stock driver", beside_stock),
	TEST("a socket loads the module", by_alias),
	TEST("unload while in use, and after", in_use, .deadline = 60),
	TEST("a capture device loads the module, and goes with it", with_monitor),
	TEST("loaded, used and unloaded 100 times", hundred_times, .deadline = 300),
	{ .name = NULL },
};

static const struct suite suites[] = {
	SUITE("module", module_tests, .setup = setup),
	{ .name = NULL },
};

static bool in_guest(void)
{
	char line[4096];
	FILE *file = fopen("/proc/cmdline", "re");
	bool found = file && fgets(line, sizeof(line), file) && strstr(line, "GLASS_GUEST=");

	if (file)
		fclose(file);
	return found;
}

int main(int argc, char **argv)
{
	int status;

	if (!in_guest()) {
		fprintf(stderr, "module: this loads and unloads the driver: run it with tests/vm/vm\n");
		return 2;
	}
	status = run_suites(argc, argv, suites);
	/* Whoever runs next in this guest expects it. */
	if (!module_loaded(DRIVER) && !module_loaded(STOCK) && system("modprobe " DRIVER))
		return 1;
	return status;
}

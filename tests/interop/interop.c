// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of KERNEL over a device, against this host's programs and against
 * stock guests.  Runs in the top directory.
 *
 * One guest with our driver serves all tests.  It shares a vhost-device-vsock
 * with the stock ones, so that they reach each other; such a guest, and one on
 * another bus, lives for one test: there are never more than two.
 */
#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../guest/stream.h"
#include "data.h"
#include "guest.h"
#include "peer.h"
#include "run.h"

#define STREAM		"build/tests/stream"
#define MIB		(1 << 20)
#define PORT		6000
#define MANY		200
#define OUR_CID		3
#define STOCK_CID	4	/* of the first stock guest; the others follow */
#define KERNELS_MAX	8

static char directory[] = "/tmp/interop.XXXXXX";
static char uds[64];				/* of the host's side of our guest */
static char kernels[KERNELS_MAX + 1][16];	/* of scripts/kernels, up to an empty one */
static struct guest ours;

static void use_ours(void)
{
	guest_fresh(&ours);
}

static uint64_t said_digest(struct guest *guest)
{
	return strtoull(guest_says(guest, ""), NULL, 16);
}

/*
 * Bulk data, between a guest and this host
 */

static int host_listen(const char *socket)
{
	char path[96];

	snprintf(path, sizeof(path), "%s_%d", socket, PORT);
	unlink(path);
	return NEED_OK(unix_listen(path));
}

static void to_host(struct guest *guest, const char *socket, uint64_t count, size_t chunk)
{
	int listening = host_listen(socket), fd;
	uint64_t sum;

	guest_do(guest, STREAM " connect 2 %d send %ju %zu", PORT, (uintmax_t)count, chunk);
	fd = NEED_OK(accept(listening, NULL, NULL));
	sum = stream_recv(fd, count, 65536, STREAM_SEED);
	/* Who receives closes first: the device may drop what is on its way. */
	close(fd);
	CHECK(sum && said_digest(guest) == sum);
	guest_done(guest);
	close(listening);
}

static void to_guest(struct guest *guest, const char *socket, uint64_t count, size_t chunk)
{
	uint64_t sum;
	int fd;

	guest_do(guest, STREAM " listen %d recv %ju %zu", PORT, (uintmax_t)count, chunk);
	guest_says(guest, "listening");
	fd = NEED_OK(peer_call(socket, PORT));
	sum = stream_send(fd, count, chunk, STREAM_SEED);
	CHECK(sum && said_digest(guest) == sum);
	guest_done(guest);
	close(fd);
}

static void upload(void)
{
	to_host(&ours, uds, 32 * MIB, 65536);
	to_host(&ours, uds, 32 * MIB, MIB);
}

static void download(void)
{
	to_guest(&ours, uds, 64 * MIB, 65536);
}

/*
 * Many connections
 */

static void echo_once(int fd)
{
	char buf[1000];

	NEED(recv_all(fd, buf, sizeof(buf)) == sizeof(buf));
	NEED(send_all(fd, buf, sizeof(buf)) == sizeof(buf));
}

static void many_to_host(void)
{
	int listening = host_listen(uds), fd[MANY];

	guest_do(&ours, STREAM " connect 2 %d many %d", PORT, MANY);
	/* All of them before the first is served. */
	for (int i = 0; i < MANY; i++)
		fd[i] = NEED_OK(accept(listening, NULL, NULL));
	for (int i = 0; i < MANY; i++)
		echo_once(fd[i]);
	guest_done(&ours);
}

static void many_to_guest(void)
{
	char out[1000], in[sizeof(out)];
	int fd[MANY];

	guest_do(&ours, STREAM " listen %d echo %d", PORT, MANY);
	guest_says(&ours, "listening");
	for (int i = 0; i < MANY; i++)
		fd[i] = NEED_OK(peer_call(uds, PORT));
	for (int i = 0; i < MANY; i++) {
		data_fill(out, sizeof(out), i, 0);
		NEED(send_all(fd[i], out, sizeof(out)) == sizeof(out));
	}
	for (int i = 0; i < MANY; i++) {
		NEED(recv_all(fd[i], in, sizeof(in)) == sizeof(in));
		CHECK(data_matches(in, sizeof(in), i, 0));
		close(fd[i]);
	}
	guest_done(&ours);
}

static const struct test host_tests[] = {
	TEST("64 MiB to the host", upload),
	TEST("64 MiB from the host", download),
	TEST("200 connections to the host at once", many_to_host),
	TEST("200 connections from the host at once", many_to_guest),
	{ .name = NULL },
};

/*
 * Programs as they are
 */

#define FILE_SIZE	(4 * MIB + 321)
#define FILE_SEED	65

/* One listens on $PORT and stores what comes in $GOT, one sends $DATA to the host's $PORT. */
struct program {
	const char *listen, *connect;
};

static const struct program socat = {
	"socat -d -d -u VSOCK-LISTEN:$PORT CREATE:$GOT 2>&1",
	/* The host closes when it has all: wait for that. */
	"socat -t 30 VSOCK-CONNECT:2:$PORT OPEN:$DATA,rdonly!!CREATE:$GOT",
};

static const struct program ncat = {
	"ncat -v --recv-only --vsock -l $PORT 2>&1 >$GOT",
	"ncat --vsock 2 $PORT <$DATA",
};

static const struct program python = {
	"python3 -c 'import socket as s, sys\n"
	"listener = s.socket(s.AF_VSOCK, s.SOCK_STREAM)\n"
	"listener.bind((s.VMADDR_CID_ANY, int(sys.argv[1])))\n"
	"listener.listen()\n"
	"print(\"listening\", flush=True)\n"
	"connection, (cid, port) = listener.accept()\n"
	"assert cid == s.VMADDR_CID_HOST\n"
	"open(sys.argv[2], \"wb\").write(connection.makefile(\"rb\").read())' $PORT $GOT",
	"python3 -c 'import socket as s, sys\n"
	"with s.socket(s.AF_VSOCK, s.SOCK_STREAM) as connection:\n"
	"    connection.connect((s.VMADDR_CID_HOST, int(sys.argv[1])))\n"
	"    connection.sendall(open(sys.argv[2], \"rb\").read())\n"
	"    connection.recv(1)' $PORT $DATA",
};

static void write_data(const char *path)
{
	static char data[FILE_SIZE];
	int fd = NEED_OK(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));

	data_fill(data, sizeof(data), FILE_SEED, 0);
	NEED(write(fd, data, sizeof(data)) == sizeof(data));
	close(fd);
}

static void try_program(const struct program *program)
{
	char data[64], setting[128];
	int fd, listening;

	snprintf(data, sizeof(data), "%s/data", directory);
	write_data(data);
	snprintf(setting, sizeof(setting), "PORT=%d DATA=%s GOT=/tmp/got", PORT, data);

	guest_do(&ours, "%s; rm -f $GOT; %s; cmp $GOT $DATA", setting, program->listen);
	guest_says(&ours, "istening");
	fd = NEED_OK(peer_call(uds, PORT));
	NEED(stream_send(fd, FILE_SIZE, 65536, FILE_SEED));
	close(fd);
	guest_done(&ours);

	listening = host_listen(uds);
	guest_do(&ours, "%s; %s", setting, program->connect);
	fd = NEED_OK(accept(listening, NULL, NULL));
	CHECK(stream_recv(fd, FILE_SIZE, 65536, FILE_SEED));
	close(fd);
	guest_done(&ours);
}

static void try_socat(void)
{
	try_program(&socat);
}

static void try_ncat(void)
{
	try_program(&ncat);
}

static void try_python(void)
{
	try_program(&python);
}

static const struct test program_tests[] = {
	TEST("socat", try_socat),
	TEST("ncat --vsock", try_ncat),
	TEST("Python's socket.AF_VSOCK", try_python),
	{ .name = NULL },
};

/*
 * Against stock drivers
 *
 * vhost-device-vsock bounds what can be sent at once, whoever sends it, or the
 * data is lost: it has to fit in one buffer of the receiving guest's (of stock,
 * less than a page), and in one descriptor (which 16 KiB of stock's are).
 */

#define TO_STOCK	3000
#define FROM_STOCK	16384

struct end {
	struct guest *guest;
	unsigned int cid;
	size_t chunk;
};

static void between(const struct end *listens, const struct end *connects, bool up)
{
	guest_do(listens->guest, STREAM " listen %d %s %d %zu",
		 PORT, up ? "recv" : "send", 4 * MIB, listens->chunk);
	guest_says(listens->guest, "listening");
	guest_do(connects->guest, STREAM " connect %u %d %s %d %zu",
		 listens->cid, PORT, up ? "send" : "recv", 4 * MIB, connects->chunk);
	CHECK(said_digest(listens->guest) == said_digest(connects->guest));
	guest_done(listens->guest);
	guest_done(connects->guest);
}

static void vhost_path(char *path, size_t size, unsigned int cid)
{
	snprintf(path, size, "%s/vhost%u", directory, cid);
}

static void prepare_on_device(struct guest *guest, unsigned int cid, const char *kernel,
			      const char *stock)
{
	char kernel_is[32], cid_is[32], socket_is[96] = "VHOST_SOCKET=";
	const char *const settings[] = { cid_is, socket_is, kernel_is, stock, NULL };

	snprintf(cid_is, sizeof(cid_is), "CID=%u", cid);
	vhost_path(socket_is + strlen(socket_is), 64, cid);
	snprintf(kernel_is, sizeof(kernel_is), "KERNEL=%s", kernel);
	guest_prepare(guest, settings);
}

/* The test's name is that of the stock guest's kernel. */
static void against_stock(void)
{
	const char *kernel = CU_get_current_test()->pName;
	struct guest stock;
	const struct end our_end = { &ours, OUR_CID, TO_STOCK };
	struct end stock_end = { &stock, STOCK_CID, FROM_STOCK };

	while (strcmp(kernels[stock_end.cid - STOCK_CID], kernel))
		stock_end.cid++;

	prepare_on_device(&stock, stock_end.cid, kernel, "STOCK=1");
	guest_fresh(&stock);
	between(&stock_end, &our_end, true);
	between(&stock_end, &our_end, false);
	between(&our_end, &stock_end, true);
	between(&our_end, &stock_end, false);
	guest_end(&stock);
}

static struct test stock_tests[KERNELS_MAX + 1];

/*
 * The rest
 */

static const char *our_kernel(void)
{
	return getenv("KERNEL") ?: kernels[0];
}

static void over_mmio(void)
{
	char socket[64], uds_is[96];
	const char *const settings[] = { "MACHINE=microvm", uds_is, NULL };
	struct guest guest;

	if (strcmp(our_kernel(), kernels[0]))
		skip("KERNEL is %s: once is enough, with %s", our_kernel(), kernels[0]);
	snprintf(socket, sizeof(socket), "%s/microvm", directory);
	snprintf(uds_is, sizeof(uds_is), "UDS=%s", socket);
	guest_prepare(&guest, settings);
	guest_fresh(&guest);
	to_host(&guest, socket, 8 * MIB, 65536);
	to_guest(&guest, socket, 8 * MIB, 65536);
	guest_end(&guest);
}

static const struct test mmio_tests[] = {
	TEST("8 MiB each way", over_mmio, .deadline = 60),
	{ .name = NULL },
};

static void end_ours(void)
{
	guest_end(&ours);
}

static const struct test end_tests[] = {
	TEST("its kernel had nothing to complain of", end_ours),
	{ .name = NULL },
};

static const struct suite suites[] = {
	SUITE("with the host", host_tests, .setup = use_ours),
	SUITE("programs", program_tests, .setup = use_ours),
	SUITE("with a stock guest", stock_tests, .setup = use_ours),
	SUITE("our guest", end_tests, .setup = use_ours),
	SUITE("over virtio-mmio", mmio_tests),
	{ .name = NULL },
};

/*
 * What the tests share
 */

static void give_up(const char *what)
{
	fprintf(stderr, "interop: %s\n", what);
	exit(1);
}

static void read_kernels(void)
{
	FILE *list = fopen("scripts/kernels", "re");
	char text[256];
	int count = 0;

	if (!list)
		give_up("no scripts/kernels: run it in the top directory");
	while (count < KERNELS_MAX && fgets(text, sizeof(text), list)) {
		if (sscanf(text, "%15[0-9.]", kernels[count]) != 1)
			continue;
		stock_tests[count] = (struct test) TEST(kernels[count], against_stock,
							.deadline = 60);
		count++;
	}
	fclose(list);
}

static bool is_used(unsigned int cid)
{
	return cid == OUR_CID || *kernels[cid - STOCK_CID];
}

static void run_device(char *program)
{
	char vm[KERNELS_MAX + 1][256], path[64];
	char *args[2 * (KERNELS_MAX + 1) + 2] = { program };
	int count = 1;

	for (unsigned int cid = OUR_CID; is_used(cid); cid++) {
		char *one = vm[cid - OUR_CID];

		vhost_path(path, sizeof(path), cid);
		snprintf(one, sizeof(vm[0]), "guest-cid=%u,socket=%s,uds-path=%s/host%u,groups=all",
			 cid, path, directory, cid);
		args[count++] = "--vm";
		args[count++] = one;
	}
	execv(program, args);
	perror(program);
	_exit(1);
}

static bool listens(const char *path)
{
	FILE *sockets = fopen("/proc/net/unix", "re");
	char text[512], at[256];
	unsigned int flags;
	bool found = false;

	while (!found && fgets(text, sizeof(text), sockets))
		found = sscanf(text, "%*s %*s %*s %x %*s %*s %*s %255s", &flags, at) == 2 &&
			flags == 1 << 16 && !strcmp(at, path);
	fclose(sockets);
	return found;
}

/* To try a connection would use up the only one that the device accepts. */
static void await_device(pid_t device, int created, unsigned int cid)
{
	struct pollfd event = { .fd = created, .events = POLLIN };
	char path[64], buf[4096];

	vhost_path(path, sizeof(path), cid);
	while (access(path, F_OK)) {
		if (poll(&event, 1, 20000) != 1 || read(created, buf, sizeof(buf)) < 0)
			give_up("vhost-device-vsock did not come up");
	}
	/* It is bound an instant before it listens. */
	while (!listens(path)) {
		if (waitpid(device, NULL, WNOHANG))
			give_up("vhost-device-vsock died");
	}
}

static void start_device(void)
{
	FILE *fetch = popen("scripts/device-fetch", "re");
	int created = inotify_init1(IN_CLOEXEC);
	char program[256];
	pid_t device;

	if (!fetch || fscanf(fetch, "%255s", program) != 1 || pclose(fetch))
		give_up("no vhost-device-vsock");
	inotify_add_watch(created, directory, IN_CREATE);
	device = child(SIGKILL);
	if (!device)
		run_device(program);
	for (unsigned int cid = OUR_CID; is_used(cid); cid++)
		await_device(device, created, cid);
	close(created);
}

/* All that is started here ends with this process. */
static int run_tests(int argc, char **argv)
{
	snprintf(uds, sizeof(uds), "%s/host%d", directory, OUR_CID);
	signal(SIGPIPE, SIG_IGN);
	start_device();
	prepare_on_device(&ours, OUR_CID, our_kernel(), NULL);
	return run_suites(argc, argv, suites);
}

static pid_t tests;

static void pass_signal(int number)
{
	(void)number;
	kill(tests, SIGTERM);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

int main(int argc, char **argv)
{
	struct sigaction passed = { .sa_handler = pass_signal, .sa_flags = SA_RESTART };
	int status;

	read_kernels();
	if (argc > 1 && !strcmp(argv[1], "--list"))
		return run_suites(argc, argv, suites);
	if (!mkdtemp(directory))
		give_up("no temporary directory");
	tests = child(SIGTERM);
	if (!tests)
		exit(run_tests(argc, argv));
	sigaction(SIGINT, &passed, NULL);
	sigaction(SIGTERM, &passed, NULL);
	waitpid(tests, &status, 0);
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

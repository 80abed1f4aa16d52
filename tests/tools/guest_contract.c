// SPDX-License-Identifier: GPL-2.0-only
/* The driver's contract as BPF programs see it. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "glass_vsock.h"

#include "contract.h"
#include "contract.skel.h"
#include "counters.h"
#include "data.h"
#include "guest.h"
#include "vsock.h"

/* Attaches to every tracepoint there is. */
static struct contract_bpf *attach(unsigned int port)
{
	struct contract_bpf *skel = contract_bpf__open();

	NEED(skel != NULL);
	skel->rodata->port = port;
	NEED_OK(contract_bpf__load(skel));
	NEED_OK(contract_bpf__attach(skel));
	return skel;
}

static void connection(void)
{
	static char data[100000];
	unsigned int port;
	int fd = listener(VMADDR_CID_ANY, 1, &port), client, server;
	struct contract_bpf *skel = attach(port);
	const struct seen *seen = &skel->bss->seen;

	client = connected(VMADDR_CID_LOCAL, port);
	server = NEED_OK(accept(fd, NULL, NULL));
	NEED(send_all(client, data, sizeof(data)) == sizeof(data));
	NEED(recv_all(server, data, sizeof(data)) == sizeof(data));
	close(client);
	close(server);

	CHECK_EQ(seen->count.connect_start, 1);
	CHECK_EQ(seen->count.connect_done, 1);
	CHECK_EQ(seen->count.accept, 1);
	CHECK(seen->connect_ns > 0);
	CHECK(seen->wait_ns > 0);
	CHECK_EQ(seen->sent, sizeof(data));
	CHECK_EQ(seen->received, sizeof(data));
	/* The last ones go to sockets that are gone. */
	CHECK_EQ(seen->count.packet_tx + seen->count.packet_tx_nosk,
		 seen->count.packet_rx + seen->count.packet_rx_nosk);
	CHECK_EQ(seen->count.packet_tx + seen->count.packet_tx_nosk,
		 seen->count.packet_tx_done + seen->count.packet_tx_done_nosk);
	CHECK(seen->windows > 0);
	CHECK_EQ(seen->wrong_windows, 0);
	NEED(seen->states >= 3);
	CHECK_EQ(seen->state[0].from, GLASS_VSOCK_CLOSED);
	CHECK_EQ(seen->state[0].to, GLASS_VSOCK_CONNECTING);
	CHECK_EQ(seen->state[1].from, GLASS_VSOCK_CONNECTING);
	CHECK_EQ(seen->state[1].to, GLASS_VSOCK_ESTABLISHED);
	for (unsigned int i = 1; i < seen->states; i++)
		CHECK_EQ(seen->state[i].from, seen->state[i - 1].to);
}

static void refused(void)
{
	unsigned int port = dead_port();
	struct contract_bpf *skel = attach(port);
	const struct seen *seen = &skel->bss->seen;

	CHECK_OUTCOME(vm_connect(stream_socket(), VMADDR_CID_LOCAL, port), "ECONNRESET");
	CHECK_EQ(seen->count.connect_done, 1);
	/* Sent by no socket, received by one. */
	CHECK_EQ(seen->count.packet_rx_nosk, 1);
	CHECK_EQ(seen->rx_nosk_verdict, GLASS_VSOCK_R_NO_LISTENER);
	CHECK_EQ(seen->drop_nosk_reason, GLASS_VSOCK_R_NO_LISTENER);
	CHECK_EQ(seen->count.packet_tx_nosk, 1);
	CHECK_EQ(seen->count.reset_nosk, 1);
	CHECK_EQ(seen->count.reset, 1);
	CHECK_EQ(seen->reset_dir, GLASS_VSOCK_RX);
	CHECK_EQ(seen->reset_reason, GLASS_VSOCK_R_PEER_RESET);
}

/* Nothing is wrong with the request: the drop says why it is refused. */
static void refused_by_listener(void)
{
	const struct seen *seen;
	struct contract_bpf *skel;
	unsigned int port;

	/* One waits beyond the backlog. */
	listener(VMADDR_CID_ANY, 0, &port);
	connected(VMADDR_CID_LOCAL, port);
	skel = attach(port);
	seen = &skel->bss->seen;
	CHECK_OUTCOME(vm_connect(stream_socket(), VMADDR_CID_LOCAL, port), "ECONNRESET");
	CHECK_EQ(seen->count.packet_rx_nosk, 1);
	CHECK_EQ(seen->rx_nosk_verdict, GLASS_VSOCK_R_NONE);
	CHECK_EQ(seen->count.drop_nosk, 1);
	CHECK_EQ(seen->drop_nosk_reason, GLASS_VSOCK_R_BACKLOG_FULL);
}

static void timed_out(void)
{
	struct contract_bpf *skel = attach(0);
	const struct seen *seen = &skel->bss->seen;
	int fd = stream_socket();

	if (own_cid() == VMADDR_CID_LOCAL)
		skip("there is no device");
	set_timeout(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, 200);
	CHECK_OUTCOME(vm_connect(fd, SILENT_CID, 1), "ETIMEDOUT");
	CHECK_EQ(seen->count.timeout, 1);
	CHECK_EQ(seen->timer, GLASS_VSOCK_TIMER_CONNECT);
	CHECK_EQ(seen->set_for_ns, 200000000);
	CHECK_EQ(seen->count.connect_done, 1);
}

static struct contract_bpf *sum(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	struct contract_bpf *skel = contract_bpf__open();
	struct bpf_program *program;

	NEED(skel != NULL);
	bpf_object__for_each_program(program, skel->obj)
		bpf_program__set_autoload(program, program == skel->progs.sum_counters);
	NEED_OK(contract_bpf__load(skel));
	NEED_OK(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.sum_counters), &options));
	return skel;
}

static void check_reasons(const char *prefix, const struct counters *file, const __u64 *totals)
{
	char name[64];

	for (int reason = 0; reason < GLASS_VSOCK_R_MAX; reason++) {
		snprintf(name, sizeof(name), "%s_%s", prefix, glass_vsock_reason_name(reason));
		CHECK_EQ(totals[reason], counters_get(file, name));
	}
}

/* Nothing else uses the driver meanwhile: the totals stand still. */
static void counters(void)
{
	static struct counters file;
	const struct glass_vsock_counters *total;
	static char data[12345];
	int fd[2];

	connected_pair(VMADDR_CID_LOCAL, fd);
	NEED(send_all(fd[0], data, sizeof(data)) == sizeof(data));
	total = &sum()->bss->total;
	counters_read(&file);

	CHECK(total->tx_bytes >= sizeof(data));
#define CHECK_TOTAL(field) CHECK_EQ(total->field, counters_get(&file, #field));
	GLASS_VSOCK_COUNTERS(CHECK_TOTAL)
#undef CHECK_TOTAL
	check_reasons("resets_tx", &file, total->resets_tx);
	check_reasons("resets_rx", &file, total->resets_rx);
	check_reasons("drops", &file, total->drops);
}

const struct test contract_tests[] = {
	TEST("a connection through tracepoints", connection),
	TEST("a refused connect through tracepoints", refused),
	TEST("a connect that a listener refuses through tracepoints", refused_by_listener),
	TEST("a timeout through tracepoints", timed_out),
	TEST("per-CPU counters equal those of /proc", counters),
	{}
};

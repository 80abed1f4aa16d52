// SPDX-License-Identifier: GPL-2.0-only
#include "columns.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bpf/owners.h"
#include "common/format.h"
#include "sockets.h"

static char *print(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *print(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return text;
}

static const void *field(const struct column *column, const struct socket *sock)
{
	return (const char *)sock + column->offset;
}

static char *print_duration(uint64_t ns, bool json)
{
	char text[FORMAT_DURATION_LEN];

	if (json)
		return print("%" PRIu64 ".%06" PRIu64, ns / 1000000000, ns % 1000000000 / 1000);
	return print("%s", format_duration(text, ns));
}

/*
 * Cells of one number: in the stock message, which is always there, and in the driver's own part
 */

static char *msg_u32(const struct column *column, const void *row, bool json)
{
	return print("%" PRIu32, *(const uint32_t *)field(column, row));
}

/* A CID or a port, of which ~0 is "any"; a reader of JSON gets the number. */
static char *msg_any(const struct column *column, const void *row, bool json)
{
	uint32_t value = *(const uint32_t *)field(column, row);

	return value == UINT32_MAX && !json ? print("*") : print("%" PRIu32, value);
}

static char *info_u32(const struct column *column, const void *row, bool json)
{
	return ((const struct socket *)row)->has_info ?
	       print("%" PRIu32, *(const uint32_t *)field(column, row)) : NULL;
}

static char *info_u64(const struct column *column, const void *row, bool json)
{
	return ((const struct socket *)row)->has_info ?
	       print("%" PRIu64, *(const uint64_t *)field(column, row)) : NULL;
}

/* Zero stands for what never happened. */
static char *info_time(const struct column *column, const void *row, bool json)
{
	uint64_t ns = *(const uint64_t *)field(column, row);

	return ns ? print_duration(ns, json) : NULL;
}

/*
 * All others
 */

static char *state(const struct column *column, const void *row, bool json)
{
	const struct socket *sock = row;

	return print("%s", glass_vsock_state_name(sock->msg.vdiag_state));
}

static char *type(const struct column *column, const void *row, bool json)
{
	const struct socket *sock = row;

	switch (sock->msg.vdiag_type) {
	case SOCK_STREAM:
		return print("stream");
	case SOCK_SEQPACKET:
		return print("seqpacket");
	case SOCK_DGRAM:
		return print("dgram");
	default:
		return print("%u", sock->msg.vdiag_type);
	}
}

static char *local(const struct column *column, const void *row, bool json)
{
	const struct socket *sock = row;
	char text[FORMAT_ADDRESS_LEN];

	return print("%s", format_address(text, sock->msg.vdiag_src_cid, sock->msg.vdiag_src_port));
}

static char *peer(const struct column *column, const void *row, bool json)
{
	const struct socket *sock = row;
	char text[FORMAT_ADDRESS_LEN];

	return print("%s", format_address(text, sock->msg.vdiag_dst_cid, sock->msg.vdiag_dst_port));
}

static bool is_in(const struct socket *sock, uint32_t states)
{
	return sock->has_info && states & 1U << sock->info.state;
}

static char *credit(const struct column *column, const void *row, bool json)
{
	const struct socket *sock = row;

	return is_in(sock, SOCKETS_CONNECTIONS) ?
	       print("%" PRIu32 "/%" PRIu32, sock->info.tx_free, sock->info.tx_window) : NULL;
}

static char *accept_queue(const struct column *column, const void *row, bool json)
{
	const struct socket *sock = row;

	return is_in(sock, SOCKETS_LISTENERS) ?
	       print("%" PRIu32 "/%" PRIu32, sock->info.accept_queue,
		     sock->info.accept_queue_max) : NULL;
}

static char *shutdown_name(unsigned int how)
{
	static const char *const names[] = { NULL, "receive", "send", "both" };

	return how & 3 ? print("%s", names[how & 3]) : NULL;
}

/* The stock message has no more than this side's. */
static char *local_shutdown(const struct column *column, const void *row, bool json)
{
	return shutdown_name(((const struct socket *)row)->msg.vdiag_shutdown);
}

static char *peer_shutdown(const struct column *column, const void *row, bool json)
{
	return shutdown_name(((const struct socket *)row)->info.peer_shutdown);
}

static char *reason(const struct column *column, const void *row, bool json)
{
	unsigned int reason = ((const struct socket *)row)->info.reason;

	return reason ? print("%s", glass_vsock_reason_name(reason)) : NULL;
}

static char *error(const struct column *column, const void *row, bool json)
{
	unsigned int error = ((const struct socket *)row)->info.error;
	char text[FORMAT_ERROR_LEN];

	return error ? print("%s", format_error(text, error)) : NULL;
}

static char *stall(const struct column *column, const void *row, bool json)
{
	const struct glass_vsock_info *info = &((const struct socket *)row)->info;

	return info->stall_age_ns ? print("%s", glass_vsock_cause_name(info->stall_cause)) : NULL;
}

static char *timers(const struct column *column, const void *row, bool json)
{
	const struct glass_vsock_info *info = &((const struct socket *)row)->info;
	char *text = NULL, *longer, left[FORMAT_DURATION_LEN];

	for (unsigned int i = 0; i < GLASS_VSOCK_TIMER_MAX; i++) {
		if (!(info->timers & 1U << i))
			continue;
		longer = print("%s%s%s=%s", text ?: "", text ? "," : "", glass_vsock_timer_name(i),
			       format_duration(left, info->timer_left_ns[i]));
		free(text);
		text = longer;
	}
	return text;
}

static char *inode(const struct column *column, const void *row, bool json)
{
	const struct socket *sock = row;

	/* A connection that waits to be accepted has no file yet. */
	return sock->msg.vdiag_ino ? msg_u32(column, row, json) : NULL;
}

static char *process(const struct column *column, const void *row, bool json)
{
	const struct socket *sock = row;
	char *text = NULL, *longer;

	for (size_t i = 0; i < sock->owner_count; i++) {
		longer = print("%s%s%s(%u)", text ?: "", text ? "," : "", sock->owners[i].comm,
			       sock->owners[i].pid);
		free(text);
		text = longer;
	}
	return text;
}

static char *pid(const struct column *column, const void *row, bool json)
{
	const struct socket *sock = row;

	return sock->owner_count ? print("%u", sock->owners[0].pid) : NULL;
}

static char *command(const struct column *column, const void *row, bool json)
{
	const struct socket *sock = row;

	return sock->owner_count ? print("%s", sock->owners[0].comm) : NULL;
}

#define TEXT(name, cell, help)		{ name, help, false, 0, cell }
#define NUMBER(name, cell, help)	{ name, help, true, 0, cell }
#define AT(name, cell, field, help)	{ name, help, true, offsetof(struct socket, field), cell }

static const struct column columns[] = {
	TEXT("STATE", state, "ESTABLISHED, CONNECTING, CLOSING, LISTEN or CLOSED"),
	TEXT("TYPE", type, "stream or seqpacket"),
	TEXT("LOCAL", local, "this end's CID:PORT"),
	TEXT("PEER", peer, "the other end's CID:PORT"),
	AT("LOCAL_CID", msg_any, msg.vdiag_src_cid, "this end's CID"),
	AT("LOCAL_PORT", msg_any, msg.vdiag_src_port, "this end's port"),
	AT("PEER_CID", msg_any, msg.vdiag_dst_cid, "the other end's CID"),
	AT("PEER_PORT", msg_any, msg.vdiag_dst_port, "the other end's port"),
	TEXT("SHUTDOWN", local_shutdown, "what this end has shut down: receive, send or both"),
	TEXT("PEER_SHUTDOWN", peer_shutdown, "what the peer has shut down"),
	TEXT("REASON", reason, "why the state is what it is"),
	TEXT("ERROR", error, "the last error set on the socket"),

	AT("RECV_Q", info_u32, info.rx_queued, "bytes that arrived and were not read yet"),
	AT("RX_WINDOW", info_u32, info.rx_buf_alloc,
	   "bytes this end buffers, as the peer was last told"),
	AT("RX_FREE", info_u32, info.rx_free, "bytes the peer may still send, by what it was told"),
	AT("RX_FWD_CNT", info_u32, info.rx_fwd_cnt,
	   "bytes read, as the peer was last told, modulo 2^32"),

	TEXT("CREDIT", credit, "TX_FREE/TX_WINDOW of a connection"),
	AT("SEND_Q", info_u32, info.tx_queued,
	   "memory of packets that the device still has, in bytes"),
	AT("TX_WINDOW", info_u32, info.tx_window, "bytes that may be in flight"),
	AT("TX_FREE", info_u32, info.tx_free, "bytes this end may still send"),
	AT("TX_IN_FLIGHT", info_u32, info.tx_in_flight,
	   "bytes sent and not known to be read by the peer"),
	AT("TX_FWD_CNT", info_u32, info.tx_fwd_cnt, "bytes the peer says it has read, modulo 2^32"),

	TEXT("ACCEPT_Q", accept_queue, "ACCEPT_WAITING/ACCEPT_LIMIT of a listener"),
	AT("ACCEPT_WAITING", info_u32, info.accept_queue, "connections that wait to be accepted"),
	AT("ACCEPT_LIMIT", info_u32, info.accept_queue_max, "how many may wait"),

	AT("TX_BYTES", info_u64, info.tx_bytes, "bytes sent"),
	AT("RX_BYTES", info_u64, info.rx_bytes, "bytes received"),
	AT("TX_PACKETS", info_u64, info.tx_packets, "packets of data sent"),
	AT("RX_PACKETS", info_u64, info.rx_packets, "packets of data received"),

	TEXT("STALL", stall, "what a send(2) that blocks waits for; not who polls"),
	AT("STALL_AGE", info_time, info.stall_age_ns, "for how long it has waited"),
	AT("STALLS_PEER_CREDIT", info_u64, info.stalls[GLASS_VSOCK_STALL_PEER_CREDIT],
	   "how often a send(2) blocked until the peer read"),
	AT("STALLS_DEVICE_QUEUE", info_u64, info.stalls[GLASS_VSOCK_STALL_DEVICE_QUEUE],
	   "how often until the device took packets"),
	AT("STALLS_MEMORY", info_u64, info.stalls[GLASS_VSOCK_STALL_MEMORY],
	   "how often until there was memory"),

	AT("AGE", info_time, info.age_ns, "time since the socket was made"),
	AT("STATE_AGE", info_time, info.state_age_ns, "time since its state changed"),
	AT("IDLE", info_time, info.activity_age_ns, "time since the last packet either way"),
	AT("CONNECT_TIME", info_time, info.connect_ns, "how long connecting took"),
	TEXT("TIMERS", timers, "armed timers and what is left of them"),

	AT("INODE", inode, msg.vdiag_ino, "the socket's inode number"),
	TEXT("PROCESS", process, "who has it open: COMMAND(PID),..."),
	NUMBER("PID", pid, "the first of these processes"),
	TEXT("COMMAND", command, "its name"),
	{}
};

_Static_assert(sizeof(columns) / sizeof(columns[0]) <= TABLE_MAX_COLUMNS,
	       "raise TABLE_MAX_COLUMNS");

const struct view connections_view = {
	.name = "connections",
	.columns = columns,
	.usual = "STATE,TYPE,LOCAL,PEER,RECV_Q,CREDIT,TX_BYTES,RX_BYTES,AGE,PROCESS",
	.row_size = sizeof(struct socket),
};

const struct view listeners_view = {
	.name = "listeners",
	.columns = columns,
	.usual = "TYPE,LOCAL,ACCEPT_Q,AGE,PROCESS",
	.row_size = sizeof(struct socket),
};

const struct view sockets_view = {
	.name = "sockets",
	.columns = columns,
	.usual = "STATE,TYPE,LOCAL,PEER,RECV_Q,CREDIT,ACCEPT_Q,TX_BYTES,RX_BYTES,AGE,PROCESS",
	.row_size = sizeof(struct socket),
};

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device does with a connection, by the port that the guest connects
 * to.  The device and the tests in the guest share this list.
 *
 * Where a guest's bytes are said to be numbers, they are of 64 bits, little
 * endian, and come in one packet.
 */
#ifndef TESTS_DEVICE_SCENARIOS_H
#define TESTS_DEVICE_SCENARIOS_H

#define SCENARIOS(X)									\
	/* As it should be. */								\
	X(ECHO, "echo")			/* sends back what comes */			\
	X(SINK, "sink")			/* a count, then so many bytes: answers with a struct	\
					 * sink_report */				\
	X(SOURCE, "source")		/* a count: sends so many bytes of SOURCE_SEED */\
	X(TALLY, "tally")		/* a byte: answers with a struct tally */	\
	X(REFUSE, "refuse")		/* a reset */					\
											\
	/* In place of the RESPONSE. */							\
	X(SILENT, "no answer")								\
	X(LATE, "late answer")		/* after LATE_MS */				\
	X(WRONG_PORT, "answer from another port")					\
	X(WRONG_CID, "answer from another CID")						\
	X(LOCAL_CID, "answer from the local CID")					\
	X(OWN_CID, "answer from the guest's own CID")					\
	X(LONG_CID, "answer from a CID of 64 bits")					\
	X(OTHER_GUEST, "answer to another guest")					\
	X(CLOSED_PORT, "answer to a closed port")					\
	X(EARLY_DATA, "data before the answer")						\
	X(EARLY_SHUTDOWN, "shutdown before the answer")					\
	X(OTHER_TYPE, "answer of the other type")					\
	X(LOADED_ANSWER, "answer with a payload")					\
	X(CREDITED_ANSWER, "answer that credits what was not sent")			\
											\
	/* Before the first byte is sent back; which it is not if the connection ends. */\
	X(ANSWER_TWICE, "answer twice")							\
	X(SHORT_HEADER, "short header")							\
	X(UNKNOWN_OP, "unknown operation")						\
	X(NO_OP, "operation 0")								\
	X(EMPTY, "data without data")							\
	X(SHUTDOWN_TWICE, "shutdown twice")						\
	X(STALE_CREDIT, "credit that goes back")					\
	X(IDLE_INTERRUPTS, "interrupts without work")	/* IDLE_INTERRUPTS of them */	\
	X(CREDIT_REQUESTS, "a flood of questions for credit")	/* FLOOD of them */	\
	X(REPLY_FLOOD, "packets to answer, and no answer read")	/* FLOOD of them */	\
	X(STRAY_RESETS, "a storm of resets for nobody")		/* FLOOD of them */	\
	X(LONG_PACKET, "longer than delivered")						\
	X(LONG_USED, "more delivered than the buffer holds")				\
	X(LOADED_CONTROL, "control packet with a payload")				\
	X(UNKNOWN_TYPE, "unknown type")							\
	X(MIXED_TYPE, "packet of the other type")					\
	X(NO_FLAGS, "shutdown without a flag")						\
	X(UNKNOWN_FLAGS, "unknown flags")						\
	X(DATA_AFTER_SHUTDOWN, "data after shutdown")					\
	X(REQUEST_AGAIN, "request in a connection")					\
	X(CREDIT_EXCEEDED, "more data than granted")					\
	X(CREDIT_AHEAD, "credit for what was not sent")					\
	X(ENDLESS_MESSAGE, "message without an end")	/* of SOCK_SEQPACKET */		\
	X(MESSAGE_FLAGS, "unknown flags of a message")	/* likewise */			\
	X(RESET_STORM, "a storm of resets")						\
											\
	/* Like a sink. */								\
	X(ON_REQUEST, "credit on request only")						\
	X(NO_CREDIT, "no credit ever")		/* but for the first WINDOW bytes */	\
	X(SHRINK, "credit taken back")		/* at WINDOW / 2; restored when asked for */\
	X(DROP_10, "10 % of the credit lost")						\
	X(DROP_50, "50 % of the credit lost")						\
	X(SLOW_RING, "slow ring")		/* one packet each SLOW_MS */		\
	X(STALLED_RING, "stalled ring")		/* for STALL_MS, at the first byte */	\
											\
	/* Like a source, by packets of one byte; messages of one. */			\
	X(ONE_BYTE, "one byte a packet")						\
											\
	/* Numbers: a port of the guest's, and how many times; then a byte comes back. */\
	X(FLOOD, "a flood of requests")							\
	X(RW_TO_LISTENER, "data to a listener")						\
	X(MIXED_REQUEST, "requests of the other type")					\
	X(CREDITED_REQUEST, "requests that credit what was not sent")			\
	X(TAKEN_BACK, "requests taken back")						\
											\
	/* At the first byte, and never to be good again until the driver is bound anew. */\
	X(USED_OUTSIDE, "used index outside of the ring")				\
	X(USED_TWICE, "used twice")							\
	X(USED_AHEAD, "used index ahead")						\
	X(USED_BACK, "used index goes back")						\
											\
	/* At the first byte.  For UNPLUGGED the device needs to know QEMU's QMP. */	\
	X(UNPLUGGED, "device unplugged, and another one plugged in")			\
	X(DIE, "device gone in mid-stream")	/* at a count of bytes */

#define SCENARIO_ENUM_(id, name)	SCENARIO_##id,
#define SCENARIO_PORT_(id, name)	PORT_##id = 1000 + SCENARIO_##id,
enum scenario_id { SCENARIOS(SCENARIO_ENUM_) SCENARIO_MAX };
enum scenario_port { SCENARIOS(SCENARIO_PORT_) };

#define WINDOW		262144	/* bytes that the device buffers for each connection */
#define SOURCE_SEED	4711
#define LATE_MS		600
#define SLOW_MS		20
#define STALL_MS	1500
#define IDLE_INTERRUPTS	2000
#define FLOOD		5000

#include <stdint.h>

struct sink_report {
	uint64_t digest;
	uint64_t updates_lost;
	uint64_t requests;	/* for credit, that came */
};

/* Packets that came for what a flood made up, since the last tally. */
struct tally {
	uint64_t responses, resets, others;
};

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vsock device: packets, and the device's end of each connection, which
 * does as it should unless its scenario has something to say.
 */
#ifndef TESTS_DEVICE_VSOCK_H
#define TESTS_DEVICE_VSOCK_H

#include <glass_vsock.h>
#include <sys/queue.h>

#include "scenarios.h"
#include "vhost_user.h"

#define HOST_CID	2
#define HDR_LEN		44
#define PAYLOAD_MAX	(4096 - HDR_LEN)	/* fits the smallest buffer of a guest's */
#define FLOOD_PORT	100000			/* from here on: what a flood makes up */

enum { STREAM = 1, SEQPACKET };
enum { RECEIVES_NO_MORE = 1, SENDS_NO_MORE = 2, BOTH = 3 };
enum { END_OF_MESSAGE = 1 };

/* On its way to the guest. */
struct packet {
	STAILQ_ENTRY(packet) node;
	struct glass_vsock_hdr hdr;	/* hdr.len need not be ... */
	size_t len;			/* ... what follows the header */
	uint32_t used;			/* what the guest is told was written */
	uint8_t payload[];
};

struct device {
	struct vhost_user vu;
	uint64_t seed;
	bool fuzz;
	const struct scenario *only;	/* for every connection, if set */
	const char *qmp, *socket;	/* where QEMU is told to plug it in anew */
	STAILQ_HEAD(, packet) out;
	unsigned int out_count;
	LIST_HEAD(, session) sessions;
	LIST_HEAD(, timer) timers;
	unsigned int connections;	/* so far */
	bool hold_tx;			/* take no packets from the guest */
	unsigned int slow;		/* times to take no more than one */
	bool slow_taken;		/* which was taken */
	struct tally tally;
};

struct session {
	LIST_ENTRY(session) node;
	struct device *dev;
	const struct scenario *scenario;
	uint64_t random;		/* the state of its own generator */
	uint32_t guest_port, port;
	uint16_t type;
	bool established, began;	/* began: something was received */
	uint8_t shutdown, guest_shutdown;

	/* Credit: what this end grants, and what the guest does. */
	uint32_t buf_alloc, fwd_cnt, told_fwd_cnt, rx_cnt;
	uint32_t guest_buf_alloc, guest_fwd_cnt, tx_cnt;
	uint64_t credit_requests, updates_lost;

	/* To be sent: what is in the buffer, and then a source's stream. */
	uint8_t *buffer;
	size_t buffered;
	uint64_t source_at, source_left;
	uint32_t chunk;			/* bytes in a packet, at most */

	/* A sink. */
	bool counting;
	uint64_t sink_left, digest;

	bool done;			/* what the scenario does once */
};

struct scenario {
	/* Each may be NULL: the device does as it should, and sends back what comes. */
	void (*request)(struct session *s);	/* answers */
	/* Something came for the first time.  False: and that is all. */
	bool (*first)(struct session *s, const void *data, size_t len);
	void (*data)(struct session *s, const void *data, size_t len);
	/* A packet is about to leave.  False: it does not. */
	bool (*leaves)(struct session *s, struct packet *p);
	/* Bytes were read.  Says when the guest hears. */
	bool (*update_due)(const struct session *s);
	void (*asked)(struct session *s);	/* for credit */
};

void device_init(struct device *dev, int fd, uint64_t cid);

/* Whatever can be done now: takes packets, sends packets. */
void device_run(struct device *dev);

/* A packet by hand; session_packet() fills in what is right for a session. */
struct packet *packet_new(const void *payload, size_t len);
struct packet *session_packet(struct session *s, uint16_t op, uint32_t flags,
			      const void *payload, size_t len);
void device_send(struct device *dev, struct packet *p);		/* as it is */
void session_send(struct session *s, uint16_t op, uint32_t flags, const void *payload, size_t len);

/* Answer a REQUEST. */
void session_respond(struct session *s);

/* Queue bytes for the guest, as credit allows. */
void session_write(struct session *s, const void *data, size_t len);

/* So many of the bytes that came count as read. */
void session_read(struct session *s, size_t len);

/* In a while, unless the session ends before. */
void session_later(struct session *s, unsigned int ms, void (*run)(struct session *s));

/* In a while, whatever happens. */
void device_later(struct device *dev, unsigned int ms, void (*run)(struct device *dev));

/* Milliseconds to the next of them, or -1; and run those that are due. */
int device_wait(const struct device *dev);
void device_timers(struct device *dev);

/* Those of a session, or all. */
void timers_forget(struct device *dev, const struct session *s);

#endif

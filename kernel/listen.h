/* SPDX-License-Identifier: GPL-2.0-only */
/* Listeners and their children. */
#ifndef GLASS_LISTEN_H
#define GLASS_LISTEN_H

#include "glass.h"

struct glass_transport;

/**
 * glass_listen_rcv - a REQUEST arrived for a listener
 * @sk: found by its address; not locked
 * @transport: what carried the packet
 * @request: the packet's header
 *
 * Makes a child and answers.  Returns GLASS_VSOCK_R_NONE, or why the peer is to
 * be reset.  Softirq or with bottom halves disabled; no spin lock held.
 */
enum glass_vsock_reason glass_listen_rcv(struct sock *sk,
					 const struct glass_transport *transport,
					 const struct glass_cb *request);

/*
 * A child that can be accepted, off the queue, with its own reference for the
 * caller; or NULL.  Any context without a spin lock.
 */
struct sock *glass_listen_next_child(struct sock *sk);
bool glass_listen_has_child(struct sock *sk);

/*
 * Reset what was not accepted.  The state is no longer LISTEN.  Process
 * context, may sleep; the listener is not locked.
 */
void glass_listen_abort_children(struct sock *sk);

#endif /* GLASS_LISTEN_H */

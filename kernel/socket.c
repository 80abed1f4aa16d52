// SPDX-License-Identifier: GPL-2.0-only
/* The socket calls, but for those that move data. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/miscdevice.h>
#include <linux/module.h>

#include "compat.h"
#include "conn.h"
#include "listen.h"
#include "rx.h"
#include "seqpacket.h"
#include "socket.h"
#include "stats.h"
#include "stream.h"
#include "table.h"
#include "trace.h"
#include "transport.h"
#include "tx.h"

static bool family_open;

/* Addresses */

/* svm_reserved1 and svm_zero are ignored: programs leave them unset. */
static const struct sockaddr_vm *check_address(const void *addr, int len)
{
	const struct sockaddr_vm *vm = addr;

	if (len < (int)sizeof(*vm) || vm->svm_family != AF_VSOCK ||
	    vm->svm_flags & ~VMADDR_FLAG_TO_HOST)
		return NULL;
	return vm;
}

static int socket_getname(struct socket *sock, struct sockaddr *addr, int peer)
{
	struct glass_sock *gs = glass_sk(sock->sk);
	struct sockaddr_vm *vm = (struct sockaddr_vm *)addr;
	int err = 0;

	memset(vm, 0, sizeof(*vm));
	vm->svm_family = AF_VSOCK;
	lock_sock(sock->sk);
	if (!peer) {
		vm->svm_cid = gs->local_cid;
		vm->svm_port = gs->local_port;
	} else if (sock->state == SS_CONNECTED) {
		vm->svm_cid = gs->peer_cid;
		vm->svm_port = gs->peer_port;
	} else {
		err = -ENOTCONN;
	}
	release_sock(sock->sk);
	return err ?: (int)sizeof(*vm);
}

static int bind_to(struct glass_sock *gs, u32 cid, u32 port)
{
	int err = glass_table_bind(gs, cid, port);

	WARN_ON_ONCE(gs->connected);	/* by the name that changes here */
	if (!err) {
		gs->local_cid = gs->bound_cid;
		gs->local_port = gs->bound_port;
	}
	return err;
}

static int socket_bind(struct socket *sock, struct sockaddr_unsized *addr,
		       int len)
{
	const struct sockaddr_vm *vm = check_address(addr, len);
	struct glass_sock *gs = glass_sk(sock->sk);
	int err;

	if (!vm)
		return -EINVAL;
	lock_sock(sock->sk);
	if (gs->bound || sock->state != SS_UNCONNECTED)
		err = -EINVAL;
	else if (vm->svm_cid != VMADDR_CID_ANY &&
		 !glass_cid_is_local(vm->svm_cid))
		err = -EADDRNOTAVAIL;
	else if (vm->svm_port < GLASS_RESERVED_PORTS &&
		 !capable(CAP_NET_BIND_SERVICE))
		err = -EACCES;
	else
		err = bind_to(gs, vm->svm_cid, vm->svm_port);
	release_sock(sock->sk);
	return err;
}

/* Connect */

/* The connection's four numbers.  A bound CID is kept for local delivery. */
static int set_peer(struct glass_sock *gs, const struct sockaddr_vm *vm)
{
	const struct glass_transport *transport;
	int err;

	if (vm->svm_cid == VMADDR_CID_ANY || vm->svm_port == VMADDR_PORT_ANY)
		return -EFAULT;
	transport = glass_transport_find(vm->svm_cid);
	if (!transport)
		return -ENODEV;
	if (!transport->carries(gs->sk.sk_type))
		return -ESOCKTNOSUPPORT;
	if (!gs->bound) {
		err = bind_to(gs, VMADDR_CID_ANY, VMADDR_PORT_ANY);
		if (err)
			return err;
	}
	gs->transport = transport;
	gs->peer_cid = vm->svm_cid;
	gs->peer_port = vm->svm_port;
	gs->local_cid = gs->bound_cid;
	if (gs->local_cid == VMADDR_CID_ANY || transport == &glass_virtio)
		gs->local_cid = transport->source_cid(vm->svm_cid);
	return 0;
}

static int start_connect(struct socket *sock, const void *addr, int len)
{
	const struct sockaddr_vm *vm = check_address(addr, len);
	struct sock *sk = sock->sk;
	int err;

	if (!vm || sk->sk_state == GLASS_VSOCK_LISTEN)
		return -EINVAL;
	err = set_peer(glass_sk(sk), vm);
	if (err)
		return err;
	sock->state = SS_CONNECTING;
	err = glass_conn_start(sk);
	if (err)
		sock->state = SS_UNCONNECTED;
	return err;
}

/* Returns 0 once the attempt has ended, either way. */
static int wait_connect(struct sock *sk)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	long timeo = MAX_SCHEDULE_TIMEOUT;	/* the timer ends it */
	int err = 0;

	add_wait_queue(sk_sleep(sk), &wait);
	while (sk->sk_state == GLASS_VSOCK_CONNECTING) {
		if (signal_pending(current)) {
			glass_conn_cancel(sk, EINTR, GLASS_VSOCK_R_INTERRUPTED);
			err = -EINTR;
			break;
		}
		sk_wait_event(sk, &timeo,
			      sk->sk_state != GLASS_VSOCK_CONNECTING, &wait);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/* What became of an attempt that is no longer under way. */
static int connect_result(struct socket *sock)
{
	if (sock->state == SS_CONNECTED)
		return 0;
	sock->state = SS_UNCONNECTED;
	return sock_error(sock->sk) ?: -ECONNABORTED;
}

static int connect_locked(struct socket *sock, const void *addr, int len,
		      bool nonblock)
{
	struct sock *sk = sock->sk;
	bool fresh = false;
	int err;

	if (sock->state == SS_CONNECTED)
		return -EISCONN;
	/* A failed attempt answers once, here or through SO_ERROR. */
	if (sock->state == SS_CONNECTING &&
	    sk->sk_state != GLASS_VSOCK_CONNECTING) {
		sock->state = SS_UNCONNECTED;
		err = sock_error(sk);
		if (err)
			return err;
	}
	if (sock->state == SS_UNCONNECTED) {
		err = start_connect(sock, addr, len);
		if (err)
			return err;
		fresh = true;
	}
	/* Local delivery has answered by now: it is in the backlog. */
	sk_flush_backlog(sk);
	if (nonblock) {
		if (sock->state == SS_CONNECTED)
			return 0;
		return fresh ? -EINPROGRESS : -EALREADY;
	}
	err = wait_connect(sk);
	if (err) {
		sock->state = SS_UNCONNECTED;
		return err;
	}
	return connect_result(sock);
}

static int socket_connect(struct socket *sock, struct sockaddr_unsized *addr,
			  int len, int flags)
{
	int err;

	lock_sock(sock->sk);
	err = connect_locked(sock, addr, len, flags & O_NONBLOCK);
	release_sock(sock->sk);
	return err;
}

/* Listen and accept */

static int socket_listen(struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;
	int err = 0;

	lock_sock(sk);
	if (sock->state != SS_UNCONNECTED || !glass_sk(sk)->bound) {
		err = -EINVAL;
	} else {
		WRITE_ONCE(sk->sk_max_ack_backlog, backlog);
		glass_sk(sk)->local_cid = glass_sk(sk)->bound_cid;
		if (sk->sk_state != GLASS_VSOCK_LISTEN)
			glass_set_state(sk, GLASS_VSOCK_LISTEN,
					GLASS_VSOCK_R_USER);
	}
	release_sock(sk);
	return err;
}

/* Returns 0 with a child to accept, or why there is none. */
static int wait_for_child(struct sock *sk, struct sock **child, long timeo)
{
	DEFINE_WAIT(wait);
	int err = 0;

	while (!(*child = glass_listen_next_child(sk))) {
		/* It was a listener: SOCK_DESTROY. */
		if (sk->sk_state != GLASS_VSOCK_LISTEN)
			return -EINVAL;
		if (!timeo)
			return -EAGAIN;
		if (signal_pending(current))
			return sock_intr_errno(timeo);
		/* Exclusive: one connection wakes one process. */
		prepare_to_wait_exclusive(sk_sleep(sk), &wait,
					  TASK_INTERRUPTIBLE);
		release_sock(sk);
		if (!glass_listen_has_child(sk))
			timeo = schedule_timeout(timeo);
		sched_annotate_sleep();
		lock_sock(sk);
		finish_wait(sk_sleep(sk), &wait);
	}
	return err;
}

static int accept_locked(struct socket *sock, struct socket *newsock, int flags)
{
	struct sock *sk = sock->sk;
	struct sock *child;
	int err;

	if (sk->sk_state != GLASS_VSOCK_LISTEN)
		return -EINVAL;
	err = wait_for_child(sk, &child, sock_rcvtimeo(sk, flags & O_NONBLOCK));
	if (err)
		return err;

	lock_sock_nested(child, SINGLE_DEPTH_NESTING);
	sock_graft(child, newsock);
	newsock->state = SS_CONNECTED;
	glass_socket_flags(newsock);
	glass_count(accepted);
	trace_accept(sk, child, ktime_get_ns() - glass_sk(child)->born_ns);
	release_sock(child);
	return 0;
}

static int socket_accept(struct socket *sock, struct socket *newsock,
			 GLASS_ACCEPT_ARGS)
{
	int err;

	lock_sock(sock->sk);
	err = accept_locked(sock, newsock, glass_accept_flags());
	release_sock(sock->sk);
	return err;
}

/* The rest */

static int socket_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	int err = -ENOTCONN;
	int news;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	how++;	/* SHUT_RD, SHUT_WR, SHUT_RDWR to RCV_SHUTDOWN, ... */

	lock_sock(sk);
	if (sock->state == SS_CONNECTED) {
		err = 0;
		news = how & ~sk->sk_shutdown;
		WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | how);
		if (how & RCV_SHUTDOWN)
			glass_rx_purge(sk);
		if (news && sk->sk_state == GLASS_VSOCK_ESTABLISHED) {
			glass_conn_send_shutdown(sk, news);
			glass_conn_drained(sk);
		}
		sk->sk_state_change(sk);
	}
	release_sock(sk);
	return err;
}

/* The kernel tells of the last packet before it gives its last byte back. */
static bool tx_drained(const struct sock *sk)
{
	return sk_wmem_alloc_get(sk) <= 1;
}

/* Let what was sent reach the device, as long as SO_LINGER allows. */
static void linger(struct sock *sk)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	long timeo = sk->sk_lingertime;

	if (!sock_flag(sk, SOCK_LINGER) || !timeo ||
	    current->flags & PF_EXITING)
		return;
	add_wait_queue(sk_sleep(sk), &wait);
	while (timeo && !signal_pending(current)) {
		glass_tx_wants_room(glass_sk(sk));
		if (tx_drained(sk) || sk->sk_state != GLASS_VSOCK_CLOSING)
			break;
		sk_wait_event(sk, &timeo, tx_drained(sk) ||
			      sk->sk_state != GLASS_VSOCK_CLOSING, &wait);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	if (!timeo)
		trace_timeout(sk, GLASS_VSOCK_TIMER_LINGER,
			      jiffies64_to_nsecs(sk->sk_lingertime));
}

static void close_socket(struct sock *sk)
{
	switch (sk->sk_state) {
	case GLASS_VSOCK_LISTEN:
		glass_set_state(sk, GLASS_VSOCK_CLOSED, GLASS_VSOCK_R_USER);
		break;
	case GLASS_VSOCK_CONNECTING:
		glass_conn_cancel(sk, ECONNABORTED, GLASS_VSOCK_R_USER);
		break;
	case GLASS_VSOCK_ESTABLISHED:
		glass_conn_close(sk);
		linger(sk);
		break;
	}
}

static int socket_release(struct socket *sock)
{
	struct sock *sk = sock->sk;

	if (!sk)
		return 0;
	lock_sock(sk);
	/* Before it lingers: what is unread would keep the end from coming. */
	glass_rx_purge(sk);
	close_socket(sk);
	sock_orphan(sk);
	sock->sk = NULL;
	/* A connection that waits for its end is destroyed by that. */
	if (sk->sk_state == GLASS_VSOCK_CLOSED)
		glass_sock_destroy(sk);
	release_sock(sk);
	glass_listen_abort_children(sk);
	sock_put(sk);
	return 0;
}

#ifdef CONFIG_COMPAT
#define OPS_COMPAT	.compat_ioctl = glass_socket_compat_ioctl,
#else
#define OPS_COMPAT
#endif

/* What the two types have in common. */
#define OPS_CONNECTION							\
	.family = PF_VSOCK,						\
	.owner = THIS_MODULE,						\
	.release = socket_release,					\
	.bind = socket_bind,						\
	.connect = socket_connect,					\
	.socketpair = sock_no_socketpair,				\
	.accept = socket_accept,					\
	.getname = socket_getname,					\
	.poll = glass_socket_poll,					\
	.ioctl = glass_socket_ioctl,					\
	OPS_COMPAT							\
	.listen = socket_listen,					\
	.shutdown = socket_shutdown,					\
	.setsockopt = glass_setsockopt,					\
	.getsockopt = glass_getsockopt,					\
	.mmap = sock_no_mmap

static const struct proto_ops stream_ops = {
	OPS_CONNECTION,
	.sendmsg = glass_stream_sendmsg,
	.recvmsg = glass_stream_recvmsg,
	.set_rcvlowat = glass_stream_set_rcvlowat,
	.splice_read = glass_stream_splice_read,
	GLASS_OPS_SENDPAGE(glass_stream_sendpage)
};

static const struct proto_ops seqpacket_ops = {
	OPS_CONNECTION,
	.sendmsg = glass_seqpacket_sendmsg,
	.recvmsg = glass_seqpacket_recvmsg,
	GLASS_OPS_SENDPAGE(sock_no_sendpage)
};

/* The types of socket.  NULL for one that there is not. */
static const struct proto_ops *ops_for(int type)
{
	switch (type) {
	case SOCK_STREAM:
		return &stream_ops;
	case SOCK_SEQPACKET:
		return &seqpacket_ops;
	default:
		return NULL;
	}
}

/* The family */

static struct proto glass_proto = {
	.name = KBUILD_MODNAME,
	.owner = THIS_MODULE,
	.obj_size = sizeof(struct glass_sock),
	.release_cb = glass_release_cb,
};

static void socket_destruct(struct sock *sk)
{
	skb_queue_purge(&sk->sk_receive_queue);
	skb_queue_purge(&sk->sk_error_queue);
}

static int socket_create(struct net *net, struct socket *sock, int protocol,
			 int kern)
{
	struct glass_sock *gs;
	struct sock *sk;
	int err;

	if (!smp_load_acquire(&family_open))
		return -EAFNOSUPPORT;
	if (protocol && protocol != PF_VSOCK)
		return -EPROTONOSUPPORT;
	if (sock->type == SOCK_DGRAM)
		return -ENODEV;
	if (!ops_for(sock->type))
		return -ESOCKTNOSUPPORT;

	sk = sk_alloc(net, PF_VSOCK, GFP_KERNEL, &glass_proto, kern);
	if (!sk)
		return -ENOMEM;
	gs = glass_sk(sk);
	sock->ops = ops_for(sock->type);
	sock->state = SS_UNCONNECTED;
	sock_init_data(sock, sk);
	glass_socket_flags(sock);
	sk->sk_destruct = socket_destruct;
	sk->sk_write_space = glass_write_space;
	/* What is queued for a peer is memory of who sent it. */
	sk->sk_allocation = GFP_KERNEL_ACCOUNT;
	/* Nor is it put into a page that others began, uncharged. */
	sk->sk_use_task_frag = false;
	sk->sk_state = GLASS_VSOCK_CLOSED;
	glass_conn_init(gs);
	glass_default_options(gs);

	err = glass_table_list(gs, GFP_KERNEL);
	if (err) {
		sock_orphan(sk);
		sock->sk = NULL;
		sock_put(sk);
	}
	return err;
}

static const struct net_proto_family glass_family = {
	.family = PF_VSOCK,
	.create = socket_create,
	.owner = THIS_MODULE,
};

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return glass_local_cid_ioctl(cmd, arg);
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.open = nonseekable_open,
};

static struct miscdevice device = {
	.name = "vsock",
	.minor = MISC_DYNAMIC_MINOR,
	.fops = &device_fops,
	.mode = 0666,
};

int __init glass_socket_init(void)
{
	int err;

	err = proto_register(&glass_proto, 1);
	if (err)
		return err;
	err = sock_register(&glass_family);
	if (err) {
		/* modprobe takes EEXIST for "loaded already". */
		err = err == -EEXIST ? -EBUSY : err;
		pr_err("AF_VSOCK belongs to another driver already (vsock?): unload it first, and keep it from loading with \"install vsock /bin/false\" in /etc/modprobe.d\n");
		goto unregister_proto;
	}
	err = misc_register(&device);
	if (err)
		goto unregister_family;
	return 0;

unregister_family:
	sock_unregister(PF_VSOCK);
unregister_proto:
	proto_unregister(&glass_proto);
	return err;
}

void glass_socket_open(void)
{
	smp_store_release(&family_open, true);
}

void glass_socket_exit(void)
{
	misc_deregister(&device);
	sock_unregister(PF_VSOCK);
	proto_unregister(&glass_proto);
}

// SPDX-License-Identifier: GPL-2.0-only
/* setsockopt() and getsockopt() at level AF_VSOCK. */

#include <linux/compat.h>

#include "conn.h"
#include "info.h"
#include "socket.h"

#define DEFAULT_BUFFER_SIZE	SZ_256K
#define DEFAULT_BUFFER_MAX_SIZE	SZ_256K
#define DEFAULT_BUFFER_MIN_SIZE	128
#define DEFAULT_CONNECT_TIMEOUT	(2 * HZ)

void glass_default_options(struct glass_sock *gs)
{
	gs->buffer_size = DEFAULT_BUFFER_SIZE;
	gs->buffer_min_size = DEFAULT_BUFFER_MIN_SIZE;
	gs->buffer_max_size = DEFAULT_BUFFER_MAX_SIZE;
	gs->connect_timeout = DEFAULT_CONNECT_TIMEOUT;
}

/* Keep the size between its limits, the upper one winning, and grant it. */
static void set_buffer_size(struct sock *sk, u64 size)
{
	struct glass_sock *gs = glass_sk(sk);
	u32 granted = glass_rx_window(gs);

	size = min(max(size, gs->buffer_min_size), gs->buffer_max_size);
	gs->buffer_size = min_t(u64, size, U32_MAX);	/* as stock does */
	if (glass_rx_window(gs) == granted || !gs->connected)
		return;
	glass_credit_set_buf_alloc(&gs->credit, glass_rx_window(gs),
				   sk->sk_type == SOCK_SEQPACKET);
	glass_write_space(sk);
	if (sk->sk_state != GLASS_VSOCK_ESTABLISHED)
		return;
	/* What is in flight may be too much now, and the peer not know of it. */
	if (glass_conn_should_ask(sk, 1) && !READ_ONCE(gs->tx_asked))
		glass_conn_ask_credit(sk, 1);
	else
		glass_conn_send_credit(sk);
}

/* A time in seconds and microseconds, in any of the three layouts. */
static int set_connect_timeout(struct glass_sock *gs, s64 sec, s64 usec)
{
	if (sec < 0 || usec < 0 || usec >= USEC_PER_SEC ||
	    sec >= MAX_SCHEDULE_TIMEOUT / HZ - 1)
		return -ERANGE;
	gs->connect_timeout = sec * HZ + DIV_ROUND_UP(usec, USEC_PER_SEC / HZ);
	if (!gs->connect_timeout)
		gs->connect_timeout = DEFAULT_CONNECT_TIMEOUT;
	return 0;
}

static int copy_timeout(struct glass_sock *gs, int optname, sockptr_t optval,
			unsigned int optlen)
{
	if (in_compat_syscall() && !COMPAT_USE_64BIT_TIME &&
	    optname == SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD) {
		struct old_timeval32 tv32;

		if (optlen < sizeof(tv32))
			return -EINVAL;
		if (copy_from_sockptr(&tv32, optval, sizeof(tv32)))
			return -EFAULT;
		return set_connect_timeout(gs, tv32.tv_sec, tv32.tv_usec);
	}
	if (optname == SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD) {
		struct __kernel_old_timeval tv;

		if (optlen < sizeof(tv))
			return -EINVAL;
		if (copy_from_sockptr(&tv, optval, sizeof(tv)))
			return -EFAULT;
		return set_connect_timeout(gs, tv.tv_sec, tv.tv_usec);
	} else {
		struct __kernel_sock_timeval tv;

		if (optlen < sizeof(tv))
			return -EINVAL;
		if (copy_from_sockptr(&tv, optval, sizeof(tv)))
			return -EFAULT;
		return set_connect_timeout(gs, tv.tv_sec, tv.tv_usec);
	}
}

static int copy_size(u64 *size, sockptr_t optval, unsigned int optlen)
{
	if (optlen < sizeof(*size))
		return -EINVAL;
	return copy_from_sockptr(size, optval, sizeof(*size)) ? -EFAULT : 0;
}

static int write_option(struct sock *sk, int optname, sockptr_t optval,
			unsigned int optlen)
{
	struct glass_sock *gs = glass_sk(sk);
	u64 size;
	int err;

	switch (optname) {
	case SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD:
	case SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW:
		return copy_timeout(gs, optname, optval, optlen);
	case SO_VM_SOCKETS_BUFFER_SIZE:
	case SO_VM_SOCKETS_BUFFER_MIN_SIZE:
	case SO_VM_SOCKETS_BUFFER_MAX_SIZE:
		err = copy_size(&size, optval, optlen);
		if (err)
			return err;
		break;
	default:
		return -ENOPROTOOPT;
	}

	if (optname == SO_VM_SOCKETS_BUFFER_MIN_SIZE)
		gs->buffer_min_size = size;
	else if (optname == SO_VM_SOCKETS_BUFFER_MAX_SIZE)
		gs->buffer_max_size = size;
	set_buffer_size(sk, optname == SO_VM_SOCKETS_BUFFER_SIZE ?
			    size : gs->buffer_size);
	return 0;
}

static int set_zerocopy(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	int val;

	if (optlen < sizeof(val))
		return -EINVAL;
	if (copy_from_sockptr(&val, optval, sizeof(val)))
		return -EFAULT;
	if (val < 0 || val > 1)
		return -EINVAL;
	lock_sock(sk);
	sock_valbool_flag(sk, SOCK_ZEROCOPY, val);
	release_sock(sk);
	return 0;
}

int glass_setsockopt(struct socket *sock, int level, int optname,
		     sockptr_t optval, unsigned int optlen)
{
	int err;

	if (level == SOL_SOCKET && optname == SO_ZEROCOPY)
		return set_zerocopy(sock->sk, optval, optlen);
	if (level == SOL_SOCKET)
		return sock_setsockopt(sock, level, optname, optval, optlen);
	if (level != AF_VSOCK)
		return -ENOPROTOOPT;
	lock_sock(sock->sk);
	err = write_option(sock->sk, optname, optval, optlen);
	release_sock(sock->sk);
	return err;
}

union option_value {
	u64 size;
	struct old_timeval32 tv32;
	struct __kernel_old_timeval old;
	struct __kernel_sock_timeval tv;
};

/* Returns the value's length, or an errno. */
static int read_option(const struct glass_sock *gs, int optname,
		       union option_value *v)
{
	struct timespec64 ts;

	memset(v, 0, sizeof(*v));
	jiffies_to_timespec64(gs->connect_timeout, &ts);
	switch (optname) {
	case SO_VM_SOCKETS_BUFFER_SIZE:
		v->size = gs->buffer_size;
		return sizeof(v->size);
	case SO_VM_SOCKETS_BUFFER_MIN_SIZE:
		v->size = gs->buffer_min_size;
		return sizeof(v->size);
	case SO_VM_SOCKETS_BUFFER_MAX_SIZE:
		v->size = gs->buffer_max_size;
		return sizeof(v->size);
	case SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD:
		if (in_compat_syscall() && !COMPAT_USE_64BIT_TIME) {
			v->tv32.tv_sec = ts.tv_sec;
			v->tv32.tv_usec = ts.tv_nsec / NSEC_PER_USEC;
			return sizeof(v->tv32);
		}
		v->old.tv_sec = ts.tv_sec;
		v->old.tv_usec = ts.tv_nsec / NSEC_PER_USEC;
		return sizeof(v->old);
	case SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW:
		v->tv.tv_sec = ts.tv_sec;
		v->tv.tv_usec = ts.tv_nsec / NSEC_PER_USEC;
		return sizeof(v->tv);
	}
	return -ENOPROTOOPT;
}

/* Without the socket lock: who looks must not wait for who sends. */
static int read_info(const struct glass_sock *gs, char __user *optval, int len,
		     int __user *optlen)
{
	struct glass_vsock_info info;

	if (len < 0)
		return -EINVAL;
	glass_fill_info(gs, &info);
	len = min_t(unsigned int, len, sizeof(info));
	if (copy_to_user(optval, &info, len) || put_user(len, optlen))
		return -EFAULT;
	return 0;
}

int glass_getsockopt(struct socket *sock, int level, int optname,
		     char __user *optval, int __user *optlen)
{
	union option_value value;
	int size, len;

	if (level != AF_VSOCK)
		return -ENOPROTOOPT;
	if (get_user(len, optlen))
		return -EFAULT;
	if (optname == GLASS_VSOCK_SO_INFO)
		return read_info(glass_sk(sock->sk), optval, len, optlen);
	size = read_option(glass_sk(sock->sk), optname, &value);
	if (size < 0)
		return size;
	if (len < size)
		return -EINVAL;
	if (copy_to_user(optval, &value, size) || put_user(size, optlen))
		return -EFAULT;
	return 0;
}

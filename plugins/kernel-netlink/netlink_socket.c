/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's end: a netlink socket. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <string.h>

#include "netlink_inside.h"

static ssize_t nl_socket_send(void *arg, const struct iovec *iov, size_t n)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr m = { .msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = (struct iovec *)iov,
			    .msg_iovlen = n };

	return sendmsg(mnl_socket_get_fd(arg), &m, MSG_DONTWAIT);
}

static ssize_t nl_socket_recv(void *arg, void *buffer, size_t size)
{
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(mnl_socket_get_fd(arg), buffer, size, MSG_DONTWAIT, (struct sockaddr *)&from, &len);

	/* another process may write to us, but it is not the kernel */
	if (n >= 0 && from.nl_pid != 0) {
		errno = EINTR;
		return -1;
	}
	return n;
}

static void nl_socket_tune(struct mnl_socket *s, const struct nl_options *o)
{
	int on = 1, size = o->receive_buffer;

	(void)mnl_socket_setsockopt(s, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(s, NETLINK_CAP_ACK, &on, sizeof(on));
	if (size > 0 && setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

struct nl *nl_open(int protocol, const struct nl_options *o, struct errtext *err)
{
	struct mnl_socket *s = mnl_socket_open2(protocol, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct nl_io io = { .send = nl_socket_send, .recv = nl_socket_recv, .arg = s };
	struct nl *n;

	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		errtext_set(err, "cannot open a netlink socket for protocol %d: %s", protocol, strerror(errno));
		if (s)
			mnl_socket_close(s);
		return NULL;
	}
	nl_socket_tune(s, o);
	io.fd = mnl_socket_get_fd(s);
	io.portid = mnl_socket_get_portid(s);
	n = nl_new(&io, o);
	n->socket = s;
	return n;
}

int nl_group(struct nl *n, unsigned group, bool join)
{
	int value = (int)group;

	if (!n->socket)
		return 0;
	return mnl_socket_setsockopt(n->socket, join ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &value,
				     sizeof(value)) < 0 ? errno : 0;
}

int nl_filter(struct nl *n, const struct sock_filter *code, size_t n_code)
{
	struct sock_fprog prog = { (unsigned short)n_code, (struct sock_filter *)(uintptr_t)code };

	if (!n->socket)
		return 0;
	return setsockopt(n->io.fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? errno : 0;
}

uint32_t nl_portid(const struct nl *n)
{
	return n->io.portid;
}

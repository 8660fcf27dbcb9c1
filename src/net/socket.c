/* SPDX-License-Identifier: Apache-2.0 */
#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/net.h"
#include "proto/iana.h"

static bool socket_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

static void socket_close(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

static int socket_new(int family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);

	if (fd >= 0 && family == AF_INET6 && !socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) {
		socket_close(fd);
		return -1;
	}
	return fd;
}

static bool socket_bind(int fd, int family, uint16_t port)
{
	uint8_t zero[16] = { 0 };
	struct addr any = addr_from_ip(family, zero);
	struct sockaddr_storage sa;
	socklen_t len;

	any.port = port;
	len = addr_to_sockaddr(&any, &sa);
	return bind(fd, (struct sockaddr *)&sa, len) == 0;
}

static bool socket_name(int fd, struct addr *ret_addr)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
		return false;
	if (addr_from_sockaddr(&sa, ret_addr))
		return true;
	errno = EAFNOSUPPORT;
	return false;
}

bool socket_family_works(int family)
{
	int fd = socket_new(family);

	if (fd < 0)
		return errno != EAFNOSUPPORT;
	close(fd);
	return true;
}

bool socket_probe(int family, uint16_t port, uint16_t *ret_port)
{
	int fd = socket_new(family);
	struct addr bound;
	bool ok;

	if (fd < 0)
		return false;
	ok = socket_bind(fd, family, port) && socket_name(fd, &bound);
	socket_close(fd);
	if (ok)
		*ret_port = bound.port;
	return ok;
}

/* The system's maximum holds for SO_RCVBUF, but not for who may administer the network. */
static void socket_set_rcvbuf(int fd, int bytes)
{
	if (bytes > 0 && !socket_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes))
		(void)socket_set(fd, SOL_SOCKET, SO_RCVBUF, bytes);
}

static bool socket_set_family_options(int fd, int family, const char **step)
{
	/*
	 * A large IKE message whose fragments a router may not fragment again would vanish
	 * where ICMP is filtered: no DF bit. Best effort.
	 */
	if (family == AF_INET) {
		(void)socket_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
		*step = "IP_PKTINFO";
		return socket_set(fd, IPPROTO_IP, IP_PKTINFO, 1);
	}
	(void)socket_set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
	*step = "IPV6_RECVPKTINFO";
	return socket_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

static bool socket_set_options(int fd, int family, uint16_t port, const struct net_options *o, const char **step)
{
	if (!socket_set_family_options(fd, family, step))
		return false;
	*step = "SO_MARK";
	if (o->mark && !socket_set(fd, SOL_SOCKET, SO_MARK, (int)o->mark))
		return false;
	/* what has no non-ESP marker never comes to us then, and keepalives end there, too */
	*step = "UDP_ENCAP";
	if (o->udp_encap && port == o->port_nat_t && !socket_set(fd, IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP))
		return false;
	*step = "IP_XFRM_POLICY";
	/* a kernel that does ESP has policies, others may */
	if (o->bypass && !net_bypass_policies(fd, family) && o->udp_encap)
		return false;
	socket_set_rcvbuf(fd, o->rcvbuf);
	*step = "SO_REUSEPORT";
	return socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

int socket_open(int family, uint16_t port, const struct net_options *options, const char **ret_step)
{
	int fd = socket_new(family);

	if (fd < 0) {
		*ret_step = "socket";
		return -1;
	}
	if (!socket_set_options(fd, family, port, options, ret_step)) {
		socket_close(fd);
		return -1;
	}
	if (!socket_bind(fd, family, port)) {
		*ret_step = "bind";
		socket_close(fd);
		return -1;
	}
	return fd;
}

bool socket_source(const struct addr *remote, uint32_t mark, struct addr *ret_local)
{
	struct addr to = *remote;
	struct sockaddr_storage sa;
	socklen_t len;
	struct addr local;
	bool ok;
	int fd = socket_new(remote->family);

	if (fd < 0)
		return false;
	if (to.port == 0)
		to.port = IKE_PORT;
	len = addr_to_sockaddr(&to, &sa);
	/* connect chooses the route and so the source; a mark takes part in that */
	ok = (!mark || socket_set(fd, SOL_SOCKET, SO_MARK, (int)mark)) &&
	     connect(fd, (struct sockaddr *)&sa, len) == 0 && socket_name(fd, &local);
	socket_close(fd);
	if (!ok)
		return false;
	local.port = 0;
	*ret_local = local;
	return true;
}

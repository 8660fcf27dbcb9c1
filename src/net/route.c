/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "net/socket.h"

/* One question to the routing tables; the kernel answers at once. */

#define ROUTE_BUFFER 4096

static int route_oif_cb(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == RTA_OIF && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		*(unsigned *)arg = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int route_cb(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type == RTM_NEWROUTE && (rtm->rtm_type == RTN_UNICAST || rtm->rtm_type == RTN_LOCAL))
		mnl_attr_parse(h, sizeof(*rtm), route_oif_cb, arg);
	return MNL_CB_STOP;
}

static struct nlmsghdr *route_request(void *buffer, const struct addr *local, const struct addr *remote, uint32_t mark)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct rtmsg *rtm;

	h->nlmsg_type = RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST;
	h->nlmsg_seq = 1;
	rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));
	rtm->rtm_family = remote->family;
	rtm->rtm_dst_len = rtm->rtm_src_len = (uint8_t)(8 * addr_len(remote));
	mnl_attr_put(h, RTA_DST, addr_len(remote), remote->ip);
	mnl_attr_put(h, RTA_SRC, addr_len(local), local->ip);
	if (remote->scope)
		mnl_attr_put_u32(h, RTA_OIF, remote->scope);
	if (mark)
		mnl_attr_put_u32(h, RTA_MARK, mark);
	return h;
}

bool route_link(const struct addr *local, const struct addr *remote, uint32_t mark, unsigned *ret_ifindex)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[ROUTE_BUFFER];
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct nlmsghdr *h = route_request(buffer, local, remote, mark);
	unsigned ifindex = 0;
	ssize_t n;

	if (!s)
		return false;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0 && mnl_socket_sendto(s, h, h->nlmsg_len) >= 0) {
		n = mnl_socket_recvfrom(s, buffer, sizeof(buffer));
		if (n > 0)
			(void)mnl_cb_run(buffer, (size_t)n, 1, mnl_socket_get_portid(s), route_cb, &ifindex);
	}
	mnl_socket_close(s);
	if (ifindex)
		*ret_ifindex = ifindex;
	return ifindex != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "kernel/rtnl.h"
#include "kernel/rtnl_message.h"
#include "proto/ipsec.h"
#include "util/mem.h"

/* Addresses of this host, and what changes in the network. */

static bool rtnl_addr_of(const struct nlmsghdr *h, struct addr *ret, bool *ret_vip)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
	struct rtnl_attrs t = { { NULL } };

	*ret_vip = false;
	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return false;
	mnl_attr_parse(h, sizeof(*ifa), rtnl_attr_cb, &t);
	*ret = rtnl_get_addr(ifa->ifa_family, t.a[IFA_LOCAL] ? t.a[IFA_LOCAL] : t.a[IFA_ADDRESS]);
	*ret_vip = (rtnl_attr_u32(&t, IFA_RT_PRIORITY, 0) & VIP_METRIC_MASK) == VIP_METRIC;
	return ret->family && ifa->ifa_scope < RT_SCOPE_LINK &&
	       !(ifa->ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED));
}

struct rtnl_addr_arg {
	rtnl_addr_fn *fn;
	void *arg;
};

static int rtnl_addr_cb(const struct nlmsghdr *h, void *arg)
{
	struct rtnl_addr_arg *want = arg;
	bool vip;
	struct addr a;

	if (h->nlmsg_type == RTM_NEWADDR && rtnl_addr_of(h, &a, &vip))
		want->fn(want->arg, &a, vip);
	return MNL_CB_OK;
}

int rtnl_addresses(struct rtnl *r, rtnl_addr_fn *fn, void *arg)
{
	struct rtnl_addr_arg want = { fn, arg };
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_begin(r, &q, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));

	ifa->ifa_family = AF_UNSPEC;
	return rtnl_talk(r, h, rtnl_addr_cb, &want);
}

int rtnl_monitor_open(struct rtnl *r, enum rtnl_watch what)
{
	int groups[] = { RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE,
			 RTNLGRP_IPV6_ROUTE };
	size_t n = what == RTNL_WATCH_ADDRS ? 2 : what == RTNL_WATCH_LINKS ? 3 : ARRAY_LEN(groups);

	r->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!r->socket || mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return errno;
	for (size_t i = 0; i < n; i++)
		if (mnl_socket_setsockopt(r->socket, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])) < 0)
			return errno;
	return 0;
}

int rtnl_monitor_fd(const struct rtnl *r)
{
	return mnl_socket_get_fd(r->socket);
}

struct rtnl_change_arg {
	rtnl_gone_fn *gone;
	void *arg;
	uint32_t but;
	bool any;
};

static void rtnl_see_link(struct rtnl_change_arg *want, const struct nlmsghdr *h)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	struct addr none = { 0 };

	want->any = true;
	if (h->nlmsg_type == RTM_DELLINK || !(ifi->ifi_flags & 1 /* IFF_UP */))
		(void)want->gone(want->arg, &none, false, (unsigned)ifi->ifi_index);
}

static void rtnl_see_route(struct rtnl_change_arg *want, const struct nlmsghdr *h)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);
	struct rtnl_attrs t = { { NULL } };

	if (rtm->rtm_flags & RTM_F_CLONED)
		return;
	mnl_attr_parse(h, sizeof(*rtm), rtnl_attr_cb, &t);
	if (rtnl_attr_u32(&t, RTA_TABLE, rtm->rtm_table) != want->but)
		want->any = true;
}

static int rtnl_change_cb(const struct nlmsghdr *h, void *arg)
{
	struct rtnl_change_arg *want = arg;
	bool vip = false, gone;
	struct addr a;

	switch (h->nlmsg_type) {
	case RTM_NEWADDR:
		(void)rtnl_addr_of(h, &a, &vip);
		want->any = want->any || !vip;
		break;
	case RTM_DELADDR:
		gone = rtnl_addr_of(h, &a, &vip) &&
		       want->gone(want->arg, &a, vip, ((const struct ifaddrmsg *)mnl_nlmsg_get_payload(h))->ifa_index);
		want->any = want->any || gone || !vip;
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		rtnl_see_link(want, h);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		rtnl_see_route(want, h);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

bool rtnl_monitor_read(struct rtnl *r, uint32_t but, rtnl_gone_fn *gone, void *arg)
{
	struct rtnl_change_arg want = { gone, arg, but, false };
	uint8_t *buffer = xmalloc(RTNL_BUFFER);
	struct addr none = { 0 };
	ssize_t n;

	while ((n = mnl_socket_recvfrom(r->socket, buffer, RTNL_BUFFER)) != 0) {
		if (n < 0 && errno == ENOBUFS) {
			want.any = true;
			(void)gone(arg, &none, false, 0);
		} else if (n < 0 && errno != EINTR) {
			break;
		} else if (n > 0) {
			(void)mnl_cb_run(buffer, (size_t)n, 0, 0, rtnl_change_cb, &want);
		}
	}
	free(buffer);
	return want.any;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>

#include "kernel/rtnl.h"
#include "kernel/rtnl_message.h"
#include "proto/ipsec.h"
#include "util/mem.h"

/* Addresses that we put onto links. */

#define CLEAN_TRIES 5 /* a dump that changes interrupted is asked for again */

static struct nlmsghdr *rtnl_addr_begin(struct rtnl *r, struct rtnl_request *q, uint16_t type, uint16_t flags,
					const struct rtnl_address *a)
{
	struct nlmsghdr *h = rtnl_begin(r, q, type, NLM_F_ACK | flags);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));

	ifa->ifa_family = a->addr.family;
	ifa->ifa_prefixlen = a->len;
	ifa->ifa_index = a->ifindex;
	rtnl_put_addr(h, IFA_LOCAL, &a->addr);
	rtnl_put_addr(h, IFA_ADDRESS, &a->addr);
	return h;
}

/* Duplicate address detection would keep an IPv6 address from being a source for a second, and tell the link of it. */
int rtnl_addr_add(struct rtnl *r, const struct rtnl_address *a)
{
	struct ifa_cacheinfo life = { .ifa_prefered = a->quiet ? 0 : UINT32_MAX, .ifa_valid = UINT32_MAX };
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_addr_begin(r, &q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, a);

	if (a->addr.family == AF_INET6) {
		mnl_attr_put_u32(h, IFA_FLAGS, IFA_F_NODAD | (a->metric ? IFA_F_NOPREFIXROUTE : 0));
		mnl_attr_put(h, IFA_CACHEINFO, sizeof(life), &life);
	}
	if (a->metric)
		mnl_attr_put_u32(h, IFA_RT_PRIORITY, a->metric);
	return rtnl_talk(r, h, NULL, NULL);
}

int rtnl_addr_del(struct rtnl *r, const struct rtnl_address *a)
{
	struct rtnl_request q;

	return rtnl_talk(r, rtnl_addr_begin(r, &q, RTM_DELADDR, 0, a), NULL, NULL);
}

static int rtnl_local_cb(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);
	struct rtnl_attrs t = { { NULL } };
	unsigned *ifindex = arg;

	if (h->nlmsg_type != RTM_NEWROUTE || rtm->rtm_type != RTN_LOCAL)
		return MNL_CB_STOP;
	mnl_attr_parse(h, sizeof(*rtm), rtnl_attr_cb, &t);
	*ifindex = rtnl_attr_u32(&t, RTA_OIF, 0);
	return MNL_CB_STOP;
}

/* Who has thousands of addresses has no list of them read for each: the local route itself, not the answer to a look-up, names the link. */
bool rtnl_addr_find(struct rtnl *r, const struct addr *a, unsigned *ret_ifindex)
{
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_begin(r, &q, RTM_GETROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));
	unsigned ifindex = 0;

	rtm->rtm_family = a->family;
	rtm->rtm_dst_len = (uint8_t)(addr_len(a) * 8);
	rtm->rtm_flags = RTM_F_FIB_MATCH;
	rtnl_put_addr(h, RTA_DST, a);
	if (a->scope)
		mnl_attr_put_u32(h, RTA_OIF, a->scope);
	if (rtnl_talk(r, h, rtnl_local_cb, &ifindex) != 0 || !ifindex)
		return false;
	*ret_ifindex = ifindex;
	return true;
}

/* ---- what a dead predecessor left ---- */

struct rtnl_addr_leftovers {
	uint32_t metric;
	struct rtnl_address *list;
	size_t n;
};

static int rtnl_leftover_cb(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
	struct rtnl_addr_leftovers *l = arg;
	struct rtnl_attrs t = { { NULL } };
	struct addr a;

	if (h->nlmsg_type != RTM_NEWADDR || (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof(*ifa), rtnl_attr_cb, &t);
	a = rtnl_get_addr(ifa->ifa_family, t.a[IFA_LOCAL] ? t.a[IFA_LOCAL] : t.a[IFA_ADDRESS]);
	if (!a.family || rtnl_attr_u32(&t, IFA_RT_PRIORITY, 0) != l->metric)
		return MNL_CB_OK;
	l->list = xrealloc(l->list, (l->n + 1) * sizeof(*l->list));
	l->list[l->n++] = (struct rtnl_address){ .addr = a, .len = ifa->ifa_prefixlen, .ifindex = ifa->ifa_index };
	return MNL_CB_OK;
}

size_t rtnl_addr_clean(struct rtnl *r, uint32_t metric)
{
	struct rtnl_addr_leftovers l = { .metric = metric };
	int e = EINTR;

	for (unsigned i = 0; i < CLEAN_TRIES && e == EINTR; i++) {
		struct rtnl_request q;
		struct nlmsghdr *h = rtnl_begin(r, &q, RTM_GETADDR, NLM_F_DUMP);

		(void)mnl_nlmsg_put_extra_header(h, sizeof(struct ifaddrmsg));
		l.n = 0;
		e = rtnl_talk(r, h, rtnl_leftover_cb, &l);
	}
	for (size_t i = 0; i < l.n; i++)
		(void)rtnl_addr_del(r, &l.list[i]);
	free(l.list);
	return l.n;
}

/* ---- links ---- */

static int rtnl_link_cb(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type == RTM_NEWLINK)
		*(bool *)arg = ifi->ifi_flags & IFF_UP;
	return MNL_CB_STOP;
}

bool rtnl_link_is_up(struct rtnl *r, unsigned ifindex)
{
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_begin(r, &q, RTM_GETLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	bool up = false;

	ifi->ifi_index = (int)ifindex;
	return rtnl_talk(r, h, rtnl_link_cb, &up) == 0 && up;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "util/mem.h"

#define RTNL_BUFFER 32768
#define RTNL_REQUEST 512
#define ADDR_GEN_MODE_NONE 1

struct rtnl_request {
	union {
		struct nlmsghdr hdr;
		uint8_t bytes[RTNL_REQUEST];
	};
};

bool rtnl_open(struct rtnl *r, struct errtext *err)
{
	r->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (r->socket && mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return true;
	errtext_set(err, "cannot open a netlink socket: %s", strerror(errno));
	rtnl_close(r);
	return false;
}

void rtnl_close(struct rtnl *r)
{
	if (r->socket)
		mnl_socket_close(r->socket);
	r->socket = NULL;
}

static struct nlmsghdr *rtnl_begin(struct rtnl *r, struct rtnl_request *q, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(q->bytes);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = ++r->seq;
	return h;
}

/* Sends, and reads until the acknowledgement or the end of a dump. */
static int rtnl_talk(struct rtnl *r, struct nlmsghdr *h, mnl_cb_t fn, void *arg)
{
	unsigned portid = mnl_socket_get_portid(r->socket);
	uint8_t *buffer;
	int ret = 1, e = 0;

	if (mnl_socket_sendto(r->socket, h, h->nlmsg_len) < 0)
		return errno;
	buffer = xmalloc(RTNL_BUFFER);
	while (ret > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(r->socket, buffer, RTNL_BUFFER);

		if (n < 0 && errno == EINTR)
			continue;
		ret = n < 0 ? -1 : mnl_cb_run(buffer, (size_t)n, h->nlmsg_seq, portid, fn, arg);
		/* An answer to a request that was given up before. */
		if (ret < 0 && n >= 0 && errno == ESRCH && ((struct nlmsghdr *)buffer)->nlmsg_seq != h->nlmsg_seq)
			ret = 1;
		if (ret < 0)
			e = errno;
	}
	free(buffer);
	return e;
}

static void rtnl_put_addr(struct nlmsghdr *h, uint16_t type, const struct addr *a)
{
	mnl_attr_put(h, type, addr_len(a), a->ip);
}

static struct addr rtnl_get_addr(uint8_t family, const struct nlattr *a)
{
	struct addr none = { 0 };

	if (!a || mnl_attr_get_payload_len(a) != (family == AF_INET ? 4 : 16))
		return none;
	return addr_from_ip(family, mnl_attr_get_payload(a));
}

/* ---- the device ---- */

static struct nlmsghdr *rtnl_link_begin(struct rtnl *r, struct rtnl_request *q, unsigned ifindex, bool up)
{
	struct nlmsghdr *h = rtnl_begin(r, q, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)ifindex;
	ifi->ifi_flags = ifi->ifi_change = up ? 1 /* IFF_UP */ : 0;
	return h;
}

int rtnl_link_up(struct rtnl *r, unsigned ifindex, unsigned mtu)
{
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_link_begin(r, &q, ifindex, true);

	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	return rtnl_talk(r, h, NULL, NULL);
}

int rtnl_link_no_addrgen(struct rtnl *r, unsigned ifindex)
{
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_link_begin(r, &q, ifindex, false);
	struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(h, AF_INET6);

	mnl_attr_put_u8(h, IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(h, inet6);
	mnl_attr_nest_end(h, spec);
	return rtnl_talk(r, h, NULL, NULL);
}

/* ---- routes and rules ---- */

static int rtnl_route_talk(struct rtnl *r, const struct rtnl_route *route, uint16_t type, uint16_t flags)
{
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_begin(r, &q, type, NLM_F_ACK | flags);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));

	rtm->rtm_family = route->dst.net.family;
	rtm->rtm_dst_len = route->dst.len;
	rtm->rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_UNSPEC;
	rtm->rtm_protocol = RTNL_PROTOCOL;
	rtm->rtm_type = route->kind == RTNL_ROUTE_THROW ? RTN_THROW : RTN_UNICAST;
	if (type == RTM_DELROUTE)
		rtm->rtm_scope = RT_SCOPE_NOWHERE;
	else if (route->dst.net.family == AF_INET && route->kind == RTNL_ROUTE_DEVICE)
		rtm->rtm_scope = RT_SCOPE_LINK;
	mnl_attr_put_u32(h, RTA_TABLE, route->table);
	if (route->dst.len)
		rtnl_put_addr(h, RTA_DST, &route->dst.net);
	if (route->kind == RTNL_ROUTE_DEVICE)
		mnl_attr_put_u32(h, RTA_OIF, route->ifindex);
	if (route->src.family && type == RTM_NEWROUTE)
		rtnl_put_addr(h, RTA_PREFSRC, &route->src);
	return rtnl_talk(r, h, NULL, NULL);
}

int rtnl_route_set(struct rtnl *r, const struct rtnl_route *route)
{
	return rtnl_route_talk(r, route, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
}

int rtnl_route_del(struct rtnl *r, const struct rtnl_route *route)
{
	return rtnl_route_talk(r, route, RTM_DELROUTE, 0);
}

static int rtnl_rule_talk(struct rtnl *r, const struct rtnl_rule *rule, uint16_t type, uint16_t flags)
{
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_begin(r, &q, type, NLM_F_ACK | flags);
	struct fib_rule_hdr *frh = mnl_nlmsg_put_extra_header(h, sizeof(*frh));

	frh->family = rule->family;
	frh->table = rule->table < 256 ? (uint8_t)rule->table : RT_TABLE_UNSPEC;
	frh->action = FR_ACT_TO_TBL;
	frh->flags = rule->mark ? FIB_RULE_INVERT : 0;
	mnl_attr_put_u32(h, FRA_TABLE, rule->table);
	mnl_attr_put_u32(h, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u8(h, FRA_PROTOCOL, RTNL_PROTOCOL);
	if (rule->mark) {
		mnl_attr_put_u32(h, FRA_FWMARK, rule->mark);
		mnl_attr_put_u32(h, FRA_FWMASK, UINT32_MAX);
	}
	return rtnl_talk(r, h, NULL, NULL);
}

int rtnl_rule_add(struct rtnl *r, const struct rtnl_rule *rule)
{
	return rtnl_rule_talk(r, rule, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
}

int rtnl_rule_del(struct rtnl *r, const struct rtnl_rule *rule)
{
	return rtnl_rule_talk(r, rule, RTM_DELRULE, 0);
}

/* ---- dumps ---- */

#define RTNL_ATTRS 64

struct rtnl_attrs {
	const struct nlattr *a[RTNL_ATTRS];
};

static int rtnl_attr_cb(const struct nlattr *attr, void *arg)
{
	struct rtnl_attrs *t = arg;

	if (mnl_attr_get_type(attr) < RTNL_ATTRS)
		t->a[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static uint32_t rtnl_attr_u32(const struct rtnl_attrs *t, unsigned type, uint32_t otherwise)
{
	const struct nlattr *a = t->a[type];

	return a && mnl_attr_get_payload_len(a) >= 4 ? mnl_attr_get_u32(a) : otherwise;
}

/* What was found in a dump, to be removed after it. */
struct rtnl_leftovers {
	uint32_t table;
	struct rtnl_rule *rules;
	size_t n_rules;
	struct rtnl_route *routes;
	size_t n_routes;
};

static int rtnl_rule_cb(const struct nlmsghdr *h, void *arg)
{
	const struct fib_rule_hdr *frh = mnl_nlmsg_get_payload(h);
	struct rtnl_leftovers *l = arg;
	struct rtnl_attrs t = { { NULL } };

	mnl_attr_parse(h, sizeof(*frh), rtnl_attr_cb, &t);
	if (rtnl_attr_u32(&t, FRA_TABLE, frh->table) != l->table || !t.a[FRA_PROTOCOL] ||
	    mnl_attr_get_u8(t.a[FRA_PROTOCOL]) != RTNL_PROTOCOL)
		return MNL_CB_OK;
	l->rules = xrealloc(l->rules, (l->n_rules + 1) * sizeof(*l->rules));
	l->rules[l->n_rules++] = (struct rtnl_rule){ frh->family, l->table, rtnl_attr_u32(&t, FRA_PRIORITY, 0),
						     rtnl_attr_u32(&t, FRA_FWMARK, 0) };
	return MNL_CB_OK;
}

static int rtnl_route_cb(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);
	struct rtnl_leftovers *l = arg;
	struct rtnl_attrs t = { { NULL } };
	struct rtnl_route route = { .kind = RTNL_ROUTE_THROW, .table = l->table };

	mnl_attr_parse(h, sizeof(*rtm), rtnl_attr_cb, &t);
	if (rtnl_attr_u32(&t, RTA_TABLE, rtm->rtm_table) != l->table || rtm->rtm_protocol != RTNL_PROTOCOL ||
	    rtm->rtm_type != RTN_THROW)
		return MNL_CB_OK;
	route.dst.net = rtnl_get_addr(rtm->rtm_family, t.a[RTA_DST]);
	route.dst.net.family = rtm->rtm_family;
	route.dst.len = rtm->rtm_dst_len;
	l->routes = xrealloc(l->routes, (l->n_routes + 1) * sizeof(*l->routes));
	l->routes[l->n_routes++] = route;
	return MNL_CB_OK;
}

static void rtnl_clean_family(struct rtnl *r, uint32_t table, uint8_t family)
{
	struct rtnl_leftovers l = { .table = table };
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_begin(r, &q, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *frh = mnl_nlmsg_put_extra_header(h, sizeof(*frh));
	struct rtmsg *rtm;

	frh->family = family;
	(void)rtnl_talk(r, h, rtnl_rule_cb, &l);
	h = rtnl_begin(r, &q, RTM_GETROUTE, NLM_F_DUMP);
	rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));
	rtm->rtm_family = family;
	(void)rtnl_talk(r, h, rtnl_route_cb, &l);
	for (size_t i = 0; i < l.n_rules; i++)
		(void)rtnl_rule_del(r, &l.rules[i]);
	for (size_t i = 0; i < l.n_routes; i++)
		(void)rtnl_route_del(r, &l.routes[i]);
	free(l.rules);
	free(l.routes);
}

void rtnl_clean(struct rtnl *r, uint32_t table)
{
	rtnl_clean_family(r, table, AF_INET);
	rtnl_clean_family(r, table, AF_INET6);
}

struct rtnl_addr_arg {
	rtnl_addr_fn *fn;
	void *arg;
	uint16_t type; /* only these */
	bool any;      /* saw an address message */
};

static int rtnl_addr_cb(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
	struct rtnl_addr_arg *want = arg;
	struct rtnl_attrs t = { { NULL } };
	struct addr a;

	if (h->nlmsg_type != RTM_NEWADDR && h->nlmsg_type != RTM_DELADDR)
		return MNL_CB_OK;
	want->any = true;
	if (h->nlmsg_type != want->type || (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof(*ifa), rtnl_attr_cb, &t);
	a = rtnl_get_addr(ifa->ifa_family, t.a[IFA_LOCAL] ? t.a[IFA_LOCAL] : t.a[IFA_ADDRESS]);
	if (a.family && ifa->ifa_scope < RT_SCOPE_LINK && !(ifa->ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)))
		want->fn(want->arg, &a);
	return MNL_CB_OK;
}

int rtnl_addresses(struct rtnl *r, rtnl_addr_fn *fn, void *arg)
{
	struct rtnl_addr_arg want = { fn, arg, RTM_NEWADDR, false };
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_begin(r, &q, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));

	ifa->ifa_family = AF_UNSPEC;
	return rtnl_talk(r, h, rtnl_addr_cb, &want);
}

/* ---- changes ---- */

int rtnl_monitor_open(struct rtnl *r)
{
	int groups[] = { RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR };

	r->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!r->socket || mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return errno;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (mnl_socket_setsockopt(r->socket, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])) < 0)
			return errno;
	return 0;
}

int rtnl_monitor_fd(const struct rtnl *r)
{
	return mnl_socket_get_fd(r->socket);
}

bool rtnl_monitor_read(struct rtnl *r, rtnl_addr_fn *gone, void *arg)
{
	struct rtnl_addr_arg want = { gone, arg, RTM_DELADDR, false };
	uint8_t *buffer = xmalloc(RTNL_BUFFER);
	ssize_t n;

	while ((n = mnl_socket_recvfrom(r->socket, buffer, RTNL_BUFFER)) != 0) {
		if (n < 0 && errno == ENOBUFS)
			want.any = true; /* lost some: the caller looks at all anyway */
		else if (n < 0 && errno != EINTR)
			break;
		else if (n > 0)
			(void)mnl_cb_run(buffer, (size_t)n, 0, 0, rtnl_addr_cb, &want);
	}
	free(buffer);
	return want.any;
}

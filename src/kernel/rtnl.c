/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/rtnl.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/rtnl_message.h"
#include "util/mem.h"

#define ADDR_GEN_MODE_NONE 1

static bool rtnl_open_protocol(struct rtnl *r, int protocol, struct errtext *err)
{
	r->socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);
	if (r->socket && mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return true;
	errtext_set(err, "cannot open a netlink socket: %s", strerror(errno));
	rtnl_close(r);
	return false;
}

bool rtnl_open(struct rtnl *r, struct errtext *err)
{
	return rtnl_open_protocol(r, NETLINK_ROUTE, err);
}

bool rtnl_open_xfrm(struct rtnl *r, struct errtext *err)
{
	return rtnl_open_protocol(r, NETLINK_XFRM, err);
}

void rtnl_close(struct rtnl *r)
{
	if (r->socket)
		mnl_socket_close(r->socket);
	r->socket = NULL;
}

struct nlmsghdr *rtnl_begin(struct rtnl *r, struct rtnl_request *q, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h;

	memset(q, 0, sizeof(*q)); /* attributes are padded with what is there */
	h = mnl_nlmsg_put_header(q->bytes);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = ++r->seq;
	return h;
}

int rtnl_talk(struct rtnl *r, struct nlmsghdr *h, mnl_cb_t fn, void *arg)
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

void rtnl_put_addr(struct nlmsghdr *h, uint16_t type, const struct addr *a)
{
	mnl_attr_put(h, type, addr_len(a), a->ip);
}

struct addr rtnl_get_addr(uint8_t family, const struct nlattr *a)
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

	if (mtu)
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

int rtnl_link_no_policy(struct rtnl *r, unsigned ifindex)
{
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_link_begin(r, &q, ifindex, false);
	struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
	struct nlattr *inet = mnl_attr_nest_start(h, AF_INET);
	struct nlattr *conf = mnl_attr_nest_start(h, IFLA_INET_CONF);

	mnl_attr_put_u32(h, IPV4_DEVCONF_NOPOLICY, 1);
	mnl_attr_nest_end(h, conf);
	mnl_attr_nest_end(h, inet);
	mnl_attr_nest_end(h, spec);
	return rtnl_talk(r, h, NULL, NULL);
}

/* ---- routes and rules ---- */

static void rtnl_put_metrics(struct nlmsghdr *h, const struct rtnl_route *route)
{
	struct nlattr *nest;

	if (!route->mtu && !route->mss)
		return;
	nest = mnl_attr_nest_start(h, RTA_METRICS);
	if (route->mtu)
		mnl_attr_put_u32(h, RTAX_MTU, route->mtu);
	if (route->mss)
		mnl_attr_put_u32(h, RTAX_ADVMSS, route->mss);
	mnl_attr_nest_end(h, nest);
}

static int rtnl_route_talk(struct rtnl *r, const struct rtnl_route *route, uint16_t type, uint16_t flags)
{
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_begin(r, &q, type, NLM_F_ACK | flags);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));
	bool v4 = route->dst.net.family == AF_INET, device = route->kind == RTNL_ROUTE_DEVICE;
	bool gateway = device && route->via.gateway.family == route->dst.net.family;

	rtm->rtm_family = route->dst.net.family;
	rtm->rtm_dst_len = route->dst.len;
	rtm->rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_UNSPEC;
	rtm->rtm_protocol = RTNL_PROTOCOL;
	rtm->rtm_type = route->kind == RTNL_ROUTE_THROW ? RTN_THROW : RTN_UNICAST;
	if (type == RTM_DELROUTE)
		rtm->rtm_scope = RT_SCOPE_NOWHERE;
	else if (v4 && device && !gateway)
		rtm->rtm_scope = RT_SCOPE_LINK;
	mnl_attr_put_u32(h, RTA_TABLE, route->table);
	if (route->dst.len)
		rtnl_put_addr(h, RTA_DST, &route->dst.net);
	if (device)
		mnl_attr_put_u32(h, RTA_OIF, route->via.ifindex);
	if (type != RTM_NEWROUTE)
		return rtnl_talk(r, h, NULL, NULL);
	if (gateway) {
		/* It is what the host's own routes use: the kernel need not find it reachable from this table. */
		rtm->rtm_flags |= RTNH_F_ONLINK;
		rtnl_put_addr(h, RTA_GATEWAY, &route->via.gateway);
	}
	if (route->src.family)
		rtnl_put_addr(h, RTA_PREFSRC, &route->src);
	if (device)
		rtnl_put_metrics(h, route);
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

struct rtnl_found {
	struct rtnl_via via;
	uint32_t table;
	int error;
};

static int rtnl_lookup_cb(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);
	struct rtnl_attrs t = { { NULL } };
	struct rtnl_found *f = arg;

	if (h->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof(*rtm), rtnl_attr_cb, &t);
	f->via.ifindex = rtnl_attr_u32(&t, RTA_OIF, 0);
	f->via.gateway = rtnl_get_addr(rtm->rtm_family, t.a[RTA_GATEWAY]);
	f->table = rtnl_attr_u32(&t, RTA_TABLE, rtm->rtm_table);
	f->error = rtm->rtm_type == RTN_UNICAST || rtm->rtm_type == RTN_LOCAL ? 0 : ENETUNREACH;
	return MNL_CB_STOP; /* a look-up has one answer */
}

int rtnl_route_lookup(struct rtnl *r, const struct addr *to, const struct rtnl_select *as, struct rtnl_via *ret_via,
		      uint32_t *ret_table)
{
	struct rtnl_found f = { .error = ENETUNREACH };
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_begin(r, &q, RTM_GETROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));
	int e;

	rtm->rtm_family = to->family;
	rtm->rtm_dst_len = (uint8_t)(addr_len(to) * 8);
	rtm->rtm_flags = RTM_F_LOOKUP_TABLE;
	rtnl_put_addr(h, RTA_DST, to);
	if (to->scope)
		mnl_attr_put_u32(h, RTA_OIF, to->scope);
	if (as->mark)
		mnl_attr_put_u32(h, RTA_MARK, as->mark);
	if (as->uid)
		mnl_attr_put_u32(h, RTA_UID, as->uid);
	e = rtnl_talk(r, h, rtnl_lookup_cb, &f);
	if (e || f.error)
		return e ? e : f.error;
	*ret_via = f.via;
	*ret_table = f.table;
	return 0;
}

static int rtnl_rule_talk(struct rtnl *r, const struct rtnl_rule *rule, uint16_t type, uint16_t flags)
{
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_begin(r, &q, type, NLM_F_ACK | flags);
	struct fib_rule_hdr *frh = mnl_nlmsg_put_extra_header(h, sizeof(*frh));

	frh->family = rule->family;
	frh->table = rule->table < 256 ? (uint8_t)rule->table : RT_TABLE_UNSPEC;
	frh->action = FR_ACT_TO_TBL;
	frh->flags = rule->invert ? FIB_RULE_INVERT : 0;
	mnl_attr_put_u32(h, FRA_TABLE, rule->table);
	mnl_attr_put_u32(h, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u8(h, FRA_PROTOCOL, RTNL_PROTOCOL);
	if (rule->select.mask) {
		mnl_attr_put_u32(h, FRA_FWMARK, rule->select.mark);
		mnl_attr_put_u32(h, FRA_FWMASK, rule->select.mask);
	}
	if (rule->select.uid) {
		struct fib_rule_uid_range range = { rule->select.uid, rule->select.uid };

		mnl_attr_put(h, FRA_UID_RANGE, sizeof(range), &range);
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

int rtnl_attr_cb(const struct nlattr *attr, void *arg)
{
	struct rtnl_attrs *t = arg;

	if (mnl_attr_get_type(attr) < RTNL_ATTRS)
		t->a[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

uint32_t rtnl_attr_u32(const struct rtnl_attrs *t, unsigned type, uint32_t otherwise)
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

static uint32_t rtnl_rule_uid(const struct rtnl_attrs *t)
{
	const struct nlattr *a = t->a[FRA_UID_RANGE];

	if (!a || mnl_attr_get_payload_len(a) < sizeof(struct fib_rule_uid_range))
		return 0;
	return ((const struct fib_rule_uid_range *)mnl_attr_get_payload(a))->start;
}

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
	l->rules[l->n_rules++] = (struct rtnl_rule){
		frh->family, l->table, rtnl_attr_u32(&t, FRA_PRIORITY, 0),
		{ rtnl_attr_u32(&t, FRA_FWMARK, 0), rtnl_attr_u32(&t, FRA_FWMASK, 0), rtnl_rule_uid(&t) },
		frh->flags & FIB_RULE_INVERT,
	};
	return MNL_CB_OK;
}

static int rtnl_route_cb(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);
	struct rtnl_leftovers *l = arg;
	struct rtnl_attrs t = { { NULL } };
	struct rtnl_route route = { .kind = RTNL_ROUTE_THROW, .table = l->table };

	mnl_attr_parse(h, sizeof(*rtm), rtnl_attr_cb, &t);
	if (rtnl_attr_u32(&t, RTA_TABLE, rtm->rtm_table) != l->table || rtm->rtm_protocol != RTNL_PROTOCOL)
		return MNL_CB_OK;
	if (rtm->rtm_type == RTN_UNICAST) {
		route.kind = RTNL_ROUTE_DEVICE;
		route.via.ifindex = rtnl_attr_u32(&t, RTA_OIF, 0);
	} else if (rtm->rtm_type != RTN_THROW) {
		return MNL_CB_OK;
	}
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "net/watch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "proto/ipsec.h"
#include "proto/limits.h"
#include "util/log.h"
#include "util/mem.h"

#define WATCH_BUFFER 32768
#define WATCH_SETTLE_MS 150  /* no change for so long */
#define WATCH_SETTLE_MAX_MS 1000 /* or after this even if they go on */
#define WATCH_DUMP_TRIES 5   /* a dump that changes interrupted is asked for again */
#define WATCH_TABLES 32

struct watch_link {
	unsigned ifindex;
	bool up, carrier, loopback, told;
};

struct net_watch {
	struct loop *loop;
	net_watch_fn *fn;
	void *arg;
	char *use, *ignore;
	uint32_t tables[WATCH_TABLES]; /* that do not count */
	size_t n_tables;
	struct mnl_socket *events, *dumps;
	struct loop_fd *fd;
	struct timer timer;
	uint64_t since_ms; /* first change that was not told yet */
	bool changed, routes; /* since then */
	uint32_t seq;
	struct local_addrs *locals; /* as told last */
};

/* What is being read. */
struct watch_dump {
	struct net_watch *w;
	struct watch_link *links;
	size_t n_links;
	struct local_addr *addrs;
	size_t n_addrs;
};

/* ---- names of links ---- */

static bool watch_lists(const char *list, const char *name)
{
	size_t n = strlen(name);

	while (*list) {
		size_t len = strcspn(list, ", ");

		if (len == n && memcmp(list, name, n) == 0)
			return true;
		list += len;
		list += strspn(list, ", ");
	}
	return false;
}

/* Addresses inside of tunnels do not lead to anybody outside. */
static bool watch_kind_is_tunnel(const char *kind)
{
	static const char *const kinds[] = { "tun", "xfrm", "vti", "vti6" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

static bool watch_link_is_told(const struct net_watch *w, const char *name, const char *kind)
{
	if (w->use)
		return watch_lists(w->use, name);
	return !(w->ignore && watch_lists(w->ignore, name)) && !(kind && watch_kind_is_tunnel(kind));
}

/* ---- dumps ---- */

#define WATCH_ATTRS 64

struct watch_attrs {
	const struct nlattr *a[WATCH_ATTRS];
};

static int watch_attr_cb(const struct nlattr *attr, void *arg)
{
	struct watch_attrs *t = arg;

	if (mnl_attr_get_type(attr) < WATCH_ATTRS)
		t->a[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static const char *watch_str(const struct nlattr *a)
{
	return a && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0 ? mnl_attr_get_str(a) : NULL;
}

static int watch_link_cb(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	struct watch_attrs t = { { NULL } }, info = { { NULL } };
	struct watch_dump *d = arg;
	const char *name;

	if (h->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof(*ifi), watch_attr_cb, &t);
	if (t.a[IFLA_LINKINFO])
		mnl_attr_parse_nested(t.a[IFLA_LINKINFO], watch_attr_cb, &info);
	name = watch_str(t.a[IFLA_IFNAME]);
	d->links = xrealloc(d->links, (d->n_links + 1) * sizeof(*d->links));
	d->links[d->n_links++] = (struct watch_link){
		.ifindex = (unsigned)ifi->ifi_index,
		.up = ifi->ifi_flags & IFF_UP,
		.carrier = ifi->ifi_flags & IFF_RUNNING,
		.loopback = ifi->ifi_flags & IFF_LOOPBACK,
		.told = name && watch_link_is_told(d->w, name, watch_str(info.a[IFLA_INFO_KIND])),
	};
	return MNL_CB_OK;
}

static const struct watch_link *watch_link_find(const struct watch_dump *d, unsigned ifindex)
{
	for (size_t i = 0; i < d->n_links; i++)
		if (d->links[i].ifindex == ifindex)
			return &d->links[i];
	return NULL;
}

static int watch_addr_cb(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
	struct watch_attrs t = { { NULL } };
	const struct watch_link *link;
	struct watch_dump *d = arg;
	const struct nlattr *ip;
	struct local_addr l;
	uint32_t flags;
	bool vip;

	if (h->nlmsg_type != RTM_NEWADDR || (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof(*ifa), watch_attr_cb, &t);
	ip = t.a[IFA_LOCAL] ? t.a[IFA_LOCAL] : t.a[IFA_ADDRESS];
	link = watch_link_find(d, ifa->ifa_index);
	if (!link || !ip || mnl_attr_get_payload_len(ip) != (ifa->ifa_family == AF_INET ? 4 : 16))
		return MNL_CB_OK;
	vip = t.a[IFA_RT_PRIORITY] && mnl_attr_get_payload_len(t.a[IFA_RT_PRIORITY]) == 4 &&
	      (mnl_attr_get_u32(t.a[IFA_RT_PRIORITY]) & VIP_METRIC_MASK) == VIP_METRIC;
	flags = t.a[IFA_FLAGS] && mnl_attr_get_payload_len(t.a[IFA_FLAGS]) == 4 ? mnl_attr_get_u32(t.a[IFA_FLAGS]) : ifa->ifa_flags;
	l = (struct local_addr){
		.addr = addr_from_ip(ifa->ifa_family, mnl_attr_get_payload(ip)),
		.ifindex = ifa->ifa_index,
		.prefix_len = ifa->ifa_prefixlen,
		.up = link->up && !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)),
		.carrier = link->carrier,
		.loopback = link->loopback,
		.told = link->told && ifa->ifa_scope < RT_SCOPE_LINK && !(flags & IFA_F_DEPRECATED) && !vip,
		.vip = vip,
	};
	if (addr_is_link_local(&l.addr) && l.addr.family == AF_INET6)
		l.addr.scope = ifa->ifa_index;
	d->addrs = xrealloc(d->addrs, (d->n_addrs + 1) * sizeof(*d->addrs));
	d->addrs[d->n_addrs++] = l;
	return MNL_CB_OK;
}

/* One dump to its end. 0 or an errno; EINTR: changes came between. */
static int watch_ask(struct net_watch *w, uint16_t type, mnl_cb_t fn, struct watch_dump *d)
{
	_Alignas(struct nlmsghdr) uint8_t request[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(request);
	uint8_t *buffer;
	int ret = 1, e = 0;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++w->seq;
	*(struct ifaddrmsg *)mnl_nlmsg_put_extra_header(h, type == RTM_GETLINK ? sizeof(struct ifinfomsg) : sizeof(struct ifaddrmsg)) =
		(struct ifaddrmsg){ .ifa_family = AF_UNSPEC };
	if (mnl_socket_sendto(w->dumps, h, h->nlmsg_len) < 0)
		return errno;
	buffer = xmalloc(WATCH_BUFFER);
	while (ret > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(w->dumps, buffer, WATCH_BUFFER);

		ret = n < 0 ? -1 : mnl_cb_run(buffer, (size_t)n, w->seq, mnl_socket_get_portid(w->dumps), fn, d);
		if (ret < 0)
			e = errno;
		/* what is left of a dump that was given up */
		if (ret < 0 && n >= 0 && e == ESRCH)
			ret = 1, e = 0;
	}
	free(buffer);
	return e;
}

/* NULL: it cannot be read now. */
static struct local_addrs *watch_read(struct net_watch *w)
{
	struct local_addrs *l = NULL;
	int e = EINTR;

	for (unsigned i = 0; i < WATCH_DUMP_TRIES && e == EINTR; i++) {
		struct watch_dump d = { .w = w };

		e = watch_ask(w, RTM_GETLINK, watch_link_cb, &d);
		if (e == 0)
			e = watch_ask(w, RTM_GETADDR, watch_addr_cb, &d);
		if (e == 0)
			l = local_addrs_new(d.addrs, d.n_addrs);
		free(d.links);
		free(d.addrs);
	}
	if (!l)
		LOG(NET, LOG_LEVEL_CONTROL, "the addresses of this host cannot be read: %s", strerror(e));
	return l;
}

/* ---- changes ---- */

static void watch_tell(struct net_watch *w)
{
	struct local_addrs *l = watch_read(w);
	bool routes = w->routes;

	w->routes = w->changed = false;
	if (!l)
		return;
	if (w->locals && local_addrs_equal(l, w->locals)) {
		local_addrs_unref(l);
		if (!routes)
			return;
	} else {
		local_addrs_unref(w->locals);
		w->locals = l;
	}
	w->fn(w->arg, w->locals, routes);
}

static void watch_settled(struct timer *t)
{
	watch_tell(container_of(t, struct net_watch, timer));
}

static void watch_note(struct net_watch *w, bool route)
{
	uint64_t now = loop_now(w->loop), due = now + WATCH_SETTLE_MS;

	if (!w->changed)
		w->since_ms = now;
	w->changed = true;
	w->routes |= route;
	if (due > w->since_ms + WATCH_SETTLE_MAX_MS)
		due = w->since_ms + WATCH_SETTLE_MAX_MS;
	timer_start(loop_wheel(w->loop), &w->timer, due, watch_settled);
}

static bool watch_route_counts(const struct net_watch *w, const struct nlmsghdr *h)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);
	struct watch_attrs t = { { NULL } };
	uint32_t table = rtm->rtm_table;

	/* the kernel's own follow addresses, which are seen themselves */
	if (rtm->rtm_protocol == NET_ROUTE_PROTOCOL || rtm->rtm_flags & RTM_F_CLONED || rtm->rtm_type == RTN_LOCAL ||
	    rtm->rtm_type == RTN_MULTICAST || rtm->rtm_type == RTN_BROADCAST || rtm->rtm_type == RTN_ANYCAST)
		return false;
	mnl_attr_parse(h, sizeof(*rtm), watch_attr_cb, &t);
	if (t.a[RTA_TABLE] && mnl_attr_get_payload_len(t.a[RTA_TABLE]) == 4)
		table = mnl_attr_get_u32(t.a[RTA_TABLE]);
	for (size_t i = 0; i < w->n_tables; i++)
		if (w->tables[i] == table)
			return false;
	return true;
}

static int watch_event_cb(const struct nlmsghdr *h, void *arg)
{
	struct net_watch *w = arg;
	bool route = h->nlmsg_type == RTM_NEWROUTE || h->nlmsg_type == RTM_DELROUTE;

	if (!route || watch_route_counts(w, h))
		watch_note(w, route);
	return MNL_CB_OK;
}

static void watch_readable(void *arg, uint32_t events)
{
	struct net_watch *w = arg;
	uint8_t *buffer = xmalloc(WATCH_BUFFER);
	ssize_t n;

	(void)events;
	while ((n = mnl_socket_recvfrom(w->events, buffer, WATCH_BUFFER)) != 0) {
		if (n > 0)
			(void)mnl_cb_run(buffer, (size_t)n, 0, 0, watch_event_cb, w);
		else if (errno == ENOBUFS)
			watch_note(w, true); /* some were lost: anything may have changed */
		else if (errno != EINTR)
			break;
	}
	free(buffer);
}

/* ---- making and ending ---- */

/* Our own routes do not even wake us: thousands of CHILD_SAs may come up in a second. */
static void watch_filter(struct net_watch *w)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_protocol)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NET_ROUTE_PROTOCOL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog prog = { ARRAY_LEN(code), code };

	/* without it they are told apart by watch_route_counts */
	(void)setsockopt(mnl_socket_get_fd(w->events), SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

static bool watch_listen(struct net_watch *w, bool routes)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE };
	size_t n = routes ? ARRAY_LEN(groups) : 3;

	w->events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!w->events || mnl_socket_bind(w->events, 0, MNL_SOCKET_AUTOPID) < 0)
		return false;
	watch_filter(w);
	for (size_t i = 0; i < n; i++)
		if (mnl_socket_setsockopt(w->events, NETLINK_ADD_MEMBERSHIP, (void *)(uintptr_t)&groups[i], sizeof(groups[i])) < 0)
			return false;
	w->fd = loop_add(w->loop, mnl_socket_get_fd(w->events), EPOLLIN, watch_readable, w);
	return w->fd != NULL;
}

static void watch_parse_tables(struct net_watch *w, const char *text)
{
	while (text && *text && w->n_tables < WATCH_TABLES) {
		char *end;
		unsigned long v = strtoul(text, &end, 0);

		if (end != text)
			w->tables[w->n_tables++] = (uint32_t)v;
		text = end + strcspn(end, ", ");
		text += strspn(text, ", ");
	}
}

struct net_watch *net_watch_new(struct loop *loop, const struct net_watch_options *options, net_watch_fn *fn, void *arg,
				struct errtext *err)
{
	struct net_watch *w = xcalloc(1, sizeof(*w));

	w->loop = loop;
	w->fn = fn;
	w->arg = arg;
	w->use = options->use ? xstrdup(options->use) : NULL;
	w->ignore = options->ignore ? xstrdup(options->ignore) : NULL;
	watch_parse_tables(w, options->ignore_tables);
	w->dumps = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (w->dumps && mnl_socket_bind(w->dumps, 0, MNL_SOCKET_AUTOPID) == 0 && (!options->follow || watch_listen(w, options->routes))) {
		watch_tell(w);
		return w;
	}
	errtext_set(err, "cannot watch the addresses of this host: %s", strerror(errno));
	net_watch_free(w);
	return NULL;
}

void net_watch_free(struct net_watch *w)
{
	if (!w)
		return;
	timer_stop(loop_wheel(w->loop), &w->timer);
	if (w->fd)
		loop_remove(w->fd);
	if (w->events)
		mnl_socket_close(w->events);
	if (w->dumps)
		mnl_socket_close(w->dumps);
	local_addrs_unref(w->locals);
	free(w->use);
	free(w->ignore);
	free(w);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guard_mark.h"
#include "kernel/selectors.h"
#include "net/net.h"
#include "util/log.h"
#include "util/mem.h"

#define PRIORITY_FIXED 0 /* before all that connections can ask for */

void guard_init(struct guard *g)
{
	list_init(&g->passes);
	g->table.owner = xfrm_owner(g->port);
	g->missing = !guard_table_open(&g->table);
	if (g->missing && g->clear)
		LOG(KNL, LOG_LEVEL_CONTROL, "the kernel has no IPsec policies: packets in clear that should have come through a tunnel "
		    "are not dropped");
}

void guard_close(struct guard *g)
{
	guard_table_close(&g->table);
	guard_mark_close(g->mark);
}

/* Whether policies can tell packets of IPv6 that come out of the device; asked when there are some to tell. */
static bool guard_marks(struct guard *g)
{
	struct errtext err;

	if (g->mark_tried)
		return g->mark != NULL;
	g->mark_tried = true;
	g->mark = guard_mark_open(g->ifindex, g->port, &err);
	if (!g->mark && g->clear)
		LOG(KNL, LOG_LEVEL_CONTROL, "IPv6 packets in clear that should have come through a tunnel are not dropped: the kernel has no %s",
		    err.s);
	return g->mark != NULL;
}

/* ---- policies that somebody wants ---- */

struct wants {
	struct guard *g;
	struct guard_want *list;
	size_t n, max;
};

static void want_push(struct wants *w, const struct xfrm_selector *sel, uint32_t dir, uint8_t action, uint32_t priority)
{
	struct guard_want *want;

	if (w->n == w->max) {
		w->max = w->max ? 2 * w->max : 8;
		w->list = xrealloc(w->list, w->max * sizeof(*w->list));
	}
	want = &w->list[w->n++];
	memset(want, 0, sizeof(*want));
	memcpy(&want->key.sel, sel, sizeof(*sel));
	want->key.sel.user = w->g->table.owner;
	want->key.dir = dir;
	if (action == XFRM_POLICY_BLOCK && sel->family == AF_INET6 && w->g->mark)
		want->key.mark = (struct xfrm_mark){ 0, GUARD_MARK };
	want->action = action;
	want->priority = priority;
}

static void uses_end(struct guard *g, struct guard_use *uses, size_t n)
{
	while (n > 0)
		guard_use_end(&g->table, &uses[--n]);
}

/* All of them, or none and errno. */
static int uses_add(struct guard *g, struct guard_use *uses, const struct wants *w)
{
	for (size_t i = 0; i < w->n; i++) {
		int e = guard_use_add(&g->table, &uses[i], &w->list[i]);

		if (e == 0)
			continue;
		uses_end(g, uses, i);
		return e;
	}
	return 0;
}

/* ---- policies that are nobody's ---- */

struct fixed {
	uint8_t family, proto;
	uint16_t sport, dport; /* 0: any */
};

/* Without neighbour discovery (RFC 4861) there is no IPv6 at all, and without DHCP perhaps no address. */
static const struct fixed fixed_list[] = {
	{ AF_INET6, IPPROTO_ICMPV6, 133, 0 }, /* router solicitation */
	{ AF_INET6, IPPROTO_ICMPV6, 134, 0 }, { AF_INET6, IPPROTO_ICMPV6, 135, 0 }, { AF_INET6, IPPROTO_ICMPV6, 136, 0 },
	{ AF_INET6, IPPROTO_ICMPV6, 137, 0 }, /* redirect */
	{ AF_INET, IPPROTO_UDP, 67, 68 },     /* DHCP: to clients, to servers, from relays */
	{ AF_INET, IPPROTO_UDP, 68, 67 }, { AF_INET, IPPROTO_UDP, 67, 67 },
	{ AF_INET6, IPPROTO_UDP, 547, 546 }, { AF_INET6, IPPROTO_UDP, 546, 547 }, { AF_INET6, IPPROTO_UDP, 547, 547 },
};

static void want_fixed(struct wants *w)
{
	struct xfrm_selector sel;

	for (size_t i = 0; i < ARRAY_LEN(fixed_list); i++) {
		const struct fixed *f = &fixed_list[i];

		memset(&sel, 0, sizeof(sel));
		sel.family = f->family;
		sel.proto = f->proto;
		sel.sport = htons(f->sport);
		sel.sport_mask = UINT16_MAX;
		sel.dport = htons(f->dport);
		sel.dport_mask = f->dport ? UINT16_MAX : 0;
		want_push(w, &sel, XFRM_POLICY_IN, XFRM_POLICY_ALLOW, PRIORITY_FIXED);
	}
	memset(&sel, 0, sizeof(sel));
	sel.family = AF_INET6;
	memcpy(&sel.saddr, &in6addr_loopback, sizeof(sel.saddr));
	memcpy(&sel.daddr, &in6addr_loopback, sizeof(sel.daddr));
	sel.prefixlen_s = sel.prefixlen_d = 128;
	want_push(w, &sel, XFRM_POLICY_IN, XFRM_POLICY_ALLOW, PRIORITY_FIXED);
}

/* ESP of peers inside what is dropped; IKE's sockets pass from the start. */
static bool guard_pass_sockets(struct guard *g)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (unsigned i = 0; !g->fds_pass && i < 2 * g->n_fds; i++) {
		int fd = g->fds[i % 2][i / 2];

		if (fd >= 0 && !net_bypass_policies(fd, families[i % 2]))
			return false;
	}
	g->fds_pass = true;
	return true;
}

/* ---- policies of shunts and children ---- */

/* As of the data plane: explicit priorities come before computed ones, or behind. Exceptions come before what they are of. */
static uint32_t guard_priority(const struct kernel_handle *c, const struct xfrm_selector *sel, enum policy_class class)
{
	const uint32_t behind = PRIORITY_LAST - POLICY_PRIORITY_COMPUTED;
	uint32_t p = c->priority;

	if (p == POLICY_PRIORITY_COMPUTED)
		return selector_priority(sel, class);
	if (p > POLICY_PRIORITY_COMPUTED)
		p = p < UINT32_MAX - behind ? p + behind : UINT32_MAX;
	return class == POLICY_CLASS_TRANSIT && p > 0 ? p - 1 : p;
}

/* Of what is forwarded, routing rules drop what is to be dropped (shunt.h). */
static void want_shunt(struct wants *w, const struct kernel_handle *c, const struct xfrm_selector *out)
{
	struct xfrm_selector in = selector_reverse(out);

	if (c->mode == IPSEC_MODE_DROP) {
		if (in.family == AF_INET6)
			(void)guard_marks(w->g);
		want_push(w, &in, XFRM_POLICY_IN, XFRM_POLICY_BLOCK, guard_priority(c, &in, POLICY_CLASS_SHUNT));
		return;
	}
	want_push(w, &in, XFRM_POLICY_IN, XFRM_POLICY_ALLOW, guard_priority(c, &in, POLICY_CLASS_SHUNT));
	want_push(w, &in, XFRM_POLICY_FWD, XFRM_POLICY_ALLOW, guard_priority(c, &in, POLICY_CLASS_SHUNT));
	want_push(w, out, XFRM_POLICY_FWD, XFRM_POLICY_ALLOW, guard_priority(c, out, POLICY_CLASS_SHUNT));
}

static void want_child(struct wants *w, const struct kernel_handle *c, const struct xfrm_selector *out)
{
	struct xfrm_selector in = selector_reverse(out);
	uint32_t priority = guard_priority(c, &in, POLICY_CLASS_SA);

	if (in.family == AF_INET6 && !guard_marks(w->g)) {
		want_push(w, &in, XFRM_POLICY_IN, XFRM_POLICY_ALLOW, priority);
	} else if (w->g->clear) {
		want_push(w, &in, XFRM_POLICY_IN, XFRM_POLICY_BLOCK, priority);
		want_push(w, &in, XFRM_POLICY_FWD, XFRM_POLICY_BLOCK, priority);
	}
}

/* ---- exceptions ---- */

static struct ts ts_addresses(const struct ts *ts)
{
	struct ts all = *ts;

	all.protocol = 0;
	all.port_from = 0;
	all.port_to = UINT16_MAX;
	return all;
}

/* Local selectors inside wider remote ones: packets among them go in clear by their "throw" routes (src/kernel/route.h). */
static size_t ts_inside(const struct kernel_handle *c, struct ts *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < c->local_ts.count; i++) {
		struct ts l = ts_addresses(&c->local_ts.p[i]);
		bool inside = false;

		for (size_t j = 0; j < c->remote_ts.count && !inside; j++) {
			struct ts r = ts_addresses(&c->remote_ts.p[j]);

			inside = ts_contains(&r, &l) && !ts_equal(&r, &l);
		}
		if (inside)
			ret[n++] = l;
	}
	return n;
}

/* What is both local and remote: packets on their way into the tunnel may look like those that have to come out of it. */
static size_t ts_overlap(const struct kernel_handle *c, struct ts *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < c->local_ts.count; i++)
		for (size_t j = 0; j < c->remote_ts.count; j++) {
			struct ts l = ts_addresses(&c->local_ts.p[i]), r = ts_addresses(&c->remote_ts.p[j]);

			/* nobody sends to himself through a gateway */
			if (ts_intersect(&l, &r, &ret[n]) && memcmp(ret[n].from, ret[n].to, sizeof(ret[n].from)) != 0)
				n++;
		}
	return n;
}

static bool want_exceptions(struct wants *w, const struct kernel_handle *c, struct errtext *err)
{
	struct ts *list = xcalloc(c->local_ts.count * c->remote_ts.count + c->local_ts.count, sizeof(*list));
	struct selectors among = { NULL, 0 }, transit = { NULL, 0 };
	struct ts_list some = { ts_inside(c, list), list };
	bool ok = some.count == 0 || selectors_make(some, some, c->name, &among, err);

	some.count = ok ? ts_overlap(c, list) : 0;
	ok = ok && (some.count == 0 || selectors_make(some, some, c->name, &transit, err));
	for (size_t i = 0; ok && i < among.n; i++) {
		uint32_t priority = guard_priority(c, &among.list[i], POLICY_CLASS_TRANSIT);

		want_push(w, &among.list[i], XFRM_POLICY_IN, XFRM_POLICY_ALLOW, priority);
		want_push(w, &among.list[i], XFRM_POLICY_FWD, XFRM_POLICY_ALLOW, priority);
	}
	for (size_t i = 0; ok && i < transit.n; i++) {
		transit.list[i].ifindex = (int)w->g->ifindex; /* of forwarded packets: where they go */
		want_push(w, &transit.list[i], XFRM_POLICY_FWD, XFRM_POLICY_ALLOW,
			  guard_priority(c, &transit.list[i], POLICY_CLASS_TRANSIT));
	}
	selectors_free(&among);
	selectors_free(&transit);
	free(list);
	return ok;
}

static bool wants_of(struct wants *w, const struct kernel_handle *c, struct errtext *err)
{
	struct selectors s;

	if (!selectors_make(c->local_ts, c->remote_ts, c->name, &s, err))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (child_is_shunt(c))
			want_shunt(w, c, &s.list[i]);
		else
			want_child(w, c, &s.list[i]);
	}
	selectors_free(&s);
	return child_is_shunt(c) || !w->g->clear || want_exceptions(w, c, err);
}

/* ---- who has them ---- */

static void user_remove(struct guard *g, struct kernel_handle *c)
{
	uses_end(g, c->guards, c->n_guards);
	free(c->guards);
	c->guards = NULL;
	c->n_guards = 0;
}

static bool user_add(struct guard *g, struct kernel_handle *c, const struct wants *w, struct errtext *err)
{
	int e;

	c->guards = xcalloc(w->n, sizeof(*c->guards));
	e = uses_add(g, c->guards, w);
	if (e == 0) {
		c->n_guards = w->n;
		return true;
	}
	free(c->guards);
	c->guards = NULL;
	errtext_set(err, "%s: cannot add a policy to the kernel: %s", c->name, strerror(e));
	return false;
}

static bool pass_add(struct guard *g, struct kernel_handle *c, struct errtext *err)
{
	struct wants w = { .g = g };
	bool ok = wants_of(&w, c, err) && user_add(g, c, &w, err);

	free(w.list);
	return ok;
}

/* ---- the first and the last that drops ---- */

static void guard_off(struct guard *g)
{
	LIST_FOREACH(it, &g->passes)
		user_remove(g, list_entry(it, struct kernel_handle, guard_link));
	uses_end(g, g->fixed, g->n_fixed);
	g->n_fixed = 0;
	guard_table_tune(&g->table, false);
}

static bool guard_on(struct guard *g, struct errtext *err)
{
	struct wants w = { .g = g };
	int e;

	if (!guard_pass_sockets(g)) {
		errtext_set(err, "cannot let ESP pass policies of the kernel: %s", strerror(errno));
		return false;
	}
	guard_table_tune(&g->table, true);
	want_fixed(&w);
	e = uses_add(g, g->fixed, &w);
	if (e == 0)
		g->n_fixed = (unsigned)w.n;
	else
		errtext_set(err, "cannot add policies to the kernel: %s", strerror(e));
	free(w.list);
	if (e)
		return false;
	LIST_FOREACH(it, &g->passes) {
		if (pass_add(g, list_entry(it, struct kernel_handle, guard_link), err))
			continue;
		guard_off(g);
		return false;
	}
	return true;
}

/* ---- entry points ---- */

static bool guard_add_user(struct guard *g, struct kernel_handle *c, struct errtext *err)
{
	struct wants w = { .g = g };
	struct errtext why;
	bool ok = wants_of(&w, c, &why);

	if (!ok && child_is_shunt(c)) {
		*err = why;
	} else if (!ok) {
		LOG(KNL, LOG_LEVEL_CONTROL, "what comes in clear instead of through this tunnel is not dropped: %s", why.s);
		ok = true;
	} else if (w.n) {
		ok = (g->users > 0 || guard_on(g, err)) && user_add(g, c, &w, err);
		if (ok)
			g->users++;
		else if (g->users == 0)
			guard_off(g);
	}
	free(w.list);
	return ok;
}

bool guard_add(struct guard *g, struct kernel_handle *c, struct errtext *err)
{
	if (g->missing) {
		if (c->mode == IPSEC_MODE_DROP)
			LOG(KNL, LOG_LEVEL_CONTROL, "%s: what comes in clear to this host itself is not dropped: the kernel "
			    "has no IPsec policies", c->name);
		return true;
	}
	if (c->mode != IPSEC_MODE_PASS)
		return guard_add_user(g, c, err);
	if (g->users > 0 && !pass_add(g, c, err))
		return false;
	list_add_tail(&g->passes, &c->guard_link);
	c->guard_passes = true;
	return true;
}

void guard_remove(struct guard *g, struct kernel_handle *c)
{
	bool user = c->guards && c->mode != IPSEC_MODE_PASS;

	if (c->guard_passes)
		list_del(&c->guard_link);
	c->guard_passes = false;
	user_remove(g, c);
	if (user && --g->users == 0)
		guard_off(g);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/rtnl_message.h"
#include "kernel/selectors.h"
#include "kernel/xfrm_policy.h"
#include "net/net.h"
#include "util/log.h"
#include "util/mem.h"

#define PRIORITY_FIXED 0   /* before all that connections can ask for */
#define ND_FIRST 133	   /* ICMPv6: from router solicitation to redirect (RFC 4861) */
#define ND_LAST 137

/* ---- messages ---- */

static struct policy_key guard_key(const struct guard *g, const struct xfrm_selector *sel)
{
	struct policy_key key;

	memset(&key, 0, sizeof(key));
	memcpy(&key.sel, sel, sizeof(key.sel));
	key.sel.user = g->owner;
	key.dir = XFRM_POLICY_IN;
	return key;
}

static int guard_set(struct guard *g, const struct xfrm_selector *sel, uint8_t action, uint32_t priority)
{
	struct policy_key key = guard_key(g, sel);
	struct policy_state state;
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_begin(&g->xfrm, &q, XFRM_MSG_UPDPOLICY, NLM_F_ACK);

	memset(&state, 0, sizeof(state));
	state.action = action;
	state.priority = priority;
	policy_put(h, &key, &state);
	return rtnl_talk(&g->xfrm, h, NULL, NULL);
}

static void guard_delete(struct guard *g, const struct policy_key *key)
{
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_begin(&g->xfrm, &q, XFRM_MSG_DELPOLICY, NLM_F_ACK);
	int e;

	policy_put_id(h, key);
	e = rtnl_talk(&g->xfrm, h, NULL, NULL);
	if (e && e != ENOENT)
		LOG(KNL, LOG_LEVEL_AUDIT, "cannot remove a policy from the kernel: %s", strerror(e));
}

/* ---- what a dead predecessor left ---- */

struct guard_found {
	uint32_t owner;
	struct policy_key *keys;
	size_t n;
};

static int guard_found(const struct nlmsghdr *h, void *arg)
{
	struct guard_found *f = arg;
	struct policy_key key;

	/* sockets' own policies are in the dump, too, with other directions */
	if (!policy_read_key(h, &key) || key.sel.user != f->owner || key.dir > XFRM_POLICY_FWD)
		return MNL_CB_OK;
	f->keys = xrealloc(f->keys, (f->n + 1) * sizeof(*f->keys));
	memcpy(&f->keys[f->n++], &key, sizeof(key));
	return MNL_CB_OK;
}

static void guard_clean(struct guard *g)
{
	struct guard_found f = { .owner = g->owner };
	struct rtnl_request q;

	(void)rtnl_talk(&g->xfrm, rtnl_begin(&g->xfrm, &q, XFRM_MSG_GETPOLICY, NLM_F_DUMP), guard_found, &f);
	for (size_t i = 0; i < f.n; i++)
		guard_delete(g, &f.keys[i]);
	if (f.n)
		LOG(KNL, LOG_LEVEL_CONTROL, "removed %zu policies that an earlier life of the daemon left", f.n);
	free(f.keys);
}

void guard_init(struct guard *g)
{
	struct errtext err;

	list_init(&g->users);
	g->missing = !rtnl_open_xfrm(&g->xfrm, &err);
	if (!g->missing)
		guard_clean(g);
}

void guard_close(struct guard *g)
{
	rtnl_close(&g->xfrm);
}

/* ---- policies that are nobody's ---- */

typedef int guard_fixed_fn(struct guard *g, const struct xfrm_selector *sel);

static int fixed_set(struct guard *g, const struct xfrm_selector *sel)
{
	return guard_set(g, sel, XFRM_POLICY_ALLOW, PRIORITY_FIXED);
}

static int fixed_delete(struct guard *g, const struct xfrm_selector *sel)
{
	struct policy_key key = guard_key(g, sel);

	guard_delete(g, &key);
	return 0;
}

/* Without neighbour discovery there is no IPv6 at all. */
static int guard_fixed(struct guard *g, guard_fixed_fn *fn)
{
	struct xfrm_selector sel;
	int e = 0;

	memset(&sel, 0, sizeof(sel));
	sel.family = AF_INET6;
	sel.proto = IPPROTO_ICMPV6;
	sel.sport_mask = UINT16_MAX;
	for (unsigned type = ND_FIRST; e == 0 && type <= ND_LAST; type++) {
		sel.sport = htons((uint16_t)type);
		e = fn(g, &sel);
	}
	memset(&sel, 0, sizeof(sel));
	sel.family = AF_INET6;
	memcpy(&sel.saddr, &in6addr_loopback, sizeof(sel.saddr));
	memcpy(&sel.daddr, &in6addr_loopback, sizeof(sel.daddr));
	sel.prefixlen_s = sel.prefixlen_d = 128;
	return e ? e : fn(g, &sel);
}

/* ESP of peers inside a shunt's selectors; IKE's sockets pass from the start. */
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

/* As of the data plane: explicit priorities come before computed ones, or behind. */
static uint32_t guard_priority(const struct kernel_handle *c, const struct xfrm_selector *sel)
{
	const uint32_t behind = PRIORITY_LAST - POLICY_PRIORITY_COMPUTED;

	if (c->priority == POLICY_PRIORITY_COMPUTED)
		return selector_priority(sel, child_is_shunt(c) ? POLICY_CLASS_SHUNT : POLICY_CLASS_SA);
	if (c->priority < POLICY_PRIORITY_COMPUTED)
		return c->priority;
	return c->priority < UINT32_MAX - behind ? c->priority + behind : UINT32_MAX;
}

static bool guard_has(const struct kernel_handle *c, const struct xfrm_selector *sel)
{
	for (size_t i = 0; i < c->n_guards; i++)
		if (memcmp(&c->guards[i], sel, sizeof(*sel)) == 0)
			return true;
	return false;
}

static bool guard_before(const struct kernel_handle *a, const struct kernel_handle *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return child_is_shunt(a) && !child_is_shunt(b);
}

/* The kernel has one policy for a selector: that of the first who has it. */
static int guard_refresh(struct guard *g, const struct xfrm_selector *sel)
{
	const struct kernel_handle *first = NULL;
	struct policy_key key;

	LIST_FOREACH(it, &g->users) {
		const struct kernel_handle *c = list_entry(it, struct kernel_handle, guard_link);

		if ((!first || guard_before(c, first)) && guard_has(c, sel))
			first = c;
	}
	if (first)
		return guard_set(g, sel, first->mode == IPSEC_MODE_DROP ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW,
				 guard_priority(first, sel));
	key = guard_key(g, sel);
	guard_delete(g, &key);
	return 0;
}

static void user_remove(struct guard *g, struct kernel_handle *c)
{
	if (!c->guards)
		return;
	list_del(&c->guard_link);
	for (size_t i = 0; i < c->n_guards; i++)
		(void)guard_refresh(g, &c->guards[i]);
	free(c->guards);
	c->guards = NULL;
	c->n_guards = 0;
}

static bool user_add(struct guard *g, struct kernel_handle *c, struct errtext *err)
{
	struct selectors s;

	if (!selectors_make(c->local_ts, c->remote_ts, c->name, &s, err))
		return false;
	c->guards = s.list;
	list_add_tail(&g->users, &c->guard_link);
	for (size_t i = 0; i < s.n; i++) {
		struct xfrm_selector in = selector_reverse(&s.list[i]);
		int e;

		if (!child_is_shunt(c) && in.family != AF_INET6)
			continue;
		memcpy(&c->guards[c->n_guards++], &in, sizeof(in));
		e = guard_refresh(g, &in);
		if (e == 0)
			continue;
		errtext_set(err, "%s: cannot add a policy to the kernel: %s", c->name, strerror(e));
		user_remove(g, c);
		return false;
	}
	return true;
}

/* ---- which children need one ---- */

static bool list_meets(struct ts_list a, struct ts_list b, uint8_t family)
{
	struct ts both;

	for (size_t i = 0; i < a.count; i++)
		for (size_t j = 0; a.p[i].family == family && j < b.count; j++)
			if (ts_intersect(&a.p[i], &b.p[j], &both))
				return true;
	return false;
}

static bool child_meets(const struct kernel_handle *c, const struct kernel_handle *drop)
{
	return list_meets(c->local_ts, drop->local_ts, AF_INET6) && list_meets(c->remote_ts, drop->remote_ts, AF_INET6);
}

static bool child_meets_any(const struct guard *g, const struct kernel_handle *c)
{
	LIST_FOREACH(it, &g->users) {
		const struct kernel_handle *other = list_entry(it, struct kernel_handle, guard_link);

		if (other->mode == IPSEC_MODE_DROP && child_meets(c, other))
			return true;
	}
	return false;
}

/* Shunts that let pass have one beside a first shunt that drops, and children have one as soon as a shunt that drops meets them. */
static bool guard_spare(struct guard *g, const struct kernel_handle *drop, const struct list *children, struct errtext *err)
{
	LIST_FOREACH(it, children) {
		struct kernel_handle *c = list_entry(it, struct kernel_handle, link);

		if (!c->in_tables || c->guards || c->mode == IPSEC_MODE_DROP)
			continue;
		if ((c->mode == IPSEC_MODE_PASS || child_meets(c, drop)) && !user_add(g, c, err))
			return false;
	}
	return true;
}

/* ---- the first and the last shunt of mode DROP ---- */

static void guard_off(struct guard *g)
{
	LIST_FOREACH_SAFE(it, &g->users)
		user_remove(g, list_entry(it, struct kernel_handle, guard_link));
	(void)guard_fixed(g, fixed_delete);
}

static bool guard_on(struct guard *g, struct errtext *err)
{
	int e;

	if (!guard_pass_sockets(g)) {
		errtext_set(err, "cannot let ESP pass policies of the kernel: %s", strerror(errno));
		return false;
	}
	e = guard_fixed(g, fixed_set);
	if (e == 0)
		return true;
	errtext_set(err, "cannot add policies to the kernel: %s", strerror(e));
	(void)guard_fixed(g, fixed_delete);
	return false;
}

static bool guard_add_drop(struct guard *g, struct kernel_handle *c, const struct list *children, struct errtext *err)
{
	if (g->drops == 0 && !guard_on(g, err))
		return false;
	if (guard_spare(g, c, children, err) && user_add(g, c, err)) {
		g->drops++;
		return true;
	}
	if (g->drops == 0)
		guard_off(g);
	return false;
}

bool guard_add(struct guard *g, struct kernel_handle *c, const struct list *children, struct errtext *err)
{
	if (c->mode == IPSEC_MODE_DROP) {
		if (!g->missing)
			return guard_add_drop(g, c, children, err);
		LOG(KNL, LOG_LEVEL_CONTROL, "%s: what comes in clear to this host itself is not dropped: the kernel "
		    "has no IPsec policies", c->name);
		return true;
	}
	if (g->drops == 0 || (c->mode != IPSEC_MODE_PASS && !child_meets_any(g, c)))
		return true;
	return user_add(g, c, err);
}

void guard_remove(struct guard *g, struct kernel_handle *c)
{
	bool drop = c->guards && c->mode == IPSEC_MODE_DROP;

	user_remove(g, c);
	if (drop && --g->drops == 0)
		guard_off(g);
}

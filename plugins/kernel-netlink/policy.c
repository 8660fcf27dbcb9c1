/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "config/settings.h"
#include "policies.h"
#include "sa.h"
#include "util/log.h"

#define FLUSH_LIMIT_MS 60000
#define LARVAL_DROP "/proc/sys/net/core/xfrm_larval_drop"
#define ACQ_EXPIRES "/proc/sys/net/core/xfrm_acq_expires"

/* ---- start and stop ---- */

static bool policies_set_thresholds(struct kernel *k, const struct settings *s, struct errtext *err)
{
	int64_t l4 = settings_int(s, SETTING "spdh_thresh.ipv4.lbits", 32), l6 = settings_int(s, SETTING "spdh_thresh.ipv6.lbits", 128);
	int64_t r4 = settings_int(s, SETTING "spdh_thresh.ipv4.rbits", 32), r6 = settings_int(s, SETTING "spdh_thresh.ipv6.rbits", 128);
	struct policy_threshold v4 = { (uint8_t)l4, (uint8_t)r4 }, v6 = { (uint8_t)l6, (uint8_t)r6 };
	union nl_request_buffer b;

	if (l4 < 0 || l4 > 32 || r4 < 0 || r4 > 32 || l6 < 0 || l6 > 128 || r6 < 0 || r6 > 128) {
		errtext_set(err, SETTING "spdh_thresh has more bits than an address, or fewer than none");
		return false;
	}
	if (l4 == 32 && r4 == 32 && l6 == 128 && r6 == 128)
		return true;
	policy_build_thresholds(&b, &v4, &v6);
	nl_queue(k->nl, &b, (struct nl_answer){ 0 });
	return true;
}

/*
 * Packets that meet a trap wait for their SA, instead of being dropped. How long the kernel believes that someone is making
 * one is the kernel's choice, unless the settings say otherwise.
 */
static void policies_set_waiting(struct policies *p, const struct settings *s)
{
	const char *expires = settings_str(s, SETTING "xfrm_acq_expires", NULL);

	if (!sysctl_set(&p->sysctls, LARVAL_DROP, "0"))
		LOG(KNL, LOG_LEVEL_CONTROL, "the first packets of a trap are dropped: cannot write " LARVAL_DROP);
	if (expires && !sysctl_set(&p->sysctls, ACQ_EXPIRES, expires))
		LOG(KNL, LOG_LEVEL_CONTROL, "cannot write '%s' to " ACQ_EXPIRES, expires);
}

static void policies_follow_vips(void *arg, uint32_t events)
{
	vip_table_follow(arg);
}

static bool policies_open_vips(struct kernel *k, const struct settings *s, struct errtext *err)
{
	struct policies *p = k->policies;

	p->vips = (struct vip_table){ .hash_key = k->hash_key, .on = settings_str(s, "install_virtual_ip_on", NULL),
				      .routes = p->ways.on ? &p->ways.routes : NULL, .find_interface = ifaces_find,
				      .find_arg = &p->ifaces };
	if (!vip_table_open(&p->vips, (uint16_t)settings_int(s, "port", 500), err))
		return false;
	p->vips_watch = loop_add(k->loop, vip_table_fd(&p->vips), EPOLLIN, policies_follow_vips, &p->vips);
	if (!p->vips_watch)
		errtext_set(err, "cannot watch addresses: %s", strerror(errno));
	return p->vips_watch;
}

bool policies_open(struct kernel *k, const struct settings *settings, struct errtext *err)
{
	struct policies *p = xcalloc(1, sizeof(*p));

	k->policies = p;
	p->owner = k->owner;
	p->table = (struct policy_table){ .nl = k->nl, .hash_key = k->hash_key };
	if (policies_set_thresholds(k, settings, err) && ways_open(&p->ways, k, settings, err) &&
	    ifaces_open(&p->ifaces, settings, err) && policies_open_vips(k, settings, err) &&
	    bypasses_check(p, settings, err)) {
		policies_set_waiting(p, settings);
		return true;
	}
	policies_close(k);
	return false;
}

void policies_close(struct kernel *k)
{
	struct policies *p = k->policies;

	if (!p)
		return;
	bypasses_remove(p);
	if (k->nl)
		(void)nl_drain(k->nl, FLUSH_LIMIT_MS);
	ways_close(&p->ways);
	if (p->vips_watch)
		loop_remove(p->vips_watch);
	vip_table_close(&p->vips);
	ifaces_close(&p->ifaces);
	sysctls_restore(&p->sysctls);
	policy_table_clear(&p->table);
	bypasses_free(p);
	free(p);
	k->policies = NULL;
}

/* ---- what a dead predecessor left ---- */

struct flush {
	struct kernel *k;
	struct policy_key *keys;
	size_t n;
	int error;
};

static void flush_message(void *arg, const struct nlmsghdr *m)
{
	struct flush *f = arg;
	struct policy_key key;

	if (!m) {
		f->n = 0;
		return;
	}
	/* sockets' own policies are in the dump, too, with other directions */
	if (!policy_read_key(m, &key) || key.sel.user != f->k->owner || key.dir > XFRM_POLICY_FWD)
		return;
	f->keys = xrealloc(f->keys, (f->n + 1) * sizeof(*f->keys));
	memcpy(&f->keys[f->n++], &key, sizeof(key));
}

static void flush_done(void *arg, int error, const char *text)
{
	((struct flush *)arg)->error = error;
}

bool policies_flush(struct kernel *k, struct errtext *err)
{
	struct flush f = { .k = k };
	union nl_request_buffer b;

	policy_build_dump(&b);
	nl_queue(k->nl, &b, (struct nl_answer){ flush_message, flush_done, &f });
	if (!nl_drain(k->nl, FLUSH_LIMIT_MS)) {
		nl_free(k->nl); /* what waits in it knows f */
		k->nl = NULL;
		f.error = ETIMEDOUT;
	}
	if (f.error) {
		errtext_set(err, "cannot read the policies of the kernel: %s", txn_reason(f.error, "").s);
		free(f.keys);
		return false;
	}
	for (size_t i = 0; i < f.n; i++) {
		policy_build_delete(&b, &f.keys[i]);
		nl_queue(k->nl, &b, (struct nl_answer){ 0 });
	}
	bypasses_install(k->policies);
	(void)nl_drain(k->nl, FLUSH_LIMIT_MS);
	if (f.n)
		LOG(KNL, LOG_LEVEL_CONTROL, "removed %zu policies that an earlier life of the daemon left", f.n);
	free(f.keys);
	return true;
}

/* ---- children ---- */

static enum policy_class child_class(const struct kernel_child *c)
{
	if (c->mode == IPSEC_MODE_PASS || c->mode == IPSEC_MODE_DROP)
		return POLICY_CLASS_SHUNT;
	return c->in.spi ? POLICY_CLASS_SA : POLICY_CLASS_TRAP;
}

/*
 * The selector is that of outbound packets. A device is compared with the one that the packet leaves by, which for those that come in
 * is the loopback device, or the one behind us: only what goes to the peer is restricted by it.
 */
static struct policy_key child_key(const struct policies *p, const struct kernel_child *c, const struct xfrm_selector *sel,
				   unsigned ifindex, uint32_t dir, bool outbound)
{
	struct ipsec_mark mark = outbound ? c->scope.mark_out : c->scope.mark_in;
	struct xfrm_selector s = outbound ? *sel : selector_reverse(sel);
	struct policy_key key;

	memset(&key, 0, sizeof(key));
	memcpy(&key.sel, &s, sizeof(s));
	key.sel.user = p->owner;
	key.sel.ifindex = outbound ? (int)ifindex : 0;
	key.mark = (struct xfrm_mark){ mark.mask ? mark.value : 0, mark.mask };
	key.if_id = outbound ? c->scope.if_id_out : c->scope.if_id_in;
	key.dir = dir;
	return key;
}

static void child_use(struct policies *p, struct child_policies *cp, const struct policy_key *key, enum policy_class class,
		      struct txn *t)
{
	const struct kernel_child *c = &cp->h->conf;
	struct policy_use *use = &cp->uses[cp->n_uses++];

	use->child = c;
	use->class = class;
	use->priority = c->priority ? c->priority : selector_priority(&key->sel, class);
	/* what only passes through must not stand before what protects */
	if (class == POLICY_CLASS_TRANSIT && c->priority && c->priority < UINT32_MAX)
		use->priority++;
	policy_use_add(&p->table, use, key, key->dir == XFRM_POLICY_OUT && c->out_waits, t);
}

static void child_add_uses(struct policies *p, struct child_policies *cp, const struct selectors *s, unsigned ifindex,
			   struct txn *t)
{
	const struct kernel_child *c = &cp->h->conf;
	enum policy_class class = child_class(c);

	cp->uses = xcalloc(s->n * 4, sizeof(*cp->uses));
	/* inbound first: what the peer sends early is not dropped */
	for (size_t i = 0; i < s->n; i++) {
		struct policy_key in = child_key(p, c, &s->list[i], ifindex, XFRM_POLICY_IN, false);
		struct policy_key fwd = child_key(p, c, &s->list[i], ifindex, XFRM_POLICY_FWD, false);
		struct policy_key fwd_out = child_key(p, c, &s->list[i], ifindex, XFRM_POLICY_FWD, true);
		struct policy_key out = child_key(p, c, &s->list[i], ifindex, XFRM_POLICY_OUT, true);

		child_use(p, cp, &in, class, t);
		if (c->mode != IPSEC_MODE_TRANSPORT)
			child_use(p, cp, &fwd, class, t);
		if (c->fwd_out && c->mode != IPSEC_MODE_TRANSPORT)
			child_use(p, cp, &fwd_out, class == POLICY_CLASS_SHUNT ? POLICY_CLASS_SHUNT : POLICY_CLASS_TRANSIT, t);
		child_use(p, cp, &out, class, t);
	}
}

/* Children with an interface of their own are routed by it; a dropped packet needs no way. */
static bool child_wants_route(const struct policies *p, const struct kernel_child *c)
{
	if (!p->ways.on || c->scope.if_id_out || c->mode == IPSEC_MODE_DROP || c->mode == IPSEC_MODE_TRANSPORT)
		return false;
	return c->mode == IPSEC_MODE_PASS || c->out.dst.family;
}

static bool child_add_route(struct policies *p, struct child_policies *cp, struct errtext *err)
{
	const struct kernel_child *c = &cp->h->conf;

	if (!child_wants_route(p, c))
		return true;
	cp->route = (struct route_user){ .name = c->name, .local_ts = c->local_ts, .remote_ts = c->remote_ts,
					 .vips = c->vips, .n_vips = c->n_vips, .bypass = c->mode == IPSEC_MODE_PASS };
	if (!vip_table_has_all(&p->vips, c->vips, c->n_vips, err))
		return false;
	if (!cp->route.bypass)
		cp->route.peer = c->out.dst;
	cp->routed = routes_add(&p->ways.routes, &cp->route, err);
	return cp->routed;
}

static bool child_device(const struct kernel_child *c, unsigned *ret_ifindex, struct errtext *err)
{
	*ret_ifindex = c->scope.interface ? if_nametoindex(c->scope.interface) : 0;
	if (!c->scope.interface || *ret_ifindex)
		return true;
	errtext_set(err, "%s: there is no interface named %s", c->name, c->scope.interface);
	return false;
}

bool policies_of_child_add(struct kernel *k, struct kernel_handle *h, struct txn *t)
{
	struct policies *p = k->policies;
	struct child_policies *cp;
	struct selectors s;
	struct errtext err;
	unsigned ifindex;

	if (!selectors_make(h->conf.local_ts, h->conf.remote_ts, h->conf.name, &s, &err)) {
		txn_fail(t, "%s", err.s);
		return false;
	}
	cp = h->policy = xcalloc(1, sizeof(*cp));
	cp->h = h;
	if (!child_device(&h->conf, &ifindex, &err) || !child_add_route(p, cp, &err)) {
		txn_fail(t, "%s", err.s);
		selectors_free(&s);
		return false;
	}
	child_add_uses(p, cp, &s, ifindex, t);
	selectors_free(&s);
	return true;
}

void policies_of_child_remove(struct kernel *k, struct kernel_handle *h)
{
	struct child_policies *cp = h->policy;

	if (!cp)
		return;
	/* outbound first: nothing leaves by an SA that goes */
	for (size_t i = cp->n_uses; i-- > 0;)
		policy_use_remove(&k->policies->table, &cp->uses[i]);
	if (cp->routed)
		routes_remove(&k->policies->ways.routes, &cp->route);
	free(cp->uses);
	free(cp);
	h->policy = NULL;
}

void policies_vip(struct kernel *k, const struct kernel_vip *vip, bool add)
{
	if (add)
		vip_table_add(&k->policies->vips, vip);
	else
		vip_table_remove(&k->policies->vips, vip);
}

static void child_hold(struct kernel *k, struct kernel_handle *h, bool hold, struct txn *t)
{
	struct child_policies *cp = h->policy;

	for (size_t i = 0; cp && i < cp->n_uses; i++) {
		cp->uses[i].hold = hold;
		policy_use_changed(&k->policies->table, &cp->uses[i], t);
	}
}

void policies_hold(struct kernel *k, struct kernel_handle *h, struct txn *t)
{
	child_hold(k, h, true, t);
}

void policies_move(struct kernel *k, struct kernel_handle *h, struct txn *t)
{
	struct child_policies *cp = h->policy;

	child_hold(k, h, false, t);
	if (cp && cp->routed && !cp->route.bypass)
		routes_move(&k->policies->ways.routes, &cp->route, &h->conf.out.dst);
}

void policies_carry(struct kernel *k, struct kernel_handle *h, bool on)
{
	struct child_policies *cp = h->policy;

	for (size_t i = 0; cp && i < cp->n_uses; i++)
		if (cp->uses[i].class == POLICY_CLASS_SA)
			policy_use_carry(&k->policies->table, &cp->uses[i], on);
}

/* ---- acquire ---- */

void policies_tell_acquire(struct kernel *k, const struct kernel_child *trap, const struct xfrm_selector *sel)
{
	struct kernel_event ev;

	if (sel->family != AF_INET && sel->family != AF_INET6)
		return;
	ev = (struct kernel_event){
		.kind = KERNEL_EVENT_ACQUIRE,
		.ike_id = trap->ike_id,
		.child_id = trap->unique_id,
		.reqid = trap->reqid,
		.src = trap->out.src,
		.dst = trap->out.dst,
		.packet_src = selector_ts(sel, true),
		.packet_dst = selector_ts(sel, false),
	};
	kernel_tell(k, &ev);
}

/*
 * A packet met a policy whose SA is missing. Only of a trap's it is news; an SA's has lost its SA, which its expiry
 * tells, or is being moved.
 */
void policies_event_acquire(struct kernel *k, const struct nlmsghdr *m)
{
	const struct policy_use *use;
	struct xfrm_selector sel;
	struct policy_key key;

	if (!policy_read_key(m, &key))
		return;
	memcpy(&sel, (const uint8_t *)mnl_nlmsg_get_payload(m) + offsetof(struct xfrm_user_acquire, sel), sizeof(sel));
	use = policy_find_trap(&k->policies->table, &key);
	if (use)
		policies_tell_acquire(k, use->child, &sel);
}

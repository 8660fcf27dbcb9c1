/* SPDX-License-Identifier: Apache-2.0 */
#include "shunt.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/route.h"
#include "kernel/rtnl_message.h"
#include "util/mem.h"

static const uint8_t families[] = { AF_INET, AF_INET6 };

/* ---- messages ---- */

static struct nlmsghdr *rule_begin(struct rtnl *r, struct rtnl_request *q, uint16_t type, uint8_t family, uint8_t action,
				   uint32_t priority)
{
	struct nlmsghdr *h = rtnl_begin(r, q, type, NLM_F_ACK | (type == RTM_NEWRULE ? NLM_F_CREATE : 0));
	struct fib_rule_hdr *frh = mnl_nlmsg_put_extra_header(h, sizeof(*frh));

	frh->family = family;
	frh->action = action;
	mnl_attr_put_u32(h, FRA_PRIORITY, priority);
	mnl_attr_put_u8(h, FRA_PROTOCOL, RTNL_PROTOCOL);
	return h;
}

static void rule_put_prefix(struct nlmsghdr *h, uint16_t type, const struct addr *net, uint8_t len)
{
	struct fib_rule_hdr *frh = mnl_nlmsg_get_payload(h);

	if (len == 0)
		return;
	if (type == FRA_SRC)
		frh->src_len = len;
	else
		frh->dst_len = len;
	rtnl_put_addr(h, type, net);
}

static void rule_put_ports(struct nlmsghdr *h, uint16_t type, const uint16_t port[2])
{
	struct fib_rule_port_range range = { port[0], port[1] };

	/* to the kernel a range from 0 on is none at all; port 0 does not occur */
	if (range.start == 0)
		range.start = 1;
	if (port[0] != 0 || port[1] != UINT16_MAX)
		mnl_attr_put(h, type, sizeof(range), &range);
}

static uint8_t rule_action(const struct shunt_rule *rule)
{
	return rule->mode == IPSEC_MODE_DROP ? FR_ACT_BLACKHOLE : FR_ACT_GOTO;
}

static int rule_talk(struct shunt_table *t, const struct shunt_rule *rule, uint16_t type)
{
	struct rtnl_request q;
	struct nlmsghdr *h = rule_begin(t->rtnl, &q, type, rule->family, rule_action(rule), t->priority - 1);

	if (rule->mode != IPSEC_MODE_DROP)
		mnl_attr_put_u32(h, FRA_GOTO, rule->mode == IPSEC_MODE_PASS ? t->priority + 1 : t->priority);
	rule_put_prefix(h, FRA_SRC, &rule->src.net, rule->unbound ? (uint8_t)(addr_len(&rule->src.net) * 8) : rule->src.len);
	rule_put_prefix(h, FRA_DST, &rule->dst.net, rule->dst.len);
	if (rule->protocol)
		mnl_attr_put_u8(h, FRA_IP_PROTO, rule->protocol);
	rule_put_ports(h, FRA_SPORT_RANGE, rule->sport);
	rule_put_ports(h, FRA_DPORT_RANGE, rule->dport);
	/* a mark under an empty mask fits every packet, and removing compares it: without, a narrower rule could go instead */
	mnl_attr_put_u32(h, FRA_FWMARK, rule->tag);
	mnl_attr_put_u32(h, FRA_FWMASK, 0);
	return rtnl_talk(t->rtnl, h, NULL, NULL);
}

/* ---- their order ---- */

static int rule_ports(const struct shunt_rule *r)
{
	return (uint16_t)(r->sport[1] - r->sport[0]) + (uint16_t)(r->dport[1] - r->dport[0]);
}

static bool rule_is_shunt(const struct shunt_rule *r)
{
	return r->mode == IPSEC_MODE_PASS || r->mode == IPSEC_MODE_DROP;
}

/* As of policies (policy.h): below 0 if a comes first. */
static int rule_compare(const struct shunt_rule *a, const struct shunt_rule *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	if (a->src.len + a->dst.len != b->src.len + b->dst.len)
		return b->src.len + b->dst.len - a->src.len - a->dst.len;
	if (!a->protocol != !b->protocol)
		return a->protocol ? -1 : 1;
	if (rule_ports(a) != rule_ports(b))
		return rule_ports(a) - rule_ports(b);
	return rule_is_shunt(b) - rule_is_shunt(a);
}

static int rule_put(struct shunt_table *t, struct shunt_rule *rule)
{
	uint32_t before = rule->tag;
	int e;

	rule->tag = ++t->last_tag;
	e = rule_talk(t, rule, RTM_NEWRULE);
	if (e)
		rule->tag = before;
	return e;
}

/* The kernel puts a rule behind all of its number: what has to be behind this one is put there again, and then taken away before. */
static int rule_insert(struct shunt_table *t, struct shunt_rule *rule)
{
	struct list *at = t->rules.next;
	int e = rule_put(t, rule);

	if (e)
		return e;
	while (at != &t->rules && rule_compare(list_entry(at, struct shunt_rule, link), rule) <= 0)
		at = at->next;
	list_insert_before(at, &rule->link);
	for (; at != &t->rules; at = at->next) {
		struct shunt_rule *behind = list_entry(at, struct shunt_rule, link), old = *behind;

		if (behind->family == rule->family && rule_put(t, behind) == 0)
			(void)rule_talk(t, &old, RTM_DELRULE);
	}
	return 0;
}

static void rules_clear(struct shunt_table *t, struct kernel_handle *c)
{
	for (size_t i = 0; i < c->n_rules; i++) {
		if (c->rules[i].tag)
			(void)rule_talk(t, &c->rules[i], RTM_DELRULE);
		list_del(&c->rules[i].link);
	}
	free(c->rules);
	c->rules = NULL;
	c->n_rules = 0;
}

static bool rules_insert(struct shunt_table *t, struct kernel_handle *c, struct errtext *err)
{
	for (size_t i = 0; i < c->n_rules; i++) {
		int e = rule_insert(t, &c->rules[i]);

		if (e == 0 || (c->rules[i].family == AF_INET6 && e == EAFNOSUPPORT))
			continue;
		errtext_set(err, "%s: cannot add a routing rule: %s", c->name, strerror(e));
		rules_clear(t, c);
		return false;
	}
	return true;
}

/* ---- what stands around the rules of all shunts ---- */

/* Behind our table's rule, where PASS goes on; and our own packets, which go there before any shunt is asked. */
static int frame_add(struct shunt_table *t, uint8_t family)
{
	struct rtnl_request q;
	struct nlmsghdr *h = rule_begin(t->rtnl, &q, RTM_NEWRULE, family, FR_ACT_NOP, t->priority + 1);
	int e = rtnl_talk(t->rtnl, h, NULL, NULL);

	if (e || !t->mark)
		return e;
	h = rule_begin(t->rtnl, &q, RTM_NEWRULE, family, FR_ACT_GOTO, t->priority - 1);
	mnl_attr_put_u32(h, FRA_GOTO, t->priority + 1);
	mnl_attr_put_u32(h, FRA_FWMARK, t->mark);
	mnl_attr_put_u32(h, FRA_FWMASK, UINT32_MAX);
	return rtnl_talk(t->rtnl, h, NULL, NULL);
}

/* All our rules there are at a priority. */
static void frame_del(struct shunt_table *t, uint8_t family, uint32_t priority)
{
	struct rtnl_request q;

	for (int i = 0; i < 100000; i++)
		if (rtnl_talk(t->rtnl, rule_begin(t->rtnl, &q, RTM_DELRULE, family, FR_ACT_UNSPEC, priority), NULL, NULL) != 0)
			return;
}

static void frame_clean(struct shunt_table *t)
{
	for (size_t i = 0; i < 2 && t->priority > 0; i++) {
		frame_del(t, families[i], t->priority - 1);
		frame_del(t, families[i], t->priority + 1);
	}
}

void shunts_init(struct shunt_table *t)
{
	list_init(&t->rules);
	frame_clean(t);
}

static bool table_open(struct shunt_table *t, struct errtext *err)
{
	if (t->priority < 2 || t->priority > UINT32_MAX - 2) {
		errtext_set(err, "routing_table_prio is %u: shunts need a number before and behind it", t->priority);
		return false;
	}
	for (size_t i = 0; i < 2 && t->shunts == 0; i++) {
		int e = frame_add(t, families[i]);

		if (e && !(families[i] == AF_INET6 && (e == EAFNOSUPPORT || e == EOPNOTSUPP))) {
			errtext_set(err, "cannot add the routing rules around shunts: %s", strerror(e));
			frame_clean(t);
			return false;
		}
	}
	t->shunts++;
	return true;
}

static void table_close(struct shunt_table *t)
{
	if (--t->shunts)
		return;
	/* children need none any more */
	while (!list_empty(&t->rules))
		rules_clear(t, list_entry(t->rules.next, struct shunt_rule, link)->owner);
	frame_clean(t);
}

/* ---- what a shunt needs ---- */

static bool ts_has_ports(const struct ts *ts)
{
	return ts->port_from != 0 || ts->port_to != UINT16_MAX;
}

static bool ts_routable(const struct ts *ts)
{
	if (!ts_has_ports(ts))
		return true;
	return ts->port_from <= ts->port_to && ts->protocol != IPPROTO_ICMP && ts->protocol != IPPROTO_ICMPV6;
}

static bool rules_push(struct kernel_handle *c, const struct shunt_rule *rule)
{
	if (c->n_rules == SHUNT_RULES_MAX)
		return false;
	if (!c->rules)
		c->rules = xcalloc(SHUNT_RULES_MAX, sizeof(*c->rules));
	c->rules[c->n_rules] = *rule;
	c->rules[c->n_rules].owner = c;
	list_init(&c->rules[c->n_rules++].link);
	return true;
}

static struct shunt_rule rule_back(const struct shunt_rule *out)
{
	struct shunt_rule back = *out;

	back.src = out->dst;
	back.dst = out->src;
	memcpy(back.sport, out->dport, sizeof(back.sport));
	memcpy(back.dport, out->sport, sizeof(back.dport));
	return back;
}

static bool rule_meets(const struct shunt_rule *a, const struct shunt_rule *b)
{
	return a->family == b->family && (!a->protocol || !b->protocol || a->protocol == b->protocol) &&
	       (prefix_contains(&a->src, &b->src.net) || prefix_contains(&b->src, &a->src.net)) &&
	       (prefix_contains(&a->dst, &b->dst.net) || prefix_contains(&b->dst, &a->dst.net));
}

/* A shunt's rule would take what this child's is about. */
static bool rule_is_hidden(const struct list *rules, const struct shunt_rule *rule)
{
	LIST_FOREACH(it, rules) {
		const struct shunt_rule *other = list_entry(it, struct shunt_rule, link);

		if (rule_is_shunt(other) && rule_meets(other, rule) && rule_compare(rule, other) < 0)
			return true;
	}
	return false;
}

/* Of a shunt: out, forwarded back, and what is sent by ourselves before a source is chosen. */
static bool rules_of_shunt(struct kernel_handle *c, const struct shunt_rule *out, bool local)
{
	struct shunt_rule back = rule_back(out), unbound = *out;

	if (!rules_push(c, out) || !rules_push(c, &back))
		return false;
	if (c->mode != IPSEC_MODE_DROP || !local || out->src.len == 0)
		return true;
	memset(unbound.src.net.ip, 0, sizeof(unbound.src.net.ip));
	unbound.unbound = true;
	return rules_push(c, &unbound);
}

static bool rules_of_child(struct kernel_handle *c, const struct shunt_rule *out)
{
	struct shunt_rule back = rule_back(out);

	return rules_push(c, out) && rules_push(c, &back);
}

/* What a rule is made for: a shunt (hidden_by NULL), or a child as far as rules of shunts hide it. */
struct rule_wish {
	struct kernel_handle *c;
	bool local;
	const struct list *hidden_by;
};

static bool rules_of_pair(const struct rule_wish *w, const struct ts *l, const struct ts *r)
{
	struct prefix from[ROUTE_PREFIXES_MAX], to[ROUTE_PREFIXES_MAX];
	size_t n_from = route_prefixes(l, from), n_to = route_prefixes(r, to);
	bool ok = true;

	for (size_t i = 0; ok && i < n_from; i++)
		for (size_t j = 0; ok && j < n_to; j++) {
			struct shunt_rule rule = { .mode = w->c->mode, .priority = w->c->priority, .family = l->family,
						   .src = from[i], .dst = to[j],
						   .protocol = l->protocol ? l->protocol : r->protocol,
						   .sport = { l->port_from, l->port_to }, .dport = { r->port_from, r->port_to } };

			if (!w->hidden_by)
				ok = rules_of_shunt(w->c, &rule, w->local);
			else if (rule_is_hidden(w->hidden_by, &rule))
				ok = rules_of_child(w->c, &rule);
		}
	return ok;
}

static bool rules_make(const struct rule_wish *w, struct errtext *err)
{
	struct kernel_handle *c = w->c;

	for (size_t i = 0; i < c->local_ts.count; i++) {
		for (size_t j = 0; j < c->remote_ts.count; j++) {
			const struct ts *l = &c->local_ts.p[i], *r = &c->remote_ts.p[j];

			if (l->family != r->family || (l->protocol && r->protocol && l->protocol != r->protocol))
				continue;
			if (child_is_shunt(c) && (!ts_routable(l) || !ts_routable(r))) {
				errtext_set(err, "%s: kernel-userland routes packets around the tunnel, which cannot be told apart "
					    "by types of ICMP, nor by opaque ports", c->name);
				return false;
			}
			/* of a child the rest is the policies' to tell apart, in the table */
			if (!child_is_shunt(c) && (!ts_routable(l) || !ts_routable(r)))
				continue;
			if (!rules_of_pair(w, l, r)) {
				errtext_set(err, "%s: its selectors need more than %d routing rules beside shunts", c->name,
					    SHUNT_RULES_MAX);
				return false;
			}
		}
	}
	return true;
}

bool shunts_add_child(struct shunt_table *t, struct kernel_handle *c, struct errtext *err)
{
	struct rule_wish w = { c, false, &t->rules };

	if (t->shunts == 0 || c->n_rules)
		return true;
	if (rules_make(&w, err) && rules_insert(t, c, err))
		return true;
	rules_clear(t, c);
	return false;
}

/* Children with narrower selectors than the new shunt's come before it. */
static bool shunts_spare_children(struct shunt_table *t, const struct kernel_handle *shunt, const struct list *children,
				  struct errtext *err)
{
	struct list hiding;
	bool ok = true;

	list_init(&hiding);
	for (size_t i = 0; i < shunt->n_rules; i++)
		list_add_tail(&hiding, &shunt->rules[i].link);
	LIST_FOREACH(it, children) {
		struct kernel_handle *c = list_entry(it, struct kernel_handle, link);
		struct rule_wish w = { c, false, &hiding };

		if (ok && c->in_tables && !child_is_shunt(c) && c->n_rules == 0) {
			ok = rules_make(&w, err) && rules_insert(t, c, err);
			if (!ok)
				rules_clear(t, c);
		}
	}
	for (size_t i = 0; i < shunt->n_rules; i++)
		list_del(&shunt->rules[i].link);
	return ok;
}

bool shunts_add(struct shunt_table *t, struct kernel_handle *c, bool local, const struct list *children, struct errtext *err)
{
	struct rule_wish w = { c, local, NULL };

	if (!rules_make(&w, err) || !table_open(t, err)) {
		rules_clear(t, c);
		return false;
	}
	c->shunted = true;
	if (shunts_spare_children(t, c, children, err) && rules_insert(t, c, err))
		return true;
	shunts_remove(t, c);
	return false;
}

void shunts_remove(struct shunt_table *t, struct kernel_handle *c)
{
	rules_clear(t, c);
	if (c->shunted)
		table_close(t);
	c->shunted = false;
}

static bool list_is_any(struct ts_list list, uint8_t family)
{
	struct ts any = ts_any(family);

	return ts_list_within(list, (struct ts_list){ 1, &any });
}

bool shunt_is_whole(const struct kernel_handle *c)
{
	if (c->mode != IPSEC_MODE_PASS)
		return false;
	for (size_t i = 0; i < c->remote_ts.count; i++) {
		struct ts r = c->remote_ts.p[i];

		if (r.protocol || ts_has_ports(&r))
			return false;
		/* among hosts of one network: who sends to it has an address in it */
		if (!list_is_any(c->local_ts, r.family) && !ts_list_within(c->local_ts, (struct ts_list){ 1, &r }))
			return false;
	}
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sa.h"
#include "util/log.h"

struct policy {
	struct hashnode node;
	struct policy_table *table; /* NULL: the table is gone */
	struct policy_key key;
	struct list uses; /* best first */
	unsigned n_sas;
	bool mixed;       /* there are SAs with different reqids among them, or were */
	struct policy_state set; /* what the kernel has, or is to have when all is answered */
	bool unsure;      /* it refused something */
	bool seen;        /* as it should be, by the dump under way */
	unsigned asked;   /* requests under way */
};

/* ---- what the kernel should have ---- */

static void template_put_addr(xfrm_address_t *to, const struct addr *a)
{
	memcpy(to, a->ip, addr_len(a));
}

/*
 * Outbound, the SPI says which SA: of several with one reqid the kernel would take the newest. Inbound, any SA with the
 * reqid will do; with SAs of several reqids any at all: then their own selectors say who may send what.
 */
static void policy_template(const struct policy *p, const struct policy_use *use, struct xfrm_user_tmpl *tmpl)
{
	const struct kernel_child *c = use->child;
	bool out = p->key.dir == XFRM_POLICY_OUT;

	tmpl->id.proto = IPPROTO_ESP;
	tmpl->mode = sa_mode(c->mode);
	tmpl->reqid = c->reqid;
	tmpl->aalgos = tmpl->ealgos = tmpl->calgos = UINT32_MAX;
	tmpl->family = c->mode == IPSEC_MODE_TRANSPORT || !c->out.dst.family ? p->key.sel.family : c->out.dst.family;
	if (out) {
		if (use->class == POLICY_CLASS_SA && !use->hold)
			tmpl->id.spi = htonl(c->out.spi);
		if (c->mode != IPSEC_MODE_TRANSPORT) {
			template_put_addr(&tmpl->id.daddr, &c->out.dst);
			template_put_addr(&tmpl->saddr, &c->out.src);
		}
	} else if (use->class == POLICY_CLASS_TRANSIT) {
		tmpl->optional = 1; /* packets that came through another tunnel may pass, and those in clear */
		tmpl->reqid = 0;
	} else if (p->mixed) {
		tmpl->reqid = 0;
	}
}

static const struct policy_use *policy_best(const struct policy *p)
{
	if (list_empty(&p->uses))
		return NULL;
	if (p->key.dir == XFRM_POLICY_OUT)
		LIST_FOREACH(it, &p->uses)
			if (!list_entry(it, struct policy_use, link)->off)
				return list_entry(it, struct policy_use, link);
	return list_entry(p->uses.next, struct policy_use, link);
}

static struct policy_state policy_wanted(const struct policy *p)
{
	const struct policy_use *best = policy_best(p);
	struct policy_state s;

	memset(&s, 0, sizeof(s)); /* compared as bytes */
	if (!best)
		return s;
	s.present = true;
	s.priority = best->priority;
	s.action = XFRM_POLICY_ALLOW;
	if (best->class == POLICY_CLASS_SHUNT) {
		if (best->child && best->child->mode == IPSEC_MODE_DROP)
			s.action = XFRM_POLICY_BLOCK;
		return s;
	}
	s.has_tmpl = true;
	policy_template(p, best, &s.tmpl);
	return s;
}

struct policy_state policy_use_wanted(const struct policy_use *use)
{
	return policy_wanted(use->policy);
}

/* ---- requests ---- */

static void policy_free_if_unused(struct policy *p)
{
	if (!list_empty(&p->uses) || p->asked)
		return;
	if (p->table)
		hashtab_remove(&p->table->policies, &p->node);
	free(p);
}

static const char *policy_what(const struct policy_key *key)
{
	return key->dir == XFRM_POLICY_OUT ? "set the outbound policy" :
	       key->dir == XFRM_POLICY_IN  ? "set the inbound policy" :
					     "set the policy for forwarded packets";
}

/* True: no failure. A policy that is to go may have gone. */
static bool policy_answered(struct policy *p, int error)
{
	bool ok = !error || (error == ENOENT && !p->set.present);

	p->asked--;
	if (!ok)
		p->unsure = true;
	return ok;
}

static bool policy_txn_answer(struct txn *t, void *arg, int error, const char *text)
{
	struct policy *p = arg;
	bool ok = policy_answered(p, error);

	policy_free_if_unused(p);
	return ok;
}

static void policy_nl_answer(void *arg, int error, const char *text)
{
	struct policy *p = arg;

	if (!policy_answered(p, error))
		LOG(KNL, LOG_LEVEL_CONTROL, "cannot %s: %s", policy_what(&p->key), txn_reason(error, text).s);
	policy_free_if_unused(p);
}

/* Makes the kernel's policy what its users want. */
static void policy_sync(struct policy *p, struct txn *t)
{
	struct policy_state want = policy_wanted(p);
	union nl_request_buffer b;

	if (!p->unsure && memcmp(&want, &p->set, sizeof(want)) == 0)
		return;
	if (want.present)
		policy_build_set(&b, &p->key, &want);
	else
		policy_build_delete(&b, &p->key);
	memcpy(&p->set, &want, sizeof(want));
	p->unsure = false;
	p->seen = true;
	p->asked++;
	if (t)
		txn_queue(t, &b, policy_what(&p->key), policy_txn_answer, p);
	else
		nl_queue(p->table->nl, &b, (struct nl_answer){ NULL, policy_nl_answer, p });
}

/* ---- uses ---- */

static struct policy *policy_find(const struct policy_table *table, const struct policy_key *key, uint64_t hash)
{
	for (struct hashnode *n = hashtab_first(&table->policies, hash); n; n = hashtab_next(n)) {
		struct policy *p = container_of(n, struct policy, node);

		if (memcmp(&p->key, key, sizeof(*key)) == 0)
			return p;
	}
	return NULL;
}

static uint64_t policy_hash(const struct policy_table *table, const struct policy_key *key)
{
	return hash_bytes(&table->hash_key, bytes_of(key, sizeof(*key)));
}

static struct policy *policy_get(struct policy_table *table, const struct policy_key *key)
{
	uint64_t hash = policy_hash(table, key);
	struct policy *p = policy_find(table, key, hash);

	if (p)
		return p;
	p = xcalloc(1, sizeof(*p));
	memcpy(&p->key, key, sizeof(*key));
	p->table = table;
	list_init(&p->uses);
	hashtab_insert(&table->policies, &p->node, hash);
	return p;
}

static bool use_is_before(const struct policy_use *a, const struct policy_use *b)
{
	return a->priority != b->priority ? a->priority < b->priority : a->class < b->class;
}

/* Before those of equal rank; `waits`: behind the first of them that carries packets, if there is one. */
static void policy_link(struct policy *p, struct policy_use *use, bool waits)
{
	struct list *at = p->uses.next;

	while (at != &p->uses && use_is_before(list_entry(at, struct policy_use, link), use))
		at = at->next;
	for (struct list *it = at; waits && it != &p->uses; it = it->next) {
		const struct policy_use *other = list_entry(it, struct policy_use, link);

		if (use_is_before(use, other))
			break;
		if (other->off)
			continue;
		at = it->next;
		break;
	}
	list_insert_before(at, &use->link);
}

static void policy_count_sa(struct policy *p, const struct policy_use *use, int by)
{
	if (use->class != POLICY_CLASS_SA)
		return;
	p->n_sas += (unsigned)by;
	if (p->n_sas <= 1)
		p->mixed = false;
	else if (by > 0)
		LIST_FOREACH(it, &p->uses) {
			const struct policy_use *other = list_entry(it, struct policy_use, link);

			if (other->class != POLICY_CLASS_SA)
				continue;
			p->mixed |= other->child->reqid != use->child->reqid;
			break;
		}
}

void policy_use_add(struct policy_table *table, struct policy_use *use, const struct policy_key *key, bool waits,
		    struct txn *t)
{
	struct policy *p = policy_get(table, key);

	use->policy = p;
	policy_count_sa(p, use, 1);
	policy_link(p, use, waits);
	policy_sync(p, t);
}

void policy_use_remove(struct policy_table *table, struct policy_use *use)
{
	struct policy *p = use->policy;

	if (!p)
		return;
	list_del(&use->link);
	use->policy = NULL;
	policy_count_sa(p, use, -1);
	policy_sync(p, NULL);
	policy_free_if_unused(p);
}

void policy_use_carry(struct policy_table *table, struct policy_use *use, bool on)
{
	struct policy *p = use->policy;

	use->off = !on;
	if (on) {
		list_del(&use->link);
		policy_link(p, use, false);
	}
	policy_sync(p, NULL);
}

void policy_use_changed(struct policy_table *table, struct policy_use *use, struct txn *t)
{
	policy_sync(use->policy, t);
}

const struct policy_use *policy_find_trap(const struct policy_table *table, const struct policy_key *key)
{
	const struct policy *p = policy_find(table, key, policy_hash(table, key));
	const struct policy_use *best = p ? policy_best(p) : NULL;

	return best && best->class == POLICY_CLASS_TRAP ? best : NULL;
}

/* ---- reading the kernel's ---- */

static void policy_set_unseen(struct hashnode *n, void *arg)
{
	container_of(n, struct policy, node)->seen = false;
}

void policy_table_unseen(struct policy_table *table)
{
	hashtab_walk(&table->policies, policy_set_unseen, NULL);
}

static bool template_is_same(const struct xfrm_user_tmpl *a, const struct xfrm_user_tmpl *b)
{
	return memcmp(&a->id.daddr, &b->id.daddr, sizeof(a->id.daddr)) == 0 && a->id.spi == b->id.spi &&
	       a->id.proto == b->id.proto && a->family == b->family && memcmp(&a->saddr, &b->saddr, sizeof(a->saddr)) == 0 &&
	       a->reqid == b->reqid && a->mode == b->mode && a->optional == b->optional;
}

bool policy_table_seen(struct policy_table *table, const struct policy_key *key, const struct policy_state *state)
{
	struct policy *p = policy_find(table, key, policy_hash(table, key));

	if (!p)
		return false;
	/* of one that is just being changed the answer to that is worth more */
	p->seen |= p->asked || (p->set.present && p->set.action == state->action && p->set.priority == state->priority &&
				p->set.has_tmpl == state->has_tmpl &&
				(!state->has_tmpl || template_is_same(&p->set.tmpl, &state->tmpl)));
	return true;
}

struct policy_heal {
	size_t n;
};

static void policy_heal(struct hashnode *n, void *arg)
{
	struct policy *p = container_of(n, struct policy, node);
	struct policy_heal *heal = arg;

	if (p->seen || p->asked || !p->set.present)
		return;
	p->unsure = true;
	policy_sync(p, NULL);
	heal->n++;
}

size_t policy_table_heal(struct policy_table *table)
{
	struct policy_heal heal = { 0 };

	hashtab_walk(&table->policies, policy_heal, &heal);
	return heal.n;
}

void policy_table_clear(struct policy_table *table)
{
	for (size_t i = 0; i < table->policies.size; i++)
		for (struct hashnode *n = table->policies.buckets[i]; n; n = n->next)
			container_of(n, struct policy, node)->table = NULL; /* its answers are still to come */
	hashtab_clear(&table->policies);
}

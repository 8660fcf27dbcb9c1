/* SPDX-License-Identifier: Apache-2.0 */
#include "guard_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/rtnl_message.h"
#include "util/log.h"
#include "util/mem.h"

struct guard_policy {
	struct hashnode node;
	struct policy_key key;
	struct list uses;	 /* by priority, the oldest first */
	struct policy_state now; /* as the kernel has it */
};

/* ---- messages ---- */

static int policy_set(struct guard_table *t, const struct policy_key *key, const struct policy_state *state)
{
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_begin(&t->xfrm, &q, XFRM_MSG_UPDPOLICY, NLM_F_ACK);

	policy_put(h, key, state);
	return rtnl_talk(&t->xfrm, h, NULL, NULL);
}

static void policy_delete(struct guard_table *t, const struct policy_key *key)
{
	struct rtnl_request q;
	struct nlmsghdr *h = rtnl_begin(&t->xfrm, &q, XFRM_MSG_DELPOLICY, NLM_F_ACK);
	int e;

	policy_put_id(h, key);
	e = rtnl_talk(&t->xfrm, h, NULL, NULL);
	if (e && e != ENOENT)
		LOG(KNL, LOG_LEVEL_AUDIT, "cannot remove a policy from the kernel: %s", strerror(e));
}

/* ---- what a dead predecessor left ---- */

struct guard_found {
	uint32_t owner;
	struct policy_key *keys;
	size_t n, max;
};

static int guard_found(const struct nlmsghdr *h, void *arg)
{
	struct guard_found *f = arg;
	struct policy_key key;

	/* sockets' own policies are in the dump, too, with other directions */
	if (!policy_read_key(h, &key) || key.sel.user != f->owner || key.dir > XFRM_POLICY_FWD)
		return MNL_CB_OK;
	if (f->n == f->max) {
		f->max = f->max ? 2 * f->max : 16;
		f->keys = xrealloc(f->keys, f->max * sizeof(*f->keys));
	}
	memcpy(&f->keys[f->n++], &key, sizeof(key));
	return MNL_CB_OK;
}

static void table_clean(struct guard_table *t)
{
	struct guard_found f = { .owner = t->owner };
	struct rtnl_request q;

	(void)rtnl_talk(&t->xfrm, rtnl_begin(&t->xfrm, &q, XFRM_MSG_GETPOLICY, NLM_F_DUMP), guard_found, &f);
	for (size_t i = 0; i < f.n; i++)
		policy_delete(t, &f.keys[i]);
	if (f.n)
		LOG(KNL, LOG_LEVEL_CONTROL, "removed %zu policies that an earlier life of the daemon left", f.n);
	free(f.keys);
}

bool guard_table_open(struct guard_table *t)
{
	struct errtext err;

	if (!rtnl_open_xfrm(&t->xfrm, &err))
		return false;
	table_clean(t);
	return true;
}

void guard_table_close(struct guard_table *t)
{
	rtnl_close(&t->xfrm);
	hashtab_clear(&t->policies);
}

/* ---- what the kernel hashes ---- */

struct spd {
	struct xfrmu_spdinfo count;
	struct xfrmu_spdhthresh v4, v6;
};

static const struct spd spd_default = { .v4 = { 32, 32 }, .v6 = { 128, 128 } };
static const struct spd spd_ours = { .v4 = { 0, 32 }, .v6 = { 0, 128 } };

static int spd_attr(const struct nlattr *a, void *arg)
{
	struct spd *spd = arg;
	size_t n = mnl_attr_get_payload_len(a);

	if (mnl_attr_get_type(a) == XFRMA_SPD_INFO && n >= sizeof(spd->count))
		memcpy(&spd->count, mnl_attr_get_payload(a), sizeof(spd->count));
	else if (mnl_attr_get_type(a) == XFRMA_SPD_IPV4_HTHRESH && n >= sizeof(spd->v4))
		memcpy(&spd->v4, mnl_attr_get_payload(a), sizeof(spd->v4));
	else if (mnl_attr_get_type(a) == XFRMA_SPD_IPV6_HTHRESH && n >= sizeof(spd->v6))
		memcpy(&spd->v6, mnl_attr_get_payload(a), sizeof(spd->v6));
	return MNL_CB_OK;
}

static int spd_read(const struct nlmsghdr *h, void *arg)
{
	(void)mnl_attr_parse(h, sizeof(uint32_t), spd_attr, arg);
	return MNL_CB_STOP;
}

static bool spd_hashes_alike(const struct spd *a, const struct spd *b)
{
	return memcmp(&a->v4, &b->v4, sizeof(a->v4)) == 0 && memcmp(&a->v6, &b->v6, sizeof(a->v6)) == 0;
}

static struct nlmsghdr *spd_begin(struct guard_table *t, struct rtnl_request *q, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = rtnl_begin(&t->xfrm, q, type, flags);

	(void)mnl_nlmsg_put_extra_header(h, sizeof(uint32_t));
	return h;
}

/* It only makes it faster: failures are none. */
void guard_table_tune(struct guard_table *t, bool on)
{
	const struct spd *from = on ? &spd_default : &spd_ours, *to = on ? &spd_ours : &spd_default;
	struct rtnl_request q;
	struct nlmsghdr *h;
	struct spd now;

	if (t->tuned == on)
		return;
	t->tuned = on;
	memset(&now, 0, sizeof(now));
	if (rtnl_talk(&t->xfrm, spd_begin(t, &q, XFRM_MSG_GETSPDINFO, 0), spd_read, &now) != 0)
		return;
	if (now.count.incnt || now.count.outcnt || now.count.fwdcnt || !spd_hashes_alike(&now, from))
		return;
	h = spd_begin(t, &q, XFRM_MSG_NEWSPDINFO, NLM_F_ACK);
	mnl_attr_put(h, XFRMA_SPD_IPV4_HTHRESH, sizeof(to->v4), &to->v4);
	mnl_attr_put(h, XFRMA_SPD_IPV6_HTHRESH, sizeof(to->v6), &to->v6);
	(void)rtnl_talk(&t->xfrm, h, NULL, NULL);
}

/* ---- policies ---- */

static struct guard_policy *policy_get(struct guard_table *t, const struct policy_key *key)
{
	uint64_t hash = hash_bytes(&t->hash_key, bytes_of(key, sizeof(*key)));
	struct guard_policy *p;

	for (struct hashnode *n = hashtab_first(&t->policies, hash); n; n = hashtab_next(n)) {
		p = container_of(n, struct guard_policy, node);
		if (memcmp(&p->key, key, sizeof(*key)) == 0)
			return p;
	}
	p = xcalloc(1, sizeof(*p));
	memcpy(&p->key, key, sizeof(*key));
	list_init(&p->uses);
	hashtab_insert(&t->policies, &p->node, hash);
	return p;
}

/* Makes the kernel's policy what the first use wants; 0 or errno. Without uses the policy goes. */
static int policy_sync(struct guard_table *t, struct guard_policy *p)
{
	const struct guard_use *first = list_entry(p->uses.next, struct guard_use, link);
	struct policy_state want;
	int e;

	if (list_empty(&p->uses)) {
		if (p->now.present)
			policy_delete(t, &p->key);
		hashtab_remove(&t->policies, &p->node);
		free(p);
		return 0;
	}
	if (p->now.present && p->now.action == first->action && p->now.priority == first->priority)
		return 0;
	memset(&want, 0, sizeof(want));
	want.present = true;
	want.action = first->action;
	want.priority = first->priority;
	e = policy_set(t, &p->key, &want);
	/* a system without IPv6 has no such packets */
	if (e == EAFNOSUPPORT && p->key.sel.family == AF_INET6)
		e = 0;
	if (e == 0)
		p->now = want;
	return e;
}

int guard_use_add(struct guard_table *t, struct guard_use *use, const struct guard_want *want)
{
	struct guard_policy *p = policy_get(t, &want->key);
	struct list *behind = p->uses.prev;
	int e;

	*use = (struct guard_use){ .policy = p, .action = want->action, .priority = want->priority };
	/* from the end: most are as urgent as the last one */
	while (behind != &p->uses && list_entry(behind, struct guard_use, link)->priority > use->priority)
		behind = behind->prev;
	list_add_head(behind, &use->link);
	e = policy_sync(t, p);
	if (e)
		guard_use_end(t, use);
	return e;
}

void guard_use_end(struct guard_table *t, struct guard_use *use)
{
	struct guard_policy *p = use->policy;
	int e;

	if (!p)
		return;
	list_del(&use->link);
	use->policy = NULL;
	e = policy_sync(t, p);
	if (e)
		LOG(KNL, LOG_LEVEL_AUDIT, "cannot change a policy of the kernel: %s", strerror(e));
}

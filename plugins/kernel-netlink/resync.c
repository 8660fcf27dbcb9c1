/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "policies.h"
#include "policy.h"
#include "sa.h"
#include "util/log.h"

/*
 * Events were lost, or another program flushed, removed, changed or migrated what is ours. The kernel's tables are read: a CHILD_SA whose SA is
 * gone is told to the core, which makes new ones (the keys of the old ones are not used again: law 3); policies are set as they
 * should be; what carries our mark and is unknown goes. Packets whose event was lost still wait in the kernel, and are told again.
 */

/* ---- SAs ---- */

static void resync_tell_soft(struct kernel *k, struct sa *sa)
{
	const struct kernel_life *l = &sa->h->conf.life;
	struct kernel_event ev = handle_event(sa->h, KERNEL_EVENT_EXPIRE_SOFT);
	uint64_t packets = atomic_load_explicit(&sa->packets, memory_order_relaxed);
	uint64_t bytes = atomic_load_explicit(&sa->bytes, memory_order_relaxed);

	if (sa->told_soft || ((!l->soft_bytes || bytes < l->soft_bytes) && (!l->soft_packets || packets < l->soft_packets)))
		return;
	sa->told_soft = true;
	kernel_tell(k, &ev);
}

static void resync_tell_gone(struct hashnode *node, void *arg)
{
	struct sa *sa = container_of(node, struct sa, node);
	struct kernel *k = arg;
	struct kernel_event ev = handle_event(sa->h, KERNEL_EVENT_GONE);

	if (!sa->ours || sa->told_hard)
		return;
	if (sa->seen) {
		resync_tell_soft(k, sa);
		return;
	}
	if (sa->h->busy) {
		k->resync_busy = true;
		return;
	}
	sa->ours = false;
	sa->told_hard = true;
	k->n_gone++;
	kernel_tell(k, &ev);
}

/* The kernel keeps a packet that met a trap in an SA without SPI until the real one is there. */
static void resync_larval(struct kernel *k, const struct xfrm_usersa_info *info)
{
	const struct kernel_child *trap = NULL;

	if (!info->reqid)
		return;
	LIST_FOREACH(it, &k->children) {
		const struct kernel_handle *h = list_entry(it, struct kernel_handle, link);

		if (h->conf.reqid != info->reqid)
			continue;
		if (handle_has_sas(h))
			return; /* it was brought up meanwhile */
		trap = &h->conf;
	}
	if (trap)
		policies_tell_acquire(k, trap, &info->sel);
}

void resync_sas_seen(struct kernel *k, const struct nlmsghdr *m, const struct sa_report *r)
{
	if (r->info.id.proto == IPPROTO_ESP && r->info.id.spi == 0) {
		resync_larval(k, &r->info);
	} else if (r->info.sel.user == k->owner) {
		k->n_unknown++;
		owner_delete(k, m, &r->info);
	}
}

void resync_sas_done(struct kernel *k)
{
	hashtab_walk(&k->sas, resync_tell_gone, k);
	if (k->n_gone)
		LOG(KNL, LOG_LEVEL_AUDIT, "%u SAs of ours are gone from the kernel: their CHILD_SAs are made anew", k->n_gone);
	if (k->n_unknown)
		LOG(KNL, LOG_LEVEL_CONTROL, "removed %u SAs of ours that belong to no CHILD_SA", k->n_unknown);
}

void resync_sas(struct kernel *k)
{
	k->resync = true;
	k->resync_busy = false;
	if (!k->dumping)
		counters_dump(k);
}

/* ---- policies ---- */

static void resync_policy_message(void *arg, const struct nlmsghdr *m)
{
	struct kernel *k = arg;
	struct policies *p = k->policies;
	struct policy_state state;
	struct policy_key key;
	union nl_request_buffer b;

	if (!p)
		return;
	if (!m) {
		p->n_unknown = 0;
		policy_table_unseen(&p->table);
		return;
	}
	/* sockets' own policies are in the dump, too, with other directions */
	if (!policy_read(m, &key, &state) || key.sel.user != p->owner || key.dir > XFRM_POLICY_FWD)
		return;
	if (policy_table_seen(&p->table, &key, &state))
		return;
	p->n_unknown++;
	policy_build_delete(&b, &key);
	nl_queue(k->nl, &b, (struct nl_answer){ 0 });
}

static void resync_policies_begin(struct kernel *k);

static void resync_policies_done(void *arg, int error, const char *text)
{
	struct kernel *k = arg;
	struct policies *p = k->policies;
	size_t healed = 0;

	if (!p || k->stopping)
		return;
	p->reading = false;
	if (!error)
		healed = policy_table_heal(&p->table);
	if (healed)
		LOG(KNL, LOG_LEVEL_AUDIT, "%zu policies of ours were missing in the kernel or changed: they are set again", healed);
	if (p->n_unknown)
		LOG(KNL, LOG_LEVEL_CONTROL, "removed %u policies of ours that nobody wants", p->n_unknown);
	if (p->again || error)
		resync_policies_begin(k);
}

static void resync_policies_begin(struct kernel *k)
{
	struct policies *p = k->policies;
	union nl_request_buffer b;

	p->reading = true;
	p->again = false;
	p->n_unknown = 0;
	policy_table_unseen(&p->table);
	policy_build_dump(&b);
	nl_queue(k->nl, &b, (struct nl_answer){ resync_policy_message, resync_policies_done, k });
}

void resync_policies(struct kernel *k)
{
	if (k->policies->reading)
		k->policies->again = true;
	else
		resync_policies_begin(k);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "worker/internal.h"

/*
 * This host's addresses or routes changed: each IKE_SA looks whether that concerns it, some at a time. When only virtual addresses did,
 * as with each IKE_SA of a client that comes up, that is those which use one, or what is no address of ours any more.
 */

struct roam_mail {
	struct mail mail;
	struct local_addrs *locals; /* a reference */
	bool routes;
	bool all; /* IKE_SAs are concerned */
	struct addr same; /* no way of an IKE_SA with this address changed */
	struct sa_walk walk;
};

static void roam_drop(struct mail *m)
{
	struct roam_mail *r = container_of(m, struct roam_mail, mail);

	local_addrs_unref(r->locals);
	sa_walk_clear(&r->walk);
	free(r);
}

void workers_roam(struct workers *pool, struct local_addrs *locals, bool routes)
{
	for (unsigned i = 0; i < pool->count; i++) {
		struct roam_mail *m = xcalloc(1, sizeof(*m));

		m->mail.kind = WORKER_MAIL_ROAM;
		m->mail.drop = roam_drop;
		m->locals = local_addrs_ref(locals);
		m->routes = routes;
		mailbox_post(pool->workers[i].box, &m->mail);
	}
}

static void roam_begin(struct worker *w, struct roam_mail *m)
{
	/* a change that not all have looked at is not over because another one came */
	m->all = m->routes || w->roaming || !local_addrs_same_ways(w->ctx.locals, m->locals);
	w->roaming = m->all ? m : NULL;
	local_addrs_unref(w->ctx.locals);
	w->ctx.locals = local_addrs_ref(m->locals);
	if (m->all && w->traps && !w->stopping)
		traps_roam(w);
}

static bool roam_concerns(struct roam_mail *m, const struct ike_sa *sa)
{
	const struct local_addr *l;

	if (m->all)
		return true;
	if (addr_equal_ip(&sa->local, &m->same))
		return false;
	l = local_addrs_find(m->locals, &sa->local);
	if (!l || l->vip)
		return true;
	m->same = sa->local;
	return false;
}

void roam_run(struct worker *w, struct mail *mail)
{
	struct roam_mail *m = container_of(mail, struct roam_mail, mail);

	if (!m->walk.ids)
		roam_begin(w, m);
	sa_walk_turn(w, &m->walk);
	/* one ms each for what can wait; a later change looks at all SAs by itself */
	for (struct ike_sa *sa; m->locals == w->ctx.locals && (sa = sa_walk_next(w, &m->walk));)
		if (roam_concerns(m, sa))
			ike_sa_roam(sa, m->walk.n_ids);
	if (sa_walk_is_done(&m->walk) && w->roaming == m)
		w->roaming = NULL;
	if (sa_walk_is_done(&m->walk) || m->locals != w->ctx.locals)
		roam_drop(mail);
	else
		mailbox_post(w->box, mail);
}

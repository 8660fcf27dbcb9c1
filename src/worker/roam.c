/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "worker/internal.h"

/* This host's addresses or routes changed: each IKE_SA looks whether that concerns it, some at a time. */

struct roam_mail {
	struct mail mail;
	struct local_addrs *locals; /* a reference */
	struct sa_walk walk;
};

static void roam_drop(struct mail *m)
{
	struct roam_mail *r = container_of(m, struct roam_mail, mail);

	local_addrs_unref(r->locals);
	sa_walk_clear(&r->walk);
	free(r);
}

void workers_roam(struct workers *pool, struct local_addrs *locals)
{
	for (unsigned i = 0; i < pool->count; i++) {
		struct roam_mail *m = xcalloc(1, sizeof(*m));

		m->mail.kind = WORKER_MAIL_ROAM;
		m->mail.drop = roam_drop;
		m->locals = local_addrs_ref(locals);
		mailbox_post(pool->workers[i].box, &m->mail);
	}
}

static void roam_begin(struct worker *w, struct roam_mail *m)
{
	local_addrs_unref(w->ctx.locals);
	w->ctx.locals = local_addrs_ref(m->locals);
	if (w->traps && !w->stopping)
		traps_roam(w);
}

void roam_run(struct worker *w, struct mail *mail)
{
	struct roam_mail *m = container_of(mail, struct roam_mail, mail);

	if (!m->walk.ids)
		roam_begin(w, m);
	sa_walk_turn(w, &m->walk);
	/* one ms each for what can wait; a later change looks at all SAs by itself */
	for (struct ike_sa *sa; m->locals == w->ctx.locals && (sa = sa_walk_next(w, &m->walk));)
		ike_sa_roam(sa, m->walk.n_ids);
	if (sa_walk_is_done(&m->walk) || m->locals != w->ctx.locals)
		roam_drop(mail);
	else
		mailbox_post(w->box, mail);
}

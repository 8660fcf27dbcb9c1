/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "worker/internal.h"

/* This host's addresses or routes changed: each IKE_SA looks whether that concerns it, some at a time. */

#define ROAM_SLICE 128 /* IKE_SAs looked at before packets get their turn again */

struct roam_mail {
	struct mail mail;
	struct local_addrs *locals; /* a reference */
	uint32_t *ids; /* of the SAs of this worker, from when it is first run */
	size_t n_ids, next;
};

static void roam_drop(struct mail *m)
{
	struct roam_mail *r = container_of(m, struct roam_mail, mail);

	local_addrs_unref(r->locals);
	free(r->ids);
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
	m->ids = sa_table_ids(w, &m->n_ids);
	if (w->traps && !w->stopping)
		traps_roam(w);
}

void roam_run(struct worker *w, struct mail *mail)
{
	struct roam_mail *m = container_of(mail, struct roam_mail, mail);

	if (!m->ids)
		roam_begin(w, m);
	/* a later change looks at all SAs by itself */
	for (unsigned n = 0; n < ROAM_SLICE && m->next < m->n_ids && m->locals == w->ctx.locals; n++) {
		struct ike_sa *sa = sa_table_by_id(w, m->ids[m->next++]);

		/* one ms each for what can wait */
		if (sa)
			ike_sa_roam(sa, m->n_ids);
	}
	if (m->next < m->n_ids && m->locals == w->ctx.locals)
		mailbox_post(w->box, mail);
	else
		roam_drop(mail);
}

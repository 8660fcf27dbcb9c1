/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa/authentication.h"
#include "worker/internal.h"

/* Between IKE_SAs and the service that signs and verifies for them; and CRLs that have come: each IKE_SA looks, some at a time. */

bool authentication_ask(void *host, struct ike_sa *sa, struct auth_request *r)
{
	struct worker *w = host;

	(void)sa; /* it is named in the request */
	r->mail.kind = WORKER_MAIL_AUTHENTICATED;
	r->reply_to = w->box;
	return w->pool->options.auth && auth_submit(w->pool->options.auth, r);
}

void authentication_answered(struct worker *w, struct mail *m)
{
	struct sa_authentication *a = container_of(m, struct sa_authentication, r.mail);
	struct ike_sa *sa = sa_table_by_id(w, a->ike_id);

	if (sa)
		ike_sa_authenticated(sa, &a->r);
	authentication_free(a);
}

struct recheck_mail {
	struct mail mail;
	struct crl *crl; /* a reference */
	struct sa_walk walk;
};

static void recheck_drop(struct mail *m)
{
	struct recheck_mail *r = container_of(m, struct recheck_mail, mail);

	crl_unref(r->crl);
	sa_walk_clear(&r->walk);
	free(r);
}

void workers_recheck_crl(struct workers *pool, const struct crl *crl)
{
	for (unsigned i = 0; i < pool->count; i++) {
		struct recheck_mail *m = xcalloc(1, sizeof(*m));

		m->mail.kind = WORKER_MAIL_RECHECK_CRL;
		m->mail.drop = recheck_drop;
		m->crl = crl_ref(crl);
		mailbox_post(pool->workers[i].box, &m->mail);
	}
}

void authentication_recheck(struct worker *w, struct mail *mail)
{
	struct recheck_mail *m = container_of(mail, struct recheck_mail, mail);

	sa_walk_turn(w, &m->walk);
	for (struct ike_sa *sa; (sa = sa_walk_next(w, &m->walk));)
		ike_sa_recheck_crl(sa, m->crl);
	if (sa_walk_is_done(&m->walk))
		recheck_drop(mail);
	else
		mailbox_post(w->box, mail);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "worker/internal.h"

/* What control wants done with the SAs of this worker that a selection means. */

bool request_matches(const struct request_mail *m, const struct ike_sa *sa)
{
	return (!m->ike_id || sa->log.id == m->ike_id) && (!m->ike || strcmp(sa->log.name, m->ike) == 0);
}

bool request_matches_child(const struct request_mail *m, const char *name, uint32_t id)
{
	return (!m->child_id || id == m->child_id) && (!m->child || strcmp(name, m->child) == 0);
}

static unsigned terminate_children(struct worker *w, struct request_mail *m, struct ike_sa *sa)
{
	uint32_t ids[LIMIT_CHILDREN];
	unsigned n = 0;

	(void)w;
	for (struct child_sa *c = sa->children; c && n < LIMIT_CHILDREN; c = c->next)
		if (request_matches_child(m, c->conf->name, c->id) &&
		    (c->state == CHILD_STATE_INSTALLED || c->state == CHILD_STATE_REKEYING || c->state == CHILD_STATE_DELETING ||
		     (c->state == CHILD_STATE_REKEYED && m->child_id))) /* by name its successor is found */
			ids[n++] = c->id;
	for (unsigned i = 0; i < n; i++) {
		struct child_sa *c = sa->finished ? NULL : ike_sa_child(sa, ids[i]);

		if (c)
			ike_sa_terminate_child(sa, c, request_waiter(m->request, m->reply_to));
		else
			request_waiter_done(request_waiter(m->request, m->reply_to), CAUSE_NONE, NULL);
	}
	return n;
}

static void request_matches_done(struct request_mail *m, unsigned matches)
{
	struct worker_reply *r;

	if (!m->reply_to)
		return;
	r = request_reply(m->reply_to, WORKER_REPLY_MATCHES, m->request);
	r->matches = matches;
	mailbox_post(m->reply_to, &r->mail);
}

/* It has replaced the one that is asked for by number, which is closed by now. */
static bool request_follows(struct worker *w, const struct request_mail *m, const struct ike_sa *sa)
{
	const struct ike_sa *old;

	if (!m->ike_id || sa->was_id != m->ike_id)
		return false;
	old = sa_table_by_id(w, m->ike_id);
	return !old || old->state == IKE_STATE_CLOSED;
}

void request_terminate(struct worker *w, struct request_mail *m)
{
	unsigned matches = 0;
	bool children = m->child || m->child_id;
	size_t n;
	uint32_t *ids = sa_table_ids(w, &n);

	for (size_t i = 0; i < n; i++) {
		struct ike_sa *sa = sa_table_by_id(w, ids[i]);

		if (!sa || sa->finished || !(request_matches(m, sa) || request_follows(w, m, sa)))
			continue;
		/* a replaced one stands for its successor, which is among them by name, but not by number */
		if (ike_sa_current(sa) != sa && !m->ike_id)
			continue;
		if (children) {
			sa = ike_sa_current(sa);
			matches += terminate_children(w, m, sa);
		} else {
			matches++;
			ike_sa_terminate(sa, m->force, request_waiter(m->request, m->reply_to));
		}
	}
	free(ids);
	request_matches_done(m, matches);
}

static unsigned rekey_children(struct request_mail *m, struct ike_sa *sa)
{
	uint32_t ids[LIMIT_CHILDREN];
	unsigned n = 0;

	for (struct child_sa *c = sa->children; c && n < LIMIT_CHILDREN; c = c->next)
		if (request_matches_child(m, c->conf->name, c->id) &&
		    (c->state == CHILD_STATE_INSTALLED || c->state == CHILD_STATE_REKEYING))
			ids[n++] = c->id;
	for (unsigned i = 0; i < n; i++) {
		struct child_sa *c = sa->finished ? NULL : ike_sa_child(sa, ids[i]);

		if (c)
			ike_sa_rekey_child(sa, c);
	}
	return n;
}

static unsigned rekey_ike(struct request_mail *m, struct ike_sa *sa)
{
	if (sa->state != IKE_STATE_ESTABLISHED && sa->state != IKE_STATE_REKEYING)
		return 0;
	if (m->reauth)
		ike_sa_reauth(sa);
	else
		ike_sa_rekey(sa);
	return 1;
}

void request_rekey(struct worker *w, struct request_mail *m)
{
	unsigned matches = 0;
	size_t n;
	uint32_t *ids = sa_table_ids(w, &n);

	for (size_t i = 0; i < n; i++) {
		struct ike_sa *sa = sa_table_by_id(w, ids[i]);

		if (!sa || sa->finished || !request_matches(m, sa))
			continue;
		matches += m->child || m->child_id ? rekey_children(m, sa) : rekey_ike(m, sa);
	}
	free(ids);
	request_matches_done(m, matches);
}

void request_reauth_time(struct worker *w, struct request_mail *m)
{
	size_t n;
	uint32_t *ids = sa_table_ids(w, &n);

	for (size_t i = 0; i < n; i++) {
		struct ike_sa *sa = sa_table_by_id(w, ids[i]);

		if (sa && request_matches(m, sa))
			ike_sa_set_reauth_time(sa, m->seconds);
	}
	free(ids);
}

void request_sync_ids(struct worker *w, struct request_mail *m)
{
	unsigned matches = 0;
	size_t n;
	uint32_t *ids = sa_table_ids(w, &n);

	for (size_t i = 0; i < n; i++) {
		struct ike_sa *sa = sa_table_by_id(w, ids[i]);

		if (sa && !sa->finished && request_matches(m, sa))
			matches += ike_sa_sync(sa, m->delta);
	}
	free(ids);
	request_matches_done(m, matches);
}

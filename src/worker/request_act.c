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

/* What replaced it since the walk began stands for it; an earlier successor is in the walk itself. */
static struct ike_sa *request_present(const struct request_mail *m, struct ike_sa *sa)
{
	struct ike_sa *current = ike_sa_current(sa);

	return current->log.id > m->walk.newest ? current : sa;
}

static void terminate_one(struct worker *w, struct request_mail *m, struct ike_sa *sa)
{
	if (!(request_matches(m, sa) || request_follows(w, m, sa)))
		return;
	sa = request_present(m, sa);
	/* a replaced one stands for its successor, which is among them by name, but not by number */
	if (sa->finished || (ike_sa_current(sa) != sa && !m->ike_id))
		return;
	if (m->child || m->child_id) {
		m->matches += terminate_children(w, m, ike_sa_current(sa));
	} else {
		m->matches++;
		ike_sa_terminate(sa, m->force, request_waiter(m->request, m->reply_to));
	}
}

bool request_terminate(struct worker *w, struct request_mail *m)
{
	const struct ike_sa *named = m->ike_id ? sa_table_by_id(w, m->ike_id) : NULL;

	/* by a number that is gone its successor can be meant, which is looked for among all, if it may be here */
	if (!m->ike_id || (named && named->state != IKE_STATE_CLOSED))
		sa_walk_select(w, &m->walk, m->ike, m->ike_id);
	sa_walk_turn(w, &m->walk);
	for (struct ike_sa *sa; (sa = sa_walk_next(w, &m->walk));)
		if (!sa->finished)
			terminate_one(w, m, sa);
	if (!sa_walk_is_done(&m->walk))
		return false;
	request_matches_done(m, m->matches);
	return true;
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

bool request_rekey(struct worker *w, struct request_mail *m)
{
	sa_walk_select(w, &m->walk, m->ike, m->ike_id);
	sa_walk_turn(w, &m->walk);
	for (struct ike_sa *sa; (sa = sa_walk_next(w, &m->walk));) {
		if (sa->finished || !request_matches(m, sa))
			continue;
		m->matches += m->child || m->child_id ? rekey_children(m, sa) : rekey_ike(m, sa);
	}
	if (!sa_walk_is_done(&m->walk))
		return false;
	request_matches_done(m, m->matches);
	return true;
}

bool request_reauth_time(struct worker *w, struct request_mail *m)
{
	sa_walk_select(w, &m->walk, m->ike, m->ike_id);
	sa_walk_turn(w, &m->walk);
	for (struct ike_sa *sa; (sa = sa_walk_next(w, &m->walk));)
		if (request_matches(m, sa))
			ike_sa_set_reauth_time(request_present(m, sa), m->seconds);
	return sa_walk_is_done(&m->walk);
}

bool request_sync_ids(struct worker *w, struct request_mail *m)
{
	sa_walk_select(w, &m->walk, m->ike, m->ike_id);
	sa_walk_turn(w, &m->walk);
	for (struct ike_sa *sa; (sa = sa_walk_next(w, &m->walk));)
		if (!sa->finished && request_matches(m, sa))
			m->matches += ike_sa_sync(sa, m->delta);
	if (!sa_walk_is_done(&m->walk))
		return false;
	request_matches_done(m, m->matches);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "policy.h"
#include "sa.h"
#include "util/log.h"

/*
 * SAs that move get new addresses, or their outbound numbers jump: they are deleted and added again. The kernel tells
 * everybody who listens what a deleted SA's sequence numbers and counters were; it has set the SA dead by then, under
 * the lock that each packet takes its number under. So no number is used twice (law 3), which reading first and deleting
 * then cannot promise. Without that word the move fails, and the core makes new SAs. (XFRM_MSG_MIGRATE copies first, too.)
 */

static void move_done(struct move *m, bool ok, const struct errtext *err)
{
	if (m->done.fn)
		m->done.fn(m->done.arg, m->done.token, ok ? KERNEL_OK : KERNEL_FAILED, err);
	free(m);
}

void move_want(struct kernel *k, struct move *m)
{
	struct kernel_handle *h = m->h;
	struct move *before = h->next_move;
	struct errtext err = { "" };

	if (h->remove_wanted || !handle_has_sas(h)) {
		move_done(m, true, &err);
		return;
	}
	h->next_move = m;
	if (before) { /* the last one counts, for the place; jumps add up */
		m->delta = m->delta + before->delta < m->delta ? UINT64_MAX : m->delta + before->delta;
		if (!m->to_elsewhere && before->to_elsewhere) {
			m->to_elsewhere = true;
			m->where = before->where;
			m->done = before->done;
			before->done.fn = NULL;
		}
		move_done(before, true, &err);
	}
	if (!h->busy)
		move_begin(k, h);
}

void move_cancel(struct kernel_handle *h)
{
	struct errtext err = { "the CHILD_SA is gone" };
	struct move *m = h->next_move;

	h->next_move = NULL;
	if (m)
		move_done(m, false, &err);
}

/* The word of a deleted SA comes to the socket that asked, if it listens to the group. */
static void move_listen(struct kernel *k, bool on)
{
	bool first = on ? k->moving++ == 0 : --k->moving == 0;
	int e;

	if (!first)
		return;
	e = nl_group(k->nl, XFRMNLGRP_SA, on);
	if (e)
		LOG(KNL, LOG_LEVEL_CONTROL, "cannot %s to notifications of SAs: %s", on ? "listen" : "stop to listen",
		    strerror(e));
}

static void move_finish(struct txn *t)
{
	struct kernel_handle *h = container_of(t, struct kernel_handle, txn);
	struct kernel *k = h->kernel;
	struct move *m = h->move;

	h->move = NULL;
	move_listen(k, false);
	if (t->failed)
		sas_undo(k, h);
	sas_added(h);
	move_done(m, !t->failed, &t->err);
	service_settle(k, h);
}

/* False: no numbers are left. */
static bool move_jump(struct kernel_handle *h, uint64_t delta)
{
	uint64_t last = h->conf.suite.esn == ESN_YES ? UINT64_MAX : UINT32_MAX;
	struct sa_state *s = h->out.state;

	if (s->oseq >= last || delta > last - 1 - s->oseq)
		return false;
	s->oseq += delta;
	return true;
}

static void move_exhausted(struct kernel *k, struct kernel_handle *h, struct txn *t)
{
	struct kernel_event ev = handle_event(h, KERNEL_EVENT_EXPIRE_HARD);

	txn_fail(t, "%s: no sequence numbers are left", h->conf.name);
	kernel_tell(k, &ev);
}

static void move_addresses(struct kernel *k, struct kernel_handle *h, const struct kernel_move *to)
{
	struct kernel_child *c = &h->conf;

	sa_index(k, &h->in, false);
	sa_index(k, &h->out, false);
	c->in.src = c->out.dst = to->remote;
	c->in.dst = c->out.src = to->local;
	c->encap = to->encap;
}

static void move_deleted(struct txn *t)
{
	struct kernel_handle *h = container_of(t, struct kernel_handle, txn);
	struct kernel *k = h->kernel;
	struct move *m = h->move;
	bool failed = t->failed;
	struct errtext err = t->err;

	txn_begin(t, k->nl, move_finish);
	if (failed)
		txn_fail(t, "%s", err.s);
	else if (!h->in.state || !h->out.state)
		txn_fail(t, "%s: the kernel did not say where the SA's sequence numbers ended", h->conf.name);
	else if (!move_jump(h, m->delta))
		move_exhausted(k, h, t);
	if (m->to_elsewhere) /* also of one that failed: policies must not wait at the old place */
		move_addresses(k, h, &m->where);
	if (!t->failed && sas_offload(k, h, t)) {
		sa_add(k, &h->in, t);
		sa_add(k, &h->out, t);
	}
	policies_move(k, h, t);
	txn_close(t);
}

static void move_word(void *arg, const struct nlmsghdr *h)
{
	struct sa *sa = arg;
	struct sa_report r;

	if (!h || h->nlmsg_type != XFRM_MSG_DELSA || !sa_report_read(h, &r))
		return;
	free(sa->state);
	sa->state = sa_state_new(&r);
	counters_set(sa, &r.info.curlft, r.last_used_s);
}

static void move_delete(struct kernel_handle *h, struct sa *sa)
{
	union nl_request_buffer b;

	sa->ours = false;
	sa_build_id(&b, XFRM_MSG_DELSA, sa);
	txn_ask(&h->txn, &b, sa->in ? "take out the inbound SA to move it" : "take out the outbound SA to move it",
		move_word, NULL, sa);
}

void move_begin(struct kernel *k, struct kernel_handle *h)
{
	h->move = h->next_move;
	h->next_move = NULL;
	h->busy = true;
	h->busy_since = k->fence_no;
	move_listen(k, true);
	txn_begin(&h->txn, k->nl, move_deleted);
	if (h->in.ours && h->out.ours) {
		policies_hold(k, h, &h->txn);
		move_delete(h, &h->out);
		move_delete(h, &h->in);
	} else {
		txn_fail(&h->txn, "%s: its SAs are gone", h->conf.name);
	}
	txn_close(&h->txn);
}

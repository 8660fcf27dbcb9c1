/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/exchange.h"
#include "sa/fragment.h"
#include "sa/task.h"

/* Which pairs of addresses lead to a peer, and what to do when this host's addresses or routes change. */

/* How good a pair is. */
enum path_grade {
	PATH_NONE,  /* no such address, or no route */
	PATH_ODD,   /* packets leave by another link than the address is on, or by one without a carrier */
	PATH_GOOD,
};

struct path {
	struct addr local, remote;
	enum path_grade grade;
};

static enum path_grade path_grade(struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	const struct local_addr *l = local_addrs_find(sa->ctx->locals, local);
	struct sa_ctx *ctx = sa->ctx;
	struct addr source;
	unsigned ifindex;

	if (!l || !l->up || !ctx->ops->route(ctx->host, local, remote, &ifindex))
		return PATH_NONE;
	if (l->loopback || (l->carrier && l->ifindex == ifindex))
		return PATH_GOOD;
	/* who has several links with odd routes between them knows why */
	return l->carrier && ctx->ops->source_address(ctx->host, remote, &source) && addr_equal_ip(&source, local) ? PATH_GOOD :
														  PATH_ODD;
}

/* ---- pairs ---- */

typedef bool path_fn(struct ike_sa *sa, const struct path *p, void *arg); /* true: go on */

static bool path_visit(struct ike_sa *sa, const struct addr *local, const struct addr *remote, path_fn *fn, void *arg)
{
	struct path p = { *local, *remote, PATH_NONE };

	if (local->family != remote->family || !mobike_may_be_at(sa, local))
		return true;
	p.grade = path_grade(sa, local, remote);
	p.local.port = sa->local.port;
	p.remote.port = sa->remote.port;
	return p.grade == PATH_NONE || fn(sa, &p, arg);
}

/* What the system would choose; a virtual address only if it is in use: a tunnel through a tunnel. */
static bool path_source(struct ike_sa *sa, const struct addr *remote, struct addr *ret)
{
	return sa->ctx->ops->source_address(sa->ctx->host, remote, ret) &&
	       (!local_addrs_is_vip(sa->ctx->locals, ret) || addr_equal_ip(ret, &sa->local));
}

/* All pairs with one address of the peer: first what the system would choose. */
static bool path_each_local(struct ike_sa *sa, const struct addr *remote, path_fn *fn, void *arg)
{
	const struct local_addrs *l = sa->ctx->locals;
	struct addr first = { 0 };

	if (path_source(sa, remote, &first) && !path_visit(sa, &first, remote, fn, arg))
		return false;
	for (size_t i = 0; l && i < l->n; i++)
		if (l->p[i].told && !addr_equal_ip(&l->p[i].addr, &first) && !path_visit(sa, &l->p[i].addr, remote, fn, arg))
			return false;
	return true;
}

/* The address in use first, then those that are configured, then what the peer told. */
static bool path_each(struct ike_sa *sa, path_fn *fn, void *arg)
{
	const struct conn *conn = sa->conn;
	const struct addr *a;

	if (!path_each_local(sa, &sa->remote, fn, arg))
		return false;
	for (size_t i = 0; i < conn->n_remote; i++)
		if (conn->remote_addrs[i].kind == ENDPOINT_ADDR && !addr_equal_ip(&conn->remote_addrs[i].addr, &sa->remote) &&
		    !path_each_local(sa, &conn->remote_addrs[i].addr, fn, arg))
			return false;
	for (size_t i = 0; (a = mobike_peer_addr(sa, i)); i++)
		if (!addr_equal_ip(a, &sa->remote) && !path_each_local(sa, a, fn, arg))
			return false;
	return true;
}

static bool path_is_present(const struct ike_sa *sa, const struct path *p)
{
	return addr_equal_ip(&p->local, &sa->local) && addr_equal_ip(&p->remote, &sa->remote);
}

static bool path_take_best(struct ike_sa *sa, const struct path *p, void *arg)
{
	struct path *best = arg;

	(void)sa;
	if (p->grade > best->grade)
		*best = *p;
	return best->grade != PATH_GOOD;
}

static bool path_take_other(struct ike_sa *sa, const struct path *p, void *arg)
{
	return path_is_present(sa, p) || path_take_best(sa, p, arg);
}

static bool path_find(struct ike_sa *sa, path_fn *fn, struct addr *ret_local, struct addr *ret_remote)
{
	struct path best = { .grade = PATH_NONE };

	path_each(sa, fn, &best);
	if (best.grade == PATH_NONE)
		return false;
	*ret_local = best.local;
	*ret_remote = best.remote;
	return true;
}

bool mobike_find_path(struct ike_sa *sa, struct addr *ret_local, struct addr *ret_remote)
{
	return path_find(sa, path_take_best, ret_local, ret_remote);
}

bool mobike_other_path(struct ike_sa *sa, struct addr *ret_local, struct addr *ret_remote)
{
	return path_find(sa, path_take_other, ret_local, ret_remote);
}

/* ---- a peer that does not answer ---- */

static bool path_try(struct ike_sa *sa, const struct path *p, void *arg)
{
	unsigned *left = arg;

	if (path_is_present(sa, p) || p->grade != PATH_GOOD)
		return true;
	fragment_send(sa, &p->local, &p->remote, buf_bytes(&sa->outstanding->data), LOG_LEVEL_CONTROL);
	sa->outstanding->probed = true;
	return --*left > 0;
}

/* RFC 4555 3.6: the only thing for which a responder uses other addresses is to tell its own. */
static bool path_may_try(const struct ike_sa *sa)
{
	if (sa->origin)
		return true;
	return sa->active && sa->active->type == TASK_IKE_MOBIKE && ike_mobike_kind(sa->active) == MOBIKE_ADDRESSES;
}

void mobike_try_paths(struct ike_sa *sa)
{
	unsigned left = LIMIT_MOBIKE_PATHS;

	if (sa->ctx->locals && path_may_try(sa) && ike_sa_current(sa) == sa)
		path_each(sa, path_try, &left);
}

void mobike_answered(struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	sa->outstanding->probed = false;
	if (!sa->origin || ike_sa_current(sa) != sa || (addr_equal_ip(local, &sa->local) && addr_equal_ip(remote, &sa->remote)))
		return;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the path %s...%s works", addr_format(local).s, addr_format(remote).s);
	mobike_queue(sa, MOBIKE_UPDATE, 0);
	mobike_move(sa, local, remote);
}

static bool mobike_goes_on(const struct ike_sa *sa)
{
	return (sa->state == IKE_STATE_ESTABLISHED || sa->state == IKE_STATE_REKEYING) && !ike_sa_has_task(sa, TASK_IKE_DELETE);
}

bool mobike_waits(const struct ike_sa *sa)
{
	return sa->offline && mobike_goes_on(sa);
}

bool mobike_is_patient(const struct ike_sa *sa)
{
	return (sa->settling || sa->unchecked) && mobike_goes_on(sa) &&
	       sa_now(sa->ctx) < sa->outstanding->since_ms + LIMIT_MOBIKE_PATIENCE_MS;
}

void mobike_reconsider(struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	const struct addr *a;

	/* it tells from where it is: even if the other address is one of its own again, it sends from here now */
	if (addr_equal_ip(&sa->remote, remote))
		return;
	for (size_t i = 0; sa->settling && (a = mobike_peer_addr(sa, i)); i++) {
		if (!addr_equal_ip(&sa->remote, a))
			continue;
		/* it has not heard yet where we want it; that counts, if both are possible */
		for (struct task *t = sa->active; t; t = t->next)
			if (t->type == TASK_IKE_MOBIKE && ike_mobike_kind(t) == MOBIKE_UPDATE)
				ike_mobike_again(t);
		return;
	}
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer is at %s now instead of %s", addr_format(remote).s,
	       addr_format(&sa->remote).s);
	mobike_update(sa, local, remote);
}

/* ---- this host's addresses or routes changed ---- */

/* No path: nothing is given up, requests wait. */
static void roam_offline(struct ike_sa *sa)
{
	if (!sa->offline)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "%s is no address of ours any more, or leads nowhere, and there is no other: waiting for one",
		       addr_format(&sa->local).s);
	sa->offline = true;
}

static uint64_t roam_delay(struct ike_sa *sa, uint64_t spread_ms)
{
	uint32_t random;

	crypto_random(sa->ctx->crypto, &random, sizeof(random));
	return 1 + random % (spread_ms + 1);
}

static void roam_tell_addrs(struct ike_sa *sa, uint64_t spread_ms)
{
	if (sa->told_addrs == mobike_own_addrs(sa))
		return;
	mobike_queue(sa, MOBIKE_ADDRESSES, roam_delay(sa, spread_ms));
	ike_sa_run_queue(sa);
	if (!sa->finished)
		ike_sa_schedule(sa);
}

static bool roam_is_better(struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	return sa->ctx->options.prefer_best_path && !(addr_equal_ip(local, &sa->local) && addr_equal_ip(remote, &sa->remote));
}

static void roam_origin(struct ike_sa *sa, uint64_t spread_ms)
{
	enum path_grade grade = path_grade(sa, &sa->local, &sa->remote);
	struct addr local, remote;

	if (grade == PATH_GOOD && !sa->offline && !sa->ctx->options.prefer_best_path) {
		roam_tell_addrs(sa, spread_ms);
		return;
	}
	if (!mobike_find_path(sa, &local, &remote)) {
		roam_offline(sa);
	} else if (grade == PATH_NONE || (grade == PATH_ODD && path_grade(sa, &local, &remote) == PATH_GOOD) ||
		   roam_is_better(sa, &local, &remote)) {
		mobike_update(sa, &local, &remote);
	} else if (sa->offline) {
		/* where we were, but who knows how a NAT sees us now */
		if (sa->outstanding)
			outstanding_restart(sa);
		mobike_update(sa, &sa->local, &sa->remote);
	} else {
		roam_tell_addrs(sa, spread_ms);
	}
}

/* The address that a path of this peer has on our side is not there any more: RFC 4555, 3.5, last paragraph. */
static void roam_responder(struct ike_sa *sa, uint64_t spread_ms)
{
	struct addr local, remote;

	if (path_grade(sa, &sa->local, &sa->remote) != PATH_NONE) {
		sa->offline = false;
		roam_tell_addrs(sa, spread_ms);
		return;
	}
	if (!mobike_find_path(sa, &local, &remote)) {
		roam_offline(sa);
		return;
	}
	sa->offline = false;
	mobike_queue(sa, MOBIKE_ADDRESSES, 0);
	mobike_move(sa, &local, &remote);
	ike_sa_run_queue(sa);
}

/* RFC 9329, 6.1: a connection from where we are takes the place of the one from where we were. */
static void roam_stream(struct ike_sa *sa)
{
	if (sa->origin && path_grade(sa, &sa->local, &sa->remote) == PATH_NONE)
		sa->ctx->ops->stream_again(sa->ctx->host, sa->remote.stream);
}

/* Without MOBIKE nothing can be moved: what was up is set up anew from where we are. */
static void roam_anew(struct ike_sa *sa)
{
	struct sa_ctx *ctx = sa->ctx;
	bool any = false;

	for (struct child_sa *c = sa->children; c; c = c->next) {
		if (!c->announced || c->state == CHILD_STATE_DELETING)
			continue;
		ctx->ops->reinitiate(ctx->host, c->conn, c->conf);
		any = true;
	}
	if (!any)
		ctx->ops->reinitiate(ctx->host, sa->conn, NULL);
	ike_sa_finish(sa, IKE_EVENT_DESTROY, CAUSE_PEER_LOST, "its address is not ours any more, and the peer has no MOBIKE: it is set up anew");
}

/* Our Delete leaves from where it can. */
static void roam_deleting(struct ike_sa *sa)
{
	struct addr local, remote;

	if (sa->mobike && path_grade(sa, &sa->local, &sa->remote) == PATH_NONE && mobike_find_path(sa, &local, &remote))
		mobike_move(sa, &local, &remote);
}

static void roam_plain(struct ike_sa *sa)
{
	struct addr local, remote;

	if (!sa->origin || path_grade(sa, &sa->local, &sa->remote) != PATH_NONE || !mobike_find_path(sa, &local, &remote))
		return; /* the peer comes back, or dead peer detection ends it */
	if (!sa->nat_local || !addr_equal_ip(&remote, &sa->remote)) {
		roam_anew(sa);
		return;
	}
	/* RFC 7296, 2.23: behind a NAT we may come from elsewhere, the peer follows */
	mobike_move(sa, &local, &remote);
	ike_sa_probe(sa);
}

/* The first message may still go out from elsewhere: it is another attempt. */
static void roam_connecting(struct ike_sa *sa)
{
	struct addr local, remote;

	if (!sa->initiator || !sa->outstanding || sa->park || sa->setup->resolving ||
	    path_grade(sa, &sa->local, &sa->remote) != PATH_NONE || !mobike_find_path(sa, &local, &remote))
		return;
	sa->setup->attempt--;
	ike_sa_restart(sa);
}

void ike_sa_roam(struct ike_sa *sa, uint64_t spread_ms)
{
	if (sa->finished || !sa->ctx->locals || !sa->conn || ike_sa_current(sa) != sa || addr_is_link_local(&sa->remote))
		return;
	switch ((enum ike_state)sa->state) {
	case IKE_STATE_CONNECTING:
		roam_connecting(sa);
		return;
	case IKE_STATE_ESTABLISHED:
	case IKE_STATE_REKEYING:
		if (sa->remote.stream)
			roam_stream(sa);
		else if (!sa->mobike)
			roam_plain(sa);
		else if (sa->origin)
			roam_origin(sa, spread_ms);
		else
			roam_responder(sa, spread_ms);
		return;
	case IKE_STATE_DELETING:
		roam_deleting(sa);
		return;
	case IKE_STATE_CREATED:
	case IKE_STATE_REKEYED:
	case IKE_STATE_CLOSED:
	case IKE_STATE_PASSIVE:
	case IKE_STATE_DESTROYING:
	case IKE_STATES:
		return;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/trap_table.h"

#include <stdlib.h>

/* The table of traps and shunts, and what is mailed to its owner. */

struct traps *traps_new(struct worker *w)
{
	struct traps *t = xcalloc(1, sizeof(*t));

	t->worker = w;
	list_init(&t->list);
	list_init(&t->gone);
	t->limit = (struct ratelimit){ .per_second = TRAPS_ACQUIRES_PER_SECOND, .burst = TRAPS_ACQUIRES_PER_SECOND };
	return t;
}

/* Tells all who wait for its installation. */
static void trap_tell(struct trap *t, enum cause cause, const char *why, const struct errtext *err)
{
	for (size_t i = 0; i < t->n_waiters; i++)
		request_waiter_tell(t->waiters[i], cause, why, err ? err->s : NULL);
	t->n_waiters = 0;
}

static void trap_free(struct trap *t, enum cause cause, const char *why)
{
	struct sa_ctx *ctx = &t->worker->ctx;

	trap_tell(t, cause, why, NULL);
	trap_acquire_stop(t);
	list_del(&t->link);
	if (t->handle)
		ctx->kernel_ops->remove(ctx->kernel, t->handle);
	conn_unref(t->conn);
	arena_free(&t->arena);
	free(t->owner);
	free(t->waiters);
	free(t);
}

void traps_free(struct traps *t)
{
	if (!t)
		return;
	LIST_FOREACH_SAFE(it, &t->list)
		trap_free(list_entry(it, struct trap, link), CAUSE_SHUTDOWN, "the daemon is shutting down");
	traps_gone_clear(t);
	free(t);
}

struct trap *traps_by_id(struct traps *t, uint32_t id)
{
	LIST_FOREACH(it, &t->list) {
		struct trap *trap = list_entry(it, struct trap, link);

		if (trap->id == id)
			return trap;
	}
	return NULL;
}

static struct trap *traps_by_name(struct traps *t, const char *ike, const char *child)
{
	LIST_FOREACH(it, &t->list) {
		struct trap *trap = list_entry(it, struct trap, link);

		if (trap->conn && (!ike || strcmp(trap->conn->name, ike) == 0) && strcmp(trap->name, child) == 0)
			return trap;
	}
	return NULL;
}

static const char *trap_kind(const struct trap *t)
{
	return t->mode == IPSEC_MODE_PASS ? "PASS shunt" : t->mode == IPSEC_MODE_DROP ? "DROP shunt" : "trap";
}

static void trap_log_installed(const struct trap *t)
{
	struct buf text = { 0 };

	if (!log_is_wanted(LOG_GROUP_CFG, LOG_LEVEL_CONTROL))
		return;
	ts_list_format(&text, t->local);
	buf_add_str(&text, " === ");
	ts_list_format(&text, t->remote);
	LOG(CFG, LOG_LEVEL_CONTROL, "installed %s policy '%s': %s", trap_kind(t), t->name, buf_str(&text));
	buf_free(&text);
}

static void trap_log_failed(const struct trap *t, const struct errtext *err)
{
	LOG(CFG, LOG_LEVEL_CONTROL, "installing policy '%s'%s%s%s failed%s: %s", t->name, t->conn ? " of '" : "",
	    t->conn ? t->conn->name : "", t->conn ? "'" : "", t->waits ? " for now" : "", err->s);
}

/* The one place where installing comes to nothing. */
static void trap_failed(struct trap *t, const struct errtext *err)
{
	trap_log_failed(t, err);
	trap_tell(t, CAUSE_KERNEL, "the policy could not be installed", err);
	trap_free(t, CAUSE_KERNEL, NULL);
}

static enum ipsec_mode trap_mode(const struct child_conf *conf)
{
	switch (conf->mode) {
	case CHILD_TUNNEL:
		return IPSEC_MODE_TUNNEL;
	case CHILD_TRANSPORT:
		return IPSEC_MODE_TRANSPORT;
	case CHILD_BEET:
		return IPSEC_MODE_BEET;
	case CHILD_PASS:
		return IPSEC_MODE_PASS;
	case CHILD_DROP:
		return IPSEC_MODE_DROP;
	}
	return IPSEC_MODE_TUNNEL;
}

static struct trap *trap_new(struct worker *w, const char *name, enum ipsec_mode mode)
{
	struct trap *t = xcalloc(1, sizeof(*t));

	t->worker = w;
	t->name = arena_printf(&t->arena, "%s", name);
	t->mode = mode;
	t->id = w->ctx.ops->next_number(w, SA_NUMBER_CHILD);
	list_add_tail(&w->traps->list, &t->link);
	return t;
}

static void trap_set_reqid(struct trap *t)
{
	struct worker *w = t->worker;
	struct trap_reqids *reqids = w->pool->trap_reqids;
	const char *ike = t->conn->name;

	t->reqid = t->conf->reqid;
	if (!t->reqid)
		t->reqid = trap_reqids_find(reqids, ike, t->name);
	if (!t->reqid)
		t->reqid = trap_reqids_get(reqids, ike, t->name, w->ctx.ops->next_number(w, SA_NUMBER_REQID));
}

static void trap_wait(struct trap *t, uint64_t request, struct mailbox *reply_to)
{
	if (!reply_to)
		return;
	t->waiters = xrealloc(t->waiters, (t->n_waiters + 1) * sizeof(*t->waiters));
	t->waiters[t->n_waiters++] = request_waiter(request, reply_to);
}

static void trap_begin(struct trap *t)
{
	struct errtext err = { "" };
	bool known = !t->conn || trap_resolve(t, &err);

	if (!known && t->waits) {
		trap_log_failed(t, &err);
		trap_tell(t, CAUSE_RESOLVE, "our own address is not known yet", &err);
	} else if (!known || !trap_install(t, &err)) {
		trap_failed(t, &err);
	} else if (t->installed) {
		trap_log_installed(t);
		trap_tell(t, CAUSE_NONE, NULL, NULL);
	}
}

static void traps_install(struct worker *w, const struct trap_mail *m)
{
	const struct child_conf *conf = conn_child(m->conn, m->child);
	struct trap *t = traps_by_name(w->traps, m->conn->name, m->child);

	if (!conf || w->stopping) {
		trap_reply(m->request, m->reply_to, CAUSE_POLICY, "the configuration has no such child");
	} else if (t && t->installed) {
		trap_reply(m->request, m->reply_to, CAUSE_NONE, NULL);
	} else if (t) {
		trap_wait(t, m->request, m->reply_to);
		if (t->waits)
			trap_begin(t);
	} else {
		t = trap_new(w, conf->name, trap_mode(conf));
		t->conn = conn_ref(m->conn);
		t->conf = conf;
		if (!child_conf_is_shunt(conf))
			trap_set_reqid(t);
		trap_wait(t, m->request, m->reply_to);
		trap_begin(t);
	}
}

static void traps_uninstall(struct worker *w, const struct trap_mail *m)
{
	struct trap *t = traps_by_name(w->traps, m->ike, m->child);

	if (!t) {
		trap_reply(m->request, m->reply_to, CAUSE_POLICY, "there is no such policy");
		return;
	}
	LOG(CFG, LOG_LEVEL_CONTROL, "uninstalled %s policy '%s'", trap_kind(t), t->name);
	trap_free(t, CAUSE_CLOSED, "the policy was uninstalled");
	if (m->reply_to)
		traps_gone_wait(w->traps, request_waiter(m->request, m->reply_to));
}

static void traps_installed(struct worker *w, const struct trap_mail *m)
{
	struct trap *t = traps_by_id(w->traps, m->id);

	if (!t || t->installed || t->tries != m->tries)
		return; /* uninstalled, or installed anew, meanwhile */
	if (m->status != KERNEL_OK) {
		trap_failed(t, &m->err);
		return;
	}
	t->installed = true;
	trap_log_installed(t);
	trap_tell(t, CAUSE_NONE, NULL, NULL);
}

void traps_roam(struct worker *w)
{
	struct sa_ctx *ctx = &w->ctx;

	LIST_FOREACH_SAFE(it, &w->traps->list) {
		struct trap *t = list_entry(it, struct trap, link);

		if (!t->reqid || !(t->waits || trap_has_moved(t)))
			continue;
		if (t->handle)
			ctx->kernel_ops->remove(ctx->kernel, t->handle);
		t->handle = NULL;
		t->installed = false;
		trap_begin(t);
	}
}

/* ---- networks of plugins ---- */

static struct trap *bypass_find(struct traps *traps, const char *owner, const struct ts *net)
{
	LIST_FOREACH(it, &traps->list) {
		struct trap *t = list_entry(it, struct trap, link);

		if (t->owner && strcmp(t->owner, owner) == 0 && ts_equal(&t->local.p[0], net))
			return t;
	}
	return NULL;
}

static void bypass_add(struct worker *w, const char *owner, const struct prefix *net)
{
	struct ts ts = ts_from_prefix(net);
	struct trap *t = bypass_find(w->traps, owner, &ts);
	char *name;

	if (t) {
		t->keep = true;
		return;
	}
	name = xasprintf("%s %s/%u", owner, addr_format(&net->net).s, net->len);
	t = trap_new(w, name, IPSEC_MODE_PASS);
	free(name);
	t->owner = xstrdup(owner);
	t->keep = true;
	t->local = t->remote = (struct ts_list){ 1, arena_dup(&t->arena, &ts, sizeof(ts)) };
	trap_begin(t);
}

static void traps_bypass(struct worker *w, const struct trap_mail *m)
{
	LIST_FOREACH(it, &w->traps->list)
		list_entry(it, struct trap, link)->keep = false;
	for (size_t i = 0; i < m->n_nets; i++)
		bypass_add(w, m->ike, &m->nets[i]);
	LIST_FOREACH_SAFE(it, &w->traps->list) {
		struct trap *t = list_entry(it, struct trap, link);

		if (t->owner && strcmp(t->owner, m->ike) == 0 && !t->keep) {
			LOG(CFG, LOG_LEVEL_CONTROL, "uninstalled %s policy '%s'", trap_kind(t), t->name);
			trap_free(t, CAUSE_CLOSED, NULL);
		}
	}
}

/* ---- telling ---- */

static struct ts_list list_dup(struct arena *a, struct ts_list list)
{
	return (struct ts_list){ list.count, list.count ? arena_dup(a, list.p, list.count * sizeof(*list.p)) : NULL };
}

static struct trap_info *trap_info_new(const struct trap *t)
{
	struct trap_info *info = xcalloc(1, sizeof(*info));

	info->ike = t->conn ? arena_printf(&info->arena, "%s", t->conn->name) : NULL;
	info->child = arena_printf(&info->arena, "%s", t->name);
	info->mode = t->mode;
	info->reqid = t->reqid;
	info->local = list_dup(&info->arena, t->reqid || !t->conf ? t->local : t->conf->local_ts);
	info->remote = list_dup(&info->arena, t->reqid || !t->conf ? t->remote : t->conf->remote_ts);
	return info;
}

void trap_info_free(struct trap_info *t)
{
	if (!t)
		return;
	arena_free(&t->arena);
	free(t);
}

static void traps_list(struct worker *w, const struct trap_mail *m)
{
	LIST_FOREACH(it, &w->traps->list) {
		struct trap *t = list_entry(it, struct trap, link);
		struct worker_reply *r;

		if (!t->installed)
			continue;
		r = request_reply(m->reply_to, WORKER_REPLY_TRAP, m->request);
		r->trap = trap_info_new(t);
		mailbox_post(m->reply_to, &r->mail);
	}
	mailbox_post(m->reply_to, &request_reply(m->reply_to, WORKER_REPLY_DONE, m->request)->mail);
}

/* ---- mail ---- */

void trap_reply(uint64_t request, struct mailbox *reply_to, enum cause cause, const char *why)
{
	request_waiter_done(request_waiter(request, reply_to), cause, why);
}

static void trap_mail_drop(struct mail *mail)
{
	struct trap_mail *m = container_of(mail, struct trap_mail, mail);

	conn_unref(m->conn);
	free(m->ike);
	free(m->child);
	free(m->nets);
	free(m);
}

struct trap_mail *trap_mail_new(enum trap_op op)
{
	struct trap_mail *m = xcalloc(1, sizeof(*m));

	m->mail.kind = WORKER_MAIL_TRAP;
	m->mail.drop = trap_mail_drop;
	m->op = op;
	return m;
}

void trap_mail_post(struct workers *pool, struct trap_mail *m)
{
	mailbox_post(pool->workers[0].box, &m->mail);
}

void traps_mail(struct worker *w, struct mail *mail)
{
	struct trap_mail *m = container_of(mail, struct trap_mail, mail);
	struct trap *t;

	switch (m->op) {
	case TRAP_OP_INSTALL:
		traps_install(w, m);
		break;
	case TRAP_OP_UNINSTALL:
		traps_uninstall(w, m);
		break;
	case TRAP_OP_LIST:
		traps_list(w, m);
		break;
	case TRAP_OP_ENDED:
		t = traps_by_id(w->traps, m->id);
		if (t)
			trap_acquire_ended(t, m->cause);
		break;
	case TRAP_OP_INSTALLED:
		traps_installed(w, m);
		break;
	case TRAP_OP_GONE:
		traps_gone(w->traps, m->id);
		break;
	case TRAP_OP_BYPASS:
		traps_bypass(w, m);
		break;
	}
	trap_mail_drop(mail);
}

/* ---- requests, on any thread ---- */

void workers_trap_install(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct conn *conn,
			  const char *child)
{
	struct trap_mail *m = trap_mail_new(TRAP_OP_INSTALL);

	m->request = request;
	m->reply_to = reply_to;
	m->conn = conn_ref(conn);
	m->child = xstrdup(child);
	trap_mail_post(w, m);
}

void workers_trap_uninstall(struct workers *w, uint64_t request, struct mailbox *reply_to, const char *ike,
			    const char *child)
{
	struct trap_mail *m = trap_mail_new(TRAP_OP_UNINSTALL);

	m->request = request;
	m->reply_to = reply_to;
	m->ike = ike ? xstrdup(ike) : NULL;
	m->child = xstrdup(child);
	trap_mail_post(w, m);
}

void workers_trap_list(struct workers *w, uint64_t request, struct mailbox *reply_to)
{
	struct trap_mail *m = trap_mail_new(TRAP_OP_LIST);

	m->request = request;
	m->reply_to = reply_to;
	trap_mail_post(w, m);
}

void workers_trap_ended(struct workers *w, uint32_t trap_id, enum cause cause)
{
	struct trap_mail *m = trap_mail_new(TRAP_OP_ENDED);

	m->id = trap_id;
	m->cause = cause;
	trap_mail_post(w, m);
}

void workers_set_bypass(struct workers *w, const char *name, const struct prefix *nets, size_t n)
{
	struct trap_mail *m = trap_mail_new(TRAP_OP_BYPASS);

	m->ike = xstrdup(name);
	m->nets = n ? xmemdup(nets, n * sizeof(*nets)) : NULL;
	m->n_nets = n;
	trap_mail_post(w, m);
}

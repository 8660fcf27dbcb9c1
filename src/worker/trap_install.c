/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/trap_table.h"

#include <stdlib.h>

/* What a policy of a connection is about, and its way to the backend. */

static bool list_has_dynamic(struct ts_list list)
{
	for (size_t i = 0; i < list.count; i++)
		if (list.p[i].dynamic)
			return true;
	return false;
}

/* The one peer there is, as for initiating. False: it is nobody in particular. */
static bool resolve_remote(struct trap *t)
{
	const struct conn *conn = t->conn;

	for (size_t i = 0; i < conn->n_remote; i++) {
		if (conn->remote_addrs[i].kind == ENDPOINT_ADDR)
			t->remote_addr = conn->remote_addrs[i].addr;
		if (conn->remote_addrs[i].kind == ENDPOINT_ADDR || conn->remote_addrs[i].kind == ENDPOINT_NAME)
			return true;
	}
	return false;
}

/* Family 0: not known. */
static struct addr resolve_local(const struct trap *t)
{
	const struct conn *conn = t->conn;
	struct addr local = { 0 };

	for (size_t i = 0; i < conn->n_local; i++)
		if (conn->local_addrs[i].kind == ENDPOINT_ADDR &&
		    (!t->remote_addr.family || conn->local_addrs[i].addr.family == t->remote_addr.family))
			return conn->local_addrs[i].addr;
	if (!t->remote_addr.family || !result_is_ok(net_source_address(t->worker->pool->options.net, &t->remote_addr, &local)))
		return (struct addr){ 0 };
	return local;
}

bool trap_has_moved(const struct trap *t)
{
	struct addr now = resolve_local(t);

	/* what it knew last is as good as nothing */
	return now.family && !addr_equal_ip(&now, &t->local_addr);
}

static bool resolve_trap(struct trap *t, struct errtext *err)
{
	if (!resolve_remote(t)) {
		errtext_set(err, "remote_addrs names no single peer (an address or a name is needed for a trap)");
		return false;
	}
	t->local_addr = resolve_local(t);
	t->waits = t->remote_addr.family && !t->local_addr.family && list_has_dynamic(t->conf->local_ts);
	if (list_has_dynamic(t->conf->remote_ts) && !t->remote_addr.family) {
		errtext_set(err, "remote_ts is dynamic and the peer's address is not known before its name is looked up: "
			    "remote_ts must name networks, or remote_addrs an address");
		return false;
	}
	if (list_has_dynamic(t->conf->local_ts) && !t->local_addr.family) {
		errtext_set(err, "local_ts is dynamic and our address is not known: there is no route to the peer, or its "
			    "name is not looked up yet");
		return false;
	}
	t->local = ts_resolve(&t->arena, t->conf->local_ts, &t->local_addr, 1);
	t->remote = ts_resolve(&t->arena, t->conf->remote_ts, &t->remote_addr, 1);
	return true;
}

/* A shunt belongs to no peer: what is dynamic stands for everybody. */
static struct ts_list resolve_shunt(struct arena *a, struct ts_list conf)
{
	struct ts *list = arena_array(a, struct ts, 2 * conf.count);
	static const int families[] = { AF_INET, AF_INET6 };
	size_t n = 0;

	for (size_t i = 0; i < conf.count; i++) {
		for (size_t f = 0; conf.p[i].dynamic && f < ARRAY_LEN(families); f++) {
			list[n] = ts_any(families[f]);
			list[n].protocol = conf.p[i].protocol;
			list[n].port_from = conf.p[i].port_from;
			list[n++].port_to = conf.p[i].port_to;
		}
		if (!conf.p[i].dynamic)
			list[n++] = conf.p[i];
	}
	return (struct ts_list){ n, list };
}

bool trap_resolve(struct trap *t, struct errtext *err)
{
	if (t->mode != IPSEC_MODE_PASS && t->mode != IPSEC_MODE_DROP)
		return resolve_trap(t, err);
	t->local = resolve_shunt(&t->arena, t->conf->local_ts);
	t->remote = resolve_shunt(&t->arena, t->conf->remote_ts);
	return true;
}

/* A number that each CHILD_SA draws anew cannot be the policy's, which is there before. */
static bool trap_scope(const struct trap *t, struct ipsec_scope *ret, struct errtext *err)
{
	const struct scope_conf *s = &t->conf->scope;
	const struct if_id_conf *in = s->if_id_in.kind != SCOPE_FIXED || s->if_id_in.id ? &s->if_id_in : &t->conn->if_id_in;
	const struct if_id_conf *out = s->if_id_out.kind != SCOPE_FIXED || s->if_id_out.id ? &s->if_id_out : &t->conn->if_id_out;
	const struct mark_conf *marks[] = { &s->mark_in, &s->mark_out };

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (marks[i]->kind != SCOPE_FIXED) {
			errtext_set(err, "mark_in and mark_out are %%unique: a policy that is there before its SAs needs fixed ones");
			return false;
		}
	if (in->kind != SCOPE_FIXED || out->kind != SCOPE_FIXED) {
		errtext_set(err, "if_id_in and if_id_out are %%unique: a policy that is there before its SAs needs fixed ones");
		return false;
	}
	*ret = (struct ipsec_scope){ .mark_in = s->mark_in.mark, .mark_out = s->mark_out.mark, .mark_in_sa = s->mark_in_sa,
				     .if_id_in = in->id, .if_id_out = out->id, .interface = t->conf->interface };
	return true;
}

static void install_done(void *arg, uint64_t token, enum kernel_status status, const struct errtext *err)
{
	struct worker *w = arg;
	struct trap_mail *m = trap_mail_new(TRAP_OP_INSTALLED);

	m->id = (uint32_t)token;
	m->tries = (uint32_t)(token >> 32);
	m->status = status;
	if (err)
		m->err = *err;
	trap_mail_post(w->pool, m);
}

bool trap_install(struct trap *t, struct errtext *err)
{
	struct sa_ctx *ctx = &t->worker->ctx;
	struct kernel_child k = {
		.unique_id = t->id,
		.reqid = t->reqid,
		.protocol = PROTOCOL_ESP,
		.mode = t->mode,
		.initiator = true,
		.priority = t->conf ? t->conf->priority : 0,
		.in = { .src = t->remote_addr, .dst = t->local_addr },
		.out = { .src = t->local_addr, .dst = t->remote_addr },
		.local_ts = t->local,
		.remote_ts = t->remote,
		.name = t->name,
	};
	uint64_t token = (uint64_t)++t->tries << 32 | t->id;
	enum kernel_status status;

	if (t->conf && !t->conf->policies) {
		errtext_set(err, "policies = no: there is nothing to install");
		return false;
	}
	if (t->conf && !trap_scope(t, &k.scope, err))
		return false;
	k.fwd_out = t->conf && t->conf->policies_fwd_out;
	status = ctx->kernel_ops->install(ctx->kernel, &k, (struct kernel_done){ install_done, t->worker, token }, &t->handle,
					  err);
	t->installed = status == KERNEL_OK;
	return status != KERNEL_FAILED;
}

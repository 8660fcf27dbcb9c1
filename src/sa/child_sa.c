/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/child_sa.h"

#include <stdlib.h>

#include "sa/address.h"
#include "sa/deadline.h"
#include "sa/scope.h"
#include "sa/vips.h"

/* The replaced one's; the configured one; the trap's, so that the backend sees what the trap waited for; or a new one. */
static void child_sa_set_reqid(struct child_sa *c, const struct child_sa *old)
{
	struct sa_ctx *ctx = c->ike->ctx;

	c->reqid = old ? old->reqid : c->conf->reqid;
	if (!c->reqid) {
		c->reqid = ctx->ops->trap_reqid(ctx->host, c->conn, c->conf);
		c->of_trap = c->reqid != 0;
	}
	if (!c->reqid)
		c->reqid = ctx->ops->next_number(ctx->host, SA_NUMBER_REQID);
}

/* One that the peer narrowed is not all that its trap is for, and not the only one: it has a number of its own. */
static void child_sa_leave_trap(struct child_sa *c)
{
	struct sa_ctx *ctx = c->ike->ctx;
	struct ts_list local = vips_local_ts(c->ike, c->conf->local_ts);
	struct ts_list remote = vips_remote_ts(c->ike, c->conf->remote_ts);

	if (ts_list_within(child_sa_local_ts(c), local) && ts_list_within(child_sa_remote_ts(c), remote))
		return;
	c->of_trap = false;
	c->reqid = ctx->ops->next_number(ctx->host, SA_NUMBER_REQID);
}

void child_sa_act(const struct child_sa *c, unsigned action)
{
	struct sa_ctx *ctx = c->ike->ctx;

	if (action & ACTION_TRAP)
		ctx->ops->retrap(ctx->host, c->conn, c->conf);
	if (action & ACTION_START)
		ctx->ops->reinitiate(ctx->host, c->conn, c->conf);
}

struct child_sa *child_sa_new(struct ike_sa *ike, const struct conn *conn, const struct child_conf *conf,
			      const struct child_sa *old)
{
	struct child_sa *c = xcalloc(1, sizeof(*c));
	struct sa_ctx *ctx = ike->ctx;

	c->ike = ike;
	c->conn = conn_ref(conn);
	c->conf = conf;
	c->id = ctx->ops->next_number(ctx->host, SA_NUMBER_CHILD);
	c->line_id = old ? old->line_id : c->id;
	child_sa_set_reqid(c, old);
	c->scope = scope_new(ike, conf, old ? old->scope : NULL);
	c->next = ike->children;
	ike->children = c;
	ctx->ops->own_child(ctx->host, c, true);
	return c;
}

void child_sa_free(struct child_sa *c)
{
	struct sa_ctx *ctx;
	struct child_sa **at;

	if (!c)
		return;
	ctx = c->ike->ctx;
	if (c->state != CHILD_STATE_DESTROYING)
		child_sa_move(c, CHILD_EVENT_DESTROY);
	for (at = &c->ike->children; *at && *at != c; at = &(*at)->next)
		;
	if (*at)
		*at = c->next;
	ctx->ops->own_child(ctx->host, c, false);
	if (c->handle)
		ctx->kernel_ops->remove(ctx->kernel, c->handle);
	else if (c->spi_in)
		ctx->kernel_ops->spi_free(ctx->kernel, c->spi_in);
	if (c->claim)
		ctx->ops->release_selectors(ctx->host, c->claim);
	conn_unref(c->conn);
	free(c->ts);
	free(c->scope);
	free(c);
}

bool child_sa_move(struct child_sa *c, enum child_event event)
{
	const struct child_transition *row = child_transition_find(c->state, event);

	if (!row) {
		LOG_SA(&c->ike->log, CHD, LOG_LEVEL_AUDIT, "CHILD_SA %s{%u}: no move from %s on %s",
		       c->conf->name, c->id, child_state_name(c->state), child_event_name(event));
		(void)expect(!"a declared transition of the CHILD_SA");
		return false;
	}
	LOG_SA(&c->ike->log, CHD, LOG_LEVEL_DETAIL, "CHILD_SA %s{%u} state change: %s => %s (%s)",
	       c->conf->name, c->id, child_state_name(c->state), child_state_name(row->next), row->meaning);
	c->state = row->next;
	return true;
}

static bool child_sa_ts_is_conf(struct ts_list list, struct ts_list conf)
{
	if (list.count != conf.count)
		return false;
	for (size_t i = 0; i < list.count; i++)
		if (!ts_equal(&list.p[i], &conf.p[i]))
			return false;
	return true;
}

void child_sa_set_ts(struct child_sa *c, struct ts_list local, struct ts_list remote)
{
	/* as a rule a gateway's side is as configured, and there are many peers: no copy of that */
	bool of_conf = child_sa_ts_is_conf(local, c->conf->local_ts);
	size_t n_local = of_conf ? 0 : local.count;
	struct ts *ts = xmalloc((n_local + remote.count) * sizeof(*ts));

	if (n_local)
		memcpy(ts, local.p, n_local * sizeof(*ts));
	if (remote.count)
		memcpy(ts + n_local, remote.p, remote.count * sizeof(*ts));
	free(c->ts);
	c->ts = ts;
	c->conf_local_ts = of_conf;
	c->n_local = (uint16_t)local.count;
	c->n_remote = (uint16_t)remote.count;
}

/* KEYMAT is encr_i | integ_i | encr_r | integ_r (RFC 7296, 2.17), "i" being who began the exchange. */
static void child_sa_split_keys(const struct child_sa *c, struct bytes keymat, const struct protect *p,
				struct kernel_child *k)
{
	size_t e = protect_encr_key_len(p), a = protect_integ_key_len(p);
	struct kernel_sa *first = c->initiator ? &k->out : &k->in;
	struct kernel_sa *second = c->initiator ? &k->in : &k->out;

	first->encr_key = bytes_of(keymat.p, e);
	first->integ_key = bytes_of(keymat.p + e, a);
	second->encr_key = bytes_of(keymat.p + e + a, e);
	second->integ_key = bytes_of(keymat.p + e + a + e, a);
}

enum kernel_status child_sa_install(struct child_sa *c, struct bytes keymat, const struct protect *protect,
				    struct errtext *err)
{
	struct ike_sa *ike = c->ike;
	const struct child_conf *conf = c->conf;
	struct sa_ctx *ctx = ike->ctx;
	struct addr vips[LIMIT_VIPS];

	if (c->of_trap)
		child_sa_leave_trap(c);

	struct kernel_child k = {
		.unique_id = c->id,
		.ike_id = ike->log.id,
		.reqid = c->reqid,
		.protocol = PROTOCOL_ESP,
		.mode = (enum ipsec_mode)c->mode,
		.encap = c->encap,
		.initiator = c->initiator,
		.suite = c->suite,
		.protect = *protect,
		.replay_window = conf->replay_window,
		.priority = conf->priority,
		.out_waits = c->out_waits,
		.copy_df = conf->copy_df,
		.copy_ecn = conf->copy_ecn,
		.copy_dscp = conf->copy_dscp,
		.hw_offload = conf->hw_offload,
		.tfc = c->peer_no_tfc ? 0 : conf->tfc_padding,
		.no_policies = !conf->policies,
		.fwd_out = conf->policies_fwd_out,
		.life = { .soft_bytes = deadline_jitter(ike, conf->rekey_bytes, conf->rand_bytes),
			  .hard_bytes = conf->life_bytes,
			  .soft_packets = deadline_jitter(ike, conf->rekey_packets, conf->rand_packets),
			  .hard_packets = conf->life_packets },
		.in = { .spi = c->spi_in, .src = ike->remote, .dst = ike->local },
		.out = { .spi = c->spi_out, .src = ike->local, .dst = ike->remote },
		.local_ts = child_sa_local_ts(c),
		.remote_ts = child_sa_remote_ts(c),
		.name = conf->name,
	};

	k.n_vips = vips_addrs(ike, true, vips);
	k.vips = vips;
	if (c->scope)
		k.scope = *c->scope;
	/* negotiated is what the RFC has; the peer's kernel cuts it shorter */
	if (conf->sha256_96 && k.suite.integ == INTEG_HMAC_SHA2_256_128)
		k.suite.integ = INTEG_HMAC_SHA2_256_96;
	c->place = ike->place;
	child_sa_split_keys(c, keymat, protect, &k);
	child_sa_move(c, CHILD_EVENT_INSTALL);
	return ctx->kernel_ops->install(ctx->kernel, &k, ctx->ops->kernel_done(ctx->host, ike, c->id),
					&c->handle, err);
}

void child_sa_installed(struct child_sa *c)
{
	child_sa_move(c, CHILD_EVENT_INSTALL_OK);
	c->installed_ms = sa_now(c->ike->ctx);
	deadline_of_child(c);
	ike_sa_schedule(c->ike);
	child_sa_follow(c);
}

void child_sa_established(struct child_sa *c)
{
	child_sa_installed(c);
	child_sa_announce(c);
}

void child_sa_announce(struct child_sa *c)
{
	struct ike_sa *ike = c->ike;

	c->announced = true;
	if (log_is_wanted(LOG_GROUP_IKE, LOG_LEVEL_AUDIT)) {
		struct buf text = { 0 };

		child_sa_format_ts(&text, c);
		LOG_SA(&ike->log, IKE, LOG_LEVEL_AUDIT, "CHILD_SA %s{%u} established with SPIs %08x_i %08x_o and TS %s",
		       c->conf->name, c->id, c->spi_in, c->spi_out, buf_str(&text));
		buf_free(&text);
	}
	ike->ctx->ops->event(ike->ctx->host, SA_EVENT_CHILD_UP, ike, c);
}

void child_sa_carry(struct child_sa *c, bool on)
{
	struct sa_ctx *ctx = c->ike->ctx;

	if (c->handle && ctx->kernel_ops->carry)
		ctx->kernel_ops->carry(ctx->kernel, c->handle, on);
}

void child_sa_closed(struct child_sa *c)
{
	struct ike_sa *ike = c->ike;
	struct sa_ctx *ctx = ike->ctx;
	/* one that is redundant may be closed before we know that it is */
	bool one_of_two = c->superseded || (!c->announced && c->installed_ms);

	if (c->announced) {
		c->announced = false;
		ctx->ops->event(ctx->host, SA_EVENT_CHILD_DOWN, ike, c);
	}
	LOG_SA(&ike->log, IKE, LOG_LEVEL_CONTROL, "CHILD_SA closed");
	if (!one_of_two || !c->handle || !ctx->options.delete_rekeyed_delay) {
		child_sa_free(c);
		return;
	}
	/* RFC 7296, 2.8: what the peer sent before may still be on its way */
	child_sa_carry(c, false);
	c->rekey_ms = c->life_ms = 0;
	c->overlap_ms = sa_now(ctx) + 1000ull * ctx->options.delete_rekeyed_delay;
	ike_sa_schedule(ike);
}

void child_sa_format_ts(struct buf *out, const struct child_sa *c)
{
	ts_list_format(out, child_sa_local_ts(c));
	buf_add_str(out, " === ");
	ts_list_format(out, child_sa_remote_ts(c));
}

void child_sa_usage(const struct child_sa *c, struct kernel_usage *ret_in, struct kernel_usage *ret_out)
{
	struct sa_ctx *ctx = c->ike->ctx;

	memset(ret_in, 0, sizeof(*ret_in));
	memset(ret_out, 0, sizeof(*ret_out));
	if (c->handle && ctx->kernel_ops->query)
		(void)ctx->kernel_ops->query(ctx->kernel, c->handle, ret_in, ret_out);
}

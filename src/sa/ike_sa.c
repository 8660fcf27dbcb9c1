/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/ike_sa.h"

#include <stdlib.h>

#include "sa/authentication.h"
#include "sa/child_successor.h"
#include "sa/config_payload.h"
#include "sa/deadline.h"
#include "sa/exchange.h"
#include "sa/fragment.h"
#include "sa/kin.h"
#include "sa/mobike.h"
#include "sa/reauth.h"
#include "sa/scope.h"
#include "sa/stream.h"
#include "sa/successor.h"
#include "sa/task.h"
#include "sa/vips.h"

void sa_options_default(struct sa_options *o)
{
	*o = (struct sa_options){
		.port = IKE_PORT,
		.port_nat_t = IKE_NATT_PORT,
		.retransmit_timeout = 4.0,
		.retransmit_base = 1.8,
		.retransmit_tries = 5,
		.half_open_timeout = 30,
		.closed_linger = 10,
		.fragment_size_v4 = 1280,
		.fragment_size_v6 = 1280,
		.delete_rekeyed_delay = 5,
		.keep_alive = 20,
		.reuse_ikesa = true,
		.install_virtual_ip = true,
		.message_id_sync = true,
		.qcd = true,
		.mobike_return_check = true,
		.signature_authentication = true,
		.multiple_authentication = true,
	};
}

void sa_ctx_init(struct sa_ctx *ctx)
{
	memset(ctx, 0, sizeof(*ctx));
	sa_options_default(&ctx->options);
	ctx->out = xmalloc(LIMIT_MESSAGE + SA_PACKET_MAX);
	ctx->noise = (struct ratelimit){ .per_second = 10, .burst = 50 };
}

void sa_ctx_clear(struct sa_ctx *ctx)
{
	arena_free(&ctx->arena);
	free(ctx->out);
	ctx->out = NULL;
	secret_wipe(&ctx->options.qcd_secrets, sizeof(ctx->options.qcd_secrets));
}

/* ---- life ---- */

static struct ike_sa *ike_sa_new(struct sa_ctx *ctx, uint32_t id, bool initiator, uint64_t own_spi)
{
	struct ike_sa *sa = xcalloc(1, sizeof(*sa));

	sa->ctx = ctx;
	sa->initiator = initiator;
	sa->log.name = "(unnamed)";
	sa->log.id = id ? id : ctx->ops->next_number(ctx->host, SA_NUMBER_IKE);
	sa->origin_id = sa->log.id;
	crypto_random(ctx->crypto, &sa->seal_counter, sizeof(sa->seal_counter));
	if (initiator)
		sa->spi_i = own_spi;
	else
		sa->spi_r = own_spi;
	ctx->ops->own_spi(ctx->host, sa, 0, own_spi);
	return sa;
}

static struct ike_sa *ike_sa_new_first(struct sa_ctx *ctx, uint32_t id, bool initiator)
{
	struct ike_sa *sa = ike_sa_new(ctx, id, initiator, ctx->ops->make_spi(ctx->host));

	sa->setup = xcalloc(1, sizeof(*sa->setup));
	sa->setup->attempt = 1;
	return sa;
}

struct ike_sa *ike_sa_new_successor(struct sa_ctx *ctx, bool initiator, uint64_t own_spi, uint64_t peer_spi)
{
	struct ike_sa *sa = ike_sa_new(ctx, 0, initiator, own_spi);

	if (initiator)
		sa->spi_r = peer_spi;
	else
		sa->spi_i = peer_spi;
	return sa;
}

struct ike_sa *ike_sa_new_responder(struct sa_ctx *ctx, uint64_t spi_i, const struct addr *local,
				    const struct addr *remote)
{
	struct ike_sa *sa = ike_sa_new_first(ctx, 0, false);

	sa->spi_i = spi_i;
	sa->local = *local;
	sa->remote = *remote;
	stream_hold(sa);
	sa->half_open = true;
	ctx->ops->half_open(ctx->host, sa, true);
	ike_sa_schedule(sa);
	return sa;
}

struct ike_sa *ike_sa_new_initiator(struct sa_ctx *ctx, const struct conn *conn, uint32_t id)
{
	struct ike_sa *sa = ike_sa_new_first(ctx, id, true);

	sa->origin = true;
	ike_sa_set_conn(sa, conn);
	return sa;
}

void ike_sa_set_conn(struct ike_sa *sa, const struct conn *conn)
{
	const struct conn *old = sa->conn;
	bool borrowed = sa->conf_local_id;

	if (borrowed)
		sa->local_id = id_dup(&sa->local_id);
	sa->conf_local_id = false;
	sa->conn = conn_ref(conn);
	sa->log.name = conn->name;
	if (sa->ctx->ops->named && (!old || strcmp(old->name, conn->name) != 0))
		sa->ctx->ops->named(sa->ctx->host, sa);
	conn_unref(old);
	if (borrowed)
		ike_sa_settle_id(sa);
}

static void ike_sa_free_local_id(struct ike_sa *sa)
{
	if (!sa->conf_local_id)
		id_free(&sa->local_id);
	sa->local_id = (struct id){ 0 };
	sa->conf_local_id = false;
}

void ike_sa_settle_id(struct ike_sa *sa)
{
	const struct id *conf = &sa->conn->local_rounds[0].id;

	/* octet for octet, as the peer has seen it */
	if (conf->type != sa->local_id.type || !bytes_equal(conf->data, sa->local_id.data))
		return;
	ike_sa_free_local_id(sa);
	sa->local_id = *conf;
	sa->conf_local_id = true;
}

void ike_sa_refresh_conn(struct ike_sa *sa)
{
	const struct conn *now = config_conn(sa->ctx->config, sa->conn->name);

	if (now && now != sa->conn && conn_ike_equal(now, sa->conn))
		ike_sa_set_conn(sa, now);
}

void ike_setup_free(struct ike_setup *s)
{
	if (!s)
		return;
	secret_clear(&s->ni);
	secret_clear(&s->nr);
	buf_free(&s->init_request);
	buf_free(&s->init_response);
	buf_free(&s->cookie);
	free(s->names);
	exchange_unhold(s);
	announced_clear(&s->announced);
	if (s->ke_key)
		s->ke->key_free(s->ke_key);
	free(s);
}

static void ike_sa_free_tasks(struct ike_sa *sa, struct task **list)
{
	while (*list) {
		struct task *t = *list;

		*list = t->next;
		task_request_done(sa, t, sa->cause ? sa->cause : CAUSE_CLOSED, sa->why ? sa->why : "the IKE_SA is gone");
		task_free(sa, t);
	}
}

/* All that a CLOSED shell does not need. */
static void ike_sa_strip(struct ike_sa *sa)
{
	ike_sa_free_tasks(sa, &sa->active);
	ike_sa_free_tasks(sa, &sa->passive);
	ike_sa_free_tasks(sa, &sa->queued);
	outstanding_free(sa);
	fragment_forget(sa, false);
	fragment_forget(sa, true);
	while (sa->children)
		child_sa_free(sa->children);
	ike_setup_free(sa->setup);
	sa->setup = NULL;
	vips_free(sa); /* no child has them any more */
	sa_attributes_unref(sa->attributes);
	sa->attributes = NULL;
	chains_clear(sa);
	secret_clear(&sa->keys.all);
	memset(&sa->protect, 0, sizeof(sa->protect));
	ike_sa_free_local_id(sa);
	id_free(&sa->remote_id);
	mobike_clear(sa);
}

void ike_sa_free(struct ike_sa *sa)
{
	if (!sa)
		return;
	timer_stop(sa->ctx->wheel, &sa->timer);
	successor_unlink(sa);
	ike_sa_strip(sa);
	stream_release(sa);
	free(sa->incoming);
	window_in_clear(&sa->in);
	conn_unref(sa->conn);
	free(sa->kin);
	free(sa);
}

bool ike_sa_move(struct ike_sa *sa, enum ike_event event)
{
	const struct ike_transition *row = ike_transition_find(sa->state, event);

	if (!row) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_AUDIT, "IKE_SA %s[%u]: no move from %s on %s", sa->log.name,
		       sa->log.id, ike_state_name(sa->state), ike_event_name(event));
		(void)expect(!"a declared transition of the IKE_SA");
		return false;
	}
	LOG_SA(&sa->log, MGR, LOG_LEVEL_DETAIL, "IKE_SA %s[%u] state change: %s => %s (%s)", sa->log.name,
	       sa->log.id, ike_state_name(sa->state), ike_state_name(row->next), row->meaning);
	sa->ctx->closed += row->next == IKE_STATE_CLOSED;
	sa->ctx->closed -= sa->state == IKE_STATE_CLOSED;
	sa->state = row->next;
	return true;
}

void ike_sa_describe(struct buf *out, const struct ike_sa *sa)
{
	buf_printf(out, "between %s[%s]...%s[%s]",
		   addr_format(&sa->local).s, id_text(&sa->local_id).s, addr_format(&sa->remote).s,
		   id_text(&sa->remote_id).s);
}

static void ike_sa_not_half_open(struct ike_sa *sa)
{
	if (!sa->half_open)
		return;
	sa->half_open = false;
	sa->ctx->ops->half_open(sa->ctx->host, sa, false);
}

void ike_sa_established(struct ike_sa *sa)
{
	struct sa_ctx *ctx = sa->ctx;

	ike_sa_move(sa, IKE_EVENT_AUTHENTICATED);
	ike_sa_not_half_open(sa);
	sa->established_ms = sa->last_in_ms = sa_now(ctx);
	if (log_is_wanted(LOG_GROUP_IKE, LOG_LEVEL_AUDIT)) {
		struct buf text = { 0 };

		ike_sa_describe(&text, sa);
		LOG_SA(&sa->log, IKE, LOG_LEVEL_AUDIT, "IKE_SA %s[%u] established %s", sa->log.name, sa->log.id,
		       buf_str(&text));
		buf_free(&text);
	}
	deadline_of_ike(sa); /* the event tells them */
	scope_of_ike(sa);
	ike_sa_settle_id(sa);
	ctx->ops->established(ctx->host, sa);
	/* RFC 7296, 2.4: INITIAL_CONTACT ends what the peer does not remember */
	if ((sa->init_contact && sa->conn->unique != UNIQUE_NEVER) || (sa->conn->unique == UNIQUE_REPLACE && !kin_reauth_old(sa)))
		ctx->ops->replace_others(ctx->host, sa, !sa->init_contact);
	sa->announced = true;
	ctx->ops->event(ctx->host, SA_EVENT_IKE_UP, sa, NULL);
	ctx->ops->request_done(ctx->host, sa->setup->request, CAUSE_NONE, NULL);
	sa->setup->request.id = 0;
	ike_sa_schedule(sa);
}

/* Children whose configuration wants them up are set up again when the peer is gone; not what we were closing ourselves. */
static void ike_sa_reinitiate(struct ike_sa *sa, unsigned (*action)(const struct child_conf *conf))
{
	if (sa->state == IKE_STATE_DELETING || sa->reauth_break)
		return;
	for (struct child_sa *c = sa->children; c; c = c->next)
		if (c->announced && c->state != CHILD_STATE_DELETING)
			child_sa_act(c, action(c->conf));
}

void ike_sa_child_wanted(struct ike_sa *sa, const struct conn *conn, const struct child_conf *conf)
{
	if ((conf->start_action | conf->dpd_action | conf->close_action) & ACTION_START)
		sa->ctx->ops->reinitiate(sa->ctx->host, conn, conf);
}

static unsigned ike_sa_dpd_action(const struct child_conf *conf)
{
	return conf->dpd_action;
}

static unsigned ike_sa_close_action(const struct child_conf *conf)
{
	return conf->close_action;
}

/* Down events: the IKE_SA first, its children still as they were. */
static void ike_sa_announce_end(struct ike_sa *sa)
{
	struct sa_ctx *ctx = sa->ctx;

	ike_sa_not_half_open(sa);
	if (!sa->announced)
		return;
	sa->announced = false;
	ctx->ops->event(ctx->host, SA_EVENT_IKE_DOWN, sa, NULL);
	for (struct child_sa *c = sa->children; c; c = c->next)
		if (c->announced)
			ctx->ops->event(ctx->host, SA_EVENT_CHILD_DOWN, sa, c);
}

/* Who waits for the IKE_SA, and who waits for its end. */
static void ike_sa_tell_waiters(struct ike_sa *sa)
{
	struct sa_ctx *ctx = sa->ctx;

	if (sa->setup && sa->setup->request.id) {
		ctx->ops->request_done(ctx->host, sa->setup->request, sa->cause, sa->why);
		sa->setup->request.id = 0;
	}
	if (sa->delete_request.id)
		ctx->ops->request_done(ctx->host, sa->delete_request, CAUSE_NONE, NULL);
	sa->delete_request.id = 0;
}

void ike_sa_finish(struct ike_sa *sa, enum ike_event event, enum cause cause, const char *why)
{
	struct sa_ctx *ctx = sa->ctx;
	bool was_connecting = sa->state == IKE_STATE_CONNECTING || sa->state == IKE_STATE_CREATED;
	struct ike_sa *heir = NULL;

	if (sa->finished)
		return;
	/* a successor of the peer's making need not share the end of what it was to replace */
	if (event != IKE_EVENT_DESTROY)
		heir = successor_rival_wins(sa);
	sa->cause = (uint8_t)cause;
	sa->why = why;
	if (cause != CAUSE_NONE && why && sa->state != IKE_STATE_CLOSED)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "IKE_SA %s[%u] with %s %s: %s", sa->log.name, sa->log.id,
		       addr_format_port(&sa->remote).s, was_connecting ? "could not be established" : "ends", why);
	ike_sa_announce_end(sa);
	if (event == IKE_EVENT_SILENT && !was_connecting)
		ike_sa_reinitiate(sa, ike_sa_dpd_action);
	ike_sa_move(sa, event);
	sa->finished = true;
	reauth_ended(sa);
	timer_stop(ctx->wheel, &sa->timer);
	ike_sa_free_tasks(sa, &sa->active);
	ike_sa_free_tasks(sa, &sa->passive);
	ike_sa_free_tasks(sa, &sa->queued);
	ike_sa_tell_waiters(sa);
	successor_unlink(sa);
	ctx->ops->released(ctx->host, sa);
	ctx->ops->finished(ctx->host, sa);
	if (heir)
		ike_sa_probe(heir);
}

void ike_sa_close(struct ike_sa *sa)
{
	struct sa_ctx *ctx = sa->ctx;
	struct ike_sa *heir;

	if (sa->finished || sa->state == IKE_STATE_CLOSED)
		return;
	/* RFC 7296, 2.8.2: the peer did not see that we rekey, too, and closes what it has replaced */
	heir = successor_rival_wins(sa);
	successor_rival_closed(sa);
	if (sa->cause == CAUSE_NONE)
		ike_sa_reinitiate(sa, ike_sa_close_action);
	ike_sa_move(sa, sa->cause == CAUSE_NONE ? IKE_EVENT_DELETE_ANSWERED : IKE_EVENT_REFUSED);
	ike_sa_announce_end(sa);
	ike_sa_tell_waiters(sa);
	/* identity and children are free at once: a new IKE_SA may follow while this one lingers */
	ctx->ops->released(ctx->host, sa);
	reauth_ended(sa);
	ike_sa_strip(sa);
	ike_sa_schedule(sa);
	if (heir)
		ike_sa_run_queue(heir);
	successor_closed(sa);
}

/* ---- questions ---- */

struct child_sa *ike_sa_child(const struct ike_sa *sa, uint32_t id)
{
	for (struct child_sa *c = sa->children; c; c = c->next)
		if (c->id == id)
			return c;
	return NULL;
}

struct child_sa *ike_sa_child_by_spi_out(const struct ike_sa *sa, uint32_t spi_out)
{
	for (struct child_sa *c = sa->children; c; c = c->next)
		if (c->spi_out == spi_out && spi_out != 0)
			return c;
	return NULL;
}

size_t ike_sa_count_children(const struct ike_sa *sa)
{
	size_t n = 0;

	for (const struct child_sa *c = sa->children; c; c = c->next)
		n++;
	return n;
}

bool ike_sa_has_child(const struct ike_sa *sa, const char *name, uint32_t *ret_id)
{
	for (struct child_sa *c = sa->children; c; c = c->next) {
		if (strcmp(c->conf->name, name) == 0 &&
		    (c->state == CHILD_STATE_INSTALLED || c->state == CHILD_STATE_INSTALLING ||
		     c->state == CHILD_STATE_REKEYING)) {
			*ret_id = c->id;
			return true;
		}
	}
	return false;
}

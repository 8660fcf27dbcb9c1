/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/address.h"
#include "sa/deadline.h"
#include "sa/tasks/child.h"
#include "sa/vips.h"

/* What both roles of a negotiation share: how it ends, keys and installation, what we offer. */

struct child_sa *negotiate_sa(struct ike_sa *sa, const struct child_negotiation *n)
{
	return n->child_id ? ike_sa_child(sa, n->child_id) : NULL;
}

struct child_sa *negotiate_old(struct ike_sa *sa, const struct child_negotiation *n)
{
	return n->old_id ? ike_sa_child(sa, n->old_id) : NULL;
}

static void negotiate_log_failed(struct ike_sa *sa, const struct child_negotiation *n, const char *why, bool close_ike)
{
	const char *name = n->conf ? n->conf->name : NULL;
	struct child_sa *old = negotiate_old(sa, n);

	if (n->old_id)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "rekeying CHILD_SA %s{%u} with %s failed: %s; %s", name ? name : "?",
		       n->old_id, addr_format_port(&sa->remote).s, why,
		       old && old->handle ? "the one there is goes on" : "it is gone, too");
	else
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "CHILD_SA %s%s%s with %s failed: %s; %s the IKE_SA", name ? "'" : "",
		       name ? name : "asked for by the peer", name ? "'" : "", addr_format_port(&sa->remote).s, why,
		       close_ike ? "closing" : "keeping");
}

enum outcome negotiate_failed(struct ike_sa *sa, struct child_negotiation *n, enum cause cause, const char *why,
			      unsigned notify)
{
	struct child_sa *c = negotiate_sa(sa, n);
	bool close_ike = n->in_auth && sa->ctx->options.close_ike_on_child_failure;

	n->notify = (uint16_t)notify;
	n->failed = true;
	negotiate_log_failed(sa, n, why, close_ike);
	if (c) {
		child_sa_move(c, c->state == CHILD_STATE_INSTALLING ? CHILD_EVENT_INSTALL_FAILED : CHILD_EVENT_FAILED);
		child_sa_free(c);
	}
	n->child_id = 0;
	/* after this exchange, by an ordinary Delete */
	if (close_ike)
		ike_sa_queue(sa, task_new(sa, TASK_IKE_DELETE));
	if (n->initiator && !n->old_id && !n->task.request.id)
		ike_sa_child_wanted(sa, n->conn, n->conf);
	task_request_done(sa, &n->task, cause, why);
	return OUTCOME_CHILD_FAILED;
}

enum outcome negotiate_install(struct ike_sa *sa, struct child_negotiation *n, struct bytes ni, struct bytes nr)
{
	struct child_sa *c = negotiate_sa(sa, n);
	struct secret keymat = { 0 };
	struct protect protect;
	struct errtext err = { "" };
	enum kernel_status status;

	if (!result_is_ok(protect_init(crypto_ctx_registry(sa->ctx->crypto), &c->suite, &protect)) ||
	    !result_is_ok(keys_derive_child(sa->ctx->crypto, sa->suite.prf,
					    bytes_of(ike_keys_d(&sa->keys), sa->keys.d_len), secret_bytes(&n->shared), ni,
					    nr, protect_encr_key_len(&protect), protect_integ_key_len(&protect), &keymat)))
		return negotiate_failed(sa, n, CAUSE_CRYPTO, "keys could not be derived", NOTIFY_NO_PROPOSAL_CHOSEN);
	c->encap = ike_sa_wants_encap(sa);
	c->initiator = n->initiator;
	status = child_sa_install(c, secret_bytes(&keymat), &protect, &err);
	secret_clear(&keymat);
	n->stage = NEGOTIATE_INSTALLING;
	if (status == KERNEL_PENDING)
		return OUTCOME_WAIT;
	return negotiate_installed(sa, n, status, &err);
}

enum outcome negotiate_installed(struct ike_sa *sa, struct child_negotiation *n, enum kernel_status status,
				 const struct errtext *err)
{
	struct child_sa *c = negotiate_sa(sa, n), *old = negotiate_old(sa, n);

	if (!c) {
		task_request_done(sa, &n->task, CAUSE_CLOSED, "the peer closed it at once");
		return OUTCOME_CHILD_FAILED;
	}
	if (status != KERNEL_OK) {
		LOG_SA(&sa->log, KNL, LOG_LEVEL_CONTROL, "installing CHILD_SA %s{%u} failed: %s", c->conf->name, c->id,
		       err ? err->s : "");
		if (n->initiator)
			child_delete_spi(sa, c->spi_in);
		return negotiate_failed(sa, n, CAUSE_KERNEL,
					"the IPsec backend refused to install it (the line of KNL above says why)",
					NOTIFY_NO_ADDITIONAL_SAS);
	}
	/* of a successor more is told when it is clear that it stays */
	if (old)
		deadline_idle_follows(c, old);
	if (n->old_id)
		child_sa_installed(c);
	else
		child_sa_established(c);
	task_request_done(sa, &n->task, CAUSE_NONE, NULL);
	return OUTCOME_DONE;
}

bool negotiate_is_installed(struct ike_sa *sa, const struct child_negotiation *n)
{
	struct child_sa *c = negotiate_sa(sa, n);

	return c && c->handle && c->state != CHILD_STATE_INSTALLING;
}

void negotiate_log_suite(struct ike_sa *sa, const struct child_sa *c)
{
	if (log_is_wanted(LOG_GROUP_CFG, LOG_LEVEL_CONTROL)) {
		struct buf text = { 0 };

		suite_format(&text, &c->suite);
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "selected proposal: %s", buf_str(&text));
		buf_free(&text);
	}
}

void negotiate_clear(struct ike_sa *sa, struct child_negotiation *n)
{
	struct child_sa *c = negotiate_sa(sa, n);

	/* not finished: the IKE_SA ends or starts over */
	if (c && (c->state == CHILD_STATE_CREATED || c->state == CHILD_STATE_INSTALLING ||
		  c->state == CHILD_STATE_RETRYING))
		child_sa_free(c);
	if (n->ke_key)
		n->ke->key_free(n->ke_key);
	secret_clear(&n->nonce);
	secret_clear(&n->peer_nonce);
	secret_clear(&n->shared);
	buf_free(&n->ke_public);
	conn_unref(n->conn);
}

/* ---- what we offer ---- */

/*
 * RFC 7296, 2.8 SHOULD: a successor has the algorithms of the one it replaces. Of the configured proposal that has them: these
 * alone, with its key exchange methods, the current one first.
 */
static struct proposal negotiate_own(struct arena *a, const struct child_sa *old, const struct proposal *conf)
{
	struct suite bare = old->suite;
	struct proposal own;
	struct transform *ts;
	uint16_t n;

	bare.ke = KE_NONE;
	memset(bare.addke, 0, sizeof(bare.addke));
	own = proposal_from_suite(a, &bare);
	ts = arena_array(a, struct transform, own.count + conf->count);
	n = own.count;
	memcpy(ts, own.transforms, n * sizeof(*ts));
	for (int first = 1; first >= 0; first--)
		for (uint16_t i = 0; i < conf->count; i++)
			if (conf->transforms[i].type >= TRANSFORM_KE && conf->transforms[i].type != TRANSFORM_ESN &&
			    (old->own_ke && conf->transforms[i].type == TRANSFORM_KE &&
			     conf->transforms[i].id == old->suite.ke) == (first == 1))
				ts[n++] = conf->transforms[i];
	own.transforms = ts;
	own.count = n;
	return own;
}

struct proposal_list negotiate_proposals(struct ike_sa *sa, const struct child_negotiation *n)
{
	struct child_sa *old = negotiate_old(sa, n);
	struct arena *a = &sa->ctx->arena;
	struct proposal_list conf = n->conf->esp;
	struct proposal *out, suite;
	struct suite same;
	size_t count = 0, at;

	if (!old || conf.count >= LIMIT_PROPOSALS)
		return conf;
	suite = proposal_from_suite(a, &old->suite);
	for (at = 0; at < conf.count; at++)
		if (proposal_accept((struct proposal_list){ 1, &conf.p[at] }, &suite, PROPOSAL_SKIP_KE, &same))
			break;
	if (at == conf.count)
		return conf;
	out = arena_array(a, struct proposal, conf.count + 1);
	out[count++] = negotiate_own(a, old, &conf.p[at]);
	for (size_t i = 0; i < conf.count; i++)
		if (i != at || conf.p[i].count > out[0].count)
			out[count++] = conf.p[i];
	return (struct proposal_list){ count, out };
}

/* What of `more` is not in the list comes behind it. */
static struct ts_list negotiate_widen(struct arena *a, struct ts_list list, struct ts_list more)
{
	struct ts *ts;
	size_t n = list.count;

	if (ts_list_within(list, more) || list.count + more.count > LIMIT_SELECTORS)
		return list;
	ts = arena_array(a, struct ts, list.count + more.count);
	if (n)
		memcpy(ts, list.p, n * sizeof(*ts));
	for (size_t i = 0; i < more.count; i++)
		if (!ts_list_within(list, (struct ts_list){ 1, &more.p[i] }))
			ts[n++] = more.p[i];
	return (struct ts_list){ n, ts };
}

/* RFC 7296, 2.9 SHOULD: the packet's own selector comes first. */
static struct ts_list negotiate_packet_first(struct arena *a, struct ts_list list, const struct ts *packet)
{
	struct ts *ts;

	if (!ts_list_within(list, (struct ts_list){ 1, packet }) || list.count >= LIMIT_SELECTORS ||
	    (list.count && ts_equal(&list.p[0], packet)))
		return list;
	ts = arena_array(a, struct ts, list.count + 1);
	ts[0] = *packet;
	memcpy(ts + 1, list.p, list.count * sizeof(*ts));
	return (struct ts_list){ list.count + 1, ts };
}

/* Of the list what is about the packet's address alone (RFC 7296, 2.9: SINGLE_PAIR_REQUIRED). */
static struct ts_list negotiate_one_address(struct arena *a, struct ts_list list, const struct ts *packet)
{
	struct ts host = *packet;
	struct ts_list one;

	host.protocol = 0;
	host.port_from = 0;
	host.port_to = UINT16_MAX;
	one = ts_narrow(a, list, (struct ts_list){ 1, &host });
	return one.count ? one : list;
}

/* What the packet of the trap has to say. */
static void negotiate_acquired(struct arena *a, const struct child_negotiation *n, struct ts_list *local,
			       struct ts_list *remote)
{
	if (n->single_pair) {
		*local = negotiate_one_address(a, *local, &n->acquire.src);
		*remote = negotiate_one_address(a, *remote, &n->acquire.dst);
	} else {
		*local = negotiate_packet_first(a, *local, &n->acquire.src);
		*remote = negotiate_packet_first(a, *remote, &n->acquire.dst);
	}
}

void negotiate_selectors(struct ike_sa *sa, const struct child_negotiation *n, const struct child_conf *conf,
			 struct ts_list *ret_local, struct ts_list *ret_remote)
{
	struct child_sa *old = negotiate_old(sa, n);
	struct arena *a = &sa->ctx->arena;

	/* RFC 7296, 2.9: what "dynamic" stands for is known only now */
	*ret_local = vips_local_ts(sa, conf->local_ts);
	*ret_remote = vips_remote_ts(sa, conf->remote_ts);
	if (n->acquired)
		negotiate_acquired(a, n, ret_local, ret_remote);
	/* RFC 7296, 2.9.2 MUST: not narrower than the one it replaces */
	if (old) {
		*ret_local = negotiate_widen(a, *ret_local, child_sa_local_ts(old));
		*ret_remote = negotiate_widen(a, *ret_remote, child_sa_remote_ts(old));
	}
}

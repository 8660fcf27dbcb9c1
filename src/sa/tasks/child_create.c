/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/collision.h"
#include "sa/tasks/child.h"
#include "sa/vips.h"

/*
 * A new CHILD_SA, in IKE_AUTH or CREATE_CHILD_SA (RFC 7296, 1.2 and 1.3.1). Its failure is never the
 * IKE_SA's.
 */

struct task *child_create_new(struct ike_sa *sa, const struct conn *conn, const struct child_conf *conf,
			      struct sa_request request)
{
	struct task *t = task_new(sa, TASK_CHILD_CREATE);
	struct child_negotiation *n = negotiation_of(t);

	t->request = request;
	n->initiator = true;
	n->conn = conn_ref(conn);
	n->conf = conf;
	return t;
}

struct task *child_create_for(struct task *t, const struct child_acquire *acquire)
{
	struct child_negotiation *n = negotiation_of(t);

	n->acquired = acquire != NULL;
	if (acquire)
		n->acquire = *acquire;
	return t;
}

const struct child_conf *child_create_conf(const struct task *t)
{
	return t->type == TASK_CHILD_CREATE ? ((const struct child_negotiation *)t)->conf : NULL;
}

uint32_t child_negotiation_id(const struct task *t)
{
	return ((const struct child_negotiation *)t)->child_id;
}

/* ---- initiator ---- */

/* One that carries the packet of the trap already. */
static bool create_has_carrier(const struct ike_sa *sa, const struct child_negotiation *n, uint32_t *ret_id)
{
	for (struct child_sa *c = sa->children; c; c = c->next)
		if (strcmp(c->conf->name, n->conf->name) == 0 &&
		    (c->state == CHILD_STATE_INSTALLED || c->state == CHILD_STATE_REKEYING) &&
		    ts_list_within(child_sa_local_ts(c), (struct ts_list){ 1, &n->acquire.src }) &&
		    ts_list_within(child_sa_remote_ts(c), (struct ts_list){ 1, &n->acquire.dst })) {
			*ret_id = c->id;
			return true;
		}
	return false;
}

static bool create_is_duplicate(struct ike_sa *sa, const struct child_negotiation *n)
{
	struct child_sa *other;
	struct buf ts = { 0 };
	uint32_t id;

	/* a peer that narrows gets a CHILD_SA for each packet that has none */
	if (n->acquired ? !create_has_carrier(sa, n, &id) : !ike_sa_has_child(sa, n->conf->name, &id))
		return false;
	other = ike_sa_child(sa, id);
	child_sa_format_ts(&ts, other);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
	       "not establishing CHILD_SA %s due to existing duplicate {%u} with SPIs %08x_i %08x_o and TS %s",
	       n->conf->name, id, other->spi_in, other->spi_out, buf_str(&ts));
	buf_free(&ts);
	return true;
}

static enum outcome create_prepare(struct ike_sa *sa, struct task *t)
{
	struct child_negotiation *n = negotiation_of(t);

	if (n->child_id)
		return OUTCOME_DONE; /* asked again: everything is there */
	if (n->acquired)
		vips_acquire(sa, &n->acquire);
	if (create_is_duplicate(sa, n)) {
		n->failed = true;
		task_request_done(sa, t, CAUSE_DUPLICATE, "it exists already");
		return OUTCOME_CHILD_FAILED;
	}
	return negotiate_prepare(sa, n);
}

static enum outcome create_build_request(struct ike_sa *sa, struct task *t, struct builder *b)
{
	struct child_sa *c = negotiate_sa(sa, negotiation_of(t));

	if (c)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "establishing CHILD_SA %s{%u}", c->conf->name, c->id);
	return negotiate_build_request(sa, negotiation_of(t), b);
}

static enum outcome create_process_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	return negotiate_process_response(sa, negotiation_of(t), in);
}

/* ---- responder ---- */

/* How well a child's selectors suit the peer's wish: 3 they are the same, 2 the wish lies in them, 1 they share a part. */
static int create_score(struct ts_list local, struct ts_list remote, struct ts_list tsi, struct ts_list tsr)
{
	if (!ts_list_within(local, tsr) || !ts_list_within(remote, tsi))
		return 1;
	return ts_list_within(tsr, local) && ts_list_within(tsi, remote) ? 3 : 2;
}

/* The child whose selectors suit best; the first of equals. Its selectors narrowed to the peer's (RFC 7296, 2.9). */
static const struct child_conf *create_choose(struct ike_sa *sa, struct ts_list tsi, struct ts_list tsr,
					       struct ts_list *ret_local, struct ts_list *ret_remote)
{
	struct arena *a = &sa->ctx->arena;
	const struct child_conf *best = NULL;
	int best_score = 0;

	for (size_t i = 0; i < sa->conn->n_children; i++) {
		const struct child_conf *conf = &sa->conn->children[i];
		struct ts_list local = vips_local_ts(sa, conf->local_ts);
		struct ts_list remote = vips_remote_ts(sa, conf->remote_ts);
		struct ts_list l = ts_narrow(a, local, tsr), r = ts_narrow(a, remote, tsi);
		/* who asks for an address cannot name it: that it asks for any says nothing */
		bool blind = sa->vips && !sa->vips->ours && vips_are_needed(conf->remote_ts);
		int score = l.count && r.count ? create_score(local, remote, blind ? r : tsi, tsr) : 0;

		if (score <= best_score || child_conf_is_shunt(conf))
			continue;
		best = conf;
		best_score = score;
		*ret_local = l;
		*ret_remote = r;
	}
	return best;
}

static void create_log_selectors(struct ike_sa *sa, struct ts_list tsi, struct ts_list tsr)
{
	struct buf theirs = { 0 }, ours = { 0 };

	if (!log_is_wanted(LOG_GROUP_IKE, LOG_LEVEL_CONTROL))
		return;
	ts_list_format(&theirs, tsr);
	buf_add_str(&theirs, " === ");
	ts_list_format(&theirs, tsi);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "traffic selectors %s unacceptable", buf_str(&theirs));
	for (size_t i = 0; i < sa->conn->n_children; i++) {
		buf_reset(&ours);
		ts_list_format(&ours, sa->conn->children[i].local_ts);
		buf_add_str(&ours, " === ");
		ts_list_format(&ours, sa->conn->children[i].remote_ts);
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "  child '%s' of connection '%s' allows %s",
		       sa->conn->children[i].name, sa->conn->name, buf_str(&ours));
	}
	buf_free(&theirs);
	buf_free(&ours);
}

/* What this exchange cannot be for now: a reason, or NULL. */
static const char *create_not_now(struct ike_sa *sa, unsigned *ret_notify)
{
	*ret_notify = collision_create_child(sa->state);
	if (*ret_notify)
		return sa->state == IKE_STATE_DELETING ? "the IKE_SA is being closed" : "the IKE_SA is being rekeyed";
	*ret_notify = NOTIFY_NO_ADDITIONAL_SAS;
	if (ike_sa_count_children(sa) >= LIMIT_CHILDREN)
		return "the IKE_SA has as many CHILD_SAs as are allowed";
	return NULL;
}

static enum outcome create_process_request(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	struct child_negotiation *n = negotiation_of(t);
	const struct payload *tsi = payload_find(in, PAYLOAD_TSI, NULL);
	const struct payload *tsr = payload_find(in, PAYLOAD_TSR, NULL);
	struct ts_list local = { 0 }, remote = { 0 };
	const char *why;
	unsigned notify;

	n->in_auth = sa->incoming->exchange == EXCHANGE_IKE_AUTH;
	why = create_not_now(sa, &notify);
	if (why)
		return negotiate_answer_refusal(sa, n, CAUSE_POLICY, why, notify);
	if (negotiate_check_request(sa, n, in) != OUTCOME_DONE)
		return OUTCOME_IKE_FATAL;
	why = vips_refusal(sa, &notify);
	if (why)
		return negotiate_answer_refusal(sa, n, CAUSE_POLICY, why, notify);
	if (negotiate_asks_transport(in))
		n->conf = create_choose(sa, negotiate_nat_selectors(sa, tsi->ts, false), negotiate_nat_selectors(sa, tsr->ts, true),
					&local, &remote);
	/* RFC 7296, 2.23.1: where transport mode is not what the policy has, the selectors count as they came */
	if (!n->conf || n->conf->mode != CHILD_TRANSPORT)
		n->conf = create_choose(sa, tsi->ts, tsr->ts, &local, &remote);
	if (!n->conf) {
		create_log_selectors(sa, tsi->ts, tsr->ts);
		return negotiate_answer_refusal(sa, n, CAUSE_SELECTORS,
						"no child has these traffic selectors (local_ts and remote_ts must mirror the peer's)",
						NOTIFY_TS_UNACCEPTABLE);
	}
	n->conn = conn_ref(sa->conn);
	return negotiate_answer(sa, n, in, local, remote);
}

static enum outcome create_build_response(struct ike_sa *sa, struct task *t, struct builder *b)
{
	return negotiate_build_response(sa, negotiation_of(t), b);
}

static enum outcome create_resume(struct ike_sa *sa, struct task *t, enum kernel_status status, const struct errtext *err)
{
	struct child_negotiation *n = negotiation_of(t);

	return n->initiator ? negotiate_resume(sa, n, status, err) : negotiate_answer_resume(sa, n, status, err);
}

static void create_clear(struct ike_sa *sa, struct task *t)
{
	negotiate_clear(sa, negotiation_of(t));
}

const struct task_ops task_child_create = {
	.size = sizeof(struct child_negotiation),
	.exchange = EXCHANGE_CREATE_CHILD_SA,
	.prepare = create_prepare,
	.build_request = create_build_request,
	.process_response = create_process_response,
	.process_request = create_process_request,
	.build_response = create_build_response,
	.resume = create_resume,
	.clear = create_clear,
};

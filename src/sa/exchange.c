/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/exchange_parts.h"

#include <stdlib.h>

#include "sa/deadline.h"
#include "sa/fragment.h"
#include "sa/initiate.h"
#include "sa/reauth.h"
#include "sa/successor.h"
#include "sa/sync.h"
#include "sa/task.h"

/*
 * The engine: which tasks take part in an exchange, the order of their steps, what becomes of the
 * exchange when they end in one way or another. Tasks decide, this carries out.
 */

static uint8_t *exchange_inner(struct ike_sa *sa)
{
	return sa->ctx->out;
}

static uint8_t *exchange_packet(struct ike_sa *sa)
{
	return sa->ctx->out + LIMIT_MESSAGE;
}

void exchange_count_out(struct ike_sa *sa, unsigned exchange, bool response)
{
	if (exchange >= EXCHANGE_IKE_SA_INIT && exchange <= EXCHANGE_INFORMATIONAL)
		ike_sa_count(sa, (exchange - EXCHANGE_IKE_SA_INIT) * 4 + 2 + (response ? 1 : 0));
}

struct ike_header exchange_header(const struct ike_sa *sa, unsigned exchange, uint32_t message_id,
					 bool response)
{
	return (struct ike_header){
		.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.version = IKE_VERSION,
		.exchange = (uint8_t)exchange,
		.flags = (uint8_t)((sa->initiator ? IKE_FLAG_INITIATOR : 0) | (response ? IKE_FLAG_RESPONSE : 0)),
		.message_id = message_id,
	};
}

bool exchange_is_probe(const struct ike_sa *sa)
{
	const struct task *t = sa->incoming ? sa->passive : sa->active;

	return t && t->type == TASK_IKE_DPD && !t->next;
}

bool exchange_is_sync(const struct ike_sa *sa)
{
	return sa->active && sa->active->type == TASK_IKE_MID_SYNC && sa->sync_ids;
}

int exchange_log_level(const struct ike_sa *sa)
{
	return exchange_is_probe(sa) ? LOG_LEVEL_DETAIL : LOG_LEVEL_CONTROL;
}

void exchange_log_built(struct ike_sa *sa, const struct ike_header *h, struct buf *desc)
{
	LOG_SA(&sa->log, ENC, exchange_log_level(sa), "generating %s %s %u [%s ]", exchange_name(h->exchange),
	       h->flags & IKE_FLAG_RESPONSE ? "response" : "request", h->message_id, buf_str(desc));
	buf_free(desc);
}

/* A builder for the payloads of a message: behind the header for IKE_SA_INIT, by themselves for what is sealed. */
struct builder exchange_begin(struct ike_sa *sa, const struct ike_header *h, struct buf *desc)
{
	struct builder b;

	if (h->exchange == EXCHANGE_IKE_SA_INIT || !sa->protect.cipher) {
		b = builder_of(exchange_packet(sa), LIMIT_MESSAGE);
		builder_header(&b, h);
	} else {
		b = builder_of(exchange_inner(sa), LIMIT_MESSAGE);
	}
	if (log_is_wanted(LOG_GROUP_ENC, LOG_LEVEL_CONTROL))
		b.desc = desc;
	return b;
}

/* The message to send; empty when it could not be built. */
struct bytes exchange_end(struct ike_sa *sa, const struct ike_header *h, struct builder *b)
{
	if (h->exchange == EXCHANGE_IKE_SA_INIT || !sa->protect.cipher)
		return builder_finish(b);
	if (!writer_ok(&b->w))
		return BYTES_NONE;
	return fragment_seal(sa, h, b->first, writer_done(&b->w), exchange_packet(sa), SA_PACKET_MAX);
}

void exchange_notify_once(struct ike_sa *sa, unsigned notify)
{
	struct ike_header h = exchange_header(sa, EXCHANGE_INFORMATIONAL, sa->out.next++, false);
	struct buf desc = { 0 };
	struct builder b = exchange_begin(sa, &h, &desc);
	struct bytes msg;

	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, notify, BYTES_NONE);
	msg = exchange_end(sa, &h, &b);
	exchange_log_built(sa, &h, &desc);
	exchange_count_out(sa, h.exchange, false);
	if (msg.n)
		fragment_send(sa, &sa->local, &sa->remote, msg, LOG_LEVEL_CONTROL);
}

/* ---- ends of tasks ---- */

void exchange_task_ended(struct ike_sa *sa, struct task *t, enum outcome o)
{
	t->finished = true;
	t->child_failed = o == OUTCOME_CHILD_FAILED;
	(void)sa;
}

/* Frees the finished tasks of a list; the others stay. Their last words are said after the list
 * is clean, because they may end the IKE_SA. */
void exchange_clean(struct ike_sa *sa, struct task **list)
{
	struct task *done = NULL, **tail = &done;

	for (struct task **at = list; *at;) {
		struct task *t = *at;

		if (!t->finished) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		t->next = NULL;
		*tail = t;
		tail = &t->next;
	}
	while (done) {
		struct task *t = done;

		done = t->next;
		if (t->ops->after)
			t->ops->after(sa, t);
		task_request_done(sa, t, t->child_failed ? CAUSE_POLICY : CAUSE_NONE, NULL);
		task_free(sa, t);
	}
}

bool exchange_waiting(const struct task *list)
{
	for (; list; list = list->next)
		if (list->waiting && !list->finished)
			return true;
	return false;
}

void exchange_parked(struct ike_sa *sa)
{
	sa->backend_ms = sa_now(sa->ctx) + LIMIT_BACKEND_MS;
	ike_sa_schedule(sa);
}

static void exchange_fatal(struct ike_sa *sa)
{
	if (sa->setup && sa->setup->again) {
		initiate_begin_again(sa);
		return;
	}
	ike_sa_finish(sa, IKE_EVENT_FAILED, sa->cause ? sa->cause : CAUSE_POLICY,
		      sa->why ? sa->why : "the exchange failed");
}

/* ---- messages that are read later ---- */

void exchange_hold(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	struct held_message *held;

	for (struct task *next = t->next; next; next = next->next)
		next->held = true;
	/* only IKE_AUTH, and what is behind it, reads on; and only in its first message */
	if (!sa->setup || sa->setup->held || !in || (t->type != TASK_IKE_AUTH && !t->next))
		return;
	held = xcalloc(1, sizeof(*held));
	held->list = payloads_dup(&held->arena, in);
	sa->setup->held = held;
}

void exchange_unhold(struct ike_setup *s)
{
	if (!s->held)
		return;
	arena_free(&s->held->arena);
	free(s->held);
	s->held = NULL;
}

const struct payload_list *exchange_message(const struct ike_sa *sa, const struct payload_list *in)
{
	return sa->setup && sa->setup->held ? &sa->setup->held->list : in;
}

/* ---- initiator ---- */

/* RFC 6023: whether the first child waits for a CREATE_CHILD_SA of its own. */
static bool exchange_childless(const struct ike_sa *sa)
{
	return sa->conn->childless == CHILDLESS_FORCE || (sa->conn->childless == CHILDLESS_PREFER && sa->childless);
}

/* Moves the tasks that make up the next exchange from the queue to `active`. */
static bool exchange_pick(struct ike_sa *sa)
{
	struct task **at = &sa->queued;
	unsigned exchange = 0;
	bool child_taken = false;

	while (*at) {
		struct task *t = *at;
		unsigned begins = t->ops->exchange;

		/* the first child rides on IKE_AUTH (RFC 7296, 1.2) */
		if (sa->state == IKE_STATE_CONNECTING && t->type == TASK_CHILD_CREATE && !child_taken &&
		    exchange == EXCHANGE_IKE_AUTH && !exchange_childless(sa))
			begins = EXCHANGE_IKE_AUTH;
		/* RFC 7296, 1.3.2 SHOULD NOT: what else is queued waits for the successor */
		if (sa->state == IKE_STATE_REKEYING && t->type != TASK_IKE_REKEY) {
			at = &t->next;
			continue;
		}
		if (!exchange_allowed(sa->state, begins, false) || (exchange && begins != exchange) ||
		    (exchange && sa->state != IKE_STATE_CONNECTING) || t->not_before > sa_now(sa->ctx)) {
			at = &t->next;
			continue;
		}
		if (sa->state == IKE_STATE_CONNECTING && begins == EXCHANGE_IKE_AUTH && !sa->protect.cipher) {
			at = &t->next;
			continue;
		}
		exchange = begins;
		child_taken |= t->type == TASK_CHILD_CREATE;
		*at = t->next;
		t->next = NULL;
		for (struct task **tail = &sa->active;; tail = &(*tail)->next) {
			if (!*tail) {
				*tail = t;
				break;
			}
		}
	}
	return sa->active != NULL;
}

static unsigned exchange_active_type(const struct ike_sa *sa)
{
	for (struct task *t = sa->active; t; t = t->next)
		if (t->type != TASK_CHILD_CREATE)
			return t->ops->exchange;
	return EXCHANGE_CREATE_CHILD_SA;
}

static void exchange_build_request(struct ike_sa *sa)
{
	unsigned type = exchange_active_type(sa);
	bool sync = exchange_is_sync(sa); /* RFC 6311 5.1 MUST: message id zero */
	struct ike_header h = exchange_header(sa, type, sync ? 0 : sa->out.next, false);
	struct buf desc = { 0 };
	struct builder b = exchange_begin(sa, &h, &desc);
	struct bytes msg;
	bool any = false;

	for (struct task *t = sa->active; t; t = t->next) {
		enum outcome o;

		if (t->held)
			continue; /* RFC 4739: its payloads were in the first request */
		o = t->finished ? OUTCOME_CHILD_FAILED : t->ops->build_request(sa, t, &b);
		if (o == OUTCOME_IKE_FATAL) {
			buf_free(&desc);
			exchange_fatal(sa);
			return;
		}
		if (o == OUTCOME_CHILD_FAILED)
			exchange_task_ended(sa, t, o);
		else
			any = true;
	}
	if (!any) {
		buf_free(&desc);
		exchange_clean(sa, &sa->active);
		return;
	}
	msg = exchange_end(sa, &h, &b);
	if (!msg.n) {
		buf_free(&desc);
		sa->cause = CAUSE_CRYPTO;
		sa->why = "a request could not be built or encrypted";
		exchange_fatal(sa);
		return;
	}
	if (type == EXCHANGE_IKE_SA_INIT) {
		buf_reset(&sa->setup->init_request);
		buf_add_bytes(&sa->setup->init_request, msg);
	}
	exchange_log_built(sa, &h, &desc);
	exchange_count_out(sa, type, false);
	sa->out.next += !sync;
	outstanding_send(sa, type, h.message_id, msg);
}

bool exchange_start(struct ike_sa *sa)
{
	/* while a request of the peer waits, the peer may not know yet what our next one builds on */
	if (sa->finished || sa->outstanding || sa->active || sa->park || sa->parked_request ||
	    (sa->setup && sa->setup->resolving))
		return false;
	if (sa->out.next == UINT32_MAX) {
		/* RFC 7296, 2.2 MUST: ids that are used up end the IKE_SA */
		ike_sa_finish(sa, IKE_EVENT_FAILED, CAUSE_POLICY, "all message ids are used up");
		return false;
	}
	if (!exchange_pick(sa))
		return false;
	for (struct task *t = sa->active; t; t = t->next) {
		enum outcome o = t->ops->prepare && !t->held ? t->ops->prepare(sa, t) : OUTCOME_DONE;

		if (sa->finished)
			return false;
		if (o == OUTCOME_IKE_FATAL) {
			exchange_fatal(sa);
			return false;
		}
		t->waiting = o == OUTCOME_WAIT;
		if (o == OUTCOME_CHILD_FAILED)
			exchange_task_ended(sa, t, o);
	}
	if (exchange_waiting(sa->active)) {
		sa->park = PARK_PREPARE;
		exchange_parked(sa);
		return false;
	}
	exchange_build_request(sa);
	return !sa->finished && !sa->outstanding;
}

/* IKE_AUTH is over: what was only for it goes. */
void exchange_settle(struct ike_sa *sa)
{
	if (!sa->setup || sa->state != IKE_STATE_ESTABLISHED)
		return;
	ike_setup_free(sa->setup);
	sa->setup = NULL;
	ike_keys_forget_p(&sa->keys);
}

static void exchange_response_done(struct ike_sa *sa)
{
	struct task *again = NULL, **tail = &again;

	if (sa->setup)
		exchange_unhold(sa->setup);
	exchange_settle(sa);

	/* what takes part in another exchange goes back to the front */
	for (struct task **at = &sa->active; *at;) {
		struct task *t = *at;

		if (t->finished) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		t->next = NULL;
		*tail = t;
		tail = &t->next;
	}
	*tail = sa->queued;
	sa->queued = again;
	exchange_clean(sa, &sa->active);
	reauth_check(sa);
	if (!sa->finished && sa->state != IKE_STATE_CLOSED)
		ike_sa_run_queue(sa);
}

/* The tasks from t on read the response, as far as none of them has to wait. */
static void exchange_read_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	bool more = false, waits = false;

	for (; t && !more && !waits; t = t->next) {
		enum outcome o;

		t->held = false;
		o = t->ops->process_response(sa, t, in);
		switch (o) {
		case OUTCOME_IGNORE:
			return; /* the request stays outstanding */
		case OUTCOME_IKE_FATAL:
			exchange_fatal(sa);
			return;
		case OUTCOME_DONE:
		case OUTCOME_CHILD_FAILED:
			exchange_task_ended(sa, t, o);
			break;
		case OUTCOME_WAIT:
			t->waiting = waits = true;
			exchange_hold(sa, t, in);
			break;
		case OUTCOME_MORE:
			/* those behind it get their answer at the end of what it goes on with */
			more = t->type == TASK_IKE_AUTH;
			if (more)
				exchange_hold(sa, t, NULL);
			break;
		}
		if (sa->finished)
			return;
	}
	outstanding_free(sa);
	if (waits) {
		sa->park = PARK_RESPONSE;
		exchange_parked(sa);
		return;
	}
	sa->park = PARK_NONE;
	exchange_response_done(sa);
}

void exchange_response(struct ike_sa *sa, const struct ike_header *h, const struct payload_list *in)
{
	/* RFC 7296, 2.21.3: an authenticated INVALID_SYNTAX is the end of the IKE_SA for both sides */
	if (h->exchange != EXCHANGE_IKE_SA_INIT && payload_notify(in, NOTIFY_INVALID_SYNTAX)) {
		sa->cause = CAUSE_SYNTAX;
		sa->why = "the peer could not read our request (INVALID_SYNTAX)";
		exchange_fatal(sa);
		return;
	}
	exchange_read_response(sa, sa->active, in);
}

/* ---- completions ---- */

/* A task of our own exchange goes on; o is what came of what it waited for. */
static void exchange_active_goes_on(struct ike_sa *sa, struct task *t, enum outcome o)
{
	enum park park = sa->park;

	if (sa->finished)
		return;
	if (o == OUTCOME_IKE_FATAL) {
		sa->park = PARK_NONE;
		exchange_fatal(sa);
		return;
	}
	t->waiting = o == OUTCOME_WAIT;
	if (!t->waiting && (o == OUTCOME_CHILD_FAILED || (park == PARK_RESPONSE && o != OUTCOME_MORE)))
		exchange_task_ended(sa, t, o);
	if (exchange_waiting(sa->active)) {
		exchange_parked(sa);
		return;
	}
	switch (park) {
	case PARK_PREPARE:
		sa->park = PARK_NONE;
		exchange_build_request(sa);
		if (!sa->finished && !sa->outstanding)
			ike_sa_run_queue(sa);
		break;
	case PARK_RESPONSE:
		exchange_read_response(sa, o == OUTCOME_MORE ? NULL : t->next, exchange_message(sa, NULL));
		break;
	case PARK_NONE:
		break;
	}
}

static struct task *exchange_waiting_for(struct task *list, uint32_t child_id)
{
	for (; list; list = list->next)
		if (list->waiting && list->ops->resume && task_child_id(list) == child_id)
			return list;
	return NULL;
}

/* Behind a completion: the timer finds nothing to do. */
static void exchange_completed(struct ike_sa *sa)
{
	if (!sa->finished && !sa->park && !sa->parked_request)
		sa->backend_ms = 0;
	arena_reset(&sa->ctx->arena);
}

void ike_sa_kernel_done(struct ike_sa *sa, uint32_t child_id, enum kernel_status status, const struct errtext *err)
{
	struct task *t;

	if (sa->finished)
		return;
	if ((t = exchange_waiting_for(sa->active, child_id)))
		exchange_active_goes_on(sa, t, t->ops->resume(sa, t, status, err));
	else if ((t = exchange_waiting_for(sa->passive, child_id)))
		exchange_passive_goes_on(sa, t, t->ops->resume(sa, t, status, err));
	exchange_completed(sa);
}

static struct task *exchange_authenticating(struct task *list)
{
	while (list && !(list->waiting && list->ops->authenticated))
		list = list->next;
	return list;
}

/* False: nobody waits for one. */
static bool exchange_authenticated(struct ike_sa *sa, struct auth_request *r)
{
	struct task *t;

	if (sa->setup)
		sa->setup->authenticating = NULL;
	if ((t = exchange_authenticating(sa->active)))
		exchange_active_goes_on(sa, t, t->ops->authenticated(sa, t, r));
	else if ((t = exchange_authenticating(sa->passive)))
		exchange_passive_goes_on(sa, t, t->ops->authenticated(sa, t, r));
	return t != NULL;
}

void ike_sa_authenticated(struct ike_sa *sa, struct auth_request *r)
{
	/* the set-up may have begun anew meanwhile, or waited long enough */
	if (sa->finished || !sa->setup || sa->setup->authenticating != r)
		return;
	(void)exchange_authenticated(sa, r);
	exchange_completed(sa);
}

static struct task *exchange_first_waiting(struct task *list)
{
	while (list && !list->waiting)
		list = list->next;
	return list;
}

void exchange_backend_late(struct ike_sa *sa)
{
	struct errtext err = { "the IPsec backend does not answer" };
	struct task *t;

	if (exchange_authenticated(sa, NULL)) {
		arena_reset(&sa->ctx->arena);
		return;
	}
	LOG_SA(&sa->log, KNL, LOG_LEVEL_AUDIT, "the IPsec backend (%s) has not answered a request of IKE_SA %s[%u] for %us",
	       sa->ctx->kernel_ops->name, sa->log.name, sa->log.id, LIMIT_BACKEND_MS / 1000);
	/* law: it costs the child, not the IKE_SA */
	if ((t = exchange_first_waiting(sa->active)))
		exchange_active_goes_on(sa, t, t->ops->resume(sa, t, KERNEL_FAILED, &err));
	if (!sa->finished && (t = exchange_first_waiting(sa->passive)))
		exchange_passive_goes_on(sa, t, t->ops->resume(sa, t, KERNEL_FAILED, &err));
	arena_reset(&sa->ctx->arena);
}

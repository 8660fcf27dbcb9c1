/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa/child_successor.h"
#include "sa/tasks/tasks.h"

/* Closes CHILD_SAs (RFC 7296, 1.4.1): each side names the SPI of its own inbound SA. */
struct task_child_delete {
	struct task task;
	uint32_t child_id; /* initiator; 0: only spi */
	uint32_t spi;
	bool by_order;
	bool peer_began;
	size_t count;
	uint32_t *ids;  /* the children being closed */
	uint32_t *spis; /* responder: our inbound SPIs that the answer names */
	size_t n_spis;
};

static struct task_child_delete *delete_of(struct task *t)
{
	return (struct task_child_delete *)t;
}

struct task *child_delete_new(struct ike_sa *sa, uint32_t child_id, struct sa_request request)
{
	struct task *t = task_new(sa, TASK_CHILD_DELETE);

	t->request = request;
	delete_of(t)->child_id = child_id;
	delete_of(t)->by_order = true;
	return t;
}

void child_delete_this(struct ike_sa *sa, uint32_t child_id)
{
	struct task *t = task_new(sa, TASK_CHILD_DELETE);

	delete_of(t)->child_id = child_id;
	ike_sa_queue(sa, t);
}

void child_delete_follow(struct ike_sa *sa, const struct child_sa *old, const struct child_sa *next)
{
	for (struct task *t = sa->queued; t; t = t->next)
		if (t->type == TASK_CHILD_DELETE && delete_of(t)->by_order && delete_of(t)->child_id == old->id)
			delete_of(t)->child_id = next->id;
}

void child_delete_spi(struct ike_sa *sa, uint32_t spi_in)
{
	struct task *t = task_new(sa, TASK_CHILD_DELETE);

	delete_of(t)->spi = spi_in;
	ike_sa_queue(sa, t);
}

static void delete_log_closing(struct ike_sa *sa, const struct child_sa *c)
{
	if (log_is_wanted(LOG_GROUP_IKE, LOG_LEVEL_AUDIT)) {
		struct kernel_usage in, out;
		struct buf ts = { 0 };

		child_sa_usage(c, &in, &out);
		child_sa_format_ts(&ts, c);
		LOG_SA(&sa->log, IKE, LOG_LEVEL_AUDIT,
		       "closing CHILD_SA %s{%u} with SPIs %08x_i (%llu bytes) %08x_o (%llu bytes) and TS %s",
		       c->conf->name, c->id, c->spi_in, (unsigned long long)in.bytes, c->spi_out,
		       (unsigned long long)out.bytes, buf_str(&ts));
		buf_free(&ts);
	}
}

/* The one that is meant, and by order all that it replaced and that is still there. */
static void delete_collect(struct ike_sa *sa, struct task_child_delete *d, struct child_sa *c)
{
	d->ids = xcalloc(ike_sa_count_children(sa), sizeof(*d->ids));
	d->spis = xcalloc(ike_sa_count_children(sa), sizeof(*d->spis));
	d->ids[d->count++] = c->id;
	for (size_t i = 0; d->by_order && i < d->count; i++)
		for (struct child_sa *old = sa->children; old; old = old->next)
			if (old->state == CHILD_STATE_REKEYED && old->successor == d->ids[i])
				d->ids[d->count++] = old->id;
}

static enum outcome delete_build_request(struct ike_sa *sa, struct task *t, struct builder *b)
{
	struct task_child_delete *d = delete_of(t);
	struct child_sa *c;

	if (d->spi) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "sending DELETE for ESP CHILD_SA with SPI %08x", d->spi);
		builder_delete(b, PROTOCOL_ESP, &d->spi, 1);
		return OUTCOME_MORE;
	}
	c = ike_sa_child(sa, d->child_id);
	/* gone meanwhile: the peer was first, or it never came up */
	if (!c || (c->state != CHILD_STATE_INSTALLED && c->state != CHILD_STATE_REKEYED)) {
		task_request_done(sa, t, CAUSE_NONE, NULL);
		return OUTCOME_CHILD_FAILED;
	}
	delete_collect(sa, d, c);
	for (size_t i = 0; i < d->count; i++) {
		c = ike_sa_child(sa, d->ids[i]);
		delete_log_closing(sa, c);
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "sending DELETE for ESP CHILD_SA with SPI %08x", c->spi_in);
		d->spis[d->n_spis++] = c->spi_in;
		/* what replaced it sends from now on, so that the peer may close it at once */
		if (c->superseded)
			child_sa_carry(c, false);
		child_sa_move(c, CHILD_EVENT_DELETE_SENT);
	}
	builder_delete(b, PROTOCOL_ESP, d->spis, d->n_spis);
	return OUTCOME_MORE;
}

static enum outcome delete_process_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	struct task_child_delete *d = delete_of(t);

	for (const struct payload *p = NULL; (p = payload_find(in, PAYLOAD_DELETE, p));)
		for (unsigned i = 0; p->del.protocol == PROTOCOL_ESP && i < p->del.count; i++)
			LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received DELETE for ESP CHILD_SA with SPI %08x",
			       payload_delete_spi(&p->del, i));
	/* an answer without the SPI means that the peer had closed it (RFC 7296, 1.4.1) */
	for (size_t i = 0; i < d->count; i++) {
		struct child_sa *c = ike_sa_child(sa, d->ids[i]);

		/* when deletes crossed all is done already */
		if (!c || c->state == CHILD_STATE_DELETED)
			continue;
		child_sa_move(c, CHILD_EVENT_DELETE_DONE);
		child_sa_closed(c);
	}
	return OUTCOME_DONE;
}

static enum outcome delete_process_request(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	struct task_child_delete *d = delete_of(t);
	size_t max = 0;

	for (const struct payload *p = NULL; (p = payload_find(in, PAYLOAD_DELETE, p));)
		max += p->del.count;
	d->peer_began = true;
	d->ids = xcalloc(max ? max : 1, sizeof(*d->ids));
	d->spis = xcalloc(max ? max : 1, sizeof(*d->spis));
	for (const struct payload *p = NULL; (p = payload_find(in, PAYLOAD_DELETE, p));) {
		struct reader r = reader_of(p->del.spis);

		for (unsigned i = 0; p->del.protocol == PROTOCOL_ESP && i < p->del.count; i++) {
			uint32_t spi = reader_u32(&r);
			struct child_sa *c = ike_sa_child_by_spi_out(sa, spi);

			if (!c || c->state == CHILD_STATE_DELETED) {
				LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
				       "received DELETE for ESP CHILD_SA with SPI %08x that is not known", spi);
				child_create_spi_gone(sa, spi);
				continue;
			}
			LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received DELETE for ESP CHILD_SA with SPI %08x", spi);
			/* RFC 7296, 1.4.1 MUST: when deletes cross, the answer does not name the SA again */
			if (c->state != CHILD_STATE_DELETING) {
				d->spis[d->n_spis++] = c->spi_in;
				delete_log_closing(sa, c);
			}
			if (child_sa_move(c, CHILD_EVENT_DELETE_RECEIVED))
				d->ids[d->count++] = c->id;
		}
	}
	for (size_t i = 0; i < d->count; i++)
		child_successor_closed(ike_sa_child(sa, d->ids[i]));
	return OUTCOME_DONE;
}

static enum outcome delete_build_response(struct ike_sa *sa, struct task *t, struct builder *b)
{
	struct task_child_delete *d = delete_of(t);

	for (size_t i = 0; i < d->n_spis; i++)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "sending DELETE for ESP CHILD_SA with SPI %08x", d->spis[i]);
	if (d->n_spis)
		builder_delete(b, PROTOCOL_ESP, d->spis, d->n_spis);
	return OUTCOME_DONE;
}

/* close_action: what the operator wants up comes up again. */
static void delete_after(struct ike_sa *sa, struct task *t)
{
	struct task_child_delete *d = delete_of(t);

	if (!d->peer_began)
		return;
	for (size_t i = 0; i < d->count && !sa->finished; i++) {
		struct child_sa *c = ike_sa_child(sa, d->ids[i]);

		if (!c)
			continue;
		/* neither one that was replaced nor one that never was up */
		if (c->announced)
			child_sa_act(c, c->conf->close_action);
		/* our own Delete may still be out: its answer finds nothing, which is fine */
		child_sa_closed(c);
	}
}

static void delete_clear(struct ike_sa *sa, struct task *t)
{
	free(delete_of(t)->ids);
	free(delete_of(t)->spis);
}

const struct task_ops task_child_delete = {
	.size = sizeof(struct task_child_delete),
	.exchange = EXCHANGE_INFORMATIONAL,
	.build_request = delete_build_request,
	.process_response = delete_process_response,
	.process_request = delete_process_request,
	.build_response = delete_build_response,
	.after = delete_after,
	.clear = delete_clear,
};

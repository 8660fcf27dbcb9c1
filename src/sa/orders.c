/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/child_successor.h"
#include "sa/exchange.h"
#include "sa/reauth.h"
#include "sa/successor.h"
#include "sa/task.h"
#include "sa/vips.h"

/* What the operator, or a limit that was reached, wants of an IKE_SA that is there. */

void ike_sa_add_child(struct ike_sa *sa, const struct conn *conn, const struct child_conf *child,
		      struct sa_request request)
{
	ike_sa_add_child_for(sa, conn, child, NULL, request);
}

void ike_sa_add_child_for(struct ike_sa *sa, const struct conn *conn, const struct child_conf *child,
			  const struct child_acquire *acquire, struct sa_request request)
{
	sa = ike_sa_current(sa);
	if (sa->finished || sa->state == IKE_STATE_REKEYED || sa->state == IKE_STATE_DELETING || sa->state == IKE_STATE_CLOSED) {
		sa->ctx->ops->request_done(sa->ctx->host, request, CAUSE_CLOSED, "the IKE_SA is being closed");
		return;
	}
	ike_sa_queue(sa, child_create_for(child_create_new(sa, conn, child, request), acquire));
	/* addresses are asked for in IKE_AUTH: by now the gateway may have one */
	if (!vips_are_missing(sa, child) || !reauth_instead(sa))
		ike_sa_run_queue(sa);
}

void ike_sa_terminate_child(struct ike_sa *sa, struct child_sa *child, struct sa_request request)
{
	ike_sa_queue(sa, child_delete_new(sa, child_successor_of(child)->id, request));
	ike_sa_run_queue(sa);
}

void ike_sa_rekey_child(struct ike_sa *sa, struct child_sa *child)
{
	if (sa->finished || child->state != CHILD_STATE_INSTALLED || child_rekey_is_pending(sa, child->id))
		return;
	switch ((enum ike_state)sa->state) {
	case IKE_STATE_ESTABLISHED:
	case IKE_STATE_REKEYING:
		child->rekey_ms = 0;
		ike_sa_queue(sa, child_rekey_new(sa, child->id));
		ike_sa_run_queue(sa);
		return;
	case IKE_STATE_CREATED:
	case IKE_STATE_CONNECTING:
	case IKE_STATE_REKEYED:
	case IKE_STATE_DELETING:
	case IKE_STATE_CLOSED:
	case IKE_STATE_PASSIVE:
	case IKE_STATE_DESTROYING:
	case IKE_STATES:
		return;
	}
}

static void ike_sa_log_deleting(const struct ike_sa *sa)
{
	struct buf text = { 0 };

	if (!log_is_wanted(LOG_GROUP_IKE, LOG_LEVEL_AUDIT))
		return;
	ike_sa_describe(&text, sa);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_AUDIT, "deleting IKE_SA %s[%u] %s", sa->log.name, sa->log.id, buf_str(&text));
	buf_free(&text);
}

void ike_sa_terminate(struct ike_sa *sa, bool force, struct sa_request request)
{
	struct ike_sa *current = ike_sa_current(sa);

	if (current != sa) {
		/* the operator means the tunnel, under whatever number */
		bool undecided = successor_is_undecided(sa); /* what becomes of it is decided with the other */

		ike_sa_terminate(current, force, request);
		if (undecided || sa->finished || sa->state == IKE_STATE_CLOSED)
			return;
		request.id = 0;
	}
	if (sa->delete_request.id)
		sa->ctx->ops->request_done(sa->ctx->host, request, CAUSE_NONE, NULL);
	else
		sa->delete_request = request;
	reauth_cancel(sa);
	switch ((enum ike_state)sa->state) {
	case IKE_STATE_ESTABLISHED:
	case IKE_STATE_REKEYING: /* when it is known who has the children: the task goes with them */
	case IKE_STATE_REKEYED:
		if (ike_sa_has_task(sa, TASK_IKE_DELETE))
			break;
		ike_sa_log_deleting(sa);
		ike_sa_queue(sa, task_new(sa, TASK_IKE_DELETE));
		ike_sa_run_queue(sa);
		break;
	case IKE_STATE_DELETING:
		break;
	case IKE_STATE_CREATED:
	case IKE_STATE_CONNECTING:
	case IKE_STATE_CLOSED:
	case IKE_STATE_PASSIVE:
	case IKE_STATE_DESTROYING:
	case IKE_STATES:
		/* RFC 7296, 2.21.2: a responder that is still being checked has its side up already */
		if (sa->state == IKE_STATE_CONNECTING && sa->park == PARK_RESPONSE)
			exchange_notify_once(sa, NOTIFY_AUTHENTICATION_FAILED);
		else
			LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "destroying IKE_SA in state %s without notification",
			       ike_state_name(sa->state));
		ike_sa_finish(sa, IKE_EVENT_DESTROY, CAUSE_CLOSED, "terminated by the operator");
		return;
	}
	if (force && !sa->finished)
		ike_sa_finish(sa, IKE_EVENT_DESTROY, CAUSE_CLOSED, "terminated by force");
}

void ike_sa_probe(struct ike_sa *sa)
{
	/* one is enough: while a request of the peer waits for a backend none can go out */
	if (!ike_sa_has_task(sa, TASK_IKE_DPD))
		ike_sa_queue(sa, task_new(sa, TASK_IKE_DPD));
	ike_sa_run_queue(sa);
}

/* The hard limit: rather no tunnel than a repeated sequence number (law 3). */
static void ike_sa_child_over(struct ike_sa *sa, struct child_sa *child)
{
	switch ((enum child_state)child->state) {
	case CHILD_STATE_INSTALLED:
		/* the peer is told, start actions bring up a new one */
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "CHILD_SA %s{%u} reached its limit and is closed", child->conf->name,
		       child->id);
		if (child->announced)
			child_sa_act(child, child->conf->start_action & ACTION_START);
		child_delete_this(sa, child->id);
		break;
	case CHILD_STATE_REKEYING:
		/* the answer decides what becomes of it; until then it carries nothing of ours */
		child->over = true;
		child_sa_carry(child, false);
		return;
	case CHILD_STATE_REKEYED:
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "CHILD_SA %s{%u} was rekeyed and not closed by the peer: it is closed now",
		       child->conf->name, child->id);
		child_delete_this(sa, child->id);
		break;
	case CHILD_STATE_CREATED:
	case CHILD_STATE_ROUTED:
	case CHILD_STATE_INSTALLING:
	case CHILD_STATE_UPDATING:
	case CHILD_STATE_RETRYING:
	case CHILD_STATE_DELETING:
	case CHILD_STATE_DELETED:
	case CHILD_STATE_DESTROYING:
	case CHILD_STATES:
		return;
	}
	ike_sa_run_queue(sa);
}

void ike_sa_child_expired(struct ike_sa *sa, struct child_sa *child, bool hard)
{
	if (sa->state != IKE_STATE_ESTABLISHED && sa->state != IKE_STATE_REKEYING)
		return;
	if (hard) {
		ike_sa_child_over(sa, child);
		return;
	}
	LOG_SA(&sa->log, IKE, LOG_LEVEL_DETAIL, "CHILD_SA %s{%u} nears its limits", child->conf->name, child->id);
	ike_sa_rekey_child(sa, child);
}

void ike_sa_child_gone(struct ike_sa *sa, struct child_sa *child)
{
	if (child->state != CHILD_STATE_INSTALLED || child_rekey_is_pending(sa, child->id))
		return;
	LOG_SA(&sa->log, KNL, LOG_LEVEL_AUDIT, "the SAs of CHILD_SA %s{%u} are gone from the kernel: it is rekeyed", child->conf->name,
	       child->id);
	ike_sa_rekey_child(sa, child);
}

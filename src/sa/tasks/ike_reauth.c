/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/tasks/tasks.h"

/* The end of an IKE_SA that is reauthenticated (RFC 7296, 2.8.3), before or after the new one: sa/reauth.h. */

static enum outcome reauth_build_request(struct ike_sa *sa, struct task *t, struct builder *b)
{
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "sending DELETE for IKE_SA %s[%u]: %s", sa->log.name, sa->log.id,
	       sa->reauth_break ? "it is reauthenticated" : "a reauthenticated one has its place");
	builder_delete(b, PROTOCOL_IKE, NULL, 0);
	ike_sa_move(sa, IKE_EVENT_DELETE_SENT);
	return OUTCOME_DONE;
}

static enum outcome reauth_process_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	LOG_SA(&sa->log, IKE, LOG_LEVEL_AUDIT, "IKE_SA deleted");
	return OUTCOME_DONE;
}

static void reauth_after(struct ike_sa *sa, struct task *t)
{
	ike_sa_finish(sa, IKE_EVENT_DELETE_ACKED, CAUSE_NONE, NULL);
}

const struct task_ops task_ike_reauth = {
	.size = sizeof(struct task),
	.exchange = EXCHANGE_INFORMATIONAL,
	.build_request = reauth_build_request,
	.process_response = reauth_process_response,
	.after = reauth_after,
};

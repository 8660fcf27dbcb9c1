/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/tasks/tasks.h"

/* The end of an IKE_SA with all its children (RFC 7296, 1.4.1). */
struct task_ike_delete {
	struct task task;
	bool answered; /* as responder: after the answer the SA is CLOSED */
};

static void ike_delete_log(struct ike_sa *sa, const char *text)
{
	if (log_is_wanted(LOG_GROUP_IKE, LOG_LEVEL_AUDIT)) {
		struct buf who = { 0 };

		ike_sa_describe(&who, sa);
		LOG_SA(&sa->log, IKE, LOG_LEVEL_AUDIT, "%s %s[%u] %s", text, sa->log.name, sa->log.id, buf_str(&who));
		buf_free(&who);
	}
}

static enum outcome ike_delete_build_request(struct ike_sa *sa, struct task *t, struct builder *b)
{
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "sending DELETE for IKE_SA %s[%u]", sa->log.name, sa->log.id);
	builder_delete(b, PROTOCOL_IKE, NULL, 0);
	ike_sa_move(sa, IKE_EVENT_DELETE_SENT);
	return OUTCOME_DONE;
}

static enum outcome ike_delete_process_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	LOG_SA(&sa->log, IKE, LOG_LEVEL_AUDIT, "IKE_SA deleted");
	return OUTCOME_DONE;
}

static enum outcome ike_delete_process_request(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received DELETE for IKE_SA %s[%u]", sa->log.name, sa->log.id);
	ike_delete_log(sa, "closing IKE_SA");
	((struct task_ike_delete *)t)->answered = true;
	return OUTCOME_DONE;
}

static enum outcome ike_delete_build_response(struct ike_sa *sa, struct task *t, struct builder *b)
{
	return OUTCOME_DONE;
}

static void ike_delete_after(struct ike_sa *sa, struct task *t)
{
	if (((struct task_ike_delete *)t)->answered)
		ike_sa_close(sa);
	else
		ike_sa_finish(sa, IKE_EVENT_DELETE_ACKED, CAUSE_NONE, NULL);
}

const struct task_ops task_ike_delete = {
	.size = sizeof(struct task_ike_delete),
	.exchange = EXCHANGE_INFORMATIONAL,
	.build_request = ike_delete_build_request,
	.process_response = ike_delete_process_response,
	.process_request = ike_delete_process_request,
	.build_response = ike_delete_build_response,
	.after = ike_delete_after,
};

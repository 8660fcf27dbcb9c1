/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/reauth.h"
#include "sa/tasks/tasks.h"

/* AUTH_LIFETIME in an exchange of its own (RFC 4478, 2): the original responder says when to authenticate again. */
struct task_ike_auth_lifetime {
	struct task task;
	bool at_once;
};

struct task *ike_auth_lifetime_new(struct ike_sa *sa, bool at_once)
{
	struct task *t = task_new(sa, TASK_IKE_AUTH_LIFETIME);

	((struct task_ike_auth_lifetime *)t)->at_once = at_once;
	return t;
}

static enum outcome lifetime_build_request(struct ike_sa *sa, struct task *t, struct builder *b)
{
	static const uint8_t zero[4];
	uint32_t seconds = 0;

	if (((struct task_ike_auth_lifetime *)t)->at_once)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_AUTH_LIFETIME, bytes_of(zero, sizeof(zero)));
	else if (reauth_lifetime(sa, &seconds))
		reauth_put_lifetime(sa, b);
	else
		return OUTCOME_CHILD_FAILED; /* nothing to say any more */
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "sending AUTH_LIFETIME of %us: the peer is to reauthenticate by then", seconds);
	return OUTCOME_DONE;
}

static enum outcome lifetime_process_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	return OUTCOME_DONE;
}

static enum outcome lifetime_process_request(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	reauth_take_lifetime(sa, in);
	return OUTCOME_DONE;
}

static enum outcome lifetime_build_response(struct ike_sa *sa, struct task *t, struct builder *b)
{
	return OUTCOME_DONE;
}

const struct task_ops task_ike_auth_lifetime = {
	.size = sizeof(struct task_ike_auth_lifetime),
	.exchange = EXCHANGE_INFORMATIONAL,
	.build_request = lifetime_build_request,
	.process_response = lifetime_process_response,
	.process_request = lifetime_process_request,
	.build_response = lifetime_build_response,
};

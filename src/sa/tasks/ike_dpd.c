/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/hint.h"
#include "sa/mobike.h"
#include "sa/nat.h"
#include "sa/qcd.h"
#include "sa/tasks/tasks.h"

/* Liveness check: an INFORMATIONAL exchange without payloads (RFC 7296, 2.4). As responder it also
 * answers INFORMATIONAL requests that carry only notifies we have no use for. */

/* RFC 4555 3.8 SHOULD: who is behind a NAT sees in the answer whether that has changed its mapping. */
static bool dpd_watches_nat(const struct ike_sa *sa)
{
	return sa->mobike && sa->origin && sa->nat_local;
}

static enum outcome dpd_build_request(struct ike_sa *sa, struct task *t, struct builder *b)
{
	if (dpd_watches_nat(sa))
		nat_build(sa, b, &sa->local, &sa->remote, nat_forced(sa));
	return OUTCOME_DONE;
}

static enum outcome dpd_process_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	if (dpd_watches_nat(sa) && ike_sa_current(sa) == sa)
		mobike_take_mapping(sa, in, true);
	return OUTCOME_DONE;
}

static enum outcome dpd_build_response(struct ike_sa *sa, struct task *t, struct builder *b)
{
	return OUTCOME_DONE;
}

static enum outcome dpd_process_request(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	for (size_t i = 0; i < in->count; i++) {
		const struct payload *p = &in->p[i];

		if (p->type != PAYLOAD_NOTIFY || (sa->mobike && mobike_is_notify(p->notify.type)))
			continue;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received %s notify from %s", notify_name(p->notify.type),
		       addr_format_port(&sa->remote).s);
		/* RFC 7296, 2.21.2: who could not authenticate us after the fact says so like this */
		if (p->notify.type == NOTIFY_AUTHENTICATION_FAILED) {
			sa->cause = CAUSE_AUTHENTICATION;
			sa->why = "the peer could not authenticate us";
			return OUTCOME_IKE_FATAL;
		}
		if (p->notify.type == NOTIFY_INVALID_SPI)
			hint_lost_child(sa, p->notify.data);
		/* RFC 6290 4.4 MUST: accepted in any protected exchange */
		if (p->notify.type == NOTIFY_QUICK_CRASH_DETECTION)
			qcd_take(sa, in);
	}
	return OUTCOME_DONE;
}

const struct task_ops task_ike_dpd = {
	.size = sizeof(struct task),
	.exchange = EXCHANGE_INFORMATIONAL,
	.build_request = dpd_build_request,
	.process_response = dpd_process_response,
	.process_request = dpd_process_request,
	.build_response = dpd_build_response,
};

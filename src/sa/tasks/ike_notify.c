/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/qcd.h"
#include "sa/tasks/tasks.h"

/* One notify in an INFORMATIONAL exchange of its own; the peer's answer is empty. ike_dpd.c reads what comes in. */
struct task_ike_notify {
	struct task task;
	uint16_t type; /* enum notify_type */
	uint32_t value;
};

struct task *ike_notify_new(struct ike_sa *sa, unsigned type, uint32_t value)
{
	struct task_ike_notify *n = (struct task_ike_notify *)task_new(sa, TASK_IKE_NOTIFY);

	n->type = (uint16_t)type;
	n->value = value;
	return &n->task;
}

static enum outcome notify_build_request(struct ike_sa *sa, struct task *t, struct builder *b)
{
	const struct task_ike_notify *n = (struct task_ike_notify *)t;
	uint8_t data[4];
	struct writer w = writer_of(data, sizeof(data));

	if (n->type == NOTIFY_QUICK_CRASH_DETECTION) {
		qcd_build(sa, b); /* RFC 6290, 4.3 */
	} else {
		writer_u32(&w, n->value);
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, n->type, writer_done(&w));
	}
	return OUTCOME_DONE;
}

static enum outcome notify_process_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	return OUTCOME_DONE;
}

const struct task_ops task_ike_notify = {
	.size = sizeof(struct task_ike_notify),
	.exchange = EXCHANGE_INFORMATIONAL,
	.build_request = notify_build_request,
	.process_response = notify_process_response,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/tasks/tasks.h"

/* The one place that knows all tasks. */
const struct task_ops *const task_table[TASKS] = {
	[TASK_IKE_INIT] = &task_ike_init,
	[TASK_IKE_AUTH] = &task_ike_auth,
	[TASK_IKE_DELETE] = &task_ike_delete,
	[TASK_IKE_DPD] = &task_ike_dpd,
	[TASK_IKE_MOBIKE] = &task_ike_mobike,
	[TASK_IKE_REAUTH] = &task_ike_reauth,
	[TASK_IKE_AUTH_LIFETIME] = &task_ike_auth_lifetime,
	[TASK_IKE_MID_SYNC] = &task_message_id_sync,
	[TASK_IKE_NOTIFY] = &task_ike_notify,
	[TASK_IKE_REKEY] = &task_ike_rekey,
	[TASK_CHILD_CREATE] = &task_child_create,
	[TASK_CHILD_REKEY] = &task_child_rekey,
	[TASK_CHILD_DELETE] = &task_child_delete,
};

uint32_t task_child_id(const struct task *t)
{
	return t->type == TASK_CHILD_CREATE || t->type == TASK_CHILD_REKEY ? child_negotiation_id(t) : 0;
}

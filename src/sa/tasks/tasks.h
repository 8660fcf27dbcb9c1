/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_TASKS_TASKS_H
#define BEWICK_SA_TASKS_TASKS_H

#include "sa/task.h"

/* The tasks that tasks.c puts into its table; they do not include each other. */
extern const struct task_ops task_ike_init, task_ike_auth, task_ike_delete, task_ike_dpd, task_child_create,
	task_child_rekey, task_child_delete, task_ike_reauth, task_ike_rekey, task_ike_auth_lifetime, task_ike_notify,
	task_message_id_sync, task_ike_mobike;

/* The id of the CHILD_SA that a child_create or child_rekey makes, 0 before it has one. */
uint32_t child_negotiation_id(const struct task *t);

#endif

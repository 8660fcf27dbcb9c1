/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_TASKS_CHILD_CREATE_H
#define BEWICK_SA_TASKS_CHILD_CREATE_H

#include "sa/exchange.h"
#include "sa/tasks/tasks.h"

/* What the two sides of the task share. */

#define CHILD_CREATE_NONCE 32
#define CHILD_CREATE_KE_MAX 1024
#define CHILD_CREATE_GONE 4

enum child_create_stage { CHILD_CREATE_BEGIN, CHILD_CREATE_SPI, CHILD_CREATE_INSTALLING };

struct task_child_create {
	struct task task;
	const struct conn *conn; /* a reference */
	const struct child_conf *conf; /* in conn; NULL: responder before the choice */
	uint32_t child_id;       /* of the CHILD_SA at work; looked up, because it may go first */
	uint8_t stage;           /* what WAIT waits for */
	bool initiator;
	bool in_auth; /* part of IKE_AUTH: no nonces, no key exchange of its own */
	bool failed;
	uint8_t ke_rounds;
	uint8_t n_gone;
	uint32_t gone[CHILD_CREATE_GONE]; /* SPIs that the peer deleted before its answer named them */
	uint16_t ke_id;
	uint16_t notify;      /* responder: the refusal */
	uint16_t notify_data; /* with it, 2 bytes if not 0 */
	const struct ke_impl *ke;
	void *ke_key;
	struct secret nonce, peer_nonce; /* responder: both kept over a WAIT */
	struct secret shared;
	struct buf ke_public; /* responder's answer */
};

static inline struct task_child_create *child_create_of(struct task *t)
{
	return (struct task_child_create *)t;
}

struct child_sa *child_create_sa(struct ike_sa *sa, struct task_child_create *cc);
enum outcome child_create_failed(struct ike_sa *sa, struct task_child_create *cc, enum cause cause, const char *why,
				 unsigned notify);
enum outcome child_create_install(struct ike_sa *sa, struct task_child_create *cc, struct bytes ni, struct bytes nr);
enum outcome child_create_installed(struct ike_sa *sa, struct task_child_create *cc, enum kernel_status status,
				    const struct errtext *err);
void child_create_log_suite(struct ike_sa *sa, const struct child_sa *c);

/* responder */
enum outcome child_create_process_request(struct ike_sa *sa, struct task *t, const struct payload_list *in);
enum outcome child_create_build_response(struct ike_sa *sa, struct task *t, struct builder *b);
enum outcome child_create_respond_resume(struct ike_sa *sa, struct task_child_create *cc, enum kernel_status status);

#endif

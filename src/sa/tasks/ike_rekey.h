/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_TASKS_IKE_REKEY_H
#define BEWICK_SA_TASKS_IKE_REKEY_H

#include "sa/successor.h"
#include "sa/tasks/tasks.h"

/* What the two sides of the task share. */

#define IKE_REKEY_NONCE 32
#define IKE_REKEY_KE_MAX 1024 /* bytes of the largest public value we have (MODP 8192) */

struct task_ike_rekey {
	struct task task;
	struct secret nonce; /* ours */
	/* initiator */
	uint64_t spi; /* of the successor */
	const struct ke_impl *ke;
	void *ke_key;
	uint16_t ke_id;
	uint8_t ke_rounds;
	bool again;              /* TEMPORARY_FAILURE: another task asks later */
	uint64_t temporary_ms;   /* the first of a row of TEMPORARY_FAILURE, 0 none */
	struct ike_sa *survivor; /* from the answer to the end of the exchange */
	/* responder, between request and response */
	struct ike_sa *made;
	struct secret peer_nonce;
	struct buf ke_public;
	uint16_t notify;      /* the refusal */
	uint16_t notify_data; /* with it, 2 bytes if not 0 */
};

static inline struct task_ike_rekey *ike_rekey_of(struct task *t)
{
	return (struct task_ike_rekey *)t;
}

/* The suite in use but with this key exchange method, then what is configured; each with an SPI. Arena. */
struct proposal_list ike_rekey_proposals(struct ike_sa *sa, uint64_t spi, uint16_t ke);
/* The SPI of a proposal for an IKE_SA; 0: it has none. */
uint64_t ike_rekey_spi(const struct proposal *p);

/* responder */
enum outcome ike_rekey_process_request(struct ike_sa *sa, struct task *t, const struct payload_list *in);
enum outcome ike_rekey_build_response(struct ike_sa *sa, struct task *t, struct builder *b);
void ike_rekey_answered(struct ike_sa *sa, struct task_ike_rekey *rk);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_TASKS_IKE_AUTH_H
#define BEWICK_SA_TASKS_IKE_AUTH_H

#include "sa/authentication.h"
#include "sa/tasks/tasks.h"

/*
 * IKE_AUTH in parts: ike_auth.c has the order of steps in both roles, ike_auth_proof.c proves and checks (pre-shared keys here, all
 * else by the service), ike_auth_choose.c finds the connection that fits the peer.
 *
 * Each side has its rounds (RFC 4739), one in a message at most; the peer is authenticated when all rounds of its connection
 * are passed and it has no more.
 */
enum auth_step { AUTH_STEP_IDLE, AUTH_STEP_PROVING, AUTH_STEP_CHECKING };

struct task_ike_auth {
	struct task task;
	uint8_t step;      /* enum auth_step: what WAIT waits for */
	uint8_t n_proved;  /* rounds of ours that are under way or done */
	uint8_t n_checked; /* rounds of the peer that are passed */
	bool others;       /* as responder: more than one connection names the peer as exactly */
	bool begun;        /* as responder: the first request was read */
	bool more_in;      /* what the peer said last: another round of it follows */
	bool proof;        /* there is something to send: id_out with AUTH */
	struct id id_out, id_in; /* of the latest rounds; owned */
	/* AUTH of ours */
	unsigned method;
	struct arena arena; /* of the views */
	struct bytes auth;
	size_t n_certs;
	const struct auth_cert *certs;
};

static inline struct task_ike_auth *ike_auth_of(struct task *t)
{
	return (struct task_ike_auth *)t;
}

enum outcome ike_auth_fatal(struct ike_sa *sa, enum cause cause, const char *why, unsigned notify);
/* Our identity in a round: the configured one, else our address. Owned. */
struct id ike_auth_local_id(const struct ike_sa *sa, const struct conn_round *round);

/* ---- ike_auth_proof.c: each is DONE, WAIT (goes on with ..._answered) or IKE_FATAL, after what is to be logged was ---- */

/* Our round n_proved, as id_out: makes what proof_put sends. */
enum outcome ike_auth_prove(struct ike_sa *sa, struct task_ike_auth *t);
enum outcome ike_auth_proved(struct ike_sa *sa, struct task_ike_auth *t, struct auth_request *r);
void ike_auth_put_certs(struct task_ike_auth *t, struct builder *b);
void ike_auth_put(struct task_ike_auth *t, struct builder *b);
void ike_auth_forget_proof(struct task_ike_auth *t);
/* The peer's round n_checked, of id_in. */
enum outcome ike_auth_check(struct ike_sa *sa, struct task_ike_auth *t, const struct payload_list *in);
enum outcome ike_auth_checked(struct ike_sa *sa, struct task_ike_auth *t, struct auth_request *r);

/* ---- ike_auth_choose.c ---- */

/* Whether AUTH of that method can be one of the round's class. */
bool ike_auth_fits(const struct conn_round *round, unsigned method);
/*
 * Responder: the connection for the peer that says it is idi (and wants idr, if not NULL), with AUTH of that method and more rounds
 * or not; *ret_others: there may be others that fit as well. NULL: there is none, and why has been logged.
 */
const struct conn *ike_auth_choose(struct ike_sa *sa, const struct id *idi, const struct id *idr, unsigned method, bool more,
				   bool *ret_others);

/*
 * Responder: other connections than sa->conn that the peer may be of as well, should that one's constraints refuse the proof of round
 * n_checked at hand. Borrowed from the configuration.
 */
size_t ike_auth_others(struct ike_sa *sa, const struct task_ike_auth *t, const struct payload_list *in,
		       const struct conn *ret[AUTH_OTHERS_MAX]);

#endif

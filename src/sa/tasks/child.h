/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_TASKS_CHILD_H
#define BEWICK_SA_TASKS_CHILD_H

#include "sa/exchange.h"
#include "sa/tasks/tasks.h"

/*
 * The negotiation of a CHILD_SA, in both roles: SPI, offer, key exchange, selectors, keys, the way to the backend.
 * child_create and child_rekey are tasks around it; they begin with a struct child_negotiation.
 */

#define NEGOTIATE_NONCE 32
#define NEGOTIATE_KE_MAX 1024
#define NEGOTIATE_GONE 4

enum negotiate_stage { NEGOTIATE_BEGIN, NEGOTIATE_SPI, NEGOTIATE_INSTALLING };

struct child_negotiation {
	struct task task;
	const struct conn *conn; /* a reference */
	const struct child_conf *conf; /* in conn; NULL: responder before the choice */
	uint32_t child_id;       /* of the CHILD_SA at work; looked up, because it may go first */
	uint32_t old_id;         /* the one that is to be replaced; 0: none */
	uint8_t stage;           /* what WAIT waits for */
	bool initiator;
	bool in_auth; /* part of IKE_AUTH: no nonces, no key exchange of its own */
	bool failed;
	uint8_t ke_rounds;
	uint8_t tries;  /* that were answered with TEMPORARY_FAILURE */
	bool again;     /* it was: another task asks later */
	bool acquired;  /* initiator: for the packet in acquire */
	bool single_pair; /* the peer takes no more than the packet's addresses (RFC 7296, 2.9) */
	struct child_acquire acquire;
	uint8_t n_gone;
	uint32_t gone[NEGOTIATE_GONE]; /* SPIs that the peer deleted before its answer named them */
	uint16_t ke_id;
	uint16_t refusal;     /* initiator: the error notify that was received, 0 none */
	uint16_t notify;      /* responder: the refusal */
	uint16_t notify_data; /* with it, 2 bytes if not 0 */
	uint32_t notify_spi;  /* with it, the SPI of an ESP SA if not 0 */
	const struct ke_impl *ke;
	void *ke_key;
	struct secret nonce, peer_nonce; /* ours, the peer's; kept until the task ends, to compare when rekeyings cross */
	struct secret shared;
	struct buf ke_public; /* responder's answer */
};

static inline struct child_negotiation *negotiation_of(struct task *t)
{
	return (struct child_negotiation *)t;
}

struct child_sa *negotiate_sa(struct ike_sa *sa, const struct child_negotiation *n);
struct child_sa *negotiate_old(struct ike_sa *sa, const struct child_negotiation *n);
/*
 * The one place where a child's failure ends: log, waiter, the half-made SA. As responder `notify` is the answer.
 */
enum outcome negotiate_failed(struct ike_sa *sa, struct child_negotiation *n, enum cause cause, const char *why,
			      unsigned notify);
/* Keys (RFC 7296, 2.17) and their way to the backend. */
enum outcome negotiate_install(struct ike_sa *sa, struct child_negotiation *n, struct bytes ni, struct bytes nr);
enum outcome negotiate_installed(struct ike_sa *sa, struct child_negotiation *n, enum kernel_status status,
				 const struct errtext *err);
void negotiate_log_suite(struct ike_sa *sa, const struct child_sa *c);
void negotiate_clear(struct ike_sa *sa, struct child_negotiation *n);
/* Our proposals in order of preference, from the message's arena: the suite of the one to be replaced comes first. */
struct proposal_list negotiate_proposals(struct ike_sa *sa, const struct child_negotiation *n);
/* Our selectors for it: the configured ones, and all that the one to be replaced has (RFC 7296, 2.9.2). */
void negotiate_selectors(struct ike_sa *sa, const struct child_negotiation *n, const struct child_conf *conf,
			 struct ts_list *ret_local, struct ts_list *ret_remote);

/* ---- tunnel, transport or BEET mode (child_mode.c) ---- */

/* The mode that we want: that of the one to be replaced, else the configured one. */
enum ipsec_mode negotiate_mode(struct ike_sa *sa, const struct child_negotiation *n);
/* Narrows selectors to what the mode can carry; false: nothing is left. */
bool negotiate_mode_selectors(struct ike_sa *sa, const struct child_negotiation *n, enum ipsec_mode mode, struct ts_list *local,
			      struct ts_list *remote);
void negotiate_build_mode(const struct child_sa *c, struct builder *b);
/* Initiator: the configured selectors do not suit the mode. */
enum outcome negotiate_mode_impossible(struct ike_sa *sa, struct child_negotiation *n);
/* Initiator: what the peer made of our wish. Why it is not acceptable, or NULL. */
const char *negotiate_take_mode(struct ike_sa *sa, const struct child_negotiation *n, const struct payload_list *in);
/* Responder: the mode for the peer's wish, the selectors narrowed to it; false: the wish is to be refused. */
bool negotiate_answer_mode(struct ike_sa *sa, const struct child_negotiation *n, const struct payload_list *in,
			   struct ts_list *local, struct ts_list *remote, enum ipsec_mode *ret_mode);

/* ---- NATs (child_nat.c) ---- */

/* The peer asks for transport mode, or agrees to it. */
bool negotiate_asks_transport(const struct payload_list *in);
/*
 * Selectors of transport mode as the peer sees the hosts, with the addresses as we see them (RFC 7296, 2.23.1): of the end that is
 * behind a NAT. Unchanged if there is no NAT, or more than one address.
 */
struct ts_list negotiate_nat_selectors(struct ike_sa *sa, struct ts_list list, bool local);
/* The selectors are this peer's from now on; false: they are another's, with which it cannot share them. */
bool negotiate_claim(struct ike_sa *sa, struct child_sa *c);
void negotiate_log_claimed(struct ike_sa *sa, const struct child_sa *c);

/* initiator */
enum outcome negotiate_prepare(struct ike_sa *sa, struct child_negotiation *n); /* the new CHILD_SA and its SPI */
/* It is not to be, before anything was sent: the request goes out without it, which an IKE_AUTH request may only do if the peer says
 * so (RFC 6023). */
enum outcome negotiate_without(struct ike_sa *sa, struct child_negotiation *n, enum cause cause, const char *why,
			       const char *why_fatal);
enum outcome negotiate_build_request(struct ike_sa *sa, struct child_negotiation *n, struct builder *b);
enum outcome negotiate_process_response(struct ike_sa *sa, struct child_negotiation *n, const struct payload_list *in);
enum outcome negotiate_resume(struct ike_sa *sa, struct child_negotiation *n, enum kernel_status status,
			      const struct errtext *err);
/* The error of an answer, or NULL. */
const struct payload_notify *negotiate_error(const struct payload_list *in);
/* What the peer's refusal means, what each side wants, what to do (child_refusal.c). */
enum outcome negotiate_refused(struct ike_sa *sa, struct child_negotiation *n, const struct payload_notify *notify);
bool negotiate_is_installed(struct ike_sa *sa, const struct child_negotiation *n);

/* responder: n->conf and n->conn chosen, or n->failed; then the rest of the request. All of it answers, OUTCOME_DONE. */
enum outcome negotiate_answer_refusal(struct ike_sa *sa, struct child_negotiation *n, enum cause cause, const char *why,
				      unsigned notify);
/* The payloads that a request for a CHILD_SA must have: else the IKE_SA ends (OUTCOME_IKE_FATAL). */
enum outcome negotiate_check_request(struct ike_sa *sa, const struct child_negotiation *n, const struct payload_list *in);
enum outcome negotiate_answer(struct ike_sa *sa, struct child_negotiation *n, const struct payload_list *in,
			      struct ts_list local, struct ts_list remote);
enum outcome negotiate_answer_resume(struct ike_sa *sa, struct child_negotiation *n, enum kernel_status status,
				     const struct errtext *err);
enum outcome negotiate_build_response(struct ike_sa *sa, struct child_negotiation *n, struct builder *b);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/authentication.h"

#include <stdlib.h>

#include "auth/kept_chain.h"
#include "auth/signed_octets.h"
#include "sa/init_variant.h"

/* ---- the service ---- */

static void authentication_drop(struct mail *m)
{
	authentication_free(container_of(m, struct sa_authentication, r.mail));
}

struct sa_authentication *authentication_new(struct ike_sa *sa, enum auth_work work, const struct conn_round *round,
					     const struct id *id)
{
	struct sa_authentication *a = xcalloc(1, sizeof(*a));
	struct arena *arena = &a->r.arena;

	a->ike_id = sa->log.id;
	a->r.mail.drop = authentication_drop;
	a->r.work = work;
	a->r.deadline_ms = sa_now(sa->ctx) + LIMIT_AUTH_MS;
	a->r.conn = conn_ref(sa->conn);
	a->r.round = round;
	a->r.config = config_ref(sa->ctx->config);
	a->r.id = (struct id){ id->type, bytes_of(arena_dup(arena, id->data.p, id->data.n), id->data.n) };
	return a;
}

void authentication_free(struct sa_authentication *a)
{
	if (!a)
		return;
	auth_request_clear(&a->r);
	free(a);
}

bool authentication_octets(struct ike_sa *sa, struct sa_authentication *a)
{
	const struct ike_setup *s = sa->setup;
	bool initiator = sa->initiator == (a->r.work == AUTH_SIGN); /* whose octets */
	struct psk_octets octets = {
		.message = buf_bytes(initiator ? &s->init_request : &s->init_response),
		.nonce = secret_bytes(initiator ? &s->nr : &s->ni),
		.sk_p = bytes_of(initiator ? ike_keys_pi(&sa->keys) : ike_keys_pr(&sa->keys), sa->keys.p_len),
	};
	struct buf variant = { 0 };
	bool more = true, ok = true;

	for (unsigned n = 0; ok && more && a->r.n_octets < AUTH_OCTETS_MAX; n++) {
		ok = result_is_ok(signed_octets(sa->ctx->crypto, sa->suite.prf, &octets, &a->r.id, &a->r.arena,
						&a->r.octets[a->r.n_octets]));
		a->r.n_octets += ok;
		/* the request that the peer authenticates may be another one than that we saw */
		more = !sa->initiator && a->r.work == AUTH_VERIFY && n < INIT_VARIANTS && init_variant(sa, n, &variant);
		octets.message = buf_bytes(&variant);
	}
	buf_free(&variant);
	return ok;
}

bool authentication_submit(struct ike_sa *sa, struct sa_authentication *a, const char **ret_why)
{
	if (sa->ctx->ops->authenticate && sa->ctx->ops->authenticate(sa->ctx->host, sa, &a->r)) {
		sa->setup->authenticating = &a->r;
		return true;
	}
	*ret_why = sa->ctx->ops->authenticate ? "the service that signs and verifies takes no more" : "there are only pre-shared keys here";
	authentication_free(a);
	return false;
}

/* ---- chains of the peer ---- */

void chains_add(struct ike_sa *sa, const struct trust_chain *chain)
{
	unsigned n = sa->chains ? sa->chains->count : 0;

	if (!chain || n == SA_CHAINS)
		return;
	/* of this IKE_SA alone: it has no successor yet */
	sa->chains = xrealloc(sa->chains, sizeof(*sa->chains) + (n + 1) * sizeof(struct kept_chain *));
	sa->chains->chains[n] = kept_chain_new(chain);
	sa->chains->refs = 1;
	sa->chains->count = n + 1;
}

void chains_inherit(struct ike_sa *sa, const struct ike_sa *old)
{
	sa->chains = old->chains;
	if (sa->chains)
		sa->chains->refs++;
}

void chains_clear(struct ike_sa *sa)
{
	struct sa_chains *c = sa->chains;

	sa->chains = NULL;
	if (!c || --c->refs)
		return;
	for (unsigned i = 0; i < c->count; i++)
		kept_chain_free(c->chains[i]);
	free(c);
}

void ike_sa_recheck_crl(struct ike_sa *sa, const struct crl *crl)
{
	const struct sa_chains *c = sa->chains;

	/* also one that is on its way: its peer is believed already, and nobody would look again */
	if (sa->finished || !c || ike_sa_current(sa) != sa ||
	    (sa->state != IKE_STATE_CONNECTING && sa->state != IKE_STATE_ESTABLISHED && sa->state != IKE_STATE_REKEYING))
		return;
	for (unsigned i = 0; i < c->count; i++) {
		if (!kept_chain_revoked_by(c->chains[i], crl))
			continue;
		LOG_SA(&sa->log, CFG, LOG_LEVEL_AUDIT,
		       "a CRL of '%s' revokes a certificate of '%s', %s or of one of its CAs: IKE_SA %s[%u] is closed",
		       id_text(&crl->issuer).s, id_text(&sa->remote_id).s, kept_chain_text(c->chains[i]).s, sa->log.name,
		       sa->log.id);
		ike_sa_terminate(sa, false, (struct sa_request){ 0 });
		return;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/acerts.h"

#include <stdlib.h>

#include "auth/groups.h"
#include "auth/trust_inside.h"
#include "proto/limits.h"
#include "util/mem.h"

/* What one check may cost: as that of a peer's chain (trust.c). */
#define ACERTS_STEPS 512
#define ACERTS_CHECKS 12

struct acerts {
	const struct acerts_input *in;
	/* An authority is trusted by its own chain, whatever the connection wants of that of the peer; but strong keys are wanted of all. */
	struct conn_round round;
	struct trust_input trust;
	unsigned steps, checks; /* left, for all together */
	const struct cert *aa;     /* the last authority, and its chain or what is wrong with it */
	struct trust_chain *aa_chain;
	struct errtext aa_why;
	struct buf why; /* of those that were not taken */
	size_t n;
	struct acert_grant *grants;
};

static void acerts_note(struct acerts *s, const struct acert *ac, const char *why)
{
	buf_printf(&s->why, "; attribute certificate %s: %s", acert_text(ac).s, why);
}

/* ---- its issuer */

static struct trust_chain *aa_search(struct acerts *s, const struct cert *aa)
{
	struct trust_search search = { .in = &s->trust, .steps = s->steps, .checks = s->checks, .path = { aa }, .n = 1 };
	struct trust_chain *chain = NULL;
	bool ok = trust_aa_is_good(&search, aa);

	/* one that signed itself is trusted as it is loaded; for the others it takes a CA */
	if (ok)
		ok = aa->self_issued ? trust_path_is_good(&search) : trust_path_find(&search);
	if (ok)
		chain = trust_chain_of(search.path, search.n);
	else
		s->aa_why = search.why;
	if (chain && chain->n == TRUST_CHAIN_MAX) { /* there is no place for what it issued */
		errtext_set(&s->aa_why, "the path from certificate %s to a CA is too long", cert_text(aa).s);
		trust_chain_unref(chain);
		chain = NULL;
	}
	s->steps = search.steps;
	s->checks = search.checks;
	return chain;
}

static const struct trust_chain *aa_chain(struct acerts *s, const struct cert *aa)
{
	if (s->aa == aa)
		return s->aa_chain;
	trust_chain_unref(s->aa_chain);
	s->aa = aa;
	s->aa_chain = aa_search(s, aa);
	return s->aa_chain;
}

static void no_issuer_text(const struct acerts *s, const struct acert *ac, struct errtext *why)
{
	const struct credentials *creds = s->trust.creds;
	const char *more = "";

	for (size_t i = 0; i < creds->n_certs; i++) {
		const struct cert *c = creds->certs[i].cert;

		if (c->subject_hash == ac->issuer_hash && id_equal(&c->subject, &ac->issuer))
			more = c->ca ? ": that certificate is a CA's, which must not issue any (RFC 5755, 4.5)" :
				       ": its certificate is loaded, but not as an authority's, or it has another key";
	}
	errtext_set(why, "its issuer is no attribute authority that is loaded (x509aa)%s", more);
}

/* The chain of who issued it, or NULL. */
static const struct trust_chain *issuer_chain(struct acerts *s, const struct acert *ac, struct errtext *why)
{
	const struct conn_round *round = &s->round;
	const struct loaded_cert *lc;
	bool known = false;

	for (size_t i = 0; (lc = credentials_aa(s->trust.creds, ac, i)); i++) {
		const struct trust_chain *chain;

		if (!acert_maybe_issued_by(ac, lc->cert))
			continue;
		known = true;
		if (!acert_is_signed_by(ac, lc->cert)) {
			errtext_set(why, "it was not signed with the key of its issuer, certificate %s", cert_text(lc->cert).s);
			continue;
		}
		if (!key_rules_allow(round->rules.chain, round->rules.n_chain, lc->cert->key, &ac->signature)) {
			errtext_set(why, "it is signed by %s with a key of %u bits: too weak for 'auth = %.60s'",
				    sig_scheme_name(&ac->signature), lc->cert->key->bits, round->auth_text);
			continue;
		}
		chain = aa_chain(s, lc->cert);
		if (chain)
			return chain;
		*why = s->aa_why;
	}
	if (!known)
		no_issuer_text(s, ac, why);
	return NULL;
}

/* ---- for whom it is */

static bool cert_is_ours(const struct acert *ac, const struct cert *cert)
{
	for (size_t i = 0; i < ac->n_targets; i++)
		if (cert_match_id(cert, &ac->targets[i]))
			return true;
	return false;
}

/* RFC 5755, 4.3.2: we are one of those that it names, by an identity of the connection or a name of a certificate of ours. */
static bool target_is_us(const struct acerts *s, const struct acert *ac)
{
	const struct conn *conn = s->in->conn;
	const struct credentials *creds = s->trust.creds;

	for (size_t i = 0; conn && i < conn->n_local_rounds; i++) {
		const struct conn_round *r = &conn->local_rounds[i];

		for (size_t k = 0; k < ac->n_targets; k++)
			if (!id_is_any(&r->id) && id_equal(&r->id, &ac->targets[k]))
				return true;
		for (size_t k = 0; k < r->n_certs; k++)
			if (cert_is_ours(ac, r->certs[k]))
				return true;
	}
	for (size_t i = 0; i < creds->n_certs; i++)
		if (creds->certs[i].flag == CERT_FLAG_NONE && cert_is_ours(ac, creds->certs[i].cert) &&
		    credentials_key(creds, creds->certs[i].cert->key->id))
			return true;
	return false;
}

/* ---- one */

static bool acert_is_good(struct acerts *s, const struct acert *ac, const struct trust_chain **ret_chain, struct errtext *why)
{
	const struct trust_input *in = &s->trust;

	*ret_chain = NULL;
	if (!acert_is_of(ac, s->in->holder))
		errtext_set(why, "its holder is not the peer, certificate %s", cert_text(s->in->holder).s);
	else if (ac->not_before > in->now && ac->not_before - in->now > in->skew)
		errtext_set(why, "it is not valid before %s", trust_date(ac->not_before).s);
	else if (ac->not_after < in->now && in->now - ac->not_after > in->skew)
		errtext_set(why, "it has expired at %s", trust_date(ac->not_after).s);
	else if (ac->targeted && !target_is_us(s, ac))
		errtext_set(why, "it is for other servers than us (targetInformation)");
	else if (ac->signature_why)
		errtext_set(why, "its signature cannot be checked: %s", ac->signature_why);
	else
		*ret_chain = issuer_chain(s, ac, why);
	return *ret_chain != NULL;
}

static struct trust_chain *grant_chain(const struct acert *ac, const struct trust_chain *chain)
{
	const struct cert *path[TRUST_CHAIN_MAX];
	size_t n = 0;

	if (ac->never_revoked)
		return trust_chain_ref(chain);
	path[n++] = ac->revocable;
	for (size_t i = 0; i < chain->n; i++)
		path[n++] = chain->certs[i];
	return trust_chain_of(path, n);
}

static void acert_take(struct acerts *s, struct acert *ac)
{
	struct peer_groups mine = { 0 };
	const struct peer_group *wanted;
	const struct trust_chain *chain;
	struct cert_text by = acert_text(ac);
	struct errtext why = { "" };

	if (!acert_is_good(s, ac, &chain, &why)) {
		acerts_note(s, ac, why.s);
		return;
	}
	for (size_t i = 0; i < ac->n_groups; i++)
		peer_groups_add(&mine, s->in->trust->round, ac->groups[i], by.s);
	wanted = peer_groups_wanted(&mine, s->in->trust->round);
	if (wanted && s->n < ACERT_GRANTS) {
		s->grants[s->n++] = (struct acert_grant){ acert_ref(ac), grant_chain(ac, chain), wanted->name };
		return;
	}
	buf_printf(&s->why, "; attribute certificate %s says that it is in: ", acert_text(ac).s);
	peer_groups_format(&s->why, &mine);
	if (ac->foreign_groups)
		buf_add_str(&s->why, ", and in groups of another policyAuthority, which is not supported");
}

/* ---- all */

static void acerts_explain(struct acerts *s, size_t n_seen, struct errtext *err)
{
	struct buf out = { 0 };

	buf_add_str(&out, "the peer has to be in one of the groups ");
	round_groups_format(&out, s->in->trust->round);
	if (!n_seen)
		buf_printf(&out, "; it sent no attribute certificate, and none is loaded for its certificate %s",
			   cert_text(s->in->holder).s);
	if (s->why.n)
		buf_add_bytes(&out, buf_bytes(&s->why));
	errtext_set(err, "%s", buf_str(&out));
	buf_free(&out);
}

static bool acert_was_sent(const struct acerts_input *in, const struct acert *ac)
{
	for (size_t i = 0; i < in->n_sent; i++)
		if (acert_equal(in->sent[i], ac))
			return true;
	return false;
}

size_t acerts_check(const struct acerts_input *in, struct acert_grant *ret, struct errtext *err)
{
	struct acerts s = { .in = in, .trust = *in->trust, .steps = ACERTS_STEPS, .checks = ACERTS_CHECKS, .grants = ret };
	const struct acert *loaded[ACERTS_LOADED];
	size_t n = credentials_acerts(in->trust->creds, in->holder, loaded, ACERTS_LOADED);

	s.round = (struct conn_round){ .auth = in->trust->round->auth, .auth_text = in->trust->round->auth_text,
				       .rules = in->trust->round->rules };
	s.trust.round = &s.round;
	for (size_t i = 0; i < in->n_sent && i < LIMIT_ACERTS; i++)
		acert_take(&s, in->sent[i]);
	for (size_t i = 0; i < n; i++)
		if (!acert_was_sent(in, loaded[i]))
			acert_take(&s, (struct acert *)(uintptr_t)loaded[i]);
	if (!s.n)
		acerts_explain(&s, n + in->n_sent, err);
	trust_chain_unref(s.aa_chain);
	buf_free(&s.why);
	return s.n;
}

void acert_grants_clear(struct acert_grant *grants, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		acert_unref(grants[i].acert);
		trust_chain_unref(grants[i].chain);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/trust_inside.h"

/*
 * A search in depth from the end entity to a trust anchor, over names and key identifiers. Signatures are verified for whole paths,
 * from the anchor down: what a peer makes up costs one signature. Loops end since no key and name comes twice in a path, and all
 * together by the steps and checks that are left.
 */

bool trust_same_ca(const struct cert *a, const struct cert *b)
{
	return cert_equal(a, b) || (a->subject_hash == b->subject_hash && id_equal(&a->subject, &b->subject) &&
				    public_key_equal(a->key, b->key));
}

bool trust_is_anchor(const struct trust_input *in, const struct cert *c)
{
	const struct conn_round *r = in->round;
	const struct loaded_cert *lc;

	if (!c->ca)
		return false;
	for (size_t i = 0; (lc = credentials_by_subject(in->creds, c, i)); i++) {
		if (lc->flag == CERT_FLAG_CA && cert_equal(lc->cert, c))
			return true;
	}
	for (size_t i = 0; i < r->n_cacerts; i++) {
		if (cert_equal(r->cacerts[i], c))
			return true;
	}
	return false;
}

/* ---- candidates for the issuer of the last certificate, one after the other */

enum source { SOURCE_LOADED, SOURCE_ROUND, SOURCE_PEER, SOURCES };

struct issuers {
	const struct trust_input *in;
	const struct cert *of;
	enum source source;
	size_t at, n_seen;
	const struct cert *seen[TRUST_PEER_CERTS]; /* one may come from several sources */
};

/* NULL: this source has no more. */
static const struct cert *issuers_take(struct issuers *it)
{
	const struct trust_input *in = it->in;
	const struct loaded_cert *lc;

	switch (it->source) {
	case SOURCE_LOADED:
		lc = credentials_issuer(in->creds, it->of, it->at++);
		return lc ? lc->cert : NULL;
	case SOURCE_ROUND:
		return it->at < in->round->n_cacerts ? in->round->cacerts[it->at++] : NULL;
	case SOURCE_PEER:
		return it->at < in->n_certs && it->at < TRUST_PEER_CERTS ? in->certs[it->at++] : NULL;
	case SOURCES:
		break;
	}
	return NULL;
}

static bool issuers_see(struct issuers *it, const struct cert *c)
{
	for (size_t i = 0; i < it->n_seen; i++) {
		if (cert_equal(it->seen[i], c))
			return false;
	}
	if (it->n_seen < TRUST_PEER_CERTS)
		it->seen[it->n_seen++] = c;
	return true;
}

static const struct cert *issuers_next(struct issuers *it)
{
	while (it->source < SOURCES) {
		const struct cert *c = issuers_take(it);

		if (!c) {
			it->source++;
			it->at = 0;
		} else if (cert_maybe_issued_by(it->of, c) && issuers_see(it, c)) {
			return c;
		}
	}
	return NULL;
}

/* ---- the search */

static bool path_has(const struct trust_search *s, const struct cert *c)
{
	for (size_t i = 0; i < s->n; i++) {
		if (trust_same_ca(s->path[i], c))
			return true;
	}
	return false;
}

static bool issuer_is_possible(struct trust_search *s, const struct cert *c)
{
	/* RFC 4945, 5.1.3.9: without basicConstraints it is none */
	if (!c->ca) {
		trust_fail(s, TRUST_RANK_ISSUER, "certificate %s cannot be the issuer of %s: it is no CA's (basicConstraints)",
			   cert_text(c).s, cert_text(s->path[s->n - 1]).s);
		return false;
	}
	if (!c->may_sign_certs) {
		trust_fail(s, TRUST_RANK_ISSUER, "certificate %s cannot be the issuer of %s: its key usage has no keyCertSign",
			   cert_text(c).s, cert_text(s->path[s->n - 1]).s);
		return false;
	}
	return true;
}

static bool path_step(struct trust_search *s, const struct cert *issuer)
{
	if (path_has(s, issuer) || !issuer_is_possible(s, issuer))
		return false;
	if (s->n == TRUST_CHAIN_MAX) {
		trust_fail(s, TRUST_RANK_ISSUER, "the path from certificate %s to a CA is longer than %d certificates",
			   cert_text(s->path[0]).s, TRUST_CHAIN_MAX);
		return false;
	}
	if (!s->steps || !s->checks) {
		trust_fail(s, TRUST_RANK_ISSUER, "there are too many paths from certificate %s to a CA", cert_text(s->path[0]).s);
		return false;
	}
	s->steps--;
	s->path[s->n++] = issuer;
	return true;
}

static bool path_try(struct trust_search *s, bool anchors_only, bool *ret_any);

/*
 * An anchor that did not sign itself is an end only if its issuer is not loaded: what that one says (constraints, validity, revocation)
 * counts else.
 */
static bool path_end(struct trust_search *s)
{
	const struct cert *last = s->path[s->n - 1];
	bool any = false;

	if (!last->self_issued && path_try(s, true, &any))
		return true;
	return !any && trust_path_is_good(s);
}

/* With each candidate; *ret_any: there is one. */
static bool path_try(struct trust_search *s, bool anchors_only, bool *ret_any)
{
	const struct cert *last = s->path[s->n - 1], *c;
	struct issuers it = { .in = s->in, .of = last };

	while ((c = issuers_next(&it))) {
		bool anchor = trust_is_anchor(s->in, c);
		size_t n = s->n;

		/* Of anchors few are tried, and two of one name are told from each other. */
		if (anchors_only && (!anchor || !cert_is_signed_by(last, c)))
			continue;
		if (!path_step(s, c))
			continue;
		*ret_any = true;
		if (trust_path_find(s))
			return true;
		s->n = n;
	}
	return false;
}

static void path_fail(struct trust_search *s)
{
	const struct cert *last = s->path[s->n - 1];

	if (last->self_issued)
		trust_fail(s, TRUST_RANK_NO_ISSUER + (int)s->n,
			   "no trusted CA for certificate %s: %s is self-signed and not loaded as a CA's",
			   cert_text(s->path[0]).s, s->n > 1 ? cert_text(last).s : "it");
	else
		trust_fail(s, TRUST_RANK_NO_ISSUER + (int)s->n,
			   "no trusted CA for certificate %s: there is no certificate of the issuer '%.200s', neither loaded nor sent",
			   cert_text(s->path[0]).s, id_text(&last->issuer).s);
}

bool trust_path_find(struct trust_search *s)
{
	bool any = false;

	if (trust_is_anchor(s->in, s->path[s->n - 1]))
		return path_end(s);
	if (path_try(s, false, &any))
		return true;
	if (!any)
		path_fail(s);
	return false;
}

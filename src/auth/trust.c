/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/trust_inside.h"
#include "util/mem.h"

/* What one check may cost: edges that are looked at, and whole paths whose signatures are verified. */
#define TRUST_STEPS 512
#define TRUST_CHECKS 12

/* ---- chains */

struct trust_chain *trust_chain_ref(const struct trust_chain *c)
{
	struct trust_chain *mine = (struct trust_chain *)c;

	atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
	return mine;
}

void trust_chain_unref(const struct trust_chain *c)
{
	struct trust_chain *mine = (struct trust_chain *)c;

	if (!mine || atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < mine->n; i++)
		cert_unref(mine->certs[i]);
	free(mine);
}

struct trust_chain *trust_chain_of(const struct cert *const *path, size_t n)
{
	struct trust_chain *chain = xcalloc(1, sizeof(*chain));

	atomic_init(&chain->refs, 1);
	chain->valid_until = INT64_MAX;
	for (size_t i = 0; i < n; i++) {
		chain->certs[chain->n++] = cert_ref(path[i]);
		if (path[i]->not_after < chain->valid_until)
			chain->valid_until = path[i]->not_after;
	}
	return chain;
}

/* ---- failures */

void trust_fail(struct trust_search *s, int rank, const char *fmt, ...)
{
	va_list ap;

	if (rank <= s->rank)
		return;
	s->rank = rank;
	va_start(ap, fmt);
	vsnprintf(s->why.s, sizeof(s->why.s), fmt, ap);
	va_end(ap);
}

/* ---- the end entity */

static bool certs_have(struct cert *const *certs, size_t n, const struct cert *c)
{
	for (size_t i = 0; i < n; i++) {
		if (cert_equal(certs[i], c))
			return true;
	}
	return false;
}

/* Loaded by the operator as a certificate of a peer (or of our own). */
static bool end_entity_is_loaded(const struct trust_input *in, const struct cert *c)
{
	const struct loaded_cert *lc;

	for (size_t i = 0; (lc = credentials_by_subject(in->creds, c, i)); i++) {
		if (lc->flag == CERT_FLAG_NONE && cert_equal(lc->cert, c))
			return true;
	}
	return false;
}

static bool identity_is_good(struct trust_search *s, const struct cert *c)
{
	struct buf names = { 0 };

	if (cert_match_id(c, s->in->id) == ID_MATCH_PERFECT)
		return true;
	cert_names_format(&names, c);
	trust_fail(s, TRUST_RANK_IDENTITY, "certificate %s is not for identity '%.100s': its names are %.200s",
		   cert_text(c).s, id_text(s->in->id).s, buf_str(&names));
	buf_free(&names);
	return false;
}

static bool pin_is_good(struct trust_search *s, const struct cert *c)
{
	const struct conn_round *r = s->in->round;

	if (!r->n_certs || certs_have(r->certs, r->n_certs, c))
		return true;
	trust_fail(s, TRUST_RANK_RULES, "certificate %s is none of those that the connection accepts (remote certs): the first is %s",
		   cert_text(c).s, cert_text(r->certs[0]).s);
	return false;
}

/*
 * A way to a CA comes first, since what the CA says counts then (revocation, too). What the operator loaded as the peer's certificate
 * needs none; but that there is none must be sure, and not because the peer has led the search astray.
 */
static struct trust_chain *end_entity_try(struct trust_search *s, const struct cert *c)
{
	const struct conn_round *r = s->in->round;

	if (!identity_is_good(s, c) || !pin_is_good(s, c) || !trust_end_entity_is_good(s, c))
		return NULL;
	s->path[0] = c;
	s->n = 1;
	if (trust_path_find(s))
		return trust_chain_of(s->path, s->n);
	if (!s->steps || !s->checks || (!certs_have(r->certs, r->n_certs, c) && !end_entity_is_loaded(s->in, c)))
		return NULL;
	s->n = 1;
	return trust_path_is_good(s) ? trust_chain_of(s->path, s->n) : NULL;
}

/* RFC 7296, 3.6: the first one is the end entity's; in doubt others are tried. */
static struct trust_chain *peer_certs_try(struct trust_search *s)
{
	const struct trust_input *in = s->in;
	size_t n = in->n_certs < TRUST_PEER_CERTS ? in->n_certs : TRUST_PEER_CERTS;
	struct trust_chain *chain = end_entity_try(s, in->certs[0]);

	for (size_t i = 1; i < n && !chain; i++) {
		if (cert_match_id(in->certs[i], in->id))
			chain = end_entity_try(s, in->certs[i]);
	}
	return chain;
}

/* A peer that sends none: we may have it. */
static struct trust_chain *loaded_certs_try(struct trust_search *s)
{
	const struct trust_input *in = s->in;
	const struct conn_round *r = in->round;
	struct trust_chain *chain = NULL;

	for (size_t i = 0; i < r->n_certs && !chain; i++) {
		if (cert_match_id(r->certs[i], in->id))
			chain = end_entity_try(s, r->certs[i]);
	}
	for (size_t i = 0; !r->n_certs && i < in->creds->n_certs && !chain; i++) {
		const struct loaded_cert *lc = &in->creds->certs[i];

		if (lc->flag == CERT_FLAG_NONE && cert_match_id(lc->cert, in->id))
			chain = end_entity_try(s, lc->cert);
	}
	if (!chain)
		trust_fail(s, TRUST_RANK_IDENTITY, "the peer sent no certificate, and none for '%.100s' is loaded",
			   id_text(in->id).s);
	return chain;
}

struct trust_chain *trust_check(const struct trust_input *in, struct errtext *err)
{
	struct trust_search s = { .in = in, .steps = TRUST_STEPS, .checks = TRUST_CHECKS };
	struct trust_chain *chain = NULL;

	if (in->n_certs)
		chain = peer_certs_try(&s);
	else
		chain = loaded_certs_try(&s);
	if (!chain)
		*err = s.why;
	return chain;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_inside.h"

#include <stdlib.h>
#include <string.h>

#include "auth/cert_url.h"
#include "util/log.h"

/* Who we are: a certificate (or raw key) with its key, the signature, and what goes with it. */

/* A certificate (or raw key) of ours, and how well it suits. */
struct sign_choice {
	const struct cert *cert; /* NULL: a raw key */
	const struct public_key *public;
	const struct private_key *key;
	const struct cert *issuer;                 /* NULL: not here */
	const struct cert *chain[TRUST_CHAIN_MAX]; /* intermediate CAs above it */
	size_t n_chain;
	const struct cert *above[TRUST_CHAIN_MAX]; /* these, and the root */
	size_t n_above;
	struct sig_scheme scheme;
	unsigned method;
	int place;      /* of that among what the peer announced (RFC 9593); -1: it is not among it */
	bool asked_for; /* the peer named a CA above it */
	int score;
};

static bool certreq_names(struct bytes certreq, const struct cert *ca)
{
	for (size_t at = 0; at + KEY_ID_LEN <= certreq.n; at += KEY_ID_LEN)
		if (memcmp(certreq.p + at, ca->key->spki_id, KEY_ID_LEN) == 0)
			return true;
	return false;
}

static const struct cert *sign_issuer(const struct credentials *creds, const struct cert *cert)
{
	const struct loaded_cert *l;

	for (size_t at = 0; (l = credentials_issuer(creds, cert, at)); at++)
		if (l->cert->ca && cert_maybe_issued_by(cert, l->cert))
			return l->cert;
	for (size_t i = 0; i < creds->n_authorities; i++)
		if (creds->authorities[i].cacert && cert_maybe_issued_by(cert, creds->authorities[i].cacert))
			return creds->authorities[i].cacert;
	return NULL;
}

/* The way up as far as it is loaded; the root is the peer's to have. */
static void sign_climb(const struct auth_request *r, struct sign_choice *c)
{
	const struct cert *at = c->cert, *issuer;

	if (c->cert->self_issued)
		return;
	for (size_t i = 0; i < TRUST_CHAIN_MAX && (issuer = sign_issuer(r->config->creds, at)); i++) {
		if (i == 0)
			c->issuer = issuer;
		c->above[c->n_above++] = issuer;
		if (certreq_names(r->certreq, issuer))
			c->asked_for = true;
		if (issuer->self_issued)
			return;
		c->chain[c->n_chain++] = issuer;
		at = issuer;
	}
}

/* What policy and the peer's hashes leave for the key, the best first. */
static size_t sign_schemes(const struct auth_job *job, const struct public_key *key, struct sig_scheme ret[SIG_SCHEMES_MAX],
			   unsigned *ret_method)
{
	const struct auth_rules *rules = &job->r->round->rules;
	unsigned allowed = 0;
	bool pss = job->o.rsa_pss;
	size_t n, kept = 0;

	for (size_t i = 0; i < rules->n_ike; i++) {
		const struct key_rule *rule = &rules->ike[i];

		if (rule->type != KEY_ANY && rule->type != (uint8_t)key->type)
			continue;
		allowed |= rule->hashes;
		pss |= rule->pss;
	}
	if (rules->n_ike && !allowed)
		allowed = SIG_HASHES; /* rules that name no hash do not mean SHA-1 */
	n = sig_scheme_list(key, job->r->peer_hashes, allowed, pss, ret, ret_method);
	for (size_t i = 0; i < n; i++)
		if (!rules->n_ike || key_rules_allow(rules->ike, rules->n_ike, key, &ret[i]))
			ret[kept++] = ret[i];
	return kept;
}

/* RFC 9593, 3: of several schemes the first that the peer takes; if there is none, it gets our best, which it may take all the same. */
static bool sign_scheme(const struct auth_job *job, struct sign_choice *c)
{
	const struct auth_request *r = job->r;
	struct sig_scheme all[SIG_SCHEMES_MAX];
	size_t n = sign_schemes(job, c->public, all, &c->method);

	c->place = -1;
	if (n == 0)
		return false;
	c->scheme = all[0];
	for (size_t i = 0; auth_methods_say(r->methods) && i < n && c->place < 0; i++) {
		c->place = auth_methods_find(r->methods, c->method, &all[i], r->certreq, c->above, c->n_above);
		if (c->place >= 0)
			c->scheme = all[i];
	}
	return true;
}

/* False: not to be used. */
static bool sign_rate(const struct auth_job *job, const struct cert *cert, struct sign_choice *ret)
{
	const struct auth_request *r = job->r;
	struct sign_choice c = { .cert = cert, .public = cert->key, .key = credentials_key(r->config->creds, cert->key->id) };

	if (!c.key)
		return false;
	sign_climb(r, &c);
	if (!sign_scheme(job, &c))
		return false;
	c.score = 16 * (cert_match_id(cert, &r->id) > 0) + 8 * (cert->not_before <= job->now && job->now <= cert->not_after) +
		  4 * (c.place >= 0) + 2 * c.asked_for + 1;
	*ret = c;
	return true;
}

/* Of two that are equally good the peer prefers one; if not, the first one wins. */
static void sign_try(const struct auth_job *job, const struct cert *cert, struct sign_choice *best)
{
	struct sign_choice c;

	if (sign_rate(job, cert, &c) && (c.score > best->score || (c.score == best->score && c.place < best->place)))
		*best = c;
}

/* Our certificates for the round, one after the other; NULL: there are no more. */
static const struct cert *sign_candidate(const struct auth_request *r, size_t *at)
{
	const struct credentials *creds = r->config->creds;

	if (r->round->n_certs)
		return *at < r->round->n_certs ? r->round->certs[(*at)++] : NULL;
	while (*at < creds->n_certs) {
		const struct loaded_cert *l = &creds->certs[(*at)++];

		if (l->flag == CERT_FLAG_NONE && cert_match_id(l->cert, &r->id))
			return l->cert;
	}
	return NULL;
}

static bool sign_choose(const struct auth_job *job, struct sign_choice *ret)
{
	const struct cert *cert;
	size_t at = 0;

	*ret = (struct sign_choice){ .score = 0 };
	while ((cert = sign_candidate(job->r, &at)))
		sign_try(job, cert, ret);
	return ret->cert != NULL;
}

/* ---- nothing that the peer takes ---- */

static void sign_list(const struct auth_job *job, const struct public_key *key, const char *name, struct buf *out)
{
	struct sig_scheme all[SIG_SCHEMES_MAX];
	unsigned method;
	size_t n = credentials_key(job->r->config->creds, key->id) ? sign_schemes(job, key, all, &method) : 0;

	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%s", i ? ", " : out->n ? "; " : "",
			   method == AUTH_METHOD_SIGNATURE ? sig_scheme_name(&all[i]) : auth_method_name(method));
	if (n)
		buf_printf(out, " by %s", name);
}

/* What the peer takes and what we can do have nothing in common: both, for the operator. */
static void sign_tell(struct auth_job *job, const struct sign_choice *c)
{
	struct auth_request *r = job->r;
	struct buf theirs = { 0 }, ours = { 0 };
	const struct cert *cert;
	size_t at = 0;

	if (c->place >= 0 || !auth_methods_say(r->methods))
		return;
	auth_methods_format(&theirs, r->methods);
	while (c->cert && (cert = sign_candidate(r, &at)))
		sign_list(job, cert->key, cert->subject_text, &ours);
	for (size_t i = 0; !c->cert && i < r->round->n_pubkeys; i++)
		sign_list(job, r->round->pubkeys[i], "a raw key", &ours);
	r->notice = arena_printf(&r->arena, "the peer takes %s (SUPPORTED_AUTH_METHODS), we can do %s: it gets %s and may refuse it",
				 buf_str(&theirs), buf_str(&ours),
				 c->method == AUTH_METHOD_SIGNATURE ? sig_scheme_name(&c->scheme) : auth_method_name(c->method));
	buf_free(&theirs);
	buf_free(&ours);
}

/* The word for the operator when there is nothing to sign with. */
static enum auth_next sign_explain(struct auth_job *job)
{
	const struct auth_request *r = job->r;
	const struct credentials *creds = r->config->creds;
	const struct cert *cert = NULL, *next;
	size_t at = 0;

	while ((next = sign_candidate(r, &at)))
		cert = next;
	if (!cert && r->round->n_pubkeys)
		return auth_job_fail(job, "no private key of the connection's public keys is loaded that fits what the peer and "
				     "'auth = %s' allow", r->round->auth_text);
	if (!cert)
		return auth_job_fail(job, "we have no certificate for our identity '%s': load one with that name in its subject or "
				     "subjectAltName, or name it by 'certs'", id_text(&r->id).s);
	if (!credentials_key(creds, cert->key->id))
		return auth_job_fail(job, "the private key of our certificate %s is not loaded", cert_text(cert).s);
	return auth_job_fail(job, "the %u bit %s key of our certificate %s can make no signature that 'auth = %s' allows and the peer "
			     "takes", cert->key->bits, key_type_name(cert->key->type), cert_text(cert).s, r->round->auth_text);
}

/* ---- CERT payloads ---- */

static void sign_add_cert(struct auth_job *job, struct auth_cert *list, const struct cert *cert, const struct cert *ca)
{
	struct auth_request *r = job->r;
	const struct authority *a = ca ? credentials_authority(r->config->creds, ca) : NULL;
	struct buf data = { 0 };

	if (r->hash_and_url && job->o.hash_and_url && a && a->cert_uri_base) {
		cert_url_write(cert, a->cert_uri_base, &data);
		list[job->n_send].encoding = CERT_HASH_AND_URL;
	} else {
		buf_add_bytes(&data, cert->der);
		list[job->n_send].encoding = CERT_X509_SIGNATURE;
	}
	list[job->n_send++].data = bytes_of(arena_dup(&r->arena, data.p, data.n), data.n);
	job->own[job->n_own] = cert;
	job->own_issuer[job->n_own++] = ca;
	buf_free(&data);
}

static bool sign_sends_cert(const struct auth_request *r)
{
	return r->conn->send_cert == SEND_CERT_ALWAYS || (r->conn->send_cert == SEND_CERT_IFASKED && r->certreq_seen);
}

/* What puts us into groups, for a peer that asks for them: attribute certificates of ours that are valid. */
static void sign_acerts(struct auth_job *job, struct auth_cert *list, const struct cert *cert)
{
	struct auth_request *r = job->r;
	const struct acert *mine[ACERTS_LOADED];
	size_t n = credentials_acerts(r->config->creds, cert, mine, ACERTS_LOADED), sent = 0, bytes = 0, kept = 0;

	for (size_t i = 0; i < n; i++) {
		const struct acert *ac = mine[i];

		if (ac->not_before - job->o.clock_skew > job->now || ac->not_after + job->o.clock_skew < job->now)
			continue;
		if (sent == LIMIT_ACERTS || bytes + ac->der.n > LIMIT_ACERTS_BYTES) {
			kept++;
			continue;
		}
		bytes += ac->der.n;
		list[job->n_send].encoding = CERT_X509_ATTRIBUTE;
		list[job->n_send++].data = bytes_of(arena_dup(&r->arena, ac->der.p, ac->der.n), ac->der.n);
		sent++;
	}
	if (kept && !r->notice)
		r->notice = arena_printf(&r->arena, "%zu of our attribute certificates are not sent: at most %d of %d bytes are", kept,
					 LIMIT_ACERTS, LIMIT_ACERTS_BYTES);
}

static void sign_certs(struct auth_job *job, const struct sign_choice *c)
{
	struct auth_cert *list;

	if (!sign_sends_cert(job->r))
		return;
	list = arena_array(&job->r->arena, struct auth_cert, 2 * (TRUST_CHAIN_MAX + 1) + LIMIT_ACERTS); /* end entity, CAs, OCSP */
	sign_add_cert(job, list, c->cert, c->issuer);
	for (size_t i = 0; i < c->n_chain; i++)
		sign_add_cert(job, list, c->chain[i], sign_issuer(job->r->config->creds, c->chain[i]));
	sign_acerts(job, list, c->cert);
	job->r->ret_certs = list;
}

/* ---- raw keys ---- */

static void sign_send_raw(struct auth_job *job, const struct public_key *k)
{
	struct auth_request *r = job->r;
	struct auth_cert *cert;

	if (!sign_sends_cert(r)) /* RFC 7670, 3 */
		return;
	cert = arena_new(&r->arena, struct auth_cert);
	cert->encoding = CERT_RAW_PUBLIC_KEY;
	cert->data = bytes_of(arena_dup(&r->arena, k->spki.p, k->spki.n), k->spki.n);
	r->ret_certs = cert;
	job->n_send = 1;
}

static bool sign_choose_raw(const struct auth_job *job, struct sign_choice *ret)
{
	const struct auth_request *r = job->r;

	*ret = (struct sign_choice){ .place = -1 };
	for (size_t i = 0; i < r->round->n_pubkeys; i++) {
		const struct public_key *k = r->round->pubkeys[i];
		struct sign_choice c = { .public = k, .key = credentials_key(r->config->creds, k->id) };

		if (!c.key || !sign_scheme(job, &c))
			continue;
		if (!ret->key || (c.place >= 0 && (ret->place < 0 || c.place < ret->place)))
			*ret = c;
	}
	return ret->key != NULL;
}

/* ---- the order ---- */

static bool sign_prepare(struct auth_job *job)
{
	struct auth_request *r = job->r;
	struct sign_choice c;
	bool raw = r->round->n_pubkeys && r->round->n_certs == 0 && sign_choose_raw(job, &c);

	if (!raw && !sign_choose(job, &c) && !(r->round->n_pubkeys && sign_choose_raw(job, &c)))
		return false;
	job->key = c.key;
	job->scheme = c.scheme;
	r->ret_method = c.method;
	sign_tell(job, &c);
	if (!c.cert) {
		errtext_set(&r->how, "raw %s key", key_type_name(c.public->type));
		sign_send_raw(job, c.public);
		return true;
	}
	errtext_set(&r->how, "certificate %s%s%s", cert_text(c.cert).s,
		    job->now > c.cert->not_after ? ", which has expired" : job->now < c.cert->not_before ? ", which is not valid yet" : "",
		    id_is_any(&r->id) || cert_match_id(c.cert, &r->id) ? "" : ", which does not have our identity");
	sign_certs(job, &c);
	return true;
}

static enum auth_next sign_make(struct auth_job *job)
{
	struct auth_request *r = job->r;
	struct buf signature = { 0 }, auth = { 0 };
	struct errtext err;
	struct result result;
	enum auth_next next = AUTH_NEXT_COMPUTE;

	if (!private_key_sign(job->key, &job->scheme, r->octets, 1, &signature, &err)) {
		next = auth_job_fail(job, "signing with our %s key failed: %s", key_type_name(job->key->public->type), err.s);
		goto out;
	}
	result = auth_signature_write(r->ret_method, &job->scheme, job->key->public, buf_bytes(&signature), &auth);
	if (!result_is_ok(result)) {
		next = auth_job_fail(job, "our signature is not as it should be: %s", result.why);
		goto out;
	}
	r->ret_auth = bytes_of(arena_dup(&r->arena, auth.p, auth.n), auth.n);
	job->step = AUTH_STEP_STAPLE;
out:
	buf_free(&signature);
	buf_free(&auth);
	return next;
}

/* ---- OCSP responses that go along (RFC 4806) ---- */

/* Where to ask about one of the certificates that are sent; NULL: nobody says. */
static const char *sign_ocsp_url(const struct auth_job *job, size_t i)
{
	const struct cert *issuer = job->own_issuer[i];
	const struct authority *a = issuer ? credentials_authority(job->r->config->creds, issuer) : NULL;

	if (a && a->n_ocsp_uris)
		return a->ocsp_uris[0];
	return issuer && job->own[i]->n_ocsp_uris ? job->own[i]->ocsp_uris[0] : NULL;
}

/* RFC 4806, 4.2: about our certificate; and about the CAs' that we send, which the peer has to believe as well. */
static void sign_ask_staples(struct auth_job *job)
{
	uint64_t deadline = clock_monotonic_ms() + AUTH_STAPLE_MS;
	struct ocsp_answer answer;

	job->asked = true;
	for (size_t i = 0; i < job->n_own; i++) {
		struct auth_want want = { .kind = AUTH_WANT_OCSP, .url = sign_ocsp_url(job, i), .cert = job->own[i],
					  .issuer = job->own_issuer[i] };

		if (want.url && !revocation_cache_ocsp(job->s->cache, want.cert, want.issuer, job->now, &answer, NULL))
			auth_ask(job, &want, deadline, (unsigned)i);
	}
}

static void sign_put_staples(struct auth_job *job)
{
	struct auth_request *r = job->r;
	struct auth_cert *list = (struct auth_cert *)(uintptr_t)r->ret_certs;
	struct ocsp_answer answer;

	for (size_t i = 0; i < job->n_own; i++) {
		struct buf der = { 0 };

		if (sign_ocsp_url(job, i) &&
		    revocation_cache_ocsp(job->s->cache, job->own[i], job->own_issuer[i], job->now, &answer, &der) &&
		    answer.status == CERT_STATUS_GOOD) {
			list[job->n_send].encoding = CERT_OCSP_CONTENT;
			list[job->n_send++].data = bytes_of(arena_dup(&r->arena, der.p, der.n), der.n);
		}
		buf_free(&der);
	}
}

/* What there is, or comes soon. We go on without. */
static enum auth_next sign_staple(struct auth_job *job)
{
	struct auth_request *r = job->r;
	struct auth_waiter *waiter;
	bool wanted = r->ocsp_asked && !job->o.no_ocsp && (r->conn->ocsp == CONN_OCSP_REPLY || r->conn->ocsp == CONN_OCSP_BOTH);

	if (wanted && !job->asked)
		sign_ask_staples(job);
	while ((waiter = auth_answered(job))) {
		if (!waiter->got.ok)
			LOG(CFG, LOG_LEVEL_CONTROL, "no OCSP response about our certificate %s is sent: %s",
			    cert_text(job->own[waiter->tag]).s, waiter->got.why.s);
		auth_waiter_free(waiter);
	}
	if (auth_is_asking(job))
		return AUTH_NEXT_WAIT;
	if (wanted)
		sign_put_staples(job);
	r->n_ret_certs = job->n_send;
	r->ok = true;
	return AUTH_NEXT_DONE;
}

enum auth_next auth_sign_run(struct auth_job *job)
{
	enum auth_next next;

	if (job->step == AUTH_STEP_START) {
		if (!sign_prepare(job))
			return sign_explain(job);
		job->step = AUTH_STEP_KEYS;
	}
	if (job->step == AUTH_STEP_KEYS) {
		if (job->place == AUTH_AT_ASKER && !job->key->ops->quick)
			return AUTH_NEXT_SLOW;
		if (job->place == AUTH_AT_SERVICE)
			return AUTH_NEXT_COMPUTE;
		next = sign_make(job);
		if (next != AUTH_NEXT_COMPUTE)
			return next;
	}
	return sign_staple(job);
}

void auth_certreq(const struct config *config, const struct conn *conn, struct buf *ret)
{
	bool all = false;

	for (size_t i = 0; i < conn->n_remote_rounds; i++) {
		const struct conn_round *round = &conn->remote_rounds[i];

		if (round->auth != CONN_AUTH_PUBKEY && round->auth != CONN_AUTH_ANY)
			continue;
		for (size_t k = 0; k < round->n_cacerts; k++)
			if (!certreq_names(buf_bytes(ret), round->cacerts[k]))
				buf_add(ret, round->cacerts[k]->key->spki_id, KEY_ID_LEN);
		all |= round->n_cacerts == 0;
	}
	for (size_t i = 0; all && i < config->creds->n_certs && ret->n < AUTH_CERTREQ_MAX; i++)
		if (config->creds->certs[i].flag == CERT_FLAG_CA && !certreq_names(buf_bytes(ret), config->creds->certs[i].cert))
			buf_add(ret, config->creds->certs[i].cert->key->spki_id, KEY_ID_LEN);
	for (size_t i = 0; all && i < config->creds->n_authorities && ret->n < AUTH_CERTREQ_MAX; i++) {
		const struct cert *ca = config->creds->authorities[i].cacert;

		if (ca && !certreq_names(buf_bytes(ret), ca))
			buf_add(ret, ca->key->spki_id, KEY_ID_LEN);
	}
}

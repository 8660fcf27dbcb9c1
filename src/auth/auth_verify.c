/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_inside.h"

#include <stdio.h>
#include <string.h>

#include "auth/cert_url.h"
#include "util/log.h"

/*
 * Who the peer is: its certificates (or raw keys), their chain, its signature, then revocation. What is disclosed or fetched
 * comes after what can be refused without: a fetch of revocation needs a trusted chain and a proof of the key, so that who has neither
 * can make us fetch nothing but, where hash-and-URL is enabled, what its certificate should be.
 */

static void verify_ignore(struct auth_job *job, const char *what)
{
	size_t n = strlen(job->ignored.s);

	if (job->cert_at == 0)
		job->first_ignored = true;
	snprintf(job->ignored.s + n, sizeof(job->ignored.s) - n, "; %s", what);
}

static void verify_add_cert(struct auth_job *job, struct cert *cert)
{
	if (job->n_certs < TRUST_PEER_CERTS)
		job->certs[job->n_certs++] = cert;
	else
		cert_unref(cert);
}

/* A base ends the host's name by a "/"; what follows must not lead out of it again, whatever server or fetcher make of it. */
static bool verify_url_below(const char *url, const char *base)
{
	size_t n = strlen(base);

	return strncmp(url, base, n) == 0 && !strstr(url + n, "..") && !strcasestr(url + n, "%2e");
}

/* Where the peer says its certificate is, is looked at only below what authorities name, if one names anything. */
static bool verify_url_allowed(const struct credentials *creds, const char *url)
{
	bool named = false;

	for (size_t i = 0; i < creds->n_authorities; i++) {
		const char *base = creds->authorities[i].cert_uri_base;

		if (!base)
			continue;
		named = true;
		if (verify_url_below(url, base))
			return true;
	}
	return !named;
}

/* What was fetched for the CERT payload at hand. */
static void verify_take_fetched(struct auth_job *job, struct auth_waiter *waiter)
{
	struct auth_got *got = &waiter->got;

	for (size_t i = 0; i < got->n_certs; i++)
		verify_add_cert(job, got->certs[i]);
	got->n_certs = 0;
	if (!got->ok)
		verify_ignore(job, got->why.s);
	job->cert_at++;
	auth_waiter_free(waiter);
}

/* True: it has to be fetched. */
static bool verify_hash_and_url(struct auth_job *job, const struct auth_cert *c)
{
	struct cert_url at;
	struct auth_want want;
	struct errtext err;
	struct cert *known;

	if (!job->r->hash_and_url || !job->o.hash_and_url) {
		verify_ignore(job, "it sent a hash and URL of a certificate, for which we did not ask");
		return false;
	}
	if (!cert_url_parse(c->data, &job->r->arena, &at, &err)) {
		verify_ignore(job, err.s);
		return false;
	}
	known = c->encoding == CERT_HASH_AND_URL ? revocation_cache_cert(job->s->cache, at.hash.p) : NULL;
	if (known) {
		verify_add_cert(job, known);
		return false;
	}
	if (!verify_url_allowed(job->r->config->creds, at.url)) {
		errtext_set(&err, "it would be at '%.200s', which is below no cert_uri_base of an authority", at.url);
		verify_ignore(job, err.s);
		return false;
	}
	want = (struct auth_want){ .kind = AUTH_WANT_CERT, .url = at.url, .hash = at.hash,
				   .bundle = c->encoding == CERT_HASH_AND_URL_BUNDLE };
	auth_ask(job, &want, job->cert_deadline_ms, 0);
	return true;
}

static void verify_take_x509(struct auth_job *job, struct bytes data)
{
	struct errtext err;
	struct cert *cert = cert_cache_parse(job->o.no_cert_cache ? NULL : job->s->certs, data, &err);

	if (cert)
		verify_add_cert(job, cert);
	else
		verify_ignore(job, err.s);
}

static void verify_take_raw(struct auth_job *job, struct bytes data)
{
	struct errtext err;

	if (job->raw)
		return;
	job->raw = public_key_parse(data, KEY_ANY, &err);
	if (!job->raw)
		verify_ignore(job, err.s);
}

static enum auth_next verify_collect(struct auth_job *job)
{
	const struct auth_request *r = job->r;

	for (; job->cert_at < r->n_certs && job->cert_at < AUTH_PEER_PAYLOADS; job->cert_at++) {
		const struct auth_cert *c = &r->certs[job->cert_at];

		switch (c->encoding) {
		case CERT_X509_SIGNATURE:
			verify_take_x509(job, c->data);
			break;
		case CERT_RAW_PUBLIC_KEY:
			verify_take_raw(job, c->data);
			break;
		case CERT_HASH_AND_URL:
		case CERT_HASH_AND_URL_BUNDLE:
			if (verify_hash_and_url(job, c))
				return AUTH_NEXT_WAIT;
			break;
		case CERT_OCSP_CONTENT: /* when the chain is known */
			break;
		case CERT_X509_ATTRIBUTE:
			auth_groups_take(job, c->data);
			break;
		default:
			verify_ignore(job, cert_encoding_name(c->encoding));
		}
	}
	return AUTH_NEXT_DONE;
}

/* ---- the signature ---- */

/* Over one of what the peer may have signed. Once for a key, however many connections ask. */
static bool verify_proof(struct auth_job *job, const struct public_key *key, struct bytes signature)
{
	const struct auth_request *r = job->r;

	if (job->proof_key && public_key_equal(job->proof_key, key))
		return job->proof_good;
	if (job->proof_key)
		public_key_unref(job->proof_key);
	job->proof_key = public_key_ref(key);
	job->proof_good = false;
	for (size_t i = 0; i < r->n_octets && !job->proof_good; i++)
		job->proof_good = result_is_ok(public_key_verify(key, &job->scheme, &r->octets[i], 1, signature));
	return job->proof_good;
}

static bool verify_signature(struct auth_job *job, const struct public_key *key, struct errtext *err)
{
	const struct auth_request *r = job->r;
	const struct auth_rules *rules = &r->round->rules;
	struct buf scratch = { 0 };
	struct bytes signature;
	struct result result = auth_signature_parse(r->method, r->auth, key, &job->scheme, &scratch, &signature);
	bool ok = false;

	if (!result_is_ok(result)) {
		errtext_set(err, "its AUTH payload (%s): %s", auth_method_name(r->method), result.why);
	} else if (job->scheme.hash == HASH_SHA1 && r->method == AUTH_METHOD_SIGNATURE) {
		/* RFC 7427, 4: we did not say that we take it */
		errtext_set(err, "it signed with SHA-1, which we did not offer");
	} else if (rules->n_ike && !key_rules_allow(rules->ike, rules->n_ike, key, &job->scheme)) {
		errtext_set(err, "it signed with a %u bit %s key by %s, which 'auth = %s' does not allow", key->bits,
			    key_type_name(key->type), sig_scheme_name(&job->scheme), r->round->auth_text);
	} else {
		ok = verify_proof(job, key, signature);
		if (!ok)
			errtext_set(err, "its signature (%s) is not by the %s key %s", sig_scheme_name(&job->scheme),
				    key_type_name(key->type), job->chain ? "of its certificate" : "that it should have");
	}
	buf_free(&scratch);
	return ok;
}

/* ---- raw keys ---- */

static bool verify_by_keys(struct auth_job *job, struct public_key *const *keys, size_t n, const char *from, struct errtext *err)
{
	bool known = false;

	for (size_t i = 0; i < n && i < AUTH_KEYS_MAX; i++) {
		if (job->raw && !public_key_equal(job->raw, keys[i]))
			continue;
		known = true;
		if (!verify_signature(job, keys[i], err))
			continue;
		errtext_set(&job->r->how, "raw %s key %s, %s", key_type_name(keys[i]->type), from, sig_scheme_name(&job->scheme));
		job->r->ok = true;
		return true;
	}
	if (!known)
		errtext_set(err, "the raw public key that it sent is none of those %s", from);
	return false;
}

/* Whether the connection wants something of the peer that only certificates have. */
static bool round_wants_certs(const struct conn_round *r)
{
	return r->n_certs || r->n_cacerts || !id_is_any(&r->ca_id) || r->n_policies || r->n_groups || r->revocation != REVOCATION_RELAXED;
}

static bool verify_may_ask_keys(const struct auth_job *job)
{
	const struct auth_request *r = job->r;

	return r->id.type == ID_TYPE_FQDN && job->n_certs == 0 && r->round->n_pubkeys == 0 && !round_wants_certs(r->round) &&
	       fetch_has_key_source(job->o.fetchers);
}

static enum auth_next verify_ask_keys(struct auth_job *job)
{
	const struct auth_want want = { .kind = AUTH_WANT_KEYS, .id = &job->r->id };

	auth_ask(job, &want, job->want_deadline_ms, 0);
	return AUTH_NEXT_WAIT;
}

/* Keys by DNS. */
static enum auth_next verify_asked_keys(struct auth_job *job)
{
	struct auth_waiter *waiter;
	struct errtext err = { "" };
	enum auth_next next = AUTH_NEXT_DONE;

	if (!auth_job_may_compute(job))
		return AUTH_NEXT_COMPUTE;
	waiter = auth_answered(job);
	if (!waiter)
		return verify_ask_keys(job);
	if (!waiter->got.ok)
		next = auth_job_fail(job, "it sent no certificate, and there is no trusted key of '%s': %s", id_text(&job->r->id).s,
				     waiter->got.why.s);
	else if (!verify_by_keys(job, waiter->got.keys, waiter->got.n_keys, "found in DNS", &err))
		next = auth_job_fail(job, "%s%s", err.s, job->ignored.s);
	auth_waiter_free(waiter);
	return next;
}

/* ---- certificates ---- */

/* A peer that sends none may be known by those that are loaded. */
static void verify_use_loaded(struct auth_job *job)
{
	const struct conn_round *round = job->r->round;
	const struct credentials *creds = job->r->config->creds;

	for (size_t i = 0; i < round->n_certs && job->n_certs < TRUST_PEER_CERTS; i++)
		verify_add_cert(job, cert_ref(round->certs[i]));
	for (size_t i = 0; round->n_certs == 0 && i < creds->n_certs && job->n_certs < TRUST_PEER_CERTS; i++)
		if (creds->certs[i].flag == CERT_FLAG_NONE && cert_match_id(creds->certs[i].cert, &job->r->id))
			verify_add_cert(job, cert_ref(creds->certs[i].cert));
}

/* What the asker's thread must not do. */
static bool verify_is_heavy(const struct auth_job *job)
{
	size_t bytes = 0;

	for (size_t i = 0; i < job->n_certs; i++) {
		bytes += job->certs[i]->der.n;
		if (job->certs[i]->key->bits > AUTH_LIGHT_BITS)
			return true;
	}
	return job->n_certs > AUTH_LIGHT_CERTS || bytes > AUTH_LIGHT_BYTES;
}

/* Takes a response for that certificate of the chain which it is of; why: what is wrong with it. */
static bool verify_take_response(struct auth_job *job, struct bytes der, struct errtext *why)
{
	for (size_t k = 0; k + 1 < job->chain->n; k++) {
		struct ocsp_check check = { .cert = job->chain->certs[k], .issuer = job->chain->certs[k + 1],
					    .creds = job->r->config->creds, .cache = job->s->cache, .now = job->now,
					    .skew = job->o.clock_skew };
		struct ocsp_answer answer;
		struct errtext err;

		if (ocsp_response_check(&check, der, &answer, &err)) {
			revocation_cache_put_ocsp(job->s->cache, check.cert, check.issuer, &answer, der);
			return true;
		}
		/* of several reasons that which is about the certificate it names */
		if (k == 0 || ocsp_response_names(der, check.cert, check.issuer))
			errtext_set(why, "%s: %s", cert_text(check.cert).s, err.s);
	}
	return false;
}

/* OCSP responses that the peer sent along (RFC 4806). */
static void verify_take_stapled(struct auth_job *job)
{
	const struct auth_request *r = job->r;

	for (size_t i = 0; i < r->n_certs && i < AUTH_PEER_PAYLOADS; i++) {
		struct errtext why;

		if (r->certs[i].encoding == CERT_OCSP_CONTENT && !job->o.no_ocsp && job->chain->n > 1 &&
		    !verify_take_response(job, r->certs[i].data, &why))
			LOG(CFG, LOG_LEVEL_CONTROL, "an OCSP response that '%s' sent along does not count for certificate %s",
			    id_text(&r->id).s, why.s);
	}
}

/* Chain and signature: all that needs nothing from outside. */
static enum auth_next verify_trust(struct auth_job *job)
{
	struct auth_request *r = job->r;
	struct errtext err = { "" };
	struct trust_input in = {
		.creds = r->config->creds,
		.round = r->round,
		.id = &r->id,
		.certs = job->certs,
		.n_certs = job->n_certs,
		.now = job->now,
		.skew = job->o.clock_skew,
		.enforce_critical = job->o.enforce_critical,
	};

	if (job->n_certs == 0)
		return auth_job_fail(job, "it sent no certificate that can be used, and none is loaded for '%s'%s", id_text(&r->id).s,
				     job->ignored.s);
	job->chain = trust_check(&in, &err);
	if (!job->chain && job->first_ignored) /* RFC 7296, 3.6: the first is that of its key, so that is the reason */
		return auth_job_fail(job, "its certificate is not to be had%s; of what came with it: %s", job->ignored.s, err.s);
	if (!job->chain || !verify_signature(job, job->chain->certs[0]->key, &err))
		return auth_job_fail(job, "%s%s", err.s, job->ignored.s);
	if (!auth_groups_find(job, &in, &err))
		return auth_job_fail(job, "%s", err.s);
	verify_take_stapled(job);
	job->step = AUTH_STEP_REVOCATION;
	return AUTH_NEXT_COMPUTE; /* that is: goes on */
}

static enum auth_next verify_done(struct auth_job *job)
{
	struct auth_request *r = job->r;
	const struct trust_chain *chain = job->chain;

	for (size_t i = 0; i + 1 < chain->n; i++)
		for (size_t k = 0; k < job->n_certs && r->n_certs; k++)
			if (job->certs[k] == chain->certs[i])
				revocation_cache_put_cert(job->s->cache, job->certs[k]);
	if (chain->n > 1)
		errtext_set(&r->how, "certificate %s, trusted by %s, %s", cert_text(chain->certs[0]).s,
			    chain->certs[chain->n - 1]->subject_text, sig_scheme_name(&job->scheme));
	else
		errtext_set(&r->how, "certificate %s, trusted as loaded, %s", cert_text(chain->certs[0]).s, sig_scheme_name(&job->scheme));
	r->chain = job->chain;
	job->chain = NULL;
	r->ok = true;
	return AUTH_NEXT_DONE;
}

static enum auth_next verify_revocation(struct auth_job *job)
{
	enum auth_next next;
	struct errtext err;

	if (job->step == AUTH_STEP_REVOCATION) {
		switch (auth_verify_chain(job, job->chain, &err)) {
		case REVOCATION_OK:
			break;
		case REVOCATION_REVOKED:
		case REVOCATION_REFUSED:
			return auth_job_fail(job, "%s", err.s);
		case REVOCATION_FETCH:
			return AUTH_NEXT_WAIT;
		}
		job->step = AUTH_STEP_GROUPS;
	}
	next = auth_groups_run(job);
	if (next != AUTH_NEXT_COMPUTE)
		return next;
	/* while it waited for one of the chain, a CRL that another one is on may have come for somebody else */
	if (job->waited && auth_chain_was_revoked(job, job->chain, &err))
		return auth_job_fail(job, "%s", err.s);
	return verify_done(job);
}

/* ---- the order ---- */

static enum auth_next verify_collected(struct auth_job *job)
{
	const struct conn_round *round = job->r->round;
	struct errtext err = { "" };

	job->n_sent = job->n_certs;
	if (verify_may_ask_keys(job)) {
		job->step = AUTH_STEP_KEYS;
		return verify_asked_keys(job);
	}
	if (round->n_pubkeys && (!job->n_certs || (!round->n_certs && !round->n_cacerts))) {
		if (!verify_by_keys(job, round->pubkeys, round->n_pubkeys, "that the connection trusts", &err))
			return auth_job_fail(job, "%s%s", err.s, job->ignored.s);
		return AUTH_NEXT_DONE;
	}
	if (job->raw && !job->n_certs)
		return auth_job_fail(job, "it sent a raw public key, and the connection trusts none (pubkeys)");
	if (!job->n_certs)
		verify_use_loaded(job);
	job->step = AUTH_STEP_TRUST;
	return AUTH_NEXT_COMPUTE;
}

static enum auth_next verify_run(struct auth_job *job)
{
	struct auth_waiter *waiter;
	enum auth_next next;

	if (job->step <= AUTH_STEP_CERTS) {
		job->step = AUTH_STEP_CERTS;
		if ((waiter = auth_answered(job)))
			verify_take_fetched(job, waiter);
		if (!auth_job_may_compute(job) || (job->place == AUTH_AT_ASKER && auth_groups_wanted(job)))
			return AUTH_NEXT_COMPUTE;
		next = verify_collect(job);
		if (next == AUTH_NEXT_WAIT)
			return next;
		next = verify_collected(job);
		if (next != AUTH_NEXT_COMPUTE)
			return next;
	}
	if (job->step == AUTH_STEP_KEYS)
		return verify_asked_keys(job);
	if (job->step == AUTH_STEP_TRUST) {
		if (!auth_job_may_compute(job) || (job->place == AUTH_AT_ASKER && verify_is_heavy(job)))
			return AUTH_NEXT_COMPUTE;
		next = verify_trust(job);
		if (next != AUTH_NEXT_COMPUTE)
			return next;
	}
	return verify_revocation(job);
}

/* ---- other connections ---- */

/* What the connection says of the peer, for the operator. */
static void verify_note(struct auth_job *job)
{
	struct auth_request *r = job->r;

	if (!job->first_why)
		job->first_why = arena_printf(&r->arena, "%s", r->why.s);
	else
		r->notice = arena_printf(&r->arena, "%s%sconnection '%s': %s", r->notice ? r->notice : "", r->notice ? "; " : "",
					 r->conn->name, r->why.s);
}

/* The connection at hand does not take the peer. True: the next one is to be asked, which has the place of it from now on. */
static bool verify_next_conn(struct auth_job *job)
{
	struct auth_request *r = job->r;
	struct auth_other refused = { r->conn, r->round };

	if (r->n_others == 0)
		return false;
	verify_note(job);
	if (job->other == r->n_others) {
		errtext_set(&r->why, "%s", job->first_why);
		return false;
	}
	r->conn = r->others[job->other].conn;
	r->round = r->others[job->other].round;
	r->others[job->other++] = refused;
	if (job->chain)
		trust_chain_unref(job->chain);
	job->chain = NULL;
	auth_verify_chain_end(job);
	auth_groups_reset(job);
	while (job->n_certs > job->n_sent)
		cert_unref(job->certs[--job->n_certs]);
	job->step = AUTH_STEP_CERTS;
	return true;
}

static void verify_accepted(struct auth_job *job)
{
	struct auth_request *r = job->r;

	if (job->first_why)
		r->notice = arena_printf(&r->arena, "connection '%s': %s%s%s", r->others[0].conn->name, job->first_why,
					 r->notice ? "; " : "", r->notice ? r->notice : "");
}

enum auth_next auth_verify_run(struct auth_job *job)
{
	enum auth_next next;

	while ((next = verify_run(job)) == AUTH_NEXT_DONE) {
		if (job->r->ok) {
			verify_accepted(job);
			return next;
		}
		if (!verify_next_conn(job))
			return next;
		if (job->place == AUTH_AT_ASKER)
			return AUTH_NEXT_COMPUTE; /* it has done enough */
	}
	return next;
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_REVOCATION_H
#define BEWICK_AUTH_REVOCATION_H

#include "auth/trust.h"
#include "config/conn.h"

/*
 * Whether certificates of a chain that is otherwise good were revoked: by CRLs (RFC 5280, 6.3) and OCSP (RFC 6960). Nothing
 * here fetches: a run says what it needs, and looks into the cache again when that has come, or has not.
 */
enum cert_status { CERT_STATUS_UNKNOWN, CERT_STATUS_GOOD, CERT_STATUS_REVOKED };

/* What a verified OCSP response says of a certificate. */
struct ocsp_answer {
	enum cert_status status;
	int64_t valid_until; /* s since 1970; without nextUpdate: a moment */
	int64_t revoked_at;
	int reason;          /* CRLReason, -1: not said */
	int64_t this_update; /* of several responses the latest counts */
};

/* ---- cache: what was fetched, received in CERT payloads, or verified. Any thread. ---- */
struct revocation_cache;
EXPORT struct revocation_cache *revocation_cache_new(void);
EXPORT void revocation_cache_free(struct revocation_cache *c);
/* Of one issuer and scope the newer CRL stays. verified: its signature is issuer's. True: it is newer than what was there. */
EXPORT bool revocation_cache_put_crl(struct revocation_cache *c, struct crl *crl, const struct cert *issuer, bool loaded);
/* Unless what is there is newer, or as new and says that it was revoked: a peer that sends a response along chooses which. */
EXPORT void revocation_cache_put_ocsp(struct revocation_cache *c, const struct cert *cert, const struct cert *issuer,
				      const struct ocsp_answer *answer, struct bytes der);
/* ret_der may be NULL; else the response is appended. */
EXPORT bool revocation_cache_ocsp(struct revocation_cache *c, const struct cert *cert, const struct cert *issuer, int64_t now,
				  struct ocsp_answer *ret_answer, struct buf *ret_der);
EXPORT void revocation_cache_put_cert(struct revocation_cache *c, struct cert *cert);
EXPORT struct cert *revocation_cache_cert(struct revocation_cache *c, const uint8_t sha1[20]); /* a reference, or NULL */
#define REVOCATION_CRLS 16
/* References to CRLs of that issuer that speak of the certificate, all verified: loaded ones, and those of the cache. */
EXPORT size_t revocation_cache_crls(struct revocation_cache *c, const struct credentials *creds, const struct cert *cert,
				    const struct cert *issuer, struct crl *ret[REVOCATION_CRLS]);
EXPORT void revocation_cache_each_crl(struct revocation_cache *c, void (*fn)(void *arg, const struct crl *crl), void *arg);
EXPORT void revocation_cache_each_cert(struct revocation_cache *c, void (*fn)(void *arg, const struct cert *cert), void *arg);
EXPORT void revocation_cache_each_ocsp(struct revocation_cache *c, void (*fn)(void *arg, struct bytes der), void *arg);
enum { REVOCATION_FLUSH_CERTS = 1, REVOCATION_FLUSH_CRLS = 2, REVOCATION_FLUSH_OCSP = 4 };
EXPORT void revocation_cache_flush(struct revocation_cache *c, unsigned what);

/* ---- CRLs ---- */
/* Whether it is the issuer's (name, cRLSign, signature), and one that we can judge by: not indirect, no weak hash. False: err says
 * why. Computes. */
EXPORT MUST_CHECK bool crl_check(const struct crl *crl, const struct cert *issuer, struct errtext *err);
/* Whether it is a CRL of that issuer's that counts and on which the certificate is. */
bool crl_says_revoked(const struct crl *crl, const struct cert *cert, const struct cert *issuer);
/* By CRLs that crl_check and crl_covers (crypto/cert.h) accept; deltas among them count with their base. GOOD takes one that is not
 * stale. text says why it is revoked, or what is wrong. ret_delta: one counted; may be NULL. */
EXPORT enum cert_status crls_status(const struct cert *cert, struct crl *const *crls, size_t n, int64_t now, int64_t skew,
				    struct errtext *text, bool *ret_delta);

/* ---- OCSP ---- */
#define OCSP_NONCE_MAX 128
/* Appends a request; nonce_len bytes of nonce are made if it is not 0. */
EXPORT MUST_CHECK bool ocsp_request_write(const struct cert *cert, const struct cert *issuer, struct bytes nonce, struct buf *ret);
struct ocsp_check {
	const struct cert *cert, *issuer;
	const struct credentials *creds; /* responders that are trusted as such; NULL: none */
	struct revocation_cache *cache;  /* CRLs that may revoke a delegated signer; NULL: none */
	struct bytes nonce;              /* that was sent */
	int64_t now, skew;
};
/* Untrusted input. False: err says why; only a response that says something of the certificate, signed by who may, is true. */
EXPORT MUST_CHECK bool ocsp_response_check(const struct ocsp_check *in, struct bytes der, struct ocsp_answer *ret, struct errtext *err);
/* Whether it says anything of the certificate; nothing is verified. Untrusted input. */
EXPORT bool ocsp_response_names(struct bytes der, const struct cert *cert, const struct cert *issuer);

/* ---- a run for one certificate ---- */
#define REVOCATION_SOURCES 16
struct revocation_source {
	bool ocsp;
	const char *url; /* of the certificate, its CRL or the authority; as long as the run */
};
struct revocation_run {
	bool begun;
	size_t n_sources, source;
	size_t delta;       /* URIs of delta CRLs that were tried */
	struct crl *base;   /* whose freshestCRL they are, besides the certificate's; a reference, or NULL */
	struct revocation_source sources[REVOCATION_SOURCES];
	struct errtext why; /* what failed so far */
};
struct revocation_env {
	struct revocation_cache *cache;
	const struct credentials *creds;
	const struct cert *cert, *issuer;
	enum conn_revocation policy;
	bool ocsp, crl; /* what is enabled */
	int64_t now, skew;
};
enum revocation_next {
	REVOCATION_OK,
	REVOCATION_REVOKED, /* err says when and why */
	REVOCATION_REFUSED, /* it is not known, which the policy does not allow; err says why */
	REVOCATION_FETCH,   /* ret_source; then called again */
};
/* failed: why the last FETCH failed, or NULL. */
EXPORT enum revocation_next revocation_step(struct revocation_run *run, const struct revocation_env *env, const char *failed,
					    struct revocation_source *ret_source, struct errtext *err);
/* How many sources may be asked for after the last one. */
static inline size_t revocation_run_left(const struct revocation_run *run)
{
	return run->n_sources - run->source;
}
EXPORT void revocation_run_clear(struct revocation_run *run);

#endif

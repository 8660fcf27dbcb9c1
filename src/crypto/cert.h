/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_CERT_H
#define BEWICK_CRYPTO_CERT_H

#include "crypto/key.h"
#include "proto/id.h"

/* X.509 certificates and CRLs (RFC 5280), parsed once: immutable, counted, for any thread. */
struct cert {
	atomic_uint refs;
	struct bytes der;
	struct id subject, issuer; /* DNs; subject may be empty (of no RDNs) */
	struct bytes serial;       /* as in the certificate, without leading zeroes */
	size_t n_names;
	const struct id *names;    /* subjectAltNames that can be identities: FQDN, e-mail, addresses, DN, URI */
	struct public_key *key;
	struct bytes subject_key_id, authority_key_id; /* empty: not there */
	int64_t not_before, not_after; /* seconds since 1970 */
	bool ca;                   /* basic constraints say so */
	bool self_issued;          /* subject and issuer are the same name */
	bool ocsp_signer;          /* extended key usage */
	bool ocsp_nocheck;         /* RFC 6960, 4.2.2.2.1 */
	size_t n_crl_uris, n_ocsp_uris, n_policies;
	const char *const *crl_uris, *const *ocsp_uris; /* http, https and file; the CDP's whole names without reasons or indirect issuers */
	const char *const *policies; /* OIDs as text */
	void *x509;                /* X509 */
	void *own;                 /* cert.c's */
};

/* DER, or PEM of one certificate; nothing may follow DER. At most LIMIT_CERT bytes. NULL: err says what is wrong. */
EXPORT struct cert *cert_parse(struct bytes data, struct errtext *err);
EXPORT struct cert *cert_ref(const struct cert *c);
EXPORT void cert_unref(const struct cert *c);
EXPORT bool cert_equal(const struct cert *a, const struct cert *b);
/* How well one of its names is the identity (enum id_match; PERFECT if one equals): DN by the subject, others by subjectAltName, key id
 * by the subjectKeyIdentifier or key id. 0: none. */
EXPORT int cert_match_id(const struct cert *c, const struct id *id);
/* Whether `issuer`'s name and key identifier can be those of c's issuer; nothing is verified. */
EXPORT bool cert_maybe_issued_by(const struct cert *c, const struct cert *issuer);
/* "'C=CH, CN=moon' (issuer 'C=CH, CN=root', serial 0a:0b)": for logs. */
struct cert_text {
	char s[400];
};
EXPORT struct cert_text cert_text(const struct cert *c);

struct crl {
	atomic_uint refs;
	struct bytes der;
	struct id issuer;
	struct bytes authority_key_id;
	struct bytes number, base; /* base: of a delta (RFC 5280, 5.2.4), else empty */
	int64_t this_update, next_update; /* next 0: not said */
	bool indirect;  /* IssuingDistributionPoint says so, or it is of some reasons, attribute or only one kind of certificates */
	void *x509_crl; /* X509_CRL */
};
EXPORT struct crl *crl_parse(struct bytes data, struct errtext *err);
EXPORT struct crl *crl_ref(const struct crl *c);
EXPORT void crl_unref(const struct crl *c);
/* Later number, else later thisUpdate, of the same issuer and key. */
EXPORT bool crl_is_newer(const struct crl *a, const struct crl *than);

#endif

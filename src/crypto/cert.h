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
	const char *subject_text;  /* id_text */
	uint64_t subject_hash, issuer_hash; /* the same for names that are equal */
	struct bytes serial;       /* as in the certificate, without leading zeroes (a negative one: two's complement) */
	size_t n_names;
	const struct id *names;    /* subjectAltNames that can be identities: FQDN, e-mail, addresses, DN, URI, XMPP */
	struct sig_scheme signature; /* of the issuer; kind SIG_NONE: nothing that we take (MD5, SHA-224, unknown ones) */
	struct public_key *key;
	struct bytes subject_key_id, authority_key_id; /* empty: not there */
	int64_t not_before, not_after; /* seconds since 1970 */
	bool ca;                   /* basic constraints say so */
	bool self_issued;          /* subject and issuer are the same name */
	bool may_sign;             /* key usage allows IKE's signatures, or says nothing (RFC 4945, 5.1.3.2) */
	bool may_sign_certs, may_sign_crls;
	bool for_ike;              /* so does extended key usage (RFC 4945, 5.1.3.12) */
	bool ocsp_signer;          /* extended key usage */
	bool ocsp_nocheck;         /* RFC 6960, 4.2.2.2.1 */
	bool attributes;           /* it stands for an attribute certificate (crypto/acert.h) and is no certificate */
	bool crl_indirect;         /* some distribution point has another CRL issuer, or a CRL of some reasons only */
	size_t n_crl_uris, n_delta_uris, n_ocsp_uris, n_policies;
	/* URIs of any scheme: fetch_start knows which it can. CRLs: of distribution points without reasons or indirect issuers; delta:
	 * the extension freshestCRL. */
	const char *const *crl_uris, *const *delta_uris, *const *ocsp_uris;
	const char *const *policies; /* OIDs as text */
	void *x509;                /* X509 */
	void *own;                 /* cert.c's */
};

/* DER, or PEM of one certificate; nothing may follow DER. At most LIMIT_CERT bytes. NULL: err says what is wrong. */
EXPORT struct cert *cert_parse(struct bytes data, struct errtext *err);
EXPORT struct cert *cert_ref(const struct cert *c);
EXPORT void cert_unref(const struct cert *c);
EXPORT bool cert_equal(const struct cert *a, const struct cert *b);
/* ID_MATCH_PERFECT if one of its names equals the identity, else 0: a DN is the subject (or a subjectAltName), others are
 * subjectAltNames, a key id is the subjectKeyIdentifier or the key's id. Nothing in the identity or the certificate is a wildcard. */
EXPORT int cert_match_id(const struct cert *c, const struct id *id);
/* How well one of its names fits a pattern of the configuration (id_match); %any fits all. */
EXPORT int cert_match_pattern(const struct cert *c, const struct id *pattern);
/* Whether `issuer`'s name and key identifier can be those of c's issuer; nothing is verified. */
EXPORT bool cert_maybe_issued_by(const struct cert *c, const struct cert *issuer);
/* Whether it was signed by the key of `issuer`: that, and nothing else. Remembered in the certificate, if so. */
EXPORT MUST_CHECK bool cert_is_signed_by(const struct cert *c, const struct cert *issuer);
/* The names that can be identities, for an error: "'moon.example.org', 'C=CH, CN=moon'", or "none". */
EXPORT void cert_names_format(struct buf *out, const struct cert *c);
/* "'C=CH, CN=moon' (issuer 'C=CH, CN=root', serial 0a:0b)": for logs. */
struct cert_text {
	char s[400];
};
EXPORT struct cert_text cert_text(const struct cert *c);

/*
 * Certificates that were parsed, so that a peer's that comes again costs nothing: bounded, for any thread, without locks. OpenSSL
 * needs longer for parsing one than for verifying its signature.
 */
struct cert_cache;
EXPORT struct cert_cache *cert_cache_new(void); /* NULL: no random numbers */
EXPORT void cert_cache_free(struct cert_cache *cache);
EXPORT void cert_cache_clear(struct cert_cache *cache);
/* cert_parse, for DER; cache may be NULL. */
EXPORT struct cert *cert_cache_parse(struct cert_cache *cache, struct bytes der, struct errtext *err);

struct crl {
	atomic_uint refs;
	struct bytes der;
	struct id issuer;
	struct bytes authority_key_id;
	struct bytes number, base; /* base: of a delta (RFC 5280, 5.2.4), else empty */
	int64_t this_update, next_update; /* next 0: not said */
	struct bytes idp; /* value of the IssuingDistributionPoint; empty: none. CRLs of different ones are different lists */
	size_t n_delta_uris;
	const char *const *delta_uris; /* freshestCRL: where deltas to it are (RFC 5280, 5.2.6); empty for a delta */
	struct sig_scheme signature;
	bool indirect;  /* IssuingDistributionPoint says so, or it is of some reasons or only one kind of certificates */
	bool attributes; /* it is of attribute certificates only */
	void *x509_crl; /* X509_CRL */
};
EXPORT struct crl *crl_parse(struct bytes data, struct errtext *err);
EXPORT struct crl *crl_ref(const struct crl *c);
EXPORT void crl_unref(const struct crl *c);
/* Whether it was signed by the key of `issuer`, which may sign CRLs and has its name. */
EXPORT MUST_CHECK bool crl_is_signed_by(const struct crl *c, const struct cert *issuer);
/* Whether it is the list that the certificate would be on: of its issuer's name, not indirect, and of its distribution point, if the
 * CRL is of one (RFC 5280, 6.3.3; RFC 4945, 5.1.3.13). */
EXPORT bool crl_covers(const struct crl *c, const struct cert *cert);
/* Whether it has an entry with that serial number, an INTEGER in DER: of whatever kind, and for whichever distribution point. */
EXPORT bool crl_has_entry(const struct crl *c, struct bytes serial);
/* Whether the certificate is on it (on a delta: and not as removed). Nothing else is checked. */
EXPORT bool crl_revokes(const struct crl *c, const struct cert *cert);
/* Later number, else later thisUpdate: of two of which it is known that one takes the place of the other. */
bool crl_is_later(const struct crl *a, const struct crl *than);
/* The same, of the same issuer, key and distribution point; both are deltas, or none. */
EXPORT bool crl_is_newer(const struct crl *a, const struct crl *than);

#endif

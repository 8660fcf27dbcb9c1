/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_PKI_H
#define BEWICK_TEST_PKI_H

#include <openssl/x509.h>

#include "crypto/cert.h"

/* Certificates and CRLs as a test wants them, made by OpenSSL: also those that no CA should issue. */

#define PKI_NOW INT64_C(1790000000) /* the time of tests */
#define PKI_DAY INT64_C(86400)

enum pki_key_type { PKI_P256, PKI_P384, PKI_RSA2048, PKI_RSA1024, PKI_ED25519 };

struct pki_cert {
	struct cert *cert;
	X509 *x509;
	EVP_PKEY *key;
};

struct pki_spec {
	const char *subject;           /* "C=CH, CN=moon"; NULL: an empty one */
	struct bytes subject_der;      /* instead, if not empty */
	const struct pki_cert *issuer; /* NULL: it signs itself */
	const char *issuer_name;       /* NULL: the issuer's subject */
	enum pki_key_type type;        /* a new key, */
	EVP_PKEY *key;                 /* unless it is given */
	const char *const *extensions; /* "basicConstraints=critical,CA:TRUE", as openssl.cnf has them; NULL-terminated */
	const char *conf;              /* sections that they name, or NULL */
	int64_t not_before, not_after; /* 0: a day ago, in a year */
	const EVP_MD *md;              /* NULL: SHA-256; nothing for the Edwards curves */
	bool pss;
	long serial;                   /* 0: the next one */
	int version;                   /* 0: 3 */
};

/* Aborts the test when it cannot be made or is not parsed. */
struct pki_cert *pki_cert_new(const struct pki_spec *spec);
/* Only made: cert is NULL. */
struct pki_cert *pki_cert_make(const struct pki_spec *spec);
void pki_cert_free(struct pki_cert *c);
/* DER, owned by the caller. */
struct buf pki_cert_der(const struct pki_cert *c);
EVP_PKEY *pki_key_new(enum pki_key_type type);

/* P-256: a CA (key identifiers, keyCertSign and cRLSign), and an end entity with subjectAltNames ("DNS:moon.example.org", may be NULL). */
struct pki_cert *pki_ca(const struct pki_cert *issuer, const char *subject);
struct pki_cert *pki_leaf(const struct pki_cert *issuer, const char *subject, const char *names);

/* Texts as in pki_spec, as DER of each Extension, one behind the other. */
struct buf pki_extensions_der(const struct pki_cert *issuer, const char *const *extensions, const char *conf);

struct pki_crl_spec {
	const struct pki_cert *issuer;
	const struct pki_cert *signer; /* NULL: the issuer */
	const struct pki_cert *const *revoked; /* NULL-terminated, or NULL */
	int reason;                    /* of all; 0: none */
	long number, base;             /* 0: none */
	int64_t this_update, next_update; /* 0: an hour ago, in a day; next -1: none */
	const char *const *extensions;
	const char *conf;
};
struct buf pki_crl_der(const struct pki_crl_spec *spec);
struct crl *pki_crl_new(const struct pki_crl_spec *spec);

#endif

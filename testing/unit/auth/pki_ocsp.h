/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_PKI_OCSP_H
#define BEWICK_TEST_PKI_OCSP_H

#include "pki.h"

/* OCSP responses, right and wrong ones. */
enum pki_ocsp_status { PKI_OCSP_GOOD, PKI_OCSP_REVOKED, PKI_OCSP_UNKNOWN };

struct pki_ocsp_spec {
	const struct pki_cert *cert, *issuer;  /* whose certificate it is about */
	const struct pki_cert *about_issuer;   /* another issuer in its name; NULL: issuer */
	const struct pki_cert *signer;         /* NULL: issuer */
	EVP_PKEY *key;                         /* NULL: the signer's */
	bool with_cert;                        /* the signer's certificate is there */
	bool by_key;                           /* responder id is its key's hash, not its name */
	bool sha256;                           /* hash of the certificate's name in it */
	enum pki_ocsp_status status;
	int reason;                            /* -1: not said */
	int64_t this_update, next_update;      /* 0: an hour ago, in a day; next -1: none */
	struct bytes nonce;
	const EVP_MD *md;                      /* NULL: SHA-256 */
	int response_status;                   /* not 0: only that */
};
struct buf pki_ocsp_der(const struct pki_ocsp_spec *spec);
/* The nonce of a request; empty: it has none. */
struct buf pki_ocsp_nonce(struct bytes request);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_KEPT_CHAIN_H
#define BEWICK_AUTH_KEPT_CHAIN_H

#include "auth/trust.h"

/*
 * What an IKE_SA keeps of the chain that its peer was believed for, as a CRL may come later. A parsed certificate is more than ten
 * times its DER, so of the peer's own there is that alone; CAs are shared by all that have them.
 */
struct kept_chain;
EXPORT struct kept_chain *kept_chain_new(const struct trust_chain *c); /* c stays the caller's */
EXPORT void kept_chain_free(struct kept_chain *k);
/* Whether the CRL revokes a certificate of the chain (its issuer's signature is checked). */
EXPORT bool kept_chain_revoked_by(const struct kept_chain *k, const struct crl *crl);
/* Certificates, with that of the trust anchor. */
EXPORT size_t kept_chain_length(const struct kept_chain *k);
/* The peer's certificate, for logs. */
EXPORT struct cert_text kept_chain_text(const struct kept_chain *k);

#endif

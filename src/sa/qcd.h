/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_QCD_H
#define BEWICK_SA_QCD_H

#include "sa/ike_sa.h"
#include "wire/builder.h"

/*
 * RFC 6290: each side gives the other a token under the IKE_SA's protection that it can compute again from a secret on disk
 * when it has lost all else. Whoever shows it unprotected has lost the IKE_SA.
 */
#define QCD_TOKEN_LEN 16 /* the least the RFC allows: an answer to who knows no keys should be short */

/*
 * The token of an IKE_SA by one generation of secrets (RFC 6290, 5.1). Our role is hashed with the SPIs: with the flag of
 * the initiator turned round a message is looked up by the peer's SPI, finds nothing, and must not be
 * answered with the token of an IKE_SA that lives (RFC 6290, 9.2). False: there is no such generation.
 */
EXPORT bool qcd_token(struct crypto_ctx *crypto, const struct qcd_secrets *secrets, unsigned generation, bool initiator,
		      uint64_t spi_i, uint64_t spi_r, uint8_t ret_token[QCD_TOKEN_LEN]);

/* Adds our token for an IKE_SA whose SPIs are both known: IKE_AUTH, a CREATE_CHILD_SA response with `sa` the successor, or an
 * INFORMATIONAL request in it. Nothing is added when tokens are off. */
EXPORT void qcd_build(struct ike_sa *sa, struct builder *b);
/* Whether qcd_build would add something. */
EXPORT bool qcd_has_token(const struct ike_sa *sa);
/* Keeps a digest of the peer's token, if the verified payloads have one that is well-formed. */
EXPORT void qcd_take(struct ike_sa *sa, const struct payload_list *in);

enum qcd_verdict {
	QCD_NONE,  /* no token in it, or we have none of the peer to compare with */
	QCD_WRONG, /* forged, or the peer's secret is another one */
	QCD_RIGHT, /* the peer has lost the IKE_SA */
};

/* Of the tokens in an unprotected message. Constant time. */
EXPORT enum qcd_verdict qcd_check(const struct ike_sa *sa, const struct payload_list *in);

#endif

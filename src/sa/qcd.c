/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/qcd.h"

#define QCD_LEN_MIN 16 /* RFC 6290, 5 */
#define QCD_LEN_MAX 128

bool qcd_token(struct crypto_ctx *crypto, const struct qcd_secrets *secrets, unsigned generation, bool initiator, uint64_t spi_i,
	       uint64_t spi_r, uint8_t ret_token[QCD_TOKEN_LEN])
{
	uint8_t tail[17], hash[CRYPTO_MAX_MAC];
	struct writer w = writer_of(tail, sizeof(tail));
	struct bytes parts[2];

	if (generation >= secrets->count)
		return false;
	writer_u8(&w, initiator);
	writer_u64(&w, spi_i);
	writer_u64(&w, spi_r);
	parts[0] = bytes_of(secrets->secret[generation], QCD_SECRET_LEN);
	parts[1] = writer_done(&w);
	if (!result_is_ok(crypto_hash(crypto, HASH_SHA2_256, parts, ARRAY_LEN(parts), hash)))
		return false;
	memcpy(ret_token, hash, QCD_TOKEN_LEN);
	secret_wipe(hash, sizeof(hash));
	return true;
}

bool qcd_has_token(const struct ike_sa *sa)
{
	return sa->ctx->options.qcd && sa->ctx->options.qcd_secrets.count;
}

void qcd_build(struct ike_sa *sa, struct builder *b)
{
	uint8_t token[QCD_TOKEN_LEN];

	if (!sa->ctx->options.qcd || !qcd_token(sa->ctx->crypto, &sa->ctx->options.qcd_secrets, 0, sa->initiator, sa->spi_i,
						sa->spi_r, token))
		return;
	/* RFC 6290 4.1 MUST: protocol 1, no SPI */
	builder_notify(b, PROTOCOL_IKE, BYTES_NONE, NOTIFY_QUICK_CRASH_DETECTION, bytes_of(token, sizeof(token)));
	secret_wipe(token, sizeof(token));
}

/* Tokens are as good as random: their digest needs no key. */
static bool qcd_digest(const struct ike_sa *sa, struct bytes token, uint8_t ret_digest[sizeof(sa->qcd_digest)])
{
	uint8_t hash[CRYPTO_MAX_MAC];

	if (token.n < QCD_LEN_MIN || token.n > QCD_LEN_MAX ||
	    !result_is_ok(crypto_hash(sa->ctx->crypto, HASH_SHA2_256, &token, 1, hash)))
		return false;
	memcpy(ret_digest, hash, sizeof(sa->qcd_digest));
	return true;
}

void qcd_take(struct ike_sa *sa, const struct payload_list *in)
{
	const struct payload_notify *n = payload_notify(in, NOTIFY_QUICK_CRASH_DETECTION);

	if (!n || !sa->ctx->options.qcd)
		return;
	if (qcd_digest(sa, n->data, sa->qcd_digest))
		sa->qcd_taken = true;
	else
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "ignored a token for quick crash detection of %zu bytes: 16 to 128 are possible",
		       n->data.n);
}

enum qcd_verdict qcd_check(const struct ike_sa *sa, const struct payload_list *in)
{
	uint8_t digest[sizeof(sa->qcd_digest)];
	enum qcd_verdict verdict = QCD_NONE;
	unsigned seen = 0;

	if (!sa->qcd_taken || !sa->ctx->options.qcd)
		return QCD_NONE;
	for (size_t i = 0; i < in->count && seen < LIMIT_QCD_TOKENS; i++) {
		const struct payload *p = &in->p[i];

		if (p->type != PAYLOAD_NOTIFY || p->notify.type != NOTIFY_QUICK_CRASH_DETECTION)
			continue;
		seen++;
		if (qcd_digest(sa, p->notify.data, digest) &&
		    secret_equal(bytes_of(digest, sizeof(digest)), bytes_of(sa->qcd_digest, sizeof(sa->qcd_digest))))
			return QCD_RIGHT;
		verdict = QCD_WRONG;
	}
	return verdict;
}

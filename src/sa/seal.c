/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/seal.h"

#include "sa/ike_sa.h"

static const uint8_t *seal_encr_key(const struct ike_sa *sa, bool from_initiator)
{
	return from_initiator ? ike_keys_ei(&sa->keys) : ike_keys_er(&sa->keys);
}

static const uint8_t *seal_integ_key(const struct ike_sa *sa, bool from_initiator)
{
	return from_initiator ? ike_keys_ai(&sa->keys) : ike_keys_ar(&sa->keys);
}

/* The body of the payload found: for SKF its own header comes first. */
static bool seal_found(struct reader *r, uint8_t type, size_t n, struct seal_place *place)
{
	place->fragment = (struct payload_skf){ 0 };
	if (type == PAYLOAD_SKF) {
		place->fragment.number = reader_u16(r);
		place->fragment.total = reader_u16(r);
		/* RFC 7383, 2.6 MUST: discarded */
		if (!reader_ok(r) || place->fragment.number == 0 || place->fragment.number > place->fragment.total)
			return false;
	}
	place->aad_len = n - reader_left(r);
	return true;
}

/* Walks the chain: the header, payloads in the clear (none that we send), SK or SKF as the last. */
bool seal_find(struct bytes msg, struct seal_place *ret_place)
{
	struct reader r = reader_of(msg);
	uint8_t type;

	reader_skip(&r, 16);
	type = reader_u8(&r);
	reader_skip(&r, IKE_HEADER_LEN - 17);
	while (reader_ok(&r) && type != 0) {
		uint8_t next = reader_u8(&r);
		uint16_t len;

		reader_skip(&r, 1);
		len = reader_u16(&r);
		if (!reader_ok(&r) || len < 4)
			return false;
		if (type == PAYLOAD_SK || type == PAYLOAD_SKF) {
			ret_place->first = next;
			/* RFC 7296, 3.14, and RFC 7383, 2.5: it is the last */
			return reader_left(&r) == len - 4u && seal_found(&r, type, msg.n, ret_place);
		}
		reader_skip(&r, len - 4u);
		type = next;
	}
	return false;
}

struct result seal_open_at(struct ike_sa *sa, uint8_t *msg, size_t n, const struct seal_place *place, struct bytes *ret_inner)
{
	const struct protect *p = &sa->protect;
	size_t aad_len = place->aad_len, left = n - aad_len, cipher_len;
	uint8_t pad;

	if (!p->cipher)
		return result_fail(RESULT_STATE, "there are no keys yet");
	if (left < (size_t)p->cipher->iv_len + protect_icv_len(p) + 1)
		return result_fail(RESULT_INVALID, "the Encrypted payload is too short");
	cipher_len = left - p->cipher->iv_len - protect_icv_len(p);
	if (cipher_len % p->cipher->block)
		return result_fail(RESULT_INVALID, "the Encrypted payload is not a number of blocks");
	TRY(protect_open(sa->ctx->crypto, p, seal_encr_key(sa, !sa->initiator),
			 seal_integ_key(sa, !sa->initiator), msg, aad_len, cipher_len));
	pad = msg[aad_len + p->cipher->iv_len + cipher_len - 1];
	if (pad + 1u > cipher_len)
		return result_fail(RESULT_INVALID, "the padding is longer than the Encrypted payload");
	*ret_inner = bytes_of(msg + aad_len + p->cipher->iv_len, cipher_len - pad - 1);
	return result_ok();
}

struct result seal_open(struct ike_sa *sa, uint8_t *msg, size_t n, struct bytes *ret_inner, uint8_t *ret_first)
{
	struct seal_place place;

	if (!sa->protect.cipher)
		return result_fail(RESULT_STATE, "there are no keys yet");
	if (!seal_find(bytes_of(msg, n), &place) || place.fragment.total)
		return result_fail(RESULT_INVALID, "no Encrypted payload at the end of the message");
	TRY(seal_open_at(sa, msg, n, &place, ret_inner));
	*ret_first = place.first;
	return result_ok();
}

/*
 * The IV of our next message: a counter of our own that begins anywhere for counter modes and AEAD (RFC 5282, 3.1: unique per key; a
 * message id would repeat in a RFC 6311 sync), random for CBC (RFC 7296, 3.14).
 */
static void seal_write_iv(struct ike_sa *sa, uint8_t *iv)
{
	const struct cipher_impl *cipher = sa->protect.cipher;

	if (cipher->iv_len == 8) {
		uint64_t v = ++sa->seal_counter;

		for (int i = 7; i >= 0; i--, v >>= 8)
			iv[i] = (uint8_t)v;
	} else {
		crypto_random(sa->ctx->crypto, iv, cipher->iv_len);
	}
}

/* Of our own message: where its payload is, and the length of the text in it; opened in place. */
static bool seal_open_own(struct ike_sa *sa, uint8_t *msg, size_t n, struct seal_place *place, size_t *text_len)
{
	const struct protect *p = &sa->protect;

	if (!p->cipher || n < IKE_HEADER_LEN || !seal_find(bytes_of(msg, n), place) ||
	    n - place->aad_len <= (size_t)p->cipher->iv_len + protect_icv_len(p))
		return false;
	*text_len = n - place->aad_len - p->cipher->iv_len - protect_icv_len(p);
	return result_is_ok(protect_open(sa->ctx->crypto, p, seal_encr_key(sa, sa->initiator), seal_integ_key(sa, sa->initiator),
					 msg, place->aad_len, *text_len));
}

bool seal_reopen(struct ike_sa *sa, uint8_t *msg, size_t n, struct seal_place *ret_place, struct bytes *ret_inner)
{
	size_t text_len, pad;
	uint8_t *text;

	if (!seal_open_own(sa, msg, n, ret_place, &text_len))
		return false;
	text = msg + ret_place->aad_len + sa->protect.cipher->iv_len;
	pad = text[text_len - 1] + 1u;
	if (pad > text_len)
		return false;
	*ret_inner = bytes_of(text, text_len - pad);
	return true;
}

bool seal_renumber(struct ike_sa *sa, uint8_t *msg, size_t n, uint32_t message_id)
{
	struct writer id = writer_of(msg + 20, 4);
	struct seal_place place;
	size_t text_len;

	if (!seal_open_own(sa, msg, n, &place, &text_len))
		return false;
	writer_u32(&id, message_id);
	seal_write_iv(sa, msg + place.aad_len);
	return result_is_ok(protect_seal(sa->ctx->crypto, &sa->protect, seal_encr_key(sa, sa->initiator),
					 seal_integ_key(sa, sa->initiator), msg, place.aad_len, text_len));
}

struct bytes seal_fragment(struct ike_sa *sa, const struct ike_header *h, const struct payload_skf *fragment, uint8_t first,
			   struct bytes inner, uint8_t *out, size_t cap)
{
	const struct protect *p = &sa->protect;
	struct builder b = builder_of(out, cap);
	size_t pad, n, aad_len;
	uint8_t *iv, *text;

	builder_header(&b, h);
	builder_sk_begin(&b, first, fragment);
	aad_len = b.w.n;
	pad = (p->cipher->block - (inner.n + 1) % p->cipher->block) % p->cipher->block;
	n = inner.n + pad + 1;
	iv = writer_reserve(&b.w, p->cipher->iv_len);
	text = writer_reserve(&b.w, n);
	if (!writer_reserve(&b.w, protect_icv_len(p)))
		return BYTES_NONE;
	seal_write_iv(sa, iv);
	if (inner.n)
		memcpy(text, inner.p, inner.n);
	memset(text + inner.n, 0, pad);
	text[n - 1] = (uint8_t)pad;
	builder_sk_end(&b);
	if (!builder_finish(&b).n)
		return BYTES_NONE;
	if (!result_is_ok(protect_seal(sa->ctx->crypto, p, seal_encr_key(sa, sa->initiator),
				       seal_integ_key(sa, sa->initiator), out, aad_len, n)))
		return BYTES_NONE;
	return bytes_of(out, b.w.n);
}

struct bytes seal_message(struct ike_sa *sa, const struct ike_header *h, uint8_t first, struct bytes inner,
			  uint8_t *out, size_t cap)
{
	return seal_fragment(sa, h, NULL, first, inner, out, cap);
}

size_t seal_room(const struct protect *p, size_t size, bool fragment)
{
	size_t fixed = IKE_HEADER_LEN + (fragment ? 8 : 4) + p->cipher->iv_len + protect_icv_len(p);
	size_t text;

	if (size < fixed)
		return 0;
	text = (size - fixed) / p->cipher->block * p->cipher->block;
	return text ? text - 1 : 0; /* the pad length */
}

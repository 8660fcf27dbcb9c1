/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "sa/seal.h"
#include "sa_test.h"

/* Sealing and opening of messages (RFC 7296, 3.14; RFC 5282) under the keys of a real IKE_SA. */

static const char *const proposals[] = {
	"aes128-sha256-x25519",			"aes256-sha512-x25519",		"aes192-sha1-x25519",
	"aes128ctr-aesxcbc-x25519",		"aes256ctr-sha384-x25519",	"aes128gcm16-prfsha256-x25519",
	"aes256gcm8-prfsha384-x25519",		"aes256gcm12-prfsha256-x25519", "aes128ccm8-prfsha256-x25519",
	"aes256ccm16-prfsha512-x25519",		"aes128ccm12-prfaescmac-x25519",
	"chacha20poly1305-prfsha256-x25519",
};
#define PROPOSALS ((int)(sizeof(proposals) / sizeof(proposals[0])))

struct ends {
	struct lab *lab;
	struct ike_sa *a, *b;
	uint8_t out[8192], inner[4096];
};

static void ends_begin(struct ends *e, int i)
{
	char conf_a[1024], conf_b[1024];

	snprintf(conf_a, sizeof(conf_a), CONF_A_WITH("proposals = %s", CHILD_A("one", "1", "")), proposals[i]);
	snprintf(conf_b, sizeof(conf_b), CONF_B_WITH("proposals = %s", CHILD_B("one", "1", "")), proposals[i]);
	e->lab = sa_test_up(conf_a, conf_b);
	e->a = lab_sa(&e->lab->a);
	e->b = lab_sa(&e->lab->b);
	for (size_t k = 0; k < sizeof(e->inner); k++)
		e->inner[k] = (uint8_t)(k * 31 + 7);
}

static struct ike_header ends_header(const struct ends *e, bool from_a)
{
	return (struct ike_header){ .spi_i = e->a->spi_i, .spi_r = e->a->spi_r, .version = IKE_VERSION,
				    .exchange = EXCHANGE_INFORMATIONAL,
				    .flags = from_a ? IKE_FLAG_INITIATOR : IKE_FLAG_RESPONSE, .message_id = 7 };
}

static struct bytes ends_seal(struct ends *e, bool from_a, size_t n)
{
	struct ike_header h = ends_header(e, from_a);
	struct bytes msg = seal_message(from_a ? e->a : e->b, &h, PAYLOAD_VENDOR, bytes_of(e->inner, n), e->out,
					sizeof(e->out));

	ck_assert_uint_ge(msg.n, IKE_HEADER_LEN + 4 + n);
	return msg;
}

/* Opens a copy that is exactly as long as it claims, so that reading past it is seen. */
static struct result ends_open(struct ike_sa *sa, struct bytes msg, struct buf *ret_inner, uint8_t *ret_first)
{
	uint8_t *copy = xmemdup(msg.p, msg.n ? msg.n : 1);
	struct bytes inner = BYTES_NONE;
	uint8_t first = 0;
	struct result r = seal_open(sa, copy, msg.n, &inner, &first);

	if (result_is_ok(r)) {
		buf_reset(ret_inner);
		buf_add_bytes(ret_inner, inner);
		*ret_first = first;
	}
	free(copy);
	return r;
}

START_TEST(round_trip)
{
	static struct ends e;
	struct buf inner = { 0 };
	uint8_t first = 0;

	ends_begin(&e, _i);
	for (size_t n = 0; n < 80; n++) {
		for (int from_a = 0; from_a < 2; from_a++) {
			struct bytes msg = ends_seal(&e, from_a, n);

			ck_assert(result_is_ok(ends_open(from_a ? e.b : e.a, msg, &inner, &first)));
			ck_assert(bytes_equal(buf_bytes(&inner), bytes_of(e.inner, n)));
			ck_assert_uint_eq(first, PAYLOAD_VENDOR);
			/* its own message, sent back, is not the peer's */
			ck_assert_int_eq(ends_open(from_a ? e.a : e.b, msg, &inner, &first).code, RESULT_AUTH);
		}
	}
	buf_free(&inner);
	lab_free(e.lab);
}
END_TEST

/* Law 2: whatever is changed, it does not open. */
START_TEST(changed)
{
	static struct ends e;
	struct buf inner = { 0 };
	struct bytes msg;
	uint8_t first;

	ends_begin(&e, _i);
	msg = ends_seal(&e, true, 61);
	for (size_t k = 0; k < msg.n; k++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			e.out[k] ^= (uint8_t)(1u << bit);
			ck_assert_msg(!result_is_ok(ends_open(e.b, msg, &inner, &first)), "byte %zu bit %u", k, bit);
			e.out[k] ^= (uint8_t)(1u << bit);
		}
	}
	ck_assert(result_is_ok(ends_open(e.b, msg, &inner, &first)));
	buf_free(&inner);
	lab_free(e.lab);
}
END_TEST

/* Cut short, with the lengths as they were and with lengths that fit again; and with bytes behind. */
START_TEST(cut)
{
	static struct ends e;
	struct buf inner = { 0 };
	struct bytes msg;
	uint8_t first;

	ends_begin(&e, _i);
	msg = ends_seal(&e, true, 61);
	for (size_t n = 0; n < msg.n; n++) {
		ck_assert(!result_is_ok(ends_open(e.b, bytes_of(e.out, n), &inner, &first)));
		if (n < IKE_HEADER_LEN + 4)
			continue;
		e.out[27] = (uint8_t)n;
		e.out[26] = (uint8_t)(n >> 8);
		e.out[31] = (uint8_t)(n - IKE_HEADER_LEN);
		e.out[30] = (uint8_t)((n - IKE_HEADER_LEN) >> 8);
		ck_assert(!result_is_ok(ends_open(e.b, bytes_of(e.out, n), &inner, &first)));
		msg = ends_seal(&e, true, 61);
	}
	e.out[msg.n] = 0;
	ck_assert(!result_is_ok(ends_open(e.b, bytes_of(e.out, msg.n + 1), &inner, &first)));
	buf_free(&inner);
	lab_free(e.lab);
}
END_TEST

/* A message whose plaintext, with its padding, the test chooses; what is in front of SK, too. */
static struct bytes seal_raw(struct ends *e, bool clear_first, struct bytes text)
{
	struct ike_header h = ends_header(e, true);
	struct builder b = builder_of(e->out, sizeof(e->out));
	size_t aad;
	uint8_t *iv, *to;

	builder_header(&b, &h);
	if (clear_first)
		builder_vendor(&b, bytes_str("in the clear"));
	builder_sk_begin(&b, PAYLOAD_VENDOR, NULL);
	aad = b.w.n;
	iv = writer_reserve(&b.w, e->a->protect.cipher->iv_len);
	to = writer_reserve(&b.w, text.n);
	ck_assert_ptr_nonnull(writer_reserve(&b.w, protect_icv_len(&e->a->protect)));
	memset(iv, 0x5a, e->a->protect.cipher->iv_len);
	memcpy(to, text.p, text.n);
	builder_sk_end(&b);
	ck_assert_uint_gt(builder_finish(&b).n, 0);
	ck_assert(result_is_ok(protect_seal(e->a->ctx->crypto, &e->a->protect, ike_keys_ei(&e->a->keys),
					    ike_keys_ai(&e->a->keys), e->out, aad, text.n)));
	return bytes_of(e->out, b.w.n);
}

/* The length of the padding is the peer's word, even if authenticated. */
START_TEST(padding)
{
	static struct ends e;
	struct buf inner = { 0 };
	uint8_t text[96], first = 0;
	size_t block;

	ends_begin(&e, _i);
	block = e.a->protect.cipher->block;
	memset(text, 0xee, sizeof(text));
	for (size_t n = block; n <= sizeof(text); n += block) {
		for (unsigned pad = 0; pad < 256; pad++) {
			struct result r;

			text[n - 1] = (uint8_t)pad;
			r = ends_open(e.b, seal_raw(&e, false, bytes_of(text, n)), &inner, &first);
			text[n - 1] = 0xee;
			if (pad + 1 > n) {
				ck_assert_int_eq(r.code, RESULT_INVALID);
				continue;
			}
			/* RFC 7296, 3.14: any amount that fits is fine */
			ck_assert(result_is_ok(r));
			ck_assert_uint_eq(inner.n, n - pad - 1);
		}
		if (block == 1 && n > 20)
			n += 30;
	}
	buf_free(&inner);
	lab_free(e.lab);
}
END_TEST

START_TEST(clear_payload_first)
{
	static struct ends e;
	struct buf inner = { 0 };
	uint8_t text[16] = { [15] = 3 }, first = 0;
	struct bytes msg;

	ends_begin(&e, _i);
	msg = seal_raw(&e, true, bytes_of(text, sizeof(text)));
	ck_assert(result_is_ok(ends_open(e.b, msg, &inner, &first)));
	ck_assert_uint_eq(inner.n, 12);
	/* the check covers what is in the clear as well */
	e.out[IKE_HEADER_LEN + 6] ^= 1;
	ck_assert_int_eq(ends_open(e.b, msg, &inner, &first).code, RESULT_AUTH);
	buf_free(&inner);
	lab_free(e.lab);
}
END_TEST

/* RFC 5282, 3.1: an IV that comes twice gives the key away. */
START_TEST(ivs)
{
	static struct ends e;
	size_t len, count = 2000;
	uint8_t *seen;

	ends_begin(&e, _i);
	len = e.a->protect.cipher->iv_len;
	seen = xcalloc(count, len);
	for (size_t k = 0; k < count; k++) {
		struct bytes msg = ends_seal(&e, true, 1);

		memcpy(seen + k * len, msg.p + IKE_HEADER_LEN + 4, len);
		for (size_t i = 0; i < k; i++)
			ck_assert_int_ne(memcmp(seen + i * len, seen + k * len, len), 0);
	}
	free(seen);
	lab_free(e.lab);
}
END_TEST

START_TEST(no_keys)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	uint8_t msg[64] = { 0 }, first;
	struct bytes inner;

	lab_initiate(&lab->a, "one");
	ck_assert_int_eq(seal_open(lab_sa(&lab->a), msg, sizeof(msg), &inner, &first).code, RESULT_STATE);
	lab_free(lab);
}
END_TEST

START_TEST(too_long)
{
	static struct ends e;
	struct ike_header h;
	struct bytes inner;

	ends_begin(&e, _i);
	h = ends_header(&e, true);
	inner = bytes_of(e.inner, 61);
	for (size_t cap = 0; cap < sizeof(e.out); cap++) {
		struct bytes msg = seal_message(e.a, &h, PAYLOAD_VENDOR, inner, e.out, cap);

		ck_assert_uint_le(msg.n, cap);
		if (msg.n)
			break;
		ck_assert_uint_lt(cap, 200);
	}
	lab_free(e.lab);
}
END_TEST

TCase *test_seal(void)
{
	TCase *t = tcase_create("seal");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, round_trip, 0, PROPOSALS);
	tcase_add_loop_test(t, changed, 0, PROPOSALS);
	tcase_add_loop_test(t, cut, 0, PROPOSALS);
	tcase_add_loop_test(t, padding, 0, PROPOSALS);
	tcase_add_loop_test(t, clear_payload_first, 0, PROPOSALS);
	tcase_add_loop_test(t, ivs, 0, PROPOSALS);
	tcase_add_loop_test(t, too_long, 0, PROPOSALS);
	tcase_add_test(t, no_keys);
	return t;
}

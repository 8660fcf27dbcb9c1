/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_test.h"

#include "util/mem.h"

#define SK_AAD 32 /* IKE header and the SK payload's */

static const struct suite suites[] = {
	{ .encr = ENCR_AES_GCM_16, .encr_bits = 256 },
	{ .encr = ENCR_AES_GCM_12, .encr_bits = 128 },
	{ .encr = ENCR_AES_GCM_8, .encr_bits = 192 },
	{ .encr = ENCR_AES_CCM_16, .encr_bits = 128 },
	{ .encr = ENCR_AES_CCM_12, .encr_bits = 256 },
	{ .encr = ENCR_AES_CCM_8, .encr_bits = 128 },
	{ .encr = ENCR_CHACHA20_POLY1305 },
	{ .encr = ENCR_AES_CBC, .encr_bits = 128, .integ = INTEG_HMAC_SHA1_96 },
	{ .encr = ENCR_AES_CBC, .encr_bits = 256, .integ = INTEG_HMAC_SHA2_256_128 },
	{ .encr = ENCR_AES_CBC, .encr_bits = 192, .integ = INTEG_HMAC_SHA2_384_192 },
	{ .encr = ENCR_AES_CTR, .encr_bits = 128, .integ = INTEG_AES_XCBC_96 },
	{ .encr = ENCR_AES_CTR, .encr_bits = 256, .integ = INTEG_HMAC_SHA2_512_256 },
	{ .encr = ENCR_AES_CBC, .encr_bits = 128, .integ = INTEG_AES_CMAC_96 },
};

static uint8_t encr_key[CRYPTO_MAX_KEY], integ_key[CRYPTO_MAX_KEY];

static void fill_keys(void)
{
	for (size_t i = 0; i < CRYPTO_MAX_KEY; i++) {
		encr_key[i] = (uint8_t)(i + 1);
		integ_key[i] = (uint8_t)(0x80 + i);
	}
}

/* Each bit of a sealed message is covered: AAD, IV, ciphertext and ICV. */
START_TEST(test_every_bit)
{
	struct crypto_ctx *c = crypto_ctx_new(registry);
	uint8_t sealed[256], copy[256];
	struct protect p;
	size_t n = 48, total;

	fill_keys();
	ck_assert_result(protect_init(registry, &suites[_i], &p), "suite");
	total = SK_AAD + p.cipher->iv_len + n + protect_icv_len(&p);
	for (size_t i = 0; i < sizeof(sealed); i++)
		sealed[i] = (uint8_t)i;
	ck_assert_result(protect_seal(c, &p, encr_key, integ_key, sealed, SK_AAD, n), "seal");
	ck_assert_uint_eq(sealed[total], (uint8_t)total); /* nothing behind the ICV */
	memcpy(copy, sealed, sizeof(copy));
	ck_assert_result(protect_open(c, &p, encr_key, integ_key, copy, SK_AAD, n), "open");
	for (size_t i = 0; i < SK_AAD + p.cipher->iv_len + n; i++)
		ck_assert_uint_eq(copy[i], (uint8_t)i);
	for (size_t bit = 0; bit < total * 8; bit++) {
		memcpy(copy, sealed, sizeof(copy));
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_msg(protect_open(c, &p, encr_key, integ_key, copy, SK_AAD, n).code ==
				      RESULT_AUTH,
			      "bit %zu of %zu is not covered", bit, total * 8);
	}
	/* Another key, salt or integrity key. */
	for (size_t i = 0; i < protect_encr_key_len(&p); i++) {
		if (p.integ && i < p.cipher->key_len)
			continue; /* the MAC does not depend on it */
		if (p.integ)
			break;
		memcpy(copy, sealed, sizeof(copy));
		encr_key[i] ^= 1;
		ck_assert_int_eq(protect_open(c, &p, encr_key, integ_key, copy, SK_AAD, n).code,
				 RESULT_AUTH);
		encr_key[i] ^= 1;
	}
	for (size_t i = 0; i < protect_integ_key_len(&p); i++) {
		memcpy(copy, sealed, sizeof(copy));
		integ_key[i] ^= 1;
		ck_assert_int_eq(protect_open(c, &p, encr_key, integ_key, copy, SK_AAD, n).code,
				 RESULT_AUTH);
		integ_key[i] ^= 1;
	}
	memcpy(copy, sealed, sizeof(copy));
	ck_assert_result(protect_open(c, &p, encr_key, integ_key, copy, SK_AAD, n),
			 "open after forgeries");
	crypto_ctx_free(c);
}
END_TEST

START_TEST(test_lengths)
{
	struct crypto_ctx *c = crypto_ctx_new(registry);
	uint8_t packet[4096];
	struct protect p;

	fill_keys();
	ck_assert_result(protect_init(registry, &suites[_i], &p), "suite");
	for (size_t n = 0; n < 300; n++) {
		struct result r;

		memset(packet, 0x5a, sizeof(packet));
		r = protect_seal(c, &p, encr_key, integ_key, packet, SK_AAD, n);
		if (!n || n % p.cipher->block) {
			ck_assert_int_eq(r.code, RESULT_INVALID);
			ck_assert_int_eq(
				protect_open(c, &p, encr_key, integ_key, packet, SK_AAD, n).code,
				RESULT_INVALID);
			continue;
		}
		ck_assert_result(r, "seal");
		ck_assert_result(protect_open(c, &p, encr_key, integ_key, packet, SK_AAD, n),
				 "open");
		for (size_t i = 0; i < n; i++)
			ck_assert_uint_eq(packet[SK_AAD + p.cipher->iv_len + i], 0x5a);
	}
	crypto_ctx_free(c);
}
END_TEST

/* Messages of other implementations: open, compare, seal again with the same IV to the same octets.
 */
START_TEST(test_ike_messages)
{
	struct vectors *v = vectors_open("ike-messages.txt");
	struct crypto_ctx *c = crypto_ctx_new(registry);

	while (vectors_next(v)) {
		struct bytes message = vec_hex(v, "message"), plain = vec_hex(v, "plain");
		struct bytes ek = vec_hex(v, "encr_key"), ik = vec_hex(v, "integ_key");
		struct suite s = vec_suite(v);
		const char *name = vec_text(v, "name");
		uint8_t packet[4096];
		struct protect p;
		size_t n, pad;

		ck_assert_result(protect_init(registry, &s, &p), name);
		ck_assert_uint_eq(ek.n, protect_encr_key_len(&p));
		ck_assert_uint_eq(ik.n, protect_integ_key_len(&p));
		ck_assert_uint_le(message.n, sizeof(packet));
		n = message.n - SK_AAD - p.cipher->iv_len - protect_icv_len(&p);
		memcpy(packet, message.p, message.n);
		ck_assert_result(protect_open(c, &p, ek.p, ik.p, packet, SK_AAD, n), name);
		pad = packet[SK_AAD + p.cipher->iv_len + n - 1];
		ck_assert_uint_eq(plain.n + pad + 1, n);
		ck_assert_bytes(bytes_of(packet + SK_AAD + p.cipher->iv_len, plain.n), plain, name);
		ck_assert_result(protect_seal(c, &p, ek.p, ik.p, packet, SK_AAD, n), name);
		ck_assert_bytes(bytes_of(packet, message.n), message, name);
	}
	crypto_ctx_free(c);
	vectors_close(v, 25);
}
END_TEST

START_TEST(test_init)
{
	struct suite s = { .encr = ENCR_AES_CBC, .encr_bits = 128 };
	struct protect p = { 0 };

	/* A classic cipher without integrity is not protection. */
	ck_assert_int_eq(protect_init(registry, &s, &p).code, RESULT_UNSUPPORTED);
	s.integ = INTEG_HMAC_MD5_96;
	ck_assert_int_eq(protect_init(registry, &s, &p).code, RESULT_UNSUPPORTED);
	s.encr = ENCR_3DES;
	ck_assert_int_eq(protect_init(registry, &s, &p).code, RESULT_UNSUPPORTED);
	ck_assert_ptr_null(p.cipher);
}
END_TEST

Suite *suite_protect(void)
{
	Suite *s = suite_create("protect");
	TCase *t = tcase_create("all");

	tcase_add_loop_test(t, test_every_bit, 0, (int)ARRAY_LEN(suites));
	tcase_add_loop_test(t, test_lengths, 0, (int)ARRAY_LEN(suites));
	tcase_add_test(t, test_ike_messages);
	tcase_add_test(t, test_init);
	suite_add_tcase(s, t);
	return s;
}

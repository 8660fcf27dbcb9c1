/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_test.h"

#include <stdio.h>

#include "util/mem.h"

START_TEST(test_have)
{
	static const struct {
		struct transform t;
		bool have;
	} cases[] = {
		{ { TRANSFORM_ENCR, ENCR_AES_CBC, 128 }, true },
		{ { TRANSFORM_ENCR, ENCR_AES_CBC, 0 }, false },
		{ { TRANSFORM_ENCR, ENCR_AES_GCM_16, 192 }, true },
		{ { TRANSFORM_ENCR, ENCR_AES_GCM_16, 512 }, false },
		{ { TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305, 0 }, true },
		{ { TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305, 256 }, false },
		{ { TRANSFORM_ENCR, ENCR_3DES, 0 }, false },
		{ { TRANSFORM_PRF, PRF_HMAC_SHA2_384, 0 }, true },
		{ { TRANSFORM_PRF, PRF_HMAC_MD5, 0 }, false },
		{ { TRANSFORM_INTEG, INTEG_NONE, 0 }, true },
		{ { TRANSFORM_INTEG, INTEG_AES_XCBC_96, 0 }, true },
		{ { TRANSFORM_INTEG, INTEG_HMAC_MD5_96, 0 }, false },
		{ { TRANSFORM_KE, KE_NONE, 0 }, true },
		{ { TRANSFORM_KE, KE_CURVE_448, 0 }, true },
		{ { TRANSFORM_KE, KE_MODP_1024, 0 }, false },
		{ { TRANSFORM_ADDKE1, KE_ECP_384, 0 }, true },
		{ { TRANSFORM_ADDKE7, KE_MODP_768, 0 }, false },
		{ { TRANSFORM_ESN, ESN_NO, 0 }, true },
		{ { TRANSFORM_ESN, ESN_YES, 0 }, true },
		{ { TRANSFORM_ESN, 2, 0 }, false },
		{ { 0, 1, 0 }, false },
		{ { 200, 1, 0 }, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ck_assert_msg(crypto_have(registry, &cases[i].t) == cases[i].have, "case %zu", i);
}
END_TEST

START_TEST(test_frozen)
{
	struct crypto_registry *r = crypto_registry_new();
	const struct mac_impl *prf = crypto_prf(registry, PRF_HMAC_SHA1);

	crypto_registry_freeze(r);
	ck_assert(!crypto_add_prf(r, prf));
	ck_assert(!crypto_add_integ(r, crypto_integ(registry, INTEG_AES_CMAC_96)));
	ck_assert(!crypto_add_cipher(r, crypto_cipher(registry, ENCR_AES_CBC, 128)));
	ck_assert(!crypto_add_ke(r, crypto_ke(registry, KE_CURVE_25519)));
	ck_assert(!crypto_add_hash(r, crypto_hasher(registry, HASH_SHA1)));
	ck_assert(!crypto_add_rng(r, crypto_rng(registry)));
	ck_assert_ptr_null(crypto_prf(r, PRF_HMAC_SHA1));
	crypto_registry_free(r);
}
END_TEST

static bool second_hash(const struct hash_impl *impl, const struct bytes *parts, size_t n_parts,
			uint8_t *out)
{
	const struct hash_impl *real = crypto_hasher(registry, HASH_SHA1);

	return real->hash(real, parts, n_parts, out);
}

START_TEST(test_first_wins)
{
	static const struct hash_impl second = { HASH_SHA1, 20, "second", second_hash };
	const struct hash_impl *first = crypto_hasher(registry, HASH_SHA1);
	struct crypto_registry *r = crypto_registry_new();

	ck_assert(crypto_add_hash(r, first));
	ck_assert(crypto_add_hash(r, &second));
	ck_assert_ptr_eq(crypto_hasher(r, HASH_SHA1), first);
	crypto_registry_free(r);
}
END_TEST

/* What would write past buffers is not even tried. */
START_TEST(test_impossible_lengths)
{
	struct crypto_registry *r = crypto_registry_new();

	ck_assert(!crypto_add_hash(
		r, &(struct hash_impl){ .id = 9, .out_len = 65, .hash = second_hash }));
	ck_assert(!crypto_add_hash(r, &(struct hash_impl){ .id = 9, .hash = second_hash }));
	ck_assert(!crypto_add_prf(r, &(struct mac_impl){ .id = 99, .key_len = 16, .out_len = 65 }));
	ck_assert(
		!crypto_add_integ(r, &(struct mac_impl){ .id = 99, .key_len = 65, .out_len = 16 }));
	ck_assert(!crypto_add_cipher(
		r, &(struct cipher_impl){ .id = 99, .key_len = 16, .iv_len = 33, .block = 1 }));
	ck_assert(!crypto_add_cipher(
		r, &(struct cipher_impl){ .id = 99, .key_len = 16, .iv_len = 8, .block = 0 }));
	ck_assert(!crypto_add_cipher(
		r, &(struct cipher_impl){ .id = 99, .key_len = 16, .block = 1, .icv_len = 16 }));
	crypto_registry_free(r);
}
END_TEST

static void gather(void *arg, const char *section, const char *name, const char *plugin)
{
	buf_printf(arg, "%s/%s=%s ", section, name, plugin);
}

/* Names and sections of VICI's get-algorithms; a cipher with three key sizes once. */
START_TEST(test_each)
{
	static const char *const expected[] = {
		"encryption/AES_CBC=openssl ",		"aead/AES_GCM_16=openssl ",
		"integrity/HMAC_SHA2_256_128=openssl ", "hasher/HASH_SHA2_256=openssl ",
		"prf/PRF_HMAC_SHA2_256=openssl ",	"ke/CURVE_25519=openssl ",
		"nonce-gen/NONCE_GEN=openssl ",		"rng/RNG_STRONG=openssl ",
		"aead/CHACHA20_POLY1305=openssl ",
	};
	struct buf out = { 0 };

	crypto_each(registry, gather, &out);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		const char *at = strstr(buf_str(&out), expected[i]);

		ck_assert_msg(at, "%s is missing in %s", expected[i], buf_str(&out));
		ck_assert_msg(!strstr(at + 1, expected[i]), "%s twice", expected[i]);
	}
	buf_free(&out);
}
END_TEST

START_TEST(test_no_provider)
{
	struct crypto_registry *r = crypto_registry_new();
	struct crypto_ctx *c = crypto_ctx_new(r);
	struct suite s = { .encr = ENCR_AES_CBC,
			   .encr_bits = 128,
			   .integ = INTEG_HMAC_SHA1_96,
			   .prf = PRF_HMAC_SHA1 };
	struct ike_keys keys = { 0 };
	struct protect p;
	uint8_t a[16] = { 0 }, b[16] = { 0 };

	ck_assert_int_eq(protect_init(r, &s, &p).code, RESULT_UNSUPPORTED);
	ck_assert_int_eq(crypto_prf_run(c, PRF_HMAC_SHA1, BYTES_NONE, NULL, 0, a).code,
			 RESULT_UNSUPPORTED);
	ck_assert_int_eq(crypto_prf_plus(c, PRF_HMAC_SHA1, BYTES_NONE, BYTES_NONE, a, 1).code,
			 RESULT_UNSUPPORTED);
	ck_assert_int_eq(keys_derive_ike(c, &s, BYTES_NONE, BYTES_NONE, BYTES_NONE, 1, 2, 0,
					 BYTES_NONE, &keys)
				 .code,
			 RESULT_UNSUPPORTED);
	/* Random bytes there are: the kernel's. */
	crypto_random(c, a, sizeof(a));
	crypto_random(c, b, sizeof(b));
	ck_assert_mem_ne(a, b, sizeof(a));
	crypto_ctx_free(c);
	crypto_registry_free(r);
}
END_TEST

Suite *suite_registry(void)
{
	Suite *s = suite_create("registry");
	TCase *t = tcase_create("all");

	tcase_add_test(t, test_have);
	tcase_add_test(t, test_frozen);
	tcase_add_test(t, test_first_wins);
	tcase_add_test(t, test_impossible_lengths);
	tcase_add_test(t, test_each);
	tcase_add_test(t, test_no_provider);
	suite_add_tcase(s, t);
	return s;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_test.h"

static struct crypto_ctx *ctx;

static void setup(void)
{
	ctx = crypto_ctx_new(registry);
}

static void teardown(void)
{
	crypto_ctx_free(ctx);
}

static uint64_t vec_spi(struct vectors *v, const char *key)
{
	struct bytes b = vec_hex(v, key);
	uint64_t spi = 0;

	ck_assert_uint_eq(b.n, 8);
	for (size_t i = 0; i < 8; i++)
		spi = spi << 8 | b.p[i];
	return spi;
}

/* The derived keys in a row against what the vector gives of them. */
static void check_prefix(const struct ike_keys *keys, struct bytes expected, const char *name)
{
	size_t n = keys->all.n < expected.n ? keys->all.n : expected.n;

	ck_assert_uint_gt(n, 64);
	ck_assert_bytes(bytes_of(keys->all.p, n), bytes_of(expected.p, n), name);
}

static struct suite nist_suite(unsigned prf)
{
	return (struct suite){ .encr = ENCR_AES_CBC,
			       .encr_bits = 256,
			       .integ = INTEG_HMAC_SHA2_256_128,
			       .prf = (uint16_t)prf };
}

/* RFC 7296, 2.14: SKEYSEED and what comes of it; 2.18: the same for a rekeyed IKE_SA. */
START_TEST(test_nist_ike)
{
	struct vectors *v = vectors_open("nist-kdf135-ikev2.txt");

	while (vectors_next(v)) {
		struct suite s = nist_suite(vec_num(v, "prf"));
		struct bytes ni = vec_hex(v, "ni"), nr = vec_hex(v, "nr"), dkm = vec_hex(v, "dkm");
		uint64_t spi_i = vec_spi(v, "spi_i"), spi_r = vec_spi(v, "spi_r");
		size_t out_len = crypto_prf(registry, s.prf)->out_len;
		const char *name = vec_text(v, "name");
		struct ike_keys keys = { 0 };
		struct buf seed = { 0 };
		uint8_t expected[224];

		ck_assert_result(keys_derive_ike(ctx, &s, vec_hex(v, "shared"), ni, nr, spi_i,
						 spi_r, 0, BYTES_NONE, &keys),
				 name);
		check_prefix(&keys, dkm, name);
		ck_assert_result(keys_derive_ike(ctx, &s, vec_hex(v, "shared_new"), ni, nr, spi_i,
						 spi_r, s.prf, bytes_of(dkm.p, out_len), &keys),
				 name);
		buf_add_bytes(&seed, ni);
		buf_add_bytes(&seed, nr);
		buf_add_u64(&seed, spi_i);
		buf_add_u64(&seed, spi_r);
		ck_assert_result(crypto_prf_plus(ctx, s.prf, vec_hex(v, "skeyseed_rekey"),
						 buf_bytes(&seed), expected, sizeof(expected)),
				 name);
		check_prefix(&keys, bytes_of(expected, sizeof(expected)), name);
		buf_free(&seed);
		secret_clear(&keys.all);
	}
	vectors_close(v, 30);
}
END_TEST

/* RFC 7296, 2.17, with and without a key exchange of the child's own. */
START_TEST(test_nist_child)
{
	struct vectors *v = vectors_open("nist-kdf135-ikev2.txt");

	while (vectors_next(v)) {
		unsigned prf = vec_num(v, "prf");
		struct bytes d = bytes_of(vec_hex(v, "dkm").p, crypto_prf(registry, prf)->out_len);
		struct bytes ni = vec_hex(v, "ni"), nr = vec_hex(v, "nr");
		struct bytes child = vec_hex(v, "child"), child_dh = vec_hex(v, "child_dh");
		const char *name = vec_text(v, "name");
		struct secret keymat = { 0 };

		ck_assert_result(
			keys_derive_child(ctx, prf, d, BYTES_NONE, ni, nr, child.n / 2, 0, &keymat),
			name);
		ck_assert_bytes(secret_bytes(&keymat), child, name);
		ck_assert_result(keys_derive_child(ctx, prf, d, vec_hex(v, "shared_new"), ni, nr,
						   child_dh.n / 2 - 20, 20, &keymat),
				 name);
		ck_assert_bytes(secret_bytes(&keymat), child_dh, name);
		secret_clear(&keymat);
	}
	vectors_close(v, 30);
}
END_TEST

/* Whole key sets of real SAs, with every kind of PRF: also that each key is found where the header
 * says. */
START_TEST(test_ike_keys)
{
	struct vectors *v = vectors_open("ike-keys.txt");

	while (vectors_next(v)) {
		struct suite s = vec_suite(v);
		struct ike_keys k = { 0 };
		const char *name = vec_text(v, "name");

		s.prf = (uint16_t)vec_num(v, "prf");
		ck_assert_result(keys_derive_ike(ctx, &s, vec_hex(v, "shared"), vec_hex(v, "ni"),
						 vec_hex(v, "nr"), vec_spi(v, "spi_i"),
						 vec_spi(v, "spi_r"), s.prf, vec_hex(v, "old_d"),
						 &k),
				 name);
		ck_assert_bytes(bytes_of(ike_keys_d(&k), k.d_len), vec_hex(v, "sk_d"), name);
		ck_assert_bytes(bytes_of(ike_keys_ai(&k), k.a_len), vec_hex(v, "sk_ai"), name);
		ck_assert_bytes(bytes_of(ike_keys_ar(&k), k.a_len), vec_hex(v, "sk_ar"), name);
		ck_assert_bytes(bytes_of(ike_keys_ei(&k), k.e_len), vec_hex(v, "sk_ei"), name);
		ck_assert_bytes(bytes_of(ike_keys_er(&k), k.e_len), vec_hex(v, "sk_er"), name);
		ck_assert_bytes(bytes_of(ike_keys_pi(&k), k.p_len), vec_hex(v, "sk_pi"), name);
		ck_assert_bytes(bytes_of(ike_keys_pr(&k), k.p_len), vec_hex(v, "sk_pr"), name);
		ck_assert_ptr_eq(ike_keys_pr(&k) + k.p_len, k.all.p + k.all.n);
		secret_clear(&k.all);
	}
	vectors_close(v, 20);
}
END_TEST

START_TEST(test_child_keys)
{
	struct vectors *v = vectors_open("child-keys.txt");

	while (vectors_next(v)) {
		struct bytes encr_i = vec_hex(v, "encr_i"), integ_i = vec_hex(v, "integ_i");
		const char *name = vec_text(v, "name");
		struct secret keymat = { 0 };
		const uint8_t *p;

		ck_assert_result(keys_derive_child(ctx, vec_num(v, "prf"), vec_hex(v, "sk_d"),
						   vec_hex(v, "shared"), vec_hex(v, "ni"),
						   vec_hex(v, "nr"), encr_i.n, integ_i.n, &keymat),
				 name);
		p = keymat.p;
		ck_assert_bytes(bytes_of(p, encr_i.n), encr_i, name);
		ck_assert_bytes(bytes_of(p += encr_i.n, integ_i.n), integ_i, name);
		ck_assert_bytes(bytes_of(p += integ_i.n, encr_i.n), vec_hex(v, "encr_r"), name);
		ck_assert_bytes(bytes_of(p += encr_i.n, integ_i.n), vec_hex(v, "integ_r"), name);
		ck_assert_ptr_eq(p + integ_i.n, keymat.p + keymat.n);
		secret_clear(&keymat);
	}
	vectors_close(v, 20);
}
END_TEST

START_TEST(test_psk_auth)
{
	struct vectors *v = vectors_open("psk-auth.txt");

	while (vectors_next(v)) {
		uint8_t auth[CRYPTO_MAX_MAC];
		size_t n = 0;

		ck_assert_result(keys_psk_auth(ctx, vec_num(v, "prf"), vec_hex(v, "psk"),
					       vec_hex(v, "message"), vec_hex(v, "nonce"),
					       vec_hex(v, "sk_p"), vec_hex(v, "id_body"), auth, &n),
				 vec_text(v, "name"));
		ck_assert_bytes(bytes_of(auth, n), vec_hex(v, "auth"), vec_text(v, "name"));
	}
	vectors_close(v, 15);
}
END_TEST

/* RFC 7296, 2.14: PRFs with a fixed key take the first 64 bits of each nonce, which must be there.
 */
START_TEST(test_short_nonce)
{
	struct suite s = { .encr = ENCR_AES_GCM_16, .encr_bits = 128, .prf = PRF_AES128_XCBC };
	struct ike_keys keys = { 0 };
	uint8_t nonce[16] = { 0 };

	ck_assert_int_eq(keys_derive_ike(ctx, &s, bytes_str("shared"), bytes_of(nonce, 7),
					 bytes_of(nonce, 16), 1, 2, 0, BYTES_NONE, &keys)
				 .code,
			 RESULT_INVALID);
	ck_assert_int_eq(keys_derive_ike(ctx, &s, bytes_str("shared"), bytes_of(nonce, 16),
					 bytes_of(nonce, 7), 1, 2, 0, BYTES_NONE, &keys)
				 .code,
			 RESULT_INVALID);
	ck_assert_ptr_null(keys.all.p);
}
END_TEST

/* A rekeying may change the PRF: SKEYSEED by the old one, the keys by the new (RFC 7296, 2.18). */
START_TEST(test_rekey_changes_prf)
{
	struct suite s = { .encr = ENCR_AES_GCM_16, .encr_bits = 128, .prf = PRF_HMAC_SHA2_512 };
	struct bytes d = bytes_str("01234567890123456789"), shared = bytes_str("shared");
	struct bytes ni = bytes_str("nonce of the initiator"),
		     nr = bytes_str("nonce of the responder");
	struct bytes parts[] = { shared, ni, nr };
	uint8_t seed[20], expected[64];
	struct ike_keys keys = { 0 };
	struct buf s2 = { 0 };

	ck_assert_result(keys_derive_ike(ctx, &s, shared, ni, nr, 1, 2, PRF_HMAC_SHA1, d, &keys),
			 "derive");
	ck_assert_uint_eq(keys.d_len, 64);
	ck_assert_result(crypto_prf_run(ctx, PRF_HMAC_SHA1, d, parts, 3, seed), "prf");
	buf_add_bytes(&s2, ni);
	buf_add_bytes(&s2, nr);
	buf_add_u64(&s2, 1);
	buf_add_u64(&s2, 2);
	ck_assert_result(crypto_prf_plus(ctx, PRF_HMAC_SHA2_512, bytes_of(seed, 20), buf_bytes(&s2),
					 expected, 64),
			 "prf+");
	ck_assert_mem_eq(expected, keys.all.p, 64);
	ck_assert_int_eq(
		keys_derive_ike(ctx, &s, shared, ni, nr, 1, 2, PRF_HMAC_MD5, d, &keys).code,
		RESULT_UNSUPPORTED);
	ck_assert_mem_eq(expected, keys.all.p, 64); /* untouched by the failure */
	/* AUTH is the only use of SK_pi and SK_pr: an idle SA does without */
	ike_keys_forget_p(&keys);
	ck_assert_uint_eq(keys.p_len, 0);
	ck_assert_ptr_eq(ike_keys_pr(&keys), keys.all.p + keys.all.n);
	ck_assert_ptr_eq(ike_keys_er(&keys) + keys.e_len, keys.all.p + keys.all.n);
	ck_assert_mem_eq(expected, keys.all.p, 64);
	ike_keys_forget_p(&keys);
	ck_assert_uint_eq(keys.all.n, 64 + 2 * (size_t)keys.e_len);
	buf_free(&s2);
	secret_clear(&keys.all);
}
END_TEST

Suite *suite_keys(void)
{
	Suite *s = suite_create("keys");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_nist_ike);
	tcase_add_test(t, test_nist_child);
	tcase_add_test(t, test_ike_keys);
	tcase_add_test(t, test_child_keys);
	tcase_add_test(t, test_psk_auth);
	tcase_add_test(t, test_short_nonce);
	tcase_add_test(t, test_rekey_changes_prf);
	suite_add_tcase(s, t);
	return s;
}

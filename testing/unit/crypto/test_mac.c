/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_test.h"

#include "util/mem.h"

static const struct mac_impl *mac_named(struct vectors *v)
{
	bool prf = !strcmp(vec_text(v, "kind"), "prf");
	unsigned id = vec_num(v, "id");

	return prf ? crypto_prf(registry, id) : crypto_integ(registry, id);
}

START_TEST(test_vectors)
{
	struct vectors *v = vectors_open("macs.txt");
	struct crypto_ctx *c = crypto_ctx_new(registry);

	while (vectors_next(v)) {
		const struct mac_impl *impl = mac_named(v);
		struct bytes data = vec_hex(v, "data"), mac = vec_hex(v, "mac");
		uint8_t out[CRYPTO_MAX_MAC];

		ck_assert_msg(impl, "%s: missing", vec_text(v, "name"));
		ck_assert_uint_eq(mac.n, impl->out_len);
		ck_assert_result(crypto_mac(c, impl, vec_hex(v, "key"), &data, 1, out),
				 vec_text(v, "name"));
		ck_assert_msg(secret_equal(bytes_of(out, impl->out_len), mac) ==
				      (vec_num(v, "valid") != 0),
			      "%s: wrong", vec_text(v, "name"));
	}
	crypto_ctx_free(c);
	vectors_close(v, 90);
}
END_TEST

static const struct mac_impl *all_macs(int i)
{
	static const unsigned integs[] = { INTEG_HMAC_SHA1_96,	    INTEG_HMAC_SHA2_256_128,
					   INTEG_HMAC_SHA2_384_192, INTEG_HMAC_SHA2_512_256,
					   INTEG_AES_XCBC_96,	    INTEG_AES_CMAC_96 };
	static const unsigned prfs[] = { PRF_HMAC_SHA1,	    PRF_HMAC_SHA2_256, PRF_HMAC_SHA2_384,
					 PRF_HMAC_SHA2_512, PRF_AES128_XCBC,   PRF_AES128_CMAC };

	return i < 6 ? crypto_integ(registry, integs[i]) : crypto_prf(registry, prfs[i - 6]);
}

/* However the input is cut, and however often the key was used, the MAC is the same. */
START_TEST(test_parts_and_reuse)
{
	const struct mac_impl *impl = all_macs(_i);
	void *ctx = impl->ctx_new(impl);
	uint8_t data[1300], key[64], whole[CRYPTO_MAX_MAC], cut[CRYPTO_MAX_MAC];
	static const size_t lengths[] = { 0,  1,  15,  16,  17,	 31,  32,  33,	63,
					  64, 65, 511, 512, 513, 528, 529, 1300 };

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	memset(key, 0x42, sizeof(key));
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		size_t n = lengths[i];
		struct bytes one = bytes_of(data, n);

		ck_assert(impl->ctx_key(impl, ctx, bytes_of(key, impl->key_len)));
		ck_assert(impl->mac(impl, ctx, &one, 1, whole));
		for (size_t at = 0; at <= n; at += n < 70 ? 1 : 41) {
			struct bytes parts[] = { { data, at }, BYTES_NONE, { data + at, n - at } };

			ck_assert(impl->mac(impl, ctx, parts, 3, cut));
			ck_assert_mem_eq(whole, cut, impl->out_len);
		}
		/* Another key gives another MAC, and the first key then the first again. */
		key[0] ^= 1;
		ck_assert(impl->ctx_key(impl, ctx, bytes_of(key, impl->key_len)));
		ck_assert(impl->mac(impl, ctx, &one, 1, cut));
		ck_assert_mem_ne(whole, cut, impl->out_len);
		key[0] ^= 1;
		ck_assert(impl->ctx_key(impl, ctx, bytes_of(key, impl->key_len)));
		ck_assert(impl->mac(impl, ctx, &one, 1, cut));
		ck_assert_mem_eq(whole, cut, impl->out_len);
	}
	impl->ctx_free(ctx);
}
END_TEST

START_TEST(test_empty_prf_key)
{
	static const unsigned prfs[] = { PRF_HMAC_SHA2_256, PRF_AES128_XCBC, PRF_AES128_CMAC };
	struct crypto_ctx *c = crypto_ctx_new(registry);
	struct bytes data = bytes_str("x");
	uint8_t out[CRYPTO_MAX_MAC];

	ck_assert_result(crypto_prf_run(c, prfs[_i], BYTES_NONE, &data, 1, out), "empty key");
	ck_assert_result(crypto_prf_run(c, prfs[_i], bytes_of("", 0), &data, 0, out), "empty data");
	crypto_ctx_free(c);
}
END_TEST

START_TEST(test_integ_key_length)
{
	const struct mac_impl *impl =
		crypto_integ(registry, _i ? INTEG_AES_XCBC_96 : INTEG_AES_CMAC_96);
	void *ctx = impl->ctx_new(impl);
	uint8_t key[32] = { 0 };

	ck_assert(!impl->ctx_key(impl, ctx, bytes_of(key, 15)));
	ck_assert(!impl->ctx_key(impl, ctx, bytes_of(key, 17)));
	ck_assert(impl->ctx_key(impl, ctx, bytes_of(key, 16)));
	impl->ctx_free(ctx);
}
END_TEST

START_TEST(test_hash)
{
	struct crypto_ctx *c = crypto_ctx_new(registry);
	struct bytes parts[] = { bytes_str("a"), BYTES_NONE, bytes_str("bc") };
	static const uint8_t sha1_abc[] = { 0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81,
					    0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50,
					    0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d };
	uint8_t out[CRYPTO_MAX_MAC];

	ck_assert_result(crypto_hash(c, HASH_SHA1, parts, 3, out), "sha1");
	ck_assert_mem_eq(out, sha1_abc, 20);
	ck_assert_int_eq(crypto_hash(c, HASH_IDENTITY, parts, 3, out).code, RESULT_UNSUPPORTED);
	crypto_ctx_free(c);
}
END_TEST

Suite *suite_mac(void)
{
	Suite *s = suite_create("mac");
	TCase *t = tcase_create("all");

	tcase_add_test(t, test_vectors);
	tcase_add_loop_test(t, test_parts_and_reuse, 0, 12);
	tcase_add_loop_test(t, test_empty_prf_key, 0, 3);
	tcase_add_loop_test(t, test_integ_key_length, 0, 2);
	tcase_add_test(t, test_hash);
	suite_add_tcase(s, t);
	return s;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_test.h"

/* Both directions of one vector; what is marked invalid must not decrypt. */
static void cipher_vector(struct vectors *v)
{
	const struct cipher_impl *impl =
		crypto_cipher(registry, vec_num(v, "encr"), vec_num(v, "bits"));
	struct bytes nonce = vec_hex(v, "nonce"), aad = vec_hex(v, "aad"),
		     plain = vec_hex(v, "plain");
	struct bytes cipher = vec_hex(v, "cipher"), icv = vec_hex(v, "icv"),
		     key = vec_hex(v, "key");
	const char *name = vec_text(v, "name");
	uint8_t data[2048], tag[CRYPTO_MAX_MAC];
	bool valid = vec_num(v, "valid");
	void *ctx;

	ck_assert_msg(impl, "%s: missing", name);
	ck_assert_uint_eq(key.n, impl->key_len);
	ck_assert_uint_eq(nonce.n, impl->salt_len + impl->iv_len);
	ck_assert_uint_le(plain.n, sizeof(data));
	ctx = impl->ctx_new(impl);
	ck_assert(ctx && impl->ctx_key(impl, ctx, key.p));
	memcpy(data, plain.p, plain.n);
	if (valid) {
		ck_assert(impl->encrypt(impl, ctx, nonce.p, aad, data, plain.n, tag));
		ck_assert_bytes(bytes_of(data, plain.n), cipher, name);
		ck_assert_bytes(bytes_of(tag, icv.n), icv, name);
	}
	memcpy(data, cipher.p, cipher.n);
	ck_assert_msg(impl->decrypt(impl, ctx, nonce.p, aad, data, cipher.n, icv.p) == valid,
		      "%s: decrypts", name);
	if (valid)
		ck_assert_bytes(bytes_of(data, cipher.n), plain, name);
	impl->ctx_free(ctx);
}

START_TEST(test_vectors)
{
	struct vectors *v = vectors_open("ciphers.txt");

	while (vectors_next(v))
		cipher_vector(v);
	vectors_close(v, 150);
}
END_TEST

/* One context, keys and directions in turn: nothing of the message before may stay. */
START_TEST(test_rekeyed_context)
{
	static const struct {
		unsigned id, bits;
	} some[] = { { ENCR_AES_CBC, 256 },
		     { ENCR_AES_CTR, 128 },
		     { ENCR_AES_GCM_16, 256 },
		     { ENCR_AES_CCM_12, 128 },
		     { ENCR_CHACHA20_POLY1305, 0 } };
	const struct cipher_impl *impl = crypto_cipher(registry, some[_i].id, some[_i].bits);
	uint8_t key[2][32], nonce[32] = { 9 }, data[64], first[2][64 + 16], icv[16];
	void *ctx = impl->ctx_new(impl);

	memset(key[0], 1, 32);
	memset(key[1], 2, 32);
	for (int round = 0; round < 6; round++) {
		int k = round & 1;

		memset(data, 0x55, sizeof(data));
		ck_assert(impl->ctx_key(impl, ctx, key[k]));
		ck_assert(
			impl->encrypt(impl, ctx, nonce, bytes_str("aad"), data, sizeof(data), icv));
		if (round < 2) {
			memcpy(first[k], data, 64);
			memcpy(first[k] + 64, icv, impl->icv_len);
		}
		ck_assert_mem_eq(first[k], data, 64);
		ck_assert_mem_eq(first[k] + 64, icv, impl->icv_len);
		ck_assert(
			impl->decrypt(impl, ctx, nonce, bytes_str("aad"), data, sizeof(data), icv));
		ck_assert_uint_eq(data[0], 0x55);
		ck_assert_uint_eq(data[63], 0x55);
		/* The key stays: a second message without ctx_key. */
		ck_assert(
			impl->encrypt(impl, ctx, nonce, bytes_str("aad"), data, sizeof(data), icv));
		ck_assert_mem_eq(first[k], data, 64);
	}
	ck_assert_mem_ne(first[0], first[1], 64);
	impl->ctx_free(ctx);
}
END_TEST

/* After a forgery the context works on. */
START_TEST(test_after_forgery)
{
	static const unsigned ids[] = { ENCR_AES_GCM_16, ENCR_AES_CCM_16 };
	const struct cipher_impl *impl = crypto_cipher(registry, ids[_i], 128);
	uint8_t key[32] = { 1 }, nonce[32] = { 9 }, data[32] = { 7 }, copy[32], icv[16];
	void *ctx = impl->ctx_new(impl);

	ck_assert(impl->ctx_key(impl, ctx, key));
	ck_assert(impl->encrypt(impl, ctx, nonce, bytes_str("aad"), data, sizeof(data), icv));
	for (int i = 0; i < 3; i++) {
		memcpy(copy, data, sizeof(copy));
		ck_assert(!impl->decrypt(impl, ctx, nonce, bytes_str("axd"), copy, sizeof(copy),
					 icv));
		memcpy(copy, data, sizeof(copy));
		ck_assert(
			impl->decrypt(impl, ctx, nonce, bytes_str("aad"), copy, sizeof(copy), icv));
		ck_assert_uint_eq(copy[0], 7);
	}
	impl->ctx_free(ctx);
}
END_TEST

Suite *suite_cipher(void)
{
	Suite *s = suite_create("cipher");
	TCase *t = tcase_create("all");

	tcase_add_test(t, test_vectors);
	tcase_add_loop_test(t, test_rekeyed_context, 0, 5);
	tcase_add_loop_test(t, test_after_forgery, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_test.h"

/*
 * Providers that are wrong in one way each, around the right one: none may be
 * accepted. Fault 0 is none: what is refused is refused for its fault.
 */
static int fault;
static const struct cipher_impl *real_cipher;
static const struct mac_impl *real_mac;
static const struct ke_impl *real_ke;
static const struct hash_impl *real_hash;

static void *cipher_ctx_new(const struct cipher_impl *impl)
{
	return fault == 1 ? NULL : real_cipher->ctx_new(real_cipher);
}

static void cipher_ctx_free(void *ctx)
{
	real_cipher->ctx_free(ctx);
}

static bool cipher_ctx_key(const struct cipher_impl *impl, void *ctx, const uint8_t *key)
{
	uint8_t wrong[64];

	memcpy(wrong, key, real_cipher->key_len);
	wrong[real_cipher->key_len - 1] ^= fault == 2;
	return real_cipher->ctx_key(real_cipher, ctx, wrong) && fault != 3;
}

static bool cipher_encrypt(const struct cipher_impl *impl, void *ctx, const uint8_t *nonce,
			   struct bytes aad, uint8_t *data, size_t n, uint8_t *icv)
{
	bool ok = real_cipher->encrypt(real_cipher, ctx, nonce, aad, data, n, icv);

	if (fault == 4)
		data[n - 1] ^= 0x80;
	if (fault == 5 && real_cipher->aead)
		icv[real_cipher->icv_len - 1] ^= 1;
	return ok && fault != 6;
}

static bool cipher_decrypt(const struct cipher_impl *impl, void *ctx, const uint8_t *nonce,
			   struct bytes aad, uint8_t *data, size_t n, const uint8_t *icv)
{
	bool ok;

	if (fault == 7 && real_cipher->aead)
		aad.n--;
	ok = real_cipher->decrypt(real_cipher, ctx, nonce, aad, data, n, icv);
	if (fault == 8)
		data[0] ^= 1;
	return (ok || fault == 9) && fault != 10;
}

static bool add_broken_cipher(unsigned id, unsigned bits)
{
	struct crypto_registry *r = crypto_registry_new();
	struct cipher_impl fake;
	bool added;

	real_cipher = crypto_cipher(registry, id, bits);
	fake = *real_cipher;
	fake.ctx_new = cipher_ctx_new;
	fake.ctx_free = cipher_ctx_free;
	fake.ctx_key = cipher_ctx_key;
	fake.encrypt = cipher_encrypt;
	fake.decrypt = cipher_decrypt;
	added = crypto_add_cipher(r, &fake);
	ck_assert_int_eq(added, crypto_cipher(r, id, bits) != NULL);
	crypto_registry_free(r);
	return added;
}

START_TEST(test_cipher)
{
	fault = _i;
	ck_assert_int_eq(add_broken_cipher(ENCR_AES_GCM_16, 256), fault == 0);
	ck_assert_int_eq(add_broken_cipher(ENCR_AES_GCM_8, 128), fault == 0);
	ck_assert_int_eq(add_broken_cipher(ENCR_AES_CCM_12, 192), fault == 0);
	ck_assert_int_eq(add_broken_cipher(ENCR_CHACHA20_POLY1305, 0), fault == 0);
	if (fault == 5 || fault == 7 || fault == 9)
		return; /* of AEAD only */
	ck_assert_int_eq(add_broken_cipher(ENCR_AES_CBC, 128), fault == 0);
	ck_assert_int_eq(add_broken_cipher(ENCR_AES_CTR, 256), fault == 0);
}
END_TEST

static void *mac_ctx_new(const struct mac_impl *impl)
{
	return fault == 1 ? NULL : real_mac->ctx_new(real_mac);
}

static void mac_ctx_free(void *ctx)
{
	real_mac->ctx_free(ctx);
}

static bool mac_ctx_key(const struct mac_impl *impl, void *ctx, struct bytes key)
{
	return real_mac->ctx_key(real_mac, ctx, key) && fault != 2;
}

static bool mac_mac(const struct mac_impl *impl, void *ctx, const struct bytes *parts,
		    size_t n_parts, uint8_t *out)
{
	static int calls;
	bool ok;

	if (fault == 3 && n_parts > 1)
		n_parts--;
	ok = real_mac->mac(real_mac, ctx, parts, n_parts, out);
	if (fault == 4 || (fault == 5 && ++calls % 3 == 0))
		out[real_mac->out_len - 1] ^= 1;
	return ok && fault != 6;
}

START_TEST(test_mac)
{
	static const unsigned integs[] = { INTEG_HMAC_SHA1_96, INTEG_HMAC_SHA2_256_128,
					   INTEG_AES_XCBC_96 };
	static const unsigned prfs[] = { PRF_HMAC_SHA2_512, PRF_AES128_CMAC, PRF_AES128_XCBC };

	fault = _i;
	for (int i = 0; i < 6; i++) {
		struct crypto_registry *r = crypto_registry_new();
		struct mac_impl fake;

		real_mac = i < 3 ? crypto_integ(registry, integs[i])
				 : crypto_prf(registry, prfs[i - 3]);
		fake = *real_mac;
		fake.ctx_new = mac_ctx_new;
		fake.ctx_free = mac_ctx_free;
		fake.ctx_key = mac_ctx_key;
		fake.mac = mac_mac;
		ck_assert_int_eq(i < 3 ? crypto_add_integ(r, &fake) : crypto_add_prf(r, &fake),
				 fault == 0);
		crypto_registry_free(r);
	}
}
END_TEST

static void *ke_initiate(const struct ke_impl *impl, uint8_t *ret_public)
{
	void *key = real_ke->initiate(real_ke, ret_public);

	if (fault == 1)
		ret_public[0] ^= 1;
	return key;
}

static bool ke_finish(const struct ke_impl *impl, void *key, struct bytes peer,
		      struct secret *ret_secret)
{
	bool ok = real_ke->finish(real_ke, key, peer, ret_secret);

	if (ok && fault == 2)
		ret_secret->p[0] ^= 1;
	return ok && fault != 3;
}

static bool ke_respond(const struct ke_impl *impl, void *ctx, struct bytes peer, uint8_t *ret_public,
		       struct secret *ret_secret)
{
	bool ok = real_ke->respond(real_ke, ctx, peer, ret_public, ret_secret);

	if (ok && fault == 4)
		ret_secret->p[ret_secret->n - 1] ^= 1;
	return (ok || fault == 5) && fault != 6; /* 5: takes any public value */
}

static void *ke_import(const struct ke_impl *impl, struct bytes private_value)
{
	return real_ke->import(real_ke, private_value);
}

START_TEST(test_ke)
{
	static const unsigned ids[] = { KE_CURVE_25519, KE_ECP_256, KE_ECP_521, KE_MODP_2048 };

	fault = _i;
	for (int i = 0; i < 4; i++) {
		struct crypto_registry *r = crypto_registry_new();
		struct ke_impl fake;

		real_ke = crypto_ke(registry, ids[i]);
		fake = *real_ke;
		fake.initiate = ke_initiate;
		fake.finish = ke_finish;
		fake.respond = ke_respond;
		fake.import = ke_import;
		ck_assert_int_eq(crypto_add_ke(r, &fake), fault == 0);
		crypto_registry_free(r);
	}
}
END_TEST

static bool hash_hash(const struct hash_impl *impl, const struct bytes *parts, size_t n_parts,
		      uint8_t *out)
{
	bool ok = real_hash->hash(real_hash, parts, n_parts, out);

	out[0] ^= fault == 1;
	return ok && fault != 2;
}

START_TEST(test_hash)
{
	struct crypto_registry *r = crypto_registry_new();
	struct hash_impl fake;

	fault = _i;
	real_hash = crypto_hasher(registry, HASH_SHA2_384);
	fake = *real_hash;
	fake.hash = hash_hash;
	ck_assert_int_eq(crypto_add_hash(r, &fake), fault == 0);
	crypto_registry_free(r);
}
END_TEST

static bool rng_random(uint8_t *out, size_t n)
{
	static uint8_t count;

	memset(out, fault == 1 ? 0 : fault == 2 ? 7 : ++count, n);
	return fault != 3;
}

START_TEST(test_rng)
{
	static const struct rng_impl fake = { .plugin = "fake", .random = rng_random };
	struct crypto_registry *r = crypto_registry_new();

	fault = _i;
	ck_assert_int_eq(crypto_add_rng(r, &fake), fault == 0);
	ck_assert_int_eq(crypto_rng(r) == &fake, fault == 0);
	crypto_registry_free(r);
}
END_TEST

Suite *suite_kat(void)
{
	Suite *s = suite_create("kat");
	TCase *t = tcase_create("all");

	tcase_add_loop_test(t, test_cipher, 0, 11);
	tcase_add_loop_test(t, test_mac, 0, 7);
	tcase_add_loop_test(t, test_ke, 0, 7);
	tcase_add_loop_test(t, test_hash, 0, 3);
	tcase_add_loop_test(t, test_rng, 0, 4);
	suite_add_tcase(s, t);
	return s;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_test.h"

#include "util/mem.h"

static const unsigned groups[] = { KE_CURVE_25519, KE_CURVE_448, KE_ECP_256,   KE_ECP_384,
				   KE_ECP_521,	   KE_MODP_2048, KE_MODP_3072, KE_MODP_4096,
				   KE_MODP_6144,   KE_MODP_8192 };
#define MAX_VALUE 1024

/* RFC 6989, 2: bad public values are refused, by both roles. */
START_TEST(test_vectors)
{
	struct vectors *v = vectors_open("ke.txt");
	struct crypto_ctx *ctx = crypto_ctx_new(registry); /* one for all: what it keeps survives bad values */
	unsigned refused = 0;

	while (vectors_next(v)) {
		const struct ke_impl *impl = crypto_ke(registry, vec_num(v, "ke"));
		bool valid = vec_num(v, "valid"), got;
		struct bytes peer = vec_hex(v, "peer");
		struct secret secret = { 0 }, other = { 0 };
		uint8_t own[MAX_VALUE];
		const char *name = vec_text(v, "name");
		void *key;

		ck_assert_msg(impl, "%s: missing", name);
		key = impl->import(impl, vec_hex(v, "private"));
		ck_assert_msg(key, "%s: the private value was not accepted", name);
		got = impl->finish(impl, key, peer, &secret);
		ck_assert_msg(got == valid, "%s: %s", name, got ? "accepted" : "refused");
		ck_assert_msg(crypto_ke_respond(ctx, impl, peer, own, &other) == valid, "%s: as responder",
			      name);
		if (valid)
			ck_assert_bytes(secret_bytes(&secret), vec_hex(v, "secret"), name);
		else
			ck_assert_msg(!secret.p && !other.p && ++refused,
				      "%s: a secret was given out", name);
		secret_clear(&secret);
		secret_clear(&other);
		impl->key_free(key);
	}
	ck_assert_uint_gt(refused, 100);
	crypto_ctx_free(ctx);
	vectors_close(v, 400);
}
END_TEST

START_TEST(test_exchange)
{
	const struct ke_impl *impl = crypto_ke(registry, groups[_i]);
	struct secret a = { 0 }, b = { 0 };
	uint8_t init[MAX_VALUE], resp[MAX_VALUE];
	void *key;

	ck_assert_ptr_nonnull(impl);
	key = impl->initiate(impl, init);
	ck_assert_ptr_nonnull(key);
	ck_assert(impl->respond(impl, NULL, bytes_of(init, impl->init_len), resp, &b));
	ck_assert(impl->finish(impl, key, bytes_of(resp, impl->resp_len), &a));
	ck_assert_uint_eq(a.n, impl->secret_len);
	ck_assert(secret_equal(secret_bytes(&a), secret_bytes(&b)));
	/* Values of other lengths, also those that libcrypto would understand. */
	ck_assert(!impl->finish(impl, key, bytes_of(resp, impl->resp_len - 1u), &a));
	ck_assert(!impl->finish(impl, key, BYTES_NONE, &a));
	ck_assert(!impl->respond(impl, NULL, bytes_of(init, impl->init_len - 1u), resp, &b));
	ck_assert(!impl->respond(impl, NULL, BYTES_NONE, resp, &b));
	ck_assert(secret_equal(secret_bytes(&a), secret_bytes(&b))); /* untouched by failures */
	secret_clear(&a);
	secret_clear(&b);
	impl->key_free(key);
}
END_TEST

/* What a responder keeps between exchanges is nothing of theirs: neither keys nor what a bad value left. */
START_TEST(test_context)
{
	const struct ke_impl *impl = crypto_ke(registry, groups[_i]);
	struct crypto_ctx *ctx = crypto_ctx_new(registry);
	uint8_t init[MAX_VALUE], resp[2][MAX_VALUE], bad[MAX_VALUE];
	struct secret secret[2] = { { 0 } };

	memset(bad, 0, sizeof(bad));
	for (unsigned i = 0; i < 2; i++) {
		struct secret got = { 0 };
		void *key = impl->initiate(impl, init);

		ck_assert(crypto_ke_respond(ctx, impl, bytes_of(init, impl->init_len), resp[i], &secret[i]));
		ck_assert(impl->finish(impl, key, bytes_of(resp[i], impl->resp_len), &got));
		ck_assert(secret_equal(secret_bytes(&got), secret_bytes(&secret[i])));
		ck_assert(!crypto_ke_respond(ctx, impl, bytes_of(bad, impl->init_len), resp[i], &got));
		ck_assert(!crypto_ke_respond(ctx, impl, bytes_of(init, impl->init_len - 1u), resp[i], &got));
		ck_assert(!crypto_ke_respond(ctx, impl, bytes_of(init, 0), resp[i], &got));
		secret_clear(&got);
		impl->key_free(key);
	}
	ck_assert_mem_ne(resp[0], resp[1], impl->resp_len);
	ck_assert(!secret_equal(secret_bytes(&secret[0]), secret_bytes(&secret[1])));
	secret_clear(&secret[0]);
	secret_clear(&secret[1]);
	crypto_ctx_free(ctx);
}
END_TEST

START_TEST(test_fresh_keys)
{
	const struct ke_impl *impl = crypto_ke(registry, groups[_i]);
	uint8_t one[MAX_VALUE], two[MAX_VALUE];

	impl->key_free(impl->initiate(impl, one));
	impl->key_free(impl->initiate(impl, two));
	ck_assert_mem_ne(one, two, impl->init_len);
}
END_TEST

/* RFC 5903, 7 and RFC 6989, 2.3: a point off the curve, and one above the prime. */
START_TEST(test_bad_points)
{
	const struct ke_impl *impl = crypto_ke(registry, groups[2 + _i]);
	uint8_t value[MAX_VALUE], own[MAX_VALUE];
	struct secret secret = { 0 };

	impl->key_free(impl->initiate(impl, value));
	value[impl->init_len - 1] ^= 1;
	ck_assert(!impl->respond(impl, NULL, bytes_of(value, impl->init_len), own, &secret));
	memset(value, 0xff, sizeof(value));
	ck_assert(!impl->respond(impl, NULL, bytes_of(value, impl->init_len), own, &secret));
	memset(value, 0, sizeof(value));
	ck_assert(!impl->respond(impl, NULL, bytes_of(value, impl->init_len), own, &secret));
	ck_assert_ptr_null(secret.p);
}
END_TEST

Suite *suite_ke(void)
{
	Suite *s = suite_create("ke");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_vectors);
	tcase_add_loop_test(t, test_exchange, 0, (int)ARRAY_LEN(groups));
	tcase_add_loop_test(t, test_context, 0, (int)ARRAY_LEN(groups));
	tcase_add_loop_test(t, test_fresh_keys, 0, (int)ARRAY_LEN(groups));
	tcase_add_loop_test(t, test_bad_points, 0, 3);
	suite_add_tcase(s, t);
	return s;
}

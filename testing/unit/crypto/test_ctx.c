/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_test.h"

#include <stdlib.h>

#include "util/mem.h"

static int cmp_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* However the bytes are fetched, none is given out twice. */
START_TEST(test_random)
{
	struct crypto_ctx *c = crypto_ctx_new(registry);
	uint64_t seen[3000];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		uint8_t odd[7];

		crypto_random(c, odd, i % sizeof(odd)); /* walks over the ends of the pool */
		crypto_random(c, &seen[n++], sizeof(*seen));
	}
	qsort(seen, n, sizeof(*seen), cmp_u64);
	for (size_t i = 1; i < n; i++)
		ck_assert_uint_ne(seen[i], seen[i - 1]);
	crypto_random(c, seen, sizeof(seen)); /* more than the pool holds */
	ck_assert_uint_ne(seen[0], seen[1]);
	ck_assert_uint_ne(seen[n - 1], 0);
	crypto_ctx_free(c);
}
END_TEST

START_TEST(test_seed)
{
	struct crypto_ctx *a = crypto_ctx_new(registry), *b = crypto_ctx_new(registry);
	uint8_t x[100], y[100];

	crypto_random(a, x, 13); /* the seed begins anew, whatever was before */
	crypto_ctx_seed(a, 42);
	crypto_ctx_seed(b, 42);
	crypto_random(a, x, sizeof(x));
	crypto_random(b, y, 50);
	crypto_random(b, y + 50, 50);
	ck_assert_mem_eq(x, y, sizeof(x));
	crypto_random(a, x, sizeof(x));
	ck_assert_mem_ne(x, y, sizeof(x));
	crypto_ctx_seed(b, 43);
	crypto_ctx_seed(a, 42);
	crypto_random(a, x, sizeof(x));
	crypto_random(b, y, sizeof(y));
	ck_assert_mem_ne(x, y, sizeof(x));
	crypto_ctx_free(a);
	crypto_ctx_free(b);
}
END_TEST

/* RFC 7296, 2.13: T1 = prf(K, S | 1), T2 = prf(K, T1 | S | 2), and at most 255 of them. */
START_TEST(test_prf_plus)
{
	struct crypto_ctx *c = crypto_ctx_new(registry);
	struct bytes key = bytes_str("key"), seed = bytes_str("seed");
	uint8_t out[255 * 32 + 1], t[32], counter = 1, prefix[70];
	struct bytes first[] = { seed, { &counter, 1 } },
		     next[] = { { t, 32 }, seed, { &counter, 1 } };

	memset(out, 0xee, sizeof(out));
	ck_assert_result(crypto_prf_plus(c, PRF_HMAC_SHA2_256, key, seed, out, 255 * 32),
			 "255 blocks");
	ck_assert_uint_eq(out[255 * 32], 0xee);
	ck_assert_result(crypto_prf_run(c, PRF_HMAC_SHA2_256, key, first, 2, t), "prf");
	ck_assert_mem_eq(out, t, 32);
	for (counter = 2; counter; counter++) {
		ck_assert_result(crypto_prf_run(c, PRF_HMAC_SHA2_256, key, next, 3, t), "prf");
		ck_assert_mem_eq(out + 32 * (counter - 1), t, 32);
	}
	ck_assert_result(crypto_prf_plus(c, PRF_HMAC_SHA2_256, key, seed, prefix, sizeof(prefix)),
			 "prefix");
	ck_assert_mem_eq(out, prefix, sizeof(prefix));
	ck_assert_int_eq(crypto_prf_plus(c, PRF_HMAC_SHA2_256, key, seed, out, 255 * 32 + 1).code,
			 RESULT_LIMIT);
	ck_assert_int_eq(crypto_prf_plus(c, 4711, key, seed, out, 32).code, RESULT_UNSUPPORTED);
	crypto_ctx_free(c);
}
END_TEST

Suite *suite_ctx(void)
{
	Suite *s = suite_create("ctx");
	TCase *t = tcase_create("all");

	tcase_add_test(t, test_random);
	tcase_add_test(t, test_seed);
	tcase_add_test(t, test_prf_plus);
	suite_add_tcase(s, t);
	return s;
}

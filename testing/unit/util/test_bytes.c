/* SPDX-License-Identifier: Apache-2.0 */
#include "test_util.h"

#include <stdio.h>
#include <stdlib.h>

#include "util/bytes.h"
#include "util/mem.h"

START_TEST(bytes_comparisons)
{
	ck_assert(bytes_equal(bytes_str("abc"), bytes_of("abc", 3)));
	ck_assert(!bytes_equal(bytes_str("abc"), bytes_str("abd")));
	ck_assert(!bytes_equal(bytes_str("abc"), bytes_str("ab")));
	ck_assert(bytes_equal(BYTES_NONE, bytes_str("")));
	ck_assert(bytes_equal_str(bytes_of("abcd", 3), "abc"));
	ck_assert(!bytes_equal_str(bytes_of("a\0b", 3), "a"));
	ck_assert(bytes_equal_nocase(bytes_str("aBz[9"), "AbZ[9"));
	ck_assert(!bytes_equal_nocase(bytes_str("["), "{"));
	ck_assert(!bytes_equal_nocase(bytes_str("@"), "`"));
	ck_assert(!bytes_equal_nocase(bytes_str("abc"), "ab"));
	ck_assert(!bytes_equal_nocase(bytes_of("a\0b", 3), "a"));
}
END_TEST

START_TEST(bytes_order)
{
	const struct bytes sorted[] = { BYTES_NONE, bytes_of("\0", 1), bytes_str("a"), bytes_str("aa"),
					bytes_str("ab"), bytes_str("b"), bytes_str("\xff") };
	int n = sizeof(sorted) / sizeof(sorted[0]);

	for (int i = 0; i < n; i++) {
		for (int j = 0; j < n; j++) {
			int c = bytes_cmp(sorted[i], sorted[j]);

			ck_assert_int_eq((c > 0) - (c < 0), (i > j) - (i < j));
		}
	}
}
END_TEST

START_TEST(buf_numbers_in_network_order)
{
	struct buf b = { 0 };

	buf_add_u8(&b, 0x01);
	buf_add_u16(&b, 0x0203);
	buf_add_u32(&b, 0x04050607);
	buf_add_u64(&b, 0x08090a0b0c0d0e0f);
	ck_assert_uint_eq(b.n, 15);
	ck_assert_mem_eq(b.p, "\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf", 15);
	buf_free(&b);
	ck_assert(b.p == NULL && b.n == 0 && b.cap == 0);
}
END_TEST

START_TEST(buf_grows_and_ends_in_nul)
{
	struct buf b = { 0 };
	uint64_t seed = 7;
	uint8_t model[4096];
	size_t n = 0;

	ck_assert_str_eq(buf_str(&b), "");
	while (n < sizeof(model) - 100) {
		uint8_t piece[100];
		size_t len = test_random(&seed) % sizeof(piece);

		for (size_t i = 0; i < len; i++)
			piece[i] = (uint8_t)test_random(&seed);
		memcpy(model + n, piece, len);
		n += len;
		buf_add_bytes(&b, bytes_of(piece, len));
		ck_assert_uint_eq(b.n, n);
		ck_assert_uint_gt(b.cap, b.n);
		ck_assert_mem_eq(b.p, model, n);
		ck_assert_uint_eq(b.p[n], 0);
	}
	buf_reset(&b);
	ck_assert_uint_eq(b.n, 0);
	ck_assert_str_eq(buf_str(&b), "");
	ck_assert_ptr_nonnull(b.p);
	buf_wipe(&b);
	ck_assert_ptr_null(b.p);
}
END_TEST

/* Each length around the first sizes of the memory: both ways of buf_printf. */
START_TEST(buf_printf_of_each_length)
{
	for (int n = 0; n < 300; n++) {
		struct buf b = { 0 };

		buf_add_str(&b, "<");
		buf_printf(&b, "%*s", n, "");
		buf_printf(&b, ">");
		ck_assert_uint_eq(b.n, (size_t)n + 2);
		ck_assert_uint_eq(strlen(buf_str(&b)), (size_t)n + 2);
		ck_assert_int_eq(b.p[n + 1], '>');
		buf_free(&b);
	}
}
END_TEST

START_TEST(decimals)
{
	static const uint64_t values[] = { 0, 1, 9, 10, 99, 100, 255, 4294967295u, UINT64_MAX };
	struct buf b = { 0 };
	char want[32];

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		for (unsigned digits = 0; digits < DECIMAL_MAX + 2; digits++) {
			/* of 0 something is to be seen, and there is room for no more digits than DECIMAL_MAX */
			unsigned least = digits < 1 ? 1 : digits > DECIMAL_MAX ? DECIMAL_MAX : digits;

			buf_reset(&b);
			buf_add_decimal(&b, values[i], digits);
			snprintf(want, sizeof(want), "%0*llu", (int)least, (unsigned long long)values[i]);
			ck_assert_str_eq(buf_str(&b), want);
		}
	}
	buf_free(&b);
}
END_TEST

START_TEST(buf_take)
{
	struct buf b = { 0 };
	char *s = buf_take_str(&b);

	ck_assert_str_eq(s, "");
	free(s);
	buf_printf(&b, "%d", 42);
	s = buf_take_str(&b);
	ck_assert_str_eq(s, "42");
	ck_assert(b.p == NULL && b.n == 0);
	free(s);
}
END_TEST

TCase *bytes_tests(void)
{
	TCase *tc = tcase_create("bytes");

	tcase_add_test(tc, bytes_comparisons);
	tcase_add_test(tc, bytes_order);
	tcase_add_test(tc, buf_numbers_in_network_order);
	tcase_add_test(tc, buf_grows_and_ends_in_nul);
	tcase_add_test(tc, buf_printf_of_each_length);
	tcase_add_test(tc, decimals);
	tcase_add_test(tc, buf_take);
	return tc;
}

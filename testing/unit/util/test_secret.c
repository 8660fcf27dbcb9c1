/* SPDX-License-Identifier: Apache-2.0 */
#include "test_util.h"

#include "util/secret.h"

START_TEST(secret_set_and_clear)
{
	struct secret s = { 0 };

	secret_clear(&s);
	secret_set(&s, bytes_str("first"));
	ck_assert(bytes_equal_str(secret_bytes(&s), "first"));
	/* a part of itself */
	secret_set(&s, bytes_of(s.p + 1, 3));
	ck_assert(bytes_equal_str(secret_bytes(&s), "irs"));
	secret_set(&s, BYTES_NONE);
	ck_assert_uint_eq(s.n, 0);
	memset(secret_alloc(&s, 16), 1, 16);
	ck_assert_mem_eq(secret_alloc(&s, 8), "\0\0\0\0\0\0\0\0", 8);
	ck_assert_uint_eq(s.n, 8);
	secret_clear(&s);
	ck_assert(s.p == NULL && s.n == 0);
}
END_TEST

START_TEST(secret_compare)
{
	ck_assert(secret_equal(bytes_str("abc"), bytes_str("abc")));
	ck_assert(!secret_equal(bytes_str("abc"), bytes_str("abd")));
	ck_assert(!secret_equal(bytes_str("abc"), bytes_str("xbc")));
	ck_assert(!secret_equal(bytes_str("abc"), bytes_str("ab")));
	ck_assert(!secret_equal(bytes_str("abc"), BYTES_NONE));
	ck_assert(secret_equal(BYTES_NONE, BYTES_NONE));
}
END_TEST

START_TEST(secret_wipes)
{
	uint8_t mem[32];

	memset(mem, 0xaa, sizeof(mem));
	secret_wipe(mem + 1, 30);
	ck_assert_uint_eq(mem[0], 0xaa);
	ck_assert_uint_eq(mem[31], 0xaa);
	for (int i = 1; i < 31; i++)
		ck_assert_uint_ne(mem[i], 0xaa);
	secret_wipe(NULL, 0);
}
END_TEST

TCase *secret_tests(void)
{
	TCase *tc = tcase_create("secret");

	tcase_add_test(tc, secret_set_and_clear);
	tcase_add_test(tc, secret_compare);
	tcase_add_test(tc, secret_wipes);
	return tc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "test_util.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "util/mem.h"
#include "util/result.h"

START_TEST(mem_copies)
{
	char *a = xstrdup("swan"), *b = xstrndup("bewick", 3), *c = xstrndup("ab", 10);
	char *d = xasprintf("%s-%d", a, 7);
	uint8_t *e = xmemdup("\0\1\2", 3);

	ck_assert_str_eq(a, "swan");
	ck_assert_str_eq(b, "bew");
	ck_assert_str_eq(c, "ab");
	ck_assert_str_eq(d, "swan-7");
	ck_assert_mem_eq(e, "\0\1\2", 3);
	free(a);
	free(b);
	free(c);
	free(d);
	free(e);
}
END_TEST

START_TEST(mem_of_no_bytes)
{
	void *a = xmalloc(0), *b = xcalloc(0, 8), *c = xmemdup(NULL, 0), *d = xrealloc(NULL, 0);

	ck_assert(a && b && c && d);
	free(a);
	free(b);
	free(c);
	free(d);
}
END_TEST

START_TEST(mem_calloc_overflow_aborts)
{
	/* not constants: the compiler would see through them and warn */
	volatile size_t half = SIZE_MAX / 2;

	free(xcalloc(half, 4));
}
END_TEST

START_TEST(errtext_is_cut)
{
	struct errtext err;

	errtext_set(&err, "%s: line %d", "a.conf", 3);
	ck_assert_str_eq(err.s, "a.conf: line 3");
	errtext_set(&err, "%0600d", 1);
	ck_assert_uint_eq(strlen(err.s), sizeof(err.s) - 1);
}
END_TEST

TCase *mem_tests(void)
{
	TCase *tc = tcase_create("mem");

	tcase_add_test(tc, mem_copies);
	tcase_add_test(tc, mem_of_no_bytes);
	tcase_add_test_raise_signal(tc, mem_calloc_overflow_aborts, SIGABRT);
	tcase_add_test(tc, errtext_is_cut);
	return tc;
}

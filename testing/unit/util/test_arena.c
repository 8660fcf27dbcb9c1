/* SPDX-License-Identifier: Apache-2.0 */
#include "test_util.h"

#include <signal.h>

#include "util/arena.h"

#define PIECES 600

static bool filled_with(const uint8_t *p, size_t n, uint8_t value)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != value)
			return false;
	}
	return true;
}

/* Pieces of many sizes, filled and compared later: none overlaps another. */
static void fill_and_check(struct arena *a, uint64_t *seed)
{
	uint8_t *piece[PIECES];
	size_t size[PIECES];

	for (int i = 0; i < PIECES; i++) {
		size[i] = test_random(seed) % (i % 50 == 0 ? 100000 : 200);
		piece[i] = arena_alloc(a, size[i]);
		ck_assert_uint_eq((uintptr_t)piece[i] % _Alignof(max_align_t), 0);
		ck_assert(filled_with(piece[i], size[i], 0));
		memset(piece[i], i & 0xff, size[i]);
	}
	for (int i = 0; i < PIECES; i++)
		ck_assert(filled_with(piece[i], size[i], i & 0xff));
}

START_TEST(arena_pieces)
{
	struct arena a = { 0 };
	uint64_t seed = 3;

	for (int round = 0; round < 4; round++) {
		fill_and_check(&a, &seed);
		arena_reset(&a);
	}
	arena_free(&a);
	ck_assert(a.first == NULL && a.current == NULL);
	/* and can be used again */
	ck_assert_ptr_nonnull(arena_alloc(&a, 1));
	arena_free(&a);
}
END_TEST

START_TEST(arena_reset_cleanses_and_keeps)
{
	struct arena a = { 0 };
	uint8_t *first, *again;

	arena_reset(&a);
	first = arena_alloc(&a, 64);
	memset(first, 0x5a, 64);
	(void)arena_alloc(&a, 200000);
	arena_reset(&a);
	ck_assert(filled_with(first, 64, 0));
	again = arena_alloc(&a, 64);
	ck_assert_ptr_eq(again, first);
	arena_free(&a);
}
END_TEST

/* A big first request does not make the memory that is kept big. */
START_TEST(arena_big_first)
{
	struct arena a = { 0 };
	uint8_t *p = arena_alloc(&a, 1000000);

	memset(p, 1, 1000000);
	ck_assert_ptr_ne(a.first, a.current);
	arena_reset(&a);
	ck_assert_ptr_eq(a.first, a.current);
	arena_free(&a);
}
END_TEST

START_TEST(arena_copies)
{
	struct arena a = { 0 };
	char *s = arena_printf(&a, "%s=%d", "x", 5);
	void *none = arena_alloc(&a, 0);

	ck_assert_str_eq(s, "x=5");
	ck_assert_str_eq(arena_dup(&a, "abc", 4), "abc");
	ck_assert_ptr_nonnull(arena_dup(&a, NULL, 0));
	ck_assert_ptr_ne(none, arena_alloc(&a, 0));
	ck_assert_uint_eq(strlen(arena_printf(&a, "%010000d", 1)), 10000);
	arena_free(&a);
}
END_TEST

START_TEST(arena_array_overflow_aborts)
{
	struct arena a = { 0 };
	volatile size_t count = SIZE_MAX / 4 + 2;

	(void)arena_array(&a, uint64_t, count);
}
END_TEST

TCase *arena_tests(void)
{
	TCase *tc = tcase_create("arena");

	tcase_add_test(tc, arena_pieces);
	tcase_add_test(tc, arena_reset_cleanses_and_keeps);
	tcase_add_test(tc, arena_big_first);
	tcase_add_test(tc, arena_copies);
	tcase_add_test_raise_signal(tc, arena_array_overflow_aborts, SIGABRT);
	return tc;
}

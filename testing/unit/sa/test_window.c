/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa/window.h"
#include "sa_test.h"

/* The window of requests against a model: the set of ids that were accepted. */

static enum window_verdict model_check(uint64_t next, uint64_t id)
{
	if (id >= next)
		/* RFC 7296, 2.2: ids never wrap; the last one is not used */
		return id - next < LIMIT_WINDOW && id < UINT32_MAX ? WINDOW_NEW : WINDOW_FUTURE;
	return next - id <= LIMIT_WINDOW ? WINDOW_REPEAT : WINDOW_STALE;
}

static void model_compare(const struct window_in *w, uint64_t next, uint32_t id)
{
	enum window_verdict want = model_check(next, id);

	ck_assert_msg(window_in_check(w, id) == want, "next %llu id %u: %d, not %d", (unsigned long long)next, id,
		      window_in_check(w, id), want);
}

START_TEST(model)
{
	static const uint32_t starts[] = { 0, 1, 2, 1000, 0x7ffffffe, 0x80000000, 0xfffffff0 };
	struct window_in w = { .next = starts[_i] };
	uint64_t next = w.next;

	srandom(1);
	for (unsigned n = 0; n < 20000; n++) {
		/* mostly near the window's edges, sometimes anywhere */
		uint32_t id = random() % 8 ? (uint32_t)(next + (uint64_t)(random() % 7) - 3)
					   : (uint32_t)random() << 1 ^ (uint32_t)random();

		model_compare(&w, next, id);
		if (window_in_check(&w, id) == WINDOW_NEW) {
			window_in_accept(&w, id);
			next++;
		}
		ck_assert_uint_eq(w.next, next);
	}
	ck_assert_uint_gt(next, starts[_i]);
	model_compare(&w, next, 0);
	model_compare(&w, next, UINT32_MAX);
}
END_TEST

/* RFC 7296, 2.2: an SA whose ids are used up takes no request more; above all not number 0 again. */
START_TEST(no_wrap)
{
	struct window_in w = { .next = UINT32_MAX - 1 };

	ck_assert_int_eq(window_in_check(&w, UINT32_MAX - 1), WINDOW_NEW);
	window_in_accept(&w, UINT32_MAX - 1);
	ck_assert_int_eq(window_in_check(&w, UINT32_MAX), WINDOW_FUTURE);
	ck_assert_int_eq(window_in_check(&w, UINT32_MAX - 1), WINDOW_REPEAT);
	ck_assert_int_eq(window_in_check(&w, 0), WINDOW_STALE);
	ck_assert_int_eq(window_in_check(&w, 1), WINDOW_STALE);
}
END_TEST

START_TEST(replies)
{
	struct window_in w = { 0 };
	uint8_t data[3000];

	ck_assert_ptr_null(window_in_reply(&w, 0));
	ck_assert_ptr_null(window_in_reply(&w, UINT32_MAX));
	for (uint32_t id = 0; id < 200; id++) {
		size_t n = 28 + id * 7919 % (sizeof(data) - 28);
		const struct stored_reply *r;

		memset(data, (int)id, n);
		window_in_accept(&w, id);
		window_in_store(&w, id, id * 3, bytes_of(data, n));
		r = window_in_reply(&w, id);
		ck_assert_ptr_nonnull(r);
		ck_assert_uint_eq(r->request_hash, id * 3);
		ck_assert(bytes_equal(buf_bytes(&r->data), bytes_of(data, n)));
		/* an idle SA keeps it: no more than it needs */
		ck_assert_uint_le(r->data.cap, n + 64);
		ck_assert_ptr_null(window_in_reply(&w, id + 1));
		if (id >= LIMIT_WINDOW)
			ck_assert_ptr_null(window_in_reply(&w, id - LIMIT_WINDOW));
	}
	window_in_clear(&w);
	ck_assert_ptr_null(window_in_reply(&w, 199));
}
END_TEST

TCase *test_window(void)
{
	TCase *t = tcase_create("window");

	tcase_add_loop_test(t, model, 0, 7);
	tcase_add_test(t, no_wrap);
	tcase_add_test(t, replies);
	return t;
}

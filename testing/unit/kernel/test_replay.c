/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "test_kernel.h"

#include "replay.h"
#include "util/mem.h"

/* The model: every number ever accepted, from `base` on. */
#define MODEL_BITS (1u << 18)

struct model {
	uint64_t base, top;
	uint32_t window;
	uint8_t seen[MODEL_BITS / 8];
};

static bool model_accepts(const struct model *m, uint64_t seq)
{
	uint64_t at = seq - m->base;

	if (seq == 0)
		return false;
	if (seq > m->top)
		return true;
	if (m->window == 0)
		return true;
	if (m->top - seq >= m->window || seq <= m->base)
		return false; /* too old, or from before the start */
	return !(m->seen[at / 8] >> at % 8 & 1);
}

static void model_mark(struct model *m, uint64_t seq)
{
	uint64_t at = seq - m->base;

	m->top = seq > m->top ? seq : m->top;
	m->seen[at / 8] |= (uint8_t)(1 << at % 8);
}

/* Numbers around the top: mostly forward, some repeats, some far behind, some leaps. */
static uint64_t walk(struct test_random *r, const struct model *m)
{
	uint32_t span = m->window ? m->window : 64;
	uint64_t back;

	switch (test_random(r, 8)) {
	case 0:
		return m->top + 1 + test_random(r, 2 * span + 130);
	case 1:
		back = test_random(r, 3 * span + 3);
		break;
	case 2:
		back = span - 1 + test_random(r, 3);
		break;
	case 3:
	case 4:
		back = test_random(r, span + 2);
		break;
	default:
		return m->top + 1 + test_random(r, 3);
	}
	return m->top - m->base > back ? m->top - back : m->base + 1;
}

static void run_walk(uint64_t base, uint32_t window, bool esn, uint64_t seed)
{
	struct replay *replay = replay_new(window, base);
	struct model *m = xcalloc(1, sizeof(*m));
	struct test_random r = { seed };
	unsigned accepted = 0, refused = 0;

	m->base = m->top = base;
	m->window = window;
	for (int i = 0; i < 20000; i++) {
		uint64_t seq = walk(&r, m), found = 0;
		bool ok;

		if (seq - base >= MODEL_BITS || (!esn && seq > UINT32_MAX))
			break;
		/* A wrong guess of the high half fails the integrity check: refused as well. */
		ok = replay_check(replay, (uint32_t)seq, esn, &found) && found == seq;
		if (ok != model_accepts(m, seq))
			ck_abort_msg("base %llx window %u esn %d: %llx with top %llx: %d", (unsigned long long)base,
				     window, esn, (unsigned long long)seq, (unsigned long long)m->top, ok);
		accepted += ok;
		refused += !ok;
		if (!ok)
			continue;
		replay_accept(replay, seq);
		model_mark(m, seq);
	}
	ck_assert_uint_gt(accepted, 100);
	if (window)
		ck_assert_uint_gt(refused, 20);
	free(replay);
	free(m);
}

START_TEST(test_all_sizes)
{
	for (uint32_t window = 1; window <= 200; window++) {
		run_walk(0, window, false, window);
		run_walk(0, window, true, window);
	}
	for (uint32_t window = 255; window <= 8192; window = window * 2 + 1) {
		run_walk(0, window, true, window);
		run_walk(77, window + 1, false, window);
	}
}
END_TEST

START_TEST(test_high_half)
{
	static const uint32_t windows[] = { 1, 2, 31, 32, 33, 63, 64, 65, 128, 1024, 4096 };

	/* RFC 4303, A2.2: the guess on both sides of a wrap */
	for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
		run_walk(((uint64_t)1 << 32) - 3000, windows[i], true, i);
		run_walk(((uint64_t)7 << 32) - 9000, windows[i], true, i + 50);
		run_walk(((uint64_t)7 << 32) - 1, windows[i], true, i + 80);
		run_walk(((uint64_t)7 << 32), windows[i], true, i + 99);
	}
}
END_TEST

START_TEST(test_no_window)
{
	run_walk(0, 0, false, 1);
	run_walk(0, 0, true, 2);
	run_walk(((uint64_t)1 << 32) - 3000, 0, true, 3);
}
END_TEST

START_TEST(test_edges)
{
	struct replay *r = replay_new(64, 0);
	uint64_t seq;

	ck_assert(!replay_check(r, 0, false, &seq));
	ck_assert(!replay_check(r, 0, true, &seq));
	/* a check changes nothing */
	ck_assert(replay_check(r, 9, false, &seq));
	ck_assert(replay_check(r, 9, false, &seq));
	replay_accept(r, seq);
	ck_assert(!replay_check(r, 9, false, &seq));
	/* far ahead: all that was seen is forgotten, nothing else is marked */
	replay_accept(r, 1u << 30);
	for (uint32_t i = 1; i < 64; i++)
		ck_assert(replay_check(r, (1u << 30) - i, false, &seq));
	ck_assert(!replay_check(r, (1u << 30) - 64, false, &seq));
	free(r);

	/* the largest number: nothing comes after it */
	r = replay_new(64, UINT64_MAX - 2);
	ck_assert(replay_check(r, UINT32_MAX, true, &seq));
	ck_assert(seq == UINT64_MAX);
	replay_accept(r, seq);
	ck_assert(!replay_check(r, 5, true, &seq));
	ck_assert(!replay_check(r, UINT32_MAX, true, &seq));
	free(r);

	/* taken over: what was received elsewhere is not accepted again, what follows is */
	r = replay_new(32, 1000);
	ck_assert(!replay_check(r, 1000, false, &seq));
	ck_assert(!replay_check(r, 990, false, &seq));
	ck_assert(replay_check(r, 1001, false, &seq));
	free(r);
}
END_TEST

TCase *tcase_replay(void)
{
	TCase *tc = tcase_create("replay");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_all_sizes);
	tcase_add_test(tc, test_high_half);
	tcase_add_test(tc, test_no_window);
	tcase_add_test(tc, test_edges);
	return tc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "suites.h"
#include "testing/fuzz/fuzz.h"
#include "testing/lib/corpus.h"

/*
 * The fuzz target on its kept corpus and on programs of seeded random bytes (testing/fuzz/fuzz_sa.c says what they
 * do); it aborts where a property does not hold. FUZZ_SEED=n runs one random program, FUZZ_RUNS=n that many per part.
 */
#define PARTS 4
#define RUNS 600 /* per part */
#define PROGRAM_MAX 500

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1d >> 32;
}

static void fuzz_random(uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15 + 1;
	uint8_t program[PROGRAM_MAX];
	size_t n = 20 + next_random(&state) % (PROGRAM_MAX - 20);

	for (size_t i = 0; i < n; i++)
		program[i] = (uint8_t)next_random(&state);
	LLVMFuzzerTestOneInput(program, n);
}

static unsigned long fuzz_at;

static void fuzz_said(void)
{
	if (fuzz_at)
		fprintf(stderr, "FUZZ_SEED=%lu\n", fuzz_at);
}

static void fuzz_aborts(int signal_number)
{
	fuzz_said();
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

START_TEST(random_programs)
{
	const char *seed = getenv("FUZZ_SEED"), *runs = getenv("FUZZ_RUNS");
	unsigned long n = runs ? strtoul(runs, NULL, 0) : RUNS;

	if (seed) {
		fuzz_random(strtoull(seed, NULL, 0));
		return;
	}
	atexit(fuzz_said);
	signal(SIGABRT, fuzz_aborts);
	for (unsigned long i = 0; i < n; i++) {
		fuzz_at = (unsigned long)_i * n + i + 1;
		fuzz_random(fuzz_at);
	}
	fuzz_at = 0;
}
END_TEST

START_TEST(corpus)
{
	corpus_replay(&(struct corpus){ .folder = FUZZ_CORPUS, .at_least = 21, .target = LLVMFuzzerTestOneInput });
}
END_TEST

Suite *fuzz_suite(void)
{
	Suite *s = suite_create("exchange/fuzz");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, random_programs, 0, PARTS);
	tcase_add_test(t, corpus);
	suite_add_tcase(s, t);
	return s;
}

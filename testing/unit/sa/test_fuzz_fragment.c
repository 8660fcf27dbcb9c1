/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa_test.h"
#include "testing/fuzz/fuzz.h"
#include "testing/lib/corpus.h"

/* testing/fuzz/fuzz_fragment.c on its corpus and on seeded random bytes; FUZZ_RUNS=n for more. */
#define RUNS 2000

START_TEST(random_sets)
{
	const char *runs = getenv("FUZZ_RUNS");
	unsigned long n = runs ? strtoul(runs, NULL, 0) : RUNS;
	uint64_t state = 0x9e3779b97f4a7c15 * (unsigned)(_i + 1);
	uint8_t bytes[600];

	for (unsigned long i = 0; i < n; i++) {
		for (size_t k = 0; k < sizeof(bytes); k++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			bytes[k] = (uint8_t)(state * 0x2545f4914f6cdd1d >> 40);
		}
		LLVMFuzzerTestOneInput(bytes, sizeof(bytes));
	}
}
END_TEST

START_TEST(corpus)
{
	corpus_replay(&(struct corpus){ .folder = FUZZ_CORPUS, .at_least = 10, .target = LLVMFuzzerTestOneInput });
}
END_TEST

TCase *test_fuzz_fragment(void)
{
	TCase *t = tcase_create("fuzz_fragment");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, random_sets, 0, 2);
	tcase_add_test(t, corpus);
	return t;
}

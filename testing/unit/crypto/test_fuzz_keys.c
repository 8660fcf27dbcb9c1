/* SPDX-License-Identifier: Apache-2.0 */
#include "../../fuzz/fuzz.h"
#include "key_test.h"
#include "testing/lib/corpus.h"

/* The target aborts where a property does not hold. */
START_TEST(corpus)
{
	corpus_replay(&(struct corpus){ .folder = FUZZ_CORPUS, .at_least = 31, .target = LLVMFuzzerTestOneInput, .cut = 1, .change = 1 });
}
END_TEST

Suite *suite_fuzz_keys(void)
{
	Suite *s = suite_create("fuzz_keys");
	TCase *t = tcase_create("fuzz_keys");

	tcase_add_test(t, corpus);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	return s;
}

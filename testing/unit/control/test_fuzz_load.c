/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/fuzz/fuzz.h"
#include "testing/lib/corpus.h"
#include "testing/unit/control/control_test.h"

/* The kept inputs of fuzz_load, whole and cut. */
START_TEST(corpus)
{
	corpus_replay(&(struct corpus){ .folder = LOAD_CORPUS, .at_least = 20, .target = LLVMFuzzerTestOneInput, .cut = 11, .change = 13 });
}
END_TEST

TCase *control_fuzz_load_tests(void)
{
	TCase *t = tcase_create("fuzz_load");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, corpus);
	return t;
}

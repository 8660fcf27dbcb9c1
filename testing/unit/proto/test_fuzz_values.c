/* SPDX-License-Identifier: Apache-2.0 */
#include "test_proto.h"


#include "../../fuzz/fuzz.h"
#include "testing/lib/corpus.h"

/* The target aborts where a property does not hold. */
START_TEST(corpus)
{
	corpus_replay(&(struct corpus){ .folder = FUZZ_CORPUS, .at_least = 11, .target = LLVMFuzzerTestOneInput, .cut = 1 });
}
END_TEST

TCase *test_fuzz_values(void)
{
	TCase *t = tcase_create("fuzz_values");

	tcase_add_test(t, corpus);
	tcase_set_timeout(t, 60);
	return t;
}

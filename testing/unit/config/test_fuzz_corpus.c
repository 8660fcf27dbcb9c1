/* SPDX-License-Identifier: Apache-2.0 */
#include "test_config.h"
#include "testing/lib/corpus.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The target aborts where a property does not hold. */
START_TEST(test_settings_corpus)
{
	corpus_replay(&(struct corpus){ .folder = CORPUS, .at_least = 10, .target = LLVMFuzzerTestOneInput });
}
END_TEST

Suite *suite_fuzz_corpus(void)
{
	Suite *s = suite_create("fuzz_corpus");
	TCase *t = tcase_create("corpus");

	tcase_add_test(t, test_settings_corpus);
	suite_add_tcase(s, t);
	return s;
}

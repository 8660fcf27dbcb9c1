/* SPDX-License-Identifier: Apache-2.0 */
#include "auth_test.h"
#include "testing/lib/corpus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The target aborts where a property does not hold. */
START_TEST(test_cert_inputs)
{
	corpus_replay(&(struct corpus){ .folder = CERT_CORPUS, .at_least = 24, .target = LLVMFuzzerTestOneInput, .change = 7 });
}
END_TEST

Suite *suite_cert_corpus(void)
{
	Suite *s = suite_create("cert_corpus");
	TCase *t = tcase_create("corpus");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_cert_inputs);
	suite_add_tcase(s, t);
	return s;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "test_kernel.h"

#include "../../fuzz/fuzz.h"
#include "util/mem.h"
#include "testing/lib/corpus.h"

#define FOLDER VECTORS "/../fuzz/corpus/flow"

START_TEST(test_corpus)
{
	corpus_replay(&(struct corpus){ .folder = FOLDER, .at_least = 10, .target = LLVMFuzzerTestOneInput, .cut = 1 });
}
END_TEST

TCase *tcase_corpus(void)
{
	TCase *tc = tcase_create("corpus");

	tcase_add_test(tc, test_corpus);
	return tc;
}

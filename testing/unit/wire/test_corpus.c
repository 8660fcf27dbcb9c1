/* SPDX-License-Identifier: Apache-2.0 */
#include "../../fuzz/fuzz.h"
#include "pcap.h"
#include "wire_test.h"
#include "testing/lib/corpus.h"

/* The fuzz target on each file of its corpus: it aborts if anything is wrong. */
START_TEST(corpus)
{
	corpus_replay(&(struct corpus){ .folder = source_path("testing/fuzz/corpus/wire"), .at_least = 40, .target = LLVMFuzzerTestOneInput });
}
END_TEST

TCase *corpus_cases(void)
{
	TCase *tc = tcase_create("corpus");

	tcase_add_test(tc, corpus);
	return tc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>

#include "../../fuzz/fuzz.h"
#include "pcap.h"
#include "wire_test.h"

/* The fuzz target on each file of its corpus: it aborts if anything is wrong. */
START_TEST(corpus)
{
	static const char folder[] = "testing/fuzz/corpus/wire";
	DIR *d = opendir(source_path(folder));
	struct buf file = { 0 };
	struct dirent *entry;
	char path[500];
	size_t count = 0;

	ck_assert_ptr_nonnull(d);
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		ck_assert(file_read(source_path(path), &file));
		ck_assert_int_eq(LLVMFuzzerTestOneInput(file.p, file.n), 0);
		count++;
	}
	closedir(d);
	buf_free(&file);
	ck_assert_uint_ge(count, 40);
}
END_TEST

TCase *corpus_cases(void)
{
	TCase *tc = tcase_create("corpus");

	tcase_add_test(tc, corpus);
	return tc;
}

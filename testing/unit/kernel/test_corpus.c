/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "test_kernel.h"

#include "../../fuzz/fuzz.h"
#include "util/mem.h"

#define FOLDER VECTORS "/../fuzz/corpus/flow"

static void replay_file(const char *name)
{
	uint8_t data[4096], *exact;
	char path[500];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	f = fopen(path, "rb");
	ck_assert_ptr_nonnull(f);
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	ck_assert_uint_gt(n, 0);
	/* whole and cut everywhere */
	for (size_t i = 0; i <= n; i++) {
		exact = xmemdup(data, i);
		ck_assert_int_eq(LLVMFuzzerTestOneInput(exact, i), 0);
		free(exact);
	}
}

START_TEST(test_corpus)
{
	DIR *d = opendir(FOLDER);
	struct dirent *entry;
	size_t count = 0;

	ck_assert_ptr_nonnull(d);
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		replay_file(entry->d_name);
		count++;
	}
	closedir(d);
	ck_assert_uint_ge(count, 10);
}
END_TEST

TCase *tcase_corpus(void)
{
	TCase *tc = tcase_create("corpus");

	tcase_add_test(tc, test_corpus);
	return tc;
}

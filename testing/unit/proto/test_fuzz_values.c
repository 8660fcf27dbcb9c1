/* SPDX-License-Identifier: Apache-2.0 */
#include "test_proto.h"

#include <dirent.h>
#include <stdio.h>

#include "../../fuzz/fuzz.h"

/* The target aborts where a property does not hold. */
START_TEST(corpus)
{
	DIR *dir = opendir(FUZZ_CORPUS);
	struct dirent *e;
	unsigned files = 0;

	ck_assert_ptr_nonnull(dir);
	while ((e = readdir(dir))) {
		uint8_t data[4096];
		char path[1024];
		size_t n;
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", FUZZ_CORPUS, e->d_name);
		f = fopen(path, "rb");
		ck_assert_ptr_nonnull(f);
		n = fread(data, 1, sizeof(data), f);
		fclose(f);
		for (size_t cut = 0; cut <= n; cut++)
			LLVMFuzzerTestOneInput(data, cut);
		files++;
	}
	closedir(dir);
	ck_assert_uint_gt(files, 10);
}
END_TEST

TCase *test_fuzz_values(void)
{
	TCase *t = tcase_create("fuzz_values");

	tcase_add_test(t, corpus);
	tcase_set_timeout(t, 60);
	return t;
}

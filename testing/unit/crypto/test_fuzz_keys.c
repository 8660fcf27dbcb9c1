/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>

#include "../../fuzz/fuzz.h"
#include "key_test.h"

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
		for (size_t i = 1; i < n; i++) { /* and with each octet another */
			data[i] ^= 1;
			LLVMFuzzerTestOneInput(data, n);
			data[i] ^= 0x81;
			LLVMFuzzerTestOneInput(data, n);
			data[i] ^= 0x80;
		}
		files++;
	}
	closedir(dir);
	ck_assert_uint_gt(files, 30);
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "test_config.h"

#include <dirent.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *path)
{
	struct buf text = { 0 };
	FILE *f = fopen(path, "rb");
	int c;

	ck_assert_msg(f, "%s", path);
	while ((c = fgetc(f)) != EOF)
		buf_add_u8(&text, (uint8_t)c);
	fclose(f);
	ck_assert_int_eq(LLVMFuzzerTestOneInput(text.p, text.n), 0);
	buf_free(&text);
}

/* The target aborts where a property does not hold. */
START_TEST(test_settings_corpus)
{
	DIR *d = opendir(CORPUS);
	unsigned n = 0;

	ck_assert_msg(d, "%s", CORPUS);
	for (struct dirent *e; (e = readdir(d));) {
		char path[1024];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", CORPUS, e->d_name);
		replay(path);
		n++;
	}
	closedir(d);
	ck_assert_uint_ge(n, 10);
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

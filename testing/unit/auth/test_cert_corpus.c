/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>

#include "auth_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input, and one octet of seven changed, each by itself. */
static void replay(const char *path, bool change)
{
	struct buf data = { 0 };
	FILE *f = fopen(path, "rb");
	int c;

	ck_assert_msg(f, "%s", path);
	while ((c = fgetc(f)) != EOF)
		buf_add_u8(&data, (uint8_t)c);
	fclose(f);
	ck_assert_int_eq(LLVMFuzzerTestOneInput(data.p, data.n), 0);
	for (size_t i = 1; change && i < data.n; i += 7) {
		data.p[i] ^= (uint8_t)(1 << i % 8);
		ck_assert_int_eq(LLVMFuzzerTestOneInput(data.p, data.n), 0);
		data.p[i] ^= (uint8_t)(1 << i % 8);
	}
	buf_free(&data);
}

/* The target aborts where a property does not hold. */
START_TEST(test_cert_inputs)
{
	DIR *d = opendir(CERT_CORPUS);
	unsigned n = 0;

	ck_assert_msg(d, "%s", CERT_CORPUS);
	for (struct dirent *e; (e = readdir(d));) {
		char path[1024];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", CERT_CORPUS, e->d_name);
		replay(path, true);
		n++;
	}
	closedir(d);
	ck_assert_uint_ge(n, 19);
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

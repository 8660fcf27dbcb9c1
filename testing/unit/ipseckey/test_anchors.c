/* SPDX-License-Identifier: Apache-2.0 */
#include "ipseckey_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/bewick-anchors-XXXXXX";

static void file_is(const char *text)
{
	FILE *f;
	int fd;

	strcpy(path + sizeof(path) - 7, "XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	f = fdopen(fd, "w");
	fputs(text, f);
	fclose(f);
}

static const char root[] = "; of the root\n. 172800 IN DNSKEY 257 3 8 AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5"
			   "emLvN7SWXgnLh4+B5xQlNVz8Og8kvArMtNROxVQuCaSnIDdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLrjyBxWezF0jLHwVN8efS3rCj/"
			   "EWgvIWgb9tarpVUDK/b58Da+sqqls3eNbuv7pr+eoZG+SrDK6nWeL3c6H5Apxz7LjVc1uTIdsIXxuOLYA4/ilBmSVIzuDWfdRUfhHd"
			   "Y6+cn8HFRm+2hM8AnXGXws9555KrUB5qihylGa8subX2Nn6UwNR1AkUTV74bU=\n";

/* The DS record that the root's zone has published for its key 20326. */
START_TEST(test_good)
{
	struct anchors a = { 0 };
	struct errtext err;
	char *ds, *again;

	file_is(root);
	ck_assert_msg(anchors_load(path, &a, &err), "%s", err.s);
	unlink(path);
	ck_assert_uint_eq(ldns_rr_list_rr_count(a.ds), 1);
	ds = ldns_rr2str(ldns_rr_list_rr(a.ds, 0));
	ck_assert_msg(strstr(ds, "20326 8 2 e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d"), "%s", ds);
	anchors_free(&a);
	file_is(ds);
	ck_assert_msg(anchors_load(path, &a, &err), "%s", err.s);
	unlink(path);
	again = ldns_rr2str(ldns_rr_list_rr(a.ds, 0));
	ck_assert_str_eq(again, ds);
	anchors_free(&a);
	free(ds);
	free(again);
}
END_TEST

static const struct {
	const char *text, *why;
} bad[] = {
	{ "", "there are no trust anchors in" },
	{ "; nothing\n\n", "there are no trust anchors in" },
	{ ". IN A 10.0.0.1\n", "a trust anchor is a DS record, or a DNSKEY record of a zone" },
	{ ". IN DS 20326 8 2 xyz\n", ":1: " },
	{ "\n\nwhatever", "Syntax error" },
	{ ". IN DNSKEY 0 3 8 AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvk\n", "a trust anchor is a DS record, or a DNSKEY record of a zone" },
};

START_TEST(test_bad)
{
	struct anchors a = { 0 };
	struct errtext err = { "" };

	file_is(bad[_i].text);
	ck_assert(!anchors_load(path, &a, &err));
	unlink(path);
	ck_assert_msg(strstr(err.s, bad[_i].why) != NULL, "'%s' is not in '%s'", bad[_i].why, err.s);
	ck_assert_ptr_null(a.ds);
}
END_TEST

START_TEST(test_no_file)
{
	struct anchors a;
	struct errtext err;

	ck_assert(!anchors_load("/nowhere/anchors", &a, &err));
	ck_assert_str_eq(err.s, "trust anchors cannot be read from /nowhere/anchors: No such file or directory");
}
END_TEST

TCase *anchors_tests(void)
{
	TCase *c = tcase_create("anchors");

	tcase_add_test(c, test_good);
	tcase_add_loop_test(c, test_bad, 0, sizeof(bad) / sizeof(*bad));
	tcase_add_test(c, test_no_file);
	return c;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/resolve/file.h"
#include "testing/lib/scratch.h"

#define OUR4 "nameserver 10.1.0.53   # by bewick\n"
#define OUR6 "nameserver 2001:db8::53   # by bewick\n"

static struct addr servers[2];

static void setup(void)
{
	ck_assert(addr_parse(bytes_str("10.1.0.53"), &servers[0]));
	ck_assert(addr_parse(bytes_str("2001:db8::53"), &servers[1]));
}

static const struct {
	const char *old;
	size_t n;
	const char *new;
} rewrites[] = {
	{ "", 0, "" },
	{ "", 2, OUR4 OUR6 },
	{ "nameserver 192.0.2.1\nsearch x\n", 2, OUR4 OUR6 "nameserver 192.0.2.1\nsearch x\n" },
	{ OUR4 OUR6 "nameserver 192.0.2.1\nsearch x\n", 0, "nameserver 192.0.2.1\nsearch x\n" },
	{ OUR4 OUR6 "x\n", 1, OUR4 "x\n" },
	{ "x\n" OUR4 "y\n", 0, "x\ny\n" }, /* somebody put lines in front of ours */
	{ "no newline", 1, OUR4 "no newline" },
	{ "x\nnameserver 10.1.0.53   # by bewick", 0, "x\n" },
	{ "nameserver 10.1.0.53   # by bewick\r\nx\r\n", 0, "x\r\n" },
	{ "# by bewick is a program\nnameserver 10.1.0.53 # by others\n", 0,
	  "# by bewick is a program\nnameserver 10.1.0.53 # by others\n" },
	{ "\n\n", 0, "\n\n" },
};

START_TEST(test_rewrite)
{
	struct buf out = { 0 }, again = { 0 };

	resolv_rewrite(&out, bytes_str(rewrites[_i].old), servers, rewrites[_i].n);
	ck_assert_str_eq(buf_str(&out), rewrites[_i].new);
	/* what is right stays as it is */
	resolv_rewrite(&again, buf_bytes(&out), servers, rewrites[_i].n);
	ck_assert_str_eq(buf_str(&again), rewrites[_i].new);
	buf_free(&out);
	buf_free(&again);
}
END_TEST

static char dir[64], path[128];

static void dir_make(void)
{
	scratch_dir(dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/resolv.conf", dir);
}

static void file_put(const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void ck_file(const char *text)
{
	char buf[512];
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(buf, 1, sizeof(buf) - 1, f);
	buf[n] = 0;
	fclose(f);
	ck_assert_str_eq(buf, text);
}

/* Owner, rights and content outside our lines stay; nothing else is left in the folder. */
START_TEST(test_update)
{
	struct stat st;

	dir_make();
	file_put("x\n");
	ck_assert_int_eq(chmod(path, 0604), 0);
	ck_assert(resolv_update(path, servers, 2));
	ck_file(OUR4 OUR6 "x\n");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0604);
	ck_assert(resolv_update(path, servers, 0));
	ck_file("x\n");
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(test_no_file)
{
	dir_make();
	ck_assert(resolv_update(path, servers, 0));
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert(resolv_update(path, servers, 1));
	ck_file(OUR4);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert(!resolv_update(path, servers, 1));
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* Where the folder takes no other file (as with a file that is mounted by itself) it is written in place. */
START_TEST(test_in_place)
{
	char blocker[160];
	struct stat before, after;

	dir_make();
	file_put("x\n");
	ck_assert_int_eq(stat(path, &before), 0);
	snprintf(blocker, sizeof(blocker), "%s.bewick", path);
	ck_assert_int_eq(mkdir(blocker, 0700), 0);
	ck_assert(resolv_update(path, servers, 1));
	ck_file(OUR4 "x\n");
	ck_assert(resolv_update(path, servers, 0));
	ck_file("x\n");
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	rmdir(blocker);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

TCase *resolv_file_tests(void)
{
	TCase *tc = tcase_create("resolv_file");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, test_rewrite, 0, sizeof(rewrites) / sizeof(rewrites[0]));
	tcase_add_test(tc, test_update);
	tcase_add_test(tc, test_no_file);
	tcase_add_test(tc, test_in_place);
	return tc;
}

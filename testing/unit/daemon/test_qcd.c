/* SPDX-License-Identifier: Apache-2.0 */
/* The file of secrets for RFC 6290 tokens. */
#include "daemon/qcd.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon_test.h"

static void write_file(const char *path, size_t n, mode_t mode)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	for (size_t i = 0; i < n; i++)
		fputc('x', f);
	fclose(f);
	ck_assert_int_eq(chmod(path, mode), 0);
}

START_TEST(test_made)
{
	struct qcd_secrets one = { 0 }, two = { 0 };
	struct test_dir dir;
	struct errtext err;
	char path[128], sub[128];
	struct stat st;
	uint64_t age;

	test_dir_make(&dir);
	test_dir_path(&dir, "new", sub);
	test_dir_path(&dir, "new/secret", path);
	ck_assert_msg(qcd_file_load(path, &one, &age, &err), "%s", err.s);
	ck_assert_uint_eq(one.count, 1);
	ck_assert_uint_le(age, 5);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_uint_eq(st.st_size, QCD_SECRET_LEN);
	ck_assert_int_eq(stat(sub, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	/* the next life has the same */
	ck_assert(qcd_file_load(path, &two, &age, &err));
	ck_assert_mem_eq(&one, &two, sizeof(one));
	unlink(path);
	ck_assert(qcd_file_load(path, &two, &age, &err));
	ck_assert_mem_ne(one.secret[0], two.secret[0], QCD_SECRET_LEN);
	unlink(path);
	rmdir(sub); /* and nothing else is left in it */
	ck_assert_int_ne(access(sub, F_OK), 0);
	test_dir_remove(&dir);
}
END_TEST

START_TEST(test_rotated)
{
	struct qcd_secrets all[QCD_GENERATIONS + 2] = { 0 };
	struct test_dir dir;
	struct errtext err;
	char path[128];
	uint64_t age;

	test_dir_make(&dir);
	test_dir_path(&dir, "secret", path);
	for (unsigned i = 0; i < QCD_GENERATIONS + 2; i++) {
		if (i)
			ck_assert_msg(qcd_file_rotate(path, &err), "%s", err.s);
		ck_assert(qcd_file_load(path, &all[i], &age, &err));
		ck_assert_uint_eq(all[i].count, i < QCD_GENERATIONS ? i + 1 : QCD_GENERATIONS);
		for (unsigned k = 1; k < all[i].count; k++)
			ck_assert_mem_eq(all[i].secret[k], all[i - 1].secret[k - 1], QCD_SECRET_LEN);
	}
	test_dir_remove(&dir);
}
END_TEST

/* What is refused, each with its reason. */
START_TEST(test_refused)
{
	static const struct {
		size_t n;
		mode_t mode;
		const char *why;
	} cases[] = {
		{ QCD_SECRET_LEN, 0640, "has mode 0640: others could read the secrets" },
		{ QCD_SECRET_LEN, 0604, "has mode 0604" },
		{ 0, 0600, "has 0 bytes" },
		{ QCD_SECRET_LEN - 1, 0600, "has 31 bytes: one to 4 secrets of 32 bytes" },
		{ QCD_SECRET_LEN * (QCD_GENERATIONS + 1), 0600, "has 160 bytes" },
	};
	struct qcd_secrets s = { .count = 77 };
	struct test_dir dir;
	struct errtext err;
	char path[128], other[128];
	uint64_t age;

	test_dir_make(&dir);
	test_dir_path(&dir, "secret", path);
	test_dir_path(&dir, "other", other);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		write_file(path, cases[i].n, cases[i].mode);
		ck_assert(!qcd_file_load(path, &s, &age, &err));
		ck_assert_msg(strstr(err.s, cases[i].why) && strstr(err.s, path), "%s", err.s);
		ck_assert(!qcd_file_rotate(path, &err));
		ck_assert_uint_eq(s.count, 77);
	}
	unlink(path);
	write_file(other, QCD_SECRET_LEN, 0600);
	ck_assert_int_eq(symlink(other, path), 0);
	ck_assert(!qcd_file_load(path, &s, &age, &err));
	ck_assert_msg(strstr(err.s, "symbolic link"), "%s", err.s);
	ck_assert(!qcd_file_load(dir.path, &s, &age, &err));
	ck_assert_msg(strstr(err.s, "is not a file"), "%s", err.s);
	ck_assert(!qcd_file_load("/proc/no/such/folder", &s, &age, &err));
	ck_assert_msg(strstr(err.s, "cannot write"), "%s", err.s);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(other, 65534, 65534), 0);
		ck_assert(!qcd_file_load(other, &s, &age, &err));
		ck_assert_msg(strstr(err.s, "belongs to uid 65534"), "%s", err.s);
	}
	test_dir_remove(&dir);
}
END_TEST

/* The daemon: goes on without tokens if it must, makes a new secret when it is time. */
START_TEST(test_settings_obeyed)
{
	struct daemon d = { .loop = loop_new() };
	struct sa_options o = { .qcd = true };
	struct timeval old[2] = { { time(NULL) - 7200, 0 }, { time(NULL) - 7200, 0 } };
	struct test_dir dir;
	struct test_log log;
	char path[128];

	test_dir_make(&dir);
	test_dir_path(&dir, "secret", path);
	test_log_start(&log);
	d.settings = test_settings("qcd {\nsecret_file = %s\nrotate = 1h\n}", path);
	daemon_load_qcd(&d, &o);
	ck_assert_uint_eq(o.qcd_secrets.count, 1);
	ck_assert(timer_running(&d.qcd_timer));
	ck_assert_ptr_null(log.text.p);
	ck_assert_int_eq(utimes(path, old), 0);
	daemon_load_qcd(&d, &o);
	ck_assert_uint_eq(o.qcd_secrets.count, 2);
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text), "a new secret for quick crash detection"));
	daemon_load_qcd(&d, &o);
	ck_assert_uint_eq(o.qcd_secrets.count, 2);
	ck_assert_int_eq(chmod(path, 0644), 0);
	daemon_load_qcd(&d, &o);
	ck_assert_uint_eq(o.qcd_secrets.count, 0);
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text), "no tokens for quick crash detection are given: "));
	ck_assert(!timer_running(&d.qcd_timer));
	unlink(path);
	o.qcd = false; /* switched off: no file is made */
	daemon_load_qcd(&d, &o);
	ck_assert_int_ne(access(path, F_OK), 0);
	test_log_stop(&log);
	buf_free(&log.text);
	settings_free(d.settings);
	loop_free(d.loop);
	test_dir_remove(&dir);
}
END_TEST

TCase *qcd_tests(void)
{
	TCase *tc = tcase_create("qcd");

	tcase_add_test(tc, test_made);
	tcase_add_test(tc, test_rotated);
	tcase_add_test(tc, test_refused);
	tcase_add_test(tc, test_settings_obeyed);
	return tc;
}

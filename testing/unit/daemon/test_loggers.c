/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/loggers.h"

#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon_test.h"

static struct loggers *configured(struct settings *s)
{
	struct loggers *l = loggers_new();

	loggers_configure(l, s);
	settings_free(s);
	return l;
}

START_TEST(test_format)
{
	struct log_sa sa = { "site", 7 };
	struct test_dir dir;
	struct loggers *l;
	char *text;

	test_dir_make(&dir);
	l = configured(test_settings("filelog {\none {\npath = %s/one\nike_name = yes\nlog_level = yes\nike = 2\n}\n"
				     "two {\npath = %s/two\ndefault = -1\ncfg = 0\n}\n}", dir.path, dir.path));
	log_set_thread(12);
	LOG_SA(&sa, IKE, 2, "details\nof two lines");
	LOG_SA(&sa, CHD, 2, "not wanted");
	LOG(CFG, 0, "no SA");
	loggers_free(l);
	text = test_dir_read(&dir, "one");
	ck_assert_str_eq(text, "12[IKE2] <site|7> details\n12[IKE2] <site|7> of two lines\n12[CFG0] no SA\n");
	free(text);
	text = test_dir_read(&dir, "two");
	ck_assert_str_eq(text, "12[CFG] no SA\n");
	free(text);
	test_dir_remove(&dir);
}
END_TEST

START_TEST(test_time)
{
	static const struct {
		const char *keys;
		size_t digits;
	} cases[] = { { "time_format = T%S", 0 },
		      { "time_format = T%S\ntime_precision = ms", 3 },
		      { "time_format = T%S\ntime_precision = us", 6 },
		      { "time_format = T%S\ntime_add_ms = yes", 3 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct test_dir dir;
		struct loggers *l;
		char *text, *at;

		test_dir_make(&dir);
		l = configured(test_settings("filelog {\na {\npath = %s/a\n%s\n}\n}", dir.path, cases[i].keys));
		LOG(DMN, 1, "hello");
		loggers_free(l);
		text = at = test_dir_read(&dir, "a");
		ck_assert(at[0] == 'T' && isdigit(at[1]) && isdigit(at[2]));
		at += 3;
		if (cases[i].digits) {
			ck_assert_int_eq(*at++, '.');
			ck_assert_uint_eq(strspn(at, "0123456789"), cases[i].digits);
			at += cases[i].digits;
		}
		ck_assert_int_eq(*at, ' ');
		ck_assert_ptr_nonnull(strstr(at, "[DMN] hello\n"));
		free(text);
		test_dir_remove(&dir);
	}
}
END_TEST

START_TEST(test_append)
{
	struct test_dir dir;
	char *text;

	test_dir_make(&dir);
	for (unsigned i = 0; i < 3; i++) {
		struct loggers *l = configured(test_settings(
			"filelog {\na {\npath = %s/a\n}\nb {\npath = %s/b\nappend = no\n}\n}", dir.path, dir.path));

		log_set_thread(1);
		LOG(DMN, 1, "run %u", i);
		loggers_free(l);
	}
	text = test_dir_read(&dir, "a");
	ck_assert_str_eq(text, "01[DMN] run 0\n01[DMN] run 1\n01[DMN] run 2\n");
	free(text);
	text = test_dir_read(&dir, "b");
	ck_assert_str_eq(text, "01[DMN] run 2\n");
	free(text);
	test_dir_remove(&dir);
}
END_TEST

/* A reload empties no file, not even one that is emptied at a start. */
START_TEST(test_reload_keeps)
{
	struct test_dir dir;
	struct settings *s;
	struct loggers *l = loggers_new();
	char *text;

	test_dir_make(&dir);
	s = test_settings("filelog {\na {\npath = %s/a\nappend = no\n}\n}", dir.path);
	log_set_thread(1);
	loggers_configure(l, s);
	LOG(DMN, 1, "one");
	loggers_configure(l, s);
	LOG(DMN, 1, "two");
	loggers_free(l);
	settings_free(s);
	text = test_dir_read(&dir, "a");
	ck_assert_str_eq(text, "01[DMN] one\n01[DMN] two\n");
	free(text);
	test_dir_remove(&dir);
}
END_TEST

static atomic_bool chatter_end;

static void *chatter(void *arg)
{
	unsigned *count = arg;

	log_set_thread(5);
	while (!atomic_load(&chatter_end) || *count < 1000)
		LOG(JOB, 1, "%u", (*count)++);
	return NULL;
}

/* Files are moved away and made anew while a thread logs: each line is in one of them, in order. */
START_TEST(test_rotation)
{
	struct test_dir dir;
	struct settings *s;
	struct loggers *l;
	char path[128], moved[128];
	unsigned count = 0, next = 0;
	pthread_t thread;

	test_dir_make(&dir);
	test_dir_path(&dir, "log", path);
	s = test_settings("filelog {\nlog {\npath = %s\nappend = no\n}\n}", path);
	l = loggers_new();
	loggers_configure(l, s);
	pthread_create(&thread, NULL, chatter, &count);
	for (char name[] = "a"; name[0] <= 'e'; name[0]++) {
		test_dir_path(&dir, name, moved);
		ck_assert_int_eq(rename(path, moved), 0);
		loggers_configure(l, s);
	}
	atomic_store(&chatter_end, true);
	pthread_join(thread, NULL);
	loggers_free(l);
	settings_free(s);
	for (const char *names[] = { "a", "b", "c", "d", "e", "log", NULL }, **n = names; *n; n++) {
		char *text = test_dir_read(&dir, *n), *save, *line;

		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			char want[32];

			snprintf(want, sizeof(want), "05[JOB] %u", next++);
			ck_assert_str_eq(line, want);
		}
		free(text);
	}
	ck_assert_uint_eq(next, count);
	test_dir_remove(&dir);
}
END_TEST

/* Nobody reads the pipe: neither logging nor the end waits for it. */
START_TEST(test_fifo)
{
	struct test_dir dir;
	char path[128];
	struct loggers *l;

	test_dir_make(&dir);
	test_dir_path(&dir, "fifo", path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	l = configured(test_settings("filelog {\nf {\npath = %s\n}\n}", path));
	for (unsigned i = 0; i < 100000; i++)
		LOG(DMN, 1, "a line that is long enough to fill the pipe soon: %u", i);
	loggers_free(l);
	test_dir_remove(&dir);
}
END_TEST

START_TEST(test_complaints)
{
	struct test_dir dir;
	struct loggers *l;
	char *text;

	test_dir_make(&dir);
	l = configured(test_settings("filelog {\nbad {\npath = %s/no/such\n}\ngood {\npath = %s/good\n}\n}\n"
				     "syslog {\nlocal7 {\n}\n}", dir.path, dir.path));
	ck_assert(!loggers_on_stderr(l));
	loggers_free(l);
	text = test_dir_read(&dir, "good");
	ck_assert_ptr_nonnull(strstr(text, "cannot log to bad: cannot open"));
	ck_assert_ptr_nonnull(strstr(text, "no/such: No such file or directory\n"));
	ck_assert_ptr_nonnull(strstr(text, "there is no facility 'local7'"));
	free(text);
	test_dir_remove(&dir);
}
END_TEST

START_TEST(test_stderr)
{
	struct loggers *l = loggers_new();
	struct settings *s = test_settings("filelog {\nstderr {\ndefault = -1\n}\n}");

	ck_assert(loggers_on_stderr(l));
	loggers_configure(l, NULL);
	ck_assert(loggers_on_stderr(l));
	ck_assert(log_is_wanted(LOG_GROUP_DMN, 1) && !log_is_wanted(LOG_GROUP_DMN, 2));
	ck_assert(log_is_wanted(LOG_GROUP_NET, 0) && !log_is_wanted(LOG_GROUP_NET, 1));
	loggers_configure(l, s);
	ck_assert(!loggers_on_stderr(l));
	ck_assert(!log_is_wanted(LOG_GROUP_DMN, 0));
	loggers_free(l);
	settings_free(s);
}
END_TEST

TCase *loggers_tests(void)
{
	TCase *tc = tcase_create("loggers");

	tcase_add_test(tc, test_format);
	tcase_add_test(tc, test_time);
	tcase_add_test(tc, test_append);
	tcase_add_test(tc, test_reload_keeps);
	tcase_add_test(tc, test_rotation);
	tcase_add_test(tc, test_fifo);
	tcase_add_test(tc, test_complaints);
	tcase_add_test(tc, test_stderr);
	return tc;
}

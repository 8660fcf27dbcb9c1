/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon_test.h"
#include "testing/lib/scratch.h"

struct settings *test_settings(const char *fmt, ...)
{
	struct buf text = { 0 };
	struct errtext err = { "" };
	struct settings *s;
	va_list ap;

	va_start(ap, fmt);
	buf_add_str(&text, "bewickd {\n");
	buf_vprintf(&text, fmt, ap);
	buf_add_str(&text, "\n}\n");
	va_end(ap);
	s = settings_from_text(buf_str(&text), &err);
	ck_assert_msg(s != NULL, "%s", err.s);
	buf_free(&text);
	return s;
}

void test_dir_make(struct test_dir *dir)
{
	scratch_dir(dir->path, sizeof(dir->path));
}

void test_dir_path(const struct test_dir *dir, const char *name, char ret_path[static 128])
{
	snprintf(ret_path, 128, "%s/%s", dir->path, name);
}

void test_dir_remove(const struct test_dir *dir)
{
	DIR *d = opendir(dir->path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
	rmdir(dir->path);
}

char *test_dir_read(const struct test_dir *dir, const char *name)
{
	struct buf text = { 0 };
	char path[128], part[512];
	size_t n;
	FILE *f;

	test_dir_path(dir, name, path);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(&text, part, n);
	fclose(f);
	return buf_take_str(&text);
}

static void test_log_line(void *arg, const struct log_event *ev)
{
	struct test_log *log = arg;

	pthread_mutex_lock(log->lock);
	buf_add(&log->text, ev->msg, ev->msg_len);
	buf_add_u8(&log->text, '\n');
	pthread_mutex_unlock(log->lock);
}

void test_log_start(struct test_log *log)
{
	int8_t levels[LOG_GROUPS];

	*log = (struct test_log){ .lock = xcalloc(1, sizeof(pthread_mutex_t)) };
	pthread_mutex_init(log->lock, NULL);
	memset(levels, LOG_LEVEL_CONTROL, sizeof(levels));
	log->sink = log_sink_add(levels, test_log_line, log);
}

void test_log_stop(struct test_log *log)
{
	log_sink_remove(log->sink);
	pthread_mutex_destroy(log->lock);
	free(log->lock);
}

int main(void)
{
	Suite *suite = suite_create("daemon");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, options_tests());
	suite_add_tcase(suite, values_tests());
	suite_add_tcase(suite, log_writer_tests());
	suite_add_tcase(suite, loggers_tests());
	suite_add_tcase(suite, scripts_tests());
	suite_add_tcase(suite, files_tests());
	suite_add_tcase(suite, qcd_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

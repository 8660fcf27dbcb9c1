/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/scripts.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon_test.h"

static void run(const char *section, int cancel_fd, unsigned limit_ms, struct test_log *log)
{
	struct settings *s = test_settings("start-scripts {\n%s\n}", section);

	test_log_start(log);
	scripts_run(s, "start-scripts", cancel_fd, limit_ms);
	test_log_stop(log);
	settings_free(s);
}

START_TEST(test_output)
{
	struct test_log log;

	run("a = \"echo one; printf 'two\\nthree' >&2\"\nb = exit 3\nc = \"kill -9 $$\"\nd = cat", -1, 60000, &log);
	ck_assert_str_eq(buf_str(&log.text), "running script 'a' (echo one; printf 'two\nthree' >&2)\n"
					     "a: one\na: two\na: three\n"
					     "running script 'b' (exit 3)\nscript 'b' failed with status 3\n"
					     "running script 'c' (kill -9 $$)\nscript 'c' was ended by signal 9\n"
					     "running script 'd' (cat)\n");
	buf_free(&log.text);
}
END_TEST

/* All of its process group goes, and those behind it are not begun. */
START_TEST(test_limit)
{
	struct test_dir dir;
	struct test_log log;
	struct buf section = { 0 };
	char path[128], byte;
	int fd;

	test_dir_make(&dir);
	test_dir_path(&dir, "fifo", path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	ck_assert_int_ge(fd, 0);
	buf_printf(&section, "a = \"echo > %s; sleep 1000 > %s & sleep 1000\"\nb = echo never", path, path);
	run(buf_str(&section), -1, 1000, &log);
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text), "script 'a' was killed: it did not end in time\n"));
	ck_assert_ptr_null(strstr(buf_str(&log.text), "script 'b'"));
	buf_free(&log.text);
	buf_free(&section);
	/* what it wrote, then the end: nobody holds the pipe any more */
	ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
	ck_assert_int_eq(read(fd, &byte, 1), 1);
	ck_assert_int_eq(read(fd, &byte, 1), 0);
	close(fd);
	test_dir_remove(&dir);
}
END_TEST

/* Closing the output is not the end. */
START_TEST(test_limit_silent)
{
	struct test_log log;

	run("a = exec sleep 1000 >/dev/null 2>&1", -1, 50, &log);
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text), "script 'a' was killed"));
	buf_free(&log.text);
}
END_TEST

START_TEST(test_cancel)
{
	struct test_log log;
	int fd = eventfd(1, 0);

	run("a = sleep 1000", fd, 3600000, &log);
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text), "script 'a' was killed"));
	buf_free(&log.text);
	close(fd);
}
END_TEST

/* What the daemon blocks or ignores, a script does not inherit. */
START_TEST(test_signals)
{
	struct test_log log;
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	run("a = kill -TERM $$\nb = kill -PIPE $$", -1, 60000, &log);
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text), "script 'a' was ended by signal 15\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text), "script 'b' was ended by signal 13\n"));
	buf_free(&log.text);
}
END_TEST

START_TEST(test_thread)
{
	struct settings *s = test_settings("start-scripts {\na = sleep 1000\n}");
	struct scripts *scripts;
	struct test_log log;

	test_log_start(&log);
	ck_assert_ptr_null(scripts_start(s, "stop-scripts", 1000));
	scripts = scripts_start(s, "start-scripts", 3600000);
	ck_assert_ptr_nonnull(scripts);
	scripts_end(scripts);
	test_log_stop(&log);
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text), "script 'a' was killed"));
	buf_free(&log.text);
	settings_free(s);
}
END_TEST

TCase *scripts_tests(void)
{
	TCase *tc = tcase_create("scripts");

	tcase_add_test(tc, test_output);
	tcase_add_test(tc, test_limit);
	tcase_add_test(tc, test_limit_silent);
	tcase_add_test(tc, test_cancel);
	tcase_add_test(tc, test_signals);
	tcase_add_test(tc, test_thread);
	return tc;
}

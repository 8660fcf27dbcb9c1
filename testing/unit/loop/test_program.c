/* SPDX-License-Identifier: Apache-2.0 */
#include "loop_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop/loop.h"
#include "loop/program.h"

static struct buf lines;

static void line(void *arg, const char *text, size_t n)
{
	(void)arg;
	buf_add(&lines, text, n);
	buf_add_str(&lines, "|");
}

static struct program_result run(const char *command, char *const *env, struct bytes input, unsigned limit_ms, int cancel_fd)
{
	const char *const argv[] = { "sh", "-c", command, NULL };
	struct program_run p = { .path = "/bin/sh",
				 .argv = argv,
				 .env = env,
				 .input = input,
				 .deadline_ms = clock_monotonic_ms() + limit_ms,
				 .cancel_fd = cancel_fd,
				 .line = line };

	buf_reset(&lines);
	return program_run(&p);
}

static void ck_how(struct program_result r, const char *expected)
{
	ck_assert_str_eq(program_result_format(r).s, expected);
}

START_TEST(test_output)
{
	ck_how(run("echo one; printf two >&2", NULL, BYTES_NONE, 60000, -1), "");
	ck_assert_str_eq(buf_str(&lines), "one|two|");
	ck_how(run("exit 3", NULL, BYTES_NONE, 60000, -1), " failed with status 3");
	ck_how(run("kill -9 $$", NULL, BYTES_NONE, 60000, -1), " was ended by signal 9");
	/* nothing to read: no waiting */
	ck_how(run("cat", NULL, BYTES_NONE, 60000, -1), "");
	ck_how(run("head -c 1500 /dev/zero | tr '\\0' x", NULL, BYTES_NONE, 60000, -1), "");
	ck_assert_uint_eq(lines.n, 1502); /* in two pieces */
	buf_free(&lines);
}
END_TEST

/* Nothing but what it is given. */
START_TEST(test_environment)
{
	char *const env[] = { (char[]){ "PATH=/bin:/usr/bin" }, (char[]){ "A=$(exit 5) `exit 6`; exit 7" }, NULL };

	setenv("SECRET", "x", 1);
	ck_how(run("echo \"$A\"; env | grep -c -e SECRET -e HOME -e USER", env, BYTES_NONE, 60000, -1), " failed with status 1");
	ck_assert_str_eq(buf_str(&lines), "$(exit 5) `exit 6`; exit 7|0|");
	buf_free(&lines);
}
END_TEST

START_TEST(test_input)
{
	static const uint8_t much[PROGRAM_INPUT + 1];

	ck_how(run("cat; exit 1", NULL, bytes_str("a\nb\n"), 60000, -1), " failed with status 1");
	ck_assert_str_eq(buf_str(&lines), "a|b|");
	ck_how(run("wc -c", NULL, bytes_of(much, PROGRAM_INPUT), 60000, -1), "");
	ck_assert_str_eq(buf_str(&lines), "4096|");
	ck_assert_int_eq(run("cat", NULL, bytes_of(much, sizeof(much)), 60000, -1).value, E2BIG);
	buf_free(&lines);
}
END_TEST

/* Late or not wanted any more: what it said before is there. _i: which */
START_TEST(test_killed)
{
	int fd = eventfd(_i, 0);

	ck_how(run("echo begun; sleep 1000", NULL, BYTES_NONE, _i ? 3600000 : 100, fd), " was killed: it did not end in time");
	if (!_i)
		ck_assert_str_eq(buf_str(&lines), "begun|");
	ck_how(run("exec sleep 1000 >/dev/null 2>&1", NULL, BYTES_NONE, _i ? 3600000 : 100, fd),
	       " was killed: it did not end in time");
	close(fd);
	buf_free(&lines);
}
END_TEST

START_TEST(test_no_program)
{
	const char *const argv[] = { "nothing", NULL };
	struct program_run p = { .path = "/nowhere/nothing", .argv = argv, .deadline_ms = UINT64_MAX, .cancel_fd = -1 };

	ck_how(program_run(&p), " cannot be run: No such file or directory");
}
END_TEST

TCase *program_tests(void)
{
	TCase *tc = tcase_create("program");

	tcase_add_test(tc, test_output);
	tcase_add_test(tc, test_environment);
	tcase_add_test(tc, test_input);
	tcase_add_loop_test(tc, test_killed, 0, 2);
	tcase_add_test(tc, test_no_program);
	return tc;
}

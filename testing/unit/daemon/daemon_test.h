/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_DAEMON_H
#define BEWICK_TEST_DAEMON_H

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#include "config/settings.h"
#include "util/bytes.h"
#include "util/log.h"
#include "util/mem.h"

TCase *options_tests(void);
TCase *values_tests(void);
TCase *log_writer_tests(void);
TCase *loggers_tests(void);
TCase *scripts_tests(void);
TCase *files_tests(void);
TCase *qcd_tests(void);

/* Settings of the section bewickd with printf's format. */
struct settings *test_settings(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* A folder for one test, removed with what is in it. */
struct test_dir {
	char path[64];
};
void test_dir_make(struct test_dir *dir);
void test_dir_remove(const struct test_dir *dir);
/* The whole file, to be freed; fails the test if there is none. */
char *test_dir_read(const struct test_dir *dir, const char *name);
void test_dir_path(const struct test_dir *dir, const char *name, char ret_path[static 128]);

/* Collects log lines of level 1, each with a newline behind, from now on. */
struct test_log {
	struct log_sink *sink;
	struct buf text;
	void *lock;
};
void test_log_start(struct test_log *log);
void test_log_stop(struct test_log *log); /* text stays, to be freed */

#endif

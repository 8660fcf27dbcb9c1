/* SPDX-License-Identifier: Apache-2.0 */
/* For fuzz targets that use a lab of the tests: what libcheck's assertions call (a failure aborts), and its plugins. */
#include <check.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

void _mark_point(const char *file, int line)
{
	(void)file;
	(void)line;
}

void _ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: %s", file, line, expr);
	va_start(args, msg);
	if (msg) {
		fputs(": ", stderr);
		vfprintf(stderr, msg, args);
	}
	va_end(args);
	fputc('\n', stderr);
	abort();
}

void fuzz_find_plugins(void)
{
	char path[PATH_MAX];
	ssize_t n;

	if (getenv("LAB_PLUGINS") || !access("bewick-openssl.la", F_OK))
		return;
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	if (strrchr(path, '/'))
		*strrchr(path, '/') = 0;
	if (strlen(path) > 6 && !strcmp(path + strlen(path) - 6, "/.libs"))
		path[strlen(path) - 6] = 0;
	setenv("LAB_PLUGINS", path, 1);
}

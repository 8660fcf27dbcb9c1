/* SPDX-License-Identifier: Apache-2.0 */
/* What libcheck's assertions call, for fuzz targets that use a lab of the tests: a failure aborts. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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

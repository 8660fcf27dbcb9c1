/* SPDX-License-Identifier: Apache-2.0 */
#include "util/result.h"

#include <stdarg.h>
#include <stdio.h>

void errtext_set(struct errtext *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(err->s, sizeof(err->s), fmt, ap) < 0)
		err->s[0] = '\0';
	va_end(ap);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "util/mem.h"

#include <stdlib.h>

void *xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		abort();
	return p;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/bypass.h"

bool bypass_add(struct bypass_registry *r, const struct bypass_ops *ops)
{
	if (r->n == BYPASS_MAX)
		return false;
	r->ops[r->n++] = ops;
	return true;
}

void bypass_remove(struct bypass_registry *r, const struct bypass_ops *ops)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->ops[i] == ops)
			r->ops[i--] = r->ops[--r->n];
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "net/locals.h"

#include <stdlib.h>
#include <string.h>

#include "util/mem.h"

struct local_addrs *local_addrs_new(const struct local_addr *p, size_t n)
{
	struct local_addrs *l = xcalloc(1, sizeof(*l) + n * sizeof(*p));

	atomic_init(&l->refs, 1);
	l->n = n;
	if (n)
		memcpy(l->p, p, n * sizeof(*p));
	return l;
}

struct local_addrs *local_addrs_ref(struct local_addrs *l)
{
	if (l)
		atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void local_addrs_unref(struct local_addrs *l)
{
	if (l && atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) == 1)
		free(l);
}

bool local_addrs_equal(const struct local_addrs *a, const struct local_addrs *b)
{
	if (!a || !b || a->n != b->n)
		return a == b;
	for (size_t i = 0; i < a->n; i++) {
		const struct local_addr *x = &a->p[i], *y = &b->p[i];

		if (!addr_equal(&x->addr, &y->addr) || x->ifindex != y->ifindex || x->up != y->up || x->carrier != y->carrier ||
		    x->told != y->told || x->prefix_len != y->prefix_len)
			return false;
	}
	return true;
}

const struct local_addr *local_addrs_find(const struct local_addrs *l, const struct addr *a)
{
	const struct local_addr *found = NULL;

	/* one that is up wins, if two links have it */
	for (size_t i = 0; l && i < l->n; i++)
		if (addr_equal_ip(&l->p[i].addr, a) && (!a->scope || a->scope == l->p[i].ifindex) && (!found || !found->up))
			found = &l->p[i];
	return found;
}

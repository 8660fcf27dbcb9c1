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

static bool local_addr_equal(const struct local_addr *x, const struct local_addr *y)
{
	return addr_equal(&x->addr, &y->addr) && x->ifindex == y->ifindex && x->up == y->up && x->carrier == y->carrier &&
	       x->told == y->told && x->prefix_len == y->prefix_len && x->vip == y->vip;
}

bool local_addrs_equal(const struct local_addrs *a, const struct local_addrs *b)
{
	if (!a || !b || a->n != b->n)
		return a == b;
	for (size_t i = 0; i < a->n; i++)
		if (!local_addr_equal(&a->p[i], &b->p[i]))
			return false;
	return true;
}

/* The next one from i on that is not virtual. */
static size_t local_addrs_way(const struct local_addrs *l, size_t i)
{
	while (i < l->n && l->p[i].vip)
		i++;
	return i;
}

bool local_addrs_same_ways(const struct local_addrs *a, const struct local_addrs *b)
{
	size_t i, k;

	if (!a || !b)
		return a == b;
	i = local_addrs_way(a, 0);
	k = local_addrs_way(b, 0);
	while (i < a->n && k < b->n && local_addr_equal(&a->p[i], &b->p[k])) {
		i = local_addrs_way(a, i + 1);
		k = local_addrs_way(b, k + 1);
	}
	return i == a->n && k == b->n;
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

bool local_addrs_is_vip(const struct local_addrs *l, const struct addr *a)
{
	const struct local_addr *found = local_addrs_find(l, a);

	return found && found->vip;
}

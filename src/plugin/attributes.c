/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/attributes.h"

#include <stdlib.h>

#include "util/mem.h"

struct attribute_registry {
	const void **providers, **handlers;
	size_t n_providers, n_handlers;
};

struct attribute_registry *attribute_registry_new(void)
{
	return xcalloc(1, sizeof(struct attribute_registry));
}

void attribute_registry_free(struct attribute_registry *r)
{
	if (!r)
		return;
	free(r->providers);
	free(r->handlers);
	free(r);
}

static void list_add_item(const void ***list, size_t *n, const void *item)
{
	*list = xrealloc(*list, (*n + 1) * sizeof(**list));
	(*list)[(*n)++] = item;
}

static void list_remove_item(const void **list, size_t *n, const void *item)
{
	for (size_t i = 0; i < *n; i++) {
		if (list[i] != item)
			continue;
		memmove(list + i, list + i + 1, (*n - i - 1) * sizeof(*list));
		(*n)--;
		return;
	}
}

void attribute_add_provider(struct attribute_registry *r, const struct attribute_provider *p)
{
	list_add_item(&r->providers, &r->n_providers, p);
}

void attribute_remove_provider(struct attribute_registry *r, const struct attribute_provider *p)
{
	list_remove_item(r->providers, &r->n_providers, p);
}

void attribute_add_handler(struct attribute_registry *r, const struct attribute_handler *h)
{
	list_add_item(&r->handlers, &r->n_handlers, h);
}

void attribute_remove_handler(struct attribute_registry *r, const struct attribute_handler *h)
{
	list_remove_item(r->handlers, &r->n_handlers, h);
}

size_t attributes_provide(const struct attribute_registry *r, const struct attribute_query *query, struct attribute *ret,
			  size_t max)
{
	size_t n = 0;

	for (size_t i = 0; r && i < r->n_providers; i++) {
		const struct attribute_provider *p = r->providers[i];

		n += p->provide(p->arg, query, ret + n, max - n);
	}
	return n;
}

static bool handler_has(const struct attribute_handler *h, uint16_t type)
{
	for (size_t i = 0; i < h->n_types; i++)
		if (h->types[i] == type)
			return true;
	return false;
}

static bool types_have(const uint16_t *types, size_t n, uint16_t type)
{
	for (size_t i = 0; i < n; i++)
		if (types[i] == type)
			return true;
	return false;
}

size_t attributes_wanted(const struct attribute_registry *r, uint16_t *ret_types, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; r && i < r->n_handlers; i++) {
		const struct attribute_handler *h = r->handlers[i];

		for (size_t k = 0; k < h->n_types && n < max; k++)
			if (!types_have(ret_types, n, h->types[k]))
				ret_types[n++] = h->types[k];
	}
	return n;
}

const struct attribute_handler *attribute_handler_of(const struct attribute_registry *r, uint16_t type)
{
	const struct attribute_handler *best = NULL;

	for (size_t i = 0; r && i < r->n_handlers; i++) {
		const struct attribute_handler *h = r->handlers[i];

		if (handler_has(h, type) && (!best || h->rank > best->rank))
			best = h;
	}
	return best;
}

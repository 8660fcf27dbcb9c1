/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/hooks.h"

#include <stdlib.h>

#include "util/mem.h"

struct hook_registry {
	const struct hook **hooks;
	size_t n;
};

struct hook_registry *hook_registry_new(void)
{
	return xcalloc(1, sizeof(struct hook_registry));
}

void hook_registry_free(struct hook_registry *r)
{
	if (!r)
		return;
	free(r->hooks);
	free(r);
}

void hook_add(struct hook_registry *r, const struct hook *h)
{
	r->hooks = xrealloc(r->hooks, (r->n + 1) * sizeof(*r->hooks));
	r->hooks[r->n++] = h;
}

void hook_remove(struct hook_registry *r, const struct hook *h)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->hooks[i] != h)
			continue;
		memmove(r->hooks + i, r->hooks + i + 1, (r->n - i - 1) * sizeof(*r->hooks));
		r->n--;
		return;
	}
}

enum hook_interest hooks_interest(const struct hook_registry *r)
{
	enum hook_interest interest = HOOK_INTEREST_NONE;

	for (size_t i = 0; r && i < r->n; i++) {
		if (r->hooks[i]->child && !r->hooks[i]->only_updown)
			return HOOK_INTEREST_ALL;
		if (r->hooks[i]->child)
			interest = HOOK_INTEREST_UPDOWN;
	}
	return interest;
}

void hooks_start(const struct hook_registry *r)
{
	for (size_t i = 0; r && i < r->n; i++)
		if (r->hooks[i]->start)
			r->hooks[i]->start(r->hooks[i]->arg);
}

void hooks_child(const struct hook_registry *r, const struct hook_child *child)
{
	for (size_t i = 0; r && i < r->n; i++) {
		const struct hook *h = r->hooks[i];

		if (h->child && (child->updown || !h->only_updown))
			h->child(h->arg, child);
	}
}

void hooks_finish(const struct hook_registry *r, uint64_t deadline_ms)
{
	for (size_t i = 0; r && i < r->n; i++)
		if (r->hooks[i]->finish)
			r->hooks[i]->finish(r->hooks[i]->arg, deadline_ms);
}

static const char *hook_str(struct arena *a, const char *s)
{
	return s ? arena_dup(a, s, strlen(s) + 1) : NULL;
}

static struct ts_list hook_ts(struct arena *a, struct ts_list list)
{
	return (struct ts_list){ list.count, arena_dup(a, list.p, list.count * sizeof(*list.p)) };
}

struct hook_child *hook_child_dup(struct arena *a, const struct hook_child *child)
{
	struct hook_child *c = arena_dup(a, child, sizeof(*child));
	struct attribute *attributes = arena_dup(a, child->attributes, child->n_attributes * sizeof(*attributes));

	c->conn = hook_str(a, child->conn);
	c->name = hook_str(a, child->name);
	c->updown = hook_str(a, child->updown);
	c->local_id = hook_str(a, child->local_id);
	c->remote_id = hook_str(a, child->remote_id);
	c->local_ts = hook_ts(a, child->local_ts);
	c->remote_ts = hook_ts(a, child->remote_ts);
	c->scope.interface = hook_str(a, child->scope.interface);
	for (size_t i = 0; i < child->n_attributes; i++)
		attributes[i].value.p = arena_dup(a, attributes[i].value.p, attributes[i].value.n);
	c->local_vips = arena_dup(a, child->local_vips, child->n_local_vips * sizeof(*c->local_vips));
	c->remote_vips = arena_dup(a, child->remote_vips, child->n_remote_vips * sizeof(*c->remote_vips));
	c->attributes = attributes;
	return c;
}

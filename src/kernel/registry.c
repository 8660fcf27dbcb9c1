/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/kernel.h"

#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "util/log.h"
#include "util/mem.h"

struct kernel_registry {
	const struct kernel_ops **ops;
	size_t n;
	struct buf why; /* of the choice */
};

/* What "auto" tries; a backend without a data plane is never chosen unasked. */
static const char *const auto_order[] = { "kernel-netlink", "kernel-userland" };

struct kernel_registry *kernel_registry_new(void)
{
	return xcalloc(1, sizeof(struct kernel_registry));
}

void kernel_registry_free(struct kernel_registry *r)
{
	if (!r)
		return;
	free(r->ops);
	buf_free(&r->why);
	free(r);
}

/* Users may leave out "kernel-". */
static bool backend_is_named(const struct kernel_ops *ops, const char *name)
{
	static const char head[] = "kernel-";

	if (strcmp(ops->name, name) == 0)
		return true;
	return strncmp(ops->name, head, sizeof(head) - 1) == 0 &&
	       strcmp(ops->name + sizeof(head) - 1, name) == 0;
}

static const struct kernel_ops *backend_find(const struct kernel_registry *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (backend_is_named(r->ops[i], name))
			return r->ops[i];
	return NULL;
}

bool kernel_add_backend(struct kernel_registry *r, const struct kernel_ops *ops)
{
	if (!ops->name || backend_find(r, ops->name))
		return false;
	r->ops = xrealloc(r->ops, (r->n + 1) * sizeof(*r->ops));
	r->ops[r->n++] = ops;
	return true;
}

void kernel_remove_backend(struct kernel_registry *r, const struct kernel_ops *ops)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->ops[i] != ops)
			continue;
		memmove(r->ops + i, r->ops + i + 1, (r->n - i - 1) * sizeof(*r->ops));
		r->n--;
		return;
	}
}

static bool backend_probe(const struct kernel_ops *ops, const struct settings *settings, struct errtext *err)
{
	return !ops->probe || ops->probe(settings, err);
}

static const struct kernel_ops *kernel_choose_named(struct kernel_registry *r, const char *name,
						    const struct settings *settings, struct errtext *err)
{
	const struct kernel_ops *ops = backend_find(r, name);
	struct errtext why = { "" };
	struct buf have = { 0 };

	if (ops && backend_probe(ops, settings, &why)) {
		buf_add_str(&r->why, "the setting 'kernel' says so");
		return ops;
	}
	if (ops) {
		errtext_set(err, "%s cannot work here: %s", ops->name, why.s);
		return NULL;
	}
	for (size_t i = 0; i < r->n; i++)
		buf_printf(&have, "%s%s", i ? ", " : "", r->ops[i]->name);
	errtext_set(err, "no IPsec backend is named '%s' (there is: %s)", name, r->n ? buf_str(&have) : "none");
	buf_free(&have);
	return NULL;
}

static const struct kernel_ops *kernel_choose_auto(struct kernel_registry *r, const struct settings *settings,
						   struct errtext *err)
{
	const struct kernel_ops *chosen = NULL;
	struct buf said = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(auto_order) && !chosen; i++) {
		const struct kernel_ops *ops = backend_find(r, auto_order[i]);
		struct errtext why = { "" };

		if (ops && backend_probe(ops, settings, &why))
			chosen = ops;
		else
			buf_printf(&said, "%s%s: %s", said.n ? "; " : "", auto_order[i],
				   ops ? why.s : "not loaded");
	}
	if (!chosen)
		errtext_set(err, "no IPsec backend works here: %s", buf_str(&said));
	else
		buf_add_str(&r->why, said.n ? buf_str(&said) : "it is the first choice, and works");
	buf_free(&said);
	return chosen;
}

const struct kernel_ops *kernel_choose(struct kernel_registry *r, const char *name,
				       const struct settings *settings, struct errtext *err)
{
	const struct kernel_ops *chosen;

	buf_reset(&r->why);
	if (!name || strcmp(name, "auto") == 0)
		chosen = kernel_choose_auto(r, settings, err);
	else
		chosen = kernel_choose_named(r, name, settings, err);
	if (chosen)
		LOG(KNL, LOG_LEVEL_CONTROL, "IPsec backend %s, because %s", chosen->name, buf_str(&r->why));
	return chosen;
}

const char *kernel_chosen_why(const struct kernel_registry *r)
{
	return buf_str(&r->why);
}

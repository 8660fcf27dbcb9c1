/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "config/tree.h"
#include "proto/limits.h"

/*
 * Any bytes as a settings file: either a tree whose nodes all have a place and a name, or an
 * error text. Includes are off: inputs must not reach into the file system.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_node(const struct tree *t, unsigned depth)
{
	demand(depth <= LIMIT_CONF_DEPTH + 1);
	demand(t->kind == TREE_SECTION || t->kind == TREE_VALUE);
	demand(t->kind == TREE_SECTION || !t->first);
	demand(!t->raw);
	TREE_FOREACH(it, t) {
		demand(it->name && it->name[0]);
		demand(it->file && it->line > 0);
		demand(it->parent == t);
		demand(tree_find(t, it->name) == it);
		check_node(it, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errtext err = { "" };
	struct tree *t = tree_parse_text(bytes_of(data, size), NULL, &err), *copy;

	demand(!t == (err.s[0] != '\0'));
	if (!t)
		return 0;
	check_node(t, 0);
	copy = tree_dup(t);
	demand(tree_equal(t, copy) && tree_equal(copy, t));
	tree_free(copy);
	tree_free(t);
	return 0;
}

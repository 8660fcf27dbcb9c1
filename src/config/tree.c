/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tree.h"

#include <stdlib.h>

#include "config/tree_parse.h"
#include "util/mem.h"

/* Sections with more children than this get an index of names. */
#define TREE_INDEX_FROM 16

/* Names come from the administrator, not from peers: a fixed key does. */
static const struct hash_key tree_hash_key = { 0x6265776963, 0x6b74726565 };

struct tree *tree_new(void)
{
	return xcalloc(1, sizeof(struct tree));
}

static void tree_free_node(struct tree *t)
{
	if (t->index) {
		hashtab_clear(t->index);
		free(t->index);
	}
	while (t->files) {
		struct tree_files *next = t->files->next;

		free(t->files);
		t->files = next;
	}
	buf_wipe(&t->value);
	free(t->name);
	free(t);
}

/* Without recursion: who builds a tree by hand may go as deep as memory allows. */
static void tree_free_children(struct tree *top)
{
	struct tree *t = top;

	for (;;) {
		struct tree *child = t->first;

		if (child) {
			t->first = child->next;
			t = child;
		} else if (t == top) {
			break;
		} else {
			struct tree *parent = t->parent;

			tree_free_node(t);
			t = parent;
		}
	}
	top->last = NULL;
	top->count = 0;
	if (top->index) {
		hashtab_clear(top->index);
		free(top->index);
		top->index = NULL;
	}
}

void tree_free(struct tree *root)
{
	if (!root)
		return;
	tree_free_children(root);
	tree_free_node(root);
}

static uint64_t tree_hash(struct bytes name)
{
	return hash_bytes(&tree_hash_key, name);
}

static void tree_index(struct tree *parent, struct tree *child)
{
	if (!parent->index && parent->kind == TREE_SECTION && parent->count > TREE_INDEX_FROM) {
		parent->index = xcalloc(1, sizeof(*parent->index));
		TREE_FOREACH(it, parent)
			hashtab_insert(parent->index, &it->node, tree_hash(bytes_str(it->name)));
	} else if (parent->index) {
		hashtab_insert(parent->index, &child->node, tree_hash(bytes_str(child->name)));
	}
}

static struct tree *tree_append(struct tree *parent, enum tree_kind kind, const struct bytes *name)
{
	struct tree *t = tree_new();

	t->kind = kind;
	t->name = name ? xstrndup((const char *)name->p, name->n) : NULL;
	t->parent = parent;
	if (parent->last)
		parent->last->next = t;
	else
		parent->first = t;
	parent->last = t;
	parent->count++;
	tree_index(parent, t);
	return t;
}

struct tree *tree_find_bytes(const struct tree *section, struct bytes name)
{
	if (section->kind != TREE_SECTION)
		return NULL;
	if (section->index) {
		uint64_t hash = tree_hash(name);

		for (struct hashnode *n = hashtab_first(section->index, hash); n; n = hashtab_next(n)) {
			struct tree *t = container_of(n, struct tree, node);

			if (bytes_equal_str(name, t->name))
				return t;
		}
		return NULL;
	}
	TREE_FOREACH(it, section) {
		if (bytes_equal_str(name, it->name))
			return it;
	}
	return NULL;
}

struct tree *tree_find(const struct tree *section, const char *name)
{
	return tree_find_bytes(section, bytes_str(name));
}

/* The child of that name, of that kind from now on. */
static struct tree *tree_obtain(struct tree *parent, enum tree_kind kind, struct bytes name)
{
	struct tree *t = tree_find_bytes(parent, name);

	if (!t)
		return tree_append(parent, kind, &name);
	if (t->kind != kind) {
		tree_free_children(t);
		buf_wipe(&t->value);
		t->kind = kind;
	}
	return t;
}

static void tree_set_value(struct tree *t, struct bytes value)
{
	buf_wipe(&t->value);
	buf_add_bytes(&t->value, value);
}

struct tree *tree_add_section(struct tree *parent, struct bytes name)
{
	return tree_obtain(parent, TREE_SECTION, name);
}

struct tree *tree_add_value(struct tree *parent, struct bytes name, struct bytes value)
{
	struct tree *t = tree_obtain(parent, TREE_VALUE, name);

	tree_set_value(t, value);
	return t;
}

struct tree *tree_add_list(struct tree *parent, struct bytes name)
{
	return tree_obtain(parent, TREE_LIST, name);
}

void tree_add_item(struct tree *list, struct bytes value)
{
	tree_set_value(tree_append(list, TREE_VALUE, NULL), value);
}

/* The node that follows t in a walk over everything below top, NULL at the end. */
static const struct tree *tree_walk(const struct tree *top, const struct tree *t)
{
	if (t->first)
		return t->first;
	while (t != top && !t->next)
		t = t->parent;
	return t == top ? NULL : t->next;
}

static bool tree_node_equal(const struct tree *a, const struct tree *b)
{
	if (a->kind != b->kind || a->count != b->count || !a->name != !b->name)
		return false;
	return (!a->name || strcmp(a->name, b->name) == 0) &&
	       bytes_equal(buf_bytes(&a->value), buf_bytes(&b->value));
}

bool tree_equal(const struct tree *a, const struct tree *b)
{
	const struct tree *x = a, *y = b;

	/* Equal counts at every node keep both walks in step. */
	while (x && y) {
		if (!tree_node_equal(x, y))
			return false;
		x = tree_walk(a, x);
		y = tree_walk(b, y);
	}
	return !x && !y;
}

static struct tree *tree_copy_node(struct tree *parent, const struct tree *t)
{
	struct bytes name = t->name ? bytes_str(t->name) : BYTES_NONE;
	struct tree *copy = parent ? tree_append(parent, t->kind, t->name ? &name : NULL) : tree_new();

	copy->kind = t->kind;
	if (!parent && t->name)
		copy->name = xstrdup(t->name);
	if (t->kind == TREE_VALUE)
		tree_set_value(copy, buf_bytes(&t->value));
	return copy;
}

struct tree *tree_dup(const struct tree *t)
{
	struct tree *top = tree_copy_node(NULL, t);
	struct tree *at = top; /* the copy of `it` */

	for (const struct tree *it = t; it;) {
		if (it->first) {
			it = it->first;
			at = tree_copy_node(at, it);
			continue;
		}
		while (it != t && !it->next) {
			it = it->parent;
			at = at->parent;
		}
		if (it == t)
			break;
		it = it->next;
		at = tree_copy_node(at->parent, it);
	}
	return top;
}

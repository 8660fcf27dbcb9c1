/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_TREE_H
#define BEWICK_CONFIG_TREE_H

#include "util/bytes.h"
#include "util/hash.h"

/*
 * An ordered tree of sections, keys and lists: what a configuration file or a VICI
 * message says. One arena-less owner: tree_free frees all below and wipes the values, since
 * they may be passwords. Order is kept; names are unique per section (adding a section twice
 * gives the same one; adding another kind under a name in use replaces it in its place).
 */
enum tree_kind {
	TREE_SECTION,
	TREE_VALUE,
	TREE_LIST, /* children are TREE_VALUE items without names */
};

struct tree {
	enum tree_kind kind;
	char *name;        /* NULL for the root and list items */
	struct buf value;  /* TREE_VALUE */
	struct tree *first, *last; /* children */
	struct tree *next, *parent;
	unsigned line;     /* where it was read, 0 unknown */
	const char *file;  /* of the root's `files`, NULL unknown */
	/* How tree.c finds names among many: nodes hang in their parent's index. */
	size_t count;
	struct hashtab *index;
	struct hashnode node;
	struct tree_files *files; /* root: owns the file names below */
	void *raw;                /* the parser's while it works, else NULL */
};

EXPORT struct tree *tree_new(void); /* an empty root section */
EXPORT void tree_free(struct tree *root);
EXPORT struct tree *tree_add_section(struct tree *parent, struct bytes name); /* existing one if any */
EXPORT struct tree *tree_add_value(struct tree *parent, struct bytes name, struct bytes value); /* replaces */
EXPORT struct tree *tree_add_list(struct tree *parent, struct bytes name);
EXPORT void tree_add_item(struct tree *list, struct bytes value);
EXPORT struct tree *tree_find(const struct tree *section, const char *name); /* direct child, any kind */
EXPORT struct tree *tree_find_bytes(const struct tree *section, struct bytes name); /* the same */
EXPORT struct tree *tree_dup(const struct tree *t); /* content only: without file and line */
EXPORT bool tree_equal(const struct tree *a, const struct tree *b); /* same content in the same order */
#define TREE_FOREACH(it, section) for (struct tree *it = (section)->first; it; it = it->next)

/*
 * Reads strongswan.conf grammar: sections, merging, references (resolved: what is
 * inherited is copied in behind the own entries), includes relative to the including file. On
 * any error nothing is returned and err says "FILE:LINE: expected ..., found ...". An include
 * that matches no file is logged (CFG 1) and no error.
 */
EXPORT struct tree *tree_parse_file(const char *file, struct errtext *err);
/* name: for messages, and what includes are relative to; NULL: "text", and includes are refused. */
EXPORT struct tree *tree_parse_text(struct bytes text, const char *name, struct errtext *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_TREE_PARSE_H
#define BEWICK_CONFIG_TREE_PARSE_H

#include "config/tree.h"

/* What tree_parse.c (text to a tree as written) and tree_resolve.c (what is inherited) share. */

/* Names of the files that were read, owned by the root. */
struct tree_files {
	struct tree_files *next;
	char name[];
};

/* References of a section as written; hangs at tree->raw. */
struct tree_refs {
	struct tree_refs *next; /* of all, for freeing */
	struct bytes *paths;    /* "a.b.c", owned, in order */
	size_t count;
	/* What the section is made of, itself first, once `known`. */
	struct tree **sections;
	size_t n_sections;
	bool busy, known;
};

/* tree->raw of a value that was written empty: it hides inherited ones and is not there itself. */
extern char tree_unset;

/*
 * A copy of root with everything inherited put behind the own entries. NULL, with err set, if
 * references make more than is sensible out of `entries` written ones.
 */
struct tree *tree_resolve(struct tree *root, size_t entries, struct errtext *err);

#endif

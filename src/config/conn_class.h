/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_CONN_CLASS_H
#define BEWICK_CONFIG_CONN_CLASS_H

#include "config/conn.h"
#include "util/hash.h"

/*
 * Connections with the same addresses on both sides: positions in a list of connections, ascending. What is looked for among them is
 * found without walking all: ten thousand sites of one class differ by their identity only.
 */
struct positions {
	uint32_t *v;
	size_t n, cap;
};

struct conn_class {
	struct hashnode node; /* by key */
	struct buf key;	      /* the endpoints, as far as they matter for matching */
	const struct conn *sample;
	struct positions all;
	/* of large classes; else unused */
	struct hashtab by_id;	    /* struct class_id */
	struct positions open;	    /* their peer may have more identities than one: any, patterns */
	struct positions proposals; /* those whose proposals none before them has */
};

/* Some of the members that a look-up is for, ascending. No position is in two spans of one look-up. */
struct span {
	const uint32_t *v;
	size_t n;
};

/* Who of them can be meant; unset: everybody. */
struct conn_filter {
	const struct id *peer; /* not those that name exactly another one in their first round */
	bool proposals;	       /* not those with the proposals of one before them */
};

#define CLASS_SPANS 2

void positions_add(struct positions *p, uint32_t position);
void conn_class_free(struct conn_class *c);
/* When it has all its members. */
void conn_class_complete(struct conn_class *c, struct conn *const *conns);
/* Returns how many spans there are. */
size_t conn_class_spans(const struct conn_class *c, struct conn *const *conns, const struct conn_filter *filter,
			struct span ret_spans[CLASS_SPANS]);
/* How many members are not behind a position. */
size_t span_count_to(struct span s, uint32_t position);

#endif

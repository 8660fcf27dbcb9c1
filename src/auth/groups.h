/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_GROUPS_H
#define BEWICK_AUTH_GROUPS_H

#include "config/conn.h"

/*
 * What groups a peer is in, from all who may say so. Attribute certificates do (auth/acerts.h); whoever else knows adds to the same, and
 * asks the same question. Names are compared as they are.
 */
#define PEER_GROUPS_MAX 64

struct peer_group {
	const char *name; /* borrowed */
	const char *by;   /* who says so, for logs: "attribute certificate ..."; borrowed */
};

struct peer_groups {
	size_t n;
	struct peer_group list[PEER_GROUPS_MAX];
	bool more; /* than fit; none of those that the round wants is among them */
};

/* Keeps those that the round wants in any case. */
EXPORT void peer_groups_add(struct peer_groups *g, const struct conn_round *round, const char *name, const char *by);
/* The first that the round wants one of; NULL: it is in none of them. */
EXPORT const struct peer_group *peer_groups_wanted(const struct peer_groups *g, const struct conn_round *round);
/* "'sales', 'support'" or "none": those that it is in; those that the round wants. */
EXPORT void peer_groups_format(struct buf *out, const struct peer_groups *g);
EXPORT void round_groups_format(struct buf *out, const struct conn_round *round);

#endif

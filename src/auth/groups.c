/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/groups.h"

#include <string.h>

static bool round_wants(const struct conn_round *round, const char *name)
{
	for (size_t i = 0; i < round->n_groups; i++)
		if (strcmp(round->groups[i], name) == 0)
			return true;
	return false;
}

void peer_groups_add(struct peer_groups *g, const struct conn_round *round, const char *name, const char *by)
{
	size_t at = g->n;

	if (at == PEER_GROUPS_MAX) {
		g->more = true;
		if (!round_wants(round, name))
			return;
		at = PEER_GROUPS_MAX - 1;
	} else {
		g->n++;
	}
	g->list[at] = (struct peer_group){ name, by };
}

const struct peer_group *peer_groups_wanted(const struct peer_groups *g, const struct conn_round *round)
{
	for (size_t i = 0; i < g->n; i++)
		if (round_wants(round, g->list[i].name))
			return &g->list[i];
	return NULL;
}

static void name_format(struct buf *out, size_t at, const char *name)
{
	if (at < 8)
		buf_printf(out, "%s'%.40s'", at ? ", " : "", name);
	else if (at == 8)
		buf_add_str(out, ", ...");
}

void peer_groups_format(struct buf *out, const struct peer_groups *g)
{
	if (!g->n)
		buf_add_str(out, "none");
	for (size_t i = 0; i < g->n; i++)
		name_format(out, i, g->list[i].name);
}

void round_groups_format(struct buf *out, const struct conn_round *round)
{
	for (size_t i = 0; i < round->n_groups; i++)
		name_format(out, i, round->groups[i]);
}

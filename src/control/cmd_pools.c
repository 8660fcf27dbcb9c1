/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "control/internal.h"

/* load-pool, unload-pool, get-pools: virtual addresses for clients, and who has them. */

static bool pool_load(struct command *cmd, const struct tree *section, struct errtext *err)
{
	struct control *c = cmd->control;
	struct pool *pool = pool_parse(section, err);

	if (!pool)
		return false;
	pool_ref(pool);
	if (!pools_set_put(config_store_pools(c->store), pool, err)) {
		pool_unref(pool);
		return false;
	}
	LOG(CFG, 1, "loaded pool '%s': %u addresses from %s on", pool->name, pool->range.size, addr_format(&pool->range.first).s);
	pool_unref(pool);
	control_config_changed(c);
	return true;
}

void cmd_load_pool(struct command *cmd)
{
	struct errtext err;

	if (command_each_section(cmd, pool_load, &err)) {
		command_ok(cmd);
		return;
	}
	LOG(CFG, 1, "vici: load-pool failed: %s", err.s);
	command_fail(cmd, "%s", err.s);
}

void cmd_unload_pool(struct command *cmd)
{
	struct control *c = cmd->control;
	char *name = vici_find_str(command_request(cmd), "name");
	struct errtext err;

	if (!name) {
		command_fail(cmd, "missing pool name to unload");
		return;
	}
	if (pools_set_remove(config_store_pools(c->store), name, &err)) {
		LOG(CFG, 1, "unloaded pool '%s'", name);
		control_config_changed(c);
		command_ok(cmd);
	} else {
		command_fail(cmd, "%s", err.s);
	}
	free(name);
}

/* ---- listing ---- */

#define POOLS_TURN 256			       /* leases looked at under one lock */
#define POOLS_ROOM (LIMIT_VICI_SEGMENT - 65536) /* bytes of a reply that leases may fill */

static void pool_message_lease(struct vici_writer *w, size_t number, const struct lease_info *lease)
{
	struct buf id = { 0 };
	char name[24];

	snprintf(name, sizeof(name), "%zu", number);
	id_format(&id, &lease->id);
	vici_write_section(w, name);
	vici_write_str(w, "address", addr_format(&lease->addr).s);
	vici_write_str(w, "identity", buf_str(&id));
	vici_write_str(w, "status", lease->online ? "online" : "offline");
	vici_write_section_end(w);
	buf_free(&id);
}

/* How many are written, beginning with number `from`: as far as there is room. */
static size_t pool_message_leases(struct vici_writer *w, const struct pool *pool, size_t from)
{
	struct lease_info list[POOLS_TURN];
	size_t n, done = from;

	vici_write_section(w, "leases");
	do {
		n = leases_list(pool->leases, done, list, ARRAY_LEN(list));
		for (size_t i = 0; i < n; i++) {
			if (w->out.n < POOLS_ROOM)
				pool_message_lease(w, done++, &list[i]);
			id_free(&list[i].id);
		}
	} while (n == ARRAY_LEN(list) && w->out.n < POOLS_ROOM);
	vici_write_section_end(w);
	return done;
}

static void pool_message(struct vici_writer *w, const struct pool *pool, bool leases, size_t from)
{
	size_t online, offline, done;

	leases_count(pool->leases, &online, &offline);
	vici_write_section(w, pool->name);
	vici_write_str(w, "base", addr_format(&pool->base).s);
	vici_write_fmt(w, "size", "%u", pool->range.size);
	vici_write_fmt(w, "online", "%zu", online);
	vici_write_fmt(w, "offline", "%zu", offline);
	if (leases) {
		done = pool_message_leases(w, pool, from);
		/* ours: a message holds some thousands; the rest is asked for by `from` */
		if (done < online + offline)
			vici_write_fmt(w, "leases-next", "%zu", done);
	}
	vici_write_section_end(w);
}

void cmd_get_pools(struct command *cmd)
{
	const struct pools *pools = control_snapshot(cmd->control)->pools;
	struct bytes request = command_request(cmd);
	char *name = vici_find_str(request, "name");
	bool leases = vici_find_bool(request, "leases", false);
	int64_t from = vici_find_int(request, "from", 0);
	struct vici_writer *w = command_reply(cmd);

	for (size_t i = 0; i < pools->n; i++)
		if (!name || strcmp(name, pools->list[i]->name) == 0)
			pool_message(w, pools->list[i], leases, from > 0 ? (size_t)from : 0);
	free(name);
	command_end(cmd);
}

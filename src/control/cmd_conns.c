/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"

/* load-conn, unload-conn, get-conns, list-conns */

/* The workers get it at the end of the turn, before any answer goes out: pipelined loads make one snapshot. */
void control_config_changed(struct control *c)
{
	c->config_changed = true;
}

void control_publish(struct control *c)
{
	if (!c->config_changed)
		return;
	c->config_changed = false;
	config_unref(c->config);
	c->config = config_store_snapshot(c->store);
	if (c->workers)
		workers_set_config(c->workers, c->config);
}

/* ---- which IKE_SAs have the IKE part in force ---- */

/* Names are the administrator's: a fixed key does. */
static const struct hash_key generation_key = { 3, 4 };

static struct generation *generation_find(struct control *c, const char *name)
{
	uint64_t hash = hash_bytes(&generation_key, bytes_str(name));

	for (struct hashnode *n = hashtab_first(&c->generations, hash); n; n = hashtab_next(n)) {
		struct generation *g = container_of(n, struct generation, node);

		if (strcmp(g->name, name) == 0)
			return g;
	}
	return NULL;
}

uint32_t generation_min(struct control *c, const char *conn)
{
	const struct generation *g = generation_find(c, conn);

	return g ? g->min_ike_id : 0;
}

/* IKE_SAs made so far have an IKE part that is not in force any more. */
static void generation_next(struct control *c, const char *name)
{
	struct generation *g = generation_find(c, name);

	if (!c->workers)
		return;
	if (!g) {
		g = xcalloc(1, sizeof(*g) + strlen(name) + 1);
		strcpy(g->name, name);
		hashtab_insert(&c->generations, &g->node, hash_bytes(&generation_key, bytes_str(name)));
	}
	g->min_ike_id = workers_last_ike_id(c->workers) + 1;
}

/* Loaded again, it gets a new one. */
static void generation_forget(struct control *c, const char *name)
{
	struct generation *g = generation_find(c, name);

	if (g)
		hashtab_remove(&c->generations, &g->node);
	free(g);
}

static void generation_free(struct hashnode *n, void *arg)
{
	struct control *c = arg;

	hashtab_remove(&c->generations, n);
	free(container_of(n, struct generation, node));
}

void generations_free(struct control *c)
{
	hashtab_walk(&c->generations, generation_free, c);
	hashtab_clear(&c->generations);
}

/* ---- loading ---- */

/* Children of a whose start action is to be undone (or run): those that b has not, or has otherwise. */
static size_t conn_changed_starts(const struct conn *a, const struct conn *b, const char **ret_names)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_children; i++) {
		const struct child_conf *mine = &a->children[i];
		const struct child_conf *other = b ? conn_child(b, mine->name) : NULL;

		if (mine->start_action & ACTION_START && !child_conf_is_shunt(mine) && !(other && child_conf_equal(a, mine, b, other)))
			ret_names[n++] = mine->name;
	}
	return n;
}

/* What will go wrong with our own certificates, said before it does. Keys may be loaded later. */
static void conn_note_certs(struct control *c, const struct conn *conn)
{
	for (size_t i = 0; i < conn->n_local_rounds; i++) {
		const struct conn_round *r = &conn->local_rounds[i];
		bool names = id_is_any(&r->id), key = false;

		for (size_t k = 0; k < r->n_certs; k++) {
			names |= cert_match_id(r->certs[k], &r->id) > 0;
			key |= credentials_key(c->config->creds, r->certs[k]->key->id) != NULL;
		}
		if (r->n_certs && !names)
			LOG(CFG, 1, "connection '%s': our identity '%s' is neither the subject nor a subjectAltName of our certificate %s: peers will refuse it",
			    conn->name, id_text(&r->id).s, cert_text(r->certs[0]).s);
		if (r->n_certs && !key)
			LOG(CFG, 1, "connection '%s': the private key of our certificate %s is not loaded yet", conn->name, cert_text(r->certs[0]).s);
	}
}

/* Takes both references. */
static void conn_loaded(struct control *c, const struct conn *conn, struct conn *old, struct policy_load *policies)
{
	bool updated = old && conn_ike_equal(conn, old);
	const char **start = xcalloc(conn->n_children + 1, sizeof(*start));
	const char **undo = xcalloc(old ? old->n_children + 1 : 1, sizeof(*undo));
	size_t n_start = conn_changed_starts(conn, updated ? old : NULL, start);
	size_t n_undo = old ? conn_changed_starts(old, updated ? conn : NULL, undo) : 0;

	conn_note_certs(c, conn);
	LOG(CFG, 1, "%s vici connection: %s", !old ? "added" : updated ? "updated" : "replaced", conn->name);
	if (!updated)
		generation_next(c, conn->name);
	if (old && old->reauth_time != conn->reauth_time && c->workers)
		workers_set_reauth_time(c->workers, conn->name, conn->reauth_time);
	if (old)
		reinit_config_changed(c, old, conn);
	traps_conn_changed(c, old, conn, policies);
	start_actions(c, conn->name, undo, n_undo, updated && n_start > 0, conn, start, n_start);
	free((void *)start);
	free((void *)undo);
	conn_unref(old);
}

struct conns_loading {
	struct conn **list;
	size_t n;
};

static bool conns_parse(struct command *cmd, const struct tree *root, struct conns_loading *l, struct errtext *err)
{
	struct conn_env env = cmd->control->env;

	env.creds = cmd->control->config->creds;
	env.token_cert = token_cert_find;
	env.token_arg = cmd;
	TREE_FOREACH(section, root) {
		struct conn *conn;

		if (section->kind != TREE_SECTION)
			continue;
		if (section->name[0] == '\0') {
			errtext_set(err, "invalid section: ");
			return false;
		}
		conn = conn_parse(section, &env, err);
		if (!conn)
			return false;
		l->list = xrealloc(l->list, (l->n + 1) * sizeof(struct conn *));
		l->list[l->n++] = conn;
	}
	return true;
}

/* What is loaded again as it is stays, with all that was made of it: thousands are, when one of them is changed in a file. */
static bool conn_is_there(struct control *c, const struct conn *conn)
{
	const struct conn *old = config_store_conn(c->store, conn->name);

	if (!old || !conn_equal(old, conn))
		return false;
	conn_note_certs(c, old);
	LOG(CFG, 1, "updated vici connection: %s", old->name);
	return true;
}

/* Takes those out of the list that are. */
static void conns_skip(struct control *c, struct conns_loading *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (conn_is_there(c, l->list[i]))
			conn_unref(l->list[i]);
		else
			l->list[kept++] = l->list[i];
	}
	l->n = kept;
}

/* The store takes the connections; what they were before is kept for comparing. */
static void conns_put(struct control *c, struct conns_loading *l, struct policy_load *policies)
{
	struct conn **old = xcalloc(l->n + 1, sizeof(struct conn *));
	const struct conn **now = xcalloc(l->n + 1, sizeof(struct conn *));

	for (size_t i = 0; i < l->n; i++) {
		now[i] = conn_ref(l->list[i]);
		old[i] = config_store_put_conn(c->store, l->list[i]);
	}
	if (l->n)
		control_config_changed(c);
	for (size_t i = 0; i < l->n; i++) {
		conn_loaded(c, now[i], old[i], policies);
		conn_unref(now[i]);
	}
	free(old);
	free((void *)now);
}

void cmd_load_conn(struct command *cmd)
{
	struct tree *root = conf_message_parse(command_request(cmd));
	struct conns_loading l = { 0 };
	struct errtext err;

	if (!root) {
		command_fail(cmd, "parsing request failed");
		return;
	}
	if (conns_parse(cmd, root, &l, &err)) {
		struct policy_load *policies = policy_load_new(cmd);

		conns_skip(cmd->control, &l);
		conns_put(cmd->control, &l, policies);
		policy_load_ready(policies);
	} else {
		for (size_t i = 0; i < l.n; i++)
			conn_unref(l.list[i]);
		if (!token_certs_ask(cmd, cmd_load_conn)) {
			LOG(CFG, 1, "vici: load-conn failed: %s", err.s);
			command_fail(cmd, "%s", err.s);
		}
	}
	free(l.list);
	tree_free(root);
}

void cmd_unload_conn(struct command *cmd)
{
	struct control *c = cmd->control;
	char *name = vici_find_str(command_request(cmd), "name");
	struct conn *old = name ? config_store_remove_conn(c->store, name) : NULL;
	const char **undo;
	size_t n;

	if (!name) {
		command_fail(cmd, "unload: missing connection name");
		return;
	}
	if (!old) {
		command_fail(cmd, "unload: connection '%s' not found", name);
		free(name);
		return;
	}
	control_config_changed(c);
	LOG(CFG, 1, "removed vici connection: %s", name);
	reinit_forget(c, name, NULL);
	generation_forget(c, name);
	undo = xcalloc(old->n_children + 1, sizeof(*undo));
	n = conn_changed_starts(old, NULL, undo);
	traps_conn_changed(c, old, NULL, NULL);
	start_actions(c, name, undo, n, false, NULL, NULL, 0);
	free((void *)undo);
	conn_unref(old);
	free(name);
	command_ok(cmd);
}

/* ---- telling ---- */

void cmd_get_conns(struct command *cmd)
{
	const struct config *config = control_snapshot(cmd->control);
	struct vici_writer *w = command_reply(cmd);

	vici_write_list(w, "conns");
	for (size_t i = 0; i < config->n_conns; i++)
		vici_write_item_str(w, config_conns(config)[i]->name);
	vici_write_list_end(w);
	command_end(cmd);
}

/* The list of one snapshot, as fast as the client reads. */
struct conns_list {
	struct job job;
	struct command *cmd;
	struct config *config; /* a reference */
	size_t next;
};

static void conns_list_free(struct control *c, struct job *job)
{
	struct conns_list *l = container_of(job, struct conns_list, job);

	(void)c;
	list_del(&job->link);
	config_unref(l->config);
	if (l->cmd)
		command_abandon(l->cmd);
	free(l);
}

static void conns_list_one(struct command *cmd, const struct conn *conn)
{
	struct vici_writer w;

	command_event_begin(&w, CONTROL_EVENT_LIST_CONN);
	conn_message(&w, conn);
	command_event_send(cmd, &w);
}

static void conns_list_go_on(struct command *cmd)
{
	struct conns_list *l = cmd->drained_arg;

	while (l->next < l->config->n_conns && command_wants(cmd, CONTROL_EVENT_LIST_CONN)) {
		if (command_is_behind(cmd))
			return;
		conns_list_one(cmd, config_conns(l->config)[l->next++]);
	}
	cmd->drained = NULL;
	l->cmd = NULL;
	conns_list_free(cmd->control, &l->job);
	command_reply(cmd);
	command_end(cmd);
}

void cmd_list_conns(struct command *cmd)
{
	const struct config *config = control_snapshot(cmd->control);
	char *ike = vici_find_str(command_request(cmd), "ike");
	const struct conn *one = ike ? config_store_conn(cmd->control->store, ike) : NULL;
	struct conns_list *l;

	if (ike) {
		if (one && command_wants(cmd, CONTROL_EVENT_LIST_CONN))
			conns_list_one(cmd, one);
		command_reply(cmd);
		command_end(cmd);
	} else {
		l = xcalloc(1, sizeof(*l));
		l->job.free = conns_list_free;
		l->cmd = cmd;
		l->config = config_ref(config);
		list_add_tail(&cmd->control->jobs, &l->job.link);
		cmd->drained = conns_list_go_on;
		cmd->drained_arg = l;
		conns_list_go_on(cmd);
	}
	free(ike);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"

/* Commands by name, their replies, and who waits for mail of the workers. */

struct command_def {
	const char *name;
	command_fn *fn;
};

static const struct command_def commands[] = {
	{ "clear-creds", cmd_clear_creds },
	{ "flush-certs", cmd_flush_certs },
	{ "get-algorithms", cmd_get_algorithms },
	{ "get-authorities", cmd_get_authorities },
	{ "get-conns", cmd_get_conns },
	{ "get-counters", cmd_get_counters },
	{ "get-keys", cmd_get_keys },
	{ "get-pools", cmd_get_pools },
	{ "get-shared", cmd_get_shared },
	{ "initiate", cmd_initiate },
	{ "install", cmd_install },
	{ "list-authorities", cmd_list_authorities },
	{ "list-certs", cmd_list_certs },
	{ "list-conns", cmd_list_conns },
	{ "list-policies", cmd_list_policies },
	{ "list-sas", cmd_list_sas },
	{ "load-authority", cmd_load_authority },
	{ "load-cert", cmd_load_cert },
	{ "load-conn", cmd_load_conn },
	{ "load-key", cmd_load_key },
	{ "load-pool", cmd_load_pool },
	{ "load-shared", cmd_load_shared },
	{ "load-token", cmd_load_token },
	{ "rekey", cmd_rekey },
	{ "reload-settings", cmd_reload_settings },
	{ "reset-counters", cmd_reset_counters },
	{ "stats", cmd_stats },
	{ "sync-ids", cmd_sync_ids },
	{ "terminate", cmd_terminate },
	{ "uninstall", cmd_uninstall },
	{ "unload-authority", cmd_unload_authority },
	{ "unload-conn", cmd_unload_conn },
	{ "unload-key", cmd_unload_key },
	{ "unload-pool", cmd_unload_pool },
	{ "unload-shared", cmd_unload_shared },
	{ "version", cmd_version },
};

bool command_run(struct client *cl, struct bytes name, struct bytes message)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		struct command *cmd;

		if (!bytes_equal_str(name, commands[i].name))
			continue;
		cmd = xcalloc(1, sizeof(*cmd));
		list_init(&cmd->link);
		cmd->control = cl->control;
		cmd->client = cl;
		cmd->name = commands[i].name;
		cmd->log_level = LOG_LEVEL_SILENT;
		buf_add_bytes(&cmd->request, message);
		cl->command = cmd;
		commands[i].fn(cmd);
		return true;
	}
	return false;
}

struct bytes command_request(const struct command *cmd)
{
	return buf_bytes(&cmd->request);
}

uint32_t command_id(const struct command *cmd, const char *key)
{
	int64_t v = vici_find_int(command_request(cmd), key, 0);

	return v > 0 && v <= UINT32_MAX ? (uint32_t)v : 0;
}

/* ---- replies ---- */

struct vici_writer *command_reply(struct command *cmd)
{
	if (!cmd->replying)
		vici_write_packet(&cmd->reply, VICI_CMD_RESPONSE, NULL);
	cmd->replying = true;
	return &cmd->reply;
}

static void command_send_reply(struct command *cmd)
{
	struct bytes segment;
	struct result r = vici_writer_done(command_reply(cmd), &segment);

	if (result_is_ok(r)) {
		client_send(cmd->client, segment);
		return;
	}
	/* the client would wait for ever */
	LOG(CFG, 1, "vici: the reply to %s cannot be sent: %s", cmd->name, r.why);
	vici_writer_clear(&cmd->reply);
	cmd->reply = (struct vici_writer){ 0 };
	vici_write_packet(&cmd->reply, VICI_CMD_RESPONSE, NULL);
	vici_write_str(&cmd->reply, "success", "no");
	vici_write_str(&cmd->reply, "errmsg", "the reply is too long");
	if (expect(result_is_ok(vici_writer_done(&cmd->reply, &segment))))
		client_send(cmd->client, segment);
}

void command_abandon(struct command *cmd)
{
	struct control *c = cmd->control;
	bool logging = !list_empty(&cmd->link);

	list_del(&cmd->link);
	if (logging)
		events_update(c);
	vici_writer_clear(&cmd->reply);
	buf_wipe(&cmd->request);
	free(cmd->log_ids);
	token_certs_free(cmd);
	free(cmd);
}

void command_end(struct command *cmd)
{
	struct client *cl = cmd->client;

	if (cl) {
		command_send_reply(cmd);
		cl->command = NULL;
		client_wake(cl);
	}
	command_abandon(cmd);
}

void command_ok(struct command *cmd)
{
	vici_write_str(command_reply(cmd), "success", "yes");
	command_end(cmd);
}

/* For clients a text with other octets is none, and what was loaded is in it. */
void command_errmsg(struct command *cmd, struct buf *text)
{
	for (size_t i = 0; i < text->n; i++)
		if (!vici_is_printable(bytes_of(text->p + i, 1)))
			text->p[i] = '?';
	vici_write_str(command_reply(cmd), "errmsg", buf_str(text));
}

void command_fail(struct command *cmd, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	vici_write_str(command_reply(cmd), "success", "no");
	command_errmsg(cmd, &text);
	buf_free(&text);
	command_end(cmd);
}

bool command_no_workers(struct command *cmd)
{
	if (cmd->control->workers)
		return false;
	command_fail(cmd, "the daemon is shutting down");
	return true;
}

/* ---- events of a command ---- */

bool command_wants(const struct command *cmd, enum control_event event)
{
	return cmd->client && !cmd->client->gone && cmd->client->events[event] > 0;
}

bool command_is_behind(const struct command *cmd)
{
	return cmd->client && client_is_behind(cmd->client);
}

void command_event_begin(struct vici_writer *w, enum control_event event)
{
	*w = (struct vici_writer){ 0 };
	vici_write_packet(w, VICI_EVENT, event_name(event));
}

void command_event_send(struct command *cmd, struct vici_writer *w)
{
	struct bytes segment;
	struct result r = vici_writer_done(w, &segment);

	if (!result_is_ok(r))
		LOG(CFG, 1, "vici: an event of %s cannot be sent: %s", cmd->name, r.why);
	else if (cmd->client)
		client_send(cmd->client, segment);
	vici_writer_clear(w);
}

void command_log(struct command *cmd, int level, uint32_t ike_id)
{
	cmd->log_level = level;
	if (ike_id) {
		cmd->log_ids = xrealloc(cmd->log_ids, (cmd->n_log_ids + 1) * sizeof(*cmd->log_ids));
		cmd->log_ids[cmd->n_log_ids++] = ike_id;
	}
	if (list_empty(&cmd->link)) {
		list_add_tail(&cmd->control->logging, &cmd->link);
		events_update(cmd->control);
	}
}

/* ---- who waits for mail ---- */

/* Request numbers are ours: a fixed key does. */
static const struct hash_key waiter_key = { 1, 2 };

void waiter_start(struct control *c, struct waiter *w, waiter_fn *fn)
{
	waiter_stop(c, w);
	w->id = ++c->next_request;
	w->fn = fn;
	hashtab_insert(&c->waiters, &w->node, hash_u64(&waiter_key, w->id));
}

void waiter_stop(struct control *c, struct waiter *w)
{
	if (w->id)
		hashtab_remove(&c->waiters, &w->node);
	w->id = 0;
}

void waiter_deliver(struct control *c, const struct worker_reply *r)
{
	uint64_t hash = hash_u64(&waiter_key, r->request);

	for (struct hashnode *n = hashtab_first(&c->waiters, hash); n; n = hashtab_next(n)) {
		struct waiter *w = container_of(n, struct waiter, node);

		if (w->id == r->request) {
			w->fn(w, r);
			return;
		}
	}
}

void jobs_free(struct control *c)
{
	LIST_FOREACH_SAFE(it, &c->jobs) {
		struct job *job = list_entry(it, struct job, link);

		job->free(c, job);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"

/* get-counters, reset-counters: global ones and those of connections. Resetting remembers what there was. */

/* In the order in which clients have always seen them; second: added to the first, or the same. */
static const struct counter_key {
	const char *name;
	enum sa_counter first, second;
} counter_keys[] = {
	{ "ike-rekey-init", SA_COUNTER_IKE_REKEY_INIT, SA_COUNTER_IKE_REKEY_INIT },
	{ "ike-rekey-resp", SA_COUNTER_IKE_REKEY_RESP, SA_COUNTER_IKE_REKEY_RESP },
	{ "child-rekey", SA_COUNTER_CHILD_REKEY, SA_COUNTER_CHILD_REKEY },
	{ "invalid", SA_COUNTER_INVALID, SA_COUNTER_AUTH_FAILED },
	{ "invalid-spi", SA_COUNTER_INVALID_SPI, SA_COUNTER_INVALID_SPI },
	{ "ike-init-in-req", SA_COUNTER_INIT_IN_REQ, SA_COUNTER_INIT_IN_REQ },
	{ "ike-init-in-resp", SA_COUNTER_INIT_IN_RESP, SA_COUNTER_INIT_IN_RESP },
	{ "ike-init-out-req", SA_COUNTER_INIT_OUT_REQ, SA_COUNTER_INIT_OUT_REQ },
	{ "ike-init-out-resp", SA_COUNTER_INIT_OUT_RESP, SA_COUNTER_INIT_OUT_RESP },
	{ "ike-auth-in-req", SA_COUNTER_AUTH_IN_REQ, SA_COUNTER_AUTH_IN_REQ },
	{ "ike-auth-in-resp", SA_COUNTER_AUTH_IN_RESP, SA_COUNTER_AUTH_IN_RESP },
	{ "ike-auth-out-req", SA_COUNTER_AUTH_OUT_REQ, SA_COUNTER_AUTH_OUT_REQ },
	{ "ike-auth-out-resp", SA_COUNTER_AUTH_OUT_RESP, SA_COUNTER_AUTH_OUT_RESP },
	{ "create-child-in-req", SA_COUNTER_CHILD_IN_REQ, SA_COUNTER_CHILD_IN_REQ },
	{ "create-child-in-resp", SA_COUNTER_CHILD_IN_RESP, SA_COUNTER_CHILD_IN_RESP },
	{ "create-child-out-req", SA_COUNTER_CHILD_OUT_REQ, SA_COUNTER_CHILD_OUT_REQ },
	{ "create-child-out-resp", SA_COUNTER_CHILD_OUT_RESP, SA_COUNTER_CHILD_OUT_RESP },
	{ "info-in-req", SA_COUNTER_INFO_IN_REQ, SA_COUNTER_INFO_IN_REQ },
	{ "info-in-resp", SA_COUNTER_INFO_IN_RESP, SA_COUNTER_INFO_IN_RESP },
	{ "info-out-req", SA_COUNTER_INFO_OUT_REQ, SA_COUNTER_INFO_OUT_REQ },
	{ "info-out-resp", SA_COUNTER_INFO_OUT_RESP, SA_COUNTER_INFO_OUT_RESP },
};

/* Global ones come from the workers. */
struct counters_job {
	struct job job;
	struct waiter waiter;
	struct command *cmd;
	bool reset;
};

static void counters_section(struct vici_writer *w, const char *name, const uint64_t *counts)
{
	vici_write_section(w, name);
	for (size_t i = 0; i < ARRAY_LEN(counter_keys); i++) {
		const struct counter_key *k = &counter_keys[i];
		uint64_t n = counts[k->first] + (k->second != k->first ? counts[k->second] : 0);

		vici_write_fmt(w, k->name, "%llu", (unsigned long long)n);
	}
	vici_write_section_end(w);
}

static void counters_end(struct command *cmd, const char *err)
{
	struct vici_writer *w = command_reply(cmd);

	vici_write_str(w, "success", err ? "no" : "yes");
	if (err)
		vici_write_str(w, "errmsg", err);
	command_end(cmd);
}

static void counters_free(struct control *c, struct job *job)
{
	struct counters_job *j = container_of(job, struct counters_job, job);

	waiter_stop(c, &j->waiter);
	list_del(&job->link);
	if (j->cmd)
		command_abandon(j->cmd);
	free(j);
}

static void counters_global(struct command *cmd, const struct worker_stats *stats, bool reset)
{
	uint64_t *base = cmd->control->counters_base, counts[CONN_COUNTERS];
	struct vici_writer *w;

	for (size_t i = 0; i < CONN_COUNTERS; i++)
		counts[i] = stats->counters[i] - base[i];
	if (reset) {
		memcpy(base, stats->counters, sizeof(counts));
		command_ok(cmd);
		return;
	}
	w = command_reply(cmd);
	vici_write_section(w, "counters");
	counters_section(w, "", counts);
	vici_write_section_end(w);
	counters_end(cmd, NULL);
}

static void counters_mail(struct waiter *w, const struct worker_reply *r)
{
	struct counters_job *j = container_of(w, struct counters_job, waiter);
	struct command *cmd = j->cmd;
	bool reset = j->reset;

	if (r->mail.kind != WORKER_REPLY_DONE || !r->stats)
		return;
	j->cmd = NULL;
	counters_free(cmd->control, &j->job);
	counters_global(cmd, r->stats, reset);
}

static void counters_ask(struct command *cmd, bool reset)
{
	struct control *c = cmd->control;
	struct counters_job *j;

	if (command_no_workers(cmd))
		return;
	j = xcalloc(1, sizeof(*j));
	j->job.free = counters_free;
	j->cmd = cmd;
	j->reset = reset;
	list_add_tail(&c->jobs, &j->job.link);
	waiter_start(c, &j->waiter, counters_mail);
	workers_stats(c->workers, j->waiter.id, c->box);
}

/* name NULL: all that have any. */
static void counters_conns(struct command *cmd, const char *name)
{
	const struct config *config = control_snapshot(cmd->control);
	struct conn *const *conns = config_conns(config);
	struct vici_writer *w = command_reply(cmd);
	uint64_t counts[CONN_COUNTERS];
	bool found = false;

	vici_write_section(w, "counters");
	for (size_t i = 0; i < config->n_conns; i++) {
		if ((name && strcmp(conns[i]->name, name) != 0) || !conn_counters_get(conns[i]->counters, counts))
			continue;
		found = true;
		counters_section(w, conns[i]->name, counts);
	}
	vici_write_section_end(w);
	counters_end(cmd, name && !found ? "no counters found for this connection" : NULL);
}

void cmd_get_counters(struct command *cmd)
{
	char *name = vici_find_str(command_request(cmd), "name");

	if (vici_find_bool(command_request(cmd), "all", false))
		counters_conns(cmd, NULL);
	else if (name)
		counters_conns(cmd, name);
	else
		counters_ask(cmd, false);
	free(name);
}

/* All of them: the connections', not the global ones. */
void cmd_reset_counters(struct command *cmd)
{
	const struct config *config = control_snapshot(cmd->control);
	char *name = vici_find_str(command_request(cmd), "name");
	bool all = vici_find_bool(command_request(cmd), "all", false);
	struct conn *const *conns = config_conns(config);

	for (size_t i = 0; (all || name) && i < config->n_conns; i++)
		if (all || strcmp(conns[i]->name, name) == 0)
			conn_counters_reset(conns[i]->counters);
	if (all || name)
		command_ok(cmd);
	else
		counters_ask(cmd, true);
	free(name);
}

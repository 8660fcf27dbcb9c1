/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "control/internal.h"

/* version, stats, reload-settings */

void cmd_version(struct command *cmd)
{
	struct vici_writer *w = command_reply(cmd);
	struct utsname u = { 0 };

	uname(&u);
	vici_write_str(w, "daemon", "bewickd");
	vici_write_str(w, "version", PACKAGE_VERSION);
	vici_write_str(w, "sysname", u.sysname);
	vici_write_str(w, "release", u.release);
	vici_write_str(w, "machine", u.machine);
	command_end(cmd);
}

/* ---- stats ---- */

struct stats_job {
	struct job job;
	struct waiter waiter;
	struct command *cmd;
};

/* "42 seconds", "3 minutes": the next unit from more than two of it. */
static void stats_duration(struct vici_writer *w, const char *key, uint64_t s)
{
	static const struct {
		const char *name;
		uint64_t s;
	} units[] = { { "day", 86400 }, { "hour", 3600 }, { "minute", 60 }, { "second", 1 } };
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(units) && s <= 2 * units[i].s)
		i++;
	s /= units[i].s;
	vici_write_fmt(w, key, "%llu %s%s", (unsigned long long)s, units[i].name, s == 1 ? "" : "s");
}

static void stats_uptime(struct control *c, struct vici_writer *w)
{
	char since[64];
	struct tm tm;

	localtime_r(&c->started, &tm);
	strftime(since, sizeof(since), "%b %d %H:%M:%S %Y", &tm);
	vici_write_section(w, "uptime");
	stats_duration(w, "running", (loop_now(c->loop) - c->started_ms) / 1000);
	vici_write_str(w, "since", since);
	vici_write_section_end(w);
}

static void stats_priorities(struct vici_writer *w, const char *section, uint64_t medium)
{
	vici_write_section(w, section);
	vici_write_str(w, "critical", "0");
	vici_write_str(w, "high", "0");
	vici_write_fmt(w, "medium", "%llu", (unsigned long long)medium);
	vici_write_str(w, "low", "0");
	vici_write_section_end(w);
}

static void stats_memory(struct vici_writer *w)
{
	struct mallinfo2 m = mallinfo2();

	vici_write_section(w, "mallinfo");
	vici_write_fmt(w, "sbrk", "%zu", m.arena);
	vici_write_fmt(w, "mmap", "%zu", m.hblkhd);
	vici_write_fmt(w, "used", "%zu", m.uordblks);
	vici_write_fmt(w, "free", "%zu", m.fordblks);
	vici_write_section_end(w);
}

static void stats_reply(struct command *cmd, const struct worker_stats *s)
{
	struct control *c = cmd->control;
	struct vici_writer *w = command_reply(cmd);
	unsigned total = c->workers ? workers_count(c->workers) : 0;

	stats_uptime(c, w);
	vici_write_section(w, "workers");
	vici_write_fmt(w, "total", "%u", total);
	/* whoever could be asked was not busy */
	vici_write_fmt(w, "idle", "%u", total);
	stats_priorities(w, "active", 0);
	vici_write_section_end(w);
	stats_priorities(w, "queues", s->mail);
	vici_write_fmt(w, "scheduled", "%llu", (unsigned long long)s->timers);
	vici_write_section(w, "ikesas");
	vici_write_fmt(w, "total", "%llu", (unsigned long long)s->ike_sas);
	vici_write_fmt(w, "half-open", "%llu", (unsigned long long)s->half_open);
	vici_write_section_end(w);
	vici_write_list(w, "plugins");
	for (size_t i = 0; i < c->options.n_plugins; i++)
		vici_write_item_str(w, c->options.plugins[i]);
	vici_write_list_end(w);
	stats_memory(w);
	if (!c->options.backend)
		return;
	vici_write_section(w, "backend"); /* ours: others' clients do not know it */
	vici_write_str(w, "name", c->options.backend);
	vici_write_str(w, "reason", c->options.backend_why);
	vici_write_section_end(w);
}

static void stats_free(struct control *c, struct job *job)
{
	struct stats_job *s = container_of(job, struct stats_job, job);

	waiter_stop(c, &s->waiter);
	list_del(&job->link);
	if (s->cmd)
		command_abandon(s->cmd);
	free(s);
}

static void stats_mail(struct waiter *w, const struct worker_reply *r)
{
	struct stats_job *s = container_of(w, struct stats_job, waiter);
	struct command *cmd = s->cmd;

	if (r->mail.kind != WORKER_REPLY_DONE || !r->stats)
		return;
	stats_reply(cmd, r->stats);
	s->cmd = NULL;
	stats_free(cmd->control, &s->job);
	command_end(cmd);
}

void cmd_stats(struct command *cmd)
{
	struct control *c = cmd->control;
	struct stats_job *s;

	if (!c->workers) {
		stats_reply(cmd, &(struct worker_stats){ 0 });
		command_end(cmd);
		return;
	}
	s = xcalloc(1, sizeof(*s));
	s->cmd = cmd;
	s->job.free = stats_free;
	list_add_tail(&c->jobs, &s->job.link);
	waiter_start(c, &s->waiter, stats_mail);
	workers_stats(c->workers, s->waiter.id, c->box);
}

/* ---- reload-settings ---- */

void cmd_reload_settings(struct command *cmd)
{
	struct control *c = cmd->control;

	if (!c->options.reload) {
		command_fail(cmd, "reloading '%s' failed", c->settings_file ? c->settings_file : "");
		return;
	}
	list_add_tail(&c->reloads, &cmd->link);
	c->options.reload(c->options.reload_arg);
}

void cmd_reloaded(struct control *c, bool ok)
{
	LIST_FOREACH_SAFE(it, &c->reloads) {
		struct command *cmd = list_entry(it, struct command, link);

		list_del(it);
		if (ok)
			command_ok(cmd);
		else
			command_fail(cmd, "reloading '%s' failed", c->settings_file ? c->settings_file : "");
	}
}

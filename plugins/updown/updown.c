/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/settings.h"
#include "loop/program.h"
#include "loop/lanes.h"
#include "loop/loop.h"
#include "plugin/plugin.h"
#include "proto/iana.h"
#include "util/log.h"
#include "util/mem.h"
#include "variables.h"

/* Runs the updown command of a child when it comes up and when it goes down, on helpers: nobody waits for it. */

#define UPDOWN_THREADS 16
#define UPDOWN_WAITING 65536
/* Commands for one event: a peer that asks for many selectors must not keep a helper for ever. */
#define UPDOWN_PAIRS 1024
#define UPDOWN_TIMEOUT_S 30

static struct {
	struct lanes *lanes;
	uint64_t timeout_ms;
	bool dns;
} updown;

/* An event; what it holds is in the arena. */
struct updown_job {
	struct lane_item item;
	struct arena arena;
	const struct hook_child *child;
	char interface[64];
};

static struct log_sa updown_log(const struct hook_child *c)
{
	return (struct log_sa){ c->conn, c->ike_id };
}

/* The device of an address of ours. */
static bool updown_find_interface(const struct addr *local, char *ret, size_t size)
{
	struct ifaddrs *list;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (struct ifaddrs *it = list; it && !found; it = it->ifa_next) {
		struct sockaddr_storage sa = { 0 };
		struct addr a;

		if (!it->ifa_addr || (it->ifa_addr->sa_family != AF_INET && it->ifa_addr->sa_family != AF_INET6))
			continue;
		memcpy(&sa, it->ifa_addr,
		       it->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		if (!addr_from_sockaddr(&sa, &a) || !addr_equal_ip(&a, local) ||
		    (local->scope && a.scope && a.scope != local->scope))
			continue;
		found = true;
		snprintf(ret, size, "%s", it->ifa_name);
	}
	freeifaddrs(list);
	return found;
}

static void updown_line(void *arg, const char *line, size_t n)
{
	const struct hook_child *c = arg;
	struct log_sa sa = updown_log(c);

	LOG_SA(&sa, CHD, LOG_LEVEL_CONTROL, "updown: %.*s", (int)n, line);
}

static void updown_run_pair(struct updown_job *job, const struct ts *mine, const struct ts *theirs, bool has_interface,
			    int cancel_fd)
{
	const struct hook_child *c = job->child;
	const char *const argv[] = { "sh", "-c", c->updown, NULL };
	struct arena a = { 0 };
	struct program_run run = {
		.path = "/bin/sh",
		.argv = argv,
		.env = updown_environment(&a, c, has_interface ? job->interface : NULL, mine, theirs, updown.dns),
		.deadline_ms = clock_monotonic_ms() + updown.timeout_ms,
		.cancel_fd = cancel_fd,
		.line = updown_line,
		.arg = (void *)(uintptr_t)c,
	};
	struct text how = program_result_format(program_run(&run));
	struct log_sa sa = updown_log(c);

	arena_free(&a);
	if (*how.s)
		LOG_SA(&sa, CHD, LOG_LEVEL_AUDIT, "updown script of %s{%u} (%s)%s", c->name, c->child_id,
		       c->up ? "up" : "down", how.s);
	else
		LOG_SA(&sa, CHD, LOG_LEVEL_DETAIL, "updown script of %s{%u} (%s) is done", c->name, c->child_id,
		       c->up ? "up" : "down");
}

static void updown_run(struct lane_item *item, int cancel_fd)
{
	struct updown_job *job = container_of(item, struct updown_job, item);
	const struct hook_child *c = job->child;
	struct ts_list mine = c->local_ts, theirs = c->remote_ts;
	bool has_interface = updown_find_interface(&c->local, job->interface, sizeof(job->interface));
	struct log_sa sa = updown_log(c);
	unsigned n = 0;

	for (size_t i = 0; i < mine.count; i++)
		for (size_t k = 0; k < theirs.count; k++)
			if (updown_is_pair(&mine.p[i], &theirs.p[k]) && n++ < UPDOWN_PAIRS)
				updown_run_pair(job, &mine.p[i], &theirs.p[k], has_interface, cancel_fd);
	if (n > UPDOWN_PAIRS)
		LOG_SA(&sa, CHD, LOG_LEVEL_AUDIT, "%s{%u} has %u pairs of selectors: the updown script was run for %d of them",
		       c->name, c->child_id, n, UPDOWN_PAIRS);
}

static void updown_drop(struct lane_item *item)
{
	struct updown_job *job = container_of(item, struct updown_job, item);

	arena_free(&job->arena);
	free(job);
}

/* On control's thread. */
static void updown_child(void *arg, const struct hook_child *c)
{
	struct updown_job *job = xcalloc(1, sizeof(*job));
	struct log_sa sa = updown_log(c);

	(void)arg;
	job->child = hook_child_dup(&job->arena, c);
	job->item = (struct lane_item){ .lane = c->line_id, .run = updown_run, .drop = updown_drop };
	if (lanes_submit(updown.lanes, &job->item))
		return;
	LOG_SA(&sa, CHD, LOG_LEVEL_AUDIT, "updown script of %s{%u} (%s) is not run: %d wait already", c->name, c->child_id,
	       c->up ? "up" : "down", UPDOWN_WAITING);
	updown_drop(&job->item);
}

static void updown_finish(void *arg, uint64_t deadline_ms)
{
	(void)arg;
	if (!lanes_finish(updown.lanes, deadline_ms))
		LOG(CHD, LOG_LEVEL_AUDIT, "updown scripts that have not ended are killed");
}

static const struct hook updown_hook = {
	.name = "updown",
	.child = updown_child,
	.only_updown = true,
	.finish = updown_finish,
};

/* The script finds them in its environment. */
static const uint16_t updown_types[] = { CP_ATTR_INTERNAL_IP4_DNS, CP_ATTR_INTERNAL_IP6_DNS };
static const struct attribute_handler updown_handler = {
	.name = "updown",
	.rank = 1,
	.types = updown_types,
	.n_types = ARRAY_LEN(updown_types),
};

static bool updown_load(struct plugin_env *env, struct errtext *err)
{
	uint64_t timeout = settings_time(env->settings, "plugins.updown.timeout", UPDOWN_TIMEOUT_S);

	if (!env->hooks || !env->attributes) {
		errtext_set(err, "nobody tells of tunnels here");
		return false;
	}
	updown.lanes = lanes_new(UPDOWN_THREADS, UPDOWN_WAITING);
	if (!updown.lanes) {
		errtext_set(err, "no descriptor: %s", strerror(errno));
		return false;
	}
	updown.timeout_ms = timeout && timeout < 86400 ? timeout * 1000 : 86400000;
	updown.dns = settings_bool(env->settings, "plugins.updown.dns_handler", false);
	hook_add(env->hooks, &updown_hook);
	if (updown.dns)
		attribute_add_handler(env->attributes, &updown_handler);
	return true;
}

static void updown_unload(struct plugin_env *env)
{
	hook_remove(env->hooks, &updown_hook);
	attribute_remove_handler(env->attributes, &updown_handler);
	lanes_free(updown.lanes);
	updown.lanes = NULL;
}

static const char *const updown_provides[] = { "hook:updown", NULL };
static const char *const updown_requires[] = { NULL };

PLUGIN_DEFINE(updown) = {
	.abi = PLUGIN_ABI,
	.name = "updown",
	.summary = "runs a command when a CHILD_SA comes up or goes down",
	.provides = updown_provides,
	.requires = updown_requires,
	.load = updown_load,
	.unload = updown_unload,
};

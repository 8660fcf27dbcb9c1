/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/settings.h"
#include "file.h"
#include "loop/program.h"
#include "loop/lanes.h"
#include "loop/loop.h"
#include "plugin/hooks.h"
#include "plugin/plugin.h"
#include "proto/iana.h"
#include "util/log.h"
#include "util/mem.h"

/*
 * Puts DNS servers that gateways gave us into force. Control's thread keeps the list; a helper makes the system agree with it, each
 * time with the whole list.
 */

#define RESOLVE_SERVERS 16 /* put into force: the first of those that are known */
#define RESOLVE_KNOWN 256
#define RESOLVE_TIMEOUT_S 10

enum resolve_way { RESOLVE_FILE, RESOLVE_RESOLVCONF, RESOLVE_RESOLVECTL };

static struct {
	enum resolve_way way;
	const char *file;
	const char *program, *interface; /* of resolvconf or resolvectl */
	uint64_t timeout_ms;
	struct lanes *lanes;
	bool told;            /* the program has servers of ours; the helper's */
	pthread_mutex_t lock; /* guards all below */
	struct addr servers[RESOLVE_KNOWN];
	unsigned refs[RESOLVE_KNOWN];
	size_t n;
	bool asked; /* a job waits to be begun */
} resolve = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- on the helper ---- */

static void resolve_line(void *arg, const char *line, size_t n)
{
	(void)arg;
	LOG(CFG, LOG_LEVEL_CONTROL, "resolve: %.*s", (int)n, line);
}

static void resolve_run(const char *const *argv, struct bytes input, int cancel_fd)
{
	struct program_run run = {
		.path = argv[0],
		.argv = argv,
		.input = input,
		.deadline_ms = clock_monotonic_ms() + resolve.timeout_ms,
		.cancel_fd = cancel_fd,
		.line = resolve_line,
	};
	struct text how = program_result_format(program_run(&run));

	/* at the start there may be nothing to be taken back, which some programs call a failure */
	if (*how.s)
		LOG(CFG, resolve.told || input.n ? LOG_LEVEL_AUDIT : LOG_LEVEL_DETAIL, "resolve: %s %s%s", argv[0], argv[1], how.s);
}

static void resolve_by_resolvconf(const struct addr *servers, size_t n, int cancel_fd)
{
	const char *const add[] = { resolve.program, "-a", resolve.interface, NULL };
	const char *const del[] = { resolve.program, "-d", resolve.interface, NULL };
	struct buf text = { 0 };

	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "nameserver %s\n", addr_format(&servers[i]).s);
	resolve_run(n ? add : del, buf_bytes(&text), cancel_fd);
	buf_free(&text);
}

static void resolve_by_resolvectl(const struct addr *servers, size_t n, int cancel_fd)
{
	const char *argv[RESOLVE_SERVERS + 4] = { resolve.program, n ? "dns" : "revert", resolve.interface };
	struct addr_text text[RESOLVE_SERVERS];

	for (size_t i = 0; i < n; i++) {
		text[i] = addr_format(&servers[i]);
		argv[3 + i] = text[i].s;
	}
	resolve_run(argv, BYTES_NONE, cancel_fd);
}

static void resolve_apply(const struct addr *servers, size_t n, int cancel_fd)
{
	switch (resolve.way) {
	case RESOLVE_FILE:
		if (!resolv_update(resolve.file, servers, n))
			LOG(CFG, LOG_LEVEL_AUDIT, "DNS servers cannot be written to %s: %s", resolve.file, strerror(errno));
		break;
	case RESOLVE_RESOLVCONF:
		resolve_by_resolvconf(servers, n, cancel_fd);
		break;
	case RESOLVE_RESOLVECTL:
		/* what the interface had before is not ours to take back */
		if (n || resolve.told)
			resolve_by_resolvectl(servers, n, cancel_fd);
		break;
	}
	resolve.told = n > 0;
}

static void resolve_work(struct lane_item *item, int cancel_fd)
{
	struct addr servers[RESOLVE_SERVERS];
	size_t n;

	(void)item;
	pthread_mutex_lock(&resolve.lock);
	resolve.asked = false;
	n = resolve.n < RESOLVE_SERVERS ? resolve.n : RESOLVE_SERVERS;
	memcpy(servers, resolve.servers, n * sizeof(*servers));
	pthread_mutex_unlock(&resolve.lock);
	resolve_apply(servers, n, cancel_fd);
}

static void resolve_drop(struct lane_item *item)
{
	free(item);
}

/* ---- on control's thread ---- */

/* With the lock held: the system is to follow. One job that has not begun is enough. */
static void resolve_ask(void)
{
	struct lane_item *item;

	if (resolve.asked)
		return;
	item = xcalloc(1, sizeof(*item));
	item->run = resolve_work;
	item->drop = resolve_drop;
	resolve.asked = lanes_submit(resolve.lanes, item);
	if (!resolve.asked)
		free(item);
}

static size_t resolve_find(const struct addr *server)
{
	size_t i = 0;

	while (i < resolve.n && !addr_equal_ip(&resolve.servers[i], server))
		i++;
	return i;
}

/* False: there is no place for it. */
static bool resolve_add(const struct addr *server)
{
	size_t i = resolve_find(server);

	if (i == RESOLVE_KNOWN)
		return false;
	if (i == resolve.n) {
		resolve.servers[resolve.n] = *server;
		resolve.refs[resolve.n++] = 0;
		resolve_ask();
	}
	resolve.refs[i]++;
	return true;
}

static void resolve_remove(const struct addr *server)
{
	size_t i = resolve_find(server);

	if (i == resolve.n || --resolve.refs[i])
		return;
	resolve.n--;
	memmove(resolve.servers + i, resolve.servers + i + 1, (resolve.n - i) * sizeof(*resolve.servers));
	memmove(resolve.refs + i, resolve.refs + i + 1, (resolve.n - i) * sizeof(*resolve.refs));
	resolve_ask();
}

static void resolve_handle(void *arg, const struct attribute_source *source, const struct attribute *attribute, bool add)
{
	bool v4 = attribute->type == CP_ATTR_INTERNAL_IP4_DNS;
	struct log_sa sa = { source->conn, source->ike_id };
	struct addr server;
	bool ok = true;

	(void)arg;
	if (attribute->value.n != (v4 ? 4u : 16u)) {
		LOG_SA(&sa, CFG, LOG_LEVEL_CONTROL, "the gateway gave a DNS server that is no address: ignored");
		return;
	}
	server = addr_from_ip(v4 ? AF_INET : AF_INET6, attribute->value.p);
	pthread_mutex_lock(&resolve.lock);
	if (add)
		ok = resolve_add(&server);
	else
		resolve_remove(&server);
	pthread_mutex_unlock(&resolve.lock);
	if (ok)
		LOG_SA(&sa, CFG, LOG_LEVEL_CONTROL, "%s DNS server %s %s %s", add ? "installing" : "removing",
		       addr_format(&server).s, add ? "to" : "from", resolve.way == RESOLVE_FILE ? resolve.file : resolve.interface);
	else
		LOG_SA(&sa, CFG, LOG_LEVEL_AUDIT, "DNS server %s is not installed: there are %d already",
		       addr_format(&server).s, RESOLVE_KNOWN);
}

/* What a killed predecessor left. */
static void resolve_start(void *arg)
{
	(void)arg;
	if (resolve.way == RESOLVE_RESOLVECTL)
		return;
	pthread_mutex_lock(&resolve.lock);
	resolve_ask();
	pthread_mutex_unlock(&resolve.lock);
}

static void resolve_finish(void *arg, uint64_t deadline_ms)
{
	(void)arg;
	pthread_mutex_lock(&resolve.lock);
	if (resolve.n) {
		resolve.n = 0;
		resolve_ask();
	}
	pthread_mutex_unlock(&resolve.lock);
	if (!lanes_finish(resolve.lanes, deadline_ms))
		LOG(CFG, LOG_LEVEL_AUDIT, "resolve: the DNS servers could not be removed in time");
}

/* ---- life ---- */

static const struct hook resolve_hook = { .name = "resolve", .start = resolve_start, .finish = resolve_finish };

static const uint16_t resolve_types[] = { CP_ATTR_INTERNAL_IP4_DNS, CP_ATTR_INTERNAL_IP6_DNS };
static const struct attribute_handler resolve_handler = {
	.name = "resolve",
	.types = resolve_types,
	.n_types = ARRAY_LEN(resolve_types),
	.handle = resolve_handle,
};

static void resolve_choose(const struct settings *s)
{
	uint64_t timeout = settings_time(s, "plugins.resolve.timeout", RESOLVE_TIMEOUT_S);
	const char *file = settings_str(s, "plugins.resolve.file", NULL);

	resolve.timeout_ms = timeout && timeout < 86400 ? timeout * 1000 : 86400000;
	resolve.file = file ? file : "/etc/resolv.conf";
	resolve.way = RESOLVE_RESOLVECTL;
	resolve.program = settings_str(s, "plugins.resolve.resolvectl.path", "/usr/bin/resolvectl");
	resolve.interface = settings_str(s, "plugins.resolve.resolvectl.interface", NULL);
	if (resolve.interface)
		return;
	resolve.program = settings_str(s, "plugins.resolve.resolvconf.path", "/sbin/resolvconf");
	resolve.interface = settings_str(s, "plugins.resolve.resolvconf.iface", "lo.ipsec");
	resolve.way = !file && access(resolve.program, X_OK) == 0 ? RESOLVE_RESOLVCONF : RESOLVE_FILE;
}

static bool resolve_load(struct plugin_env *env, struct errtext *err)
{
	if (!env->hooks || !env->attributes) {
		errtext_set(err, "nobody asks for attributes here");
		return false;
	}
	resolve.lanes = lanes_new(1, 4);
	if (!resolve.lanes) {
		errtext_set(err, "no descriptor: %s", strerror(errno));
		return false;
	}
	resolve.n = 0;
	resolve.asked = resolve.told = false;
	resolve_choose(env->settings);
	hook_add(env->hooks, &resolve_hook);
	attribute_add_handler(env->attributes, &resolve_handler);
	return true;
}

static void resolve_unload(struct plugin_env *env)
{
	attribute_remove_handler(env->attributes, &resolve_handler);
	hook_remove(env->hooks, &resolve_hook);
	lanes_free(resolve.lanes);
	resolve.lanes = NULL;
}

static const char *const resolve_provides[] = { "attribute-handler:resolve", NULL };
static const char *const resolve_requires[] = { NULL };

PLUGIN_DEFINE(resolve) = {
	.abi = PLUGIN_ABI,
	.name = "resolve",
	.summary = "puts DNS servers that gateways gave us into force",
	.provides = resolve_provides,
	.requires = resolve_requires,
	.load = resolve_load,
	.unload = resolve_unload,
};

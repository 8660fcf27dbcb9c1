/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "config/settings.h"
#include "kernel/bypass.h"
#include "net/watch.h"
#include "plugin/plugin.h"
#include "util/mem.h"

/* The networks that this host is directly connected to, so that a tunnel for everything leaves the neighbours reachable. */

#define SETTING "plugins.bypass-lan."
#define NETS_MAX 256

struct bypass {
	struct bypass_env env;
	struct net_watch *watch;
};

static struct prefix lan_prefix(const struct local_addr *l)
{
	struct prefix p = { l->addr, l->prefix_len };

	p.net.port = 0;
	p.net.scope = 0;
	for (unsigned bit = p.len; bit < addr_len(&p.net) * 8; bit++)
		p.net.ip[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
	return p;
}

/* A single address, as virtual ones are, is no network; link-local ones are needed to find the neighbours at all. */
static bool lan_counts(const struct local_addr *l)
{
	return l->up && !l->loopback && l->prefix_len && l->prefix_len < addr_len(&l->addr) * 8 &&
	       (l->told || addr_is_link_local(&l->addr));
}

static bool lan_add(struct prefix *nets, size_t n, const struct prefix *p)
{
	for (size_t i = 0; i < n; i++)
		if (nets[i].len == p->len && addr_equal_ip(&nets[i].net, &p->net))
			return false;
	nets[n] = *p;
	return true;
}

static void lan_changed(void *arg, struct local_addrs *locals, bool routes)
{
	struct prefix *nets = xcalloc(NETS_MAX, sizeof(*nets)), p;
	struct bypass *b = arg;
	size_t n = 0;

	(void)routes;
	for (size_t i = 0; i < locals->n && n < NETS_MAX; i++) {
		if (!lan_counts(&locals->p[i]))
			continue;
		p = lan_prefix(&locals->p[i]);
		n += lan_add(nets, n, &p);
	}
	b->env.fn(b->env.arg, "Bypass LAN", nets, n);
	free(nets);
}

static void lan_stop(struct bypass *b)
{
	net_watch_free(b->watch);
	free(b);
}

static struct bypass *lan_start(const struct bypass_env *env, struct errtext *err)
{
	struct bypass *b = xcalloc(1, sizeof(*b));
	struct net_watch_options o = {
		.follow = true,
		.use = settings_str(env->settings, SETTING "interfaces_use", NULL),
		.ignore = settings_str(env->settings, SETTING "interfaces_ignore", NULL),
	};

	b->env = *env;
	b->watch = net_watch_new(env->loop, &o, lan_changed, b, err);
	if (b->watch)
		return b;
	free(b);
	return NULL;
}

static const struct bypass_ops lan_ops = { .name = "Bypass LAN", .start = lan_start, .stop = lan_stop };

static bool lan_load(struct plugin_env *env, struct errtext *err)
{
	if (env->bypass && bypass_add(env->bypass, &lan_ops))
		return true;
	errtext_set(err, "there is nothing here to install its policies");
	return false;
}

static void lan_unload(struct plugin_env *env)
{
	bypass_remove(env->bypass, &lan_ops);
}

static const char *const lan_provides[] = { "bypass:lan", NULL };
static const char *const lan_requires[] = { NULL };

PLUGIN_DEFINE(bypass_lan) = {
	.abi = PLUGIN_ABI,
	.name = "bypass-lan",
	.summary = "directly connected networks pass beside all tunnels",
	.provides = lan_provides,
	.requires = lan_requires,
	.optional = true,
	.load = lan_load,
	.unload = lan_unload,
};

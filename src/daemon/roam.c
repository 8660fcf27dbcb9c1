/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon.h"
#include "net/watch.h"
#include "util/log.h"

/* The main thread watches this host's addresses; the workers are told what has settled. */

static void roam_changed(void *arg, struct local_addrs *locals, bool routes)
{
	struct daemon *d = arg;

	LOG(KNL, LOG_LEVEL_DETAIL, "%zu addresses on this host", locals->n);
	workers_roam(d->workers, locals, routes);
}

void daemon_watch(struct daemon *d)
{
	const struct settings *s = d->settings;
	struct net_watch_options o = {
		.follow = settings_bool(s, "plugins.kernel-netlink.roam_events", true),
		.routes = settings_bool(s, "process_route", true),
		.use = settings_str(s, "interfaces_use", NULL),
		.ignore = settings_str(s, "interfaces_ignore", NULL),
		.ignore_tables = settings_str(s, "ignore_routing_tables", NULL),
	};
	struct errtext err;

	daemon_unwatch(d);
	d->watch = net_watch_new(d->loop, &o, roam_changed, d, &err);
	if (!d->watch)
		LOG(KNL, LOG_LEVEL_AUDIT, "%s: IKE_SAs will not follow changes", err.s);
}

void daemon_unwatch(struct daemon *d)
{
	net_watch_free(d->watch);
	d->watch = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "config/settings.h"
#include "internal.h"
#include "policies.h"
#include "util/log.h"

#define SETTLE_MS 100
/* Nobody's: rules that spare it let us ask for the way a packet would take without our table. */
#define LOOKUP_UID 4294967290u

/* "[!]mark[/mask]": which packets look into our table. */
static bool ways_parse_mark(const char *text, struct rtnl_rule *rule, struct errtext *err)
{
	const char *slash;
	int64_t mark, mask = UINT32_MAX;

	rule->invert = *text == '!';
	text += rule->invert;
	slash = strchr(text, '/');
	if (!value_int(bytes_of(text, slash ? (size_t)(slash - text) : strlen(text)), &mark) ||
	    (slash && !value_int(bytes_str(slash + 1), &mask)) || mark < 0 || mark > UINT32_MAX || mask <= 0 ||
	    mask > UINT32_MAX) {
		errtext_set(err, SETTING "fwmark is '%s': [!]MARK[/MASK] is expected", text);
		return false;
	}
	rule->select.mark = (uint32_t)mark;
	rule->select.mask = (uint32_t)mask;
	return true;
}

static bool ways_settings(struct ways *w, struct rtnl_rule *rule, uint32_t mark_of_ours, const struct settings *s,
			  struct errtext *err)
{
	int64_t table = settings_int(s, "routing_table", 220), priority = settings_int(s, "routing_table_prio", 220);
	int64_t mtu = settings_int(s, SETTING "mtu", 0), mss = settings_int(s, SETTING "mss", 0);
	const char *mark = settings_str(s, SETTING "fwmark", NULL);

	if (table < 1 || table > UINT32_MAX || priority < 0 || priority > UINT32_MAX) {
		errtext_set(err, "routing_table or routing_table_prio is out of range");
		return false;
	}
	if (mtu < 0 || mtu > 65535 || mss < 0 || mss > 65535) {
		errtext_set(err, SETTING "mtu or mss is out of range");
		return false;
	}
	w->routes.table = rule->table = (uint32_t)table;
	rule->priority = (uint32_t)priority;
	w->routes.mtu = (uint32_t)mtu;
	w->routes.mss = (uint32_t)mss;
	if (mark)
		return ways_parse_mark(mark, rule, err);
	if (mark_of_ours)
		rule->select = (struct rtnl_select){ mark_of_ours, UINT32_MAX, 0 };
	else
		rule->select.uid = LOOKUP_UID;
	rule->invert = true;
	return true;
}

/* Where user ids are restricted (containers), the rule is for all, and our look-ups meet our own routes. */
static int ways_add_rule(struct ways *w, struct rtnl_rule rule)
{
	int e = rtnl_rule_add(&w->rtnl, &rule);

	if (e && rule.select.uid) {
		rule.select.uid = 0;
		rule.invert = false;
		e = rtnl_rule_add(&w->rtnl, &rule);
	}
	if (e == 0)
		w->rules[w->n_rules++] = rule;
	return e;
}

static void ways_settled(struct timer *t)
{
	struct ways *w = container_of(t, struct ways, settle);
	uint64_t before = clock_monotonic_ms();

	routes_refresh(&w->routes);
	w->took_ms = clock_monotonic_ms() - before;
}

/* A busy routing daemon must not keep us busy, too. */
static void ways_changed(void *arg, uint32_t events)
{
	struct ways *w = arg;
	uint64_t wait = SETTLE_MS + 9 * w->took_ms;

	if (rtnl_monitor_read(&w->monitor, w->routes.table, routes_forget, &w->routes) && !timer_running(&w->settle))
		timer_start(loop_wheel(w->loop), &w->settle, loop_now(w->loop) + wait, ways_settled);
}

static bool ways_watch(struct ways *w, struct loop *loop, struct errtext *err)
{
	int e = rtnl_monitor_open(&w->monitor, RTNL_WATCH_ROUTES);

	if (e) {
		errtext_set(err, "cannot watch addresses and routes: %s", strerror(e));
		return false;
	}
	w->loop = loop;
	w->watch = loop_add(loop, rtnl_monitor_fd(&w->monitor), EPOLLIN, ways_changed, w);
	if (!w->watch)
		errtext_set(err, "cannot watch addresses and routes: %s", strerror(errno));
	return w->watch;
}

bool ways_open(struct ways *w, struct kernel *k, const struct settings *s, struct errtext *err)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct rtnl_rule rule = { 0 };

	if (!settings_bool(s, "install_routes", true))
		return true;
	w->routes.rtnl = &w->rtnl;
	w->routes.hash_key = k->hash_key;
	routes_init(&w->routes);
	if (!ways_settings(w, &rule, k->mark, s, err) || !rtnl_open(&w->rtnl, err))
		return false;
	rtnl_clean(&w->rtnl, w->routes.table);
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		int e;

		rule.family = families[i];
		e = ways_add_rule(w, rule);
		if (e && (families[i] == AF_INET || (e != EAFNOSUPPORT && e != EOPNOTSUPP))) {
			errtext_set(err, "cannot add the rule for routing table %u: %s", rule.table, strerror(e));
			return false;
		}
	}
	if (w->n_rules && w->rules[0].select.uid)
		w->routes.look_as.uid = LOOKUP_UID;
	else if (rule.invert)
		w->routes.look_as = rule.select;
	w->on = ways_watch(w, k->loop, err);
	if (w->on)
		routes_refresh(&w->routes);
	return w->on;
}

void ways_close(struct ways *w)
{
	if (w->loop)
		timer_stop(loop_wheel(w->loop), &w->settle);
	if (w->watch)
		loop_remove(w->watch);
	for (size_t i = 0; i < w->n_rules; i++)
		(void)rtnl_rule_del(&w->rtnl, &w->rules[i]);
	routes_clear(&w->routes);
	rtnl_close(&w->monitor);
	rtnl_close(&w->rtnl);
}

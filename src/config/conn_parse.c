/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "config/conn_rules.h"
#include "config/value.h"
#include "util/mem.h"

bool conn_fail_section(struct conn_parse *p, const struct tree *section)
{
	errtext_set(p->err, "invalid section: %s",
		    value_is_printable(bytes_str(section->name)) ? section->name : "?");
	return false;
}

bool conn_name_begins(const struct tree *t, const char *word)
{
	return strncasecmp(t->name, word, strlen(word)) == 0;
}

bool conn_name_is_good(const struct tree *t)
{
	return t->name[0] && value_is_printable(bytes_str(t->name));
}

/* ---- children */

static uint64_t times_1_1(uint64_t v)
{
	uint64_t more = v / 10;

	return v > UINT64_MAX - more ? UINT64_MAX : v + more;
}

static uint64_t divided_by_1_1(uint64_t v)
{
	/* v * 10 / 11 without overflow */
	return v / 11 * 10 + v % 11 * 10 / 11;
}

static void default_limits(uint64_t *rekey, uint64_t *life, uint64_t *rand, uint64_t rekey_default)
{
	if (*rekey == CONN_UNSET)
		*rekey = rekey_default;
	if (*life == CONN_UNSET)
		*life = times_1_1(*rekey);
	if (*rand == CONN_UNSET)
		*rand = *life > *rekey ? *life - *rekey : 0;
}

static bool child_finish(struct conn_parse *p, struct child_conf *c)
{
	struct ts *dynamic = arena_new(p->arena, struct ts);

	if (c->mode == CHILD_TRANSPORT && !p->env->backend.transport)
		return conn_fail_backend(p, "mode", bytes_str("transport"), "carries tunnel mode only");
	if (c->mode == CHILD_BEET && !p->env->backend.beet)
		return conn_fail_backend(p, "mode", bytes_str("beet"), "does not carry BEET mode");
	if (!conn_default_proposals(p, "esp_proposals", PROTOCOL_ESP, &c->esp))
		return false;
	if (!ts_parse(bytes_str("dynamic"), dynamic))
		return conn_fail_value(p, "local_ts");
	if (!c->local_ts.count)
		c->local_ts = (struct ts_list){ 1, dynamic };
	if (!c->remote_ts.count)
		c->remote_ts = (struct ts_list){ 1, dynamic };
	default_limits(&c->rekey_time, &c->life_time, &c->rand_time,
		       c->life_time == CONN_UNSET ? 3600 : divided_by_1_1(c->life_time));
	default_limits(&c->rekey_bytes, &c->life_bytes, &c->rand_bytes, 0);
	default_limits(&c->rekey_packets, &c->life_packets, &c->rand_packets, 0);
	return true;
}

static bool parse_child(struct conn_parse *p, const struct tree *section, struct child_conf *c)
{
	*c = (struct child_conf){
		.name = arena_printf(p->arena, "%s", section->name),
		.rekey_time = CONN_UNSET,
		.life_time = CONN_UNSET,
		.rand_time = CONN_UNSET,
		.rekey_bytes = CONN_UNSET,
		.life_bytes = CONN_UNSET,
		.rand_bytes = CONN_UNSET,
		.rekey_packets = CONN_UNSET,
		.life_packets = CONN_UNSET,
		.rand_packets = CONN_UNSET,
		.replay_window = p->env->default_replay_window,
		.policies = true,
		.copy_df = true,
		.copy_ecn = true,
	};
	TREE_FOREACH(it, section) {
		if (it->kind == TREE_SECTION)
			return conn_fail_section(p, it);
		if (!conn_rules_apply(p, &conn_rules_child, it, c))
			return false;
	}
	return child_finish(p, c);
}

static bool parse_children(struct conn_parse *p, const struct tree *section, struct conn *c)
{
	struct child_conf *children = arena_array(p->arena, struct child_conf, section->count);
	size_t n = 0;

	TREE_FOREACH(it, section) {
		if (it->kind != TREE_SECTION) {
			errtext_set(p->err, "unknown option: %s, config discarded", it->name);
			return false;
		}
		if (!conn_name_is_good(it))
			return conn_fail_section(p, it);
		if (!parse_child(p, it, &children[n++]))
			return false;
	}
	c->children = children;
	c->n_children = n;
	return true;
}

/* ---- the connection */

static void conn_default_times(struct conn *c)
{
	uint64_t larger, smaller;

	if (c->reauth_time == CONN_UNSET)
		c->reauth_time = 0;
	if (c->rekey_time == CONN_UNSET)
		c->rekey_time = c->reauth_time ? 0 : 4 * 3600;
	larger = c->rekey_time > c->reauth_time ? c->rekey_time : c->reauth_time;
	smaller = c->rekey_time < c->reauth_time ? c->rekey_time : c->reauth_time;
	if (!smaller)
		smaller = larger;
	if (c->over_time == CONN_UNSET)
		c->over_time = larger / 10;
	if (c->rand_time == CONN_UNSET)
		c->rand_time = c->over_time < smaller / 2 ? c->over_time : smaller / 2;
}

static bool conn_check_port(struct conn_parse *p, struct conn *c)
{
	uint16_t port = p->env->port ? p->env->port : 500;
	uint16_t natt = p->env->port_nat_t ? p->env->port_nat_t : 4500;
	char text[8];

	if (!c->remote_port)
		c->remote_port = c->local_port == natt ? 4500 : 500;
	snprintf(text, sizeof(text), "%u", c->local_port);
	if (c->local_port != port && c->local_port != natt)
		return conn_fail_unsupported(p, "local_port", bytes_str(text), "the daemon has no socket on this port");
	/* RFC 7296, 2.23: port 500 does not know the marker that all from the NAT-T port have */
	if (c->local_port == natt && c->remote_port == 500)
		return conn_fail_unsupported(p, "remote_port", bytes_str("500"),
					     "what is sent from the NAT-T port can not go to port 500");
	return true;
}

static bool conn_check_tcp(struct conn_parse *p, const struct conn *c)
{
	if (c->tcp == CONN_TCP_NO || p->env->tcp)
		return true;
	return conn_fail_unsupported(p, "tcp", bytes_str(c->tcp == CONN_TCP_YES ? "yes" : "fallback"),
				     "the IPsec backend cannot carry ESP in TCP");
}

static bool conn_finish(struct conn_parse *p, struct conn *c)
{
	static const struct endpoint any = { .kind = ENDPOINT_ANY, .text = "%any" };

	if (!c->n_local) {
		c->local_addrs = &any;
		c->n_local = 1;
	}
	if (!c->n_remote) {
		c->remote_addrs = &any;
		c->n_remote = 1;
	}
	if (!c->local_port)
		c->local_port = p->env->port ? p->env->port : 500;
	conn_default_times(c);
	if (!c->remote_tcp_port)
		c->remote_tcp_port = 4500;
	return conn_check_port(p, c) && conn_check_tcp(p, c) && conn_default_proposals(p, "proposals", PROTOCOL_IKE, &c->proposals);
}

static bool conn_has_shunts_only(const struct conn *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_children; i++)
		n += child_conf_is_shunt(&c->children[i]);
	return n && n == c->n_children;
}

static bool parse_conn(struct conn_parse *p, const struct tree *section, struct conn *c)
{
	const struct tree *children = NULL;

	TREE_FOREACH(it, section) {
		if (it->kind != TREE_SECTION) {
			if (!conn_rules_apply(p, &conn_rules_conn, it, c))
				return false;
		} else if (strcmp(it->name, "children") == 0) {
			children = it;
		} else if (!conn_name_is_good(it) || !(conn_name_begins(it, "local") || conn_name_begins(it, "remote"))) {
			return conn_fail_section(p, it);
		}
	}
	if (children && !parse_children(p, children, c))
		return false;
	c->shunts_only = conn_has_shunts_only(c);
	return conn_parse_rounds(p, section, true) && conn_parse_rounds(p, section, false) && conn_finish(p, c);
}

struct conn *conn_parse(const struct tree *section, const struct conn_env *env, struct errtext *err)
{
	struct conn *c = xcalloc(1, sizeof(*c));
	struct conn_parse p = { .env = env, .arena = &c->arena, .err = err, .conn = c };
	bool ok;

	atomic_init(&c->refs, 1);
	c->mobike = true;
	c->send_certreq = true;
	c->keyingtries = 1;
	c->reauth_time = c->rekey_time = c->over_time = c->rand_time = CONN_UNSET;
	ok = conn_name_is_good(section) ? parse_conn(&p, section, c) : conn_fail_section(&p, section);
	if (!ok) {
		conn_unref(c);
		return NULL;
	}
	c->name = arena_printf(&c->arena, "%s", section->name);
	c->source = tree_dup(section);
	c->counters = conn_counters_new();
	return c;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "variables.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/iana.h"
#include "util/mem.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct environment {
	struct arena *a;
	char **list;
	size_t n, cap;
};

static void environment_add(struct environment *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void environment_add(struct environment *e, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;

	if (e->n + 1 == e->cap) {
		char **list = arena_array(e->a, char *, 2 * e->cap);

		memcpy(list, e->list, e->n * sizeof(*list));
		e->list = list;
		e->cap *= 2;
	}
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	e->list[e->n++] = arena_dup(e->a, buf_str(&text), text.n + 1);
	e->list[e->n] = NULL;
	buf_free(&text);
}

bool updown_is_pair(const struct ts *mine, const struct ts *theirs)
{
	return mine->family == theirs->family &&
	       (mine->protocol == theirs->protocol || !mine->protocol || !theirs->protocol);
}

/* ---- selectors ---- */

static void range_format(char *out, size_t size, unsigned from, unsigned to)
{
	if (from == to)
		snprintf(out, size, "%u", from);
	else
		snprintf(out, size, "%u:%u", from, to);
}

static bool ts_has_ports(const struct ts *ts)
{
	/* OPAQUE is like none: a filter of packets cannot tell */
	return ts->port_from <= ts->port_to && (ts->port_from || ts->port_to != UINT16_MAX);
}

static bool ts_is_icmp(const struct ts *ts)
{
	return ts->protocol == IPPROTO_ICMP || ts->protocol == IPPROTO_ICMPV6;
}

/* The type is told as our port and the code as the peer's, out of whichever selector has them. */
static void icmp_format(char mine[16], char theirs[16], const struct ts *ts)
{
	unsigned from = ts->port_from, to = ts->port_to;

	range_format(mine, 16, from >> 8, to >> 8);
	/* all codes of the type, or of several: none in particular */
	if (from >> 8 == to >> 8 && ((from & 255) || (to & 255) != 255))
		range_format(theirs, 16, from & 255, to & 255);
}

static void ports_format(char mine[16], char theirs[16], const struct ts *my_ts, const struct ts *their_ts)
{
	snprintf(mine, 16, "0");
	snprintf(theirs, 16, "0");
	if (ts_is_icmp(my_ts) || ts_is_icmp(their_ts)) {
		if (ts_is_icmp(my_ts) && ts_has_ports(my_ts))
			icmp_format(mine, theirs, my_ts);
		else if (ts_is_icmp(their_ts) && ts_has_ports(their_ts))
			icmp_format(mine, theirs, their_ts);
		return;
	}
	if (ts_has_ports(my_ts))
		range_format(mine, 16, my_ts->port_from, my_ts->port_to);
	if (ts_has_ports(their_ts))
		range_format(theirs, 16, their_ts->port_from, their_ts->port_to);
}

static void environment_add_selectors(struct environment *e, const struct ts *mine, const struct ts *theirs)
{
	struct prefix my_net = ts_cover(mine), their_net = ts_cover(theirs);
	char my_port[16], their_port[16];

	ports_format(my_port, their_port, mine, theirs);
	environment_add(e, "PLUTO_MY_CLIENT=%s/%u", addr_format(&my_net.net).s, my_net.len);
	environment_add(e, "PLUTO_MY_PORT=%s", my_port);
	environment_add(e, "PLUTO_MY_PROTOCOL=%u", mine->protocol);
	environment_add(e, "PLUTO_PEER_CLIENT=%s/%u", addr_format(&their_net.net).s, their_net.len);
	environment_add(e, "PLUTO_PEER_PORT=%s", their_port);
	environment_add(e, "PLUTO_PEER_PROTOCOL=%u", theirs->protocol);
}

/* ---- the rest ---- */

static void environment_add_mark(struct environment *e, const char *name, struct ipsec_mark mark)
{
	if (mark.value || mark.mask)
		environment_add(e, "%s=%u/0x%08x", name, mark.value, mark.mask);
}

static void environment_add_dns(struct environment *e, const struct hook_child *c)
{
	unsigned n4 = 0, n6 = 0;

	for (size_t i = 0; i < c->n_attributes; i++) {
		const struct attribute *at = &c->attributes[i];
		bool v4 = at->type == CP_ATTR_INTERNAL_IP4_DNS && at->value.n == 4;
		struct addr server;

		if (!v4 && (at->type != CP_ATTR_INTERNAL_IP6_DNS || at->value.n != 16))
			continue;
		server = addr_from_ip(v4 ? AF_INET : AF_INET6, at->value.p);
		environment_add(e, "PLUTO_DNS%d_%u=%s", v4 ? 4 : 6, v4 ? ++n4 : ++n6, addr_format(&server).s);
	}
}

/* All of each family with a number, and the first one without. */
static void environment_add_vips(struct environment *e, const char *whose, const struct addr *vips, size_t count)
{
	unsigned n4 = 0, n6 = 0;

	for (size_t i = 0; i < count; i++) {
		bool v4 = vips[i].family == AF_INET;

		if (i == 0)
			environment_add(e, "PLUTO_%s_SOURCEIP=%s", whose, addr_format(&vips[i]).s);
		environment_add(e, "PLUTO_%s_SOURCEIP%d_%u=%s", whose, v4 ? 4 : 6, v4 ? ++n4 : ++n6, addr_format(&vips[i]).s);
	}
}

static void environment_add_ends(struct environment *e, const struct hook_child *c)
{
	environment_add(e, "PLUTO_ME=%s", addr_format(&c->local).s);
	environment_add(e, "PLUTO_MY_ID=%s", c->local_id);
	environment_add(e, "PLUTO_PEER=%s", addr_format(&c->remote).s);
	environment_add(e, "PLUTO_PEER_ID=%s", c->remote_id);
	if (c->encap)
		environment_add(e, "PLUTO_UDP_ENC=%u", c->remote.port);
}

static void environment_add_options(struct environment *e, const struct hook_child *c)
{
	environment_add_mark(e, "PLUTO_MARK_IN", c->scope.mark_in);
	environment_add_mark(e, "PLUTO_MARK_OUT", c->scope.mark_out);
	if (c->scope.if_id_in)
		environment_add(e, "PLUTO_IF_ID_IN=%u", c->scope.if_id_in);
	if (c->scope.if_id_out)
		environment_add(e, "PLUTO_IF_ID_OUT=%u", c->scope.if_id_out);
	if (c->hostaccess)
		environment_add(e, "PLUTO_HOST_ACCESS=1");
}

char **updown_environment(struct arena *a, const struct hook_child *c, const char *interface, const struct ts *mine,
			  const struct ts *theirs, bool dns)
{
	struct environment e = { .a = a, .list = arena_array(a, char *, 32), .cap = 32 };
	const char *path = getenv("PATH");

	environment_add(&e, "PATH=%s", path ? path : PATH_DEFAULT);
	environment_add(&e, "PLUTO_VERSION=1.1");
	environment_add(&e, "PLUTO_VERB=%s-%s%s", c->up ? "up" : "down", ts_is_host(mine, &c->local) ? "host" : "client",
			mine->family == AF_INET6 ? "-v6" : "");
	environment_add(&e, "PLUTO_CONNECTION=%s", c->name);
	environment_add(&e, "PLUTO_INTERFACE=%s", interface ? interface : "unknown");
	environment_add(&e, "PLUTO_REQID=%u", c->reqid);
	environment_add(&e, "PLUTO_PROTO=%s", c->protocol == PROTOCOL_AH ? "ah" : "esp");
	environment_add(&e, "PLUTO_UNIQUEID=%u", c->ike_id);
	environment_add_ends(&e, c);
	environment_add_selectors(&e, mine, theirs);
	environment_add_vips(&e, "MY", c->local_vips, c->n_local_vips);
	environment_add_vips(&e, "PEER", c->remote_vips, c->n_remote_vips);
	environment_add_options(&e, c);
	if (dns)
		environment_add_dns(&e, c);
	return e.list;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ts.h"

static size_t ts_addr_len(const struct ts *ts)
{
	return ts->family == AF_INET ? 4 : ts->family == AF_INET6 ? 16 : 0;
}

static bool ts_ports_opaque(const struct ts *ts)
{
	return ts->port_from == 65535 && ts->port_to == 0;
}

static bool ts_ports_all(const struct ts *ts)
{
	return ts->port_from == 0 && ts->port_to == 65535;
}

bool ts_is_valid(const struct ts *ts)
{
	if (ts->port_from > ts->port_to && !ts_ports_opaque(ts))
		return false;
	if (ts->dynamic)
		return true;
	return ts_addr_len(ts) && memcmp(ts->from, ts->to, ts_addr_len(ts)) <= 0;
}

bool ts_equal(const struct ts *a, const struct ts *b)
{
	return a->family == b->family && a->dynamic == b->dynamic && a->protocol == b->protocol &&
	       a->port_from == b->port_from && a->port_to == b->port_to &&
	       !memcmp(a->from, b->from, ts_addr_len(a)) && !memcmp(a->to, b->to, ts_addr_len(a));
}

/* RFC 4301, 4.4.1.1: ANY includes OPAQUE, a range of ports does not. */
static bool ts_intersect_ports(const struct ts *a, const struct ts *b, struct ts *out)
{
	if (ts_ports_opaque(a) || ts_ports_opaque(b)) {
		const struct ts *other = ts_ports_opaque(a) ? b : a;

		out->port_from = 65535;
		out->port_to = 0;
		return ts_ports_opaque(other) || ts_ports_all(other);
	}
	out->port_from = a->port_from > b->port_from ? a->port_from : b->port_from;
	out->port_to = a->port_to < b->port_to ? a->port_to : b->port_to;
	return out->port_from <= out->port_to;
}

bool ts_intersect(const struct ts *a, const struct ts *b, struct ts *ret_ts)
{
	struct ts out = { .family = a->family };
	size_t n = ts_addr_len(a);

	if (a->dynamic || b->dynamic || a->family != b->family || !ts_is_valid(a) || !ts_is_valid(b))
		return false;
	if (a->protocol && b->protocol && a->protocol != b->protocol)
		return false;
	out.protocol = a->protocol ? a->protocol : b->protocol;
	if (!ts_intersect_ports(a, b, &out))
		return false;
	memcpy(out.from, memcmp(a->from, b->from, n) > 0 ? a->from : b->from, n);
	memcpy(out.to, memcmp(a->to, b->to, n) < 0 ? a->to : b->to, n);
	if (memcmp(out.from, out.to, n) > 0)
		return false;
	*ret_ts = out;
	return true;
}

bool ts_contains(const struct ts *outer, const struct ts *inner)
{
	struct ts both;

	return ts_intersect(outer, inner, &both) && ts_equal(&both, inner);
}

bool ts_is_host(const struct ts *ts, const struct addr *host)
{
	size_t n = ts_addr_len(ts);

	return n && !ts->dynamic && ts->family == host->family && !memcmp(ts->from, host->ip, n) &&
	       !memcmp(ts->to, host->ip, n);
}

struct ts ts_from_addr(const struct addr *a)
{
	struct ts ts = { .family = a->family, .port_to = 65535 };

	memcpy(ts.from, a->ip, addr_len(a));
	memcpy(ts.to, a->ip, addr_len(a));
	return ts;
}

/* The address with all bits behind `len` cleared or set. */
static void addr_fill(uint8_t *ip, size_t n, unsigned len, bool ones)
{
	for (size_t i = 0; i < n; i++) {
		unsigned keep = len >= 8 ? 8 : len;
		uint8_t host = (uint8_t)(0xff >> keep);

		ip[i] = (uint8_t)(ones ? ip[i] | host : ip[i] & ~host);
		len -= keep;
	}
}

struct ts ts_from_prefix(const struct prefix *p)
{
	struct ts ts = ts_from_addr(&p->net);

	addr_fill(ts.from, ts_addr_len(&ts), p->len, false);
	addr_fill(ts.to, ts_addr_len(&ts), p->len, true);
	return ts;
}

struct ts ts_any(int family)
{
	struct ts ts = { .family = (uint8_t)family, .port_to = 65535 };

	memset(ts.to, 0xff, ts_addr_len(&ts));
	return ts;
}

struct prefix ts_cover(const struct ts *ts)
{
	struct prefix p = { .net = { .family = ts->family } };
	size_t n = ts_addr_len(ts);
	unsigned bits = 0;

	while (bits < n * 8) {
		uint8_t bit = (uint8_t)(0x80 >> bits % 8);

		if ((ts->from[bits / 8] ^ ts->to[bits / 8]) & bit)
			break;
		bits++;
	}
	memcpy(p.net.ip, ts->from, n);
	addr_fill(p.net.ip, n, bits, false);
	p.len = (uint8_t)bits;
	return p;
}

bool ts_to_prefix(const struct ts *ts, struct prefix *ret_prefix)
{
	struct prefix p = ts_cover(ts);
	struct ts whole = ts_from_prefix(&p);
	size_t n = ts_addr_len(ts);

	if (ts->dynamic || !n || memcmp(whole.from, ts->from, n) || memcmp(whole.to, ts->to, n))
		return false;
	*ret_prefix = p;
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

#include "proto/ts.h"
#include "util/mem.h"

/* The protocols that selectors name, so that texts do not depend on /etc/protocols there. */
static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{ "icmp", IPPROTO_ICMP }, { "igmp", IPPROTO_IGMP }, { "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },	  { "gre", IPPROTO_GRE },   { "esp", IPPROTO_ESP },
	{ "ah", IPPROTO_AH },	  { "ospf", 89 },	    { "ipv6-icmp", IPPROTO_ICMPV6 },
	{ "sctp", IPPROTO_SCTP },
};

/* Enough for an entry of the databases with all its aliases. */
#define DATABASE_BUF 2048

/* Text cut off a selector, as a string for the C library; false if too long for any name. */
static bool text_copy(struct bytes text, char *out, size_t size)
{
	if (text.n >= size || (text.n && memchr(text.p, 0, text.n)))
		return false;
	if (text.n)
		memcpy(out, text.p, text.n);
	out[text.n] = '\0';
	return true;
}

/* Digits only, up to max. */
static bool number_parse(struct bytes text, unsigned max, unsigned *ret)
{
	unsigned v = 0;

	if (!text.n || text.n > 9)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(text.p[i] - '0');
	}
	if (v > max)
		return false;
	*ret = v;
	return true;
}

/* Cuts text at the first `c`. Without one, head is all of it and the result is false. */
static bool text_split(struct bytes text, char c, struct bytes *head, struct bytes *tail)
{
	const uint8_t *at = text.n ? memchr(text.p, c, text.n) : NULL;

	*head = text;
	*tail = BYTES_NONE;
	if (!at)
		return false;
	*head = bytes_of(text.p, (size_t)(at - text.p));
	*tail = bytes_of(at + 1, text.n - head->n - 1);
	return true;
}

/* ---- parsing ---- */

static bool protocol_parse(struct bytes text, uint8_t *ret_protocol)
{
	char name[64], data[DATABASE_BUF];
	struct protoent entry, *found = NULL;
	unsigned v;

	if (!text.n || bytes_equal_str(text, "any")) {
		*ret_protocol = 0;
		return true;
	}
	if (number_parse(text, 255, &v)) {
		*ret_protocol = (uint8_t)v;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		if (bytes_equal_str(text, protocols[i].name)) {
			*ret_protocol = protocols[i].number;
			return true;
		}
	}
	if (!text_copy(text, name, sizeof(name)) ||
	    getprotobyname_r(name, &entry, data, sizeof(data), &found) || !found ||
	    found->p_proto < 0 || found->p_proto > 255)
		return false;
	*ret_protocol = (uint8_t)found->p_proto;
	return true;
}

static bool protocol_is_icmp(unsigned protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

/* The name under which services are listed for a protocol, NULL for any and unknown ones. */
static const char *protocol_service_name(unsigned protocol)
{
	for (size_t i = 0; protocol && i < ARRAY_LEN(protocols); i++) {
		if (protocols[i].number == protocol)
			return protocols[i].name;
	}
	return NULL;
}

static bool port_parse(struct bytes text, uint8_t protocol, uint16_t *ret_port)
{
	char name[64], data[DATABASE_BUF];
	struct servent entry, *found = NULL;
	unsigned v;

	if (number_parse(text, 65535, &v)) {
		/* An ICMP type alone, or type and code. */
		if (protocol_is_icmp(protocol) && v < 256)
			v *= 256;
		*ret_port = (uint16_t)v;
		return true;
	}
	if (protocol_is_icmp(protocol) || !text_copy(text, name, sizeof(name)) || !text.n ||
	    getservbyname_r(name, protocol_service_name(protocol), &entry, data, sizeof(data),
			    &found) ||
	    !found)
		return false;
	*ret_port = ntohs((uint16_t)found->s_port);
	return true;
}

static bool ports_parse(struct bytes text, struct ts *ts)
{
	struct bytes from, to;

	if (!text.n || bytes_equal_str(text, "any"))
		return true;
	if (bytes_equal_str(text, "opaque")) {
		ts->port_from = 65535;
		ts->port_to = 0;
		return true;
	}
	if (port_parse(text, ts->protocol, &ts->port_from)) { /* also names with a dash */
		ts->port_to = ts->port_from;
		return true;
	}
	return text_split(text, '-', &from, &to) && port_parse(from, ts->protocol, &ts->port_from) &&
	       port_parse(to, ts->protocol, &ts->port_to) && ts->port_from <= ts->port_to;
}

static bool address_parse(struct bytes text, struct addr *ret_addr)
{
	struct addr a;

	if (bytes_equal_str(text, "%any")) {
		*ret_addr = (struct addr){ .family = AF_INET };
		return true;
	}
	if (!addr_parse(text, &a) || !addr_len(&a) || a.scope)
		return false;
	*ret_addr = a;
	return true;
}

static bool range_parse(struct bytes text, struct ts *ts)
{
	struct bytes head, tail;
	struct addr from, to;
	unsigned len = 0;

	if (bytes_equal_str(text, "dynamic")) {
		ts->dynamic = true;
		return true;
	}
	if (text_split(text, '-', &head, &tail)) {
		if (!address_parse(head, &from) || !address_parse(tail, &to) ||
		    from.family != to.family)
			return false;
		*ts = ts_from_addr(&from);
		memcpy(ts->to, to.ip, addr_len(&to));
		return ts_is_valid(ts);
	}
	if (text_split(text, '/', &head, &tail)) {
		struct prefix p;

		if (!address_parse(head, &p.net) || !number_parse(tail, 999999999, &len))
			return false;
		if (len > addr_len(&p.net) * 8)
			len = (unsigned)addr_len(&p.net) * 8;
		p.len = (uint8_t)len;
		*ts = ts_from_prefix(&p);
		return true;
	}
	if (!address_parse(text, &from))
		return false;
	*ts = ts_from_addr(&from);
	return true;
}

bool ts_parse(struct bytes text, struct ts *ret_ts)
{
	struct ts ts = { .port_to = 65535 };
	struct bytes address, rest, protocol, ports;

	if (text_split(text, '[', &address, &rest)) {
		if (!rest.n || rest.p[rest.n - 1] != ']')
			return false;
		rest.n--;
	}
	if (!range_parse(address, &ts))
		return false;
	(void)text_split(rest, '/', &protocol, &ports);
	if (!protocol_parse(protocol, &ts.protocol) || !ports_parse(ports, &ts))
		return false;
	*ret_ts = ts;
	return true;
}

/* ---- formatting ---- */

struct text_out {
	char *s;
	size_t size;
	size_t n;
};

static void PRINTF_LIKE(2, 3) text_printf(struct text_out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->s + o->n, o->size - o->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		o->n += (size_t)n < o->size - o->n ? (size_t)n : o->size - o->n - 1;
}

static void protocol_format(struct text_out *o, unsigned protocol)
{
	const char *known = protocol_service_name(protocol);
	char data[DATABASE_BUF];
	struct protoent entry, *found = NULL;

	if (known)
		text_printf(o, "%s", known);
	else if (protocol && !getprotobynumber_r((int)protocol, &entry, data, sizeof(data), &found) &&
		 found)
		text_printf(o, "%.40s", found->p_name);
	else
		text_printf(o, "%u", protocol);
}

static void port_format(struct text_out *o, unsigned protocol, unsigned port)
{
	const char *name = protocol_service_name(protocol);
	char data[DATABASE_BUF];
	struct servent entry, *found = NULL;

	if (protocol_is_icmp(protocol)) {
		text_printf(o, "%u", port / 256);
		if (port % 256)
			text_printf(o, "(%u)", port % 256);
	} else if (name &&
		   !getservbyport_r(htons((uint16_t)port), name, &entry, data, sizeof(data), &found) &&
		   found) {
		text_printf(o, "%.40s", found->s_name);
	} else {
		text_printf(o, "%u", port);
	}
}

static void ports_format(struct text_out *o, const struct ts *ts)
{
	if (ts->port_from == 65535 && ts->port_to == 0) {
		text_printf(o, "OPAQUE");
	} else if (ts->port_from == ts->port_to) {
		port_format(o, ts->protocol, ts->port_from);
	} else if (protocol_is_icmp(ts->protocol)) {
		port_format(o, ts->protocol, ts->port_from);
		text_printf(o, "-");
		port_format(o, ts->protocol, ts->port_to);
	} else {
		text_printf(o, "%u-%u", ts->port_from, ts->port_to);
	}
}

static void range_format(struct text_out *o, const struct ts *ts)
{
	struct addr from = addr_from_ip(ts->family, ts->from);
	struct addr to = addr_from_ip(ts->family, ts->to);
	struct prefix p;

	if (ts->dynamic) {
		text_printf(o, "dynamic");
	} else if (ts_to_prefix(ts, &p)) {
		text_printf(o, "%s/%u", addr_format(&p.net).s, p.len);
	} else {
		text_printf(o, "%s..", addr_format(&from).s);
		text_printf(o, "%s", addr_format(&to).s);
	}
}

struct ts_text ts_format(const struct ts *ts)
{
	struct ts_text text = { "" };
	struct text_out o = { text.s, sizeof(text.s), 0 };
	bool all_ports = ts->port_from == 0 && ts->port_to == 65535;

	range_format(&o, ts);
	if (!ts->protocol && all_ports)
		return text;
	text_printf(&o, "[");
	protocol_format(&o, ts->protocol);
	if (!all_ports) {
		text_printf(&o, "/");
		ports_format(&o, ts);
	}
	text_printf(&o, "]");
	return text;
}

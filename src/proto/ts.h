/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PROTO_TS_H
#define BEWICK_PROTO_TS_H

#include "util/addr.h"
#include "util/arena.h"

/* Traffic selector (RFC 7296, 3.13.1): one address range, one protocol or any,
 * one port range. ICMP type and code stand in the ports as type * 256 + code.
 * "OPAQUE" ports (RFC 4301, 4.4.1.1) are port_from 65535, port_to 0; all ports include
 * OPAQUE. */
struct ts {
	uint8_t family;   /* AF_INET, AF_INET6; 0 for dynamic */
	uint8_t protocol; /* 0 = any */
	bool dynamic;     /* configuration only: the IKE or virtual address goes here */
	uint16_t port_from;
	uint16_t port_to;
	uint8_t from[16];
	uint8_t to[16];
};

struct ts_list {
	size_t count;
	const struct ts *p;
};

struct ts_text {
	char s[160];
};

/* "10.1.0.0/16", "10.1.0.5-10.1.0.9[udp/5000-5010]", "dynamic[tcp/http]" (swanctl.conf).
 * Looks names up in the protocol and service databases: not for workers. */
EXPORT MUST_CHECK bool ts_parse(struct bytes text, struct ts *ret_ts);
/* As VICI prints it: "10.1.0.5..10.1.0.9[udp/5000-5010]". Ports get their service's name. */
EXPORT struct ts_text ts_format(const struct ts *ts);
EXPORT void ts_list_format(struct buf *out, struct ts_list list); /* blanks between */
EXPORT bool ts_equal(const struct ts *a, const struct ts *b);
EXPORT bool ts_is_valid(const struct ts *ts); /* a family, from <= to, in ports too (or OPAQUE) */
/* The traffic both match; false if there is none, as with invalid and dynamic ones.
 * Commutative, idempotent, associative. */
EXPORT MUST_CHECK bool ts_intersect(const struct ts *a, const struct ts *b, struct ts *ret_ts);
EXPORT bool ts_contains(const struct ts *outer, const struct ts *inner);
/* Exactly this address; protocol and ports do not matter. */
EXPORT bool ts_is_host(const struct ts *ts, const struct addr *host);
EXPORT struct ts ts_from_addr(const struct addr *a); /* /32 or /128, any protocol */
EXPORT struct ts ts_from_prefix(const struct prefix *p);
EXPORT struct ts ts_any(int family);
/* Whether the address range is a CIDR; gives it. */
EXPORT MUST_CHECK bool ts_to_prefix(const struct ts *ts, struct prefix *ret_prefix);
/* The smallest CIDR that covers the range. */
EXPORT struct prefix ts_cover(const struct ts *ts);
/* Puts `hosts` in place of dynamic entries (the same protocol and ports, one entry per host of
 * either family); others are copied. */
EXPORT struct ts_list ts_resolve(struct arena *a, struct ts_list conf, const struct addr *hosts, size_t n_hosts);
/*
 * Responder's narrowing (RFC 7296, 2.9): all non-empty intersections of ours with theirs,
 * without entries contained in others, in the order of `theirs`. Never wider than
 * either. At most LIMIT_SELECTORS. Empty list: TS_UNACCEPTABLE.
 */
EXPORT struct ts_list ts_narrow(struct arena *a, struct ts_list ours, struct ts_list theirs);
/* Every entry of `inner` lies in some entry of `outer`. */
EXPORT bool ts_list_within(struct ts_list outer, struct ts_list inner);
/* The same entries, in any order. */
EXPORT bool ts_list_equal(struct ts_list a, struct ts_list b);

#endif

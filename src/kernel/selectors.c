/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/selectors.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "kernel/route.h"
#include "util/mem.h"

#define PORT_MASKS_MAX 30
#define PORT_BITS 16
#define PROTO_MH 135

struct port_mask {
	uint16_t port, mask;
};

/* The smallest set of masks that makes up a range. */
static size_t port_masks(unsigned from, unsigned to, struct port_mask ret[PORT_MASKS_MAX])
{
	size_t n = 0;

	while (from <= to && n < PORT_MASKS_MAX) {
		unsigned size = 1;

		while (size < 1u << PORT_BITS && !(from & size) && from + 2 * size - 1 <= to)
			size *= 2;
		ret[n++] = (struct port_mask){ (uint16_t)from, (uint16_t)~(size - 1) };
		from += size;
	}
	return n;
}

/* Protocols whose type and code stand in the ports, the same in both selectors. */
static bool proto_has_types(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 || protocol == PROTO_MH;
}

/* The ports of a pair. */
struct port_pairs {
	struct port_mask local[PORT_MASKS_MAX], remote[PORT_MASKS_MAX];
	size_t n_local, n_remote;
};

static bool ports_of(const struct ts *l, const struct ts *r, uint8_t protocol, struct port_pairs *ret)
{
	unsigned from, to;

	if (!proto_has_types(protocol)) {
		ret->n_local = port_masks(l->port_from, l->port_to, ret->local);
		ret->n_remote = port_masks(r->port_from, r->port_to, ret->remote);
		return true;
	}
	from = l->port_from > r->port_from ? l->port_from : r->port_from;
	to = l->port_to < r->port_to ? l->port_to : r->port_to;
	ret->n_local = port_masks(from, to, ret->local);
	ret->n_remote = 1;
	ret->remote[0] = (struct port_mask){ 0, 0 };
	return from <= to;
}

static void selector_set_ports(struct xfrm_selector *s, const struct port_mask *local, const struct port_mask *remote)
{
	if (proto_has_types(s->proto)) { /* the kernel has the type as source port, the code as the other */
		s->sport = htons(local->port >> 8);
		s->sport_mask = htons(local->mask >> 8);
		s->dport = htons(local->port & 0xff);
		s->dport_mask = s->proto == PROTO_MH ? 0 : htons(local->mask & 0xff);
		return;
	}
	s->sport = htons(local->port);
	s->sport_mask = htons(local->mask);
	s->dport = htons(remote->port);
	s->dport_mask = htons(remote->mask);
}

static struct xfrm_selector selector_of(const struct prefix *local, const struct prefix *remote, uint8_t protocol)
{
	struct xfrm_selector s;

	memset(&s, 0, sizeof(s)); /* the kernel compares padding, too */
	s.family = local->net.family;
	s.proto = protocol;
	memcpy(&s.saddr, local->net.ip, addr_len(&local->net));
	memcpy(&s.daddr, remote->net.ip, addr_len(&remote->net));
	s.prefixlen_s = local->len;
	s.prefixlen_d = remote->len;
	return s;
}

static bool selectors_pair(const struct ts *l, const struct ts *r, struct selectors *out)
{
	struct prefix local[ROUTE_PREFIXES_MAX], remote[ROUTE_PREFIXES_MAX];
	uint8_t protocol = l->protocol ? l->protocol : r->protocol;
	size_t n_local, n_remote, n;
	struct port_pairs ports;

	if (l->family != r->family || (r->protocol && r->protocol != protocol) || !ports_of(l, r, protocol, &ports))
		return true;
	n_local = route_prefixes(l, local);
	n_remote = route_prefixes(r, remote);
	n = n_local * n_remote * ports.n_local * ports.n_remote;
	if (n > SELECTORS_MAX - out->n)
		return false;
	out->list = xrealloc(out->list, (out->n + n) * sizeof(*out->list));
	for (size_t i = 0; i < n; i++) {
		size_t at = i;
		size_t rp = at % ports.n_remote, lp = (at /= ports.n_remote) % ports.n_local;
		size_t ra = (at /= ports.n_local) % n_remote, la = at / n_remote;
		struct xfrm_selector s = selector_of(&local[la], &remote[ra], protocol);

		selector_set_ports(&s, &ports.local[lp], &ports.remote[rp]);
		memcpy(&out->list[out->n++], &s, sizeof(s));
	}
	return true;
}

static bool selectors_check(struct ts_list list, const char *name, struct errtext *err)
{
	for (size_t i = 0; i < list.count; i++) {
		const struct ts *ts = &list.p[i];

		if (ts_is_valid(ts) && ts->port_from <= ts->port_to)
			continue;
		errtext_set(err, "%s: the kernel cannot match %s%s", name, ts_format(ts).s,
			    ts->port_from > ts->port_to ? " (OPAQUE ports)" : "");
		return false;
	}
	return true;
}

bool selectors_make(struct ts_list local, struct ts_list remote, const char *name, struct selectors *ret,
		    struct errtext *err)
{
	struct selectors s = { NULL, 0 };
	bool fits = selectors_check(local, name, err) && selectors_check(remote, name, err);

	if (!fits)
		return false;
	for (size_t i = 0; i < local.count && fits; i++)
		for (size_t j = 0; j < remote.count && fits; j++)
			fits = selectors_pair(&local.p[i], &remote.p[j], &s);
	if (fits && s.n) {
		*ret = s;
		return true;
	}
	if (!fits)
		errtext_set(err, "%s: its selectors need more than %d pairs of prefixes and port masks", name,
			    SELECTORS_MAX);
	else
		errtext_set(err, "%s: no local selector fits a remote one", name);
	selectors_free(&s);
	return false;
}

static bool list_cover(struct ts_list list, struct ts *ret)
{
	struct ts all;

	if (list.count == 0)
		return false;
	all = list.p[0];
	for (size_t i = 1; i < list.count; i++) {
		const struct ts *ts = &list.p[i];

		if (ts->family != all.family)
			return false;
		if (memcmp(ts->from, all.from, sizeof(all.from)) < 0)
			memcpy(all.from, ts->from, sizeof(all.from));
		if (memcmp(ts->to, all.to, sizeof(all.to)) > 0)
			memcpy(all.to, ts->to, sizeof(all.to));
		if (ts->protocol != all.protocol)
			all.protocol = 0;
	}
	*ret = all;
	return all.family == AF_INET || all.family == AF_INET6;
}

bool selectors_cover(struct ts_list local, struct ts_list remote, struct xfrm_selector *ret)
{
	struct prefix from, to;
	struct ts l, r;

	if (!list_cover(local, &l) || !list_cover(remote, &r) || l.family != r.family)
		return false;
	from = ts_cover(&l);
	to = ts_cover(&r);
	/* either may leave the protocol to the other */
	*ret = selector_of(&from, &to, l.protocol == r.protocol ? l.protocol : 0);
	return true;
}

void selectors_free(struct selectors *s)
{
	free(s->list);
	*s = (struct selectors){ NULL, 0 };
}

struct xfrm_selector selector_reverse(const struct xfrm_selector *s)
{
	struct xfrm_selector r;

	memcpy(&r, s, sizeof(r));
	r.saddr = s->daddr;
	r.daddr = s->saddr;
	r.prefixlen_s = s->prefixlen_d;
	r.prefixlen_d = s->prefixlen_s;
	if (proto_has_types(s->proto))
		return r;
	r.sport = s->dport;
	r.sport_mask = s->dport_mask;
	r.dport = s->sport;
	r.dport_mask = s->sport_mask;
	return r;
}

struct ts selector_ts(const struct xfrm_selector *s, bool src)
{
	struct addr a = addr_from_ip(s->family, (const uint8_t *)(src ? &s->saddr : &s->daddr));
	struct ts ts = ts_from_addr(&a);

	ts.protocol = s->proto;
	if (proto_has_types(s->proto)) {
		if (s->sport_mask)
			ts.port_from = ts.port_to = (uint16_t)(ntohs(s->sport) << 8 | (ntohs(s->dport) & 0xff));
	} else if (src ? s->sport_mask : s->dport_mask) {
		ts.port_from = ts.port_to = ntohs(src ? s->sport : s->dport);
	}
	return ts;
}

static unsigned mask_bits(uint16_t mask)
{
	return (unsigned)__builtin_popcount(mask);
}

uint32_t selector_priority(const struct xfrm_selector *s, enum policy_class class)
{
	unsigned width = (s->family == AF_INET ? 64u : 256u) - s->prefixlen_s - s->prefixlen_d;
	unsigned ports = 2 * PORT_BITS - mask_bits(s->sport_mask) - mask_bits(s->dport_mask);
	unsigned upper = ports + (s->proto ? 0 : 2 * PORT_BITS + 1); /* 0 to 65 */

	return PRIORITY_FIRST + (width << 10 | (s->ifindex ? 0u : 1u) << 9 | upper << 2 | (unsigned)class);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "util/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>

/* Longest text of an address: IPv6 with the name of an interface. */
#define ADDR_TEXT_MAX (INET6_ADDRSTRLEN + 1 + IF_NAMESIZE)

static bool decimal_parse(struct bytes text, uint64_t max, uint64_t *ret_value)
{
	uint64_t v = 0;

	if (text.n == 0 || text.n > 10 || (text.p[0] == '0' && text.n > 1))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		v = v * 10 + (text.p[i] - '0');
	}
	if (v > max)
		return false;
	*ret_value = v;
	return true;
}

/* The part before the first c, and what follows c; without c all and nothing. */
static bool text_split(struct bytes text, uint8_t c, struct bytes *ret_head, struct bytes *ret_tail)
{
	const uint8_t *at = text.n ? memchr(text.p, c, text.n) : NULL;
	size_t head = at ? (size_t)(at - text.p) : text.n;

	*ret_head = bytes_of(text.p, head);
	*ret_tail = at ? bytes_of(at + 1, text.n - head - 1) : BYTES_NONE;
	return at != NULL;
}

static bool text_copy(struct bytes text, char *out, size_t size)
{
	if (text.n == 0 || text.n >= size || memchr(text.p, '\0', text.n))
		return false;
	memcpy(out, text.p, text.n);
	out[text.n] = '\0';
	return true;
}

static bool scope_parse(struct bytes text, uint32_t *ret_scope)
{
	char name[IF_NAMESIZE];
	uint64_t index;

	if (!text_copy(text, name, sizeof(name)))
		return false;
	index = if_nametoindex(name);
	if (index == 0 && !decimal_parse(text, UINT32_MAX, &index))
		return false;
	*ret_scope = (uint32_t)index;
	return index != 0;
}

bool addr_parse(struct bytes text, struct addr *ret_addr)
{
	struct bytes ip, scope;
	bool scoped = text_split(text, '%', &ip, &scope);
	struct addr a = { 0 };
	char s[ADDR_TEXT_MAX];

	if (!text_copy(ip, s, sizeof(s)))
		return false;
	a.family = memchr(ip.p, ':', ip.n) ? AF_INET6 : AF_INET;
	if (inet_pton(a.family, s, a.ip) != 1)
		return false;
	/* elsewhere a scope has no meaning and would only make equal addresses differ */
	if (scoped && (a.family != AF_INET6 || !addr_is_link_local(&a) || !scope_parse(scope, &a.scope)))
		return false;
	*ret_addr = a;
	return true;
}

static void addr_mask(struct addr *a, unsigned bits)
{
	for (unsigned i = 0; i < sizeof(a->ip); i++, bits -= bits < 8 ? bits : 8) {
		if (bits < 8)
			a->ip[i] &= (uint8_t)(0xff00 >> bits);
	}
}

bool prefix_parse(struct bytes text, struct prefix *ret_prefix)
{
	struct bytes ip, len;
	bool has_len = text_split(text, '/', &ip, &len);
	struct prefix p = { 0 };
	uint64_t bits;

	if (!addr_parse(ip, &p.net))
		return false;
	bits = addr_len(&p.net) * 8;
	if (has_len && !decimal_parse(len, bits, &bits))
		return false;
	p.len = (uint8_t)bits;
	addr_mask(&p.net, p.len);
	*ret_prefix = p;
	return true;
}

static size_t addr_write_ipv4(const uint8_t *ip, char *out)
{
	size_t n = 0;

	for (unsigned i = 0; i < 4; i++) {
		n += decimal_format(out + n, ip[i], 1);
		out[n++] = i < 3 ? '.' : '\0';
	}
	return n - 1;
}

/* Writes the address without port and returns the length. */
static size_t addr_write(const struct addr *a, char *out, size_t size)
{
	char name[IF_NAMESIZE];
	int n;

	if (a->family == AF_INET)
		return addr_write_ipv4(a->ip, out);
	if (addr_len(a) == 0 || !inet_ntop(a->family, a->ip, out, (socklen_t)size)) {
		n = snprintf(out, size, "%%any");
		return (size_t)n;
	}
	n = (int)strlen(out);
	if (a->family == AF_INET6 && a->scope) {
		if (if_indextoname(a->scope, name))
			n += snprintf(out + n, size - (size_t)n, "%%%s", name);
		else
			n += snprintf(out + n, size - (size_t)n, "%%%u", a->scope);
	}
	return (size_t)n;
}

struct addr_text addr_format(const struct addr *a)
{
	struct addr_text t;

	(void)addr_write(a, t.s, sizeof(t.s));
	return t;
}

struct addr_text addr_format_port(const struct addr *a)
{
	struct addr_text t;
	size_t n = addr_write(a, t.s, sizeof(t.s));

	(void)snprintf(t.s + n, sizeof(t.s) - n, "[%u%s]", a->port, a->stream ? "/tcp" : "");
	return t;
}

bool addr_equal_ip(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, addr_len(a)) == 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_equal_ip(a, b) && a->port == b->port && a->scope == b->scope && a->stream == b->stream;
}

bool addr_is_any(const struct addr *a)
{
	size_t n = addr_len(a);

	for (size_t i = 0; i < n; i++) {
		if (a->ip[i])
			return false;
	}
	return true;
}

bool addr_is_link_local(const struct addr *a)
{
	if (a->family == AF_INET)
		return a->ip[0] == 169 && a->ip[1] == 254;
	return a->family == AF_INET6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	struct addr masked = *a;

	if (a->family != p->net.family || addr_len(a) == 0)
		return false;
	addr_mask(&masked, p->len);
	return memcmp(masked.ip, p->net.ip, addr_len(a)) == 0;
}

struct addr addr_from_ip(int family, const uint8_t *ip)
{
	struct addr a = { .family = (uint8_t)family };

	memcpy(a.ip, ip, addr_len(&a));
	return a;
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ret_sa)
{
	memset(ret_sa, 0, sizeof(*ret_sa));
	if (a->family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret_sa;

		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip, 4);
		return sizeof(*in);
	}
	if (a->family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_sa;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(a->port);
		in6->sin6_scope_id = a->scope;
		memcpy(&in6->sin6_addr, a->ip, 16);
		return sizeof(*in6);
	}
	return 0;
}

bool addr_from_sockaddr(const struct sockaddr_storage *sa, struct addr *ret_addr)
{
	struct addr a = { 0 };

	if (sa->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		a.port = ntohs(in->sin_port);
		memcpy(a.ip, &in->sin_addr, 4);
	} else if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		a.port = ntohs(in6->sin6_port);
		memcpy(a.ip, &in6->sin6_addr, 16);
		if (addr_is_link_local(&(struct addr){ .family = AF_INET6, .ip = { a.ip[0], a.ip[1] } }))
			a.scope = in6->sin6_scope_id;
	} else {
		return false;
	}
	a.family = (uint8_t)sa->ss_family;
	*ret_addr = a;
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_UTIL_ADDR_H
#define BEWICK_UTIL_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "util/bytes.h"

/* An IP address and, where it matters, a port: of UDP, or of the TCP stream that is named. A zeroed one is "none". */
struct addr {
	uint8_t family; /* AF_INET, AF_INET6 or 0 = none */
	uint16_t port;  /* host order */
	uint32_t scope; /* interface index of a link-local IPv6 address, else 0 */
	uint8_t ip[16]; /* network order; IPv4 uses the first 4 */
	uint32_t stream; /* of the peer: which TCP stream leads there (net/tcp.h); 0: UDP */
};

struct prefix {
	struct addr net; /* host bits zero */
	uint8_t len;     /* bits */
};

struct addr_text {
	char s[80];
};

static inline size_t addr_len(const struct addr *a)
{
	return a->family == AF_INET ? 4 : a->family == AF_INET6 ? 16 : 0;
}

EXPORT MUST_CHECK bool addr_parse(struct bytes text, struct addr *ret_addr); /* IP, port 0; "fe80::1%eth0" allowed */
EXPORT MUST_CHECK bool prefix_parse(struct bytes text, struct prefix *ret_prefix); /* CIDR or plain IP; host bits are cut */
EXPORT struct addr_text addr_format(const struct addr *a);      /* 10.0.0.1, "%any" for none */
EXPORT struct addr_text addr_format_port(const struct addr *a); /* 10.0.0.1[500], 10.0.0.1[4500/tcp] */
EXPORT bool addr_equal(const struct addr *a, const struct addr *b);    /* with port, scope and stream */
EXPORT bool addr_equal_ip(const struct addr *a, const struct addr *b); /* family and ip */
EXPORT bool addr_is_any(const struct addr *a); /* none, 0.0.0.0 or :: */
EXPORT bool addr_is_link_local(const struct addr *a); /* 169.254/16, fe80::/10 */
EXPORT bool prefix_contains(const struct prefix *p, const struct addr *a);
EXPORT struct addr addr_from_ip(int family, const uint8_t *ip);
EXPORT socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ret_sa);
EXPORT MUST_CHECK bool addr_from_sockaddr(const struct sockaddr_storage *sa, struct addr *ret_addr);

#endif

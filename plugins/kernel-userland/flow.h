/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_FLOW_H
#define USERLAND_FLOW_H

#include "proto/ts.h"
#include "util/bytes.h"
#include "util/hash.h"

/* What selectors, the tunnel and ICMP errors need to know of an inner packet. */
struct flow {
	uint8_t family;   /* AF_INET, AF_INET6 */
	uint8_t protocol; /* of the upper layer */
	uint8_t tos;      /* TOS byte or traffic class */
	bool df;          /* must not be fragmented: IPv4 with DF, every IPv6 */
	bool first;       /* the first of several fragments */
	bool later;       /* a fragment without the upper header */
	bool has_ports;
	uint16_t src_port, dst_port; /* ICMP: type * 256 + code in both (RFC 4301, 4.4.1.1) */
	uint32_t frag_id;
	uint32_t len; /* as the IP header says; what follows is TFC padding (RFC 4303, 2.7) */
	uint8_t src[16], dst[16]; /* IPv4 uses the first 4 */
};

/* False: not a whole IPv4 or IPv6 packet. */
bool flow_parse(struct bytes packet, struct flow *ret_flow);
/* Whether local (the source when `out`) and remote fit. Unknown ports fit only selectors
 * that do not ask for any (RFC 4301, 4.4.1.1). */
bool flow_matches(const struct flow *f, bool out, const struct ts *local, const struct ts *remote);
/* Whether some pair of the two lists fits. */
bool flow_within(const struct flow *f, bool out, struct ts_list local, struct ts_list remote);

/* Ports of fragmented packets, so that later fragments go the way of the first (RFC 4301, 7.3). A small
 * cache: a fragment that comes before its first, or whose entry was overwritten, has no ports. */
#define FRAG_CACHE_SIZE 256

struct frag_cache {
	struct hash_key key;
	struct flow entries[FRAG_CACHE_SIZE]; /* family 0: empty */
};

/* Fills in the ports of a later fragment if they are known. */
void frag_cache_find(const struct frag_cache *c, struct flow *f);
/* Keeps the ports of a first fragment that was let through; no-op for other packets. */
void frag_cache_keep(struct frag_cache *c, const struct flow *f);

#endif

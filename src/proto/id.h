/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PROTO_ID_H
#define BEWICK_PROTO_ID_H

#include "proto/iana.h"
#include "util/addr.h"
#include "util/bytes.h"

/* IKE identity (RFC 7296, 3.5): type and the octets of the payload. Type 0 is
 * "any". The data is owned by whoever made it: id_free for parsed and
 * duplicated ones, none for views onto a message. */
struct id {
	uint8_t type; /* enum id_type; 0 = any */
	struct bytes data;
};

/* How well an identity fits a pattern; larger is better. */
enum id_match {
	ID_MATCH_NONE = 0,
	ID_MATCH_ANY = 1,      /* pattern is %any */
	ID_MATCH_WILDCARD = 2, /* plus the number of exact parts */
	ID_MATCH_PERFECT = 20,
};

/* swanctl's text forms. What is not another type is FQDN or key id, so this cannot fail on
 * syntax; it fails for data longer than LIMIT_ID. ret owns its data (id_free). */
EXPORT MUST_CHECK bool id_parse(struct bytes text, struct id *ret_id);
EXPORT void id_free(struct id *id); /* and makes it any */
EXPORT struct id id_dup(const struct id *id); /* owned */
EXPORT struct id id_from_addr(const struct addr *a); /* owned */
EXPORT bool id_equal(const struct id *a, const struct id *b); /* FQDN and e-mail: case-insensitive; DN: by RDN */
EXPORT bool id_is_any(const struct id *id);
EXPORT int id_match(const struct id *id, const struct id *pattern); /* enum id_match, or more than WILDCARD */
EXPORT uint64_t id_hash_bytes(const struct id *id, struct buf *scratch); /* normal form for hashing into scratch; returns its length */
EXPORT void id_format(struct buf *out, const struct id *id); /* as VICI prints it */

struct id_text {
	char s[256];
};
EXPORT struct id_text id_text(const struct id *id); /* the same, cut to size */

#endif

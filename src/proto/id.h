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

/* What may differ between a DN and a pattern with RDNs (charon.rdn_matching). */
enum id_dn_matching {
	ID_DN_STRICT = 0, /* the same number of RDNs in the same order */
	ID_DN_REORDERED,  /* the same number in any order */
	ID_DN_RELAXED,    /* any order, and the pattern may lack some */
};

/* swanctl's text forms. What is not another type is FQDN or key id, so this cannot fail on
 * syntax; it fails for data longer than LIMIT_ID. ret owns its data (id_free).
 * uri: and xmppaddr: give a GeneralName, nets and ranges the types 4 and 6 to 8, which are
 * patterns only. A FQDN, e-mail or DN written ^...$ is a regular expression as a pattern. */
EXPORT MUST_CHECK bool id_parse(struct bytes text, struct id *ret_id);
EXPORT void id_free(struct id *id); /* and makes it any */
EXPORT struct id id_dup(const struct id *id); /* owned */
EXPORT struct id id_from_addr(const struct addr *a); /* owned */
EXPORT bool id_equal(const struct id *a, const struct id *b); /* FQDN and e-mail: case-insensitive; DN: by RDN */
EXPORT bool id_is_any(const struct id *id);
/* enum id_match, or between WILDCARD and PERFECT. A pattern is any, an equal identity, *suffix
 * (FQDN, e-mail), a DN with values "*", a net or range around an address, or a regular
 * expression: POSIX extended, case-insensitive, against the text. */
EXPORT int id_match(const struct id *id, const struct id *pattern);
/* Whether it may match other identities than those equal to it; %any does. */
EXPORT bool id_is_pattern(const struct id *id);
/* False for a regular expression that does not compile: it would match nothing. */
EXPORT bool id_pattern_is_valid(const struct id *pattern);
/* For all id_match of the process; ID_DN_STRICT at start. Any thread. */
EXPORT void id_set_dn_matching(enum id_dn_matching mode);
EXPORT enum id_dn_matching id_dn_matching(void);
/* Whether only an identity that id_equal calls the same fits (DNs: while id_dn_matching is strict). In doubt false. For indexes. */
EXPORT bool id_is_exact(const struct id *pattern);
/* Appends a normal form for hashing to scratch, the same for identities that id_equal calls
 * equal; returns its length. */
EXPORT uint64_t id_hash_bytes(const struct id *id, struct buf *scratch);
/* As VICI prints it: printable UTF-8 whatever the peer sent. */
EXPORT void id_format(struct buf *out, const struct id *id);

struct id_text {
	char s[256];
};
EXPORT struct id_text id_text(const struct id *id); /* the same, cut to size */

#endif

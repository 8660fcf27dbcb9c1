/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_IPSECKEY_H
#define BEWICK_TEST_IPSECKEY_H

#include <check.h>

#include "plugins/ipseckey/chain.h"

TCase *anchors_tests(void);
TCase *chain_tests(void);
TCase *dns_tests(void);
TCase *record_tests(void);

/* ---- zones that are signed here (signed_zone.c); times are seconds since 1970 ---- */

#define ZONE_NOW 1800000000
#define ZONE_SIGNED (ZONE_NOW - 3600)
#define ZONE_EXPIRES (ZONE_NOW + 3600)

struct zone_key {
	ldns_rdf *zone;
	ldns_key *key;
	ldns_rr *dnskey;
};

struct zone_key zone_key_new(const char *zone);
void zone_key_free(struct zone_key *k);
ldns_rr *zone_ds(const struct zone_key *k, ldns_hash hash);

/* What a name server would say. */
struct world {
	struct {
		char *name;
		ldns_rr_type type;
		ldns_rr_list *answer;
	} entries[128];
	size_t n;
	unsigned asked;
};

void world_clear(struct world *w);
/* One more record of an answer; takes rr. */
void world_add(struct world *w, const char *name, ldns_rr_type type, ldns_rr *rr);
void world_add_text(struct world *w, const char *name, ldns_rr_type type, const char *rr);
/* Signs the records of that answer. */
void world_sign(struct world *w, const char *name, ldns_rr_type type, const struct zone_key *k);
/* DNSKEY of the zone, signed by itself; DS in the parent, signed by that (NULL: none). */
void world_zone(struct world *w, const struct zone_key *k, const struct zone_key *parent);
ldns_rr_list *world_answer(struct world *w, const char *name, ldns_rr_type type);
ldns_pkt *world_ask(void *arg, const ldns_rdf *name, ldns_rr_type type, struct errtext *err);

#endif

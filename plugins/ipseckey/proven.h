/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_IPSECKEY_PROVEN_H
#define BEWICK_IPSECKEY_PROVEN_H

#include <time.h>

#include "util/result.h"
#include "with_ldns.h"

/* Single links of a chain of trust: whether a key signed a set of records. */
struct proof {
	time_t now;
	unsigned left; /* signatures that may still be verified */
};

struct dname_text {
	char s[128]; /* cut */
};

struct dname_text dname_text(const ldns_rdf *name);
unsigned dname_labels(const ldns_rdf *name); /* without the root's */
bool dname_is_within(const ldns_rdf *name, const ldns_rdf *zone); /* or the same */

/* The records of the answer section; the list is the caller's (ldns_rr_list_free), the records are the packet's. */
ldns_rr_list *packet_records(const ldns_pkt *pkt, const ldns_rdf *name, ldns_rr_type type);
/* The zone that a usable signature of the records says it is of; NULL: there is none. The packet's. */
const ldns_rdf *packet_signer(const ldns_pkt *pkt, const ldns_rr_list *set);

bool dnskey_may_sign(const ldns_rr *key);
bool ds_names_key(const ldns_rr *ds, const ldns_rr *key);

/* Whether one of the zone's keys signed the records, by a signature in the packet. */
bool proof_check(struct proof *p, const ldns_pkt *pkt, ldns_rr_list *set, const ldns_rdf *zone, const ldns_rr_list *keys,
		 struct errtext *err);

#endif

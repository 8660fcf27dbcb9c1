/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_IPSECKEY_CHAIN_H
#define BEWICK_IPSECKEY_CHAIN_H

#include <time.h>

#include "util/result.h"
#include "with_ldns.h"

/*
 * Records that DNSSEC proves (RFC 4035, 5): from a trust anchor down, by DS and DNSKEY of each zone, to the signature of what was
 * asked for. Only positive proofs count: that something is not there need not be believed, since nothing follows from it.
 */
#define CHAIN_QUERIES 32   /* for one look-up */
#define CHAIN_CHECKS 48    /* signatures that are verified for one look-up: an answer may hold more of them than anybody needs */
#define CHAIN_KEYS 32      /* DNSKEY records of a zone */
#define CHAIN_RECORDS 16   /* of what was asked for */
#define CHAIN_ALIASES 4    /* CNAMEs that are followed */
#define CHAIN_ANCHORS 64

/* Trust anchors as DS records. */
struct anchors {
	ldns_rr_list *ds;
};

/* DS and DNSKEY records in the format of zone files. */
bool anchors_load(const char *file, struct anchors *ret, struct errtext *err);
void anchors_free(struct anchors *a);

struct chain_resolver {
	/* The answer, the caller's; NULL: err says why there is none. May wait. */
	ldns_pkt *(*ask)(void *arg, const ldns_rdf *name, ldns_rr_type type, struct errtext *err);
	void *arg;
	const struct anchors *anchors;
	time_t now;
};

/* The records of that name and type, proven; ldns_rr_list_deep_free is the caller's. NULL: err says what is missing or wrong. */
ldns_rr_list *chain_lookup(const struct chain_resolver *r, const ldns_rdf *name, ldns_rr_type type, struct errtext *err);

#endif

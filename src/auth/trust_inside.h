/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_TRUST_INSIDE_H
#define BEWICK_AUTH_TRUST_INSIDE_H

#include "auth/trust.h"

/*
 * For the files of trust: trust.c chooses the end entity, trust_path.c looks for ways from it to a trust anchor,
 * trust_verify.c checks one way.
 */

/* Of several failures the one of the highest rank is reported, of these the first. */
enum trust_rank {
	TRUST_RANK_NONE,
	TRUST_RANK_IDENTITY,          /* it is not the peer's */
	TRUST_RANK_NO_ISSUER,         /* plus the certificates up to the one whose issuer is missing */
	TRUST_RANK_ISSUER = TRUST_RANK_NO_ISSUER + TRUST_CHAIN_MAX + 1, /* what should be its issuer can't be */
	TRUST_RANK_PATH,              /* a whole path that is not valid */
	TRUST_RANK_RULES,             /* valid, but not good enough for the connection */
};

struct trust_search {
	const struct trust_input *in;
	const struct cert *path[TRUST_CHAIN_MAX]; /* end entity first; borrowed */
	size_t n;
	unsigned steps, checks; /* left, for all end entities together */
	int rank;
	struct errtext why;
};

void trust_fail(struct trust_search *s, int rank, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Extends the path to a trust anchor so that path_is_good. */
MUST_CHECK bool trust_path_find(struct trust_search *s);
/* Whether it is a trust anchor. */
bool trust_is_anchor(const struct trust_input *in, const struct cert *c);
/* The same CA: also when its certificate was made anew. */
bool trust_same_ca(const struct cert *a, const struct cert *b);
/* All checks of a whole path; the last certificate is taken as trusted. */
MUST_CHECK bool trust_path_is_good(struct trust_search *s);
/* What concerns the end entity alone. */
MUST_CHECK bool trust_end_entity_is_good(struct trust_search *s, const struct cert *c);
/* The same of an attribute authority's certificate. */
MUST_CHECK bool trust_aa_is_good(struct trust_search *s, const struct cert *c);
/* Of certificates, end entity first, at most TRUST_CHAIN_MAX. */
struct trust_chain *trust_chain_of(const struct cert *const *path, size_t n);

struct trust_date {
	char s[32];
};
struct trust_date trust_date(int64_t t);

#endif

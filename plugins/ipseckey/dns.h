/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_IPSECKEY_DNS_H
#define BEWICK_IPSECKEY_DNS_H

#include "util/addr.h"
#include "util/result.h"
#include "with_ldns.h"

/* Questions to name servers, one at a time, on a thread that may wait. Nothing of an answer is believed here but that it is one. */
#define DNS_SERVERS 3
#define DNS_PORT 53
#define DNS_UDP_SIZE 1232   /* bytes of an answer by UDP: passes most networks unfragmented */
#define DNS_TCP_SIZE 16384  /* by TCP: more is refused */
#define DNS_RECORDS 128     /* in an answer */
#define DNS_ROUNDS 3        /* each server is asked so often */
#define DNS_TRY_MS 1500     /* how long the first answer may take; the next ones more */

/* Of the lines "nameserver ADDRESS" of a file; without any: the own host. False: it cannot be read. */
bool dns_servers_load(const char *file, struct addr *ret, size_t *ret_n, struct errtext *err);

struct dns_client {
	const struct addr *servers; /* with ports */
	size_t n_servers;
	uint64_t deadline_ms; /* CLOCK_MONOTONIC */
	int cancel_fd;        /* readable: gives up; -1 none */
};

/* For struct chain_resolver; arg is a struct dns_client. */
ldns_pkt *dns_ask(void *arg, const ldns_rdf *name, ldns_rr_type type, struct errtext *err);

#endif

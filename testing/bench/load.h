/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_BENCH_LOAD_H
#define BEWICK_TESTING_BENCH_LOAD_H

#include "auth/auth_service.h"
#include "net/net.h"
#include "sa/ike_sa.h"

#define LOAD_ASKING 1024 /* set-ups at a time, at most */

/*
 * Thousands of initiators in one process: real IKE_SAs over one pair of UDP sockets, each from a loopback
 * address of its own (127.64.0.0/10), with no data plane behind them.
 */
struct load {
	struct sa_ctx ctx;
	struct net *net;
	struct net_worker *nw;
	struct hashtab by_spi;
	struct ike_sa **sas; /* established ones */
	size_t n_sas, cap;
	struct ike_sa **dead;
	size_t n_dead, cap_dead;
	uint32_t numbers[SA_NUMBERS];
	uint32_t next_addr, next_spi;
	size_t connecting, failed;
	uint64_t dpd_answered;
	size_t child_rekeyed, ike_rekeyed;
	uint64_t ahead_ms;  /* of the real clock */
	bool traffic;	    /* ESP comes in all the time */
	uint64_t wakeups;   /* looks at the traffic */
	uint64_t keepalives;
	const struct conn *conn;
	/* with certificates (load_certs.c) */
	struct auth_service *auth;
	struct mailbox *box;
	struct ike_sa *asking[LOAD_ASKING]; /* by their numbers */
	struct config **owns; /* each with another certificate of ours */
	size_t n_owns, next_own;
};

/* conf: swanctl.conf text with a connection "load". NULL: why is on stderr. */
struct load *load_new(struct crypto_registry *crypto, const char *conf);
/* Certificates are checked and signatures made: own certificate and key, the CA that signed both sides' (paths of PEM files). */
bool load_certificates(struct load *l, const char *cert, const char *key, const char *ca);
/* From now on each of `count` set-ups has a certificate of its own, with the names and the key of the first and another serial number. */
bool load_many_certificates(struct load *l, const char *ca_key, size_t count);
void load_free(struct load *l);
/* Receives, runs timers, sends; waits up to ms for something to come. */
void load_turn(struct load *l, int ms);
/* Begins to set up one more IKE_SA with a child. */
void load_begin(struct load *l);
/* Brings up `count` more IKE_SAs with a child each, at most `parallel` at a time. False: some failed. */
bool load_establish(struct load *l, size_t count, unsigned parallel);
/* An empty INFORMATIONAL request on established SA number i; false if one is still under way. */
bool load_probe(struct load *l, size_t i);
/* Begins to rekey the child of SA number i, or (ike) the SA itself; false if something is under way. */
bool load_rekey(struct load *l, size_t i, bool ike);

/* One hour on which nothing happens but ESP from all peers, on a clock that is turned by hand. */
struct load_idle {
	double cpu_s;
	uint64_t wakeups; /* of SAs, all together */
};
struct load_idle load_idle_hour(struct load *l, unsigned dpd_delay_s, unsigned rekey_s, unsigned reauth_s);

/* Keepalives of all, which are behind a NAT, for some minutes on such a clock; and the same datagrams without SAs. */
struct load_keepalives {
	double cpu_s, floor_s;
	uint64_t sent;
	double busy_cpu_s; /* for so long when ESP goes out all the time, so that none is needed */
	uint64_t busy_wakeups;
};
struct load_keepalives load_keepalives(struct load *l, unsigned interval_s, unsigned minutes);

/* This host's addresses change in a way that concerns none of the first n SAs: all look. And their route look-ups alone. */
struct load_roam {
	double cpu_s, floor_s;
};
struct load_roam load_roam(struct load *l, size_t n);
/* Deletes all, waits for the answers. */
void load_delete_all(struct load *l);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_STORE_H
#define BEWICK_CONFIG_STORE_H

#include "config/chunks.h"
#include "config/conn.h"
#include "config/credentials.h"
#include "config/pools.h"
#include "util/secret.h"

/*
 * Snapshots of what was loaded over VICI: connections and pools in order of first loading, shared secrets in
 * order of the last. A snapshot is immutable and counted; the store replaces it as a whole.
 * Workers hold one and get the next as mail: look-ups take no lock. Their cost does not grow with
 * the number of connections and secrets, but for the first one in a snapshot, which makes an index.
 */
struct shared_secret {
	const char *unique_id; /* may be NULL */
	enum shared_type { SHARED_IKE, SHARED_EAP, SHARED_NTLM, SHARED_PPK } type;
	size_t n_owners; /* 0: anyone */
	const struct id *owners;
	struct secret data;
	atomic_uint refs;
};

struct conn_list;
struct psk_index;

struct config {
	atomic_uint refs;
	size_t n_conns, n_secrets;
	struct conn_list *list; /* with snapshots that differ in other things only the same */
	struct chunks secret_chunks;
	const struct credentials *creds; /* never NULL */
	const struct pools *pools;       /* likewise */
	/* made by the first look-up, by whichever thread */
	_Atomic(void **) secrets;
	_Atomic(struct psk_index *) psk_index;
};

EXPORT struct config *config_ref(const struct config *c);
EXPORT void config_unref(const struct config *c);
/* All of them, in order: n_conns, n_secrets. Borrowed from c. */
EXPORT struct conn *const *config_conns(const struct config *c);
EXPORT struct shared_secret *const *config_secrets(const struct config *c);
EXPORT const struct conn *config_conn(const struct config *c, const char *name);
/*
 * PSK for a pair of identities: both owners > one > any, then exact owners before patterns, then the
 * latest loaded. Borrowed from c; NULL if there is none.
 */
EXPORT const struct shared_secret *config_find_psk(const struct config *c, const struct id *local,
						   const struct id *remote);
/*
 * Responder's choice for an IKE_SA_INIT: connections whose local and remote addresses match, best
 * match first (the sum of what endpoints_match says of both), then in loading order. Iterate
 * with rank = 0, 1, ...: each is found by itself. NULL at the end. Borrowed from c.
 */
EXPORT const struct conn *config_match_addrs(const struct config *c, const struct addr *local,
					     const struct addr *remote, size_t rank);
/*
 * The same without connections that cannot be what is looked for, so that thousands that differ by their peer's identity cost no more
 * than one. Peers: those whose first remote round names another identity than `peer` (and no pattern) are left out.
 */
EXPORT const struct conn *config_match_peer(const struct config *c, const struct addr *local, const struct addr *remote,
					    const struct id *peer, size_t rank);
/* Proposals: those are left out that have the addresses and the proposals of one before them. */
EXPORT const struct conn *config_match_proposals(const struct config *c, const struct addr *local, const struct addr *remote, size_t rank);

/* The writer's side: control thread only. */
struct config_store;
EXPORT struct config_store *config_store_new(void);
EXPORT void config_store_free(struct config_store *s);
/* A reference to the present state; the same object as long as nothing changes. Cheap: it shares with the one before what did
 * not change. */
EXPORT struct config *config_store_snapshot(struct config_store *s);
/* Takes conn; replaces one of the same name at its place. Returns the old one (reference passes) or NULL. */
EXPORT struct conn *config_store_put_conn(struct config_store *s, struct conn *conn);
/* The one in force, borrowed; NULL: none. */
EXPORT const struct conn *config_store_conn(const struct config_store *s, const char *name);
EXPORT struct conn *config_store_remove_conn(struct config_store *s, const char *name); /* or NULL */
/* Copies data and owners. Replaces one of the same id, or without id one that is the same in all. */
EXPORT void config_store_put_secret(struct config_store *s, const char *unique_id, enum shared_type type,
				    const struct id *owners, size_t n_owners, struct bytes data);
EXPORT bool config_store_remove_secret(struct config_store *s, const char *unique_id);
EXPORT void config_store_clear_secrets(struct config_store *s);
/* Certificates and keys; what is changed there is in the next snapshot. */
EXPORT struct creds_set *config_store_creds(struct config_store *s);
/* Likewise pools of addresses. */
EXPORT struct pools_set *config_store_pools(struct config_store *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_AUTH_SERVICE_H
#define BEWICK_AUTH_AUTH_SERVICE_H

#include "auth/auth_methods.h"
#include "auth/fetch.h"
#include "auth/trust.h"
#include "loop/helper.h"

/*
 * Authentication by signatures: proves who we are, and checks who the peer is, with all that this takes: chains, revocation,
 * what must be fetched. A request goes in, its answer is mail; no thread of the asker waits, and what is slow outside delays only
 * those who need it. One for the process.
 */
struct auth_service;

enum auth_work { AUTH_SIGN, AUTH_VERIFY };

/* A CERT payload: of a peer, or to be sent. */
struct auth_cert {
	uint8_t encoding; /* enum cert_encoding */
	struct bytes data; /* in the request's arena */
};

#define AUTH_OTHERS_MAX 7
struct auth_other {
	const struct conn *conn; /* a reference; round is in it */
	const struct conn_round *round;
};

#define AUTH_OCTETS_MAX 4 /* what the peer signed may be one of several (sa/init_variant.h) */

struct auth_request {
	struct mail mail; /* first; kind and drop are the asker's; the answer is this mail to reply_to */
	struct mailbox *reply_to;
	struct arena arena; /* owns what the views below point to; the asker's to clear when the request is back */
	enum auth_work work;
	uint64_t deadline_ms;           /* CLOCK_MONOTONIC: later it fails */
	const struct conn *conn;        /* a reference; round is in it */
	const struct conn_round *round;
	/* VERIFY: other connections that the peer may be of. When the first one does not take it the next is tried, with the same proof; in
	 * the end conn and round are those that took it. */
	size_t n_others;
	struct auth_other others[AUTH_OTHERS_MAX];
	struct config *config;          /* a reference */
	struct id id;                   /* whose AUTH it is: ours or the peer's; view into the arena */
	size_t n_octets;
	struct bytes octets[AUTH_OCTETS_MAX]; /* what is signed: message, nonce and prf(SK_p, ID) in one (RFC 7296, 2.15); 1 for SIGN */
	uint16_t peer_hashes;           /* SIGN: bits of its SIGNATURE_HASH_ALGORITHMS; 0: it has no RFC 7427 */
	bool hash_and_url;              /* SIGN: the peer takes it; VERIFY: we offered it */
	struct bytes certreq;           /* SIGN: hashes of 20 bytes; empty: nothing was asked for */
	bool certreq_seen;
	const struct auth_methods *methods; /* SIGN: what the peer takes (RFC 9593), in the arena; NULL: it did not say */
	bool ocsp_asked;                /* SIGN: the peer asked for OCSP content (RFC 4806) */
	unsigned method;                /* VERIFY: of AUTH */
	struct bytes auth;              /* VERIFY: data of AUTH */
	size_t n_certs;
	const struct auth_cert *certs;  /* VERIFY: all CERT payloads */

	/* ---- the answer ---- */
	bool ok;
	struct errtext why;             /* not ok: for the operator's log, never for the peer */
	/* SIGN: AUTH and the CERT payloads to send with it */
	unsigned ret_method;
	struct bytes ret_auth;
	size_t n_ret_certs;
	const struct auth_cert *ret_certs;
	/* VERIFY, and SIGN of a certificate: a sentence for the log ("certificate '...' trusted by ...", "raw key ...") */
	struct errtext how;
	const char *notice;             /* another sentence for the log, in the arena, or NULL; VERIFY: which other connections did not
					 * take the peer, and why */
	struct errtext group_how;       /* VERIFY: by what it is in one of the groups that were asked for; or empty */
	struct trust_chain *chain;      /* VERIFY: a reference; NULL: a raw key. IKE_SAs keep a struct kept_chain of it */
	struct trust_chain *group_chain; /* VERIFY: the same of the attribute certificate that put it into a group; NULL: none */
};

/* Borrowed strings and registries live as long as the service. */
struct auth_options {
	unsigned threads;        /* that compute; 0: one per CPU */
	struct fetch_registry *fetchers; /* NULL: nothing is fetched */
	unsigned fetch_timeout;   /* s; 0: 10 */
	unsigned fetch_failed_ttl; /* s a failure is remembered; 0: 60 */
	int64_t clock_skew;       /* s */
	const char *crl_dir;      /* fetched CRLs are kept there; NULL: not */
	bool hash_and_url, rsa_pss, enforce_critical;
	bool no_ocsp, no_crl;    /* is not asked, are not fetched */
	int64_t (*now)(void);    /* s since 1970; NULL: the clock of the host */
	unsigned ocsp_nonce_len;  /* 0: none */
	bool no_cert_cache;       /* peers' certificates are parsed and verified each time */
};

EXPORT struct auth_service *auth_service_new(const struct auth_options *options, struct errtext *err);
/* Nothing is taken or posted any more; what is under way is dropped, so that boxes of askers may go. */
EXPORT void auth_service_close(struct auth_service *s);
EXPORT void auth_service_free(struct auth_service *s);
/* Takes the request, unless false: too much waits; it is still the asker's. May be back (mailed) before this returns. */
EXPORT MUST_CHECK bool auth_submit(struct auth_service *s, struct auth_request *r);
/* But threads and fetchers. Any thread. */
EXPORT void auth_service_set_options(struct auth_service *s, const struct auth_options *options);
/* The keys that CERTREQ asks for on behalf of a connection's remote rounds: hashes of 20 bytes of its CAs (round->cacerts, else all),
 * appended. Pure. */
EXPORT void auth_certreq(const struct config *config, const struct conn *conn, struct buf *ret);
/* What is cached (not loaded): calls fn with each, on the calling thread; and drops them. Any thread. */
EXPORT void auth_service_each_crl(struct auth_service *s, void (*fn)(void *arg, const struct crl *crl), void *arg);
EXPORT void auth_service_each_cert(struct auth_service *s, void (*fn)(void *arg, const struct cert *cert), void *arg);
EXPORT void auth_service_each_ocsp(struct auth_service *s, void (*fn)(void *arg, struct bytes der), void *arg);
enum auth_cached { AUTH_CACHED_CERTS = 1, AUTH_CACHED_CRLS = 2, AUTH_CACHED_OCSP = 4 };
EXPORT void auth_service_flush(struct auth_service *s, unsigned what);
/* Called, on any thread, when a CRL that is newer has come: established SAs are to be looked at again. */
EXPORT void auth_service_on_crl(struct auth_service *s, void (*fn)(void *arg, const struct crl *crl), void *arg);
/* Frees what the asker has of a request that is back: references, arena; not the request itself. */
EXPORT void auth_request_clear(struct auth_request *r);

#endif

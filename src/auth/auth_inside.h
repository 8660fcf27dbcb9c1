/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_AUTH_INSIDE_H
#define BEWICK_AUTH_AUTH_INSIDE_H

#include <pthread.h>

#include "auth/acerts.h"
#include "auth/auth_service.h"
#include "auth/revocation.h"
#include "loop/loop.h"
#include "proto/limits.h"

/*
 * Inside the service. A job is one request on its way: it is run till it is done, must wait for something from outside, or has
 * to go to a helper. One thread has it at a time: the asker's (what is light is done at once), a helper, or the service's own,
 * which computes nothing, and has all that waits.
 */
#define AUTH_JOBS_MAX 16384      /* requests that are under way */
#define AUTH_WAITS_MAX 4096      /* different things that are fetched, or were and failed */
#define AUTH_UNPROVEN_WAITS_MAX 256 /* of these for peers that have proven nothing: certificates, keys */
#define AUTH_LIGHT_CERTS 4       /* chains of peers that the asker's thread looks at itself: */
#define AUTH_LIGHT_BYTES 8192
#define AUTH_LIGHT_BITS 4096
#define AUTH_PEER_PAYLOADS 32    /* CERT payloads of a peer that are looked at */
#define AUTH_CERT_MAX 65536      /* bytes of a fetched certificate, or bundle */
#define AUTH_URL_MAX 1024
#define AUTH_MARGIN_MS 500       /* of the request's time is left when waiting ends */
#define AUTH_STAPLE_MS 2000      /* we wait so long for the OCSP response about our own certificate */
#define AUTH_KEYS_MAX 16         /* raw keys that are tried */
#define AUTH_CERTREQ_MAX 5000    /* bytes of CERTREQ: more CAs than 250 are not named */

enum auth_place { AUTH_AT_ASKER, AUTH_AT_HELPER, AUTH_AT_SERVICE };
enum auth_next {
	AUTH_NEXT_DONE, /* answered */
	AUTH_NEXT_WAIT, /* for job->want */
	AUTH_NEXT_COMPUTE, /* on a helper */
	AUTH_NEXT_SLOW, /* on a helper for what may take long: keys that are elsewhere */
};

enum auth_want_kind { AUTH_WANT_CRL, AUTH_WANT_OCSP, AUTH_WANT_CERT, AUTH_WANT_KEYS };

/* Something from outside. What is equal is fetched once. */
struct auth_want {
	enum auth_want_kind kind;
	const char *url;               /* borrowed from the job, its request or chain; NULL for keys */
	const struct cert *cert, *issuer; /* CRL, OCSP */
	struct bytes hash;             /* CERT: SHA-1 of what is there */
	bool bundle;                   /* CERT */
	const struct id *id;           /* KEYS */
};

#define AUTH_FETCHED_MAX 8 /* certificates of a bundle */
/* What came, in references of the receiver's own; CRLs and OCSP responses are in the cache. */
struct auth_got {
	bool ok;
	struct errtext why;
	size_t n_certs, n_keys;
	struct cert *certs[AUTH_FETCHED_MAX];
	struct public_key *keys[AUTH_KEYS_MAX];
};

enum auth_step { AUTH_STEP_START, AUTH_STEP_CERTS, AUTH_STEP_KEYS, AUTH_STEP_TRUST, AUTH_STEP_REVOCATION, AUTH_STEP_GROUPS,
		 AUTH_STEP_STAPLE };

/* Something that a job waits for; a job may have several. */
enum auth_waiter_state { AUTH_WAITER_NEW, AUTH_WAITER_PENDING, AUTH_WAITER_DONE };
struct auth_waiter {
	struct list of_job;   /* in the job's waiters */
	struct auth_job *job;
	unsigned tag;         /* the job's own, to know it again */
	enum auth_waiter_state state;
	uint64_t deadline_ms; /* later it counts as failed */
	struct auth_want want;
	struct auth_got got;  /* when DONE */
	/* the service's thread only, while it is PENDING */
	struct list of_wait;
	struct timer timer;
	struct auth_wait *wait;
};

struct auth_job {
	struct helper_job helper; /* first; its mail is for the service's box, too */
	struct auth_service *s;   /* a reference */
	struct auth_request *r;
	struct auth_options o;
	enum auth_place place;
	enum auth_step step;
	enum auth_next next;
	int64_t now; /* s since 1970, when it began */

	struct list waiters;       /* struct auth_waiter */
	uint64_t want_deadline_ms; /* we wait so long, and go on without */
	uint64_t cert_deadline_ms; /* the same for what the peer says where it is: there must be time left to ask about it */

	/* VERIFY */
	size_t cert_at; /* CERT payloads that were looked at */
	size_t n_certs, n_sent;  /* n_sent: came from the peer, the others are loaded */
	struct cert *certs[TRUST_PEER_CERTS];
	struct public_key *proof_key; /* the last one that the signature was verified with */
	bool proof_good;
	size_t other;            /* of the request's others: the next one */
	const char *first_why;   /* of the first connection, in the arena */
	struct public_key *raw; /* of a CERT payload */
	struct trust_chain *chain;
	size_t n_acerts; /* that came, if groups are wanted */
	struct acert *acerts[LIMIT_ACERTS];
	size_t n_grants, grant_at; /* what puts the peer into a group */
	struct acert_grant grants[ACERT_GRANTS];
	struct errtext groups_ignored; /* what was wrong with attribute certificates that came, */
	struct errtext groups_why;     /* and with those that the connection at hand could do with */
	bool waited; /* for something of revocation: what was known when it was asked for is old */
	struct auth_check *checks; /* of the certificates of the chain (or of a grant's) that auth_verify_chain is at */
	struct errtext ignored; /* what was wrong with CERT payloads */
	bool first_ignored;     /* the first of them is among these */

	/* SIGN */
	const struct private_key *key; /* of the request's configuration */
	size_t n_own;
	const struct cert *own[TRUST_CHAIN_MAX + 1]; /* those that are sent, and who issued them (NULL: not here) */
	const struct cert *own_issuer[TRUST_CHAIN_MAX + 1];
	bool asked; /* for OCSP responses */
	struct sig_scheme scheme;
	size_t n_send;
};

struct auth_service {
	atomic_uint refs;
	atomic_uint jobs;
	struct helper_pool *cpu, *slow;
	struct mailbox *box;
	struct loop *loop;
	struct loop_fd *box_fd;
	pthread_t thread;
	bool running;
	bool slow_quiet; /* nothing hangs there */
	struct list waits;    /* service's thread: struct auth_wait, the latest used first */
	unsigned n_waits, n_unproven_waits;
	atomic_uint generation; /* of the cache: flushed so often */
	struct hashtab wait_index;
	struct hash_key hash;
	struct revocation_cache *cache;
	struct cert_cache *certs; /* of peers */
	/* Guards what follows. Nothing is called under it but mailbox_post and drops. */
	pthread_mutex_t lock;
	struct auth_options options;
	bool closed; /* boxes of askers may be gone */
	/* Held while on_crl is called, so that after a close it is not. */
	pthread_mutex_t crl_lock;
	void (*on_crl)(void *arg, const struct crl *crl);
	void *on_crl_arg;
};

enum auth_mail { AUTH_MAIL_JOB, AUTH_MAIL_WAIT, AUTH_MAIL_FETCHED, AUTH_MAIL_JUDGED, AUTH_MAIL_STOP };

/* auth_service.c */
void auth_service_ref(struct auth_service *s);
void auth_service_unref(struct auth_service *s);
/* Runs the job as far as it goes here, then sends it on. Any thread that has it. */
void auth_job_go(struct auth_job *job, enum auth_place place);
void auth_job_drop(struct auth_job *job);
/* The request failed, for the operator. */
enum auth_next auth_job_fail(struct auth_job *job, const char *fmt, ...) PRINTF_LIKE(2, 3);
static inline bool auth_job_may_compute(const struct auth_job *job)
{
	return job->place != AUTH_AT_SERVICE;
}
void auth_service_new_crl(struct auth_service *s, const struct crl *crl);

/* auth_sign.c, auth_verify.c */
enum auth_next auth_sign_run(struct auth_job *job);
enum auth_next auth_verify_run(struct auth_job *job);

/*
 * auth_revocation.c: whether one of the chain was revoked. All its certificates are looked at side by side. FETCH: it is asked for, the
 * job has to wait. Else nothing of it is left.
 */
enum revocation_next auth_verify_chain(struct auth_job *job, const struct trust_chain *chain, struct errtext *err);
void auth_verify_chain_end(struct auth_job *job); /* gives it up */
/* Whether what has become known since says that one of the chain was revoked. */
bool auth_chain_was_revoked(struct auth_job *job, const struct trust_chain *chain, struct errtext *err);

/* auth_waiter.c: whoever has the job. What is asked for is waited for when the job is run and says WAIT. */
void auth_ask(struct auth_job *job, const struct auth_want *want, uint64_t deadline_ms, unsigned tag);
/* One that is DONE, no longer the job's, or NULL. */
struct auth_waiter *auth_answered(struct auth_job *job);
static inline bool auth_is_asking(const struct auth_job *job)
{
	return !list_empty(&job->waiters);
}
void auth_waiter_free(struct auth_waiter *waiter);
/* Gives up all; if some are PENDING, on the service's thread. */
void auth_ask_no_more(struct auth_job *job);
void auth_got_clear(struct auth_got *got);

/* auth_groups.c */
bool auth_groups_wanted(const struct auth_job *job); /* by one of the connections */
void auth_groups_reset(struct auth_job *job); /* for another connection */
void auth_groups_take(struct auth_job *job, struct bytes data); /* an attribute certificate that came */
/* When job->chain is there: whether something puts the peer into one of the groups, but for revocation. */
MUST_CHECK bool auth_groups_find(struct auth_job *job, const struct trust_input *trust, struct errtext *err);
enum auth_next auth_groups_run(struct auth_job *job); /* COMPUTE: go on */

/* auth_wait.c: the service's thread */
void auth_wait_for(struct auth_job *job); /* goes on with it whenever something has come, or has not */
void auth_wait_mail(struct auth_service *s, struct mail *m);
void auth_wait_close(struct auth_service *s); /* drops all */

#endif

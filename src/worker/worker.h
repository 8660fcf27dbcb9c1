/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_WORKER_WORKER_H
#define BEWICK_WORKER_WORKER_H

#include "loop/helper.h"
#include "sa/info.h"

struct auth_service;
struct crl;
struct net;
struct request_mail;

/*
 * The pool of workers: the threads that own IKE_SAs. From outside everything is mail: a request goes in, values come
 * back to the mailbox that the request names. Nothing here blocks, but workers_start and workers_stop.
 */
struct workers;

struct workers_options {
	unsigned count; /* threads; must be what net was opened with */
	struct net *net;
	const struct crypto_registry *crypto;
	const struct kernel_ops *kernel_ops;
	struct kernel *kernel;
	struct helper_pool *helpers; /* for names */
	struct auth_service *auth;   /* signs and verifies; NULL: there are only pre-shared keys. To be closed before the workers end */
	const struct attribute_registry *attributes; /* frozen; NULL none */
	struct config *config;       /* the first snapshot; a reference is taken */
	struct mailbox *events;      /* gets WORKER_EVENT mail: control's box */
	struct sa_options sa;
	/* limits of half-open IKE_SAs, over all workers; 0 off */
	unsigned cookie_threshold, cookie_threshold_ip, block_threshold, ikesa_limit;
	bool initiator_only;
};

/* ret is running when this returns. On failure err says why. */
EXPORT struct workers *workers_start(const struct workers_options *options, struct errtext *err);
/* Sends deletes for all SAs, waits up to limit_ms for the answers, ends the threads, frees everything. */
EXPORT void workers_stop(struct workers *w, unsigned limit_ms);
EXPORT unsigned workers_count(const struct workers *w);

/* Kernel events of the backend (kernel_event_fn; arg is the struct workers). Any thread. */
EXPORT void workers_kernel_event(void *workers, const struct kernel_event *ev);

/* The next snapshot and options for all workers. Take a reference, copy. */
EXPORT void workers_set_config(struct workers *w, struct config *config);
EXPORT void workers_set_options(struct workers *w, const struct workers_options *options);
/* This host's addresses are these now, or its routes changed: IKE_SAs follow. References are taken. Any thread. */
EXPORT void workers_roam(struct workers *w, struct local_addrs *locals, bool routes);
/* A CRL has come: IKE_SAs whose peer's certificates it revokes are closed. Takes a reference. Any thread. */
EXPORT void workers_recheck_crl(struct workers *w, const struct crl *crl);
/* Which events are mailed: bits 1 << enum sa_event, and below. Nothing is made for those nobody wants. */
EXPORT void workers_want_events(struct workers *w, unsigned mask);

/* Children with an updown command, up and down; IKE_SAs that were given attributes, likewise. */
#define WORKERS_WANT_UPDOWN (1u << 30)
#define WORKERS_WANT_ATTRIBUTES (1u << 31)

/* ---- requests of control ---- */

enum worker_reply_kind {
	WORKER_REPLY_SA = 1,  /* list: one IKE_SA; terminate and initiate never */
	WORKER_REPLY_FOUND,   /* find: one match */
	WORKER_REPLY_MATCHES, /* rekey, sync_ids, terminate: one worker's count, before any ENDED */
	WORKER_REPLY_ENDED,   /* initiate, terminate: one SA's end of the story */
	WORKER_REPLY_DONE,    /* list, find, stats: all workers are through; the last mail of the request */
	WORKER_EVENT,         /* to the events box, without a request */
	WORKER_REINITIATE,    /* to the events box: bring up `conn`, `child` again */
	WORKER_RETRAP,        /* to the events box: install the trap of `conn`, `child` again */
	WORKER_ACQUIRE,       /* to the events box: a packet met the trap of `conn`, `child` (worker/trap.h) */
	WORKER_REPLY_TRAP,    /* trap_list: one policy */
	WORKER_REPLY_MORE,    /* list_paced: one worker waits to be asked for more */
};

/* What comes back. The receiver frees it by worker_reply_free. */
struct worker_reply {
	struct mail mail; /* kind: enum worker_reply_kind */
	uint64_t request;
	struct ike_info *info; /* SA, EVENT */
	struct ike_info *info_new; /* EVENT of a rekeying: the successor; info is the old one */
	enum sa_event event;   /* EVENT */
	struct addr local, remote; /* EVENT of an update: where info is going to be */
	unsigned worker; /* SA, FOUND: whose it is */
	/* FOUND */
	uint32_t ike_id;
	uint32_t origin_id; /* of the IKE_SA that was authenticated with its configuration: ike_id, but for a rekeyed one */
	bool established; /* else still connecting */
	/* MATCHES */
	unsigned matches;
	/* ENDED */
	enum cause cause; /* CAUSE_NONE: as asked for */
	const char *why;  /* constant */
	char *detail;     /* owned: the reason in more words, of a policy; NULL: there are none */
	/* REINITIATE, RETRAP, ACQUIRE: a reference, and the child's name in it (NULL: only the IKE_SA) */
	const struct conn *conn;
	const char *child;
	/* ACQUIRE; answered by workers_trap_ended */
	uint32_t trap_id;
	struct child_acquire acquire;
	/* TRAP */
	struct trap_info *trap;
	/* MORE: owned, to be taken by worker_reply_take_more */
	struct request_mail *more;
	/* DONE of stats */
	struct worker_stats *stats;
};

EXPORT void worker_reply_free(struct worker_reply *r);

struct worker_stats {
	uint64_t ike_sas, half_open;
	uint64_t timers, mail;
	uint64_t counters[SA_COUNTERS];
	uint64_t net_received, net_sent, net_dropped;
};

/* Which SAs a request is about; NULL and 0 match all. Names are copied. */
struct worker_select {
	const char *ike, *child;
	uint32_t ike_id, child_id;
	unsigned worker; /* of a reply SA, plus one: only this one is asked; 0: all are. terminate and list only */
};

/* All IKE_SAs of all workers (ike and ike_id filter; child filters only their children): SA..., then DONE. Each worker gives
 * its SAs in slices, so that packets are not kept waiting. */
EXPORT void workers_list(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct worker_select *sel);
/* As it, but after each slice the worker waits (MORE) until the receiver wants more: so little is under way for slow readers. What is
 * never asked for must be dropped; then that worker tells no more, and DONE comes all the same. */
EXPORT void workers_list_paced(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct worker_select *sel);
EXPORT struct request_mail *worker_reply_take_more(const struct worker_reply *r);
EXPORT void workers_more(struct workers *w, struct request_mail *more);
EXPORT void worker_more_drop(struct request_mail *more); /* also when there are no workers any more */
/* IKE_SAs of a connection that a new child could use: FOUND..., then DONE. */
EXPORT void workers_find(struct workers *w, uint64_t request, struct mailbox *reply_to, const char *conn);
/* The sums over all workers: DONE with stats. */
EXPORT void workers_stats(struct workers *w, uint64_t request, struct mailbox *reply_to);
/*
 * Sets up a child of conn (child NULL: only the IKE_SA, which is ended with success when it is up). ike_id, worker: from FOUND to use
 * that IKE_SA, or worker UINT_MAX and a number of workers_next_ike_id for a new one. Takes a reference to conn. One ENDED follows.
 * If the IKE_SA went away meanwhile a new one is made.
 */
EXPORT void workers_initiate(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct conn *conn,
			     const char *child, uint32_t ike_id, unsigned worker);
EXPORT uint32_t workers_next_ike_id(struct workers *w);
EXPORT uint32_t workers_last_ike_id(const struct workers *w); /* the highest in use so far, 0 none */
/*
 * With child or child_id: closes matching CHILD_SAs, else IKE_SAs. One MATCHES per worker (workers_count of them), ENDED for each
 * match. reply_to NULL: nobody waits.
 */
EXPORT void workers_terminate(struct workers *w, uint64_t request, struct mailbox *reply_to,
			      const struct worker_select *sel, bool force);
/*
 * RFC 6311: matching IKE_SAs (ike and ike_id count) agree on message ids with their peers, as after a take-over; the sequence numbers
 * that the peers send with jump by delta, 0 not. One MATCHES per worker: those that began to. reply_to NULL: nobody waits.
 */
EXPORT void workers_sync_ids(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct worker_select *sel,
			     uint64_t delta);
/*
 * With child or child_id: begins to rekey matching CHILD_SAs, else IKE_SAs (reauth: to reauthenticate them). One MATCHES per
 * worker with those that can be, or are being, rekeyed; nothing more is told. reply_to NULL: nobody waits.
 */
EXPORT void workers_rekey(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct worker_select *sel,
			  bool reauth);
/* RFC 4478: reauth_time of a connection is another one now (s, 0 off): its IKE_SAs follow, and tell their peers. */
EXPORT void workers_set_reauth_time(struct workers *w, const char *conn, uint64_t seconds);

#endif

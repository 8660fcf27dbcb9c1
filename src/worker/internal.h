/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_WORKER_INTERNAL_H
#define BEWICK_WORKER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "loop/loop.h"
#include "net/net.h"
#include "net/tcp.h"
#include "util/ratelimit.h"
#include "worker/worker.h"

/* What comes to a worker by mail: one enum, one switch (worker.c). */
enum worker_mail_kind {
	WORKER_MAIL_PACKET = 1,
	WORKER_MAIL_CONFIG,
	WORKER_MAIL_OPTIONS,
	WORKER_MAIL_KERNEL_DONE,
	WORKER_MAIL_KERNEL_EVENT,
	WORKER_MAIL_RESOLVED,
	WORKER_MAIL_REPLACE,
	WORKER_MAIL_LIST,
	WORKER_MAIL_FIND,
	WORKER_MAIL_STATS,
	WORKER_MAIL_INITIATE,
	WORKER_MAIL_TERMINATE,
	WORKER_MAIL_REKEY,
	WORKER_MAIL_REAUTH_TIME,
	WORKER_MAIL_STOP,
	WORKER_MAIL_TRIMMED,
	WORKER_MAIL_HINT,
	WORKER_MAIL_SYNC_IDS,
	WORKER_MAIL_ROAM,
	WORKER_MAIL_TRAP,
	WORKER_MAIL_STREAM,
	WORKER_MAIL_AUTHENTICATED,
	WORKER_MAIL_RECHECK_CRL,
};

/* Half-open IKE_SAs of all workers, in all and per source address (half_open.c). */
struct half_open;
/* How many IKE_SAs each pair of identities has, over all workers (uniqueness.c). */
struct uniqueness;
/* Traps and shunts (trap.c); the numbers of traps, for all workers (trap_reqids.c). */
struct traps;
struct trap_reqids;

struct worker_socket {
	struct worker *worker;
	enum net_sock sock;
	bool full; /* EPOLLOUT is asked for */
};

struct worker {
	struct workers *pool;
	unsigned index;
	pthread_t thread;
	struct loop *loop;
	struct mailbox *box;
	struct net_worker *net;
	struct loop_fd *fds[NET_SOCKS];
	struct worker_socket sockets[NET_SOCKS];
	struct sa_ctx ctx;
	/* the SA table (sa_table.c) */
	struct hashtab by_spi, by_id, by_peer, by_addr, by_child, by_name;
	struct hashtab reserved; /* SPIs that are proposed for successors */
	struct ike_sa **dead; /* finished in this turn, freed at its end */
	size_t n_dead, cap_dead;
	size_t freed; /* since memory was last given back */
	struct timer trim_timer, stop_timer;
	bool stopping;
	bool running; /* its thread; start-up and stop only */
	const void *roaming; /* roam.c: the mail of a change that not all IKE_SAs have looked at yet; NULL: they have */
	struct ratelimit answers; /* to packets that are not authenticated */
	uint64_t cookies_until_ms; /* until when a cookie that was sent is taken */
	struct unknown_limits *unknown;
	struct traps *traps; /* the first worker's */
	atomic_uint_least64_t n_sas; /* of by_spi, for other threads */
	atomic_size_t stream_bytes; /* of messages from streams that wait in the box */
	atomic_bool config_posted; /* a mail says that there is a new snapshot */
};

struct workers {
	struct workers_options options; /* the box, net, helpers ...: constant after start */
	unsigned count;
	struct worker *workers;
	atomic_uint next_number[SA_NUMBERS];
	atomic_uint next_worker; /* round robin for new initiators */
	atomic_uint events;      /* mask of wanted events */
	atomic_uint_least64_t established; /* IKE_SAs ever */
	/* of half-open SAs; a reload changes them while workers read */
	struct {
		atomic_uint cookie_threshold, cookie_threshold_ip, block_threshold, ikesa_limit;
		atomic_bool initiator_only;
	} limits;
	struct half_open *half_open;
	struct uniqueness *uniqueness;
	struct uniqueness *selectors; /* that peers have claimed */
	struct trap_reqids *trap_reqids;
	pthread_mutex_t config_lock; /* guards `config` */
	struct config *config;	     /* the latest snapshot */
	uint8_t cookie_secret[32];
	struct hash_key hash;
};

struct options_mail {
	struct mail mail;
	struct sa_options options;
};
struct stop_mail {
	struct mail mail;
	unsigned limit_ms;
};

/* ---- worker.c: start-up and stop ---- */
bool worker_init(struct worker *w, struct workers *pool, unsigned index, struct errtext *err);
bool worker_run(struct worker *w, struct errtext *err);
void worker_clear(struct worker *w);

/* ---- pool.c ---- */
struct config *pool_config(struct workers *pool); /* a reference to the latest snapshot */

/* ---- sa_table.c ---- */
void sa_table_add_spi(struct worker *w, struct ike_sa *sa, uint64_t spi);
void sa_table_remove_spi(struct worker *w, struct ike_sa *sa);
struct ike_sa *sa_table_by_spi(struct worker *w, uint64_t spi);
struct ike_sa *sa_table_by_id(struct worker *w, uint32_t id);
/* by_peer has two uses: half-open responders by the initiator's SPI and address, established ones by identities. */
void sa_table_add_init(struct worker *w, struct ike_sa *sa);
struct ike_sa *sa_table_by_init(struct worker *w, uint64_t spi_i, const struct addr *remote);
void sa_table_add_peer(struct worker *w, struct ike_sa *sa, uint64_t hash);
void sa_table_remove_peer(struct worker *w, struct ike_sa *sa);
/* by_addr: established ones by the peer's IP address, for hints. */
uint64_t sa_table_addr_hash(const struct worker *w, const struct addr *remote);
void sa_table_add_addr(struct worker *w, struct ike_sa *sa);
void sa_table_remove_addr(struct worker *w, struct ike_sa *sa);
void sa_table_reserve(struct worker *w, uint64_t spi);
void sa_table_unreserve(struct worker *w, uint64_t spi);
bool sa_table_is_reserved(struct worker *w, uint64_t spi);
void sa_table_add_child(struct worker *w, struct child_sa *c);
void sa_table_remove_child(struct worker *w, struct child_sa *c);
struct child_sa *sa_table_child(struct worker *w, uint32_t id);
/* By the name of the connection. */
void sa_table_set_name(struct worker *w, struct ike_sa *sa);
void sa_table_remove_name(struct worker *w, struct ike_sa *sa);
/* The ring of those of that name (members by_name); NULL: none. */
struct list *sa_table_by_name(const struct worker *w, const char *name);
/* Unique ids of all SAs, CLOSED ones left out; owned by the caller. */
uint32_t *sa_table_ids(struct worker *w, size_t *ret_count);
size_t sa_table_count(const struct worker *w); /* how many these are */
/* All these, some at a time, so that packets are not kept waiting: each turn looks at a slice, and the mail that carries the walk is
 * posted again until none is left. Zeroed at first. */
struct sa_walk {
	uint32_t *ids; /* from the first turn on */
	size_t n_ids, next;
	unsigned left; /* in this slice */
	uint32_t newest; /* unique id: those made since are not among them */
};
/* Before the first turn, for a walk over less: the one of that number, or (0) those of that name. Does nothing later. */
void sa_walk_select(struct worker *w, struct sa_walk *walk, const char *name, uint32_t id);
void sa_walk_turn(struct worker *w, struct sa_walk *walk);
/* The next that still is; NULL: the slice, or all, is done. */
struct ike_sa *sa_walk_next(struct worker *w, struct sa_walk *walk);
static inline bool sa_walk_is_done(const struct sa_walk *walk)
{
	return walk->next >= walk->n_ids;
}
void sa_walk_clear(struct sa_walk *walk);
/* Freed at the end of the turn. */
void sa_table_bury(struct worker *w, struct ike_sa *sa);
void sa_table_free_dead(struct worker *w);

/* ---- dispatch.c ---- */
void dispatch_datagram(struct worker *w, const struct addr *local, const struct addr *remote, uint8_t *p, size_t n);
struct packet_mail {
	struct mail mail;
	struct addr local, remote;
	size_t n;
	uint8_t data[];
};

/* ---- stream.c ---- */
struct stream_mail {
	struct mail mail;
	uint32_t ike_id, stream;
	struct addr local;
};
struct tcp_user streams_user(struct workers *pool);
void streams_reopened(struct worker *w, const struct stream_mail *m);
bool streams_open(void *host, bool bound, struct addr *local, struct addr *remote);
void streams_again(void *host, uint32_t stream);
void streams_use(void *host, struct ike_sa *sa, uint32_t stream, bool is);

/* ---- unknown.c ---- */
EXPORT struct unknown_limits *unknown_limits_new(void);
EXPORT void unknown_limits_free(struct unknown_limits *l);
/* Whether one more unprotected packet of that source may cost us something. */
EXPORT bool unknown_within_limits(struct worker *w, const struct addr *remote);
/* Likewise for an unprotected packet for the IKE_SA with that SPI of ours. */
EXPORT bool unknown_known_within_limits(struct worker *w, uint64_t spi);
/* A message that no IKE_SA has the SPI of. */
void unknown_message(struct worker *w, const struct ike_header *h, const struct addr *local, const struct addr *remote,
		     const uint8_t *p, size_t n);
/* WORKER_MAIL_HINT; takes the mail. */
void unknown_hint(struct worker *w, struct mail *mail);
/* ESP came that nobody has an SA for: goes through the workers one by one. */
void unknown_esp(struct worker *w, const struct kernel_event *ev);

/* ---- cookie.c ---- */
/* The cookie for a source and nonce (RFC 7296, 2.6): COOKIE_LEN bytes. age 0: the secret of this time span, 1: of the last. */
#define COOKIE_LEN 33
EXPORT bool cookie_make(struct worker *w, const struct addr *remote, uint64_t spi_i, struct bytes nonce, unsigned age,
		 uint8_t *ret_cookie);
/* One was sent; and whether some peer of this worker may still hold one that is taken. */
EXPORT void cookie_sent(struct worker *w);
EXPORT bool cookie_may_be_held(const struct worker *w);
EXPORT bool cookie_check(struct worker *w, const struct addr *remote, uint64_t spi_i, struct bytes nonce, struct bytes cookie);

/* ---- half_open.c: any worker ---- */
struct half_open *half_open_new(void);
void half_open_free(struct half_open *h);
void half_open_add(struct half_open *h, const struct addr *remote);
void half_open_remove(struct half_open *h, const struct addr *remote);
unsigned half_open_total(struct half_open *h);
unsigned half_open_of(struct half_open *h, const struct addr *remote);

/* ---- uniqueness.c: any worker ---- */
struct uniqueness *uniqueness_new(bool claims); /* claims: each has an owner */
void uniqueness_free(struct uniqueness *u);
unsigned uniqueness_add(struct uniqueness *u, uint64_t hash); /* how many there are with it */
/* Likewise, of one owner alone; false: it has another one. */
bool uniqueness_claim(struct uniqueness *u, uint64_t hash, uint64_t owner, unsigned *ret_count);
void uniqueness_remove(struct uniqueness *u, uint64_t hash);
unsigned uniqueness_count(struct uniqueness *u, uint64_t hash);
uint64_t uniqueness_hash(const struct hash_key *key, const struct id *local, const struct id *remote);

/* ---- trap.c: the first worker ---- */
struct traps *traps_new(struct worker *w);
void traps_free(struct traps *t); /* removes them from the backend */
void traps_mail(struct worker *w, struct mail *m); /* WORKER_MAIL_TRAP; takes the mail */
void traps_roam(struct worker *w); /* our addresses changed */
void traps_acquire(struct worker *w, const struct kernel_event *ev);

/* ---- trap_reqids.c: any worker ---- */
struct trap_reqids *trap_reqids_new(void);
void trap_reqids_free(struct trap_reqids *t);
uint32_t trap_reqids_find(struct trap_reqids *t, const char *conn, const char *child); /* 0: none */
/* The one there is, or `fresh` from now on: SAs outlive traps that are installed again. */
uint32_t trap_reqids_get(struct trap_reqids *t, const char *conn, const char *child, uint32_t fresh);

/* ---- host.c ---- */
extern const struct sa_host_ops worker_host_ops;
struct kernel_done_mail {
	struct mail mail;
	uint32_t ike_id, child_id; /* ike_id 0: of a move of the child */
	enum kernel_status status;
	struct errtext err;
};
struct kernel_event_mail {
	struct mail mail;
	struct kernel_event ev;
};
struct resolve_job {
	struct helper_job job;
	uint32_t ike_id;
	int family;
	size_t n;
	struct addr addrs[LIMIT_RESOLVED];
	char *name;
};
struct replace_mail {
	struct mail mail;
	uint64_t hash;
	uint32_t except; /* unique id of the new one */
	uint64_t order; /* of the new one: only those before it end */
	bool tell_peer;
	struct id local, remote; /* owned */
};
void kernel_event_post(struct worker *w, const struct kernel_event *ev);
void host_resolved(struct worker *w, struct resolve_job *job);
void host_replace(struct worker *w, const struct replace_mail *m);
/* Mail that is one block of memory. */
void mail_free(struct mail *m);

/* ---- authentication.c ---- */
bool authentication_ask(void *host, struct ike_sa *sa, struct auth_request *r); /* of sa_host_ops */
void authentication_answered(struct worker *w, struct mail *m); /* WORKER_MAIL_AUTHENTICATED; takes the mail */
void authentication_recheck(struct worker *w, struct mail *m);	/* WORKER_MAIL_RECHECK_CRL; takes the mail */

/* ---- roam.c ---- */
/* WORKER_MAIL_ROAM; takes the mail. */
void roam_run(struct worker *w, struct mail *mail);

/* ---- requests.c ---- */
struct request_mail {
	struct mail mail;
	uint64_t request;
	struct mailbox *reply_to;
	char *ike, *child; /* owned, may be NULL */
	uint32_t ike_id, child_id;
	bool paced;	/* of list */
	unsigned worker; /* paced: whose it is */
	bool force;	/* of terminate */
	bool reauth;	/* of rekey */
	uint64_t delta; /* of sync_ids */
	uint64_t seconds; /* of reauth_time */
	bool found; /* initiate: ike_id was found, it is not a new one's */
	bool acquired; /* initiate: for the packet in acquire */
	struct child_acquire acquire;
	const struct conn *conn; /* a reference, of initiate */
	struct request_gather *gather; /* list, find, stats: shared by the workers */
	struct sa_walk walk; /* list, rekey, sync_ids, terminate: of this worker's share */
	unsigned matches;    /* of these, so far */
};
struct request_gather;
void request_run(struct worker *w, struct request_mail *m);

/* ---- request_act.c ---- */
bool request_matches(const struct request_mail *m, const struct ike_sa *sa);
bool request_matches_child(const struct request_mail *m, const char *name, uint32_t id);
/* One slice of it. False: there is more. */
bool request_terminate(struct worker *w, struct request_mail *m);
bool request_rekey(struct worker *w, struct request_mail *m);
bool request_reauth_time(struct worker *w, struct request_mail *m);
bool request_sync_ids(struct worker *w, struct request_mail *m);
/* A waiter for an SA's end: request_done of the host frees it. */
struct sa_request request_waiter(uint64_t request, struct mailbox *reply_to);
void request_waiter_done(struct sa_request request, enum cause cause, const char *why);
/* As it, with the reason in more words; copied. */
void request_waiter_tell(struct sa_request request, enum cause cause, const char *why, const char *detail);
struct worker_reply *request_reply(struct mailbox *box, unsigned kind, uint64_t request);

#endif

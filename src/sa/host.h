/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_HOST_H
#define BEWICK_SA_HOST_H

#include "config/store.h"
#include "crypto/crypto.h"
#include "kernel/kernel.h"
#include "loop/wheel.h"
#include "net/locals.h"
#include "sa/outcome.h"
#include "util/addr.h"
#include "util/arena.h"
#include "util/hash.h"
#include "util/ratelimit.h"

struct attribute_registry;
struct auth_request;
struct ike_sa;
struct child_sa;

/* What happened to an SA, for control's events. */
enum sa_event {
	SA_EVENT_IKE_UP,
	SA_EVENT_IKE_DOWN, /* the children are still there */
	SA_EVENT_CHILD_UP,
	SA_EVENT_CHILD_DOWN,
	SA_EVENT_IKE_REKEY,   /* told by sa_host_ops.rekeyed */
	SA_EVENT_CHILD_REKEY, /* likewise */
	SA_EVENT_IKE_UPDATE,  /* told by sa_host_ops.moving */
};

/* Kinds of numbers that are unique in the process. */
enum sa_number { SA_NUMBER_IKE, SA_NUMBER_CHILD, SA_NUMBER_REQID, SA_NUMBER_MARK, SA_NUMBER_IF_ID, SA_NUMBERS };

/* Someone who waits for an initiate or terminate; 0 is nobody. */
struct sa_request {
	uint64_t id;
};

/* Counters of messages and of what drops them, per worker; gathered for statistics. Up to SA_COUNTER_INVALID_SPI they are
 * counted of each connection, too (config/conn_counters.h). */
enum sa_counter {
	SA_COUNTER_INIT_IN_REQ,
	SA_COUNTER_INIT_IN_RESP,
	SA_COUNTER_INIT_OUT_REQ,
	SA_COUNTER_INIT_OUT_RESP,
	SA_COUNTER_AUTH_IN_REQ,
	SA_COUNTER_AUTH_IN_RESP,
	SA_COUNTER_AUTH_OUT_REQ,
	SA_COUNTER_AUTH_OUT_RESP,
	SA_COUNTER_CHILD_IN_REQ,
	SA_COUNTER_CHILD_IN_RESP,
	SA_COUNTER_CHILD_OUT_REQ,
	SA_COUNTER_CHILD_OUT_RESP,
	SA_COUNTER_INFO_IN_REQ,
	SA_COUNTER_INFO_IN_RESP,
	SA_COUNTER_INFO_OUT_REQ,
	SA_COUNTER_INFO_OUT_RESP,
	SA_COUNTER_IKE_REKEY_INIT, /* IKE_SAs replaced by our request; counted by the host */
	SA_COUNTER_IKE_REKEY_RESP, /* by the peer's */
	SA_COUNTER_CHILD_REKEY,
	SA_COUNTER_INVALID,     /* malformed, or against the rules */
	SA_COUNTER_AUTH_FAILED, /* integrity check failed */
	SA_COUNTER_INVALID_SPI, /* of no IKE_SA */
	SA_COUNTER_RETRANSMIT,
	SA_COUNTER_REPEAT,     /* requests that were answered from the store */
	SA_COUNTER_STALE,      /* outside the window */
	SA_COUNTER_UNPROTECTED, /* hints of who has no keys, true or forged */
	SA_COUNTER_TOKEN_WRONG, /* RFC 6290 tokens that are not the peer's */
	SA_COUNTERS
};
_Static_assert(SA_COUNTER_INVALID_SPI + 1 == CONN_COUNTERS, "the first ones are counted of connections, too");

/*
 * What an IKE_SA needs of the world. The worker implements it; tests put a mock
 * in its place. All calls are made on the SA's own thread and return at once.
 */
struct sa_host_ops {
	/* Queues one IKE message; copies it. The non-ESP marker is the host's. dscp: six bits of the traffic class. */
	void (*send)(void *host, const struct addr *local, const struct addr *remote, unsigned dscp, struct bytes msg);
	/* RFC 3948, 2.3: the byte that keeps a NAT's mapping alive. */
	void (*keepalive)(void *host, const struct addr *local, const struct addr *remote);
	void (*event)(void *host, enum sa_event event, const struct ike_sa *sa, const struct child_sa *child);
	/* SA_EVENT_IKE_REKEY: `sa` was replaced by `new_sa` (children NULL), or SA_EVENT_CHILD_REKEY: `child` by `new_child`, both of
	 * `sa` (== new_sa). Told while both still exist. */
	void (*rekeyed)(void *host, const struct ike_sa *sa, const struct child_sa *child, const struct ike_sa *new_sa,
			const struct child_sa *new_child);
	/* A new SPI of our own, that leads packets to this thread. */
	uint64_t (*make_spi)(void *host);
	/* One that was made is proposed for a successor from now on, or not any more: until the answer comes no SA has it, and yet
	 * the peer may use it already. */
	void (*reserve_spi)(void *host, uint64_t spi, bool is);
	uint32_t (*next_number)(void *host, enum sa_number kind);
	/* The SA's own SPI changed (spi 0: none any more): the table follows. */
	void (*own_spi)(void *host, struct ike_sa *sa, uint64_t old_spi, uint64_t new_spi);
	/* The identities are known and proven: from now on uniqueness sees the SA. */
	void (*established)(void *host, struct ike_sa *sa);
	/* `sa` has the place of `old` among the IKE_SAs of their identities: established for the one, released for the other,
	 * with nothing in between. */
	void (*inherited)(void *host, struct ike_sa *sa, struct ike_sa *old);
	/* The SA has a connection now, or one of another name. May be NULL. */
	void (*named)(void *host, struct ike_sa *sa);
	/* A CHILD_SA is there, or is no more: events of the backend name it alone. */
	void (*own_child)(void *host, struct child_sa *child, bool is);
	/* The opposite of established: the SA is closed or ends, its identities are free. */
	void (*released)(void *host, struct ike_sa *sa);
	/* The peer says that this is its only IKE_SA with us, or policy says so: others between the
	 * same identities end, on any thread. */
	void (*replace_others)(void *host, struct ike_sa *sa, bool tell_peer);
	/* unique = keep: the SA's identities are its own if no other IKE_SA has them, before `established`; of several at once one
	 * gets them. They are given back by `released`. */
	bool (*claim)(void *host, struct ike_sa *sa);
	/* Selectors (a hash of them) are the peer's (a hash of its identity), as often as it claims them, till it has released them as
	 * often. False: they are another peer's. May be NULL: all may have the same. */
	bool (*claim_selectors)(void *host, uint64_t selectors, uint64_t peer);
	void (*release_selectors)(void *host, uint64_t selectors);
	/* Whether another IKE_SA with these identities is known. */
	bool (*has_other)(void *host, const struct id *local, const struct id *remote);
	/* The SA must not be used after this call; the host frees it (ike_sa_free) when its own
	 * references are gone. */
	void (*finished)(void *host, struct ike_sa *sa);
	/* A responder's SA is no longer half-open (or ended as such). */
	void (*half_open)(void *host, struct ike_sa *sa, bool is);
	/* The cookie that a peer would have been asked for (RFC 7296, 2.6) for the IKE_SA_INIT request that made `sa`: that of this time
	 * span (age 0) or of the one before (1), at most LIMIT_COOKIE bytes; 0: none. May be NULL. */
	size_t (*cookie)(void *host, const struct ike_sa *sa, unsigned age, uint8_t *ret);
	/* How a request of control ended. */
	void (*request_done)(void *host, struct sa_request request, enum cause cause, const char *why);
	/* Completion of a backend request: to be passed to the backend, comes back as
	 * ike_sa_kernel_done. */
	struct kernel_done (*kernel_done)(void *host, struct ike_sa *sa, uint32_t child_id);
	/* Likewise of a move of the child: comes back as child_sa_moved, or not at all when the child is gone. */
	struct kernel_done (*move_done)(void *host, struct child_sa *child);
	/* The SA is about to move there (the event tells both). */
	void (*moving)(void *host, const struct ike_sa *sa, const struct addr *local, const struct addr *remote);
	/* The SA's addresses are others now: the tables follow. */
	void (*moved)(void *host, struct ike_sa *sa);
	/* A request to auth/auth_service.h, whose mail the host fills in; comes back as ike_sa_authenticated, unless the SA is gone by then.
	 * False: too much waits; the request is still the SA's. May be NULL: there are only pre-shared keys. */
	bool (*authenticate)(void *host, struct ike_sa *sa, struct auth_request *r);
	/* Addresses of a name: come back as ike_sa_resolved. False: at once not possible. */
	bool (*resolve)(void *host, struct ike_sa *sa, const char *name, int family);
	/* The source address for a destination; port untouched. */
	bool (*source_address)(void *host, const struct addr *remote, struct addr *ret_local);
	/* An address of this host that the entry of local_addrs allows, of the family of `remote`; port untouched. */
	bool (*own_address)(void *host, const struct endpoint *e, const struct addr *remote, struct addr *ret_local);
	/* Which link packets with this source to remote leave by; false: none. A few system calls. */
	bool (*route)(void *host, const struct addr *local, const struct addr *remote, unsigned *ret_ifindex);
	/* A TCP stream to remote, whose `stream` is set (RFC 9329); local gets the port. bound: only ever from that address. */
	bool (*stream_open)(void *host, bool bound, struct addr *local, struct addr *remote);
	/* The SA uses it, or no longer; news of it come as ike_sa_stream_reopened to the last that began to. */
	void (*stream_use)(void *host, struct ike_sa *sa, uint32_t stream, bool is);
	/* The connection of a stream that we opened is made anew, from wherever we are. */
	void (*stream_again)(void *host, uint32_t stream);
	/* Brings up a child (NULL: only the IKE_SA) of a connection again, on any thread. */
	void (*reinitiate)(void *host, const struct conn *conn, const struct child_conf *child);
	/* Installs the child's trap (if it is not there): the next packet brings the child up again. */
	void (*retrap)(void *host, const struct conn *conn, const struct child_conf *child);
	/* The reqid of the child's trap: SAs with the trap's selectors have the same. 0: there is no trap. */
	uint32_t (*trap_reqid)(void *host, const struct conn *conn, const struct child_conf *child);
};

/* The secrets of our tokens (RFC 6290, 5.1), the newest first; older ones are there for IKE_SAs made under them. */
#define QCD_GENERATIONS 4
#define QCD_SECRET_LEN 32
struct qcd_secrets {
	unsigned count; /* 0: we give no tokens */
	uint8_t secret[QCD_GENERATIONS][QCD_SECRET_LEN];
};

/* The settings that the protocol obeys; a reload gives a new one. Times in ms. */
struct sa_options {
	uint16_t port, port_nat_t;
	double retransmit_timeout, retransmit_base; /* s */
	unsigned retransmit_tries, retransmit_jitter; /* count, percent */
	uint32_t retransmit_limit;                    /* s, 0 none */
	uint32_t half_open_timeout;                   /* s */
	uint32_t closed_linger;                       /* s */
	uint16_t fragment_size_v4, fragment_size_v6;  /* bytes of the largest IP datagram (RFC 7383) */
	uint32_t delete_rekeyed_delay;                /* s: late packets of a replaced CHILD_SA are taken so long */
	uint32_t keep_alive;                          /* s without a packet to the peer; 0: no keepalives */
	uint32_t keep_alive_dpd_margin;               /* s: a keepalive that is later by this is a DPD instead; 0: never */
	bool prefer_peer_proposals;
	bool close_ike_on_child_failure;
	bool inactivity_close_ike; /* when its only CHILD_SA is closed for lack of traffic */
	bool reuse_ikesa;
	bool make_before_break; /* how IKE_SAs are reauthenticated */
	bool attributes_without_vips; /* ask gateways for attributes though no virtual address is asked for */
	bool install_virtual_ip;      /* those that a gateway gives us are put onto an interface */
	uint32_t retry_initiate_interval; /* s until a name is looked up again that has no address; 0: not */
	uint8_t segment;
	bool message_id_sync; /* RFC 6311: announced and answered */
	bool qcd;             /* RFC 6290 */
	struct qcd_secrets qcd_secrets;
	bool prefer_best_path;     /* RFC 4555: to the address that the routes prefer, even if the present one works */
	bool signature_authentication; /* RFC 7427: announced and used */
	bool multiple_authentication; /* RFC 4739: announced, and used where connections have several rounds */
	bool hash_and_url;         /* RFC 7296, 3.6: taken from peers, and asked for */
	bool mobike_return_check;  /* RFC 4555, 3.7: as responder, before CHILD_SAs follow a peer */
};

EXPORT void sa_options_default(struct sa_options *o);

/* A message, or all its fragments with what each of them adds. */
#define SA_PACKET_MAX (3 * LIMIT_MESSAGE)

/* The context of one thread that runs SAs; not owned by them. */
struct sa_ctx {
	const struct sa_host_ops *ops;
	void *host;
	struct wheel *wheel;
	struct crypto_ctx *crypto;
	struct kernel *kernel;
	const struct kernel_ops *kernel_ops;
	const struct attribute_registry *attributes; /* NULL: none are asked for or given */
	struct config *config; /* the snapshot in force */
	struct sa_options options;
	struct hash_key hash;
	struct arena arena; /* of the message at work */
	uint8_t *out;       /* LIMIT_MESSAGE bytes to build payloads in, and SA_PACKET_MAX to seal them to */
	struct local_addrs *locals; /* of this host: the host's reference; NULL: not known, all is taken to be as it was */
	struct ratelimit noise; /* log lines about what is not authenticated */
	uint64_t counters[SA_COUNTERS];
	size_t closed;  /* IKE_SAs that are CLOSED */
	unsigned shard; /* this thread's, of counters of connections */
};

EXPORT void sa_ctx_init(struct sa_ctx *ctx); /* zeroes; allocates `out`; default options */
EXPORT void sa_ctx_clear(struct sa_ctx *ctx);

/* conn may be NULL: not known (yet). */
static inline void sa_count(struct sa_ctx *ctx, const struct conn *conn, enum sa_counter which)
{
	ctx->counters[which]++;
	if (conn)
		conn_counters_add(conn->counters, ctx->shard, which);
}

static inline uint64_t sa_now(const struct sa_ctx *ctx)
{
	return wheel_now(ctx->wheel);
}

#endif

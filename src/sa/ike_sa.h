/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_IKE_SA_H
#define BEWICK_SA_IKE_SA_H

#include "sa/child_sa.h"
#include "sa/host.h"
#include "sa/ike_sa_states.h"
#include "sa/window.h"
#include "util/log.h"
#include "wire/message.h"

struct crl;
struct fragment_set;
struct ike_kin;
struct mobike_addrs;
struct sa_attributes;
struct sa_chains;
struct sa_vips;
struct task;

/* An address of a name in local_addrs. */
struct initiate_name {
	struct addr addr;
	uint32_t entry;
};

/* A message that is not read to its end: a task waits, or IKE_AUTH takes several exchanges (sa/exchange_parts.h). */
struct held_message {
	struct arena arena;
	struct payload_list list;
};

/* What the peer told of itself before it authenticates. */
struct auth_announced {
	uint16_t hashes;      /* RFC 7427: bits HASH_BIT of its SIGNATURE_HASH_ALGORITHMS, HASH_BIT(0) with any; 0: none came */
	bool certreq;         /* a CERTREQ for X.509 certificates or raw keys came, even if it names no CA */
	bool ocsp;            /* RFC 4806 */
	bool hash_and_url;    /* RFC 7296, 3.6 */
	bool multiple;        /* RFC 4739 */
	struct auth_methods *methods; /* RFC 9593; NULL: none came */
	struct buf cas;       /* hashes of 20 bytes of CERTREQ */
};

/* Only while IKE_SA_INIT and IKE_AUTH run; freed when the SA is established. */
struct ike_setup {
	struct secret ni, nr;
	struct buf init_request, init_response; /* whole messages, for AUTH (RFC 7296, 2.15) */
	struct buf cookie;                      /* to be returned (RFC 7296, 2.6) */
	const struct ke_impl *ke;
	void *ke_key;    /* initiator's half */
	uint16_t ke_id;  /* method of the KE payload to send */
	uint64_t peer_spi; /* of the IKE_SA_INIT response at hand */
	uint8_t cookie_rounds, ke_rounds;
	uint8_t attempt; /* of keyingtries, from 1 */
	uint8_t nat_refusals; /* IKE_AUTH was answered with UNEXPECTED_NAT_DETECTED so often */
	bool again;           /* what failed begins anew (initiate_begin_again) */
	/* An unauthenticated error in answer to IKE_SA_INIT: remembered, not obeyed. */
	uint16_t error_notify;
	uint8_t error_repeats;
	struct sa_request request; /* who waits for the IKE_SA itself */
	uint8_t n_answers; /* log limits of what is not authenticated */
	struct held_message *held;
	struct auth_announced announced;
	const struct auth_request *authenticating; /* the one whose answer is waited for; never looked into */
	/* sa/initiate.h */
	bool resolving;    /* a name is being looked up, or waits to be: nothing is sent */
	bool others;       /* more than one entry of remote_addrs can be called */
	uint32_t entry;    /* of remote_addrs: called, or looked at */
	uint32_t left;     /* how many are still to be looked at */
	uint32_t local_entry; /* of local_addrs: its name is being looked up */
	uint32_t n_names;
	struct initiate_name *names; /* of local_addrs */
	const char *unresolved;      /* of remote_addrs, in conn */
};

/* A request of ours that is under way. Exists only then. */
struct outstanding {
	struct timer timer;
	struct ike_sa *sa;
	struct buf data; /* the message */
	uint32_t message_id;
	uint8_t exchange;
	uint8_t tries; /* retransmissions made, of this size */
	uint8_t cuts;  /* how often it was cut smaller because of silence */
	uint64_t since_ms; /* when it was sent first, on this path */
	bool probed;   /* it went out on other paths, too (sa/mobike.h) */
};

/* A request of the peer that is being answered; outlives its message when parked. */
struct incoming {
	struct addr local, remote; /* where it came to and from: where the answer goes */
	uint64_t hash;             /* of its bytes */
	uint32_t message_id;
	uint16_t fragment; /* it came in fragments: bytes of the largest; 0: whole */
	uint8_t exchange;
};

/* What of our own exchange waits for a completion. A peer's request waits by itself: parked_request. */
enum park { PARK_NONE, PARK_PREPARE, PARK_RESPONSE };

/*
 * An IKE_SA. Owned by one worker thread. What is needed only for a while hangs on pointers and is freed: an idle SA
 * is this struct, its keys, its identities, one stored reply and its children.
 */
struct ike_sa {
	struct hashnode by_spi;  /* the host's tables */
	struct hashnode by_id;
	struct hashnode by_peer;
	struct hashnode by_addr;
	struct list by_name; /* those of one connection; zeroed: not in it */
	struct sa_ctx *ctx;
	const struct conn *conn; /* a reference; NULL: responder before the choice */
	struct log_sa log;       /* name (borrowed from conn) and unique id */
	uint64_t spi_i, spi_r;
	struct addr local, remote;
	struct id local_id, remote_id; /* owned, but for a local one that is the connection's (conf_local_id) */
	struct protect protect;
	struct ike_keys keys;
	struct window_in in;
	struct window_out out;
	uint32_t sync_floor;   /* RFC 6311: below this the peer must not synchronize again */
	struct outstanding *outstanding;
	struct incoming *incoming;
	struct fragment_set *fragments; /* sa/fragment.h: what came of messages that are not complete */
	struct ike_setup *setup;
	struct child_sa *children;
	struct sa_attributes *attributes; /* sa/config_payload.h; NULL none */
	struct sa_vips *vips; /* sa/vips.h; NULL none */
	struct sa_chains *chains; /* sa/authentication.h: certificates that the peer is believed for; NULL none */
	struct task *queued, *active, *passive;
	struct ike_kin *kin; /* sa/kin.h: other IKE_SAs that it is related to; NULL none */
	struct timer timer; /* half-open limit, DPD, linger: whatever is next */
	uint64_t established_ms;
	/* sa/deadline.h */
	uint64_t rekey_ms, reauth_ms; /* soft lifetimes */
	uint64_t over_ms;             /* hard; half-open: the limit; in REKEYED: how long the peer has to delete it */
	uint64_t dpd_ms;              /* the next look whether the peer lives */
	uint64_t astray_ms;           /* with MOBIKE: when ESP came from where the peer is not, last; 0 never */
	uint64_t keepalive_ms;        /* the next look whether a NAT's mapping needs a packet */
	uint64_t backend_ms;          /* parked: how long the backend has to answer */
	uint32_t origin_id;    /* unique id of the IKE_SA that was authenticated; its own but for successors */
	uint32_t if_id_in, if_id_out; /* sa/scope.h */
	uint32_t was_id;       /* unique id of the one that this one replaced, 0 none */
	uint64_t host_order; /* the host's: its place in the order of being established */
	uint64_t last_in_ms; /* last message that passed its check */
	uint64_t last_out_ms; /* last packet to the peer, ESP not counted */
	uint64_t seal_counter; /* of the IVs of our messages, from a random number on; never the message id */
	struct sa_request delete_request; /* who waits for the end of the SA */
	uint64_t hint_ms;      /* when a hint of who has no keys last made us probe (sa/hint.h) */
	uint8_t qcd_digest[16]; /* of the peer's token (sa/qcd.h) */
	/* sa/mobike.h */
	struct mobike_addrs *peer_addrs; /* additional ones of the peer, NULL none */
	uint64_t told_addrs;   /* of which addresses of our own the peer knows */
	uint64_t mapping;      /* the address that the peer sees us at, as its NAT detection hash begins; 0 not known */
	struct suite suite;
	uint8_t state;    /* enum ike_state */
	uint8_t park;     /* enum park */
	uint8_t cause;    /* enum cause: why it ends */
	uint8_t reauth_tries; /* reauthentications that failed in a row */
	uint16_t fatal_notify; /* to be sent with an IKE_FATAL answer, 0 none */
	uint8_t rekey_failures; /* in a row */
	uint8_t place;          /* sa/address.h: changes when the SA moves; children know the one they are at */
	uint16_t fatal_data;   /* 2 bytes of notify data if not 0 */
	uint16_t path_size;    /* sa/fragment.h: bytes of the largest IP datagram that is tried on this path; 0: as the settings say */
	const char *why;       /* constant sentence: why it ends */
	uint32_t stream;       /* sa/stream.h: that the host knows we use */
	bool initiator : 1;
	bool half_open : 1;
	bool nat_local : 1, nat_remote : 1, nat_fake : 1;
	bool fragmentation : 1; /* both sides announced it (RFC 7383, 2.3) */
	bool childless : 1;  /* the peer allows IKE_AUTH without a child (RFC 6023) */
	bool init_contact : 1; /* the peer said so */
	bool finished : 1;   /* handed to host->finished: do nothing any more */
	bool being_replaced : 1;
	bool in_peer_table : 1; /* the host's: by_peer is linked */
	bool in_addr_table : 1; /* likewise by_addr */
	bool claimed : 1;    /* the host's: its identities are counted */
	bool announced : 1;  /* IKE_UP was told */
	bool parked_request : 1; /* `incoming` waits for a completion */
	bool origin : 1;         /* we began the first of its line of rekeyings: reauthentication is ours */
	bool reauth_break : 1;   /* being closed to be set up anew */
	bool overlaps : 1; /* responder: the peer had another IKE_SA when this one came up, and may be reauthenticating */
	bool sync_ids : 1, sync_replay : 1; /* RFC 6311: agreed on; as initiator before the answer: announced */
	bool delete_later : 1; /* REKEYED: ours to close, when the peer has closed its redundant successor */
	bool over_tcp : 1;   /* initiator: UDP was tried (sa/stream.h) */
	bool qcd_taken : 1;  /* qcd_digest is set */
	bool mobike : 1;     /* RFC 4555: both sides announced it */
	bool nat_t : 1;      /* the peer detects NATs: ports may float, ESP may be in UDP */
	bool unchecked : 1;  /* the peer has not shown yet that it gets packets where it says it is: CHILD_SAs wait */
	bool settling : 1;   /* we told that we moved, and the peer did not answer yet */
	bool offline : 1;    /* no path to the peer is known: requests wait for one */
	bool cp_asked : 1;   /* a CFG_REQUEST was sent, or came */
	bool cp_supported : 1; /* it wants to know what we have */
	bool vips_asked : 1; /* gateway: for a virtual address */
	bool conf_local_id : 1;
};

/* A packet that met a trap: what the CHILD_SA is wanted for (RFC 7296, 2.9). */
struct child_acquire {
	struct ts src, dst; /* ours, the peer's: one address, protocol and ports as far as known */
};

/* ---- life ---- */

/* A responder's SA for a new IKE_SA_INIT request. Pass the message by ike_sa_receive next. */
EXPORT struct ike_sa *ike_sa_new_responder(struct sa_ctx *ctx, uint64_t spi_i, const struct addr *local,
					   const struct addr *remote);
/*
 * An initiator's SA. `child` (borrowed from conn) is set up with it; NULL: childless. id 0: a new number. Call
 * ike_sa_initiate next.
 */
EXPORT struct ike_sa *ike_sa_new_initiator(struct sa_ctx *ctx, const struct conn *conn, uint32_t id);
EXPORT void ike_sa_initiate(struct ike_sa *sa, const struct child_conf *child, struct sa_request request);
/* Likewise, for the packet that a trap met. */
EXPORT void ike_sa_initiate_for(struct ike_sa *sa, const struct child_conf *child, const struct child_acquire *acquire,
				struct sa_request request);
/* One that follows another, whose keys the caller sets; with the SPIs of the exchange that made it. */
struct ike_sa *ike_sa_new_successor(struct sa_ctx *ctx, bool initiator, uint64_t own_spi, uint64_t peer_spi);
/* Frees everything, tells nobody. Only the host calls it, after finished (or at its own end). */
EXPORT void ike_sa_free(struct ike_sa *sa);

/* ---- what comes in ---- */

/* One IKE message for this SA; the bytes are changed in place. */
EXPORT void ike_sa_receive(struct ike_sa *sa, const struct ike_header *h, const struct addr *local,
			   const struct addr *remote, uint8_t *msg, size_t n);
EXPORT void ike_sa_kernel_done(struct ike_sa *sa, uint32_t child_id, enum kernel_status status,
			       const struct errtext *err);
/* The answer of sa_host_ops.authenticate, or of one that is of no interest any more; the caller frees it. */
EXPORT void ike_sa_authenticated(struct ike_sa *sa, struct auth_request *r);
/* The addresses of the peer's name, best first; n 0: it has none. */
EXPORT void ike_sa_resolved(struct ike_sa *sa, const struct addr *addrs, size_t n);
/* The backend's volume limit of a child was reached, the soft one or the hard one. */
EXPORT void ike_sa_child_expired(struct ike_sa *sa, struct child_sa *child, bool hard);
/* Its SAs are gone from the backend, by somebody else's hand: new ones are made, with new keys. */
EXPORT void ike_sa_child_gone(struct ike_sa *sa, struct child_sa *child);

/* ---- what the operator wants ---- */

/* Another child on an established (or connecting) SA. */
EXPORT void ike_sa_add_child(struct ike_sa *sa, const struct conn *conn, const struct child_conf *child,
			     struct sa_request request);
/* Likewise, for the packet that a trap met. */
EXPORT void ike_sa_add_child_for(struct ike_sa *sa, const struct conn *conn, const struct child_conf *child,
				 const struct child_acquire *acquire, struct sa_request request);
/* A successor for it (RFC 7296, 2.8); nothing when that is under way, or when it is not up. */
EXPORT void ike_sa_rekey_child(struct ike_sa *sa, struct child_sa *child);
/* With all that replaces it, or that it replaced. */
EXPORT void ike_sa_terminate_child(struct ike_sa *sa, struct child_sa *child, struct sa_request request);
/* force: without waiting for the peer. Of a replaced IKE_SA: its successor ends as well. */
EXPORT void ike_sa_terminate(struct ike_sa *sa, bool force, struct sa_request request);

/* New keys, by a new IKE_SA that takes over everything (RFC 7296, 2.18). A no-op if that is under way or the state does not
 * allow it. */
EXPORT void ike_sa_rekey(struct ike_sa *sa);
/* Asks the peer whether it is there (RFC 7296, 2.4). */
EXPORT void ike_sa_probe(struct ike_sa *sa);

/*
 * Authenticates anew (RFC 7296, 2.8.3), by a new IKE_SA with all children; who did not begin this one asks the peer to (RFC 4478).
 * Nothing happens when it is under way already or the state does not allow it.
 */
EXPORT void ike_sa_reauth(struct ike_sa *sa);
/* RFC 4478: the configuration has another lifetime for authentications now (s, 0 none): from now on, and the peer is told. */
EXPORT void ike_sa_set_reauth_time(struct ike_sa *sa, uint64_t seconds);
/* RFC 6311: agrees on message ids anew, as after a take-over. A no-op when it is under way, not negotiated, or the state does not
 * allow it. */
EXPORT void ike_sa_sync_ids(struct ike_sa *sa);
/* Likewise, and the sequence numbers that the peer sends with are to jump by delta (0: not). False: it was a no-op. */
EXPORT bool ike_sa_sync(struct ike_sa *sa, uint64_t delta);
/* This host's addresses (sa_ctx.locals) or routes are others now; what is not pressing comes at random times within spread_ms. */
EXPORT void ike_sa_roam(struct ike_sa *sa, uint64_t spread_ms);

/* ---- questions ---- */
/* The IKE_SA that stands for the tunnel: the last successor of a replaced one, else itself. */
EXPORT struct ike_sa *ike_sa_current(struct ike_sa *sa);
EXPORT struct child_sa *ike_sa_child(const struct ike_sa *sa, uint32_t id);
EXPORT struct child_sa *ike_sa_child_by_spi_out(const struct ike_sa *sa, uint32_t spi_out);
EXPORT size_t ike_sa_count_children(const struct ike_sa *sa);
/* A child of this configuration that is up, or being set up. ret_id gets its id or 0. */
EXPORT bool ike_sa_has_child(const struct ike_sa *sa, const char *name, uint32_t *ret_id);
static inline uint64_t ike_sa_own_spi(const struct ike_sa *sa)
{
	return sa->initiator ? sa->spi_i : sa->spi_r;
}

/* ---- for the parts of sa/ and the tasks ---- */
/* The choice of a responder is not final before IKE_AUTH is complete: till then it counts for no connection. */
static inline void ike_sa_count(struct ike_sa *sa, enum sa_counter which)
{
	sa_count(sa->ctx, sa->initiator || sa->established_ms ? sa->conn : NULL, which);
}
EXPORT bool ike_sa_move(struct ike_sa *sa, enum ike_event event);
/* Sends what is queued if nothing is outstanding. */
void ike_sa_run_queue(struct ike_sa *sa);
void ike_sa_queue(struct ike_sa *sa, struct task *t);
/* A task of this type (enum task_type) is queued or under way. */
bool ike_sa_has_task(const struct ike_sa *sa, unsigned type);
/* The end: tasks and waiters are told the cause, the host frees the SA. */
EXPORT void ike_sa_finish(struct ike_sa *sa, enum ike_event event, enum cause cause, const char *why);
/* After our answer to a Delete: only the stored reply stays (design: CLOSED). */
void ike_sa_close(struct ike_sa *sa);
/* All that an established SA needs no more, and what it starts. */
void ike_sa_established(struct ike_sa *sa);
void ike_setup_free(struct ike_setup *s);
/* Says to who waits for `t` how it ended; once. */
void task_request_done(struct ike_sa *sa, struct task *t, enum cause cause, const char *why);
/* Starts the timer for the next thing that is due. */
EXPORT void ike_sa_schedule(struct ike_sa *sa);
void ike_sa_set_conn(struct ike_sa *sa, const struct conn *conn);
/* The local identity is settled; no copy is kept of one that the connection has. */
void ike_sa_settle_id(struct ike_sa *sa);
/* The connection was loaded again with other children: new ones are judged by those. Another IKE part needs a new IKE_SA. */
void ike_sa_refresh_conn(struct ike_sa *sa);
/* "between 192.0.2.2[sun]...192.0.2.1[moon]" */
void ike_sa_describe(struct buf *out, const struct ike_sa *sa);
/* Whether the connection names a peer that can be called. */
bool ike_sa_can_initiate(const struct conn *conn);
/* A CHILD_SA that nobody waits for could not be set up: brought up later, if its configuration wants it. */
void ike_sa_child_wanted(struct ike_sa *sa, const struct conn *conn, const struct child_conf *conf);
/* A new own SPI and a new try, for keyingtries. */
void ike_sa_restart(struct ike_sa *sa);

#endif

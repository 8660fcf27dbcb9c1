/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_EXCHANGE_LAB_H
#define BEWICK_TESTING_EXCHANGE_LAB_H

#include <check.h>

#include "sa/ike_sa.h"
#include "sa/info.h"
#include "wire/builder.h"

/* libcheck tells its parent of every assertion that holds: millions of system calls here */
#define _mark_point(FILE, LINE) ((void)0)

/*
 * Two whole endpoints in one process: the real SAs and tasks over a net that the test delivers by hand, a
 * backend that the test can make slow or unwilling, a clock that it turns and seeded random bytes.
 */
#define LAB_SAS 64
#define LAB_PACKETS 256
#define LAB_COOKIE 33 /* bytes, all 0x11 or (the one before) 0x22 */
#define LAB_EVENTS 256
#define LAB_REQUESTS 64
#define LAB_PENDING 64
#define LAB_REPLIES 512
#define LAB_CLAIMS 64
#define LAB_LOCALS 8
#define LAB_VIPS 32
#define LAB_STREAMS 32
#define LAB_RESERVED 16

#define LAB_AUTHS 64

struct lab_child; /* of the mock backend */
struct auth_request;
/* Requests to the service of authentication (lab_auth.h). */
enum lab_auth { LAB_AUTH_AT_ONCE, LAB_AUTH_BY_HAND, LAB_AUTH_FULL };

struct lab_event {
	enum sa_event event;
	uint32_t ike_id, child_id;
};

struct lab_request {
	unsigned done; /* how often: must be 1 */
	enum cause cause;
};

struct lab_end {
	struct lab *lab;
	const char *name;
	struct sa_ctx ctx;
	struct addr addr;
	struct ike_sa *sas[LAB_SAS];
	size_t n_sas;
	uint32_t numbers[SA_NUMBERS];
	struct lab_event events[LAB_EVENTS];
	size_t n_events;
	uint32_t *lines; /* line_id of CHILD_SAs that are up, as hooks see it */
	size_t n_lines;
	size_t attributes; /* that handlers have been told of, less those taken back */
	struct lab_request requests[LAB_REQUESTS]; /* by sa_request.id */
	unsigned half_open, reinitiated, retrapped, replaced;
	uint32_t trap_reqid; /* of the traps of all children; 0: there is none */
	char reinitiated_child[32]; /* the last one */
	unsigned resolves;	    /* names looked up; lab_resolved answers */
	unsigned children; /* that the host knows of */
	/* the backend */
	unsigned kernel_children, kernel_spis; /* installed; reserved */
	struct lab_child *carriers;
	enum lab_auth auth;
	bool auth_fail_sign, auth_fail_verify; /* what the service says */
	size_t auth_cert_len;		       /* bytes of the certificate that goes with our signatures */
	struct auth_request *auths[LAB_AUTHS];
	size_t n_auths, auth_certs; /* waiting; CERT payloads that came with the last one to be verified */
	unsigned auth_works[2];     /* answered: enum auth_work */
	unsigned streams[LAB_STREAMS]; /* how many SAs use each */
	unsigned streams_again;	       /* connections that were asked for anew */
	bool no_streams;	       /* cannot be opened */
	bool kernel_async;                     /* completions wait for lab_kernel_complete */
	bool kernel_fail_spi, kernel_fail_install;
	uint32_t next_spi;
	struct {
		uint32_t ike_id, child_id;
		bool install;
		struct lab_child **slot;
		uint32_t *spi;
	} pending[LAB_PENDING];
	size_t n_pending;
	struct kernel_usage usage_in, usage_out; /* what query says */
	unsigned dscp; /* of the last message sent */
	unsigned kernel_moves;                   /* children that were asked to move */
	unsigned keepalives;
	struct {
		uint64_t selectors, peer;
		unsigned count;
	} claims[LAB_CLAIMS];
	/* the host's addresses: lab_roam; none: `addr` is all there is, and nothing is watched */
	struct addr locals[LAB_LOCALS];
	size_t n_locals;
	bool kernel_fail_move;
	struct addr vips[LAB_VIPS]; /* on interfaces, as often as they were put there */
	size_t n_vips;
	unsigned vips_added; /* ever */
	bool kernel_fail_vip;
	bool asleep; /* its time stands still */
	unsigned silent_ends; /* of IKE_SAs whose peer was taken for dead */
	uint64_t reserved[LAB_RESERVED]; /* SPIs that are proposed for successors */
};

struct lab_packet {
	struct lab_end *to;
	struct addr local, remote; /* as the receiver sees it */
	size_t n;
	uint8_t *data;
};

struct lab {
	struct lab_end a, b; /* a initiates */
	struct lab_packet packets[LAB_PACKETS];
	size_t n_packets;
	unsigned sent;
	uint32_t streams; /* numbers given */
	/* every response ever sent, to see that each request has one answer */
	struct {
		uint64_t key, hash;
	} replies[LAB_REPLIES];
	size_t n_replies;
	uint64_t now;
	/* a is behind a NAT: its ports 500 and 4500 are nat_port and the next of 198.51.100.1; what goes to others is lost */
	uint16_t nat_port;
	/* What is between: may change the addresses of a packet, or lose it (false). NULL: nothing. `out`: it comes from a. */
	bool (*path)(struct lab *lab, bool out, struct addr *src, struct addr *dst);
	struct addr nat; /* for path functions */
	/* IP datagrams that are larger are lost, 0 none; from a, from b */
	size_t narrow[2];
};

/* conf: text of swanctl.conf with sections connections and secrets. a is 192.0.2.1, b 192.0.2.2. */
struct lab *lab_new(const char *conf_a, const char *conf_b);
void lab_free(struct lab *lab);
/* The end has this configuration from now on. */
void lab_reload(struct lab_end *e, const char *conf);
/* Runs with `runs` seeds, others in each part: NAME_RUNS in the environment says how many instead, NAME_SEED runs one. A failing one
 * tells its seed (with CK_FORK=no). */
void lab_seeds(const char *name, unsigned long runs, unsigned long part, void (*run)(uint64_t seed));
/* From now on both ask for attributes (RFC 7296, 2.19) and give two. */
void lab_attributes(struct lab *lab);

/* a begins the child (NULL: childless) of connection "net"; the request's number. */
uint64_t lab_initiate(struct lab_end *e, const char *child);
uint64_t lab_add_child(struct lab_end *e, struct ike_sa *sa, const char *child);
struct sa_request lab_request_new(struct lab_end *e);

/* The answer to the look-up of a name by the first SA: addresses with blanks between them, "" none. */
void lab_resolved(struct lab_end *e, const char *addrs);

/* Delivers, loses or repeats the oldest packet under way. */
void lab_deliver(struct lab *lab);
void lab_drop(struct lab *lab);
void lab_repeat(struct lab *lab); /* delivers it and puts it at the end again */
void lab_run(struct lab *lab);    /* delivers until it is quiet */
void lab_advance(struct lab *lab, uint64_t ms);
/* A copy of the oldest packet goes to its receiver with one byte changed. */
void lab_forge(struct lab *lab, size_t offset);
void lab_kernel_complete(struct lab_end *e, enum kernel_status status);

struct ike_sa *lab_sa(struct lab_end *e);   /* the only one that is not closed, or NULL */
size_t lab_live(const struct lab_end *e);   /* how many are not closed */
unsigned lab_children(const struct lab_end *e, enum child_state state);
unsigned lab_count(const struct lab_end *e, enum sa_event event);

/* How many kinds of outbound packets (by their selectors) have a CHILD_SA that carries them; ret_lost: of these, how many are sent
 * on one that the other end does not have. */
unsigned lab_carried(const struct lab_end *e, unsigned *ret_lost);

/* ---- a peer that does what ours does not ---- */

/* A message of sa (of `from`) with the payloads of b, sealed with its keys, is put under way. */
void lab_inject(struct lab_end *from, struct ike_sa *sa, unsigned exchange, bool response, uint32_t message_id,
		const struct builder *b);
/* One fragment of a message of sa (of `from`), the first with the type of its first payload in f (RFC 7383). */
void lab_inject_fragment(struct lab_end *from, struct ike_sa *sa, unsigned exchange, bool response, uint32_t message_id,
			 uint16_t number, uint16_t total, uint8_t first, struct bytes inner);
/* Anybody's message, unprotected, as if from the peer of sa (of `to`). */
void lab_inject_plain(struct lab_end *to, const struct ike_sa *sa, const struct ike_header *h, const struct builder *b);
/* Any bytes, as if from `from`. */
void lab_inject_bytes(struct lab_end *from, struct bytes msg);
/* An IKE_SA_INIT response for the first SA of `to`, as anybody can send it, with the payloads of b. */
void lab_inject_init(struct lab_end *to, uint64_t spi_r, struct builder *b);
/* Parses packet i of those under way with the keys of its receiver. */
void lab_peek(struct lab *lab, size_t i, struct arena *a, struct ike_header *ret_header, struct payload_list *ret_list);
/* Brings packet i to the front. */
void lab_choose(struct lab *lab, size_t i);

/* Where the backend sends what an installed child carries. */
const struct addr *lab_sent_to(const struct child_sa *c);
/* The end has these addresses from now on, with blanks between them and a plus before virtual ones; its IKE_SAs look at that. */
void lab_roam(struct lab_end *e, const char *addrs);

/* The virtual addresses that an IKE_SA has, with blanks between them. */
const char *lab_vips(const struct ike_sa *sa);
/* "1/2": addresses of the pool of that name that are in use, and that were. */
const char *lab_pool(const struct lab_end *e, const char *name);

/* Where the backend has a child. */
const struct kernel_move *lab_place_of(const struct child_sa *c);

/* How far the outbound sequence numbers of an installed child were made to jump. */
uint64_t lab_seq_out(const struct child_sa *c);
/* What the backend was asked for with an installed child: pointers and keys are gone. */
const struct kernel_child *lab_asked(const struct child_sa *c);

/* Aborts the test when an invariant is broken: backend and SAs agree, nothing leaks. */
void lab_check(struct lab *lab);

#endif

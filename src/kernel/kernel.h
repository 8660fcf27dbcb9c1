/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_KERNEL_KERNEL_H
#define BEWICK_KERNEL_KERNEL_H

#include "crypto/crypto.h"
#include "proto/ipsec.h"
#include "proto/ts.h"
#include "util/addr.h"

/*
 * What the protocol asks of an IPsec backend, and what the backend tells. Backends
 * are plugins. Requests come from worker threads, any of them, and must not block for
 * longer than a short lock: a backend that needs time says KERNEL_PENDING and calls
 * `done` later, from any thread.
 */
enum kernel_status {
	KERNEL_OK,
	KERNEL_PENDING, /* done will be called exactly once */
	KERNEL_FAILED,  /* err says why */
};

/* How an asynchronous request ends. Borrowed data is copied by the backend before it returns PENDING. */
struct kernel_done {
	void (*fn)(void *arg, uint64_t token, enum kernel_status status, const struct errtext *err);
	void *arg;
	uint64_t token;
};

/* One direction's SA. */
struct kernel_sa {
	uint32_t spi;
	struct addr src, dst; /* outer, with UDP ports when encapsulated */
	struct bytes encr_key; /* key | salt */
	struct bytes integ_key;
	/* 0 for a new SA. Taken over from elsewhere, out: the last number used, in: the highest received. */
	uint64_t seq;
};

/* Limits that the backend counts; time is the core's. 0 = none. Soft and hard give one event each. */
struct kernel_life {
	uint64_t soft_bytes, hard_bytes;
	uint64_t soft_packets, hard_packets;
};

/*
 * A pair of SAs with its policies, installed in one request. The backend copies what
 * it needs. Of children with the same selectors the newest carries outbound traffic, all of
 * them inbound. Inbound: packets from remote_ts to local_ts under `in`; outbound the reverse.
 */
struct kernel_child {
	uint32_t unique_id; /* of the CHILD_SA */
	uint32_t ike_id;    /* unique id of its IKE_SA: comes back in events */
	uint32_t reqid;
	uint8_t protocol; /* PROTOCOL_ESP */
	enum ipsec_mode mode;
	bool encap; /* ESP in UDP */
	bool initiator;
	struct suite suite; /* encr, integ, esn */
	struct protect protect;
	uint32_t replay_window;
	uint32_t priority; /* 0: computed, narrower wins */
	bool copy_df, copy_ecn;
	enum copy_dscp copy_dscp;
	enum hw_offload hw_offload;
	uint32_t tfc;      /* outbound packets are padded to so many bytes, at most to what the path carries; 0 not */
	bool no_policies;  /* SAs only; policies and routes are the operator's */
	bool fwd_out;      /* also a policy for forwarded packets that go out */
	struct ipsec_scope scope;
	/* Responder of a rekey: an older child with the same selectors keeps the outbound traffic until it is
	 * removed, because the peer may not have installed the new one yet. */
	bool out_waits;
	struct kernel_life life; /* each direction by itself */
	struct kernel_sa in, out;
	struct ts_list local_ts, remote_ts;
	const struct addr *vips; /* own virtual addresses to prefer as route source */
	size_t n_vips;
	const char *name; /* "net-net", for log lines */
};

struct kernel_usage {
	uint64_t bytes, packets;
	uint64_t last_use_ms; /* CLOCK_MONOTONIC of the last packet, 0 = never */
};

/* Backend -> daemon; called from the backend's threads. */
enum kernel_event_kind {
	KERNEL_EVENT_EXPIRE_SOFT, /* rekey */
	KERNEL_EVENT_EXPIRE_HARD, /* gone, by its limits */
	KERNEL_EVENT_GONE,	  /* gone, and it should not be: someone else removed it. The handle stays until remove */
	KERNEL_EVENT_ACQUIRE,     /* an outbound packet met a trap */
	KERNEL_EVENT_MAPPING,     /* authenticated ESP in UDP came from elsewhere: src is the new address and port */
	KERNEL_EVENT_INVALID_SPI, /* ESP for an SPI nobody has */
	KERNEL_EVENT_DEAD,        /* the backend cannot go on */
};

struct kernel_event {
	enum kernel_event_kind kind;
	uint32_t spi; /* inbound SPI of the CHILD_SA */
	uint32_t ike_id, child_id; /* of expire, gone and mapping events; ACQUIRE: of the trap */
	uint32_t reqid;
	struct addr src, dst; /* outer */
	struct ts packet_src, packet_dst; /* ACQUIRE: of the packet; one address, protocol and ports as far as known */
};

/* What changes when the peer, or we, moved. */
struct kernel_move {
	struct addr local, remote; /* outer, with UDP ports when encapsulated */
	bool encap;
};

/* An address that a gateway gave us (RFC 7296, 2.19). */
struct kernel_vip {
	struct addr addr;
	/* Outer address of our side: by default the virtual one goes onto its link. */
	struct addr local;
	uint32_t if_id; /* of an XFRM interface that it goes onto instead, 0 none */
};

struct kernel_packet {
	uint8_t *p;
	size_t n;
};

typedef void kernel_event_fn(void *arg, const struct kernel_event *ev);

/* What a backend gets at start. All of it outlives the backend. */
struct kernel_env {
	const struct settings *settings;
	const struct crypto_registry *crypto;
	kernel_event_fn *event;
	void *event_arg;
	/* UDP sockets for ESP on the NAT-T port, steered to by net/ (kernel-userland): esp_n pairs, -1 = no such family. */
	const int *esp_fds4, *esp_fds6;
	unsigned esp_n;
	/* ESP to a peer whose address has a stream (RFC 9329), any thread; copies. How many were taken. NULL: there is no TCP. */
	size_t (*stream_send)(void *arg, uint32_t stream, const struct bytes *packets, size_t n);
	void *stream_arg;
	uint32_t mark; /* fwmark that keeps our own packets out of our policies, 0 none */
	unsigned generation_seed;
};

struct kernel; /* a running backend; each backend has its own struct behind it */

/* A child's handle in the backend, from install to remove. */
struct kernel_handle;

struct kernel_ops {
	const char *name; /* "kernel-userland" */
	bool force_encap; /* cannot carry plain ESP: NAT detection is faked, all runs on the NAT-T port */
	/* How many ESP socket pairs it wants from net/, at least 1; false: a setting is wrong. NULL: none. */
	bool (*esp_sockets)(const struct settings *settings, unsigned *ret_n, struct errtext *err);
	bool supports_streams; /* ESP in TCP: stream_input, kernel_env.stream_send */
	bool supports_transport, supports_beet;
	bool supports_scope;      /* struct ipsec_scope, copy_dscp, fwd_out, no_policies */
	bool supports_hw_offload;
	bool supports_tfc;        /* kernel_child.tfc */
	bool supports_sha256_96;  /* suite.integ INTEG_HMAC_SHA2_256_96; kernel_child.protect has the one of 128 bits */
	bool udp_encap; /* the kernel carries ESP in UDP: the NAT-T sockets are to hand it over */
	/* Whether it could work here; err says why not. */
	bool (*probe)(const struct settings *settings, struct errtext *err);
	struct kernel *(*start)(const struct kernel_env *env, struct errtext *err);
	void (*stop)(struct kernel *k); /* removes all it made */
	/* An inbound SPI nobody uses, with `segment` as its top byte; reserved until install or spi_free. *ret_spi is written before the
	 * call returns, also with KERNEL_PENDING: who asked may be gone when `done` is called. */
	enum kernel_status (*spi_alloc)(struct kernel *k, uint8_t segment, struct kernel_done done, uint32_t *ret_spi,
					struct errtext *err);
	void (*spi_free)(struct kernel *k, uint32_t spi);
	/* Both SAs and all policies, or nothing. With KERNEL_PENDING the handle is set and lives until remove, also when
	 * `done` tells of a failure; with KERNEL_FAILED there is none and child->in.spi stays reserved. Without SPIs it is
	 * a trap: outbound packets give KERNEL_EVENT_ACQUIRE until an SA with the same selectors is installed, and again when that
	 * is gone; the first packets wait for it. With mode PASS or DROP it is a shunt: packets between the selectors pass in clear
	 * or are dropped, both ways, before any trap or SA of the same or wider selectors. */
	enum kernel_status (*install)(struct kernel *k, const struct kernel_child *child, struct kernel_done done,
				      struct kernel_handle **ret_handle, struct errtext *err);
	/* Frees the handle and its inbound SPI; never fails, never pends. */
	void (*remove)(struct kernel *k, struct kernel_handle *h);
	/* Whether it takes part in carrying outbound packets. Off: others with its selectors do, the ones that wait, too; inbound
	 * packets are taken as before. On: it comes before all with the same selectors. Never fails, never pends. NULL: the
	 * backend does not know such a difference. */
	void (*carry)(struct kernel *k, struct kernel_handle *h, bool on);
	/* Cheap; never pends. False: not known. */
	bool (*query)(struct kernel *k, struct kernel_handle *h, struct kernel_usage *ret_in, struct kernel_usage *ret_out);
	/* For an established child whose peer, or we, moved (NAT rebinding, MOBIKE): keys, sequence numbers and counters stay. May be
	 * asked again before it is done: the last one counts. */
	enum kernel_status (*update)(struct kernel *k, struct kernel_handle *h, const struct kernel_move *move,
				     struct kernel_done done, struct errtext *err);
	/*
	 * The sequence numbers of outbound packets jump ahead by delta, as soon as may be; packets that are on their way may have lower
	 * ones. What that leaves none of is a hard limit. NULL: the backend cannot.
	 */
	void (*advance)(struct kernel *k, struct kernel_handle *h, uint64_t delta);
	/* ESP that came in a TCP stream, in order, changed in place; one thread. How many packets were good. */
	size_t (*stream_input)(struct kernel *k, const struct addr *local, const struct addr *remote,
			       const struct kernel_packet *list, size_t n);
	/* A virtual address is put onto an interface, before the children that use it are installed, and taken from it after they are
	 * removed; as often added as removed, by address and if_id. False: it cannot be, err says why. What only shows later is logged, and children whose
	 * routes need the address then fail. Never pend. NULL: the backend cannot. */
	bool (*vip_add)(struct kernel *k, const struct kernel_vip *vip, struct errtext *err);
	void (*vip_remove)(struct kernel *k, const struct kernel_vip *vip);
	/* Calls done, with KERNEL_OK, when all that was asked before has been answered and what was removed is gone. NULL: nothing takes
	 * time here. */
	void (*fence)(struct kernel *k, struct kernel_done done);
	/* One line per counter for logs and statistics ("drop-replay", 12). May be NULL. */
	void (*stats)(struct kernel *k, void (*fn)(void *arg, const char *name, uint64_t value), void *arg);
};

/* ---- registry: plugins add, the daemon chooses ---- */
struct kernel_registry;
EXPORT struct kernel_registry *kernel_registry_new(void);
EXPORT void kernel_registry_free(struct kernel_registry *r);
EXPORT bool kernel_add_backend(struct kernel_registry *r, const struct kernel_ops *ops); /* borrowed; false: name taken */
EXPORT void kernel_remove_backend(struct kernel_registry *r, const struct kernel_ops *ops); /* unload of a plugin */
/* name NULL or "auto": the first whose probe succeeds, in the order netlink, userland (never null). A given name may
 * lack "kernel-". NULL: err tells what every candidate said. */
EXPORT const struct kernel_ops *kernel_choose(struct kernel_registry *r, const char *name,
					      const struct settings *settings, struct errtext *err);
/* Why the last choice was what it was: half a sentence. Borrowed. */
EXPORT const char *kernel_chosen_why(const struct kernel_registry *r);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_MOBIKE_H
#define BEWICK_SA_MOBIKE_H

#include "sa/ike_sa.h"
#include "wire/builder.h"

/*
 * RFC 4555: an IKE_SA and its children go on while addresses change. Who began the first IKE_SA of the line (`origin`) decides
 * where both are and says so; the other follows, and tells its addresses. The exchange is tasks/ike_mobike.c, what makes us
 * move is roam.c.
 */
enum mobike_kind {
	MOBIKE_NOTHING,
	MOBIKE_UPDATE,    /* UPDATE_SA_ADDRESSES: we are where this comes from */
	MOBIKE_ADDRESSES, /* our list of addresses changed */
	MOBIKE_CHECK,     /* return routability */
};

/* ---- IKE_AUTH (RFC 4555, 3.2 to 3.4) ---- */

/* Announces it, as responder only if the peer did, with our addresses. */
void mobike_build(struct ike_sa *sa, struct builder *b);
/* What the peer announced. False: as responder, a NAT that the peer does not allow (RFC 4555, 3.9). */
EXPORT bool mobike_take(struct ike_sa *sa, const struct payload_list *in);
EXPORT void mobike_inherit(struct ike_sa *sa, const struct ike_sa *old);
/* The successor takes the place of the old one: it is where that is, and goes on with what that was saying. */
void mobike_replace(struct ike_sa *old, struct ike_sa *sa);
void mobike_clear(struct ike_sa *sa);

/* ---- messages ---- */

bool mobike_is_notify(unsigned type);
/* Whether a request has something for tasks/ike_mobike.c; ret_all: and nothing else. */
bool mobike_concerns(const struct ike_sa *sa, const struct payload_list *in, bool *ret_all);
void mobike_put_addrs(struct ike_sa *sa, struct builder *b);
void mobike_take_addrs(struct ike_sa *sa, const struct payload_list *in);
/* Additional addresses of the peer; NULL: no more. */
EXPORT const struct addr *mobike_peer_addr(const struct ike_sa *sa, size_t i);
/* RFC 4555, 3.9: without NAT traversal the addresses of the packet are protected. */
void mobike_put_no_nats(struct ike_sa *sa, struct builder *b);
bool mobike_nats_allowed(const struct payload_list *in, const struct addr *local, const struct addr *remote);
/* RFC 4555, 3.8: how the peer sees us; compare: if that changed it is told. */
void mobike_take_mapping(struct ike_sa *sa, const struct payload_list *in, bool compare);

/* ---- moving ---- */

/* The IKE_SA that stands for the tunnel, with all that it replaced and its children, is there from now on; NAT flags are as
 * those of `sa`. Requests under way go out again. */
void mobike_move(struct ike_sa *sa, const struct addr *local, const struct addr *remote);
/* A request of this kind, once; not before delay_ms have passed. The caller runs the queue. */
void mobike_queue(struct ike_sa *sa, enum mobike_kind kind, uint64_t delay_ms);
/* Moves, and tells the peer. */
void mobike_update(struct ike_sa *sa, const struct addr *local, const struct addr *remote);
/* Changes with the list of our addresses that peers may know. */
uint64_t mobike_own_addrs(const struct ike_sa *sa);
/* Whether the configuration lets us be at an address. */
bool mobike_may_be_at(const struct ike_sa *sa, const struct addr *local);

/* ---- paths (roam.c) ---- */

/* The best pair of addresses, which may be the present one; false: there is none. */
bool mobike_find_path(struct ike_sa *sa, struct addr *ret_local, struct addr *ret_remote);
/* Another one than the present. */
bool mobike_other_path(struct ike_sa *sa, struct addr *ret_local, struct addr *ret_remote);
/* The peer does not answer: the request under way is tried on other paths (RFC 4555, 3.5 and 3.6). */
void mobike_try_paths(struct ike_sa *sa);
/* An answer came on this path: of a request that was tried on several, it is the one that works. */
void mobike_answered(struct ike_sa *sa, const struct addr *local, const struct addr *remote);
/* Whether a request under way waits for an address instead of being given up. */
bool mobike_waits(const struct ike_sa *sa);
/* Whether the peer is not given up yet because one of us has just moved. */
bool mobike_is_patient(const struct ike_sa *sa);
/* The responder told its addresses, from this one: we go there. */
void mobike_reconsider(struct ike_sa *sa, const struct addr *local, const struct addr *remote);

#endif

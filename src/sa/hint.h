/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_HINT_H
#define BEWICK_SA_HINT_H

#include "sa/ike_sa.h"

/*
 * What is said about SPIs that somebody does not know (RFC 7296, 1.5 and 2.21.4). Said without protection it is a hint that makes
 * us ask the peer, rarely; only the peer's own token (RFC 6290) ends an IKE_SA. Said in the IKE_SA it is the peer's word.
 */

/* A response that is no IKE_SA_INIT and not encrypted, for an SA that has keys. */
bool hint_is_unprotected(const struct ike_sa *sa, const struct ike_header *h);
/* body: all behind the header. The SA may be finished afterwards. */
void hint_receive(struct ike_sa *sa, const struct ike_header *h, const struct addr *remote, struct bytes body);

/*
 * The answer to a protected request with SPIs that no IKE_SA has (RFC 7296, 2.21.4), with our tokens of all generations (RFC 6290,
 * 4.5). Not for one that is proposed for a successor: there its token would end an IKE_SA that lives. One token makes this about
 * as large as the least protected request, four make it twice that with the IP header: no amplifier, and a source gets few.
 */
EXPORT struct bytes hint_unknown(struct sa_ctx *ctx, const struct ike_header *h, uint8_t *out, size_t size);

/* An unprotected INVALID_SPI with its payloads, from the address of sa's peer. False: it is not about a child of this one. */
EXPORT bool hint_invalid_spi(struct ike_sa *sa, const struct addr *remote, uint32_t spi, const struct payload_list *in);

/* The peer says in the IKE_SA that it does not know the SPI that we send to: that child is closed and, if the configuration wants it
 * up, set up again. data: of the notify. */
void hint_lost_child(struct ike_sa *sa, struct bytes data);

/* ---- ESP came that nobody has an SA for ---- */

/* Whether the SPI belongs to a child of sa, in whatever state: what is being set up or lingers is no reason to complain. */
EXPORT bool hint_knows_spi(const struct ike_sa *sa, uint32_t spi_in);
/* Whether the peer can be told of something now: an SA that is up, and not told only just. */
bool hint_may_tell(const struct ike_sa *sa);
/* Tells the peer of a request, that was its own, outside the window (RFC 7296, 2.3); if it may. */
void hint_tell_message_id(struct ike_sa *sa, uint32_t message_id);
/* Tells the peer in the IKE_SA; rarely. */
EXPORT void hint_tell_invalid_spi(struct ike_sa *sa, uint32_t spi);

#endif

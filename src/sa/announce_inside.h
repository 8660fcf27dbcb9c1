/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_ANNOUNCE_INSIDE_H
#define BEWICK_SA_ANNOUNCE_INSIDE_H

#include "sa/authentication.h"

/* For the files of announcements: announce.c, announce_methods.c. */

#define ANNOUNCE_CONNS 32

/* The connections that an IKE_SA may come to be of: as initiator one, as responder those that fit the addresses. */
struct announce_conns {
	size_t n;
	bool more; /* than are in here */
	const struct conn *conns[ANNOUNCE_CONNS];
};

/* SUPPORTED_AUTH_METHODS (RFC 9593): what the peer may authenticate with, by one of the connections. signature: by method 14, else by
 * those before it. */
void announce_methods(const struct announce_conns *conns, bool signature, struct builder *b);

#endif

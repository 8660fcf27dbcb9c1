/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_AUTH_IDENTITY_H
#define BEWICK_AUTH_AUTH_IDENTITY_H

#include "config/store.h"

/*
 * The identity of a local round as it is sent. Equal DNs may be encoded in several ways, and peers may compare octets: a DN that
 * is the subject of a certificate of ours, with its key, is sent as it is there (RFC 4945, 3.1.5). Borrowed; pure.
 */
EXPORT const struct id *auth_identity_as_certified(const struct config *config, const struct conn_round *round);

#endif

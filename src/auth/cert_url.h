/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_CERT_URL_H
#define BEWICK_AUTH_CERT_URL_H

#include "crypto/cert.h"
#include "util/arena.h"

/* Hash and URL of certificates (RFC 7296, 3.6). */
#define CERT_URL_HASH 20 /* SHA-1 */
#define CERT_URL_MAX 1024

struct cert_url {
	struct bytes hash; /* of what is there; a view */
	const char *url;   /* http or https; in the arena */
};
/* The data of a CERT payload. */
EXPORT MUST_CHECK bool cert_url_parse(struct bytes data, struct arena *arena, struct cert_url *ret, struct errtext *err);
EXPORT void cert_url_write(const struct cert *cert, const char *base, struct buf *ret);
/* What was fetched, against its hash: one certificate, or a bundle, of which `max` are taken. CRLs in a bundle are passed over.
 * References. 0: err says why. */
EXPORT size_t cert_url_read(struct bytes data, struct bytes hash, bool bundle, size_t max, struct cert **ret, struct errtext *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_AUTH_METHODS_H
#define BEWICK_AUTH_AUTH_METHODS_H

#include "crypto/cert.h"

/* What a peer says that it takes for authentication (RFC 9593, SUPPORTED_AUTH_METHODS), in the order of its preference. */
#define AUTH_METHODS_MAX 48

struct auth_method_entry {
	uint8_t method;
	uint8_t link;             /* only with the CA of that number in its CERTREQ; 0: with any */
	struct sig_scheme scheme; /* of method 14 */
};
struct auth_methods {
	uint8_t n;
	bool unknown; /* there were more, which we do not know */
	struct auth_method_entry entries[AUTH_METHODS_MAX];
};

/* Appends the announcements of a notify. Untrusted: what is not understood is passed over, what is broken ends the list. */
EXPORT void auth_methods_take(struct auth_methods *m, struct bytes data);
/* Whether it says anything. An empty notify does not: its list would come later (RFC 9593, 3.1). m may be NULL. */
static inline bool auth_methods_say(const struct auth_methods *m)
{
	return m && (m->n || m->unknown);
}
/*
 * The place in the list of that method (14: with that scheme) for a certificate with those CAs above it; cas is the peer's CERTREQ, in
 * hashes of 20 bytes. -1: the peer does not name it.
 */
EXPORT int auth_methods_find(const struct auth_methods *m, unsigned method, const struct sig_scheme *scheme, struct bytes cas,
			     const struct cert *const *above, size_t n_above);
/* "ECDSA_WITH_SHA256_DER, RSA_EMSA_PSS_SHA2_256 (of CA 2)", in the order of the list. */
EXPORT void auth_methods_format(struct buf *out, const struct auth_methods *m);

#endif

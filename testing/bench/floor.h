/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_BENCH_FLOOR_H
#define BEWICK_TESTING_BENCH_FLOOR_H

#include "crypto/cert.h"
#include "crypto/crypto.h"

/*
 * The floors: the crypto that nobody can leave out, as responder, with X25519, HMAC-SHA-256 and AES-GCM-128. CPU time of
 * one in microseconds. Of parsing, looking up, sending or storing nothing is counted.
 */
double floor_setup(struct crypto_registry *crypto, unsigned rounds);
/*
 * A set-up in which both sides sign with such a key. We sign, and verify the peer's signature; the one on its certificate is verified
 * too, if it was never seen. Who has seen it need not do that again, and the CA's own can be known in any case.
 */
double floor_signed_setup(struct crypto_registry *crypto, const struct private_key *key, bool new_cert, unsigned rounds);
/* What decoding one certificate costs OpenSSL, which is none of a floor's crypto: its extensions and its key, too. */
double floor_decode(struct bytes der, unsigned rounds);
double floor_dpd(struct crypto_registry *crypto, unsigned rounds);
/* With a key exchange of its own, and the exchange that deletes the old one. */
double floor_child_rekey(struct crypto_registry *crypto, unsigned rounds);
double floor_ike_rekey(struct crypto_registry *crypto, unsigned rounds);

#endif

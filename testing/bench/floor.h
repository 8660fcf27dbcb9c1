/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_BENCH_FLOOR_H
#define BEWICK_TESTING_BENCH_FLOOR_H

#include "crypto/cert.h"
#include "crypto/crypto.h"

/*
 * The floors: the crypto that nobody can leave out, as responder, with X25519, HMAC-SHA-256 and AES-GCM-128. CPU time of
 * one in microseconds.
 */
double floor_setup(struct crypto_registry *crypto, unsigned rounds);
/* What signatures add to a set-up: one is made, AUTH and the certificate of the peer are verified (the CAs' can be known). */
double floor_signatures(const struct private_key *key, unsigned rounds);
double floor_dpd(struct crypto_registry *crypto, unsigned rounds);
/* With a key exchange of its own, and the exchange that deletes the old one. */
double floor_child_rekey(struct crypto_registry *crypto, unsigned rounds);
double floor_ike_rekey(struct crypto_registry *crypto, unsigned rounds);

#endif

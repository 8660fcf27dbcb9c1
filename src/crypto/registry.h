/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_REGISTRY_H
#define BEWICK_CRYPTO_REGISTRY_H

#include "crypto/crypto.h"

/* Known answers: whether an implementation computes what the standards print.
 * True where there is no vector for the algorithm. Used by the registry only. */
bool kat_cipher(const struct cipher_impl *impl);
bool kat_integ(const struct mac_impl *impl);
bool kat_prf(const struct mac_impl *impl);
bool kat_ke(const struct ke_impl *impl);
bool kat_hash(const struct hash_impl *impl);
bool kat_rng(const struct rng_impl *impl);

#endif

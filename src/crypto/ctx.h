/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_CTX_H
#define BEWICK_CRYPTO_CTX_H

#include "crypto/crypto.h"

/* The thread's context of an implementation, made at its first use; NULL if the provider failed. */
void *ctx_of_cipher(struct crypto_ctx *c, const struct cipher_impl *impl);
void *ctx_of_mac(struct crypto_ctx *c, const struct mac_impl *impl);

#endif

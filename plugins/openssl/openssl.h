/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PLUGINS_OPENSSL_H
#define BEWICK_PLUGINS_OPENSSL_H

#include "crypto/crypto.h"

/* Each file fetches what it needs from libcrypto once, registers what it could fetch and
 * returns how many algorithms were accepted; its _free undoes the fetching. */
#define OPENSSL_PLUGIN "openssl"

unsigned openssl_ciphers_add(struct crypto_registry *r);
void openssl_ciphers_free(void);
unsigned openssl_hmacs_add(struct crypto_registry *r); /* and the plain hashes */
void openssl_hmacs_free(void);
unsigned openssl_cbcmacs_add(struct crypto_registry *r);
void openssl_cbcmacs_free(void);
unsigned openssl_kes_add(struct crypto_registry *r);
void openssl_kes_free(void);

/* Logs that this libcrypto (or its configuration) lacks an algorithm. */
void openssl_lacks(const char *name);

#endif

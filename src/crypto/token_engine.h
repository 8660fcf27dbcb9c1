/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_TOKEN_ENGINE_H
#define BEWICK_CRYPTO_TOKEN_ENGINE_H

#include <openssl/evp.h>

#include "util/bytes.h"

/*
 * OpenSSL's engine for PKCS#11 (Debian: libengine-pkcs11-openssl), which can be loaded once. Not for several threads at once. It stays till
 * the process ends: closing a module ends the sessions of all its users.
 */
struct token_engine;
struct token_engine *token_engine_load(const char *module, struct errtext *err);
/* From now on for what needs one. */
bool token_engine_pin(struct token_engine *e, const char *pin, struct errtext *err);
/* name: a URI (RFC 7512), or slot_NUMBER-id_HEX. NULL: err says why. */
EVP_PKEY *token_engine_key(struct token_engine *e, const char *name, struct errtext *err);
/* DER, added to ret. */
bool token_engine_cert(struct token_engine *e, const char *name, struct buf *ret, struct errtext *err);

#endif

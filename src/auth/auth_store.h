/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_AUTH_STORE_H
#define BEWICK_AUTH_AUTH_STORE_H

#include "crypto/cert.h"

/* Keeps a fetched CRL in a folder, from where the next start loads it; one file for each issuer's key, scope and kind, replaced as a
 * whole. What fails is logged. Blocks. */
void auth_store_crl(const char *dir, const struct crl *crl, const struct cert *issuer);

#endif

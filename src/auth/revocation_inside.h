/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_REVOCATION_INSIDE_H
#define BEWICK_AUTH_REVOCATION_INSIDE_H

#include <openssl/x509.h>

#include "auth/auth_service.h"
#include "auth/revocation.h"

/* What CRLs and OCSP share. */
bool revocation_weak_hash(const X509_ALGOR *alg);
int64_t revocation_time(const ASN1_TIME *t); /* 0: none */
struct text revocation_time_text(int64_t at);
const char *revocation_reason(int reason);

#endif

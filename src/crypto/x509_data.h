/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_X509_DATA_H
#define BEWICK_CRYPTO_X509_DATA_H

#include <openssl/x509.h>

#include "crypto/signature.h"
#include "proto/id.h"
#include "util/arena.h"

/* What certificates and CRLs have in common, for cert*.c and crl.c. */

/*
 * The DER in `data`, which is that or PEM: one block of that label ("X509 CRL"), with any text around it. Into the arena. At most
 * `limit` bytes. False: err says why.
 */
MUST_CHECK bool x509_data_der(struct arena *a, struct bytes data, const char *label, size_t limit, struct bytes *ret_der,
			      struct errtext *err);
/* Seconds since 1970; false if it is no time. */
MUST_CHECK bool x509_time(const ASN1_TIME *t, int64_t *ret_time);
/* The octets of an integer without leading zeroes, copied. */
struct bytes x509_integer(struct arena *a, const ASN1_INTEGER *i);
/* A DN, copied. */
struct id x509_name(struct arena *a, const X509_NAME *name);
uint64_t x509_name_hash(const struct id *dn);
/* kind SIG_NONE: it is none that we have. */
struct sig_scheme x509_scheme(const X509_ALGOR *algorithm);
/* Copied; empty if there is none. */
struct bytes x509_octets(struct arena *a, const ASN1_OCTET_STRING *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_CERT_FIELDS_H
#define BEWICK_CRYPTO_CERT_FIELDS_H

#include <openssl/x509v3.h>

#include "crypto/cert.h"
#include "util/arena.h"

/* For cert.c and crl.c: what extensions say, into the arena. NULL, or a constant sentence: what is wrong with them. */
const char *cert_fields_names(struct arena *a, X509 *x, struct cert *c);
const char *cert_fields_usage(X509 *x, struct cert *c);
const char *cert_fields_uris(struct arena *a, X509 *x, struct cert *c);
const char *cert_fields_policies(struct arena *a, X509 *x, struct cert *c);
const char *crl_fields_uris(struct arena *a, X509_CRL *x, struct crl *c);
/* Whether one of the names of a CRL is one of a distribution point of the certificate without reasons or another issuer. */
bool cert_has_distribution_point(const struct cert *c, const GENERAL_NAMES *names);
/*
 * Something other than a certificate that its issuer may revoke: serial number, issuer and the extensions that say where to ask are x's,
 * which is taken; text is for logs. NULL: those extensions are malformed.
 */
struct cert *cert_stand_in(X509 *x, const char *text);

#endif

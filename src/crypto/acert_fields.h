/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_ACERT_FIELDS_H
#define BEWICK_CRYPTO_ACERT_FIELDS_H

#include <openssl/x509.h>

#include "crypto/acert.h"
#include "crypto/der.h"
#include "util/arena.h"

/* For the files of acert. What returns text: NULL, or a constant sentence that says what is wrong. */

/* A GeneralName, copied; any: of a kind that is no identity here. Malformed: r->bad. */
struct id acert_name(struct arena *a, struct reader *r);
/* GeneralNames that are one directoryName, and not an empty one; else any. r: their content. */
struct id acert_one_dn(struct arena *a, struct reader *r);
/* The attributes (SEQUENCE OF Attribute): groups. */
const char *acert_attributes(struct arena *a, struct reader *r, struct acert *ac);
/* The content of Extensions. `x` gets those that say where revocation is told. */
const char *acert_extensions(struct arena *a, struct reader *r, struct acert *ac, X509 *x);
/* UTF-8 without control characters, and not empty. */
bool acert_text_is_clean(struct bytes text);

#endif

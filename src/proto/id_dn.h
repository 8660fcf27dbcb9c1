/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PROTO_ID_DN_H
#define BEWICK_PROTO_ID_DN_H

#include <openssl/x509.h>

#include "proto/id.h"

/* Distinguished names (RFC 5280, 4.1.2.4) for id.c: DER from anyone, text from the configuration. */

/* "C=CH, O=x, CN=y" or "/C=CH/O=x/CN=y" to DER; values with commas in double quotes. */
MUST_CHECK bool dn_parse(struct bytes text, struct buf *out);
/* False, and nothing written, if it is no DER of a name. */
MUST_CHECK bool dn_format(struct buf *out, struct bytes der);
/* Appends a form that is the same for names equal but for string types, case and white space. */
MUST_CHECK bool dn_normal(struct buf *out, struct bytes der);
/* Whether some attribute is "*", which dn_match takes for any. */
bool dn_has_wildcard(struct bytes der);
/* Score of enum id_match; 0 also if one of them is no name. */
int dn_match(struct bytes der, struct bytes pattern, enum id_dn_matching mode);

/* For the two files of this part: a whole name or NULL (X509_NAME_free); the length of a value as
 * UTF-8 (OPENSSL_free) or negative if it is no text; what counts as white space. */
X509_NAME *dn_decode(struct bytes der);
int dn_value_utf8(const ASN1_STRING *value, unsigned char **ret_utf8);
bool dn_space(uint8_t c);

/* Appends text from a peer: printable UTF-8 stays, the rest becomes '?'. */
void text_add_clean(struct buf *out, struct bytes text);

#endif

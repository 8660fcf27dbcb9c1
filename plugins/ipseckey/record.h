/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_IPSECKEY_RECORD_H
#define BEWICK_IPSECKEY_RECORD_H

#include "crypto/key.h"

/* The key of an IPSECKEY record (RFC 4025, 2; RFC 9373 for Edwards curves). */

/* rdata: as it is in a packet. Appends the SubjectPublicKeyInfo in DER. False: err says what is wrong, or that there is no key. */
bool record_spki(struct bytes rdata, struct buf *ret, enum key_type *ret_type, struct errtext *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_DER_H
#define BEWICK_CRYPTO_DER_H

#include "util/reader.h"

/* The little of DER (X.690) that keys and signatures are made of: strict, by the bounded reader. */
enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_UTF8_STRING = 0x0c,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
};
#define DER_CONTEXT(n) (0xa0u | (n))   /* constructed */
#define DER_CONTEXT_P(n) (0x80u | (n)) /* primitive */

/* The next element's content, whatever it is; *ret_tag 0 and r->bad if there is none, its tag has more than one octet, or its length is
 * indefinite or not the shortest. */
EXPORT struct bytes der_any(struct reader *r, unsigned *ret_tag);
/* The content of an element of that tag; with another one r->bad is set. */
EXPORT struct bytes der_take(struct reader *r, unsigned tag);
static inline struct reader der_enter(struct reader *r, unsigned tag)
{
	struct reader in = reader_of(der_take(r, tag));

	in.bad = r->bad;
	return in;
}
/* Whether the next element has that tag; moves nothing. */
static inline bool der_next_is(const struct reader *r, unsigned tag)
{
	return reader_left(r) && r->p[0] == tag;
}
/* An INTEGER that is not negative, minimal; without the leading zero, so 0 is empty. */
EXPORT struct bytes der_unsigned(struct reader *r);
/* A whole element, tag and length included. */
EXPORT struct bytes der_element(struct reader *r);
/* A BIT STRING of whole octets. */
EXPORT struct bytes der_bits(struct reader *r);

EXPORT void der_add(struct buf *b, unsigned tag, struct bytes content);
EXPORT void der_add_unsigned(struct buf *b, struct bytes value); /* leading zeroes are dropped */
EXPORT void der_add_bits(struct buf *b, struct bytes bits);

/* Whether it is one element of that tag and nothing else: then it is not looked at as PEM, whatever text is in it. */
static inline bool der_is_whole(struct bytes data, unsigned tag)
{
	struct reader r = reader_of(data);

	(void)der_take(&r, tag);
	return reader_done(&r);
}

/*
 * PEM (RFC 7468): the first block whose label `wanted` likes. *ret_label as for wanted; PEM_OTHER: of the first block. PEM_NONE: there is not even
 * one of other label.
 * The content is added to ret; *ret_rest (may be NULL) is the text behind the block.
 */
typedef bool pem_wanted_fn(struct bytes label, const void *arg);
enum pem_found { PEM_NONE, PEM_OTHER, PEM_BAD, PEM_FOUND };
/* What a file has that is not what was looked for, for an error text: "a CERTIFICATE". */
struct text pem_other_text(struct bytes label);
EXPORT enum pem_found pem_decode(struct bytes text, pem_wanted_fn *wanted, const void *arg, struct buf *ret, struct bytes *ret_label,
				 struct bytes *ret_rest);

#endif

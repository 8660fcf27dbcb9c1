/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_ACERT_H
#define BEWICK_CRYPTO_ACERT_H

#include "crypto/cert.h"

/*
 * Attribute certificates (RFC 5755): what groups the holder of a certificate is in, said by an attribute authority. Parsed once:
 * immutable, counted, for any thread.
 */
struct acert {
	atomic_uint refs;
	struct bytes der;
	struct id issuer;            /* DN */
	uint64_t issuer_hash;        /* as of certificates */
	struct bytes serial;         /* without leading zeroes */
	struct bytes authority_key_id; /* empty: not there */
	/* The holder: a certificate by its issuer and serial number, or names that it has; all that is there has to fit. */
	struct id holder_issuer;     /* any: not there */
	uint64_t holder_issuer_hash;
	struct bytes holder_serial;
	size_t n_holder_names;
	const struct id *holder_names; /* any: a kind of name that we do not know */
	int64_t not_before, not_after; /* s since 1970 */
	size_t n_groups;
	const char *const *groups;   /* clean UTF-8; OIDs with dots, octets that are no text as 0x... */
	bool foreign_groups;         /* there are more, of another policy authority than the issuer: their names mean something else */
	bool never_revoked;          /* noRevAvail */
	/* Who it is for, if it is not for all (targetInformation); groups of servers are not among them. */
	bool targeted;
	size_t n_targets;
	const struct id *targets;
	struct sig_scheme signature; /* kind SIG_NONE: none that we take */
	const char *signature_why;   /* then: why */
	/* It as something that its issuer may revoke (RFC 5755, 6), for what revocation does with certificates: issuer, serial number and
	 * where to ask. No key, names or validity are in it. */
	struct cert *revocable;
	void *own;                   /* acert.c's */
};

/* DER, or PEM of one. At most LIMIT_ACERT bytes. NULL: err says what is wrong. */
EXPORT struct acert *acert_parse(struct bytes data, struct errtext *err);
EXPORT struct acert *acert_ref(const struct acert *a);
EXPORT void acert_unref(const struct acert *a);
EXPORT bool acert_equal(const struct acert *a, const struct acert *b);
/* Whether that is the holder's certificate (RFC 5755, 4.2.2). */
EXPORT bool acert_is_of(const struct acert *a, const struct cert *holder);
/* Whether `issuer`'s name and key identifier can be those of its issuer; nothing is verified. */
EXPORT bool acert_maybe_issued_by(const struct acert *a, const struct cert *issuer);
/* Whether it was signed by the key of `issuer`: that, and nothing else. */
EXPORT MUST_CHECK bool acert_is_signed_by(const struct acert *a, const struct cert *issuer);
/* "of 'C=CH, CN=moon' (issuer 'C=CH, CN=aa', serial 0a:0b)": for logs. */
EXPORT struct cert_text acert_text(const struct acert *a);

#endif

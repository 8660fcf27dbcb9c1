/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_PKI_ACERT_H
#define BEWICK_TEST_PKI_ACERT_H

#include "crypto/acert.h"
#include "pki.h"

/* Attribute certificates, right and wrong ones. */

/* What takes the place of a part of one: whole elements; empty: the part as it is made. */
struct pki_acert_parts {
	struct bytes version, holder, issuer, algorithm, serial, validity, attributes, rest;
	struct bytes outer_algorithm, signature;
};

struct pki_acert_spec {
	const struct pki_cert *holder;
	bool no_base;                  /* its issuer and serial number are not there */
	const char *name;              /* entityName, a DN; NULL: none */
	const struct pki_cert *issuer;
	EVP_PKEY *key;                 /* that signs; NULL: the issuer's */
	const EVP_MD *md;              /* NULL: SHA-256 */
	const char *const *groups;     /* UTF-8; NULL: "sales"; NULL-terminated */
	int64_t not_before, not_after; /* 0: an hour ago, in an hour */
	const char *const *extensions; /* as in pki_spec; NULL: noRevAvail */
	unsigned serial;               /* 0: the next one */
	struct pki_acert_parts parts;
};

#define PKI_NEVER_REVOKED "2.5.29.56=DER:0500"
struct buf pki_acert_der(const struct pki_acert_spec *spec);
/* Aborts the test when it is not parsed. */
struct acert *pki_acert_new(const struct pki_acert_spec *spec);
/* Attributes that are the values of the group attribute: IetfAttrSyntax, whole elements. */
struct buf pki_group_attribute(struct bytes values);
/* It as something that a CRL may name. */
struct pki_cert pki_acert_revocable(const struct acert *ac);

#endif

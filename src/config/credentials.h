/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_CREDENTIALS_H
#define BEWICK_CONFIG_CREDENTIALS_H

#include "crypto/cert.h"

/*
 * Certificates, keys, CRLs and authorities as loaded: an immutable counted snapshot, part of struct config. What was
 * fetched or received from peers is not here (auth/auth_service.h has it).
 */
enum cert_flag { CERT_FLAG_NONE, CERT_FLAG_CA, CERT_FLAG_AA, CERT_FLAG_OCSP };

struct loaded_cert {
	struct cert *cert;
	enum cert_flag flag;
};

/* What the operator says of a CA beside its certificate (section authorities). */
struct authority {
	const char *name;
	struct cert *cacert;
	size_t n_crl_uris, n_ocsp_uris;
	const char *const *crl_uris, *const *ocsp_uris;
	const char *cert_uri_base; /* NULL: none */
};

struct credentials {
	atomic_uint refs;
	size_t n_certs, n_pubkeys, n_keys, n_crls, n_authorities;
	const struct loaded_cert *certs;       /* trust anchors are those of flag CA, and the authorities' */
	struct public_key *const *pubkeys;
	struct private_key *const *keys;
	struct crl *const *crls;
	const struct authority *authorities;
	void *own; /* credentials.c's indexes */
};

EXPORT struct credentials *credentials_ref(const struct credentials *c);
EXPORT void credentials_unref(const struct credentials *c);
/* The private key of that public one; NULL: not here. Borrowed. */
EXPORT const struct private_key *credentials_key(const struct credentials *c, const uint8_t key_id[KEY_ID_LEN]);
/* Certificates whose subject (of flag CA or NONE) is that DN, one after the other: at 0, 1, ... NULL at the end. Borrowed. */
EXPORT const struct loaded_cert *credentials_by_subject(const struct credentials *c, const struct id *dn, size_t at);
/* The authority of that CA; NULL: nothing is said of it. */
EXPORT const struct authority *credentials_authority(const struct credentials *c, const struct cert *ca);

#endif

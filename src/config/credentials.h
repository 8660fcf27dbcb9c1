/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_CREDENTIALS_H
#define BEWICK_CONFIG_CREDENTIALS_H

#include "crypto/acert.h"

/*
 * Certificates, keys, CRLs and authorities as loaded: an immutable counted snapshot (of a creds_set), part of struct config. What was
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
	size_t n_certs, n_pubkeys, n_keys, n_crls, n_acerts, n_authorities;
	const struct loaded_cert *certs;       /* the authorities' CAs, too. Trust anchors are those of flag CA */
	struct public_key *const *pubkeys;
	struct private_key *const *keys;
	struct crl *const *crls;
	struct acert *const *acerts;
	const struct authority *authorities;
	void *own; /* credentials.c's indexes */
};

EXPORT struct credentials *credentials_ref(const struct credentials *c);
EXPORT void credentials_unref(const struct credentials *c);
/* The private key of that public one; NULL: not here. Borrowed. */
EXPORT const struct private_key *credentials_key(const struct credentials *c, const uint8_t key_id[KEY_ID_LEN]);
/* Certificates (of any flag) with the subject of this one, one after the other: at 0, 1, ... NULL at the end. Borrowed. */
EXPORT const struct loaded_cert *credentials_by_subject(const struct credentials *c, const struct cert *cert, size_t at);
/* Those whose subject is the name of its issuer. */
EXPORT const struct loaded_cert *credentials_issuer(const struct credentials *c, const struct cert *cert, size_t at);
/* The attribute authorities (flag AA) of the name of its issuer. */
EXPORT const struct loaded_cert *credentials_aa(const struct credentials *c, const struct acert *ac, size_t at);
/* Attribute certificates of that holder, of which at most `max` (not 0) are put into ret, borrowed: those that are valid longest. Returns
 * how many. */
EXPORT size_t credentials_acerts(const struct credentials *c, const struct cert *holder, const struct acert **ret, size_t max);
/* The authority of that CA; NULL: nothing is said of it. */
EXPORT const struct authority *credentials_authority(const struct credentials *c, const struct cert *ca);

/*
 * The writer's side: what was loaded, in that order. One thread. All adding functions take the reference; false: the same is
 * there already.
 */
struct creds_set;
EXPORT struct creds_set *creds_set_new(void);
EXPORT void creds_set_free(struct creds_set *s);
/* A reference to the present state; the same object as long as nothing changes. */
EXPORT struct credentials *creds_set_snapshot(struct creds_set *s);
/* One that is a CA has flag CA whatever is said. */
EXPORT bool creds_set_add_cert(struct creds_set *s, struct cert *cert, enum cert_flag flag);
EXPORT bool creds_set_add_pubkey(struct creds_set *s, struct public_key *key);
/* The later of the same key is kept (a token may have been changed). */
EXPORT bool creds_set_add_key(struct creds_set *s, struct private_key *key);
EXPORT bool creds_set_remove_key(struct creds_set *s, const uint8_t key_id[KEY_ID_LEN]);
/* One that is newer replaces that of the same issuer and key; false: it is not newer. */
EXPORT bool creds_set_add_crl(struct creds_set *s, struct crl *crl);
EXPORT bool creds_set_add_acert(struct creds_set *s, struct acert *ac);
/* Copies the texts, takes a reference of its own to cacert. Replaces one of the same name. */
EXPORT void creds_set_put_authority(struct creds_set *s, const struct authority *a);
EXPORT bool creds_set_remove_authority(struct creds_set *s, const char *name);
EXPORT void creds_set_clear(struct creds_set *s); /* all but the authorities */

#endif

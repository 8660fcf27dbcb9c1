/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key_internal.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/mem.h"

#define OID(...) { (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }) }

const struct bytes oid_rsa = OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1);
const struct bytes oid_rsa_pss = OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10);
const struct bytes oid_ec = OID(0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1);
const struct bytes oid_ed25519 = OID(0x2b, 0x65, 112);
const struct bytes oid_ed448 = OID(0x2b, 0x65, 113);

static const struct key_curve curves[] = {
	{ NID_X9_62_prime256v1, 256, 32, "P-256", OID(0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7) },
	{ NID_secp384r1, 384, 48, "P-384", OID(0x2b, 0x81, 4, 0, 34) },
	{ NID_secp521r1, 521, 66, "P-521", OID(0x2b, 0x81, 4, 0, 35) },
	/* RFC 5639, 4.1 */
	{ NID_brainpoolP256r1, 256, 32, "brainpoolP256r1", OID(0x2b, 0x24, 3, 3, 2, 8, 1, 1, 7) },
	{ NID_brainpoolP384r1, 384, 48, "brainpoolP384r1", OID(0x2b, 0x24, 3, 3, 2, 8, 1, 1, 11) },
	{ NID_brainpoolP512r1, 512, 64, "brainpoolP512r1", OID(0x2b, 0x24, 3, 3, 2, 8, 1, 1, 13) },
};

const struct key_curve *key_curve_by_oid(struct bytes oid)
{
	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		if (bytes_equal(curves[i].oid, oid))
			return &curves[i];
	}
	return NULL;
}

const struct key_curve *key_curve_by_nid(int nid)
{
	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		if (curves[i].nid == nid)
			return &curves[i];
	}
	return NULL;
}

const char *key_type_name(enum key_type type)
{
	switch (type) {
	case KEY_ANY:
		return "ANY";
	case KEY_RSA:
		return "RSA";
	case KEY_ECDSA:
		return "ECDSA";
	case KEY_ED25519:
		return "ED25519";
	case KEY_ED448:
		return "ED448";
	}
	return "?";
}

struct text public_key_text(const struct public_key *k)
{
	struct text t;

	if (k->type == KEY_RSA || k->type == KEY_ECDSA)
		snprintf(t.s, sizeof(t.s), "%s %u", key_type_name(k->type), k->bits);
	else
		snprintf(t.s, sizeof(t.s), "%s", key_type_name(k->type));
	return t;
}

bool key_is_expected(enum key_type type, enum key_type expected, struct errtext *err)
{
	if (expected == KEY_ANY || type == expected)
		return true;
	errtext_set(err, "it is a key of type %s, not %s", key_type_name(type), key_type_name(expected));
	return false;
}

const char *openssl_why(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return why ? why : "no reason is given";
}

struct public_key *public_key_ref(const struct public_key *k)
{
	struct public_key *mine = (struct public_key *)(uintptr_t)k;

	if (mine)
		atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
	return mine;
}

void public_key_unref(const struct public_key *k)
{
	struct public_key *mine = (struct public_key *)(uintptr_t)k;

	if (!mine || atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) != 1)
		return;
	EVP_PKEY_free(mine->evp);
	free(mine);
}

/* By value: one key may come with the parameters of its algorithm absent or NULL, its point compressed or not. */
bool public_key_equal(const struct public_key *a, const struct public_key *b)
{
	if (a == b)
		return true;
	if (a->type != b->type || a->bits != b->bits)
		return false;
	return EVP_PKEY_eq(a->evp, b->evp) == 1;
}

struct private_key *private_key_ref(const struct private_key *k)
{
	struct private_key *mine = (struct private_key *)(uintptr_t)k;

	if (mine)
		atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
	return mine;
}

void private_key_unref(const struct private_key *k)
{
	struct private_key *mine = (struct private_key *)(uintptr_t)k;

	if (mine && atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) == 1)
		mine->ops->free(mine);
}

bool private_key_sign(const struct private_key *k, const struct sig_scheme *scheme, const struct bytes *parts, size_t n_parts,
		      struct buf *ret, struct errtext *err)
{
	if (!sig_scheme_fits(scheme, k->public)) {
		errtext_set(err, "a key of type %s cannot make a signature %s", public_key_text(k->public).s,
			    sig_scheme_name(scheme));
		return false;
	}
	return k->ops->sign(k, scheme, parts, n_parts, ret, err);
}

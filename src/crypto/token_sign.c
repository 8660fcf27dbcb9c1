/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/token_inside.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "crypto/key_internal.h"
#include "proto/iana.h"
#include "util/mem.h"

/* Signatures by tokens: the hash is computed here, and the signature brought into the form that keys of this process make. */

#define SIGNATURE_MAX (RSA_BITS_MAX / 8)

/* What the token is given, and for what. */
struct sign_input {
	struct p11_mechanism mechanism;
	struct p11_pss pss;
	struct p11_eddsa eddsa;
	struct buf data;
};

static const char *mechanism_name(unsigned long type)
{
	switch ((enum p11_mechanism_type)type) {
	case P11_M_RSA_PKCS:
		return "CKM_RSA_PKCS";
	case P11_M_RSA_PKCS_PSS:
		return "CKM_RSA_PKCS_PSS";
	case P11_M_ECDSA:
		return "CKM_ECDSA";
	case P11_M_EDDSA:
		return "CKM_EDDSA";
	case P11_M_SHA256:
	case P11_M_SHA384:
	case P11_M_SHA512:
		break;
	}
	return "?";
}

static bool slot_signs(struct token_slot *s, unsigned long mechanism)
{
	struct p11_mechanism_info info = { .flags = 0 };

	return s->module->f->get_mechanism_info(s->id, mechanism, &info) == P11_OK && info.flags & P11_SIGN;
}

bool token_can_sign(struct token_slot *s, const struct public_key *k, struct errtext *err)
{
	unsigned long mechanism = k->type == KEY_RSA ? P11_M_RSA_PKCS : k->type == KEY_ECDSA ? P11_M_ECDSA : P11_M_EDDSA;

	if (slot_signs(s, mechanism) || (k->type == KEY_RSA && slot_signs(s, P11_M_RSA_PKCS_PSS)))
		return true;
	token_slot_fail(s, err, "the token makes no signatures with %s keys (%s)", key_type_name(k->type), mechanism_name(mechanism));
	return false;
}

/* ---- what goes in ---- */

static void input_pss(struct sign_input *in, const struct sig_scheme *scheme)
{
	in->pss = (struct p11_pss){ P11_M_SHA256, P11_MGF1_SHA256, scheme->salt_len };
	if (scheme->hash == HASH_SHA2_384)
		in->pss = (struct p11_pss){ P11_M_SHA384, P11_MGF1_SHA384, scheme->salt_len };
	if (scheme->hash == HASH_SHA2_512)
		in->pss = (struct p11_pss){ P11_M_SHA512, P11_MGF1_SHA512, scheme->salt_len };
	in->mechanism = (struct p11_mechanism){ P11_M_RSA_PKCS_PSS, &in->pss, sizeof(in->pss) };
}

static bool input_digest(struct sign_input *in, const struct public_key *k, const struct sig_scheme *scheme, const struct bytes *parts,
			 size_t n_parts)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t n = hash_len(scheme->hash);

	if (!hash_parts(scheme->hash, parts, n_parts, digest))
		return false;
	if (scheme->kind == SIG_RSA_PKCS1)
		buf_add_bytes(&in->data, pkcs1_digest_info(scheme->hash));
	if (scheme->kind == SIG_ECDSA && n > key_curve_by_nid(k->curve)->len)
		n = key_curve_by_nid(k->curve)->len; /* FIPS 186-5, 6.4.1: the bits on the left */
	buf_add(&in->data, digest, n);
	return true;
}

static bool input_make(struct sign_input *in, const struct public_key *k, const struct sig_scheme *scheme, const struct bytes *parts,
		       size_t n_parts)
{
	switch ((enum sig_kind)scheme->kind) {
	case SIG_RSA_PKCS1:
		in->mechanism.type = P11_M_RSA_PKCS;
		return input_digest(in, k, scheme, parts, n_parts);
	case SIG_RSA_PSS:
		input_pss(in, scheme);
		return input_digest(in, k, scheme, parts, n_parts);
	case SIG_ECDSA:
		in->mechanism.type = P11_M_ECDSA;
		return input_digest(in, k, scheme, parts, n_parts);
	case SIG_ED448:
		in->mechanism = (struct p11_mechanism){ 0, &in->eddsa, sizeof(in->eddsa) };
		/* fall through */
	case SIG_ED25519:
		in->mechanism.type = P11_M_EDDSA;
		for (size_t i = 0; i < n_parts; i++)
			buf_add_bytes(&in->data, parts[i]);
		return true;
	case SIG_NONE:
		break;
	}
	return false;
}

/* ---- what comes out ---- */

/* ECDSA: r and s, of the same length, to DER. */
static bool output_ecdsa(struct bytes made, const struct key_curve *curve, struct buf *ret)
{
	struct buf numbers = { NULL, 0, 0 };
	size_t half = made.n / 2;

	if (!made.n || made.n % 2 || half > curve->len)
		return false;
	der_add_unsigned(&numbers, bytes_of(made.p, half));
	der_add_unsigned(&numbers, bytes_of(made.p + half, half));
	der_add(ret, DER_SEQUENCE, buf_bytes(&numbers));
	buf_free(&numbers);
	return true;
}

static bool output_take(struct bytes made, const struct public_key *k, struct buf *ret)
{
	if (k->type == KEY_ECDSA)
		return output_ecdsa(made, key_curve_by_nid(k->curve), ret);
	if (made.n != (k->type == KEY_RSA ? (k->bits + 7) / 8 : k->type == KEY_ED25519 ? 64u : 114u))
		return false;
	buf_add_bytes(ret, made);
	return true;
}

/* ---- signing ---- */

/* What a token that was away, or a key that was changed, answers with. */
static bool result_is_lost(unsigned long rv)
{
	switch (rv) {
	case P11_GENERAL_ERROR:
	case P11_FUNCTION_FAILED:
	case P11_DEVICE_ERROR:
	case P11_DEVICE_REMOVED:
	case P11_KEY_HANDLE_INVALID:
	case P11_OBJECT_HANDLE_INVALID:
	case P11_OPERATION_ACTIVE:
	case P11_SESSION_CLOSED:
	case P11_SESSION_HANDLE_INVALID:
	case P11_TOKEN_NOT_PRESENT:
	case P11_USER_NOT_LOGGED_IN:
		return true;
	}
	return false;
}

static unsigned long sign_once(struct token_key *k, struct sign_input *in, uint8_t made[SIGNATURE_MAX], unsigned long *ret_n)
{
	struct token_slot *s = k->slot;
	const struct p11_functions *f = s->module->f;
	unsigned long rv = f->sign_init(s->session, &in->mechanism, k->object);

	if (rv == P11_OK && k->always_authenticate && s->has_pin)
		rv = f->login(s->session, P11_CONTEXT_SPECIFIC, s->pin.p, s->pin.n);
	*ret_n = SIGNATURE_MAX;
	if (rv == P11_OK)
		rv = f->sign(s->session, in->data.p, in->data.n, made, ret_n);
	if (rv != P11_OK)
		token_slot_close(s); /* with whatever is unfinished in it */
	return rv;
}

/* Twice, if the token was away: then it has another session, and the key another number. */
static bool sign_make(struct token_key *k, struct sign_input *in, struct buf *ret, struct errtext *err)
{
	uint8_t made[SIGNATURE_MAX];
	unsigned long n = 0, rv;
	struct text scratch;

	if (!token_key_find(k, err))
		return false;
	rv = sign_once(k, in, made, &n);
	if (result_is_lost(rv)) {
		if (!token_key_find(k, err))
			return false;
		rv = sign_once(k, in, made, &n);
	}
	if (rv != P11_OK) {
		token_slot_fail(k->slot, err, "signing with the %s key (%s): %s", public_key_text(k->base.public).s,
				mechanism_name(in->mechanism.type), token_why(rv, &scratch));
		return false;
	}
	if (n <= SIGNATURE_MAX && output_take(bytes_of(made, n), k->base.public, ret))
		return true;
	token_slot_fail(k->slot, err, "the token's signature is %lu bytes long, which it cannot be", n);
	return false;
}

bool token_key_sign(const struct private_key *key, const struct sig_scheme *scheme, const struct bytes *parts, size_t n_parts,
		    struct buf *ret, struct errtext *err)
{
	struct token_key *k = (struct token_key *)(uintptr_t)key;
	struct token_module *m = k->slot->module;
	struct sign_input in = { .data = { NULL, 0, 0 } };
	bool ok = input_make(&in, key->public, scheme, parts, n_parts);

	if (!ok)
		errtext_set(err, "hashing failed: %s", openssl_why());
	ok = ok && token_module_enter_again(m, err);
	if (ok) {
		ok = sign_make(k, &in, ret, err);
		token_module_leave(m);
	}
	buf_free(&in.data);
	return ok;
}

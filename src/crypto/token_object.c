/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/token_inside.h"

#include <stdlib.h>

#include "crypto/cert.h"
#include "crypto/key_internal.h"
#include "proto/limits.h"
#include "util/mem.h"

/* Objects on a token: found by their CKA_ID, read, and made public keys of. */

unsigned long token_find(struct token_slot *s, unsigned long class, struct bytes handle, unsigned long *ret, unsigned *ret_n)
{
	const struct p11_functions *f = s->module->f;
	struct p11_attribute list[2] = { { P11_A_ID, (void *)(uintptr_t)handle.p, handle.n }, { P11_A_CLASS, &class, sizeof(class) } };
	unsigned long objects[2], n = 0, rv;

	rv = f->find_objects_init(s->session, list, class == TOKEN_ANY_CLASS ? 1 : 2);
	if (rv != P11_OK)
		return rv;
	rv = f->find_objects(s->session, objects, ARRAY_LEN(objects), &n);
	(void)f->find_objects_final(s->session);
	if (rv != P11_OK)
		return rv;
	if (n)
		*ret = objects[0];
	*ret_n = (unsigned)n;
	return P11_OK;
}

bool token_attribute(struct token_slot *s, unsigned long object, unsigned long type, struct buf *ret)
{
	struct p11_attribute a = { type, NULL, 0 };
	const struct p11_functions *f = s->module->f;
	size_t before = ret->n;

	if (f->get_attribute_value(s->session, object, &a, 1) != P11_OK || a.len == P11_UNAVAILABLE || a.len > LIMIT_CERT)
		return false;
	a.value = a.len ? buf_extend(ret, a.len) : NULL;
	if (!a.len || (f->get_attribute_value(s->session, object, &a, 1) == P11_OK && a.len <= ret->n - before))
		ret->n = before + a.len;
	else
		ret->n = before;
	return ret->n > before;
}

bool token_number(struct token_slot *s, unsigned long object, unsigned long type, unsigned long *ret)
{
	unsigned long value = 0;
	struct p11_attribute a = { type, &value, sizeof(value) };

	if (s->module->f->get_attribute_value(s->session, object, &a, 1) != P11_OK || a.len != sizeof(value))
		return false;
	*ret = value;
	return true;
}

/* ---- public keys ---- */

static struct public_key *object_rsa(struct token_slot *s, unsigned long object, struct errtext *err)
{
	struct buf n = { NULL, 0, 0 }, e = { NULL, 0, 0 };
	struct public_key *k = NULL;

	if (token_attribute(s, object, P11_A_MODULUS, &n) && token_attribute(s, object, P11_A_PUBLIC_EXPONENT, &e))
		k = public_key_from_rsa(buf_bytes(&n), buf_bytes(&e), err);
	buf_free(&n);
	buf_free(&e);
	return k;
}

/* In an OCTET STRING, as it should be, or as it is. */
static struct bytes point_of(struct bytes value)
{
	struct reader r = reader_of(value);
	struct bytes point = der_take(&r, DER_OCTET_STRING);

	return reader_done(&r) ? point : value;
}

/* Edwards curves are named by the identifiers of their keys (RFC 8410), by older ones, or by words. */
static enum key_type edwards_type(struct bytes params)
{
	static const struct {
		uint8_t der[16];
		size_t n;
		enum key_type type;
	} names[] = {
		{ { 0x06, 3, 0x2b, 0x65, 112 }, 5, KEY_ED25519 },
		{ { 0x06, 3, 0x2b, 0x65, 113 }, 5, KEY_ED448 },
		{ { 0x06, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 15, 1 }, 11, KEY_ED25519 },
		{ { 0x13, 12, 'e', 'd', 'w', 'a', 'r', 'd', 's', '2', '5', '5', '1', '9' }, 14, KEY_ED25519 },
		{ { 0x13, 10, 'e', 'd', 'w', 'a', 'r', 'd', 's', '4', '4', '8' }, 12, KEY_ED448 },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (bytes_equal(params, bytes_of(names[i].der, names[i].n)))
			return names[i].type;
	}
	return KEY_ANY;
}

static struct public_key *object_point(struct token_slot *s, unsigned long object, bool edwards, struct errtext *err)
{
	struct buf params = { NULL, 0, 0 }, value = { NULL, 0, 0 };
	struct key_algorithm a = { .type = KEY_ECDSA };
	struct public_key *k = NULL;
	struct reader r;
	bool known;

	if (token_attribute(s, object, P11_A_EC_PARAMS, &params) && token_attribute(s, object, P11_A_EC_POINT, &value)) {
		r = reader_of(buf_bytes(&params));
		if (edwards)
			a.type = edwards_type(buf_bytes(&params));
		known = edwards ? a.type != KEY_ANY : key_ec_parameters(&r, &a, err);
		if (known)
			k = public_key_from_point(a.type, a.curve, point_of(buf_bytes(&value)), err);
		else if (edwards)
			errtext_set(err, "its Edwards curve is neither Ed25519 nor Ed448");
	}
	buf_free(&params);
	buf_free(&value);
	return k;
}

static struct public_key *object_public(struct token_slot *s, unsigned long object, unsigned long type, struct errtext *err)
{
	switch (type) {
	case P11_RSA:
		return object_rsa(s, object, err);
	case P11_EC:
		return object_point(s, object, false, err);
	case P11_EC_EDWARDS:
		return object_point(s, object, true, err);
	}
	errtext_set(err, "keys of PKCS#11 type 0x%lx are not supported", type);
	return NULL;
}

static struct public_key *cert_public(struct token_slot *s, unsigned long object, struct errtext *err)
{
	struct buf der = { NULL, 0, 0 };
	struct cert *cert = NULL;
	struct public_key *k = NULL;

	if (token_attribute(s, object, P11_A_VALUE, &der))
		cert = cert_parse(buf_bytes(&der), err);
	if (cert)
		k = public_key_ref(cert->key);
	cert_unref(cert);
	buf_free(&der);
	return k;
}

struct public_key *token_public(struct token_slot *s, unsigned long object, struct bytes handle, struct errtext *err)
{
	struct errtext why = { "" };
	struct public_key *k = NULL;
	unsigned long type = 0, other;
	unsigned n = 0;

	if (!token_number(s, object, P11_A_KEY_TYPE, &type)) {
		token_slot_fail(s, err, "the token does not say of what type the private key is");
		return NULL;
	}
	if (token_find(s, P11_PUBLIC_KEY, handle, &other, &n) == P11_OK && n)
		k = object_public(s, other, type, &why);
	if (!k && !why.s[0])
		k = object_public(s, object, type, &why); /* RSA has it in its private key; others may */
	if (!k && !why.s[0] && token_find(s, P11_CERTIFICATE, handle, &other, &n) == P11_OK && n)
		k = cert_public(s, other, &why);
	if (!k)
		token_slot_fail(s, err, "the token does not give the public key of that private key, nor a certificate with the same handle%s%s",
				why.s[0] ? ": " : "", why.s);
	return k;
}

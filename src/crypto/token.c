/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/token_inside.h"

#include <stdlib.h>

#include "util/mem.h"

/* Private keys and certificates on tokens (PKCS#11), named by their handles. */

#define TOKEN_HANDLE 255 /* bytes of a CKA_ID */

/* ---- keys ---- */

static void token_key_free(struct private_key *k)
{
	public_key_unref(k->public);
	token_key_is_dead((struct token_key *)k);
}

static const struct private_key_ops token_key_ops = {
	.sign = token_key_sign,
	.free = token_key_free,
	.quick = false,
};

static bool key_object(struct token_slot *s, struct bytes handle, unsigned long *ret, struct errtext *err)
{
	struct buf hex = { NULL, 0, 0 };
	struct text scratch;
	unsigned n = 0;
	unsigned long rv = token_find(s, P11_PRIVATE_KEY, handle, ret, &n);

	buf_add_hex(&hex, handle);
	if (rv != P11_OK)
		token_slot_fail(s, err, "looking for the private key with the handle %s: %s", buf_str(&hex), token_why(rv, &scratch));
	else if (n > 1)
		token_slot_fail(s, err, "several private keys have the handle %s", buf_str(&hex));
	else if (!n && !s->logged_in)
		token_slot_fail(s, err, "it shows no private key with the handle %s, and may do so when it is given its PIN", buf_str(&hex));
	else if (!n)
		token_slot_fail(s, err, "no private key has the handle %s", buf_str(&hex));
	buf_free(&hex);
	return rv == P11_OK && n == 1;
}

/* Numbers of objects are those of a login. Another key under the same handle is not ours. */
bool token_key_find(struct token_key *k, struct errtext *err)
{
	struct token_slot *s = k->slot;
	struct public_key *now;
	bool same;

	if (!token_slot_restore(s, err))
		return false;
	if (k->generation == s->generation)
		return true;
	if (!key_object(s, buf_bytes(&k->handle), &k->object, err)) {
		token_slot_close(s); /* what was found may be of before */
		return false;
	}
	now = token_public(s, k->object, buf_bytes(&k->handle), err);
	same = now && public_key_equal(now, k->base.public);
	if (now && !same)
		token_slot_fail(s, err, "another key has the handle of the %s key now", public_key_text(k->base.public).s);
	public_key_unref(now);
	if (same)
		k->generation = s->generation;
	return same;
}

static struct private_key *token_key_load(struct token_slot *s, struct bytes handle, struct errtext *err)
{
	struct public_key *public;
	struct token_key *k;
	unsigned long object;
	struct buf always = { NULL, 0, 0 };

	if (!key_object(s, handle, &object, err))
		return NULL;
	public = token_public(s, object, handle, err);
	if (!public)
		return NULL;
	if (!token_can_sign(s, public, err)) {
		public_key_unref(public);
		return NULL;
	}
	k = xcalloc(1, sizeof(*k));
	atomic_init(&k->base.refs, 1);
	k->base.ops = &token_key_ops;
	k->base.public = public;
	k->slot = s;
	buf_add_bytes(&k->handle, handle);
	k->object = object;
	k->generation = s->generation;
	k->always_authenticate = token_attribute(s, object, P11_A_ALWAYS_AUTHENTICATE, &always) && always.p[0];
	buf_free(&always);
	s->keys++;
	return &k->base;
}

static bool token_ref_check(const struct token_ref *t, struct errtext *err)
{
	if (t->handle.n && t->handle.n <= TOKEN_HANDLE)
		return true;
	errtext_set(err, "the handle of an object on a token has 1 to %d bytes", TOKEN_HANDLE);
	return false;
}

struct private_key *private_key_from_token(const struct token_ref *t, struct errtext *err)
{
	struct token_module *m = token_ref_check(t, err) ? token_module_enter(t->module, err) : NULL;
	struct private_key *k = NULL;
	struct token_slot *s;

	if (!m)
		return NULL;
	s = token_slot_choose(m, t, err);
	if (s && token_slot_login(s, t->pin, err))
		k = token_key_load(s, t->handle, err);
	token_module_leave(m);
	return k;
}

/* ---- certificates ---- */

static bool cert_read(struct token_slot *s, struct bytes handle, struct buf *ret, struct errtext *err)
{
	struct buf hex = { NULL, 0, 0 };
	struct text scratch;
	unsigned long object, type = P11_X_509, rv;
	unsigned n = 0;
	bool ok = false;

	buf_add_hex(&hex, handle);
	rv = token_find(s, P11_CERTIFICATE, handle, &object, &n);
	if (rv != P11_OK)
		token_slot_fail(s, err, "looking for the certificate with the handle %s: %s", buf_str(&hex), token_why(rv, &scratch));
	else if (n > 1)
		token_slot_fail(s, err, "several certificates have the handle %s", buf_str(&hex));
	else if (!n)
		token_slot_fail(s, err, "%s certificate with the handle %s%s", s->logged_in ? "there is no" : "it shows no", buf_str(&hex),
				s->logged_in ? "" : "; one that is private is there when the PIN is known, of a key (secrets.token)");
	else if (token_number(s, object, P11_A_CERTIFICATE_TYPE, &type) && type != P11_X_509)
		token_slot_fail(s, err, "the certificate with the handle %s is not X.509", buf_str(&hex));
	else if (!token_attribute(s, object, P11_A_VALUE, ret))
		token_slot_fail(s, err, "the certificate with the handle %s is not on the token itself", buf_str(&hex));
	else
		ok = true;
	buf_free(&hex);
	return ok;
}

bool token_cert(const struct token_ref *t, struct buf *ret, struct errtext *err)
{
	struct token_module *m = token_ref_check(t, err) ? token_module_enter(t->module, err) : NULL;
	struct token_slot *s;
	bool ok = false;

	if (!m)
		return false;
	s = token_slot_choose(m, t, err);
	if (s && s->keys)
		ok = token_slot_restore(s, err) && cert_read(s, t->handle, ret, err);
	else if (s)
		ok = cert_read(s, t->handle, ret, err);
	token_module_leave(m);
	return ok;
}

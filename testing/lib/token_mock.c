/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/lib/token_mock.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crypto/pkcs11.h"

#define SHOWN __attribute__((visibility("default")))
#define SLOT 7
#define OBJECT_PRIVATE 1
#define OBJECT_PUBLIC 2
#define OBJECT_CERT 3

SHOWN extern struct token_mock token_mock;
struct token_mock token_mock = { .pin = "1234" };
SHOWN p11_get_function_list C_GetFunctionList;

static struct {
	EVP_PKEY *keys[2];
	unsigned long session;
	bool logged_in, signing;
	unsigned long found[2];
	size_t n_found;
} token;

static void wait_while_hung(void)
{
	static const struct timespec moment = { 0, 2000000 };
	const char *file = getenv("TOKEN_MOCK_HANG");

	atomic_fetch_add(&token_mock.waiting, 1);
	while (atomic_load(&token_mock.hang) || (file && access(file, F_OK) == 0))
		nanosleep(&moment, NULL);
	atomic_fetch_sub(&token_mock.waiting, 1);
}

static unsigned long session_check(unsigned long session)
{
	wait_while_hung();
	if (atomic_load(&token_mock.gone)) {
		token.session = 0;
		token.logged_in = false;
		return P11_DEVICE_REMOVED;
	}
	return session && session == token.session ? P11_OK : P11_SESSION_HANDLE_INVALID;
}

static unsigned long mock_initialize(void *args)
{
	(void)args;
	wait_while_hung();
	for (size_t i = 0; i < 2; i++) {
		if (!token.keys[i])
			token.keys[i] = EVP_EC_gen("P-256");
	}
	return P11_OK;
}

static unsigned long mock_finalize(void *reserved)
{
	(void)reserved;
	atomic_fetch_add(&token_mock.finalized, 1);
	token.session = 0;
	for (size_t i = 0; i < 2; i++) {
		EVP_PKEY_free(token.keys[i]);
		token.keys[i] = NULL;
	}
	return P11_OK;
}

static unsigned long mock_get_slot_list(unsigned char with_token, unsigned long *slots, unsigned long *n)
{
	unsigned long have = with_token && atomic_load(&token_mock.gone) ? 0 : 1;

	wait_while_hung();
	if (slots && *n < have)
		return P11_BUFFER_TOO_SMALL;
	if (slots && have)
		slots[0] = SLOT;
	*n = have;
	return P11_OK;
}

static unsigned long mock_get_token_info(unsigned long slot, struct p11_token_info *ret)
{
	wait_while_hung();
	if (slot != SLOT)
		return P11_SLOT_ID_INVALID;
	if (atomic_load(&token_mock.gone))
		return P11_TOKEN_NOT_PRESENT;
	memset(ret, 0, sizeof(*ret));
	memset(ret->label, ' ', sizeof(ret->label));
	memcpy(ret->label, "mock", 4);
	ret->flags = P11_TOKEN_INITIALIZED | (token_mock.pin[0] ? P11_LOGIN_REQUIRED : 0);
	if (atomic_load(&token_mock.tries) > 1)
		ret->flags |= P11_USER_PIN_FINAL_TRY;
	return P11_OK;
}

static unsigned long mock_get_mechanism_info(unsigned long slot, unsigned long mechanism, struct p11_mechanism_info *ret)
{
	(void)slot;
	wait_while_hung();
	if (mechanism != P11_M_ECDSA || atomic_load(&token_mock.no_mechanism))
		return P11_MECHANISM_INVALID;
	*ret = (struct p11_mechanism_info){ .flags = P11_SIGN };
	return P11_OK;
}

static unsigned long mock_open_session(unsigned long slot, unsigned long flags, void *arg, void *notify, unsigned long *ret)
{
	static unsigned long last = 100;

	(void)flags;
	(void)arg;
	(void)notify;
	wait_while_hung();
	if (slot != SLOT)
		return P11_SLOT_ID_INVALID;
	if (atomic_load(&token_mock.gone))
		return P11_TOKEN_NOT_PRESENT;
	*ret = token.session = ++last;
	atomic_fetch_add(&token_mock.sessions, 1);
	return P11_OK;
}

static unsigned long mock_close_session(unsigned long session)
{
	atomic_fetch_sub(&token_mock.sessions, 1);
	if (session != token.session)
		return P11_SESSION_HANDLE_INVALID;
	token.session = 0;
	token.logged_in = token.signing = false;
	return P11_OK;
}

static unsigned long mock_get_session_info(unsigned long session, struct p11_session_info *ret)
{
	(void)ret;
	return session_check(session);
}

static unsigned long mock_login(unsigned long session, unsigned long user, const unsigned char *pin, unsigned long n)
{
	unsigned long rv = session_check(session);

	if (rv != P11_OK)
		return rv;
	if (user == P11_USER && token.logged_in)
		return P11_USER_ALREADY_LOGGED_IN;
	if (n != strlen(token_mock.pin) || memcmp(pin, token_mock.pin, n) != 0) {
		atomic_fetch_add(&token_mock.tries, 1);
		return P11_PIN_INCORRECT;
	}
	atomic_fetch_add(&token_mock.logins, 1);
	token.logged_in = true;
	return P11_OK;
}

static unsigned long mock_logout(unsigned long session)
{
	unsigned long rv = session_check(session);

	token.logged_in = false;
	return rv;
}

/* ---- objects ---- */

static unsigned long mock_find_objects_init(unsigned long session, struct p11_attribute *list, unsigned long n)
{
	static const unsigned long classes[] = { [OBJECT_PRIVATE] = P11_PRIVATE_KEY, [OBJECT_PUBLIC] = P11_PUBLIC_KEY,
						 [OBJECT_CERT] = P11_CERTIFICATE };
	unsigned long rv = session_check(session), class = 0;

	if (rv != P11_OK)
		return rv;
	token.n_found = 0;
	if (list[0].len != 1 || memcmp(list[0].value, "\1", 1) != 0)
		return P11_OK;
	if (n > 1)
		memcpy(&class, list[1].value, sizeof(class));
	for (unsigned long o = OBJECT_PRIVATE; o <= OBJECT_CERT && token.n_found < 2; o++) {
		if ((class && classes[o] != class) || (o == OBJECT_PRIVATE && token_mock.pin[0] && !token.logged_in) ||
		    (o == OBJECT_CERT && !getenv("TOKEN_MOCK_CERT")))
			continue;
		token.found[token.n_found++] = o;
	}
	return P11_OK;
}

static unsigned long mock_find_objects(unsigned long session, unsigned long *ret, unsigned long max, unsigned long *ret_n)
{
	unsigned long rv = session_check(session);

	for (*ret_n = 0; rv == P11_OK && *ret_n < max && *ret_n < token.n_found; ++*ret_n)
		ret[*ret_n] = token.found[*ret_n];
	return rv;
}

static unsigned long mock_find_objects_final(unsigned long session)
{
	return session_check(session);
}

static unsigned long attribute_give(struct p11_attribute *a, const void *p, size_t n)
{
	if (a->value && a->len < n)
		return P11_BUFFER_TOO_SMALL;
	if (a->value)
		memcpy(a->value, p, n);
	a->len = n;
	return P11_OK;
}

static EVP_PKEY *mock_key(void)
{
	return token.keys[atomic_load(&token_mock.other_key) != 0];
}

static unsigned long attribute_point(struct p11_attribute *a)
{
	unsigned char point[2 + 65] = { 4, 65 };
	size_t n = 0;

	EVP_PKEY_get_octet_string_param(mock_key(), "pub", point + 2, 65, &n);
	return attribute_give(a, point, sizeof(point));
}

static unsigned long attribute_file(struct p11_attribute *a)
{
	static unsigned char der[8192];
	FILE *f = fopen(getenv("TOKEN_MOCK_CERT"), "rb");
	size_t n = f ? fread(der, 1, sizeof(der), f) : 0;

	if (f)
		fclose(f);
	return attribute_give(a, der, n);
}

static unsigned long mock_get_attribute_value(unsigned long session, unsigned long object, struct p11_attribute *a, unsigned long n)
{
	static const unsigned char p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	unsigned long ec = P11_EC, x509 = P11_X_509, rv = session_check(session);
	unsigned char always = atomic_load(&token_mock.always_authenticate);

	(void)n;
	if (rv != P11_OK)
		return rv;
	if (a->type == P11_A_KEY_TYPE && object != OBJECT_CERT)
		return attribute_give(a, &ec, sizeof(ec));
	if (a->type == P11_A_EC_PARAMS && object == OBJECT_PUBLIC)
		return attribute_give(a, p256, sizeof(p256));
	if (a->type == P11_A_EC_POINT && object == OBJECT_PUBLIC)
		return attribute_point(a);
	if (a->type == P11_A_ALWAYS_AUTHENTICATE && object == OBJECT_PRIVATE)
		return attribute_give(a, &always, 1);
	if (a->type == P11_A_CERTIFICATE_TYPE && object == OBJECT_CERT)
		return attribute_give(a, &x509, sizeof(x509));
	if (a->type == P11_A_VALUE && object == OBJECT_CERT)
		return attribute_file(a);
	a->len = P11_UNAVAILABLE;
	return P11_FUNCTION_FAILED;
}

/* ---- signing ---- */

static unsigned long mock_sign_init(unsigned long session, struct p11_mechanism *mechanism, unsigned long key)
{
	unsigned long rv;

	if (atomic_load(&token_mock.broken)) {
		token.session = 0;
		token.logged_in = false;
	}
	rv = session_check(session);
	if (rv != P11_OK)
		return rv;
	if (token.signing)
		return P11_OPERATION_ACTIVE;
	if (key != OBJECT_PRIVATE || (token_mock.pin[0] && !token.logged_in))
		return P11_KEY_HANDLE_INVALID;
	if (mechanism->type != P11_M_ECDSA)
		return P11_MECHANISM_INVALID;
	token.signing = true;
	if (atomic_load(&token_mock.always_authenticate))
		atomic_store(&token_mock.logins, 0);
	return P11_OK;
}

/* r and s, of 32 bytes each, of OpenSSL's DER */
static void signature_raw(const unsigned char *der, long n, unsigned char *ret)
{
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, n);

	BN_bn2binpad(ECDSA_SIG_get0_r(s), ret, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(s), ret + 32, 32);
	ECDSA_SIG_free(s);
}

static unsigned long mock_sign(unsigned long session, const unsigned char *data, unsigned long n, unsigned char *ret, unsigned long *ret_n)
{
	unsigned long rv = session_check(session);
	unsigned char der[128];
	size_t n_der = sizeof(der);
	EVP_PKEY_CTX *ctx;

	token.signing = false;
	if (rv != P11_OK)
		return rv;
	if (atomic_load(&token_mock.always_authenticate) && atomic_load(&token_mock.logins) == 0)
		return P11_USER_NOT_LOGGED_IN;
	*ret_n = 64;
	if (atomic_load(&token_mock.garbage)) {
		*ret_n = 31;
		return P11_OK;
	}
	ctx = EVP_PKEY_CTX_new(mock_key(), NULL);
	rv = ctx && EVP_PKEY_sign_init(ctx) > 0 && EVP_PKEY_sign(ctx, der, &n_der, data, n) > 0 ? P11_OK : P11_GENERAL_ERROR;
	if (rv == P11_OK)
		signature_raw(der, (long)n_der, ret);
	EVP_PKEY_CTX_free(ctx);
	return rv;
}

unsigned long C_GetFunctionList(struct p11_functions **ret)
{
	static struct p11_functions functions = {
		.version = { 2, 40 },
		.initialize = mock_initialize,
		.finalize = mock_finalize,
		.get_slot_list = mock_get_slot_list,
		.get_token_info = mock_get_token_info,
		.get_mechanism_info = mock_get_mechanism_info,
		.open_session = mock_open_session,
		.close_session = mock_close_session,
		.get_session_info = mock_get_session_info,
		.login = mock_login,
		.logout = mock_logout,
		.get_attribute_value = mock_get_attribute_value,
		.find_objects_init = mock_find_objects_init,
		.find_objects = mock_find_objects,
		.find_objects_final = mock_find_objects_final,
		.sign_init = mock_sign_init,
		.sign = mock_sign,
	};

	*ret = &functions;
	return P11_OK;
}

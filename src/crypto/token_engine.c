/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED /* of engines: a provider for PKCS#11 is not in Debian 12 */

#include "crypto/token_engine.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/ui.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "util/mem.h"

#ifndef OPENSSL_NO_ENGINE

/* Where there is no PIN nobody is asked for one: a daemon has no terminal. */
static int nobody_opens(UI *ui)
{
	(void)ui;
	return 0;
}

static UI_METHOD *nobody_new(void)
{
	UI_METHOD *m = UI_create_method("nobody");

	if (m && UI_method_set_opener(m, nobody_opens) != 0) {
		UI_destroy_method(m);
		return NULL;
	}
	return m;
}

struct token_engine {
	ENGINE *engine;
	UI_METHOD *nobody;
};

static bool engine_order(ENGINE *e, const char *order, const char *value)
{
	return ENGINE_ctrl_cmd_string(e, order, value, 0) == 1;
}

static ENGINE *engine_find(void)
{
	const char *dir = getenv("OPENSSL_ENGINES");
	ENGINE *e;

	ENGINE_load_dynamic();
	e = ENGINE_by_id("dynamic");
	if (e && engine_order(e, "ID", "pkcs11") && engine_order(e, "DIR_LOAD", "2") &&
	    engine_order(e, "DIR_ADD", dir ? dir : OPENSSL_info(OPENSSL_INFO_ENGINES_DIR)) && engine_order(e, "LIST_ADD", "0") &&
	    engine_order(e, "LOAD", NULL))
		return e;
	ENGINE_free(e);
	return NULL;
}

/* The engine would look into it only when it needs a key, and complain to standard error. It stays open. */
static bool module_is_one(const char *module, struct errtext *err)
{
	void *handle = dlopen(module, RTLD_NOW | RTLD_LOCAL);

	if (!handle) {
		errtext_set(err, "PKCS#11 module %s cannot be loaded: %s", module, dlerror());
		return false;
	}
	if (dlsym(handle, "C_GetFunctionList"))
		return true;
	errtext_set(err, "%s is not a PKCS#11 module: it has no C_GetFunctionList", module);
	(void)dlclose(handle);
	return false;
}

/* What the module said comes first, what the engine made of it last. */
static const char *engine_why(void)
{
	unsigned long code = ERR_peek_error();
	const char *why = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return why ? why : "no reason is given";
}

struct token_engine *token_engine_load(const char *module, struct errtext *err)
{
	struct token_engine *t;
	ENGINE *e;

	if (!module_is_one(module, err))
		return NULL;
	e = engine_find();
	if (!e) {
		errtext_set(err, "OpenSSL's engine 'pkcs11' cannot be loaded (Debian: libengine-pkcs11-openssl): %s", engine_why());
		return NULL;
	}
	if (!engine_order(e, "MODULE_PATH", module) || !engine_order(e, "QUIET", NULL) || ENGINE_init(e) != 1) {
		errtext_set(err, "PKCS#11 module %s cannot be loaded: %s", module, engine_why());
		ENGINE_free(e);
		return NULL;
	}
	t = xcalloc(1, sizeof(*t));
	t->engine = e;
	t->nobody = nobody_new();
	if (t->nobody)
		return t;
	errtext_set(err, "PKCS#11 module %s: no memory", module);
	ENGINE_finish(e);
	ENGINE_free(e);
	free(t);
	return NULL;
}

bool token_engine_pin(struct token_engine *e, const char *pin, struct errtext *err)
{
	if (engine_order(e->engine, "PIN", pin))
		return true;
	errtext_set(err, "OpenSSL's engine does not take the PIN: %s", engine_why());
	return false;
}

EVP_PKEY *token_engine_key(struct token_engine *e, const char *name, struct errtext *err)
{
	EVP_PKEY *k = ENGINE_load_private_key(e->engine, name, e->nobody, NULL);

	if (!k)
		errtext_set(err, "the token has no such private key, or refuses the PIN, or needs one: %s", engine_why());
	return k;
}

bool token_engine_cert(struct token_engine *e, const char *name, struct buf *ret, struct errtext *err)
{
	struct {
		const char *name;
		X509 *cert;
	} order = { name, NULL };
	uint8_t *at;
	int n = -1;

	if (ENGINE_ctrl_cmd(e->engine, "LOAD_CERT_CTRL", 0, &order, NULL, 0) == 1 && order.cert)
		n = i2d_X509(order.cert, NULL);
	if (n <= 0) {
		errtext_set(err, "the token has no such certificate: %s", engine_why());
	} else {
		at = buf_extend(ret, (size_t)n);
		(void)i2d_X509(order.cert, &at);
	}
	X509_free(order.cert);
	return n > 0;
}

#else

bool token_engine_pin(struct token_engine *e, const char *pin, struct errtext *err)
{
	(void)pin;
	return token_engine_key(e, NULL, err) != NULL;
}

struct token_engine *token_engine_load(const char *module, struct errtext *err)
{
	(void)module;
	errtext_set(err, "this OpenSSL has no engines, and so no tokens");
	return NULL;
}

EVP_PKEY *token_engine_key(struct token_engine *e, const char *name, struct errtext *err)
{
	(void)e;
	(void)name;
	errtext_set(err, "this OpenSSL has no engines, and so no tokens");
	return NULL;
}

bool token_engine_cert(struct token_engine *e, const char *name, struct buf *ret, struct errtext *err)
{
	(void)ret;
	return token_engine_key(e, name, err) != NULL;
}

#endif

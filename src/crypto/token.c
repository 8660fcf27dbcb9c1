/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>

#include "crypto/key_internal.h"
#include "crypto/signer.h"
#include "crypto/token_engine.h"
#include "util/mem.h"

/* Private keys on tokens (PKCS#11). */

#define TOKEN_HANDLE 255 /* bytes of a CKA_ID */

/* Of the settings: written before there are threads. */
static struct {
	struct token_module *list;
	size_t n;
} configured;

/*
 * There can be only one engine in a process, with one module, and it keeps the last PIN. The lock guards it, and the use of its keys: a
 * token does one thing at a time anyway.
 */
static struct {
	pthread_mutex_t lock;
	char *path;
	struct token_engine *engine;
	bool has_pin;
} loaded = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct token_key {
	struct private_key base;
	EVP_PKEY *evp;
	struct token_key *next_dead;
};

/* Keys nobody uses any more: what their end does waits for the token, so the next who does that anyway does it. */
static struct {
	pthread_mutex_t lock; /* guards the list */
	struct token_key *first;
} dead = { .lock = PTHREAD_MUTEX_INITIALIZER };

void token_modules_set(const struct token_module *modules, size_t n)
{
	for (size_t i = 0; i < configured.n; i++) {
		free((char *)(uintptr_t)configured.list[i].name);
		free((char *)(uintptr_t)configured.list[i].path);
	}
	free(configured.list);
	configured.list = n ? xcalloc(n, sizeof(*configured.list)) : NULL;
	configured.n = n;
	for (size_t i = 0; i < n; i++)
		configured.list[i] = (struct token_module){ xstrdup(modules[i].name), xstrdup(modules[i].path) };
}

/* ---- modules ---- */

static const char *module_path(const char *name, struct errtext *err)
{
	if (name && strchr(name, '/'))
		return name;
	if (!name && configured.n == 1)
		return configured.list[0].path;
	for (size_t i = 0; name && i < configured.n; i++) {
		if (!strcmp(configured.list[i].name, name))
			return configured.list[i].path;
	}
	if (name)
		errtext_set(err, "PKCS#11 module '%s' is not configured: setting plugins.pkcs11.modules.%s.path", name, name);
	else if (configured.n)
		errtext_set(err, "which of the %zu PKCS#11 modules is not said: 'module'", configured.n);
	else
		errtext_set(err, "no PKCS#11 module is configured: setting plugins.pkcs11.modules.NAME.path");
	return NULL;
}

/* The lock is held. */
static bool module_load(const char *path, struct errtext *err)
{
	if (loaded.engine && !strcmp(loaded.path, path))
		return true;
	if (loaded.engine) {
		errtext_set(err,
			    "OpenSSL's engine has PKCS#11 module %s already, and can have no other one; p11-kit-proxy.so is several in one",
			    loaded.path);
		return false;
	}
	loaded.engine = token_engine_load(path, err);
	if (loaded.engine)
		loaded.path = xstrdup(path);
	return loaded.engine != NULL;
}

/* The lock is held. The engine is ready for that token. */
static bool token_prepare(const struct token_ref *t, struct errtext *err)
{
	const char *path = module_path(t->module, err);

	if (!path || !module_load(path, err))
		return false;
	/* it would try the last PIN, and tokens that are told wrong ones are locked */
	if (!t->pin && loaded.has_pin) {
		errtext_set(err, "the token needs its PIN said, as there are others with PINs");
		return false;
	}
	if (!t->pin)
		return true;
	loaded.has_pin = true;
	return token_engine_pin(loaded.engine, t->pin, err);
}

/* ---- keys ---- */

/* Takes the lock, and frees what waits for it. */
static void token_lock(void)
{
	struct token_key *k;

	pthread_mutex_lock(&dead.lock);
	k = dead.first;
	dead.first = NULL;
	pthread_mutex_unlock(&dead.lock);
	pthread_mutex_lock(&loaded.lock);
	while (k) {
		struct token_key *next = k->next_dead;

		EVP_PKEY_free(k->evp);
		free(k);
		k = next;
	}
}

static bool token_key_sign(const struct private_key *k, const struct sig_scheme *scheme, const struct bytes *parts, size_t n_parts,
			   struct buf *ret, struct errtext *err)
{
	const struct token_key *t = (const struct token_key *)k;
	bool ok;

	token_lock();
	ok = memory_sign(t->evp, k->public, scheme, parts, n_parts, ret, err);
	pthread_mutex_unlock(&loaded.lock);
	return ok;
}

static void token_key_free(struct private_key *k)
{
	struct token_key *t = (struct token_key *)k;

	public_key_unref(k->public);
	pthread_mutex_lock(&dead.lock);
	t->next_dead = dead.first;
	dead.first = t;
	pthread_mutex_unlock(&dead.lock);
}

static const struct private_key_ops token_key_ops = {
	.sign = token_key_sign,
	.free = token_key_free,
	.quick = false,
};

/* The engine's own form where a slot is said, which URIs (RFC 7512) of the engine in Debian 12 cannot. */
static bool token_name(const struct token_ref *t, const char *type, struct buf *ret, struct errtext *err)
{
	if (!t->handle.n || t->handle.n > TOKEN_HANDLE) {
		errtext_set(err, "the handle of a key on a token has 1 to %d bytes", TOKEN_HANDLE);
		return false;
	}
	if (t->slot >= 0) {
		buf_printf(ret, "slot_%lld-id_", (long long)t->slot);
		buf_add_hex(ret, t->handle);
		return true;
	}
	buf_printf(ret, "pkcs11:type=%s;id=", type);
	for (size_t i = 0; i < t->handle.n; i++)
		buf_printf(ret, "%%%02x", t->handle.p[i]);
	return true;
}

/* What the token says of the public key goes through the same checks as all others. */
static struct public_key *token_public(EVP_PKEY *evp, struct errtext *err)
{
	uint8_t *spki = NULL;
	struct public_key *k = NULL;
	int n = i2d_PUBKEY(evp, &spki);

	if (n > 0)
		k = public_key_parse(bytes_of(spki, (size_t)n), KEY_ANY, err);
	else
		errtext_set(err, "the token does not give the public key of that private key: %s", openssl_why());
	OPENSSL_free(spki);
	return k;
}

/* The lock is held. */
static struct private_key *token_key_load(const char *name, struct errtext *err)
{
	EVP_PKEY *evp = token_engine_key(loaded.engine, name, err);
	struct public_key *public = evp ? token_public(evp, err) : NULL;
	struct token_key *k;

	if (!public) {
		EVP_PKEY_free(evp);
		return NULL;
	}
	k = xcalloc(1, sizeof(*k));
	atomic_init(&k->base.refs, 1);
	k->base.ops = &token_key_ops;
	k->base.public = public;
	k->evp = evp;
	return &k->base;
}

struct private_key *private_key_from_token(const struct token_ref *t, struct errtext *err)
{
	struct private_key *k = NULL;
	struct buf name = { NULL, 0, 0 };

	token_lock();
	if (token_name(t, "private", &name, err) && token_prepare(t, err))
		k = token_key_load(buf_str(&name), err);
	pthread_mutex_unlock(&loaded.lock);
	buf_free(&name);
	return k;
}

bool token_cert(const struct token_ref *t, struct buf *ret, struct errtext *err)
{
	struct buf name = { NULL, 0, 0 };
	bool ok;

	token_lock();
	ok = token_name(t, "cert", &name, err) && token_prepare(t, err) && token_engine_cert(loaded.engine, buf_str(&name), ret, err);
	pthread_mutex_unlock(&loaded.lock);
	buf_free(&name);
	return ok;
}

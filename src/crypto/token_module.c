/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/token_inside.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "util/mem.h"

/* PKCS#11 modules: by their names in the settings, loaded when they are first asked for, one thread in each at a time. */

#define TOKEN_PATIENCE_MS 10000
#define TOKEN_RESET_MS 1000

/* `lock` guards it; there are no call-outs under it. */
static struct {
	pthread_mutex_t lock;
	struct token_module_conf *list;
	size_t n;
	struct token_module *loaded;
	unsigned patience_ms;
} modules = { .lock = PTHREAD_MUTEX_INITIALIZER, .patience_ms = TOKEN_PATIENCE_MS };

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void token_modules_set(const struct token_module_conf *list, size_t n, unsigned patience_ms)
{
	struct token_module_conf *copy = n ? xcalloc(n, sizeof(*copy)) : NULL, *old;
	size_t n_old;

	for (size_t i = 0; i < n; i++)
		copy[i] = (struct token_module_conf){ xstrdup(list[i].name), xstrdup(list[i].path) };
	pthread_mutex_lock(&modules.lock);
	old = modules.list;
	n_old = modules.n;
	modules.list = copy;
	modules.n = n;
	modules.patience_ms = patience_ms ? patience_ms : TOKEN_PATIENCE_MS;
	pthread_mutex_unlock(&modules.lock);
	for (size_t i = 0; i < n_old; i++) {
		free((char *)(uintptr_t)old[i].name);
		free((char *)(uintptr_t)old[i].path);
	}
	free(old);
}

/* ---- by name ---- */

static struct token_module *module_new(const char *name, const char *path)
{
	struct token_module *m = xcalloc(1, sizeof(*m));
	pthread_condattr_t attr;

	m->name = xstrdup(name);
	m->path = xstrdup(path);
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->free, &attr);
	pthread_condattr_destroy(&attr);
	return m;
}

/* The lock is held. In the settings, or a path. */
static const struct token_module_conf *module_configured(const char *name, struct errtext *err)
{
	if (!name && modules.n == 1)
		return modules.list;
	for (size_t i = 0; name && i < modules.n; i++) {
		if (!strcmp(modules.list[i].name, name))
			return &modules.list[i];
	}
	if (name)
		errtext_set(err, "PKCS#11 module '%s' is not configured: setting plugins.pkcs11.modules.%s.path", name, name);
	else if (modules.n)
		errtext_set(err, "which of the %zu PKCS#11 modules is not said: 'module'", modules.n);
	else
		errtext_set(err, "no PKCS#11 module is configured: setting plugins.pkcs11.modules.NAME.path");
	return NULL;
}

/* What has the same path is one module, whatever it is called. */
static struct token_module *module_get(const char *name, struct errtext *err)
{
	struct token_module_conf as_path = { name, name };
	const struct token_module_conf *conf = &as_path;
	struct token_module *m = NULL;

	pthread_mutex_lock(&modules.lock);
	if (!name || !strchr(name, '/'))
		conf = module_configured(name, err);
	if (conf) {
		for (m = modules.loaded; m && strcmp(m->path, conf->path) != 0; m = m->next) {
		}
		if (!m) {
			m = module_new(conf->name, conf->path);
			m->next = modules.loaded;
			modules.loaded = m;
		}
	}
	pthread_mutex_unlock(&modules.lock);
	return m;
}

/* ---- loading ---- */

/* The shared object stays: closing one is what few of them survive. */
static bool module_open(struct token_module *m, struct errtext *err)
{
	struct p11_initialize args = { .flags = P11_OS_LOCKING_OK };
	struct p11_functions *f = NULL;
	p11_get_function_list *get = NULL;
	struct text scratch;
	unsigned long rv;
	void *handle;

	if (m->f)
		return true;
	handle = dlopen(m->path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		errtext_set(err, "PKCS#11 module %s cannot be loaded: %s", m->name, dlerror());
		return false;
	}
	*(void **)&get = dlsym(handle, "C_GetFunctionList");
	if (!get) {
		errtext_set(err, "%s is not a PKCS#11 module: it has no C_GetFunctionList", m->path);
		(void)dlclose(handle);
		return false;
	}
	rv = get(&f);
	if (rv == P11_OK && f)
		rv = f->initialize(&args);
	if (f && (rv == P11_OK || rv == P11_ALREADY_INITIALIZED)) {
		m->f = f;
		m->ours = rv == P11_OK;
		return true;
	}
	errtext_set(err, "PKCS#11 module %s cannot be initialised: %s", m->name, token_why(rv, &scratch));
	return false;
}

/* Some do not find a token again that was away. Keys in other slots log in again, as after any other loss. */
bool token_module_reset(struct token_module *m)
{
	struct p11_initialize args = { .flags = P11_OS_LOCKING_OK };
	uint64_t now = now_ms();

	if (!m->ours || now < m->reset_at + TOKEN_RESET_MS)
		return false;
	m->reset_at = now;
	for (struct token_slot *s = m->slots; s; s = s->next)
		token_slot_close(s);
	(void)m->f->finalize(NULL);
	return m->f->initialize(&args) == P11_OK;
}

/* ---- in and out ---- */

/* A token that hangs has one thread for itself; all others leave when it has not answered for so long. */
static bool module_take(struct token_module *m, struct errtext *err)
{
	uint64_t now = now_ms(), until;
	struct timespec at;
	unsigned patience;
	int rc = 0;

	pthread_mutex_lock(&modules.lock);
	patience = modules.patience_ms;
	pthread_mutex_unlock(&modules.lock);
	pthread_mutex_lock(&m->lock);
	until = (m->busy ? m->busy_since : now) + patience;
	at = (struct timespec){ (time_t)(until / 1000), (long)(until % 1000) * 1000000 };
	while (m->busy && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&m->free, &m->lock, &at);
	if (m->busy) {
		uint64_t since = (now_ms() - m->busy_since) / 1000;

		pthread_mutex_unlock(&m->lock);
		errtext_set(err, "PKCS#11 module %s is busy, its last answer is %llu s ago", m->name, (unsigned long long)since);
		return false;
	}
	m->busy = true;
	m->busy_since = now_ms();
	pthread_mutex_unlock(&m->lock);
	return true;
}

static void module_bury(struct token_module *m)
{
	struct token_key *k, *next;

	pthread_mutex_lock(&m->lock);
	k = m->dead;
	m->dead = NULL;
	pthread_mutex_unlock(&m->lock);
	for (; k; k = next) {
		next = k->next_dead;
		k->slot->keys--;
		buf_free(&k->handle);
		free(k);
	}
}

void token_module_leave(struct token_module *m)
{
	module_bury(m);
	token_slots_tidy(m);
	pthread_mutex_lock(&m->lock);
	m->busy = false;
	pthread_cond_signal(&m->free);
	pthread_mutex_unlock(&m->lock);
}

bool token_module_enter_again(struct token_module *m, struct errtext *err)
{
	if (!module_take(m, err))
		return false;
	if (module_open(m, err)) {
		module_bury(m);
		token_slots_tidy(m);
		return true;
	}
	token_module_leave(m);
	return false;
}

struct token_module *token_module_enter(const char *name, struct errtext *err)
{
	struct token_module *m = module_get(name, err);

	return m && token_module_enter_again(m, err) ? m : NULL;
}

void token_key_is_dead(struct token_key *k)
{
	struct token_module *m = k->slot->module;

	pthread_mutex_lock(&m->lock);
	k->next_dead = m->dead;
	m->dead = k;
	pthread_mutex_unlock(&m->lock);
}

void tokens_tidy(void)
{
	struct token_module *m;
	struct errtext err;

	pthread_mutex_lock(&modules.lock);
	m = modules.loaded; /* grows at its beginning only */
	pthread_mutex_unlock(&modules.lock);
	while (m) {
		if (token_module_enter_again(m, &err))
			token_module_leave(m);
		pthread_mutex_lock(&modules.lock);
		m = m->next;
		pthread_mutex_unlock(&modules.lock);
	}
}

/* ---- the end ---- */

static bool module_close(struct token_module *m)
{
	bool idle;

	pthread_mutex_lock(&m->lock);
	idle = !m->busy;
	m->busy = true;
	pthread_mutex_unlock(&m->lock);
	if (!idle)
		return false; /* it hangs, and ends with the process */
	module_bury(m);
	for (struct token_slot *s = m->slots, *next; s; s = next) {
		next = s->next;
		if (s->keys)
			return false;
		token_slot_forget(s);
		free(s);
		m->slots = next;
	}
	if (m->f && m->ours)
		(void)m->f->finalize(NULL);
	return true;
}

void tokens_close(void)
{
	struct token_module *m, *next;

	token_modules_set(NULL, 0, 0);
	pthread_mutex_lock(&modules.lock);
	m = modules.loaded;
	modules.loaded = NULL;
	pthread_mutex_unlock(&modules.lock);
	for (; m; m = next) {
		pthread_mutex_lock(&modules.lock);
		next = m->next;
		m->next = NULL; /* who hangs in it is to go nowhere else */
		pthread_mutex_unlock(&modules.lock);
		if (!module_close(m))
			continue;
		pthread_cond_destroy(&m->free);
		pthread_mutex_destroy(&m->lock);
		free(m->name);
		free(m->path);
		free(m);
	}
}

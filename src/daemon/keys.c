/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "config/settings.h"
#include "daemon/daemon.h"
#include "daemon/values.h"
#include "util/log.h"
#include "util/mem.h"

/* Where private keys can be but in this process: one that signs, and tokens. */

#define MODULES_MAX 32

struct modules {
	const struct settings *settings;
	struct token_module_conf list[MODULES_MAX];
	size_t n;
};

static void modules_add(void *arg, const char *name)
{
	struct modules *m = arg;
	char *key = xasprintf("plugins.pkcs11.modules.%s.path", name);
	const char *path = settings_str(m->settings, key, NULL);

	if (!path)
		LOG(CFG, LOG_LEVEL_CONTROL, "setting '%s' is missing: there is no PKCS#11 module '%s'", key, name);
	else if (m->n == MODULES_MAX)
		LOG(CFG, LOG_LEVEL_CONTROL, "there are more than %d PKCS#11 modules: '%s' is left out", MODULES_MAX, name);
	else
		m->list[m->n++] = (struct token_module_conf){ name, path };
	free(key);
}

void daemon_set_modules(struct daemon *d)
{
	struct modules m = { .settings = d->settings };

	settings_each(d->settings, "plugins.pkcs11.modules", true, modules_add, &m);
	token_modules_set(m.list, m.n, values_token_ms(d->settings));
}

/* Forks: before there are threads, and so before there is a log. */
bool daemon_start_signer(struct daemon *d, struct errtext *err)
{
	if (!values_key_process(d->settings))
		return true;
	d->signer = signer_start(err);
	return d->signer != NULL;
}

void daemon_stop_signer(struct daemon *d)
{
	signer_stop(d->signer);
	d->signer = NULL;
	tokens_close();
}

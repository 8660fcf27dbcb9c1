/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/fetch.h"
#include "config/settings.h"
#include "daemon/daemon.h"
#include "util/log.h"
#include "util/mem.h"

/*
 * load_modular. A plugin that the settings do not mention is loaded: the files of other daemons
 * know nothing of ours.
 */
static bool plugin_is_enabled(void *arg, const char *name, int *ret_priority)
{
	const struct settings *s = arg;
	char *key = xasprintf("plugins.%s.load", name);
	const char *text = settings_str(s, key, "yes");
	int64_t priority;
	bool enabled = true;

	if (value_int(bytes_str(text), &priority))
		*ret_priority = priority > INT32_MAX ? INT32_MAX : (int)priority;
	if (!value_int(bytes_str(text), &priority) || priority <= 1)
		enabled = settings_bool(s, key, true);
	free(key);
	return enabled;
}

/* What is optional is asked for by a word of its own, or by what enables it. */
static bool plugin_is_asked(void *arg, const char *name)
{
	const struct settings *s = arg;
	char *key = xasprintf("plugins.%s.load", name), *enable = xasprintf("plugins.%s.enable", name);
	bool asked = settings_bool(s, key, false) || settings_bool(s, enable, false);
	int64_t priority;

	if (value_int(bytes_str(settings_str(s, key, "")), &priority))
		asked = priority > 0;
	free(key);
	free(enable);
	return asked;
}

static bool plugins_have_crypto(const struct crypto_registry *r)
{
	return crypto_prf(r, PRF_HMAC_SHA2_256) && crypto_ke(r, KE_CURVE_25519) && crypto_hasher(r, HASH_SHA1);
}

/* Why there is no cryptography: what the plugins that did not load say. */
static void plugins_explain(const struct plugin_set *set, const char *dir, struct errtext *err)
{
	struct buf why = { 0 };

	for (size_t i = 0; i < plugins_count(set); i++) {
		struct plugin_info p = plugins_get(set, i);

		if (p.state == PLUGIN_STATE_FAILED)
			buf_printf(&why, "%s%s: %s", why.n ? "; " : "", p.name, p.why ? p.why : "failed");
	}
	if (why.n)
		errtext_set(err, "no plugin provides the cryptographic algorithms that IKEv2 needs (%s)",
			    buf_str(&why));
	else
		errtext_set(err, "no plugin provides the cryptographic algorithms that IKEv2 needs; is openssl in "
			    "%s, and enabled by the settings? (--plugin-dir tells another place)", dir);
	buf_free(&why);
}

static void plugins_name_loaded(struct daemon *d)
{
	d->plugin_names = xcalloc(plugins_count(d->plugins) + 1, sizeof(*d->plugin_names));
	for (size_t i = 0; i < plugins_count(d->plugins); i++) {
		struct plugin_info p = plugins_get(d->plugins, i);

		if (p.state == PLUGIN_STATE_LOADED)
			d->plugin_names[d->n_plugins++] = p.name;
	}
}

bool daemon_load_plugins(struct daemon *d, struct errtext *err)
{
	struct plugin_options o = {
		.dir = d->options->plugin_dir,
		.load = settings_str(d->settings, "load", NULL),
		.asked = plugin_is_asked,
		.asked_arg = d->settings,
	};

	if (settings_bool(d->settings, "load_modular", false)) {
		o.enabled = plugin_is_enabled;
		o.enabled_arg = d->settings;
	}
	d->plugin_env = (struct plugin_env){
		.crypto = crypto_registry_new(),
		.kernel = kernel_registry_new(),
		.bypass = &d->bypasses,
		.settings = d->settings,
		.attributes = attribute_registry_new(),
		.hooks = hook_registry_new(),
		.fetchers = fetch_registry_new(),
	};
	d->plugins = plugins_load(&o, &d->plugin_env, err);
	if (!d->plugins)
		return false;
	crypto_registry_freeze(d->plugin_env.crypto);
	plugins_name_loaded(d);
	return true;
}

bool daemon_check_crypto(struct daemon *d, struct errtext *err)
{
	if (plugins_have_crypto(d->plugin_env.crypto))
		return true;
	plugins_explain(d->plugins, d->options->plugin_dir ? d->options->plugin_dir : PLUGINDIR, err);
	return false;
}

void daemon_unload_plugins(struct daemon *d)
{
	free(d->plugin_names);
	d->plugin_names = NULL;
	if (d->plugins)
		plugins_unload(d->plugins);
	d->plugins = NULL;
	crypto_registry_free(d->plugin_env.crypto);
	kernel_registry_free(d->plugin_env.kernel);
	attribute_registry_free(d->plugin_env.attributes);
	hook_registry_free(d->plugin_env.hooks);
	fetch_registry_free(d->plugin_env.fetchers);
	d->plugin_env = (struct plugin_env){ 0 };
}

static void plugins_print_features(const char *word, const char *const *features)
{
	if (!features[0])
		return;
	printf("    %s", word);
	for (; *features; features++)
		printf(" %s", *features);
	printf("\n");
}

int daemon_list_plugins(struct daemon *d)
{
	struct errtext err;
	bool ok = daemon_load_plugins(d, &err);

	for (size_t i = 0; d->plugins && i < plugins_count(d->plugins); i++) {
		struct plugin_info p = plugins_get(d->plugins, i);

		printf("%s%s%s: %s%s%s\n", p.name, p.version ? " " : "", p.version ? p.version : "",
		       plugin_state_name(p.state), p.why ? ": " : "", p.why ? p.why : "");
		if (p.summary)
			printf("    %s\n", p.summary);
		plugins_print_features("provides", p.provides);
		plugins_print_features("requires", p.requires);
	}
	if (!ok)
		fprintf(stderr, "bewickd: %s\n", err.s);
	daemon_unload_plugins(d);
	return ok ? 0 : 1;
}

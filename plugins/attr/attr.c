/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "config/cp_value.h"
#include "config/settings.h"
#include "plugin/attributes.h"
#include "plugin/plugin.h"
#include "util/log.h"
#include "util/mem.h"

/* Gives every client that asks the attributes of the settings: plugins.attr.NAME, and dns1 to nbns2. */

static struct {
	struct cp_value values[LIMIT_CP_KEPT];
	size_t n;
} attr;

static size_t attr_provide(void *arg, const struct attribute_query *query, struct attribute *ret, size_t max)
{
	size_t n = attr.n < max ? attr.n : max;

	(void)arg;
	(void)query;
	for (size_t i = 0; i < n; i++)
		ret[i] = (struct attribute){ attr.values[i].type, bytes_of(attr.values[i].data, attr.values[i].n) };
	return n;
}

static const struct attribute_provider attr_provider = { .name = "attr", .provide = attr_provide };

static void attr_add(const char *setting, const char *key, struct bytes item)
{
	if (attr.n == ARRAY_LEN(attr.values))
		LOG(CFG, LOG_LEVEL_AUDIT, "setting '%s': '%.*s' is one attribute too many, at most %d are possible", setting,
		    (int)item.n, (const char *)item.p, LIMIT_CP_KEPT);
	else if (cp_value_parse(key, item, &attr.values[attr.n]))
		attr.n++;
	else
		LOG(CFG, LOG_LEVEL_AUDIT, "setting '%s': '%.*s' is no value for this attribute, it is left out", setting,
		    (int)item.n, (const char *)item.p);
}

/* Commas between items, blanks around them. */
static void attr_add_list(const char *setting, const char *key, const char *list)
{
	static const char blanks[] = " \t";

	while (list && *list) {
		size_t n = strcspn(list, ","), skip = strspn(list, blanks);
		const char *next = list[n] ? list + n + 1 : NULL;

		skip = skip < n ? skip : n;
		for (list += skip, n -= skip; n && strchr(blanks, list[n - 1]); n--)
			;
		if (n)
			attr_add(setting, key, bytes_of(list, n));
		list = next;
	}
}

static void attr_read(void *arg, const char *name)
{
	const struct settings *s = arg;
	char *setting = xasprintf("plugins.attr.%s", name);

	if (strcmp(name, "address") == 0)
		LOG(CFG, LOG_LEVEL_AUDIT, "setting '%s': addresses are given out of pools, each to one client: left out", setting);
	else if (cp_key_is_known(name))
		attr_add_list(setting, name, settings_str(s, setting, NULL));
	else if (strcmp(name, "load") != 0)
		LOG(CFG, LOG_LEVEL_AUDIT, "setting '%s': no such attribute", setting);
	free(setting);
}

static bool attr_load(struct plugin_env *env, struct errtext *err)
{
	static const char *const servers[][2] = {
		{ "dns1", "dns" }, { "dns2", "dns" }, { "nbns1", "nbns" }, { "nbns2", "nbns" }
	};

	if (!env->attributes) {
		errtext_set(err, "nobody asks for attributes here");
		return false;
	}
	attr.n = 0;
	for (size_t i = 0; i < ARRAY_LEN(servers); i++)
		attr_add_list(servers[i][0], servers[i][1], settings_str(env->settings, servers[i][0], NULL));
	settings_each(env->settings, "plugins.attr", false, attr_read, (void *)(uintptr_t)env->settings);
	attribute_add_provider(env->attributes, &attr_provider);
	return true;
}

static void attr_unload(struct plugin_env *env)
{
	attribute_remove_provider(env->attributes, &attr_provider);
}

static const char *const attr_provides[] = { "attribute-provider:attr", NULL };
static const char *const attr_requires[] = { NULL };

PLUGIN_DEFINE(attr) = {
	.abi = PLUGIN_ABI,
	.name = "attr",
	.summary = "gives clients the attributes of the settings: DNS servers and others",
	.provides = attr_provides,
	.requires = attr_requires,
	.load = attr_load,
	.unload = attr_unload,
};

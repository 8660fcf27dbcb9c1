/* SPDX-License-Identifier: Apache-2.0 */
/* The algorithms of the lab, as plugins bring them. */
#include <check.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab_private.h"
#include "plugin/loader.h"

/* For the whole process. */
static struct crypto_registry *registry;
static struct plugin_set *loaded;

static void lab_unload(void)
{
	plugins_unload(loaded);
	crypto_registry_free(registry);
}

/* Where the plugins are: beside the program, or above its .libs. */
static void lab_find_plugins(char dir[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *end;

	dir[n > 0 ? n : 0] = 0;
	end = strrchr(dir, '/');
	if (end)
		*end = 0;
	end = strrchr(dir, '/');
	if (end && strcmp(end, "/.libs") == 0)
		*end = 0;
}

struct crypto_registry *lab_registry(void)
{
	static struct plugin_env env;
	char dir[PATH_MAX];
	struct plugin_options options = { .dir = dir, .load = "openssl!" };
	struct errtext err;

	if (registry)
		return registry;
	lab_find_plugins(dir);
	registry = crypto_registry_new();
	env.crypto = registry;
	loaded = plugins_load(&options, &env, &err);
	ck_assert_msg(loaded != NULL, "%s", err.s);
	atexit(lab_unload);
	crypto_registry_freeze(registry);
	return registry;
}

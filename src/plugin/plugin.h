/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PLUGIN_PLUGIN_H
#define BEWICK_PLUGIN_PLUGIN_H

#include "util/result.h"

/*
 * What a plugin's shared object exports: one `const struct plugin_descriptor
 * bewick_plugin`. Built in statically, the symbol is bewick_plugin_NAME (dashes
 * as underscores).
 */
#define PLUGIN_ABI 1

/* A feature is "kind:name", e.g. "encr:AES_CBC", "kernel:userland", "eap:MD5",
 * "fetcher:http". */
struct plugin_env; /* what load may use: registries and settings of the host */

struct plugin_descriptor {
	unsigned abi;     /* PLUGIN_ABI */
	const char *name; /* "kernel-userland" */
	const char *summary;
	const char *version;         /* NULL: that of the host */
	const char *const *provides; /* NULL-terminated */
	const char *const *requires; /* NULL-terminated: features that must be loaded before */
	bool optional; /* loaded only where the settings name it */
	/* Registers with the domains; on failure undoes everything and says why in err. */
	bool (*load)(struct plugin_env *env, struct errtext *err);
	/* After all users are gone. May be NULL. */
	void (*unload)(struct plugin_env *env);
};

/* In a plugin: PLUGIN_DEFINE(kernel_null) = { .abi = PLUGIN_ABI, ... }; */
#ifdef BEWICK_STATIC_PLUGINS
#define PLUGIN_DEFINE(SYMBOL) const struct plugin_descriptor bewick_plugin_##SYMBOL
#else
#define PLUGIN_DEFINE(SYMBOL)                                                                      \
	EXPORT extern const struct plugin_descriptor bewick_plugin;                                \
	const struct plugin_descriptor bewick_plugin
#endif

struct bypass_registry;
struct crypto_registry;
struct fetch_registry;
struct kernel_registry;
struct attribute_registry;
struct hook_registry;
struct settings;

struct plugin_env {
	struct crypto_registry *crypto;
	struct kernel_registry *kernel;
	struct bypass_registry *bypass; /* NULL: nobody installs what is found */
	const struct settings *settings; /* of the daemon; NULL in tests */
	/* NULL where nobody gives or takes attributes, or calls hooks: tests, tools */
	struct attribute_registry *attributes;
	struct hook_registry *hooks;
	struct fetch_registry *fetchers;
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PLUGIN_LOADER_H
#define BEWICK_PLUGIN_LOADER_H

#include <stddef.h>

#include "plugin/plugin.h"

/*
 * Finds, orders and loads plugins: those built in, and shared objects named bewick-NAME.so in a
 * folder. In its subfolder .libs as well, so that a build tree works uninstalled. A plugin that is
 * listed by name may also be in NAME.so or libbewick-NAME.so. One thread, at start and end.
 */
struct plugin_set;

/* `load_modular`: whether plugin `name` is to be loaded, and its priority (higher is earlier, 1 if none is given). */
typedef bool plugin_enabled_fn(void *arg, const char *name, int *ret_priority);

struct plugin_options {
	/* NULL: where the installation puts plugins. */
	const char *dir;
	/* The setting `load`: names separated by blanks, the first wins where two provide the same; '!' behind
	 * a name makes it mandatory. NULL: all that are found, by name. */
	const char *load;
	/* Not NULL with `load_modular`: asked for every plugin found; `load` is then ignored. */
	plugin_enabled_fn *enabled;
	void *enabled_arg;
	/* Of plugins that are found, not listed, and `optional`: whether it is asked for. NULL: none is. */
	bool (*asked)(void *arg, const char *name);
	void *asked_arg;
	/* Plugins built in, NULL-terminated; found before those in dir. NULL: plugins_built_in. */
	const struct plugin_descriptor *const *built_in;
};

/* What was linked in; in an ordinary build nothing. */
extern EXPORT const struct plugin_descriptor *const plugins_built_in[];

enum plugin_state {
	PLUGIN_STATE_LOADED,
	PLUGIN_STATE_FAILED,  /* `why` says why */
	PLUGIN_STATE_NOT_NEEDED, /* a strongSwan plugin whose work is done elsewhere here */
};

struct plugin_info {
	const char *name;
	const char *version; /* NULL: the file could not be read */
	const char *summary; /* NULL likewise */
	const char *const *provides; /* NULL-terminated; never NULL */
	const char *const *requires;
	enum plugin_state state;
	const char *why; /* with PLUGIN_STATE_FAILED */
};

/*
 * Loads each plugin after those that provide what it requires, else in the configured order. What cannot
 * be loaded is logged and left out, with all that requires it. NULL, with err set and
 * nothing loaded: a mandatory plugin could not be loaded. env must live until plugins_unload.
 */
EXPORT struct plugin_set *plugins_load(const struct plugin_options *options, struct plugin_env *env,
				       struct errtext *err);
/* Unloads in reverse order and frees. What plugins registered must not be in use any more. */
EXPORT void plugins_unload(struct plugin_set *set);
/* All plugins asked for: the loaded ones in the order of loading, then the others. Valid until plugins_unload. */
EXPORT size_t plugins_count(const struct plugin_set *set);
EXPORT struct plugin_info plugins_get(const struct plugin_set *set, size_t index);
EXPORT const char *plugin_state_name(enum plugin_state state); /* "loaded", "failed", "not needed" */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#undef BEWICK_STATIC_PLUGINS
#include "plugin/plugin.h"

#include <stddef.h>

/* A plugin for the tests of the loader, good or wrong in one way. */
bool module_load(struct plugin_env *env, struct errtext *err);
bool module_load(struct plugin_env *env, struct errtext *err)
{
	return true;
}

#ifndef MODULE_NOTHING
static const char *const provides[] = { "test:good", NULL };

PLUGIN_DEFINE(module) = {
#ifdef MODULE_OLD
	.abi = PLUGIN_ABI + 1,
	.name = (const char *)1, /* must not be looked at */
#elif defined MODULE_MISNAMED
	.abi = PLUGIN_ABI,
	.name = "somebody-else",
#elif defined MODULE_GOOD
	.abi = PLUGIN_ABI,
	.name = "good",
#elif defined MODULE_INCOMPLETE
	.abi = PLUGIN_ABI,
	.name = "incomplete",
#endif
	.summary = "does nothing",
	.provides = provides,
#ifndef MODULE_INCOMPLETE
	.load = module_load,
#endif
};
#endif

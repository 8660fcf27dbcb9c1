/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "plugin/loader.h"

/* configure --enable-static-plugins links all plugins in and lists them, as X(symbol) X(symbol). */
#ifdef BEWICK_STATIC_PLUGINS
#define X(SYMBOL) extern const struct plugin_descriptor bewick_plugin_##SYMBOL;
BEWICK_PLUGIN_LIST
#undef X
#endif

const struct plugin_descriptor *const plugins_built_in[] = {
#ifdef BEWICK_STATIC_PLUGINS
#define X(SYMBOL) &bewick_plugin_##SYMBOL,
	BEWICK_PLUGIN_LIST
#undef X
#endif
	NULL,
};

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PLUGINS_UPDOWN_VARIABLES_H
#define BEWICK_PLUGINS_UPDOWN_VARIABLES_H

#include "plugin/hooks.h"

/* A pair of selectors that policies are made of. */
bool updown_is_pair(const struct ts *mine, const struct ts *theirs);

/*
 * The environment of the script for one pair: PATH and PLUTO_* variables, NULL-terminated, in the arena. Nothing else of what
 * a peer can choose comes near the shell. interface: of our address, NULL unknown; dns: with the servers that the gateway gave us.
 */
char **updown_environment(struct arena *a, const struct hook_child *c, const char *interface, const struct ts *mine,
			  const struct ts *theirs, bool dns);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_SETTINGS_KEYS_H
#define BEWICK_CONFIG_SETTINGS_KEYS_H

#include "util/result.h"

/*
 * All the settings that strongswan.conf can have. Who makes the daemon obey another one moves it to
 * the used ones in settings_keys.c; who invents one adds it there.
 */
enum settings_key_use {
	SETTINGS_KEY_USED,
	SETTINGS_KEY_UNUSED, /* known, but this version does nothing with it */
	SETTINGS_KEY_UNKNOWN,
};

/* path: dotted, below the daemon's section. */
EXPORT enum settings_key_use settings_key_use(const char *path);

#endif

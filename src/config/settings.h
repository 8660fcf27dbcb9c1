/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_SETTINGS_H
#define BEWICK_CONFIG_SETTINGS_H

#include "config/tree.h"

/*
 * The daemon's settings: a strongswan.conf style tree and typed look-ups in it. Keys
 * are dotted paths below the daemon's section: "plugins.vici.socket". `bewickd` is
 * looked at first, then `charon-systemd`, then `charon`, then (for keys of
 * the library) `libstrongswan`. Immutable once loaded: a reload makes a new one.
 */
struct settings;

/* file NULL: empty (all defaults). On failure err has file, line and what was expected. */
EXPORT struct settings *settings_load(const char *file, struct errtext *err);
EXPORT struct settings *settings_from_text(const char *text, struct errtext *err); /* for tests */
EXPORT void settings_free(struct settings *s);
/* All accept s == NULL (defaults). A value of the wrong type: the default, and a CFG log line that names key and value. */
EXPORT const char *settings_str(const struct settings *s, const char *key, const char *fallback);
EXPORT bool settings_bool(const struct settings *s, const char *key, bool fallback);
EXPORT int64_t settings_int(const struct settings *s, const char *key, int64_t fallback);
EXPORT double settings_double(const struct settings *s, const char *key, double fallback);
EXPORT uint64_t settings_time(const struct settings *s, const char *key, uint64_t fallback_s); /* seconds */
/* Names of the subsections (sections=true) or keys of a section, merged over the namespaces; calls fn for each. */
EXPORT void settings_each(const struct settings *s, const char *section, bool sections,
			  void (*fn)(void *arg, const char *name), void *arg);
/* Keys in our own section that nobody knows: one CFG warning each. */
EXPORT void settings_warn_unknown(const struct settings *s);

/* The typed scalar readers, shared with connections: whole text must be consumed. */
EXPORT MUST_CHECK bool value_bool(struct bytes text, bool *ret);
EXPORT MUST_CHECK bool value_int(struct bytes text, int64_t *ret); /* C notation */
EXPORT MUST_CHECK bool value_time(struct bytes text, uint64_t *ret_s);
EXPORT MUST_CHECK bool value_size(struct bytes text, uint64_t *ret_bytes); /* k m g */

#endif

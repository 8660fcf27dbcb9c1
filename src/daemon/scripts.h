/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_DAEMON_SCRIPTS_H
#define BEWICK_DAEMON_SCRIPTS_H

#include "config/settings.h"

/*
 * Commands of the settings (start-scripts, stop-scripts), run by /bin/sh one after the other; their
 * output is logged. A script that is cancelled or takes too long is killed with all it started
 * in its process group.
 */

/* Runs those of a section here and now. cancel_fd readable ends it; -1 none. */
void scripts_run(const struct settings *s, const char *section, int cancel_fd, unsigned limit_ms);

/* The same on a thread of its own. NULL: there are none, or no thread (logged). */
struct scripts;
struct scripts *scripts_start(const struct settings *s, const char *section, unsigned limit_ms);
void scripts_end(struct scripts *scripts); /* kills what runs, and frees; NULL is fine */

#endif

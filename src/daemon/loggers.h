/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_DAEMON_LOGGERS_H
#define BEWICK_DAEMON_LOGGERS_H

#include "config/settings.h"

/*
 * Where log lines go: the filelog and syslog sections of the settings, and standard error when
 * there are none. Main thread.
 */
struct loggers;

/* Until loggers_configure it is standard error, written at once. */
struct loggers *loggers_new(void);
/*
 * Opens what the settings name and then lets go of what was open; the files of log rotation are so made
 * anew. Nothing is lost between the two. What cannot be opened is reported to the others,
 * at worst to standard error.
 */
void loggers_configure(struct loggers *l, const struct settings *settings);
/* Whether lines of level 1 go to standard error. */
bool loggers_on_stderr(const struct loggers *l);
void loggers_free(struct loggers *l); /* writes what waits, within a second */

#endif

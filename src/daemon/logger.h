/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_DAEMON_LOGGER_H
#define BEWICK_DAEMON_LOGGER_H

#include "config/settings.h"
#include "daemon/log_writer.h"
#include "util/log.h"
#include "util/mem.h"

/* One place where log lines go. */
struct logger {
	struct logger *next;
	int8_t levels[LOG_GROUPS];
	bool is_stderr;
	/* Formats and hands over to the writer; any thread, a level that is wanted. */
	void (*log)(struct logger *l, const struct log_event *ev);
	/* Closes and frees; false: cannot, because its thread hangs. */
	bool (*free)(struct logger *l);
};

#define LOGGER_QUEUE ((size_t)1 << 20) /* bytes that may wait */
#define LOGGER_END_MS 1000

/* `section` like "filelog.NAME". What is neither default nor a group is 1, and enc and net 0 if they do not
 * follow a default. */
void logger_read_levels(const struct settings *s, const char *section, int8_t *ret_levels);

/* first: the daemon starts, so that files may be emptied. On failure err says why. */
struct logger *file_logger_new(const struct settings *s, const char *name, bool first, struct errtext *err);
struct logger *stderr_logger_new(struct errtext *err); /* without any section */
struct logger *syslog_logger_new(const struct settings *s, const char *facility, struct errtext *err);

#endif

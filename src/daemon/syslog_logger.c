/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "daemon/logger.h"

/*
 * syslog(3) may wait for the log daemon, so the writer's thread calls it: what waits are lines whose
 * first byte is the priority, moved up to be printable.
 */
#define SYSLOG_BASE 'A'

struct syslog_logger {
	struct logger logger;
	struct log_writer *writer;
	int facility;
	bool with_name, with_level, map_level;
};

static size_t syslog_write(void *arg, const struct log_writer *w, const char *lines, size_t n)
{
	const struct syslog_logger *s = arg;
	const char *nl;

	(void)w;
	while (n && (nl = memchr(lines, '\n', n))) {
		syslog(s->facility | (lines[0] - SYSLOG_BASE), "%.*s", (int)(nl - lines - 1), lines + 1);
		n -= (size_t)(nl + 1 - lines);
		lines = nl + 1;
	}
	return n;
}

static void syslog_lost(void *arg, uint64_t lines, struct buf *out)
{
	(void)arg;
	buf_printf(out, "%c00[DMN] %llu line%s of the log lost here: syslog was not fast enough\n",
		   SYSLOG_BASE + LOG_WARNING, (unsigned long long)lines, lines == 1 ? "" : "s");
}

static const struct log_writer_ops syslog_writer_ops = { syslog_write, syslog_lost };

static int syslog_priority(const struct syslog_logger *s, int level)
{
	if (!s->map_level)
		return LOG_INFO;
	return level <= LOG_LEVEL_AUDIT ? LOG_NOTICE : level == LOG_LEVEL_CONTROL ? LOG_INFO : LOG_DEBUG;
}

static void syslog_log(struct logger *l, const struct log_event *ev)
{
	struct syslog_logger *s = container_of(l, struct syslog_logger, logger);
	const char *at = ev->msg, *end = ev->msg + ev->msg_len;
	struct buf out = { 0 };

	for (;;) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));

		buf_printf(&out, "%c%02u[%s", SYSLOG_BASE + syslog_priority(s, ev->level), ev->thread,
			   log_group_name(ev->group));
		if (s->with_level)
			buf_printf(&out, "%d", ev->level);
		buf_add_str(&out, "] ");
		if (s->with_name && ev->sa.name)
			buf_printf(&out, "<%s|%u> ", ev->sa.name, ev->sa.id);
		buf_add(&out, at, (size_t)((nl ? nl : end) - at));
		buf_add_u8(&out, '\n');
		if (!nl)
			break;
		at = nl + 1;
	}
	log_writer_add(s->writer, (const char *)out.p, out.n);
	if (ev->level >= LOG_LEVEL_RAW)
		buf_wipe(&out);
	else
		buf_free(&out);
}

static bool syslog_free(struct logger *l)
{
	struct syslog_logger *s = container_of(l, struct syslog_logger, logger);

	if (!log_writer_free(s->writer, LOGGER_END_MS))
		return false;
	free(s);
	return true;
}

static bool syslog_switch(const struct settings *s, const char *facility, const char *key)
{
	char *path = xasprintf("syslog.%s.%s", facility, key);
	bool value = settings_bool(s, path, false);

	free(path);
	return value;
}

/* openlog keeps the pointer: it is never freed, and made once per name. */
static void syslog_open(const char *identifier)
{
	static char *ident;

	if (ident && strcmp(ident, identifier) == 0)
		return;
	ident = xstrdup(identifier);
	openlog(ident, LOG_PID, LOG_DAEMON);
}

struct logger *syslog_logger_new(const struct settings *s, const char *facility, struct errtext *err)
{
	struct syslog_logger *new;
	char *section;

	if (strcmp(facility, "daemon") != 0 && strcmp(facility, "auth") != 0) {
		errtext_set(err, "there is no facility '%s': daemon and auth are known", facility);
		return NULL;
	}
	new = xcalloc(1, sizeof(*new));
	section = xasprintf("syslog.%s", facility);
	logger_read_levels(s, section, new->logger.levels);
	free(section);
	new->facility = strcmp(facility, "auth") == 0 ? LOG_AUTHPRIV : LOG_DAEMON;
	new->with_name = syslog_switch(s, facility, "ike_name");
	new->with_level = syslog_switch(s, facility, "log_level");
	new->map_level = syslog_switch(s, facility, "map_level");
	new->logger.log = syslog_log;
	new->logger.free = syslog_free;
	syslog_open(settings_str(s, "syslog.identifier", "bewickd"));
	new->writer = log_writer_new(&syslog_writer_ops, new, LOGGER_QUEUE);
	if (new->writer)
		return &new->logger;
	errtext_set(err, "cannot start a thread for it: %s", strerror(errno));
	free(new);
	return NULL;
}

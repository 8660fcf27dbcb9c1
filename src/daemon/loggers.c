/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/loggers.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>

#include "daemon/logger.h"
#include "daemon/values.h"

struct loggers {
	struct log_sink *sink;
	pthread_rwlock_t lock; /* guards `first`; not held while something is opened or waited for */
	struct logger *first;  /* NULL: standard error, at once */
	bool configured;
	int8_t early[LOG_GROUPS]; /* levels until there are settings */
};

static void loggers_log(void *arg, const struct log_event *ev)
{
	struct loggers *l = arg;

	pthread_rwlock_rdlock(&l->lock);
	for (struct logger *at = l->first; at; at = at->next) {
		if (ev->level <= at->levels[ev->group])
			at->log(at, ev);
	}
	if (!l->first && ev->level <= l->early[ev->group])
		log_to_stderr(NULL, ev);
	pthread_rwlock_unlock(&l->lock);
}

void logger_read_levels(const struct settings *s, const char *section, int8_t *ret_levels)
{
	struct buf key = { 0 };
	int8_t fallback;

	buf_printf(&key, "%s.default", section);
	fallback = (int8_t)values_int(s, buf_str(&key), LOG_LEVEL_SILENT, LOG_LEVEL_SECRET, LOG_LEVEL_CONTROL);
	for (unsigned g = 0; g < LOG_GROUPS; g++) {
		buf_reset(&key);
		buf_printf(&key, "%s.", section);
		for (const char *c = log_group_name((enum log_group)g); *c; c++)
			buf_add_u8(&key, (uint8_t)tolower((unsigned char)*c));
		ret_levels[g] = (int8_t)values_int(s, buf_str(&key), LOG_LEVEL_SILENT, LOG_LEVEL_SECRET, fallback);
	}
	buf_free(&key);
}

struct loggers *loggers_new(void)
{
	struct loggers *l = xcalloc(1, sizeof(*l));

	pthread_rwlock_init(&l->lock, NULL);
	memset(l->early, LOG_LEVEL_CONTROL, sizeof(l->early));
	l->early[LOG_GROUP_ENC] = l->early[LOG_GROUP_NET] = LOG_LEVEL_AUDIT;
	l->sink = log_sink_add(l->early, loggers_log, l);
	return l;
}

/* ---- building a set ---- */

struct building {
	const struct settings *settings;
	struct logger *first, **last;
	bool initial;
	unsigned failed;
	struct buf complaints; /* one line each */
};

static void building_add(struct building *b, const char *what, struct logger *logger, const struct errtext *err)
{
	if (logger) {
		*b->last = logger;
		b->last = &logger->next;
		return;
	}
	buf_printf(&b->complaints, "%scannot log to %s: %s", b->failed++ ? "\n" : "", what, err->s);
}

static void building_add_file(void *arg, const char *name)
{
	struct building *b = arg;
	struct errtext err;
	struct logger *logger = file_logger_new(b->settings, name, b->initial, &err);

	building_add(b, name, logger, &err);
}

static void building_add_syslog(void *arg, const char *name)
{
	struct building *b = arg;
	struct errtext err;
	struct logger *logger = syslog_logger_new(b->settings, name, &err);

	building_add(b, "syslog", logger, &err);
}

static void building_add_stderr(struct building *b)
{
	struct errtext err;
	struct logger *logger = stderr_logger_new(&err);

	building_add(b, "standard error", logger, &err);
}

/* The highest level that any of them wants. */
static void loggers_top_levels(const struct loggers *l, const struct logger *first, int8_t *levels)
{
	if (!first)
		memcpy(levels, l->early, LOG_GROUPS);
	else
		memset(levels, LOG_LEVEL_SILENT, LOG_GROUPS);
	for (; first; first = first->next) {
		for (unsigned g = 0; g < LOG_GROUPS; g++) {
			if (first->levels[g] > levels[g])
				levels[g] = first->levels[g];
		}
	}
}

static void loggers_close(struct logger *first)
{
	while (first) {
		struct logger *next = first->next;

		(void)first->free(first);
		first = next;
	}
}

/* Lines of others come all the while: the levels are those of both sets in between. */
static void loggers_swap(struct loggers *l, struct logger *first)
{
	int8_t before[LOG_GROUPS], after[LOG_GROUPS], both[LOG_GROUPS];
	struct logger *old;

	loggers_top_levels(l, l->first, before);
	loggers_top_levels(l, first, after);
	for (unsigned g = 0; g < LOG_GROUPS; g++)
		both[g] = before[g] > after[g] ? before[g] : after[g];
	log_sink_set_levels(l->sink, both);
	pthread_rwlock_wrlock(&l->lock);
	old = l->first;
	l->first = first;
	pthread_rwlock_unlock(&l->lock);
	log_sink_set_levels(l->sink, after);
	loggers_close(old);
}

void loggers_configure(struct loggers *l, const struct settings *settings)
{
	struct building b = { .settings = settings, .initial = !l->configured };

	b.last = &b.first;
	settings_each(settings, "filelog", true, building_add_file, &b);
	settings_each(settings, "syslog", true, building_add_syslog, &b);
	if (!b.first)
		building_add_stderr(&b);
	loggers_swap(l, b.first);
	l->configured = true;
	if (b.failed)
		LOG(DMN, LOG_LEVEL_AUDIT, "%s", buf_str(&b.complaints));
	buf_free(&b.complaints);
}

bool loggers_on_stderr(const struct loggers *l)
{
	for (const struct logger *at = l->first; at; at = at->next) {
		if (at->is_stderr && at->levels[LOG_GROUP_DMN] >= LOG_LEVEL_AUDIT)
			return true;
	}
	return !l->first;
}

void loggers_free(struct loggers *l)
{
	if (!l)
		return;
	log_sink_remove(l->sink);
	loggers_close(l->first);
	pthread_rwlock_destroy(&l->lock);
	free(l);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "util/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "util/list.h"
#include "util/mem.h"
#include "util/secret.h"

/* Longer text goes to the heap, and what is longer than the second is cut. */
#define LOG_STACK_SIZE ((size_t)2048)
#define LOG_TEXT_MAX   ((size_t)65536)

struct log_sink {
	struct list link;
	int8_t levels[LOG_GROUPS];
	log_sink_fn *fn;
	void *arg;
};

static const char *const log_group_names[LOG_GROUPS] = {
	[LOG_GROUP_DMN] = "DMN", [LOG_GROUP_MGR] = "MGR", [LOG_GROUP_IKE] = "IKE",
	[LOG_GROUP_CHD] = "CHD", [LOG_GROUP_JOB] = "JOB", [LOG_GROUP_WCH] = "WCH",
	[LOG_GROUP_CFG] = "CFG", [LOG_GROUP_KNL] = "KNL", [LOG_GROUP_NET] = "NET",
	[LOG_GROUP_ASN] = "ASN", [LOG_GROUP_ENC] = "ENC", [LOG_GROUP_TNC] = "TNC",
	[LOG_GROUP_IMC] = "IMC", [LOG_GROUP_IMV] = "IMV", [LOG_GROUP_PTS] = "PTS",
	[LOG_GROUP_TLS] = "TLS", [LOG_GROUP_APP] = "APP", [LOG_GROUP_ESP] = "ESP",
	[LOG_GROUP_LIB] = "LIB",
};

int8_t log_wanted[LOG_GROUPS] = { [0 ... LOG_GROUPS - 1] = LOG_LEVEL_SILENT };

/* Guards the list of sinks and their members. Read-held while sinks are called,
 * which is what makes log_sink_remove wait for them; a sink must not log. */
static pthread_rwlock_t log_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct list log_sinks = { &log_sinks, &log_sinks };

static _Thread_local unsigned log_thread_number;
static atomic_uint log_thread_last;

/* With the lock held for writing. */
static void log_update_wanted(void)
{
	for (unsigned g = 0; g < LOG_GROUPS; g++) {
		int8_t level = LOG_LEVEL_SILENT;

		LIST_FOREACH(it, &log_sinks) {
			const struct log_sink *sink = list_entry(it, struct log_sink, link);

			if (sink->levels[g] > level)
				level = sink->levels[g];
		}
		__atomic_store_n(&log_wanted[g], level, __ATOMIC_RELAXED);
	}
}

struct log_sink *log_sink_add(const int8_t *levels, log_sink_fn *fn, void *arg)
{
	struct log_sink *sink = xcalloc(1, sizeof(*sink));

	memcpy(sink->levels, levels, sizeof(sink->levels));
	sink->fn = fn;
	sink->arg = arg;
	pthread_rwlock_wrlock(&log_lock);
	list_add_tail(&log_sinks, &sink->link);
	log_update_wanted();
	pthread_rwlock_unlock(&log_lock);
	return sink;
}

void log_sink_set_levels(struct log_sink *sink, const int8_t *levels)
{
	pthread_rwlock_wrlock(&log_lock);
	memcpy(sink->levels, levels, sizeof(sink->levels));
	log_update_wanted();
	pthread_rwlock_unlock(&log_lock);
}

void log_sink_remove(struct log_sink *sink)
{
	if (!sink)
		return;
	pthread_rwlock_wrlock(&log_lock);
	list_del(&sink->link);
	log_update_wanted();
	pthread_rwlock_unlock(&log_lock);
	free(sink);
}

void log_set_thread(unsigned number)
{
	log_thread_number = number;
}

unsigned log_thread(void)
{
	if (log_thread_number == 0)
		log_thread_number = atomic_fetch_add(&log_thread_last, 1) + 1;
	return log_thread_number;
}

const char *log_group_name(enum log_group group)
{
	return (unsigned)group < LOG_GROUPS ? log_group_names[group] : "???";
}

bool log_group_parse(const char *name, enum log_group *ret_group)
{
	for (unsigned g = 0; g < LOG_GROUPS; g++) {
		if (strcasecmp(name, log_group_names[g]) == 0) {
			*ret_group = (enum log_group)g;
			return true;
		}
	}
	return false;
}

/* Text of peers must not move the cursor of a terminal that shows the log. */
static void log_clean(char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)s[i];

		if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
			s[i] = '?';
	}
}

static void log_call_sinks(struct log_event *ev)
{
	while (ev->msg_len && ev->msg[ev->msg_len - 1] == '\n')
		ev->msg_len--;
	clock_gettime(CLOCK_REALTIME, &ev->time);
	pthread_rwlock_rdlock(&log_lock);
	LIST_FOREACH(it, &log_sinks) {
		const struct log_sink *sink = list_entry(it, struct log_sink, link);

		if (ev->level <= sink->levels[ev->group])
			sink->fn(sink->arg, ev);
	}
	pthread_rwlock_unlock(&log_lock);
}

void log_emit(enum log_group group, int level, const struct log_sa *sa, const char *fmt, ...)
{
	struct log_event ev = { .group = group, .level = level, .thread = log_thread() };
	int saved_errno = errno;
	char stack[LOG_STACK_SIZE], *text = stack;
	size_t size = sizeof(stack);
	va_list ap, again;
	int n;

	if ((unsigned)group >= LOG_GROUPS)
		return;
	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(text, size, fmt, ap);
	if (n > 0 && (size_t)n >= size) {
		size = (size_t)n < LOG_TEXT_MAX ? (size_t)n + 1 : LOG_TEXT_MAX;
		text = xmalloc(size);
		errno = saved_errno; /* for %m */
		n = vsnprintf(text, size, fmt, again);
	}
	va_end(again);
	va_end(ap);
	if (n >= 0) {
		if (sa)
			ev.sa = *sa;
		ev.msg = text;
		ev.msg_len = (size_t)n < size ? (size_t)n : size - 1;
		log_clean(text, ev.msg_len);
		log_call_sinks(&ev);
	}
	if (level >= LOG_LEVEL_RAW)
		secret_wipe(text, ev.msg_len);
	if (text != stack)
		free(text);
	errno = saved_errno;
}

size_t log_format_prefix(const struct log_event *ev, bool with_name, char *out, size_t size)
{
	const char *group = log_group_name(ev->group);
	int n;

	if (with_name && ev->sa.name)
		n = snprintf(out, size, "%02u[%s] <%s|%u> ", ev->thread, group, ev->sa.name, ev->sa.id);
	else
		n = snprintf(out, size, "%02u[%s] ", ev->thread, group);
	if (n < 0 || size == 0)
		return 0;
	return (size_t)n < size ? (size_t)n : size - 1;
}

size_t log_format_line(const struct log_event *ev, bool with_name, char *out, size_t size)
{
	const char *line = ev->msg, *end = ev->msg + ev->msg_len;
	size_t used = 0;

	if (size == 0)
		return 0;
	/* two bytes are kept for the last newline and NUL */
	while (used + 2 < size) {
		const char *nl = memchr(line, '\n', (size_t)(end - line));
		size_t n = (size_t)((nl ? nl : end) - line);

		used += log_format_prefix(ev, with_name, out + used, size - used - 1);
		if (n > size - used - 2)
			n = size - used - 2;
		memcpy(out + used, line, n);
		used += n;
		out[used++] = '\n';
		if (!nl)
			break;
		line = nl + 1;
	}
	out[used] = '\0';
	return used;
}

void log_to_stderr(void *arg, const struct log_event *ev)
{
	char line[LOG_STACK_SIZE];
	size_t n = log_format_line(ev, true, line, sizeof(line));
	ssize_t done = write(STDERR_FILENO, line, n);

	/* nobody is left to tell that standard error is gone */
	(void)done;
}

bool log_unexpected(const char *what, const char *file, int line)
{
	LOG(LIB, LOG_LEVEL_AUDIT, "unexpected: not (%s) at %s:%d", what, file, line);
	return false;
}

void invariant_failed(const char *what, const char *file, int line)
{
	LOG(LIB, LOG_LEVEL_AUDIT, "invariant broken: not (%s) at %s:%d, aborting", what, file, line);
	fprintf(stderr, "invariant broken: not (%s) at %s:%d, aborting\n", what, file, line);
	abort();
}

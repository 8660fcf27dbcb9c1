/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_UTIL_LOG_H
#define BEWICK_UTIL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "util/result.h"

/* Subsystems as users of swanctl and strongswan.conf know them, in the order
 * that listings use. LOG_GROUPS is their number. */
enum log_group {
	LOG_GROUP_DMN,
	LOG_GROUP_MGR,
	LOG_GROUP_IKE,
	LOG_GROUP_CHD,
	LOG_GROUP_JOB,
	LOG_GROUP_WCH,
	LOG_GROUP_CFG,
	LOG_GROUP_KNL,
	LOG_GROUP_NET,
	LOG_GROUP_ASN,
	LOG_GROUP_ENC,
	LOG_GROUP_TNC,
	LOG_GROUP_IMC,
	LOG_GROUP_IMV,
	LOG_GROUP_PTS,
	LOG_GROUP_TLS,
	LOG_GROUP_APP,
	LOG_GROUP_ESP,
	LOG_GROUP_LIB,
	LOG_GROUPS
};

/* -1 silent, 0 audit, 1 control flow, 2 details, 3 raw data, 4 secrets */
#define LOG_LEVEL_SILENT (-1)
#define LOG_LEVEL_AUDIT 0
#define LOG_LEVEL_CONTROL 1
#define LOG_LEVEL_DETAIL 2
#define LOG_LEVEL_RAW 3
#define LOG_LEVEL_SECRET 4

/* What a line is about; NULL name: no SA. */
struct log_sa {
	const char *name; /* connection name */
	uint32_t id;      /* unique id of the IKE_SA */
};

struct log_event {
	enum log_group group;
	int level;
	unsigned thread; /* number of the thread, as printed */
	struct log_sa sa;
	struct timespec time; /* CLOCK_REALTIME */
	const char *msg;      /* may hold newlines, but not at the end; no NUL at msg_len */
	size_t msg_len;
};

/* Called by the logging thread, which may be an IKE worker: must not block
 * (copy and hand over), must not log. `ev` and what it points to is borrowed. */
typedef void log_sink_fn(void *arg, const struct log_event *ev);
struct log_sink;

/* levels: LOG_GROUPS entries, copied. Any thread. */
EXPORT struct log_sink *log_sink_add(const int8_t *levels, log_sink_fn *fn, void *arg);
EXPORT void log_sink_set_levels(struct log_sink *sink, const int8_t *levels);
EXPORT void log_sink_remove(struct log_sink *sink); /* no call to it is running or follows when this returns */

/* The highest level any sink wants, per group: nothing is formatted above it. */
extern EXPORT int8_t log_wanted[LOG_GROUPS];

/* Relaxed: a line more or less while levels change does not matter. */
static inline bool log_is_wanted(enum log_group group, int level)
{
	return level <= __atomic_load_n(&log_wanted[group], __ATOMIC_RELAXED);
}

EXPORT void log_set_thread(unsigned number); /* names the calling thread in its lines */
EXPORT unsigned log_thread(void);            /* threads never named get the next free number */
EXPORT const char *log_group_name(enum log_group group); /* "IKE" */
EXPORT MUST_CHECK bool log_group_parse(const char *name, enum log_group *ret_group); /* any case */
EXPORT void log_emit(enum log_group group, int level, const struct log_sa *sa, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* A sink that writes each line to stderr at once; for start-up, tests and tools. */
EXPORT log_sink_fn log_to_stderr;
/* "NN[GRP] <name|id> ", for sinks that put something before it on each line; cut to size. Returns its length. */
EXPORT size_t log_format_prefix(const struct log_event *ev, bool with_name, char *out, size_t size);
/* Each line of the message with the prefix before and a newline after it; cut to size. Returns its length. */
EXPORT size_t log_format_line(const struct log_event *ev, bool with_name, char *out, size_t size);

#define LOG(GRP, LEVEL, ...)                                                                       \
	do {                                                                                       \
		if (log_is_wanted(LOG_GROUP_##GRP, (LEVEL)))                                       \
			log_emit(LOG_GROUP_##GRP, (LEVEL), NULL, __VA_ARGS__);                     \
	} while (0)
/* SA: const struct log_sa * */
#define LOG_SA(SA, GRP, LEVEL, ...)                                                                \
	do {                                                                                       \
		if (log_is_wanted(LOG_GROUP_##GRP, (LEVEL)))                                       \
			log_emit(LOG_GROUP_##GRP, (LEVEL), (SA), __VA_ARGS__);                     \
	} while (0)

/* Something that cannot be, but from which we can go on: logs the place and
 * gives false. Peers must not be able to reach it. */
EXPORT bool log_unexpected(const char *what, const char *file, int line);
#define expect(COND) ((COND) || log_unexpected(#COND, __FILE__, __LINE__))
/* Corrupted memory only: aborts. */
EXPORT void invariant_failed(const char *what, const char *file, int line) __attribute__((noreturn));
#define invariant(COND) ((COND) ? (void)0 : invariant_failed(#COND, __FILE__, __LINE__))

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_DAEMON_LOG_WRITER_H
#define BEWICK_DAEMON_LOG_WRITER_H

#include "util/bytes.h"

/*
 * A thread between those who log and a slow disk, pipe or log daemon: what is added waits in a
 * bounded queue, and what does not fit is counted and reported, never waited for.
 */
struct log_writer;

struct log_writer_ops {
	/*
	 * Writes whole lines; on the writer's thread. Gives what it could not write, in bytes from
	 * the end. May wait only with log_writer_wait.
	 */
	size_t (*write)(void *arg, const struct log_writer *w, const char *lines, size_t n);
	/* Adds a line that says how many were lost. */
	void (*lost)(void *arg, uint64_t lines, struct buf *out);
};

/* limit: bytes that may wait. NULL: no thread, errno. */
struct log_writer *log_writer_new(const struct log_writer_ops *ops, void *arg, size_t limit);
/* One or more whole lines, taken or dropped together. Any thread; never blocks for long. */
void log_writer_add(struct log_writer *w, const char *lines, size_t n);
/* In `write`: until fd takes data. False: the end has come, and time is over. */
MUST_CHECK bool log_writer_wait(const struct log_writer *w, int fd);
/*
 * Writes what waits, for at most limit_ms, and frees. False: `write` hangs in the system; then
 * nothing is freed, and its arg must stay.
 */
bool log_writer_free(struct log_writer *w, unsigned limit_ms);

#endif

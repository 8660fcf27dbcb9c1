/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_LOOP_PROGRAM_H
#define BEWICK_LOOP_PROGRAM_H

#include "util/bytes.h"

/*
 * Another program is run and waited for: on a thread that may block. It leads a process group of its own; when it
 * takes too long, or is not wanted any more, the whole group is killed.
 */
struct program_run {
	const char *path;
	const char *const *argv; /* NULL-terminated */
	char *const *env;        /* NULL-terminated; NULL: ours */
	struct bytes input;      /* its standard input; at most PROGRAM_INPUT bytes */
	uint64_t deadline_ms;    /* CLOCK_MONOTONIC */
	int cancel_fd;           /* readable: killed; -1 none */
	/* Gets each line of its output and errors, without the newline; lines beyond PROGRAM_LINE bytes in pieces. */
	void (*line)(void *arg, const char *line, size_t n);
	void *arg;
};

#define PROGRAM_INPUT 4096 /* what a pipe takes at once */
#define PROGRAM_LINE 1024

enum program_end {
	PROGRAM_EXITED,   /* value: its status */
	PROGRAM_SIGNALED, /* value: the signal */
	PROGRAM_LATE,     /* killed at the deadline, or because of cancel_fd */
	PROGRAM_FAILED,   /* could not be run; value: errno */
};

struct program_result {
	enum program_end end;
	int value;
};

/* It has ended when its output is closed, by all that it started, and it has exited itself. */
EXPORT struct program_result program_run(const struct program_run *c);
/* " failed with status 3", for log lines that begin with who it was; "" after status 0. */
EXPORT struct text program_result_format(struct program_result r);

#endif

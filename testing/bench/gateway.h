/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_BENCH_GATEWAY_H
#define BEWICK_TESTING_BENCH_GATEWAY_H

#include <stdbool.h>
#include <sys/types.h>

#include "util/bytes.h"

/*
 * The bewickd that is measured: kernel-null, settings as shipped but for ports, pid file and socket, in a folder of its own.
 * What goes wrong ends the program with a line on stderr.
 */
struct gateway {
	char dir[64];
	pid_t daemon;
	unsigned port;
	const char *build, *mkpki;
};

void gateway_write(const struct gateway *g, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Runs lines of sh in which "m" is scripts/mkpki, making keys of the type `key`, and "$d" the folder. */
void gateway_pki(const struct gateway *g, const char *key, const char *script);
/* Starts it and loads swanctl.conf and the folders of credentials that are there. more: further settings. */
void gateway_start(struct gateway *g, const char *conf, const char *more);
void gateway_stop(struct gateway *g);
/* CPU time of all its threads, and its memory. */
double gateway_cpu(const struct gateway *g);
double gateway_rss_kib(const struct gateway *g);
double now_wall(void);

#endif

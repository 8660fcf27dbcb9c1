/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_CONN_COUNTERS_H
#define BEWICK_CONFIG_CONN_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/result.h"

/*
 * What is counted of the IKE_SAs of one connection, for get-counters. Connections that replace each other under a name share
 * them. Workers count at the same time: each has a place of its own as far as there are enough, so that they do not get into
 * each other's way. IKE_SAs pay nothing for it, a connection that is never used a few pointers.
 */
#define CONN_COUNTERS 22 /* the first ones of enum sa_counter (sa/host.h) */
#define CONN_COUNTER_SHARDS 16

struct conn_counter_shard {
	atomic_uint_least64_t counts[CONN_COUNTERS];
};

struct conn_counters {
	atomic_uint refs;
	uint64_t base[CONN_COUNTERS]; /* what there was when it was reset; control's thread */
	_Atomic(struct conn_counter_shard *) shards[CONN_COUNTER_SHARDS];
};

struct conn_counters *conn_counters_new(void);
struct conn_counters *conn_counters_ref(struct conn_counters *c);
void conn_counters_unref(struct conn_counters *c);
/* Any thread; `shard` is a number of the calling one. */
EXPORT void conn_counters_add(struct conn_counters *c, unsigned shard, unsigned which);
/* The sums since the last reset; false: nothing was ever counted. */
EXPORT bool conn_counters_get(const struct conn_counters *c, uint64_t ret_counts[CONN_COUNTERS]);
EXPORT void conn_counters_reset(struct conn_counters *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "config/conn_counters.h"

#include <stdlib.h>
#include <string.h>

#include "util/mem.h"

struct conn_counters *conn_counters_new(void)
{
	struct conn_counters *c = xcalloc(1, sizeof(*c));

	atomic_init(&c->refs, 1);
	return c;
}

struct conn_counters *conn_counters_ref(struct conn_counters *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void conn_counters_unref(struct conn_counters *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned i = 0; i < CONN_COUNTER_SHARDS; i++)
		free(atomic_load(&c->shards[i]));
	free(c);
}

/* Two threads may make it at the same time: the first to put it in wins. */
static struct conn_counter_shard *counters_shard(struct conn_counters *c, unsigned i)
{
	struct conn_counter_shard *shard = atomic_load_explicit(&c->shards[i], memory_order_acquire), *own;

	if (shard)
		return shard;
	own = xcalloc(1, sizeof(*own));
	if (atomic_compare_exchange_strong(&c->shards[i], &shard, own))
		return own;
	free(own);
	return shard;
}

void conn_counters_add(struct conn_counters *c, unsigned shard, unsigned which)
{
	if (which < CONN_COUNTERS)
		atomic_fetch_add_explicit(&counters_shard(c, shard % CONN_COUNTER_SHARDS)->counts[which], 1,
					  memory_order_relaxed);
}

static bool counters_sum(const struct conn_counters *c, uint64_t sums[CONN_COUNTERS])
{
	bool any = false;

	memset(sums, 0, CONN_COUNTERS * sizeof(sums[0]));
	for (unsigned i = 0; i < CONN_COUNTER_SHARDS; i++) {
		struct conn_counter_shard *shard =
			atomic_load_explicit(&((struct conn_counters *)c)->shards[i], memory_order_acquire);

		any |= shard != NULL;
		for (unsigned k = 0; shard && k < CONN_COUNTERS; k++)
			sums[k] += atomic_load_explicit(&shard->counts[k], memory_order_relaxed);
	}
	return any;
}

bool conn_counters_get(const struct conn_counters *c, uint64_t ret_counts[CONN_COUNTERS])
{
	bool any = counters_sum(c, ret_counts);

	for (unsigned k = 0; k < CONN_COUNTERS; k++)
		ret_counts[k] -= c->base[k];
	return any;
}

void conn_counters_reset(struct conn_counters *c)
{
	counters_sum(c, c->base);
}

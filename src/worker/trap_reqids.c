/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "worker/internal.h"

/*
 * Which reqid the trap of a child has. Backends tell by it that an SA is what a trap waited for, so all SAs of the child have
 * the same, on whatever worker. A few entries at most times, asked once per CHILD_SA.
 */
struct trap_reqid {
	struct hashnode node;
	uint32_t reqid;
	char *conn, *child;
};

struct trap_reqids {
	pthread_mutex_t lock; /* guards the table */
	struct hashtab table;
	atomic_bool used; /* false: there was never a trap, nobody needs to look */
};

/* Names are the administrator's: a fixed key does. */
static const struct hash_key reqid_key = { 5, 6 };

struct trap_reqids *trap_reqids_new(void)
{
	struct trap_reqids *t = xcalloc(1, sizeof(*t));

	pthread_mutex_init(&t->lock, NULL);
	return t;
}

static void reqid_free(struct hashnode *n, void *arg)
{
	struct trap_reqid *r = container_of(n, struct trap_reqid, node);
	struct trap_reqids *t = arg;

	hashtab_remove(&t->table, n);
	free(r->conn);
	free(r->child);
	free(r);
}

void trap_reqids_free(struct trap_reqids *t)
{
	if (!t)
		return;
	hashtab_walk(&t->table, reqid_free, t);
	hashtab_clear(&t->table);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static uint64_t reqid_hash(const char *conn, const char *child)
{
	return hash_bytes(&reqid_key, bytes_str(conn)) * 31 + hash_bytes(&reqid_key, bytes_str(child));
}

/* With the lock. */
static struct trap_reqid *reqid_find(struct trap_reqids *t, const char *conn, const char *child)
{
	for (struct hashnode *n = hashtab_first(&t->table, reqid_hash(conn, child)); n; n = hashtab_next(n)) {
		struct trap_reqid *r = container_of(n, struct trap_reqid, node);

		if (strcmp(r->conn, conn) == 0 && strcmp(r->child, child) == 0)
			return r;
	}
	return NULL;
}

uint32_t trap_reqids_find(struct trap_reqids *t, const char *conn, const char *child)
{
	struct trap_reqid *r;
	uint32_t reqid;

	if (!atomic_load_explicit(&t->used, memory_order_relaxed))
		return 0;
	pthread_mutex_lock(&t->lock);
	r = reqid_find(t, conn, child);
	reqid = r ? r->reqid : 0;
	pthread_mutex_unlock(&t->lock);
	return reqid;
}

uint32_t trap_reqids_get(struct trap_reqids *t, const char *conn, const char *child, uint32_t fresh)
{
	struct trap_reqid *r;
	uint32_t reqid;

	pthread_mutex_lock(&t->lock);
	r = reqid_find(t, conn, child);
	if (!r) {
		r = xcalloc(1, sizeof(*r));
		r->reqid = fresh;
		r->conn = xstrdup(conn);
		r->child = xstrdup(child);
		hashtab_insert(&t->table, &r->node, reqid_hash(conn, child));
	}
	reqid = r->reqid;
	pthread_mutex_unlock(&t->lock);
	atomic_store(&t->used, true);
	return reqid;
}

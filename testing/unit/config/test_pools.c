/* SPDX-License-Identifier: Apache-2.0 */
#include "test_config.h"

#include <pthread.h>
#include <stdio.h>

#include "config/pools.h"
#include "config/store.h"

/* Pools: what their definitions mean, and who gets which address. */

static struct pool *pool_of(const char *text, struct errtext *err)
{
	struct tree *t = tree_of(text);
	struct pool *p;

	TREE_FOREACH(it, t->first)
		if (strcmp(it->name, "addrs") != 0 && it->kind == TREE_VALUE && it->name[0] != '=') {
			struct buf value = it->value;

			it->value = (struct buf){ 0 };
			it->kind = TREE_LIST;
			tree_add_item(it, buf_bytes(&value));
			buf_free(&value);
		}
	p = pool_parse(t->first, err);
	tree_free(t);
	return p;
}

static struct pool *pool_with(const char *addrs)
{
	struct errtext err = { "" };
	char text[128];
	struct pool *p;

	snprintf(text, sizeof(text), "p { addrs = %s }", addrs);
	p = pool_of(text, &err);
	ck_assert_msg(p != NULL, "%s", err.s);
	return p;
}

/* As recorded of the daemon that users know. */
START_TEST(sizes)
{
	static const struct {
		const char *addrs, *base, *first;
		uint32_t size;
	} rows[] = {
		{ "10.0.0.0/24", "10.0.0.0", "10.0.0.1", 254 },
		{ "10.0.0.5/24", "10.0.0.5", "10.0.0.5", 250 },
		{ "10.0.0.254/24", "10.0.0.254", "10.0.0.254", 1 },
		{ "10.0.0.0/30", "10.0.0.0", "10.0.0.1", 2 },
		{ "10.0.0.0/31", "10.0.0.0", "10.0.0.0", 2 },
		{ "10.0.0.1/31", "10.0.0.1", "10.0.0.1", 1 },
		{ "10.0.0.9/32", "10.0.0.9", "10.0.0.9", 1 },
		{ "10.0.0.9", "10.0.0.9", "10.0.0.9", 1 },
		{ "10.0.0.250-10.0.1.5", "10.0.0.250", "10.0.0.250", 12 },
		{ "10.0.0.1-10.0.0.1", "10.0.0.1", "10.0.0.1", 1 },
		{ "0.0.0.0/0", "0.0.0.0", "0.0.0.1", 2147483646 },
		{ "2001:db8::/64", "2001:db8::", "2001:db8::1", 2147483646 },
		{ "2001:db8::5/64", "2001:db8::5", "2001:db8::5", 2147483642 },
		{ "2001:db8::/126", "2001:db8::", "2001:db8::1", 2 },
		{ "2001:db8::/127", "2001:db8::", "2001:db8::", 2 },
		{ "2001:db8::1-2001:db8::ff", "2001:db8::1", "2001:db8::1", 255 },
		{ "2001:db8::-2001:db9::", "2001:db8::", "2001:db8::", 2147483646 },
		{ "2001:db8::ffff-2001:db8::1:0001", "2001:db8::ffff", "2001:db8::ffff", 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pool *p = pool_with(rows[i].addrs);

		ck_assert_msg(p->range.size == rows[i].size, "%s: %u", rows[i].addrs, p->range.size);
		ck_assert_str_eq(addr_format(&p->base).s, rows[i].base);
		ck_assert_str_eq(addr_format(&p->range.first).s, rows[i].first);
		pool_unref(p);
	}
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *text, *err;
	} rows[] = {
		{ "p1 { dns = 1.2.3.4 }", "missing addrs for pool 'p1'" },
		{ "p { addrs = 10.1.2.0/24\n frob = 1 }", "invalid attribute: frob" },
		{ "p { addrs = 300.1.1.1/3 }", "invalid addrs value: 300.1.1.1/3" },
		{ "p { addrs = 10.4.0.0/30\n dns = xyz }", "invalid attribute value for dns" },
		{ "p { addrs = 10.4.0.0/33 }", "invalid addrs value: 10.4.0.0/33" },
		{ "p { addrs = 10.4.0.0/ }", "invalid addrs value: 10.4.0.0/" },
		{ "p { addrs = 10.4.0.0/1x }", "invalid addrs value: 10.4.0.0/1x" },
		{ "p { addrs = 10.4.0.255/24 }", "invalid addrs value: 10.4.0.255/24" },
		{ "p { addrs = 10.4.0.9-10.4.0.1 }", "invalid addrs value: 10.4.0.9-10.4.0.1" },
		{ "p { addrs = 10.4.0.9-::1 }", "invalid addrs value: 10.4.0.9-::1" },
		{ "p { addrs = - }", "invalid addrs value: -" },
		{ "p { addrs = fe80::1%1-fe80::2%1 }", "invalid addrs value: fe80::1%1-fe80::2%1" },
		{ "p { addrs = \"\" }", "invalid addrs value: " },
		{ "p { addrs = 10.4.0.0/30\n address = 10.0.0.1 }", "invalid attribute: address" },
		{ "p { addrs = 10.4.0.0/30\n 1 = 10.0.0.1 }", "invalid attribute: 1" },
		{ "p { addrs = 10.4.0.0/30\n 08 = ::1 }", "invalid attribute: 08" },
		{ "p { addrs = 10.4.0.0/30\n subnet = x }", "invalid attribute value for subnet" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct errtext err = { "" };

		ck_assert_ptr_null(pool_of(rows[i].text, &err));
		ck_assert_str_eq(err.s, rows[i].err);
	}
}
END_TEST

START_TEST(attributes)
{
	struct errtext err;
	struct pool *p = pool_of("p { addrs = 10.4.0.0/30\n dns = 10.0.0.1\n subnet = 10.0.0.0/8\n 28672 = hello }", &err);

	ck_assert_uint_eq(p->n_attributes, 3);
	ck_assert_uint_eq(p->attributes[0].type, CP_ATTR_INTERNAL_IP4_DNS);
	ck_assert_uint_eq(p->attributes[1].n, 8);
	ck_assert_mem_eq(p->attributes[2].data, "hello", 5);
	pool_unref(p);
}
END_TEST

/* ---- leases ---- */

struct client {
	struct id id;
	struct lease lease;
	struct addr addr;
	enum lease_result result;
};

static void take(struct client *c, struct pool *p, const char *who, const char *wanted, bool share)
{
	struct lease_wish w = { .pair = 7, .share = share };

	*c = (struct client){ 0 };
	ck_assert(id_parse(bytes_str(who), &c->id));
	ck_assert(addr_parse(bytes_str(wanted), &w.wanted));
	w.id = &c->id;
	c->result = leases_take(p->leases, &w, &c->lease, &c->addr);
}

static void leave(struct client *c)
{
	lease_release(&c->lease);
	ck_assert_ptr_null(c->lease.of);
	id_free(&c->id);
}

static void ck_given(const struct client *c, enum lease_result result, const char *addr)
{
	ck_assert_int_eq(c->result, result);
	ck_assert_str_eq(addr_format(&c->addr).s, addr);
}

static void ck_count(struct pool *p, size_t online, size_t offline)
{
	size_t on, off;

	leases_count(p->leases, &on, &off);
	ck_assert_uint_eq(on, online);
	ck_assert_uint_eq(off, offline);
}

/* The own one first, then unused ones, then the one that was left longest ago. */
START_TEST(order)
{
	struct pool *p = pool_with("10.0.0.0/30");
	struct client a, b, c, again;

	take(&a, p, "a", "0.0.0.0", false);
	ck_given(&a, LEASE_NEW, "10.0.0.1");
	leave(&a);
	take(&b, p, "b", "0.0.0.0", false);
	ck_given(&b, LEASE_NEW, "10.0.0.2");
	take(&again, p, "A", "0.0.0.0", false); /* identities are equal whatever their case */
	ck_given(&again, LEASE_AGAIN, "10.0.0.1");
	ck_count(p, 2, 0);
	take(&c, p, "c", "0.0.0.0", false);
	ck_assert_int_eq(c.result, LEASE_FULL);
	leave(&c);
	leave(&b);
	leave(&again);
	ck_count(p, 0, 2);
	take(&c, p, "c", "0.0.0.0", false);
	ck_given(&c, LEASE_TAKEN, "10.0.0.2");
	take(&b, p, "b", "0.0.0.0", false);
	ck_given(&b, LEASE_TAKEN, "10.0.0.1");
	leave(&c);
	leave(&b);
	take(&a, p, "a", "::", false);
	ck_assert_int_eq(a.result, LEASE_FAMILY);
	leave(&a);
	pool_unref(p);
}
END_TEST

/* A named address is given if it is free; who asks for another one than it had gets what it had. */
START_TEST(named)
{
	struct pool *p = pool_with("10.0.0.0/29");
	struct client a, b, c;

	take(&a, p, "a", "10.0.0.2", false);
	ck_given(&a, LEASE_NEW, "10.0.0.2");
	take(&b, p, "b", "10.0.0.2", false);
	ck_given(&b, LEASE_NEW, "10.0.0.1");
	take(&c, p, "c", "10.0.0.99", false);
	ck_given(&c, LEASE_NEW, "10.0.0.3"); /* what is in use is passed over */
	leave(&a);
	leave(&c);
	take(&c, p, "c", "10.0.0.4", false);
	ck_given(&c, LEASE_AGAIN, "10.0.0.3");
	leave(&b);
	leave(&c);
	pool_unref(p);
}
END_TEST

/* While it has one: another one, unless it names it or the older ones are about to end; never of another pair. */
START_TEST(shared)
{
	struct pool *p = pool_with("10.0.0.0/29");
	struct lease_wish w = { .pair = 8, .share = true };
	struct client a, more, same, ended;
	struct lease lease, held[1];
	struct addr addr;

	take(&a, p, "a", "0.0.0.0", false);
	take(&more, p, "a", "0.0.0.0", false);
	ck_given(&more, LEASE_NEW, "10.0.0.2");
	take(&same, p, "a", "10.0.0.1", false);
	ck_given(&same, LEASE_SHARED, "10.0.0.1");
	ck_count(p, 2, 0);
	leave(&a);
	ck_count(p, 2, 0);
	leave(&more);
	leave(&same);
	ck_count(p, 0, 2);
	take(&a, p, "a", "10.0.0.1", false);
	take(&ended, p, "a", "0.0.0.0", true);
	ck_given(&ended, LEASE_SHARED, "10.0.0.1");
	/* not with itself */
	held[0] = ended.lease;
	w.id = &a.id;
	w.pair = 7;
	w.held = held;
	w.n_held = 1;
	ck_assert(addr_parse(bytes_str("0.0.0.0"), &w.wanted));
	ck_assert_int_eq(leases_take(p->leases, &w, &lease, &addr), LEASE_AGAIN);
	ck_assert_str_eq(addr_format(&addr).s, "10.0.0.2");
	lease_release(&lease);
	w.pair = 8;
	w.n_held = 0;
	ck_assert_int_eq(leases_take(p->leases, &w, &lease, &addr), LEASE_AGAIN);
	ck_assert_str_eq(addr_format(&addr).s, "10.0.0.2");
	lease_release(&lease);
	leave(&a);
	leave(&ended);
	pool_unref(p);
}
END_TEST

/* 60,000 clients, each of which comes back: every address once, none lost. */
START_TEST(many)
{
	enum { N = 60000 };
	struct pool *p = pool_with("10.0.0.0/16");
	struct client *list = xcalloc(N, sizeof(*list));
	uint8_t *seen = xcalloc(1, 65536);
	struct lease_info info[100];
	size_t n, got = 0;
	char who[32];

	for (unsigned i = 0; i < N; i++) {
		snprintf(who, sizeof(who), "client-%u.test", i);
		take(&list[i], p, who, "0.0.0.0", false);
		ck_assert_int_eq(list[i].result, LEASE_NEW);
		n = (size_t)list[i].addr.ip[2] << 8 | list[i].addr.ip[3];
		ck_assert(!seen[n]);
		seen[n] = 1;
	}
	ck_count(p, N, 0);
	for (unsigned i = 0; i < N; i++) {
		struct addr before = list[i].addr;

		leave(&list[i]);
		snprintf(who, sizeof(who), "client-%u.test", i);
		take(&list[i], p, who, "0.0.0.0", false);
		ck_assert_int_eq(list[i].result, LEASE_AGAIN);
		ck_assert(addr_equal(&before, &list[i].addr));
	}
	do {
		n = leases_list(p->leases, got, info, ARRAY_LEN(info));
		for (size_t i = 0; i < n; i++) {
			ck_assert(info[i].online);
			id_free(&info[i].id);
		}
		got += n;
	} while (n == ARRAY_LEN(info));
	ck_assert_uint_eq(got, N);
	for (unsigned i = 0; i < N; i++)
		leave(&list[i]);
	ck_count(p, 0, N);
	free(list);
	free(seen);
	pool_unref(p);
}
END_TEST

/* Of a large pool only so many clients that have gone are remembered. */
START_TEST(forgotten)
{
	struct pool *p = pool_with("2001:db8::/64");
	struct client c;
	char who[32];

	for (unsigned i = 0; i < LIMIT_LEASES_OFFLINE + 10; i++) {
		snprintf(who, sizeof(who), "client-%u.test", i);
		take(&c, p, who, "::", false);
		ck_assert_int_eq(c.result, i < LIMIT_LEASES_OFFLINE ? LEASE_NEW : LEASE_TAKEN);
		leave(&c);
	}
	ck_count(p, 0, LIMIT_LEASES_OFFLINE);
	pool_unref(p);
}
END_TEST

#define THREADS 4
#define TURNS 20000

struct runner {
	struct pool *pool;
	unsigned number;
	atomic_uint *users; /* of each address */
	bool bad;
};

static void *runner_run(void *arg)
{
	struct runner *r = arg;
	struct client held[8] = { 0 };
	uint64_t random = r->number + 1;

	for (unsigned i = 0; i < TURNS; i++) {
		struct client *c = &held[i % ARRAY_LEN(held)];
		char who[32];

		if (c->lease.of) {
			atomic_fetch_sub(&r->users[c->addr.ip[3]], 1);
			lease_release(&c->lease);
		}
		id_free(&c->id);
		random = random * 6364136223846793005 + 1442695040888963407;
		snprintf(who, sizeof(who), "client-%u-%u.test", r->number, (unsigned)(random >> 33) % 40);
		take(c, r->pool, who, "0.0.0.0", false);
		if (c->lease.of)
			r->bad |= atomic_fetch_add(&r->users[c->addr.ip[3]], 1) != 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(held); i++) {
		if (held[i].lease.of)
			atomic_fetch_sub(&r->users[held[i].addr.ip[3]], 1);
		lease_release(&held[i].lease);
		id_free(&held[i].id);
	}
	return NULL;
}

/* Threads take and leave, of a pool that is exhausted now and then: no address has two users. */
START_TEST(threads)
{
	struct pool *p = pool_with("10.0.0.1-10.0.0.28");
	static atomic_uint users[256];
	struct runner runners[THREADS];
	pthread_t ids[THREADS];
	size_t online, offline;

	for (unsigned i = 0; i < THREADS; i++) {
		runners[i] = (struct runner){ p, i, users, false };
		ck_assert_int_eq(pthread_create(&ids[i], NULL, runner_run, &runners[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(ids[i], NULL);
		ck_assert(!runners[i].bad);
	}
	leases_count(p->leases, &online, &offline);
	ck_assert_uint_eq(online, 0);
	ck_assert_uint_eq(offline, 28);
	pool_unref(p);
}
END_TEST

/* ---- the store ---- */

/* Leases are kept by a definition with the same addresses; others only take the place of what nobody uses. */
START_TEST(reloaded)
{
	struct config_store *store = config_store_new();
	struct pools_set *set = config_store_pools(store);
	struct errtext err = { "" };
	struct config *first, *second;
	struct pool *p = pool_of("p { addrs = 10.0.0.0/24 }", &err);
	struct client a;

	ck_assert(pools_set_put(set, p, &err));
	first = config_store_snapshot(store);
	second = config_store_snapshot(store);
	ck_assert_ptr_eq(first, second);
	config_unref(second);
	take(&a, p, "a", "0.0.0.0", false);
	ck_assert(!pools_set_put(set, pool_of("p { addrs = 10.0.1.0/24 }", &err), &err));
	ck_assert_str_eq(err.s, "vici pool p has online leases, unable to replace");
	ck_assert(!pools_set_remove(set, "p", &err));
	ck_assert_str_eq(err.s, "p has online leases, unable to unload");
	ck_assert(!pools_set_remove(set, "q", &err));
	ck_assert_str_eq(err.s, "q not found");
	ck_assert(pools_set_put(set, pool_of("p { addrs = 10.0.0.0/24\n dns = 10.0.0.1 }", &err), &err));
	ck_assert(pools_set_put(set, pool_of("a { addrs = 10.0.9.0/24 }", &err), &err));
	second = config_store_snapshot(store);
	ck_assert_uint_eq(second->pools->n, 2);
	ck_assert_str_eq(second->pools->list[0]->name, "p");
	ck_assert_uint_eq(pools_find(second->pools, "p")->n_attributes, 1);
	ck_assert_ptr_eq(pools_find(second->pools, "p")->leases, p->leases);
	ck_assert_ptr_nonnull(pools_find(second->pools, "a"));
	ck_assert_ptr_null(pools_find(second->pools, "b"));
	ck_assert_ptr_null(pools_find(first->pools, "a"));
	leave(&a);
	/* who still has the old snapshot gets nothing of what is unloaded */
	ck_assert(pools_set_remove(set, "p", &err));
	take(&a, (struct pool *)(uintptr_t)pools_find(second->pools, "p"), "a", "0.0.0.0", false);
	ck_assert_int_eq(a.result, LEASE_CLOSED);
	leave(&a);
	config_unref(first);
	config_unref(second);
	config_store_free(store);
}
END_TEST

/* A lease outlives its pool. */
START_TEST(outlives)
{
	struct pool *p = pool_with("10.0.0.0/24");
	struct client a;

	take(&a, p, "a", "0.0.0.0", false);
	pool_unref(p);
	leave(&a);
}
END_TEST

Suite *suite_pools(void)
{
	Suite *s = suite_create("config/pools");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, sizes);
	tcase_add_test(t, refused);
	tcase_add_test(t, attributes);
	tcase_add_test(t, order);
	tcase_add_test(t, named);
	tcase_add_test(t, shared);
	tcase_add_test(t, many);
	tcase_add_test(t, forgotten);
	tcase_add_test(t, threads);
	tcase_add_test(t, reloaded);
	tcase_add_test(t, outlives);
	suite_add_tcase(s, t);
	return s;
}

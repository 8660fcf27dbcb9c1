/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "test_kernel.h"

#include "policy.h"
#include "util/mem.h"

/* The model: one list in the order of installation rules, looked through from end to end. */
struct entry {
	struct ts local, remote;
	uint32_t priority;
	bool trap;
	int child;
};

#define CHILDREN 60

struct model_child {
	struct ts local[2], remote[2];
	struct policy *policies;
	size_t n;
	uint32_t priority;
	bool in;
};

static struct entry model[4 * CHILDREN];
static size_t n_model;

static unsigned cover_len(const struct ts *ts)
{
	unsigned bits = ts->family == AF_INET ? 32 : 128, len = 0;

	while (len < bits && !((ts->from[len / 8] ^ ts->to[len / 8]) >> (7 - len % 8) & 1))
		len++;
	return len;
}

/* All ranges of the test differ in the last four bytes at most, or are /0. */
static double range_size(const struct ts *ts)
{
	double size = 0;
	size_t n = ts->family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < n; i++)
		size = size * 256 + ts->to[i] - ts->from[i];
	return size;
}

static int compare_double(double a, double b)
{
	return a < b ? -1 : a > b;
}

static int model_compare(const struct entry *a, const struct entry *b)
{
	double keys_a[] = { a->priority, -(double)(cover_len(&a->local) + cover_len(&a->remote)),
			    -(double)cover_len(&a->remote), range_size(&a->remote), range_size(&a->local),
			    !(a->local.protocol || a->remote.protocol),
			    (a->local.port_to - a->local.port_from) + (a->remote.port_to - a->remote.port_from) };
	double keys_b[] = { b->priority, -(double)(cover_len(&b->local) + cover_len(&b->remote)),
			    -(double)cover_len(&b->remote), range_size(&b->remote), range_size(&b->local),
			    !(b->local.protocol || b->remote.protocol),
			    (b->local.port_to - b->local.port_from) + (b->remote.port_to - b->remote.port_from) };

	for (size_t i = 0; i < ARRAY_LEN(keys_a); i++)
		if (compare_double(keys_a[i], keys_b[i]))
			return compare_double(keys_a[i], keys_b[i]);
	return 0;
}

static void model_insert(const struct entry *e, enum policy_place place)
{
	int first = -1, same = -1, end = (int)n_model, at;

	for (int i = 0; i < (int)n_model; i++) {
		if (model_compare(&model[i], e) != 0)
			continue;
		end = i + 1;
		first = first < 0 ? i : first;
		if (same < 0 && !model[i].trap && ts_equal(&model[i].local, &e->local) &&
		    ts_equal(&model[i].remote, &e->remote))
			same = i + 1;
	}
	at = place == POLICY_TRAP || first < 0 ? end : place == POLICY_WAITS && same >= 0 ? same : first;
	memmove(model + at + 1, model + at, (n_model - (size_t)at) * sizeof(*model));
	model[at] = *e;
	n_model++;
}

static void model_add(const struct model_child *c, int number, enum policy_place place)
{
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 2; j++) {
			struct entry e = { c->local[i], c->remote[j], c->priority ? c->priority : 200000,
					   place == POLICY_TRAP, number };

			if (e.local.family == e.remote.family &&
			    (!e.local.protocol || !e.remote.protocol || e.local.protocol == e.remote.protocol))
				model_insert(&e, place);
		}
}

static void model_remove(int child)
{
	size_t n = 0;

	for (size_t i = 0; i < n_model; i++)
		if (model[i].child != child)
			model[n++] = model[i];
	n_model = n;
}

static int model_find(const struct flow *f)
{
	const struct entry *best = NULL;

	for (size_t i = 0; i < n_model; i++)
		if (flow_matches(f, true, &model[i].local, &model[i].remote) &&
		    (!best || model_compare(&model[i], best) < 0))
			best = &model[i];
	return best ? best->child : -1;
}

/* Few different ones, so that they meet. Aligned ranges start where others do. */
static struct ts random_ts(struct test_random *r)
{
	static const char *const texts[] = {
		"10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "10.1.1.1/32", "10.1.1.2/32", "0.0.0.0/0",
		"10.1.1.0-10.1.1.5", "10.1.1.0-10.1.1.6", "10.1.1.1-10.1.1.6", "10.1.0.0-10.1.1.9", "fd00::/8", "fd01::/64",
		"fd01::1/128", "fd01::-fd01::5", "::/0",
	};
	static const uint16_t ports[][2] = { { 0, 65535 }, { 80, 80 }, { 80, 81 }, { 1, 100 }, { 53, 53 } };
	struct ts ts = test_ts(texts[test_random(r, ARRAY_LEN(texts))]);
	uint32_t port = test_random(r, ARRAY_LEN(ports));

	if (test_random(r, 2) == 0)
		return ts;
	ts.protocol = test_random(r, 2) ? 6 : 17;
	ts.port_from = ports[port][0];
	ts.port_to = ports[port][1];
	return ts;
}

static struct flow random_flow(struct test_random *r)
{
	static const char *const v4[] = { "10.1.1.1", "10.1.1.2", "10.1.1.6", "10.1.0.5", "10.9.9.9", "192.0.2.1" };
	static const char *const v6[] = { "fd01::1", "fd01::5", "fd01::7", "fd09::1", "2001:db8::1" };
	bool six = test_random(r, 3) == 0;
	struct flow f = { .family = six ? AF_INET6 : AF_INET, .protocol = test_random(r, 2) ? 6 : 17,
			  .has_ports = test_random(r, 5) > 0 };
	struct addr src = test_addr(six ? v6[test_random(r, 5)] : v4[test_random(r, 6)], 0);
	struct addr dst = test_addr(six ? v6[test_random(r, 5)] : v4[test_random(r, 6)], 0);

	memcpy(f.src, src.ip, 16);
	memcpy(f.dst, dst.ip, 16);
	if (f.has_ports) {
		f.src_port = (uint16_t)(79 + test_random(r, 3));
		f.dst_port = test_random(r, 2) ? 53 : 80;
	}
	return f;
}

static void child_toggle(struct policy_table *t, struct model_child *c, int number, struct test_random *r)
{
	enum policy_place place = (enum policy_place)test_random(r, 3);

	if (c->in) {
		policies_remove(t, c->policies, c->n);
		free(c->policies);
		model_remove(number);
		c->in = false;
		return;
	}
	for (int i = 0; i < 2; i++) {
		c->local[i] = random_ts(r);
		c->remote[i] = random_ts(r);
	}
	c->priority = test_random(r, 6) ? 0 : 199999 + test_random(r, 3);
	c->policies = policies_new((struct ts_list){ 2, c->local }, (struct ts_list){ 2, c->remote }, c->priority, c,
				   &c->n);
	ck_assert_uint_eq(c->n, policy_count((struct ts_list){ 2, c->local }, (struct ts_list){ 2, c->remote }));
	policies_add(t, c->policies, c->n, place);
	model_add(c, number, place);
	c->in = true;
}

START_TEST(test_against_model)
{
	struct policy_table *t = policy_table_new(&(struct hash_key){ 1, 2 });
	static struct model_child children[CHILDREN];
	struct test_random r = { (uint64_t)_i + 1 };
	unsigned hits = 0;

	n_model = 0;
	memset(children, 0, sizeof(children));
	for (int step = 0; step < 600; step++) {
		uint32_t number = test_random(&r, CHILDREN);

		child_toggle(t, &children[number], (int)number, &r);
		ck_assert_uint_eq(policy_table_count(t), n_model);
		for (int i = 0; i < 20; i++) {
			struct flow f = random_flow(&r);
			const struct model_child *found = policy_find(t, &f);
			int want = model_find(&f);

			ck_assert_int_eq(found ? (int)(found - children) : -1, want);
			hits += want >= 0;
		}
	}
	ck_assert_uint_gt(hits, 1000);
	for (int i = 0; i < CHILDREN; i++)
		if (children[i].in)
			child_toggle(t, &children[i], i, &r);
	ck_assert_uint_eq(policy_table_count(t), 0);
	policy_table_free(t);
}
END_TEST

struct plain {
	struct ts local, remote;
	struct policy *p;
	size_t n;
};

static void plain_add(struct policy_table *t, struct plain *c, const char *local, const char *remote,
		      enum policy_place place)
{
	c->local = test_ts(local);
	c->remote = test_ts(remote);
	c->p = policies_new((struct ts_list){ 1, &c->local }, (struct ts_list){ 1, &c->remote }, 0, c, &c->n);
	policies_add(t, c->p, c->n, place);
}

static void plain_remove(struct policy_table *t, struct plain *c)
{
	policies_remove(t, c->p, c->n);
	free(c->p);
}

START_TEST(test_rekey_order)
{
	struct policy_table *t = policy_table_new(&(struct hash_key){ 1, 2 });
	struct plain trap, a, b, a2, b2;
	struct flow f = { .family = AF_INET, .src = { 10, 1, 0, 1 }, .dst = { 10, 2, 0, 1 } };

	plain_add(t, &trap, "10.1.0.0/16", "10.2.0.0/16", POLICY_TRAP);
	ck_assert_ptr_eq(policy_find(t, &f), &trap);
	plain_add(t, &a, "10.1.0.0/16", "10.2.0.0/16", POLICY_WAITS);
	ck_assert_ptr_eq(policy_find(t, &f), &a); /* waits for children only */
	plain_add(t, &b, "10.1.0.0/16", "10.2.0.0/16", POLICY_NEWEST);
	ck_assert_ptr_eq(policy_find(t, &f), &b);
	plain_add(t, &b2, "10.1.0.0/16", "10.2.0.0/16", POLICY_WAITS);
	ck_assert_ptr_eq(policy_find(t, &f), &b); /* the responder of a rekey goes on with the old one */
	plain_remove(t, &b);
	ck_assert_ptr_eq(policy_find(t, &f), &b2);
	plain_add(t, &a2, "10.1.0.0/16", "10.2.0.0/16", POLICY_NEWEST);
	plain_remove(t, &b2);
	plain_remove(t, &a2);
	ck_assert_ptr_eq(policy_find(t, &f), &a); /* the older one again */
	plain_remove(t, &a);
	ck_assert_ptr_eq(policy_find(t, &f), &trap);
	plain_remove(t, &trap);
	ck_assert_ptr_null(policy_find(t, &f));
	policy_table_free(t);
}
END_TEST

/* A shunt comes before children and traps of the same selectors, whatever came first, but not before narrower ones. */
START_TEST(test_shunt_order)
{
	struct policy_table *t = policy_table_new(&(struct hash_key){ 1, 2 });
	struct plain trap, old, shunt, new, waits, narrow;
	struct flow f = { .family = AF_INET, .src = { 10, 1, 0, 1 }, .dst = { 10, 2, 0, 1 } };

	plain_add(t, &trap, "10.1.0.0/16", "10.2.0.0/16", POLICY_TRAP);
	plain_add(t, &old, "10.1.0.0/16", "10.2.0.0/16", POLICY_NEWEST);
	plain_add(t, &shunt, "10.1.0.0/16", "10.2.0.0/16", POLICY_SHUNT);
	ck_assert_ptr_eq(policy_find(t, &f), &shunt);
	plain_add(t, &new, "10.1.0.0/16", "10.2.0.0/16", POLICY_NEWEST);
	plain_add(t, &waits, "10.1.0.0/16", "10.2.0.0/16", POLICY_WAITS);
	ck_assert_ptr_eq(policy_find(t, &f), &shunt);
	plain_add(t, &narrow, "10.1.0.0/16", "10.2.0.0/24", POLICY_NEWEST);
	ck_assert_ptr_eq(policy_find(t, &f), &narrow);
	plain_remove(t, &narrow);
	plain_remove(t, &shunt);
	ck_assert_ptr_eq(policy_find(t, &f), &new);
	plain_remove(t, &new);
	ck_assert_ptr_eq(policy_find(t, &f), &waits);
	plain_remove(t, &waits);
	plain_remove(t, &old);
	ck_assert_ptr_eq(policy_find(t, &f), &trap);
	plain_remove(t, &trap);
	policy_table_free(t);
}
END_TEST

START_TEST(test_many)
{
	enum { MANY = 60000 };
	struct policy_table *t = policy_table_new(&(struct hash_key){ 3, 4 });
	struct plain *list = xcalloc(MANY, sizeof(*list));
	struct flow f = { .family = AF_INET, .src = { 10, 0, 0, 1 } };

	for (unsigned i = 0; i < MANY; i++) {
		struct addr host = { .family = AF_INET, .ip = { 172, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };

		list[i].local = test_ts("10.0.0.0/8");
		list[i].remote = ts_from_addr(&host);
		list[i].p = policies_new((struct ts_list){ 1, &list[i].local }, (struct ts_list){ 1, &list[i].remote }, 0,
					 &list[i], &list[i].n);
		policies_add(t, list[i].p, list[i].n, POLICY_NEWEST);
	}
	for (unsigned i = 0; i < MANY; i++) {
		memcpy(f.dst, list[i].remote.from, 4);
		ck_assert_ptr_eq(policy_find(t, &f), &list[i]);
	}
	for (unsigned i = 0; i < MANY; i++)
		plain_remove(t, &list[i]);
	ck_assert_ptr_null(policy_find(t, &f));
	free(list);
	policy_table_free(t);
}
END_TEST

TCase *tcase_policy(void)
{
	TCase *tc = tcase_create("policy");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_against_model, 0, 10);
	tcase_add_test(tc, test_rekey_order);
	tcase_add_test(tc, test_shunt_order);
	tcase_add_test(tc, test_many);
	return tc;
}

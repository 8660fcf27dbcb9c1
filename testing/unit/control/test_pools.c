/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "testing/unit/control/control_test.h"

/* load-pool, unload-pool, get-pools. */

static struct lab lab;
static struct peer p;

static void setup(void)
{
	lab_open(&lab);
	peer_open(&p, &lab);
}

static void teardown(void)
{
	peer_close(&p);
	lab_close(&lab);
}

/* A list of one item besides, if there is one. */
static void load(const char *name, const char *addrs, const char *list, const char *item)
{
	struct vici_writer w = { 0 };

	vici_write_section(&w, name);
	if (addrs)
		vici_write_str(&w, "addrs", addrs);
	if (list) {
		vici_write_list(&w, list);
		vici_write_item_str(&w, item);
		vici_write_list_end(&w);
	}
	vici_write_section_end(&w);
	peer_call(&p, "load-pool", &w, NULL);
	vici_writer_clear(&w);
}

/* As the workers do it. */
static struct lease lease_of(const char *pool, const char *who)
{
	struct lease_wish w = { .wanted = { .family = AF_INET } };
	const struct pool *found;
	struct lease lease = { 0 };
	struct addr addr;
	struct id id;

	ck_assert(id_parse(bytes_str(who), &id));
	w.id = &id;
	pthread_mutex_lock(&lab.workers.lock);
	found = pools_find(lab.workers.config->pools, pool);
	ck_assert_ptr_nonnull(found);
	ck_assert_int_le(leases_take(found->leases, &w, &lease, &addr), LEASE_TAKEN);
	pthread_mutex_unlock(&lab.workers.lock);
	id_free(&id);
	return lease;
}

/* All elements as text: "a { b=c d [ e ] }". */
static void ck_message(const char *expected)
{
	struct vici_parser parser = vici_parser_of(p.got.message);
	struct vici_element e;
	struct buf out = { 0 };

	while (result_is_ok(vici_parse_next(&parser, &e)) && e.kind != VICI_END) {
		buf_add_str(&out, out.n ? " " : "");
		buf_add_bytes(&out, e.name);
		buf_add_str(&out, e.kind == VICI_SECTION_START ? " {" : e.kind == VICI_SECTION_END ? "}" :
				  e.kind == VICI_KEY_VALUE ? "=" : "");
		buf_add_bytes(&out, e.value);
	}
	ck_assert_str_eq(buf_str(&out), expected);
	buf_free(&out);
}

/* The keys in the order in which clients have always seen them. */
START_TEST(listed)
{
	struct lease a, b;

	peer_ask(&p, "get-pools", NULL);
	ck_message("");
	load("rwpool", "10.3.0.0/24", "dns", "10.1.0.53");
	peer_succeeded(&p);
	load("v6pool", "2001:db8:3::1-2001:db8:3::ff", "subnet", "2001:db8:1::/64");
	peer_succeeded(&p);
	peer_ask(&p, "get-pools", NULL);
	ck_message("rwpool { base=10.3.0.0 size=254 online=0 offline=0 } v6pool { base=2001:db8:3::1 size=255 online=0 offline=0 }");
	a = lease_of("rwpool", "cl@bewick.test");
	b = lease_of("rwpool", "alice");
	lease_release(&b);
	peer_ask(&p, "get-pools", "leases", "yes", NULL);
	ck_message("rwpool { base=10.3.0.0 size=254 online=1 offline=1 leases {"
		   " 0 { address=10.3.0.1 identity=cl@bewick.test status=online }"
		   " 1 { address=10.3.0.2 identity=alice status=offline } } }"
		   " v6pool { base=2001:db8:3::1 size=255 online=0 offline=0 leases { } }");
	peer_ask(&p, "get-pools", "name", "v6pool", NULL);
	ck_message("v6pool { base=2001:db8:3::1 size=255 online=0 offline=0 }");
	peer_ask(&p, "get-pools", "name", "none", NULL);
	ck_message("");
	lease_release(&a);
}
END_TEST

START_TEST(refused)
{
	struct lease a;

	load("p1", NULL, "dns", "1.2.3.4");
	peer_failed(&p, "missing addrs for pool 'p1'");
	load("p2", "10.1.2.0/24", "frob", "1");
	peer_failed(&p, "invalid attribute: frob");
	load("p3", "300.1.1.1/3", NULL, NULL);
	peer_failed(&p, "invalid addrs value: 300.1.1.1/3");
	load("p4", "10.4.0.0/30", "dns", "xyz");
	peer_failed(&p, "invalid attribute value for dns");
	load("p5\n", "10.4.0.0/30", NULL, NULL);
	peer_failed(&p, "invalid section: ?");
	peer_ask(&p, "unload-pool", NULL);
	peer_failed(&p, "missing pool name to unload");
	peer_ask(&p, "unload-pool", "name", "p1", NULL);
	peer_failed(&p, "p1 not found");
	load("p", "10.4.0.0/30", NULL, NULL);
	peer_succeeded(&p);
	a = lease_of("p", "a");
	load("p", "10.5.0.0/30", NULL, NULL);
	peer_failed(&p, "vici pool p has online leases, unable to replace");
	peer_ask(&p, "unload-pool", "name", "p", NULL);
	peer_failed(&p, "p has online leases, unable to unload");
	lease_release(&a);
	peer_ask(&p, "unload-pool", "name", "p", NULL);
	peer_succeeded(&p);
	peer_ask(&p, "get-pools", NULL);
	ck_message("");
}
END_TEST

/* One message cannot hold all: the rest is asked for. */
START_TEST(many_leases)
{
	enum { N = 9000 };
	struct lease *leases = xcalloc(N, sizeof(*leases));
	unsigned got = 0, turns = 0;
	char from[16] = "0", *next;
	struct bytes pool, list;

	load("p", "10.0.0.0/16", NULL, NULL);
	for (unsigned i = 0; i < N; i++) {
		char who[32];

		snprintf(who, sizeof(who), "client-%u.bewick.test", i);
		leases[i] = lease_of("p", who);
	}
	do {
		struct vici_parser parser;
		struct vici_entry e;

		peer_ask(&p, "get-pools", "leases", "yes", "from", from, NULL);
		ck_assert(vici_find(p.got.message, VICI_SECTION_START, "p", &pool));
		ck_assert(vici_find(pool, VICI_SECTION_START, "leases", &list));
		parser = vici_parser_of(list);
		while (vici_next_entry(&parser, &e)) {
			char name[16];

			snprintf(name, sizeof(name), "%u", got++);
			ck_assert(bytes_equal_str(e.name, name));
		}
		next = vici_find_str(pool, "leases-next");
		if (next)
			snprintf(from, sizeof(from), "%s", next);
		free(next);
		turns++;
	} while (next && turns < 10);
	ck_assert_uint_eq(got, N);
	ck_assert_uint_gt(turns, 1);
	for (unsigned i = 0; i < N; i++)
		lease_release(&leases[i]);
	free(leases);
}
END_TEST

TCase *control_pool_tests(void)
{
	TCase *t = tcase_create("pools");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, listed);
	tcase_add_test(t, refused);
	tcase_add_test(t, many_leases);
	return t;
}

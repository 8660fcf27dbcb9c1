/* SPDX-License-Identifier: Apache-2.0 */
#include "test_config.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "config/store.h"

#define PSK "local { auth = psk }\nremote { auth = psk }\n"

static struct config_store *store;

static void store_make(void)
{
	store = config_store_new();
}

static void store_free(void)
{
	config_store_free(store);
}

/* A connection with these keys; what it replaced is dropped. */
static void put(const char *name, const char *keys)
{
	char text[512];

	snprintf(text, sizeof(text), "%s { " PSK "%s\n}", name, keys);
	conn_unref(config_store_put_conn(store, conn_of(text)));
}

static void ck_names(const struct config *c, const char *expected)
{
	struct buf names = { 0 };

	for (size_t i = 0; i < c->n_conns; i++)
		buf_printf(&names, "%s ", config_conns(c)[i]->name);
	ck_assert_str_eq(buf_str(&names), expected);
	buf_free(&names);
}

START_TEST(test_order)
{
	struct config *first, *second, *third;
	struct conn *old;

	first = config_store_snapshot(store);
	ck_names(first, "");
	ck_assert_ptr_null(config_conn(first, "a"));
	put("a", "");
	put("b", "");
	put("c", "");
	second = config_store_snapshot(store);
	ck_names(first, "");
	ck_names(second, "a b c ");
	ck_assert_uint_eq(config_conns(second)[0]->serial, 1);
	/* a name keeps its place */
	old = config_store_put_conn(store, conn_of("b { " PSK " version = 2 }"));
	ck_assert_ptr_eq(old, config_conns(second)[1]);
	ck_assert_int_eq(old->version, 0);
	conn_unref(old);
	third = config_store_snapshot(store);
	ck_names(third, "a b c ");
	ck_assert_int_eq(config_conn(third, "b")->version, 2);
	ck_assert_int_eq(config_conn(second, "b")->version, 0);
	ck_assert_uint_eq(config_conns(third)[1]->serial, config_conns(second)[1]->serial);
	/* the same state is the same object */
	config_unref(second);
	second = config_store_snapshot(store);
	ck_assert_ptr_eq(second, third);
	/* removed and loaded again it is the last */
	old = config_store_remove_conn(store, "a");
	ck_assert_str_eq(old->name, "a");
	conn_unref(old);
	ck_assert_ptr_null(config_store_remove_conn(store, "a"));
	put("a", "");
	config_unref(second);
	second = config_store_snapshot(store);
	ck_names(third, "a b c ");
	ck_names(second, "b c a ");
	ck_assert_ptr_eq(config_conn(second, "a"), config_conns(second)[2]);
	ck_assert_ptr_ne(config_conn(third, "a"), config_conns(second)[2]);
	config_unref(first);
	config_unref(second);
	config_unref(third);
	config_unref(NULL);
}
END_TEST

/* A snapshot outlives the store and what was removed from it. */
START_TEST(test_outlives)
{
	struct config_store *own = config_store_new();
	struct id owner = { 0 };
	struct config *c;

	conn_unref(config_store_put_conn(own, conn_of("a { " PSK " }")));
	config_store_put_secret(own, "s", SHARED_IKE, NULL, 0, bytes_str("secret"));
	c = config_store_snapshot(own);
	conn_unref(config_store_remove_conn(own, "a"));
	config_store_clear_secrets(own);
	config_store_free(own);
	ck_assert_str_eq(config_conn(c, "a")->name, "a");
	ck_assert(bytes_equal_str(secret_bytes(&config_find_psk(c, &owner, &owner)->data), "secret"));
	config_unref(c);
	config_store_free(NULL);
}
END_TEST

/* CPU time of `rounds` changes, with a snapshot after each, while the one before is still in use. */
static double change_cost(size_t n, unsigned rounds)
{
	struct config *last = config_store_snapshot(store);
	struct timespec from, to;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (unsigned i = 0; i < rounds; i++) {
		struct config *now;
		struct conn *conn;
		char name[16];

		snprintf(name, sizeof(name), "c%zu", (size_t)i * 7919 % n);
		conn = conn_ref(config_store_conn(store, name));
		conn_unref(config_store_put_conn(store, conn));
		now = config_store_snapshot(store);
		config_unref(last);
		last = now;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	config_unref(last);
	return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

/* A snapshot does not copy all connections: twenty times as many cost nearly the same. */
START_TEST(test_snapshots_share)
{
	double few, many;
	char name[16];

	for (size_t i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "c%zu", i);
		put(name, "");
		if (i == 999)
			few = change_cost(1000, 2000);
	}
	many = change_cost(20000, 2000);
	ck_assert_msg(many < 6 * few, "%f s beside %f s", many, few);
}
END_TEST

START_TEST(test_remove_many)
{
	char name[16];
	struct config *c;

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		put(name, "");
	}
	for (int i = 0; i < 100; i += 3) {
		snprintf(name, sizeof(name), "c%d", i * 37 % 100 / 3 * 3);
		conn_unref(config_store_remove_conn(store, name));
	}
	c = config_store_snapshot(store);
	for (size_t i = 1; i < c->n_conns; i++)
		ck_assert_uint_lt(config_conns(c)[i - 1]->serial, config_conns(c)[i]->serial);
	for (size_t i = 0; i < c->n_conns; i++)
		ck_assert_ptr_eq(config_conn(c, config_conns(c)[i]->name), config_conns(c)[i]);
	ck_assert_uint_lt(c->n_conns, 90);
	config_unref(c);
}
END_TEST

/* ---- matching addresses */

static struct addr addr_of(const char *text)
{
	struct addr a;

	ck_assert(addr_parse(bytes_str(text), &a));
	return a;
}

/* The names in order of rank. */
static void ck_match(const char *local, const char *remote, const char *expected)
{
	struct config *c = config_store_snapshot(store);
	struct addr l = addr_of(local), r = addr_of(remote);
	struct buf names = { 0 };
	const struct conn *conn;

	for (size_t rank = 0; (conn = config_match_addrs(c, &l, &r, rank)); rank++)
		buf_printf(&names, "%s ", conn->name);
	ck_assert_str_eq(buf_str(&names), expected);
	buf_free(&names);
	config_unref(c);
}

START_TEST(test_match)
{
	ck_match("10.0.0.1", "10.0.0.2", "");
	put("any", "");
	put("net", "remote_addrs = 192.0.2.0/24");
	put("exact", "remote_addrs = 192.0.2.7");
	put("range", "remote_addrs = 192.0.2.5-192.0.2.9");
	put("name", "remote_addrs = gw.example.org");
	put("both", "local_addrs = 10.0.0.1\nremote_addrs = 192.0.2.7");
	put("mine", "local_addrs = 10.0.0.1");
	put("mynet", "local_addrs = 10.0.0.0/8");
	put("other", "local_addrs = 10.0.0.2");
	put("several", "remote_addrs = 192.0.2.0/24, 192.0.0.0/16, 192.0.2.6, %any");
	put("v6", "remote_addrs = 2001:db8::/32");
	put("any2", "");
	/* sums of 6, 4, 3 and 2; within a sum the order of loading */
	ck_match("10.0.0.1", "192.0.2.7", "both exact mine net range mynet several any name any2 ");
	ck_match("10.0.0.1", "192.0.2.6", "mine several net range mynet any name any2 ");
	ck_match("10.0.0.1", "192.0.2.10", "mine net mynet several any name any2 ");
	ck_match("10.0.0.1", "192.0.9.1", "mine mynet several any name any2 ");
	ck_match("10.0.0.2", "198.51.100.1", "other mynet any name several any2 ");
	ck_match("172.16.0.1", "198.51.100.1", "any name several any2 ");
	ck_match("2001:db8::1", "2001:db8::2", "v6 any name several any2 ");
	ck_match("2001:db8::1", "2001:db9::2", "any name several any2 ");
	/* a replaced one changes class and keeps its place among equals */
	put("name", "remote_addrs = 192.0.2.7");
	put("any", "remote_addrs = 192.0.2.7");
	ck_match("172.16.0.1", "192.0.2.7", "any exact name net range several any2 ");
}
END_TEST

START_TEST(test_match_prefix_lengths)
{
	struct addr local = addr_of("10.0.0.1"), in, out;
	char keys[64];

	for (unsigned len = 0; len <= 128; len++) {
		struct config *c;

		snprintf(keys, sizeof(keys), "remote_addrs = ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/%u", len);
		put("c", keys);
		c = config_store_snapshot(store);
		in = addr_of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
		out = in;
		if (len < 128) /* the first bit behind the prefix does not count */
			in.ip[len / 8] ^= (uint8_t)(0x80 >> len % 8);
		ck_assert_msg(config_match_addrs(c, &local, &in, 0), "%u", len);
		if (len > 0) { /* the last of it does */
			out.ip[(len - 1) / 8] ^= (uint8_t)(0x80 >> (len - 1) % 8);
			ck_assert_msg(!config_match_addrs(c, &local, &out, 0), "%u", len);
		}
		config_unref(c);
	}
}
END_TEST

static uint32_t lcg(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* The index against the plain definition, over random connections and packets. */
START_TEST(test_match_model)
{
	static const char *const locals[] = { "%any", "10.0.0.1", "10.0.0.0/8", "10.0.0.1, 10.0.0.2", "10.0.0.2-10.0.0.9" };
	static const char *const remotes[] = {
		"%any", "192.0.2.1", "192.0.2.2", "192.0.2.0/24", "192.0.2.0/30", "192.0.2.1, 192.0.2.0/24",
		"gw.example.org", "192.0.2.1-192.0.2.2", "192.0.2.3, %any",
	};
	uint32_t seed = 1;
	struct config *c;

	for (int i = 0; i < 60; i++) {
		char name[16], keys[128];

		snprintf(name, sizeof(name), "c%d", i);
		snprintf(keys, sizeof(keys), "local_addrs = %s\nremote_addrs = %s",
			 locals[lcg(&seed) % ARRAY_LEN(locals)], remotes[lcg(&seed) % ARRAY_LEN(remotes)]);
		put(name, keys);
	}
	c = config_store_snapshot(store);
	for (int l = 0; l < 11; l++) {
		for (int r = 0; r < 6; r++) {
			char text[32];
			struct addr local, remote;
			size_t rank = 0;

			snprintf(text, sizeof(text), "10.0.0.%d", l);
			local = addr_of(text);
			snprintf(text, sizeof(text), "192.0.2.%d", r);
			remote = addr_of(text);
			for (int score = 6; score > 0; score--) {
				for (size_t i = 0; i < c->n_conns; i++) {
					const struct conn *k = config_conns(c)[i];
					int ml = endpoints_match(k->local_addrs, k->n_local, &local);
					int mr = endpoints_match(k->remote_addrs, k->n_remote, &remote);

					if (ml && mr && ml + mr == score)
						ck_assert_ptr_eq(config_match_addrs(c, &local, &remote, rank++), k);
				}
			}
			ck_assert_ptr_null(config_match_addrs(c, &local, &remote, rank));
			ck_assert_uint_gt(rank, 5);
		}
	}
	config_unref(c);
}
END_TEST

/* A walk over all connections per look-up would take a minute here. */
START_TEST(test_match_many)
{
	struct addr local = addr_of("10.0.0.1"), remote;
	char name[16], keys[128];
	struct config *c;

	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		if (i % 4 == 0)
			keys[0] = '\0'; /* road warriors */
		else if (i % 4 == 1)
			snprintf(keys, sizeof(keys), "remote_addrs = peer%d.example.org", i);
		else
			snprintf(keys, sizeof(keys), "local_addrs = 10.0.0.1\nremote_addrs = 172.16.%d.%d%s", i / 250,
				 i % 250, i % 4 == 2 ? "" : "/31");
		put(name, keys);
	}
	c = config_store_snapshot(store);
	for (int i = 0; i < 200000; i++) {
		int n = i % 2500 * 4 + 2;

		remote = addr_from_ip(AF_INET, (uint8_t[]){ 172, 16, (uint8_t)(n / 250), (uint8_t)(n % 250) });
		snprintf(name, sizeof(name), "c%d", n);
		ck_assert_str_eq(config_match_addrs(c, &local, &remote, 0)->name, name);
		ck_assert_ptr_eq(config_conn(c, name), config_conns(c)[n]);
	}
	/* any rank at once, too */
	remote = addr_of("198.51.100.1");
	for (size_t rank = 0; rank < 5000; rank++)
		ck_assert_ptr_eq(config_match_addrs(c, &local, &remote, rank), config_conns(c)[rank / 2 * 4 + rank % 2]);
	ck_assert_ptr_null(config_match_addrs(c, &local, &remote, 5000));
	config_unref(c);
}
END_TEST

/* ---- secrets */

static struct id id_of(const char *text)
{
	struct id id;

	ck_assert(id_parse(bytes_str(text), &id));
	return id;
}

/* owners: separated by blanks; the data is the id. */
static void put_secret(const char *unique_id, const char *owners)
{
	char *copy = xstrdup(owners), *save;
	struct id ids[8];
	size_t n = 0;

	for (char *o = strtok_r(copy, " ", &save); o; o = strtok_r(NULL, " ", &save))
		ids[n++] = id_of(o);
	config_store_put_secret(store, unique_id, SHARED_IKE, ids, n, bytes_str(unique_id));
	while (n)
		id_free(&ids[--n]);
	free(copy);
}

static void ck_psk(const char *local, const char *remote, const char *expected)
{
	struct config *c = config_store_snapshot(store);
	struct id l = id_of(local), r = id_of(remote);
	const struct shared_secret *s = config_find_psk(c, &l, &r);

	ck_assert_msg(!s == !expected, "%s %s: %s", local, remote, s ? s->unique_id : "none");
	if (s)
		ck_assert_msg(strcmp(s->unique_id, expected) == 0, "%s %s: '%s' instead of '%s'", local, remote,
			      s->unique_id, expected);
	id_free(&l);
	id_free(&r);
	config_unref(c);
}

START_TEST(test_psk)
{
	ck_psk("moon", "sun", NULL);
	put_secret("moon-sun", "moon sun");
	put_secret("moon-carol", "moon carol");
	ck_psk("moon", "sun", "moon-sun");
	ck_psk("sun", "moon", "moon-sun");
	ck_psk("MOON", "Carol", "moon-carol");
	ck_psk("venus", "mars", NULL);
	/* one owner, the latest */
	ck_psk("moon", "dave", "moon-carol");
	put_secret("dave", "dave");
	ck_psk("moon", "dave", "dave");
	ck_psk("moon", "sun", "moon-sun");
	/* no owners: everyone, but last */
	put_secret("all", "");
	ck_psk("moon", "sun", "moon-sun");
	ck_psk("venus", "mars", "all");
	ck_psk("moon", "dave", "dave");
	put_secret("all2", "%any");
	ck_psk("venus", "mars", "all2");
	put_secret("all", "");
	ck_psk("venus", "mars", "all");
	/* patterns: less than exact, more than any */
	put_secret("org", "moon *.example.org");
	ck_psk("moon", "x.example.org", "org");
	ck_psk("moon", "sun", "moon-sun");
	put_secret("x", "moon x.example.org");
	put_secret("org2", "moon *.example.org");
	ck_psk("moon", "x.example.org", "x");
	ck_psk("moon", "y.example.org", "org2");
	/* two patterns beat one exact owner */
	put_secret("two", "*.moon.test *.sun.test");
	put_secret("one", "a.moon.test");
	ck_psk("a.moon.test", "b.sun.test", "two");
	ck_psk("a.moon.test", "b.mars.test", "one");
	/* types matter */
	put_secret("addr", "10.0.0.1 10.0.0.2");
	ck_psk("10.0.0.1", "10.0.0.2", "addr");
	put_secret("net", "10.0.0.1 10.1.0.0/16");
	ck_psk("10.0.0.1", "10.1.2.3", "net");
	put_secret("mail", "moon carol@example.org");
	ck_psk("moon", "carol@example.org", "mail");
	/* the same pair again: the latest */
	put_secret("moon-sun-2", "sun moon");
	ck_psk("moon", "sun", "moon-sun-2");
	ck_assert(config_store_remove_secret(store, "moon-sun-2"));
	ck_psk("moon", "sun", "moon-sun");
	ck_assert(!config_store_remove_secret(store, "moon-sun-2"));
	config_store_clear_secrets(store);
	ck_psk("moon", "sun", NULL);
}
END_TEST

START_TEST(test_psk_types)
{
	struct id moon = id_of("moon"), sun = id_of("sun"), both[] = { moon, sun };
	struct config *c;

	config_store_put_secret(store, "eap", SHARED_EAP, both, 2, bytes_str("x"));
	config_store_put_secret(store, "ppk", SHARED_PPK, NULL, 0, bytes_str("x"));
	c = config_store_snapshot(store);
	ck_assert_uint_eq(c->n_secrets, 2);
	ck_assert_ptr_null(config_find_psk(c, &moon, &sun));
	config_unref(c);
	id_free(&moon);
	id_free(&sun);
}
END_TEST

START_TEST(test_secrets_replace)
{
	struct id moon = id_of("moon");
	struct config *before, *after;

	config_store_put_secret(store, "a", SHARED_IKE, &moon, 1, bytes_str("one"));
	config_store_put_secret(store, "b", SHARED_IKE, &moon, 1, bytes_str("two"));
	before = config_store_snapshot(store);
	config_store_put_secret(store, "a", SHARED_IKE, &moon, 1, bytes_str("three"));
	after = config_store_snapshot(store);
	ck_assert_uint_eq(before->n_secrets, 2);
	ck_assert_uint_eq(after->n_secrets, 2);
	ck_assert(bytes_equal_str(secret_bytes(&config_secrets(before)[0]->data), "one"));
	ck_assert_str_eq(config_secrets(after)[0]->unique_id, "b");
	ck_assert_str_eq(config_secrets(after)[1]->unique_id, "a");
	ck_assert(bytes_equal_str(secret_bytes(&config_secrets(after)[1]->data), "three"));
	ck_assert(bytes_equal_str(secret_bytes(&config_find_psk(before, &moon, &moon)->data), "two"));
	ck_assert(bytes_equal_str(secret_bytes(&config_find_psk(after, &moon, &moon)->data), "three"));
	config_unref(before);
	config_unref(after);
	/* without id: the same thing once, others beside it */
	config_store_clear_secrets(store);
	config_store_put_secret(store, NULL, SHARED_IKE, &moon, 1, bytes_str("one"));
	config_store_put_secret(store, NULL, SHARED_IKE, &moon, 1, bytes_str("one"));
	config_store_put_secret(store, NULL, SHARED_IKE, &moon, 1, bytes_str("two"));
	config_store_put_secret(store, NULL, SHARED_IKE, NULL, 0, bytes_str("one"));
	config_store_put_secret(store, NULL, SHARED_EAP, &moon, 1, bytes_str("one"));
	after = config_store_snapshot(store);
	ck_assert_uint_eq(after->n_secrets, 4);
	config_unref(after);
	id_free(&moon);
}
END_TEST

/* The gateway's identity is in all of them: walking its row per look-up would take minutes. */
START_TEST(test_psk_many)
{
	char unique_id[32], owners[64];
	struct id moon = id_of("moon");
	struct config *c;

	for (int i = 0; i < 10000; i++) {
		snprintf(unique_id, sizeof(unique_id), "s%d", i);
		snprintf(owners, sizeof(owners), "moon peer%d.example.org", i);
		put_secret(unique_id, owners);
	}
	c = config_store_snapshot(store);
	for (int i = 0; i < 100000; i++) {
		struct id peer;

		snprintf(owners, sizeof(owners), "peer%d.example.org", i % 10001);
		snprintf(unique_id, sizeof(unique_id), "s%d", i % 10001 == 10000 ? 9999 : i % 10001);
		peer = id_of(owners);
		ck_assert_str_eq(config_find_psk(c, &moon, &peer)->unique_id, unique_id);
		ck_assert_str_eq(config_find_psk(c, &peer, &moon)->unique_id, unique_id);
		id_free(&peer);
	}
	config_unref(c);
	id_free(&moon);
}
END_TEST

/* ---- threads */

static void *look_up(void *arg)
{
	const struct config *c = arg;
	struct addr a = addr_of("10.0.0.1");
	struct id moon = id_of("moon");
	bool good = true;

	for (int i = 0; i < 100; i++) {
		const struct conn *conn = config_match_addrs(c, &a, &a, 0);

		good = good && conn == config_conn(c, "c0") && config_find_psk(c, &moon, &moon);
	}
	id_free(&moon);
	config_unref(c);
	return good ? arg : NULL;
}

/* All at once make the index of one snapshot. */
START_TEST(test_threads)
{
	pthread_t threads[8];
	struct config *c;
	char name[16];

	put_secret("s", "moon");
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		put(name, "");
	}
	for (int round = 0; round < 20; round++) {
		put("c3", round % 2 ? "version = 2" : "");
		c = config_store_snapshot(store);
		for (size_t i = 0; i < ARRAY_LEN(threads); i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL, look_up, config_ref(c)), 0);
		config_unref(c);
		for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
			void *good;

			ck_assert_int_eq(pthread_join(threads[i], &good), 0);
			ck_assert_ptr_nonnull(good);
		}
	}
}
END_TEST

Suite *suite_store(void)
{
	Suite *s = suite_create("store");
	TCase *t = tcase_create("store");

	tcase_add_checked_fixture(t, store_make, store_free);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, test_order);
	tcase_add_test(t, test_outlives);
	tcase_add_test(t, test_snapshots_share);
	tcase_add_test(t, test_remove_many);
	tcase_add_test(t, test_match);
	tcase_add_test(t, test_match_prefix_lengths);
	tcase_add_test(t, test_match_model);
	tcase_add_test(t, test_match_many);
	tcase_add_test(t, test_psk);
	tcase_add_test(t, test_psk_types);
	tcase_add_test(t, test_secrets_replace);
	tcase_add_test(t, test_psk_many);
	tcase_add_test(t, test_threads);
	suite_add_tcase(s, t);
	return s;
}

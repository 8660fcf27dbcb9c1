/* SPDX-License-Identifier: Apache-2.0 */
#include "test_config.h"

#include <stdio.h>

#include "config/store.h"

/* Look-ups among many connections with the same addresses. */

static struct config_store *store;

static void store_make(void)
{
	store = config_store_new();
}

static void store_free(void)
{
	config_store_free(store);
	id_set_dn_matching(ID_DN_STRICT);
}

static void put(unsigned number, const char *addrs, const char *proposals, const char *peer)
{
	char text[512];

	snprintf(text, sizeof(text), "c%u { %s\nproposals = %s\nlocal { auth = psk }\nremote { auth = psk\nid = \"%s\" }\n}", number, addrs,
		 proposals, peer);
	conn_unref(config_store_put_conn(store, conn_of(text)));
}

static struct id id_of(const char *text)
{
	struct id id;

	ck_assert(id_parse(bytes_str(text), &id));
	return id;
}

static struct addr addr_of(const char *text)
{
	struct addr a;

	ck_assert(addr_parse(bytes_str(text), &a));
	return a;
}

static const char *const addrs[] = {
	"", "remote_addrs = 192.0.2.0/24", "remote_addrs = 192.0.2.1", "remote_addrs = a.example.org", "local_addrs = 10.0.0.1",
};
static const char *const proposals[] = { "aes128-sha256-x25519", "aes256-sha256-x25519", "aes128-sha384-x25519" };
static const char *const peers[] = {
	"moon.example.org", "sun.example.org", "MOON.example.org", "*.example.org", "%any",		"192.0.2.1",
	"192.0.2.0/24",	    "a@example.org",   "*@example.org",	   "C=CH, CN=moon", "C=CH, CN=*",	"CN=moon, C=CH",
	"C=CH, CN=Moon",    "^.*sun.*$",       "keyid:6d6f6f6e",   "@#6d6f6f6e",    "ipv4:192.0.2.1",	"dns:moon.example.org",
};

static void put_mixture(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned r = i * 2654435761u >> 8;

		put(i, addrs[r % ARRAY_LEN(addrs)], proposals[r / 7 % ARRAY_LEN(proposals)], peers[r / 31 % ARRAY_LEN(peers)]);
	}
}

/* In the order of all, and nobody missing that the identity fits. */
static void ck_peer(const struct config *c, const struct addr *local, const struct addr *remote, const struct id *peer)
{
	const struct conn *all, *some = config_match_peer(c, local, remote, peer, 0);
	size_t rank = 0;

	for (size_t i = 0; (all = config_match_addrs(c, local, remote, i)); i++) {
		if (all == some)
			some = config_match_peer(c, local, remote, peer, ++rank);
		else
			ck_assert_msg(!id_match(peer, &all->remote_rounds[0].id), "%s: %s", all->name, id_text(peer).s);
	}
	ck_assert_ptr_null(some);
}

static void ck_peers(void)
{
	struct config *c = config_store_snapshot(store);
	struct addr local = addr_of("10.0.0.1"), near = addr_of("192.0.2.1"), far = addr_of("198.51.100.1");

	for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
		struct id id = id_of(peers[i]);

		ck_peer(c, &local, &near, &id);
		ck_peer(c, &local, &far, &id);
		id_free(&id);
	}
	config_unref(c);
}

START_TEST(test_peer_order)
{
	put_mixture(20);
	ck_peers();
	put_mixture(400);
	ck_peers();
}
END_TEST

/* A DN fits others than itself then. */
START_TEST(test_peer_dn)
{
	put_mixture(400);
	id_set_dn_matching(ID_DN_REORDERED);
	ck_peers();
	id_set_dn_matching(ID_DN_RELAXED);
	ck_peers();
}
END_TEST

/* Who is left out has the addresses and proposals of one before. */
START_TEST(test_proposals_order)
{
	struct addr local = addr_of("10.0.0.1"), remote = addr_of("192.0.2.1");
	const struct conn *all, *some;
	struct config *c;
	size_t rank = 0;

	put_mixture(400);
	c = config_store_snapshot(store);
	some = config_match_proposals(c, &local, &remote, 0);
	for (size_t i = 0; (all = config_match_addrs(c, &local, &remote, i)); i++) {
		bool before = false;

		if (all == some) {
			some = config_match_proposals(c, &local, &remote, ++rank);
			continue;
		}
		for (size_t k = 0; k < rank && !before; k++) {
			const struct conn *first = config_match_proposals(c, &local, &remote, k);

			before = tree_find(first->source, "remote_addrs") == tree_find(all->source, "remote_addrs") ||
				 first->remote_addrs[0].kind == all->remote_addrs[0].kind ||
				 (first->remote_addrs[0].kind == ENDPOINT_ANY && all->remote_addrs[0].kind == ENDPOINT_NAME);
			before = before && bytes_equal(buf_bytes(&tree_find(first->source, "proposals")->first->value),
						       buf_bytes(&tree_find(all->source, "proposals")->first->value));
		}
		ck_assert_msg(before, "%s", all->name);
	}
	ck_assert_ptr_null(some);
	ck_assert_uint_le(rank, ARRAY_LEN(addrs) * ARRAY_LEN(proposals));
	config_unref(c);
}
END_TEST

/* An index is of the connections: other things that change leave it. */
START_TEST(test_kept)
{
	struct config *before, *after;

	put_mixture(20);
	before = config_store_snapshot(store);
	(void)config_conns(before);
	config_store_put_secret(store, "a", SHARED_IKE, NULL, 0, bytes_str("secret"));
	after = config_store_snapshot(store);
	ck_assert_ptr_ne(before, after);
	ck_assert_ptr_eq(config_conns(before), config_conns(after));
	config_unref(after);
	put(20, "", proposals[0], "%any");
	after = config_store_snapshot(store);
	ck_assert_ptr_ne(config_conns(before), config_conns(after));
	ck_assert_ptr_null(config_conn(before, "c20"));
	ck_assert_ptr_nonnull(config_conn(after, "c20"));
	config_unref(before);
	config_unref(after);
}
END_TEST

/* Thousands of sites behind any address: each is found among few. */
START_TEST(test_sites)
{
	struct addr local = addr_of("10.0.0.1"), remote = addr_of("192.0.2.1");
	char site[32];
	struct config *c;
	struct id id;

	for (unsigned i = 0; i < 5000; i++) {
		snprintf(site, sizeof(site), "site%u.example.org", i);
		put(i, "", proposals[0], i == 100 ? "*.example.org" : i == 4000 ? "%any" : site);
	}
	c = config_store_snapshot(store);
	id = id_of("site2500.example.org");
	ck_assert_str_eq(config_match_peer(c, &local, &remote, &id, 0)->name, "c100");
	ck_assert_str_eq(config_match_peer(c, &local, &remote, &id, 1)->name, "c2500");
	ck_assert_str_eq(config_match_peer(c, &local, &remote, &id, 2)->name, "c4000");
	ck_assert_ptr_null(config_match_peer(c, &local, &remote, &id, 3));
	id_free(&id);
	ck_assert_str_eq(config_match_proposals(c, &local, &remote, 0)->name, "c0");
	ck_assert_ptr_null(config_match_proposals(c, &local, &remote, 1));
	config_unref(c);
}
END_TEST

Suite *suite_conn_class(void)
{
	Suite *s = suite_create("config/conn_class");
	TCase *t = tcase_create("conn_class");

	tcase_add_checked_fixture(t, store_make, store_free);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_peer_order);
	tcase_add_test(t, test_peer_dn);
	tcase_add_test(t, test_proposals_order);
	tcase_add_test(t, test_kept);
	tcase_add_test(t, test_sites);
	suite_add_tcase(s, t);
	return s;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "auth_test.h"
#include "util/mem.h"

#define CERTS 4

static struct cert_cache *cache;
static struct pki_cert *root, *leaves[CERTS];

static void setup(void)
{
	cache = cert_cache_new();
	ck_assert(cache);
	root = pki_ca(NULL, "CN=root");
	for (size_t i = 0; i < CERTS; i++)
		leaves[i] = pki_leaf(root, "CN=leaf", NULL);
}

static void teardown(void)
{
	cert_cache_free(cache);
	pki_cert_free(root);
	for (size_t i = 0; i < CERTS; i++)
		pki_cert_free(leaves[i]);
}

static struct cert *parse(struct cert_cache *with, struct bytes der)
{
	struct errtext err = { "" };
	struct cert *c = cert_cache_parse(with, der, &err);

	ck_assert_msg(c, "%s", err.s);
	return c;
}

START_TEST(test_same)
{
	struct bytes der = leaves[0]->cert->der;
	struct cert *a = parse(cache, der), *b = parse(cache, der), *other = parse(cache, leaves[1]->cert->der), *c, *d;

	ck_assert(a == b && a != other && cert_equal(a, leaves[0]->cert) && !cert_equal(a, other));
	cert_cache_clear(cache);
	c = parse(cache, der);
	ck_assert(c != a && cert_equal(c, a));
	d = parse(NULL, der);
	ck_assert(d != c && cert_equal(d, c));
	cert_unref(a);
	cert_unref(b);
	cert_unref(c);
	cert_unref(d);
	cert_unref(other);
}
END_TEST

START_TEST(test_malformed)
{
	struct errtext err = { "" };

	for (int i = 0; i < 5000; i++) {
		uint8_t data[] = { 0x30, 0x02, (uint8_t)(i >> 8), (uint8_t)i };

		ck_assert(!cert_cache_parse(cache, bytes_of(data, sizeof(data)), &err));
	}
	ck_assert(strstr(err.s, "malformed certificate"));
}
END_TEST

/* What is remembered of one key says nothing of another one with the same name. */
START_TEST(test_signer)
{
	struct pki_cert *same = pki_ca(NULL, "CN=root");

	for (int i = 0; i < 3; i++) {
		ck_assert(!cert_is_signed_by(leaves[0]->cert, same->cert));
		ck_assert(cert_is_signed_by(leaves[0]->cert, root->cert));
		ck_assert(!cert_is_signed_by(leaves[0]->cert, leaves[1]->cert));
	}
	pki_cert_free(same);
}
END_TEST

static void *hammer(void *arg)
{
	for (unsigned i = 0; i < 2000; i++) {
		const struct pki_cert *from = leaves[i * 7 % CERTS];
		struct cert *c = parse(cache, from->cert->der);

		ck_assert(cert_equal(c, from->cert) && cert_is_signed_by(c, root->cert));
		cert_unref(c);
		if (i % 100 == 0)
			cert_cache_clear(cache);
	}
	return arg;
}

START_TEST(test_threads)
{
	pthread_t threads[4];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

Suite *suite_cert_cache(void)
{
	Suite *s = suite_create("cert_cache");
	TCase *tc = tcase_create("cache");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, test_same);
	tcase_add_test(tc, test_malformed);
	tcase_add_test(tc, test_signer);
	tcase_add_test(tc, test_threads);
	suite_add_tcase(s, tc);
	return s;
}

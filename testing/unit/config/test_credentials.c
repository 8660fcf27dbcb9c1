/* SPDX-License-Identifier: Apache-2.0 */
#include "config/store.h"

#include <openssl/pem.h>

#include "pki.h"
#include "test_config.h"

static struct creds_set *set;
static struct pki_cert *root, *moon, *sun;

static void setup(void)
{
	set = creds_set_new();
	root = pki_ca(NULL, "C=CH, CN=root");
	moon = pki_leaf(root, "C=CH, CN=moon", "DNS:moon.bewick.test");
	sun = pki_leaf(root, "C=CH, CN=sun", NULL);
}

static void teardown(void)
{
	creds_set_free(set);
	pki_cert_free(moon);
	pki_cert_free(sun);
	pki_cert_free(root);
}

static bool add(const struct pki_cert *c, enum cert_flag flag)
{
	return creds_set_add_cert(set, cert_ref(c->cert), flag);
}

static struct private_key *key_of(const struct pki_cert *c)
{
	unsigned char *der = NULL;
	int n = i2d_PrivateKey(c->key, &der);
	struct errtext err;
	struct private_key *key = private_key_parse(bytes_of(der, (size_t)n), KEY_ANY, &err);

	ck_assert_msg(key, "%s", err.s);
	OPENSSL_free(der);
	return key;
}

START_TEST(test_order_and_duplicates)
{
	struct credentials *c, *again;

	ck_assert(add(moon, CERT_FLAG_NONE));
	ck_assert(add(root, CERT_FLAG_NONE));
	ck_assert(add(sun, CERT_FLAG_OCSP));
	ck_assert(!add(moon, CERT_FLAG_NONE));
	ck_assert(!add(root, CERT_FLAG_CA));
	ck_assert(add(sun, CERT_FLAG_NONE)); /* for another use */
	c = creds_set_snapshot(set);
	ck_assert_uint_eq(c->n_certs, 4);
	ck_assert(cert_equal(c->certs[0].cert, moon->cert) && c->certs[0].flag == CERT_FLAG_NONE);
	ck_assert(cert_equal(c->certs[1].cert, root->cert) && c->certs[1].flag == CERT_FLAG_CA);
	ck_assert(cert_equal(c->certs[2].cert, sun->cert) && c->certs[2].flag == CERT_FLAG_OCSP);
	again = creds_set_snapshot(set);
	ck_assert_ptr_eq(c, again);
	credentials_unref(again);
	creds_set_clear(set);
	ck_assert_uint_eq(c->n_certs, 4); /* is as it was */
	again = creds_set_snapshot(set);
	ck_assert_uint_eq(again->n_certs, 0);
	credentials_unref(again);
	credentials_unref(c);
}
END_TEST

START_TEST(test_subjects)
{
	struct pki_cert *other = pki_leaf(root, "C=CH, CN=moon", NULL), *nobody = pki_leaf(root, "C=CH, CN=mooned", NULL);
	struct credentials *c;

	(void)add(moon, CERT_FLAG_NONE);
	(void)add(sun, CERT_FLAG_NONE);
	(void)add(other, CERT_FLAG_NONE);
	c = creds_set_snapshot(set);
	ck_assert(cert_equal(credentials_by_subject(c, moon->cert, 0)->cert, moon->cert));
	ck_assert(cert_equal(credentials_by_subject(c, moon->cert, 1)->cert, other->cert));
	ck_assert_ptr_null(credentials_by_subject(c, moon->cert, 2));
	ck_assert(cert_equal(credentials_by_subject(c, sun->cert, 0)->cert, sun->cert));
	ck_assert_ptr_null(credentials_by_subject(c, nobody->cert, 0));
	/* of their issuer's name nobody is here, until it is */
	ck_assert_ptr_null(credentials_issuer(c, moon->cert, 0));
	credentials_unref(c);
	(void)add(root, CERT_FLAG_CA);
	c = creds_set_snapshot(set);
	ck_assert(cert_equal(credentials_issuer(c, moon->cert, 0)->cert, root->cert));
	ck_assert_ptr_null(credentials_issuer(c, moon->cert, 1));
	credentials_unref(c);
	pki_cert_free(nobody);
	pki_cert_free(other);
}
END_TEST

START_TEST(test_keys)
{
	struct private_key *key = key_of(moon), *same = key_of(moon);
	struct credentials *c;

	ck_assert(creds_set_add_key(set, key));
	ck_assert(!creds_set_add_key(set, same)); /* in its place */
	ck_assert(creds_set_add_key(set, key_of(sun)));
	c = creds_set_snapshot(set);
	ck_assert_uint_eq(c->n_keys, 2);
	ck_assert_ptr_eq(c->keys[0], same);
	ck_assert_ptr_eq(credentials_key(c, moon->cert->key->id), same);
	ck_assert_ptr_eq(credentials_key(c, sun->cert->key->id), c->keys[1]);
	ck_assert_ptr_null(credentials_key(c, root->cert->key->id));
	credentials_unref(c);
	ck_assert(creds_set_remove_key(set, moon->cert->key->id));
	ck_assert(!creds_set_remove_key(set, moon->cert->key->id));
	c = creds_set_snapshot(set);
	ck_assert_uint_eq(c->n_keys, 1);
	ck_assert_ptr_null(credentials_key(c, moon->cert->key->id));
	credentials_unref(c);
}
END_TEST

START_TEST(test_pubkeys)
{
	ck_assert(creds_set_add_pubkey(set, public_key_ref(moon->cert->key)));
	ck_assert(!creds_set_add_pubkey(set, public_key_ref(moon->cert->key)));
	ck_assert(creds_set_add_pubkey(set, public_key_ref(sun->cert->key)));
}
END_TEST

static bool add_crl(const struct pki_cert *issuer, long number)
{
	return creds_set_add_crl(set, pki_crl_new(&(struct pki_crl_spec){ .issuer = issuer, .number = number }));
}

START_TEST(test_crls)
{
	struct pki_cert *other = pki_ca(NULL, "C=CH, CN=other");
	struct credentials *c;

	ck_assert(add_crl(root, 5));
	ck_assert(!add_crl(root, 4));
	ck_assert(!add_crl(root, 5));
	ck_assert(add_crl(other, 1));
	ck_assert(add_crl(root, 6));
	/* a delta is beside its base */
	ck_assert(creds_set_add_crl(set, pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .number = 7, .base = 6 })));
	c = creds_set_snapshot(set);
	ck_assert_uint_eq(c->n_crls, 3);
	ck_assert_uint_eq(c->crls[0]->number.p[c->crls[0]->number.n - 1], 6);
	ck_assert(id_equal(&c->crls[1]->issuer, &other->cert->subject));
	credentials_unref(c);
	pki_cert_free(other);
}
END_TEST

/* A CA may have a list for each of its distribution points: none takes the place of another. */
START_TEST(test_crls_of_points)
{
	static const char *const idp[] = { "issuingDistributionPoint=critical,@idp", NULL };
	static const char *const confs[] = { "[idp]\nfullname=URI:http://crl.test/1\n", "[idp]\nfullname=URI:http://crl.test/2\n" };
	struct credentials *c;

	ck_assert(add_crl(root, 9));
	for (size_t i = 0; i < 2; i++) {
		struct pki_crl_spec spec = { .issuer = root, .number = 5, .extensions = idp, .conf = confs[i] };

		ck_assert(creds_set_add_crl(set, pki_crl_new(&spec)));
		ck_assert(!creds_set_add_crl(set, pki_crl_new(&spec)));
		spec.number = 6;
		ck_assert(creds_set_add_crl(set, pki_crl_new(&spec)));
	}
	c = creds_set_snapshot(set);
	ck_assert_uint_eq(c->n_crls, 3);
	credentials_unref(c);
}
END_TEST

START_TEST(test_authorities)
{
	static const char *const uris[] = { "http://192.0.2.1/a.crl", "file:///a.crl" };
	struct authority a = { .name = "one", .cacert = root->cert, .n_crl_uris = 2, .crl_uris = uris };
	struct pki_cert *renewed;
	struct credentials *c;

	creds_set_put_authority(set, &a);
	c = creds_set_snapshot(set);
	ck_assert_uint_eq(c->n_authorities, 1);
	ck_assert_str_eq(c->authorities[0].crl_uris[1], "file:///a.crl");
	/* its CA is trusted, and shown once if it is loaded, too */
	ck_assert_uint_eq(c->n_certs, 1);
	ck_assert_int_eq(c->certs[0].flag, CERT_FLAG_CA);
	ck_assert_ptr_eq(credentials_authority(c, root->cert), &c->authorities[0]);
	ck_assert_ptr_null(credentials_authority(c, moon->cert));
	renewed = pki_cert_new(&(struct pki_spec){ .subject = "C=CH, CN=root", .key = root->key });
	ck_assert_ptr_eq(credentials_authority(c, renewed->cert), &c->authorities[0]);
	(void)add(root, CERT_FLAG_CA);
	a.n_crl_uris = 0;
	a.cert_uri_base = "http://192.0.2.1/certs/";
	creds_set_put_authority(set, &a);
	a.name = "two";
	creds_set_put_authority(set, &a);
	ck_assert_uint_eq(c->authorities[0].n_crl_uris, 2); /* is as it was */
	credentials_unref(c);
	creds_set_clear(set);
	c = creds_set_snapshot(set);
	ck_assert_uint_eq(c->n_authorities, 2); /* are not cleared */
	ck_assert_uint_eq(c->n_certs, 1);
	ck_assert_str_eq(c->authorities[0].name, "one");
	ck_assert_str_eq(c->authorities[0].cert_uri_base, "http://192.0.2.1/certs/");
	credentials_unref(c);
	ck_assert(creds_set_remove_authority(set, "one"));
	ck_assert(!creds_set_remove_authority(set, "one"));
	pki_cert_free(renewed);
}
END_TEST

/* The store's snapshots have them, and change with them only. */
START_TEST(test_store)
{
	struct config_store *store = config_store_new();
	struct config *before = config_store_snapshot(store), *after, *same;

	ck_assert_uint_eq(before->creds->n_certs, 0);
	(void)creds_set_add_cert(config_store_creds(store), cert_ref(moon->cert), CERT_FLAG_NONE);
	after = config_store_snapshot(store);
	ck_assert_ptr_ne(before, after);
	ck_assert_uint_eq(before->creds->n_certs, 0);
	ck_assert_uint_eq(after->creds->n_certs, 1);
	same = config_store_snapshot(store);
	ck_assert_ptr_eq(after, same);
	config_unref(same);
	config_store_put_secret(store, "a", SHARED_IKE, NULL, 0, bytes_str("x"));
	same = config_store_snapshot(store);
	ck_assert_ptr_ne(after, same);
	ck_assert_ptr_eq(after->creds, same->creds);
	config_unref(same);
	config_unref(after);
	config_unref(before);
	config_store_free(store);
}
END_TEST

Suite *suite_credentials(void)
{
	Suite *s = suite_create("config/credentials");
	TCase *tc = tcase_create("credentials");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_order_and_duplicates);
	tcase_add_test(tc, test_subjects);
	tcase_add_test(tc, test_keys);
	tcase_add_test(tc, test_pubkeys);
	tcase_add_test(tc, test_crls);
	tcase_add_test(tc, test_crls_of_points);
	tcase_add_test(tc, test_authorities);
	tcase_add_test(tc, test_store);
	suite_add_tcase(s, tc);
	return s;
}

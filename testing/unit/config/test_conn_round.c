/* SPDX-License-Identifier: Apache-2.0 */
#include "config/conn.h"
#include "config/credentials.h"

#include <stdio.h>
#include <unistd.h>

#include "pki.h"
#include "test_config.h"

/* Authentication rounds with certificates. */

static struct pki_cert *root, *moon, *sun;
static struct tree *text; /* of the connection at work */
static const struct conn_env env = { 0 };

static bool have_all(void *arg, const struct transform *t)
{
	(void)arg;
	(void)t;
	return true;
}

static void setup(void)
{
	root = pki_ca(NULL, "C=CH, CN=root");
	moon = pki_leaf(root, "C=CH, CN=moon", "DNS:moon.bewick.test");
	sun = pki_leaf(root, "C=CH, CN=sun", NULL);
}

static void teardown(void)
{
	tree_free(text);
	text = NULL;
	pki_cert_free(moon);
	pki_cert_free(sun);
	pki_cert_free(root);
}

static struct tree *begin(const char *conf)
{
	tree_free(text);
	text = tree_of(conf);
	return text->first;
}

static void add_item(struct tree *conn, const char *section, const char *key, struct bytes item)
{
	tree_add_item(tree_add_list(tree_find(conn, section), bytes_str(key)), item);
}

static struct conn *parse(const struct tree *conn, struct errtext *err)
{
	struct conn_env e = env;

	e.have = have_all;
	return conn_parse(conn, &e, err);
}

static struct conn *good(const struct tree *conn)
{
	struct errtext err = { "" };
	struct conn *c = parse(conn, &err);

	ck_assert_msg(c, "%s", err.s);
	return c;
}

static void bad(const struct tree *conn, const char *expected)
{
	struct errtext err = { "" };
	struct conn *c = parse(conn, &err);

	ck_assert_msg(!c, "accepted");
	ck_assert_msg(strstr(err.s, expected), "'%s' instead of '%s'", err.s, expected);
}

/* A file with that content; to be unlinked. */
static void file_of(char *path, const struct pki_cert *c)
{
	struct buf der = pki_cert_der(c);
	int fd;

	strcpy(path, "/tmp/bewick-test-cert-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, der.p, der.n), (ssize_t)der.n);
	close(fd);
	buf_free(&der);
}

START_TEST(test_defaults)
{
	struct conn *c = good(begin("c { }"));

	ck_assert_uint_eq(c->n_local_rounds, 1);
	ck_assert_int_eq(c->local_rounds[0].auth, CONN_AUTH_PUBKEY);
	ck_assert_int_eq(c->remote_rounds[0].auth, CONN_AUTH_PUBKEY);
	ck_assert_int_eq(c->remote_rounds[0].revocation, REVOCATION_RELAXED);
	ck_assert(id_is_any(&c->local_rounds[0].id) && id_is_any(&c->remote_rounds[0].id));
	ck_assert(c->send_certreq);
	ck_assert_int_eq(c->send_cert, SEND_CERT_IFASKED);
	ck_assert_int_eq(c->ocsp, CONN_OCSP_REPLY);
	conn_unref(c);
}
END_TEST

START_TEST(test_all)
{
	struct tree *t = begin("c {\n send_certreq = no\n send_cert = always\n ocsp = both\n"
			       " local { auth = rsa-sha512 }\n"
			       " remote { auth = pubkey\n id = *.bewick.test\n ca_id = \"C=CH, CN=root\"\n revocation = strict } }");
	struct conn *c;

	add_item(t, "local", "certs", moon->cert->der);
	add_item(t, "local", "certs", sun->cert->der);
	add_item(t, "local", "certs", moon->cert->der); /* once is enough */
	add_item(t, "local", "pubkeys", moon->cert->key->spki);
	add_item(t, "remote", "certs", sun->cert->der);
	add_item(t, "remote", "cacerts", root->cert->der);
	add_item(t, "remote", "cert_policy", bytes_str("1.2.3"));
	add_item(t, "remote", "cert_policy", bytes_str("2.5.29.32.0"));
	c = good(t);
	ck_assert(!c->send_certreq);
	ck_assert_int_eq(c->send_cert, SEND_CERT_ALWAYS);
	ck_assert_int_eq(c->ocsp, CONN_OCSP_BOTH);
	ck_assert_uint_eq(c->local_rounds[0].n_certs, 2);
	ck_assert(cert_equal(c->local_rounds[0].certs[1], sun->cert));
	ck_assert_uint_eq(c->local_rounds[0].n_pubkeys, 1);
	ck_assert(public_key_equal(c->local_rounds[0].pubkeys[0], moon->cert->key));
	ck_assert_uint_eq(c->local_rounds[0].rules.n_ike, 1);
	ck_assert(cert_equal(c->remote_rounds[0].certs[0], sun->cert));
	ck_assert(cert_equal(c->remote_rounds[0].cacerts[0], root->cert));
	ck_assert_uint_eq(c->remote_rounds[0].n_policies, 2);
	ck_assert_str_eq(c->remote_rounds[0].policies[1], "2.5.29.32.0");
	ck_assert(id_equal(&c->remote_rounds[0].ca_id, &root->cert->subject));
	ck_assert_int_eq(c->remote_rounds[0].revocation, REVOCATION_STRICT);
	/* who we are is in the first certificate */
	ck_assert(id_equal(&c->local_rounds[0].id, &moon->cert->subject));
	conn_unref(c);
	t = begin("c { local { id = gw.bewick.test } }");
	add_item(t, "local", "certs", moon->cert->der);
	c = good(t);
	ck_assert_str_eq(id_text(&c->local_rounds[0].id).s, "gw.bewick.test");
	conn_unref(c);
}
END_TEST

/* RFC 4945, 3.1.5: who we are is in our certificate, but where its subject is empty. */
START_TEST(test_subject)
{
	static const char *const names[] = { "subjectAltName=critical,DNS:nobody.test", NULL };
	struct pki_cert *nobody = pki_cert_new(&(struct pki_spec){ .issuer = root, .extensions = names });
	struct tree *t = begin("c { local { } }");
	struct conn *c;

	add_item(t, "local", "certs", moon->cert->der);
	c = good(t);
	ck_assert_int_eq(c->local_rounds[0].id.type, ID_TYPE_DER_ASN1_DN);
	ck_assert(bytes_equal(c->local_rounds[0].id.data, moon->cert->subject.data));
	conn_unref(c);
	t = begin("c { local { } }");
	add_item(t, "local", "certs", nobody->cert->der);
	c = good(t);
	ck_assert(id_is_any(&c->local_rounds[0].id));
	conn_unref(c);
	pki_cert_free(nobody);
}
END_TEST

START_TEST(test_rounds)
{
	struct conn *c = good(begin("c { local-b { round = 2\n auth = psk\n id = b }\n local-a { round = 1\n id = a }\n"
				    " local-c { round = 2\n auth = pubkey\n id = c }\n remote { auth = psk }\n remote-2 { id = z } }"));

	ck_assert_uint_eq(c->n_local_rounds, 3);
	ck_assert_str_eq(id_text(&c->local_rounds[0].id).s, "a");
	ck_assert_str_eq(id_text(&c->local_rounds[1].id).s, "b");
	ck_assert_int_eq(c->local_rounds[1].auth, CONN_AUTH_PSK);
	ck_assert_str_eq(id_text(&c->local_rounds[2].id).s, "c");
	ck_assert_uint_eq(c->n_remote_rounds, 2);
	ck_assert_int_eq(c->remote_rounds[0].auth, CONN_AUTH_PSK);
	ck_assert_int_eq(c->remote_rounds[1].auth, CONN_AUTH_PUBKEY);
	conn_unref(c);
}
END_TEST

START_TEST(test_files)
{
	char path[64], conf[256];
	struct tree *t;
	struct conn *c, *same, *other;

	file_of(path, moon);
	snprintf(conf, sizeof(conf), "c { local { cert-1 { file = %s } } }", path);
	t = begin(conf);
	add_item(t, "local", "certs", sun->cert->der);
	c = good(t);
	ck_assert_uint_eq(c->local_rounds[0].n_certs, 2);
	same = good(t);
	ck_assert(conn_ike_equal(c, same));
	unlink(path);
	bad(t, "unable to load certificate: cert-1 (/tmp/bewick-test-cert-");
	bad(t, "No such file or directory)");
	/* another certificate in the file is another connection */
	file_of(conf, root);
	ck_assert_int_eq(rename(conf, path), 0);
	other = good(t);
	ck_assert(!conn_ike_equal(c, other));
	conn_unref(other);
	conn_unref(same);
	conn_unref(c);
	snprintf(conf, sizeof(conf), "c { remote { cacert { file = %s } } }", path);
	c = good(begin(conf));
	ck_assert(cert_equal(c->remote_rounds[0].cacerts[0], root->cert));
	conn_unref(c);
	unlink(path);
	bad(begin("c { remote { cacert { file = / } } }"), "unable to load certificate: cacert (/: Is a directory)");
	bad(begin("c { remote { cacert { file = /dev/zero } } }"), "unable to load certificate: cacert (/dev/zero: ");
}
END_TEST

START_TEST(test_shared)
{
	struct creds_set *set = creds_set_new();
	struct tree *t = begin("c { local { } }");
	struct conn_env e = { .have = have_all };
	struct errtext err;
	struct conn *c;

	(void)creds_set_add_cert(set, cert_ref(sun->cert), CERT_FLAG_NONE);
	add_item(t, "local", "certs", moon->cert->der);
	add_item(t, "local", "certs", sun->cert->der);
	e.creds = creds_set_snapshot(set);
	c = conn_parse(t, &e, &err);
	ck_assert_ptr_ne(c->local_rounds[0].certs[0], moon->cert);
	ck_assert_ptr_eq(c->local_rounds[0].certs[1], sun->cert); /* one object of it */
	credentials_unref(e.creds);
	creds_set_free(set);
	ck_assert(cert_equal(c->local_rounds[0].certs[1], sun->cert));
	conn_unref(c);
}
END_TEST

START_TEST(test_bad_data)
{
	struct tree *t = begin("c { local { } }");

	add_item(t, "local", "certs", bytes_str("no certificate"));
	bad(t, "invalid value for: certs, config discarded (");
	t = begin("c { remote { } }");
	add_item(t, "remote", "cacerts", moon->cert->der);
	bad(t, "invalid value for: cacerts, config discarded ('C=CH, CN=moon' (issuer 'C=CH, CN=root'");
	bad(t, "is not a CA's: it lacks the CA basic constraint)");
	t = begin("c { remote { } }");
	add_item(t, "remote", "pubkeys", moon->cert->der);
	bad(t, "invalid value for: pubkeys, config discarded (");
	bad(begin("c { remote { auth = rsa-sha257 } }"),
	    "invalid value for: auth, config discarded ('sha257' is neither a kind of key, nor a strength, nor a hash)");
}
END_TEST

/* What nothing would look at is not taken. */
START_TEST(test_no_use)
{
	static const char *const demands[] = { "ca_id = a", "revocation = strict" };
	char conf[256];
	struct tree *t;

	for (size_t i = 0; i < ARRAY_LEN(demands); i++) {
		snprintf(conf, sizeof(conf), "c { local { %s } }", demands[i]);
		bad(begin(conf), "(it is for remote sections: what the peer has to prove)");
		snprintf(conf, sizeof(conf), "c { remote { auth = psk\n %s } }", demands[i]);
		bad(begin(conf), "(a pre-shared key does not prove that)");
	}
	t = begin("c { local { } }");
	add_item(t, "local", "cacerts", root->cert->der);
	bad(t, "unsupported: cacerts = ... (it is for remote sections");
	t = begin("c { local { } }");
	add_item(t, "local", "groups", bytes_str("sales"));
	bad(t, "unsupported: groups = ... (it is for remote sections");
	t = begin("c { remote { auth = psk } }");
	add_item(t, "remote", "groups", bytes_str("sales"));
	bad(t, "unsupported: groups = ... (a pre-shared key");
	t = begin("c { remote { } }");
	add_item(t, "remote", "groups", bytes_str("sales"));
	add_item(t, "remote", "pubkeys", moon->cert->key->spki);
	bad(t, "unsupported: groups = ... (attribute certificates say it of certificates, not of raw public keys");
	t = begin("c { remote { } }");
	add_item(t, "remote", "groups", BYTES_NONE);
	bad(t, "invalid value for: groups, config discarded");
	t = begin("c { remote { auth = psk } }");
	add_item(t, "remote", "certs", moon->cert->der);
	bad(t, "unsupported: certs = ... (a pre-shared key");
	t = begin("c { remote { auth = psk } }");
	add_item(t, "remote", "pubkeys", moon->cert->key->spki);
	bad(t, "unsupported: pubkeys = ... (a pre-shared key");
}
END_TEST

START_TEST(test_equal)
{
	struct tree *t = begin("c { local { auth = rsa-sha256 } }");
	struct conn_env other = { .have = have_all, .chain_rules_only = true };
	struct conn *a, *b;
	struct errtext err;

	a = good(t);
	b = conn_parse(t, &other, &err); /* the setting is another one now */
	ck_assert_uint_eq(b->local_rounds[0].rules.n_ike, 0);
	ck_assert(!conn_ike_equal(a, b));
	conn_unref(b);
	add_item(t, "local", "certs", moon->cert->der);
	b = good(t);
	ck_assert(!conn_ike_equal(a, b));
	conn_unref(a);
	conn_unref(b);
}
END_TEST

Suite *suite_conn_round(void)
{
	Suite *s = suite_create("config/conn_round");
	TCase *tc = tcase_create("conn_round");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_defaults);
	tcase_add_test(tc, test_all);
	tcase_add_test(tc, test_rounds);
	tcase_add_test(tc, test_subject);
	tcase_add_test(tc, test_files);
	tcase_add_test(tc, test_shared);
	tcase_add_test(tc, test_bad_data);
	tcase_add_test(tc, test_no_use);
	tcase_add_test(tc, test_equal);
	suite_add_tcase(s, tc);
	return s;
}

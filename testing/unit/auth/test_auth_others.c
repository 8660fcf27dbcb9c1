/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "auth_lab.h"

/* One proof of a peer, and several connections that may take it. */

#define CRL_URL "http://crl.test/ca"

static struct auth_lab lab;
static struct pki_cert *peer, *other_ca;
static struct conn second, third;
static struct conn_round second_remote, third_remote;

static void conn_init(struct conn *c, struct conn_round *round, const char *name)
{
	*round = lab.remote;
	*c = (struct conn){ .name = name, .n_local_rounds = 1, .n_remote_rounds = 1, .local_rounds = &lab.local, .remote_rounds = round };
	atomic_init(&c->refs, 1);
}

static void setup(void)
{
	static const char *const extensions[] = { "keyUsage=critical,digitalSignature", "subjectAltName=DNS:moon.test",
						  "crlDistributionPoints=URI:" CRL_URL, NULL };

	auth_lab_init(&lab);
	lab.conn.name = "first";
	other_ca = pki_ca(NULL, "CN=other");
	peer = pki_cert_new(&(struct pki_spec){ .subject = "CN=peer", .issuer = lab.ca, .extensions = extensions });
	conn_init(&second, &second_remote, "second");
	conn_init(&third, &third_remote, "third");
}

static void teardown(void)
{
	/* nobody has one of them any more */
	ck_assert_uint_eq(lab.conn.refs, 1);
	ck_assert_uint_eq(second.refs, 1);
	ck_assert_uint_eq(third.refs, 1);
	auth_lab_clear(&lab);
	pki_cert_free(peer);
	pki_cert_free(other_ca);
}

static struct auth_request *ask_all(void)
{
	struct auth_request *r = auth_lab_verify(&lab, "moon.test", peer, lab.ca);

	r->others[r->n_others++] = (struct auth_other){ conn_ref(&second), &second_remote };
	r->others[r->n_others++] = (struct auth_other){ conn_ref(&third), &third_remote };
	return r;
}

static void wants_other_ca(struct conn_round *round)
{
	static struct cert *only[1];

	only[0] = other_ca->cert;
	round->cacerts = only;
	round->n_cacerts = 1;
}

/* The first that takes it, in their order. */
START_TEST(test_first_that_takes_it)
{
	struct auth_request *r = ask_all();
	const struct conn *conns[] = { &lab.conn, &second, &third };

	lab.o.no_crl = lab.o.no_ocsp = true;
	auth_service_set_options(lab.s, &lab.o);
	if (_i > 0)
		wants_other_ca(&lab.remote);
	if (_i > 1)
		wants_other_ca(&second_remote);
	auth_lab_do(&lab, r);
	ck_assert_msg(r->ok, "%s", r->why.s);
	ck_assert_ptr_eq(r->conn, conns[_i]);
	ck_assert_ptr_eq(r->round, conns[_i]->remote_rounds);
	ck_assert((r->notice != NULL) == (_i > 0));
	if (_i > 0)
		ck_assert_msg(strstr(r->notice, "connection 'first': ") && strstr(r->notice, "none of the connection's cacerts"), "%s",
			      r->notice);
	ck_assert(_i < 2 || strstr(r->notice, "; connection 'second': "));
	ck_assert(r->chain && r->chain->n == 3);
	auth_lab_free(r);
}
END_TEST

/* Nobody: the reason of the first one, and those of the others beside it. */
START_TEST(test_nobody)
{
	static const char *const groups[] = { "sales" };
	struct auth_request *r = ask_all();

	wants_other_ca(&lab.remote);
	second_remote.ca_id = other_ca->cert->subject;
	third_remote.groups = groups;
	third_remote.n_groups = 1;
	auth_lab_do(&lab, r);
	ck_assert(!r->ok && !r->chain);
	ck_assert_msg(strstr(r->why.s, "cacerts"), "%s", r->why.s);
	ck_assert_msg(strstr(r->notice, "connection 'second': ") && strstr(r->notice, "(ca_id); connection 'third': "), "%s", r->notice);
	ck_assert_ptr_null(strstr(r->notice, "'first'"));
	ck_assert_uint_eq(lab_fetches(), 0); /* nothing is spent on who is refused anyway */
	auth_lab_free(r);
	third_remote.n_groups = 0;
}
END_TEST

/* A proof that is none is none for everybody, and nothing is fetched for it. */
START_TEST(test_bad_proof)
{
	struct auth_request *r = ask_all();

	auth_lab_set_auth(r, lab.ca->key, "what is signed");
	wants_other_ca(&lab.remote);
	auth_lab_do(&lab, r);
	ck_assert(!r->ok);
	ck_assert_msg(strstr(r->notice, "connection 'second': its signature") && strstr(r->notice, "connection 'third': its signature"),
		      "%s", r->notice);
	ck_assert_uint_eq(lab_fetches(), 0);
	auth_lab_free(r);
}
END_TEST

/* Revocation is a constraint like others: who wants to know it, and cannot, leaves the peer to who does not. */
START_TEST(test_revocation)
{
	struct auth_request *r = ask_all();

	lab.remote.revocation = REVOCATION_STRICT;
	second_remote.revocation = REVOCATION_STRICT;
	lab_serve(CRL_URL, BYTES_NONE, "404");
	auth_lab_do(&lab, r);
	ck_assert_msg(r->ok, "%s", r->why.s);
	ck_assert_ptr_eq(r->conn, &third);
	ck_assert_uint_eq(lab_fetches(), 1);
	auth_lab_free(r);
}
END_TEST

/* But revoked is revoked, for all. */
START_TEST(test_revoked)
{
	struct auth_request *r = ask_all();
	const struct pki_cert *revoked[] = { peer, NULL };
	struct buf crl = pki_crl_der(&(struct pki_crl_spec){ .issuer = lab.ca, .revoked = revoked, .number = 1 });

	lab.remote.revocation = REVOCATION_IFURI;
	lab_serve(CRL_URL, buf_bytes(&crl), NULL);
	auth_lab_do(&lab, r);
	ck_assert(!r->ok);
	ck_assert_msg(strstr(r->why.s, "was revoked"), "%s", r->why.s);
	auth_lab_free(r);
	buf_free(&crl);
}
END_TEST

/* Certificates that are loaded for one connection are not the peer's for another. */
START_TEST(test_loaded)
{
	struct pki_cert *stranger = pki_leaf(other_ca, "CN=stranger", "DNS:moon.test");
	struct cert *first_certs[] = { stranger->cert }, *third_certs[] = { peer->cert };
	struct auth_request *r = ask_all();

	r->n_certs = 0;
	lab.remote.certs = first_certs;
	lab.remote.n_certs = 1;
	second_remote.certs = first_certs;
	second_remote.n_certs = 1;
	third_remote.certs = third_certs;
	third_remote.n_certs = 1;
	auth_lab_do(&lab, r);
	ck_assert_msg(r->ok, "%s", r->why.s);
	ck_assert_ptr_eq(r->conn, &third);
	auth_lab_free(r);
	lab.remote.n_certs = second_remote.n_certs = third_remote.n_certs = 0;
	pki_cert_free(stranger);
}
END_TEST

/* Raw keys. */
START_TEST(test_raw)
{
	struct public_key *first_keys[] = { other_ca->cert->key }, *second_keys[] = { lab.root->cert->key, peer->cert->key };
	struct auth_request *r = ask_all();

	r->n_certs = 0;
	auth_lab_add_cert(r, CERT_RAW_PUBLIC_KEY, peer->cert->key->spki);
	lab.remote.pubkeys = first_keys;
	lab.remote.n_pubkeys = 1;
	second_remote.pubkeys = second_keys;
	second_remote.n_pubkeys = 2;
	auth_lab_do(&lab, r);
	ck_assert_msg(r->ok, "%s", r->why.s);
	ck_assert_ptr_eq(r->conn, &second);
	auth_lab_free(r);
	lab.remote.n_pubkeys = second_remote.n_pubkeys = 0;
}
END_TEST

Suite *suite_auth_others(void)
{
	Suite *s = suite_create("auth_others");
	TCase *tc = tcase_create("others");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_first_that_takes_it, 0, 3);
	tcase_add_test(tc, test_nobody);
	tcase_add_test(tc, test_bad_proof);
	tcase_add_test(tc, test_revocation);
	tcase_add_test(tc, test_revoked);
	tcase_add_test(tc, test_loaded);
	tcase_add_test(tc, test_raw);
	suite_add_tcase(s, tc);
	return s;
}

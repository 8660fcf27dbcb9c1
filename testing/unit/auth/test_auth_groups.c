/* SPDX-License-Identifier: Apache-2.0 */
/* The service with groups: what peers send, what is loaded, and whether it was revoked. */
#include <stdlib.h>

#include "auth/kept_chain.h"
#include "auth_lab.h"
#include "pki_acert.h"
#include "pki_ocsp.h"
#include "proto/limits.h"
#include "util/mem.h"

#define CRL_URL "http://crl.test/aa"
#define OCSP_URL "http://ocsp.test/aa"

static struct auth_lab lab;
static struct pki_cert *aa, *moon;
static const char *const wanted[] = { "sales" };
static const char *const pointer[] = { "crlDistributionPoints=URI:" CRL_URL, NULL };

static void setup(void)
{
	static const char *const extensions[] = { "keyUsage=critical,digitalSignature,cRLSign", "subjectKeyIdentifier=hash", NULL };

	auth_lab_init(&lab);
	aa = pki_cert_new(&(struct pki_spec){ .subject = "CN=aa", .issuer = lab.root, .extensions = extensions });
	moon = pki_leaf(lab.root, "CN=moon", "DNS:moon.test");
	ck_assert(creds_set_add_cert(lab.creds, cert_ref(aa->cert), CERT_FLAG_AA));
	lab.remote.groups = wanted;
	lab.remote.n_groups = 1;
}

static void teardown(void)
{
	auth_lab_clear(&lab);
	pki_cert_free(aa);
	pki_cert_free(moon);
}

static struct acert *made(const char *const *extensions)
{
	return pki_acert_new(&(struct pki_acert_spec){ .holder = moon, .issuer = aa, .extensions = extensions });
}

static struct auth_request *asked(void)
{
	return auth_lab_verify(&lab, "moon.test", moon, NULL);
}

static struct auth_request *asked_with(const struct acert *ac)
{
	struct auth_request *r = asked();

	auth_lab_add_cert(r, CERT_X509_ATTRIBUTE, ac->der);
	return r;
}

START_TEST(test_sent)
{
	struct acert *ac = made(NULL);
	struct auth_request *r = asked_with(ac);

	auth_lab_expect(&lab, asked(), "the peer has to be in one of the groups 'sales'; it sent no attribute certificate");
	auth_lab_do(&lab, r);
	ck_assert_msg(r->ok, "%s", r->why.s);
	ck_assert_msg(strstr(r->group_how.s, "in group 'sales' by attribute certificate of"), "%s", r->group_how.s);
	ck_assert(r->group_chain && r->group_chain->n == 2);
	auth_lab_free(r);
	acert_unref(ac);
}
END_TEST

START_TEST(test_loaded)
{
	ck_assert(creds_set_add_acert(lab.creds, made(NULL)));
	auth_lab_expect(&lab, asked(), NULL);
}
END_TEST

/* Nobody asks: what they say does not matter, not even if it is nonsense. */
START_TEST(test_not_asked)
{
	struct auth_request *r = asked();

	lab.remote.n_groups = 0;
	auth_lab_add_cert(r, CERT_X509_ATTRIBUTE, bytes_str("nonsense"));
	auth_lab_expect(&lab, r, NULL);
}
END_TEST

START_TEST(test_malformed)
{
	struct acert *ac = made(NULL);
	struct auth_request *r = asked();

	auth_lab_add_cert(r, CERT_X509_ATTRIBUTE, bytes_str("nonsense"));
	auth_lab_expect(&lab, r, "it sent a malformed attribute certificate");
	r = asked();
	auth_lab_add_cert(r, CERT_X509_ATTRIBUTE, bytes_str("nonsense"));
	auth_lab_add_cert(r, CERT_X509_ATTRIBUTE, ac->der);
	auth_lab_expect(&lab, r, NULL);
	acert_unref(ac);
}
END_TEST

START_TEST(test_too_many)
{
	struct acert *ac = made(NULL), *other = pki_acert_new(&(struct pki_acert_spec){ .holder = aa, .issuer = aa });
	struct auth_request *r = asked();

	for (size_t i = 0; i < LIMIT_ACERTS; i++)
		auth_lab_add_cert(r, CERT_X509_ATTRIBUTE, other->der);
	auth_lab_add_cert(r, CERT_X509_ATTRIBUTE, ac->der);
	auth_lab_expect(&lab, r, "the peer has to be in one of the groups 'sales'");
	acert_unref(ac);
	acert_unref(other);
}
END_TEST

/* Who has not proven to have the key does not get so far. */
START_TEST(test_after_signature)
{
	struct acert *ac = made(NULL);
	struct auth_request *r = asked_with(ac);

	auth_lab_set_auth(r, aa->key, "forged");
	auth_lab_expect(&lab, r, "its signature");
	acert_unref(ac);
}
END_TEST

/* Which connection it is depends on its groups; what came is looked at, though the first one asks for none that it is in. */
START_TEST(test_connections)
{
	static const char *const others[] = { "board" };
	static struct conn second, third;
	struct conn_round second_round = lab.remote, third_round = lab.remote;
	struct acert *ac = made(NULL);
	struct auth_request *r;

	lab.remote.groups = others;
	for (int asks = 0; asks < 2; asks++) {
		r = asked_with(ac);
		lab.remote.n_groups = 1;
		second_round.n_groups = 1;
		second_round.groups = asks ? others : wanted;
		lab.conn.name = "first";
		second = (struct conn){ .name = "second", .n_remote_rounds = 1, .remote_rounds = &second_round, .refs = 1 };
		third = (struct conn){ .name = "third", .n_remote_rounds = 1, .remote_rounds = &third_round, .refs = 1 };
		r->others[r->n_others++] = (struct auth_other){ conn_ref(&second), &second_round };
		r->others[r->n_others++] = (struct auth_other){ conn_ref(&third), &third_round };
		auth_lab_do(&lab, r);
		ck_assert_msg(r->ok, "%s", r->why.s);
		ck_assert_str_eq(r->conn->name, asks ? "third" : "second");
		ck_assert_msg(strstr(r->notice, "connection 'first': the peer has to be in one of the groups 'board'"), "%s", r->notice);
		ck_assert(r->group_chain && strstr(r->group_how.s, "'sales'"));
		auth_lab_free(r);
	}
	acert_unref(ac);
}
END_TEST

/* The first asks for no group; what came is kept for the next. */
START_TEST(test_only_the_next_asks)
{
	static struct conn second;
	struct conn_round second_round = lab.remote;
	struct pki_cert *other_ca = pki_ca(NULL, "CN=other");
	struct cert *cas[] = { other_ca->cert };
	struct acert *ac = made(NULL);
	struct auth_request *r = asked_with(ac);

	lab.conn.name = "first";
	lab.remote.n_groups = 0;
	lab.remote.cacerts = cas;
	lab.remote.n_cacerts = 1;
	second = (struct conn){ .name = "second", .n_remote_rounds = 1, .remote_rounds = &second_round, .refs = 1 };
	r->others[r->n_others++] = (struct auth_other){ conn_ref(&second), &second_round };
	auth_lab_do(&lab, r);
	ck_assert_msg(r->ok, "%s", r->why.s);
	ck_assert_str_eq(r->conn->name, "second");
	auth_lab_free(r);
	acert_unref(ac);
	pki_cert_free(other_ca);
}
END_TEST

/* ---- revocation ---- */

static struct buf crl_of(const struct pki_cert *issuer, const struct acert *revoked)
{
	struct pki_cert gone = revoked ? pki_acert_revocable(revoked) : (struct pki_cert){ 0 };
	const struct pki_cert *list[] = { revoked ? &gone : NULL, NULL };

	return pki_crl_der(&(struct pki_crl_spec){ .issuer = issuer, .revoked = list, .reason = 9 });
}

/* Strict: the authority's own certificate has to be known to be good, and the attribute certificate unless it is never revoked. */
START_TEST(test_strict)
{
	struct acert *never = made(NULL), *may = made(pointer);
	struct buf of_root = crl_of(lab.root, NULL), of_aa = crl_of(aa, NULL);
	struct errtext err;

	lab.remote.revocation = REVOCATION_STRICT;
	auth_lab_expect(&lab, asked_with(never), "whether certificate 'CN=moon'");
	ck_assert(creds_set_add_crl(lab.creds, crl_parse(buf_bytes(&of_root), &err)));
	auth_lab_expect(&lab, asked_with(never), NULL);
	lab_serve(CRL_URL, buf_bytes(&of_aa), NULL);
	auth_lab_expect(&lab, asked_with(may), NULL);
	ck_assert_uint_eq(lab_fetches(), 1);
	acert_unref(never);
	acert_unref(may);
	buf_free(&of_root);
	buf_free(&of_aa);
}
END_TEST

/* It is not known: strict and ifuri refuse it, relaxed does not; without a place to ask ifuri does not, either. */
START_TEST(test_not_known)
{
	static const char *const none[] = { NULL };
	struct acert *with = made(pointer), *without = made(none);
	struct buf of_root = crl_of(lab.root, NULL);
	struct errtext err;

	ck_assert(creds_set_add_crl(lab.creds, crl_parse(buf_bytes(&of_root), &err)));
	lab_serve(CRL_URL, BYTES_NONE, "no such host");
	lab.remote.revocation = REVOCATION_IFURI;
	auth_lab_expect(&lab, asked_with(with), "no attribute certificate that puts the peer into a group is known not to be revoked; "
			"whether certificate with attributes of");
	auth_lab_expect(&lab, asked_with(with), "no such host");
	auth_lab_expect(&lab, asked_with(without), NULL);
	lab.remote.revocation = REVOCATION_STRICT;
	auth_lab_expect(&lab, asked_with(without), "whether certificate with attributes of");
	lab.remote.revocation = REVOCATION_RELAXED;
	auth_lab_expect(&lab, asked_with(with), NULL);
	acert_unref(with);
	acert_unref(without);
	buf_free(&of_root);
}
END_TEST

/* By a CRL of the authority, whatever the policy; another one that is good counts. */
START_TEST(test_revoked)
{
	struct acert *gone = made(pointer), *good = made(NULL);
	struct buf of_aa = crl_of(aa, gone);
	struct auth_request *r;

	lab_serve(CRL_URL, buf_bytes(&of_aa), NULL);
	auth_lab_expect(&lab, asked_with(gone), "certificate with attributes of certificate");
	auth_lab_expect(&lab, asked_with(gone), "was revoked: on ");
	r = asked_with(gone);
	auth_lab_add_cert(r, CERT_X509_ATTRIBUTE, good->der);
	auth_lab_expect(&lab, r, NULL);
	acert_unref(gone);
	acert_unref(good);
	buf_free(&of_aa);
}
END_TEST

/* By the authority's OCSP responder. */
START_TEST(test_ocsp)
{
	static const char *const access[] = { "authorityInfoAccess=OCSP;URI:" OCSP_URL, NULL };
	struct acert *ac = made(access);
	struct pki_cert as_cert = pki_acert_revocable(ac);
	struct buf good = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = &as_cert, .issuer = aa, .reason = -1 });
	struct buf bad = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = &as_cert, .issuer = aa, .status = PKI_OCSP_REVOKED, .reason = 1 });
	struct auth_request *r = asked_with(ac);

	auth_lab_send(&lab, r);
	lab_answer_fetch(OCSP_URL, buf_bytes(&good), NULL);
	r = auth_lab_answer(&lab);
	ck_assert_msg(r->ok, "%s", r->why.s);
	auth_lab_free(r);
	auth_service_flush(lab.s, AUTH_CACHED_OCSP);
	r = asked_with(ac);
	auth_lab_send(&lab, r);
	lab_answer_fetch(OCSP_URL, buf_bytes(&bad), NULL);
	r = auth_lab_answer(&lab);
	ck_assert_msg(!r->ok && strstr(r->why.s, "was revoked: on "), "%s", r->why.s);
	auth_lab_free(r);
	acert_unref(ac);
	buf_free(&good);
	buf_free(&bad);
}
END_TEST

/* What a revoked authority says does not count. */
START_TEST(test_authority_revoked)
{
	const struct pki_cert *list[] = { aa, NULL };
	struct buf der = pki_crl_der(&(struct pki_crl_spec){ .issuer = lab.root, .revoked = list });
	struct acert *ac = made(NULL);
	struct errtext err;

	ck_assert(creds_set_add_crl(lab.creds, crl_parse(buf_bytes(&der), &err)));
	auth_lab_expect(&lab, asked_with(ac), "certificate 'CN=aa'");
	acert_unref(ac);
	buf_free(&der);
}
END_TEST

/* A CRL that comes later: the chain that is kept tells. */
START_TEST(test_later_crl)
{
	struct acert *ac = made(pointer);
	struct auth_request *r = asked_with(ac);
	struct buf good_der = crl_of(aa, NULL), der = crl_of(aa, ac);
	struct kept_chain *group, *chain;
	struct errtext err;
	struct crl *good = crl_parse(buf_bytes(&good_der), &err), *crl = crl_parse(buf_bytes(&der), &err);

	lab_serve(CRL_URL, buf_bytes(&good_der), NULL);
	auth_lab_do(&lab, r);
	ck_assert_msg(r->ok, "%s", r->why.s);
	group = kept_chain_new(r->group_chain);
	chain = kept_chain_new(r->chain);
	ck_assert(!kept_chain_revoked_by(group, good) && kept_chain_revoked_by(group, crl));
	ck_assert(!kept_chain_revoked_by(chain, crl));
	kept_chain_free(group);
	kept_chain_free(chain);
	auth_lab_free(r);
	acert_unref(ac);
	crl_unref(good);
	crl_unref(crl);
	buf_free(&good_der);
	buf_free(&der);
}
END_TEST

/* What one connection refused because of revocation another one may take. */
START_TEST(test_connection_by_revocation)
{
	static const char *const none[] = { NULL };
	static struct conn second;
	struct conn_round second_round = lab.remote;
	struct acert *ac = made(none);
	struct buf of_root = crl_of(lab.root, NULL);
	struct auth_request *r;
	struct errtext err;

	ck_assert(creds_set_add_crl(lab.creds, crl_parse(buf_bytes(&of_root), &err)));
	r = asked_with(ac);
	lab.conn.name = "first";
	lab.remote.revocation = REVOCATION_STRICT;
	second = (struct conn){ .name = "second", .n_remote_rounds = 1, .remote_rounds = &second_round, .refs = 1 };
	r->others[r->n_others++] = (struct auth_other){ conn_ref(&second), &second_round };
	auth_lab_do(&lab, r);
	ck_assert_msg(r->ok, "%s", r->why.s);
	ck_assert_str_eq(r->conn->name, "second");
	ck_assert_msg(strstr(r->notice, "connection 'first': no attribute certificate that puts the peer into a group is known not to be revoked"),
		      "%s", r->notice);
	auth_lab_free(r);
	acert_unref(ac);
	buf_free(&of_root);
}
END_TEST

/* ---- ours ---- */

/* Those of the certificate that we send, as long as they are valid. */
START_TEST(test_sign)
{
	struct auth_request *s;
	struct acert *mine = made(NULL);

	auth_lab_own(&lab, moon);
	ck_assert(creds_set_add_acert(lab.creds, acert_ref(mine)));
	ck_assert(creds_set_add_acert(lab.creds, pki_acert_new(&(struct pki_acert_spec){ .holder = moon, .issuer = aa,
											  .not_after = PKI_NOW - 1 })));
	ck_assert(creds_set_add_acert(lab.creds, pki_acert_new(&(struct pki_acert_spec){ .holder = aa, .issuer = aa })));
	s = auth_lab_sign(&lab, "moon.test");
	auth_lab_do(&lab, s);
	ck_assert_msg(s->ok, "%s", s->why.s);
	ck_assert_uint_eq(s->n_ret_certs, 2);
	ck_assert_uint_eq(s->ret_certs[1].encoding, CERT_X509_ATTRIBUTE);
	ck_assert(bytes_equal(s->ret_certs[1].data, mine->der));
	auth_lab_free(s);
	lab.conn.send_cert = SEND_CERT_NEVER;
	s = auth_lab_sign(&lab, "moon.test");
	auth_lab_do(&lab, s);
	ck_assert_uint_eq(s->n_ret_certs, 0);
	auth_lab_free(s);
	acert_unref(mine);
}
END_TEST

/* More than a message is meant for are not sent. */
START_TEST(test_sign_many)
{
	struct auth_request *s;

	auth_lab_own(&lab, moon);
	for (size_t i = 0; i < 2 * LIMIT_ACERTS; i++)
		ck_assert(creds_set_add_acert(lab.creds, made(NULL)));
	s = auth_lab_sign(&lab, "moon.test");
	auth_lab_do(&lab, s);
	ck_assert_msg(s->ok, "%s", s->why.s);
	ck_assert_uint_eq(s->n_ret_certs, 1 + LIMIT_ACERTS);
	ck_assert_msg(s->notice && strstr(s->notice, "8 of our attribute certificates are not sent"), "%s", s->notice);
	auth_lab_free(s);
}
END_TEST

START_TEST(test_sign_large)
{
	static const char *groups[LIMIT_ACERT_GROUPS + 1];
	struct auth_request *s;
	size_t bytes = 0;

	for (size_t i = 0; i < LIMIT_ACERT_GROUPS; i++)
		groups[i] = "a group whose name is not short at all";
	auth_lab_own(&lab, moon);
	for (size_t i = 0; i < 3; i++)
		ck_assert(creds_set_add_acert(lab.creds, pki_acert_new(&(struct pki_acert_spec){ .holder = moon, .issuer = aa,
												  .groups = groups })));
	s = auth_lab_sign(&lab, "moon.test");
	auth_lab_do(&lab, s);
	ck_assert_msg(s->ok, "%s", s->why.s);
	for (size_t i = 1; i < s->n_ret_certs; i++)
		bytes += s->ret_certs[i].data.n;
	ck_assert_uint_eq(s->n_ret_certs, 3);
	ck_assert_uint_le(bytes, LIMIT_ACERTS_BYTES);
	ck_assert_msg(s->notice && strstr(s->notice, "1 of our attribute certificates are not sent"), "%s", s->notice);
	auth_lab_free(s);
}
END_TEST

Suite *suite_auth_groups(void)
{
	Suite *s = suite_create("auth/groups");
	TCase *t = tcase_create("groups");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_sent);
	tcase_add_test(t, test_loaded);
	tcase_add_test(t, test_not_asked);
	tcase_add_test(t, test_malformed);
	tcase_add_test(t, test_too_many);
	tcase_add_test(t, test_after_signature);
	tcase_add_test(t, test_connections);
	tcase_add_test(t, test_only_the_next_asks);
	tcase_add_test(t, test_connection_by_revocation);
	tcase_add_test(t, test_strict);
	tcase_add_test(t, test_not_known);
	tcase_add_test(t, test_revoked);
	tcase_add_test(t, test_ocsp);
	tcase_add_test(t, test_authority_revoked);
	tcase_add_test(t, test_later_crl);
	tcase_add_test(t, test_sign);
	tcase_add_test(t, test_sign_many);
	tcase_add_test(t, test_sign_large);
	suite_add_tcase(s, t);
	return s;
}

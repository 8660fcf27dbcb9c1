/* SPDX-License-Identifier: Apache-2.0 */
/* What else may come with a peer's certificate, and how our own identity is encoded. */
#include "auth/auth_identity.h"
#include "auth_lab.h"

static struct auth_lab lab;
static struct pki_cert *moon, *stranger;

static void setup(void)
{
	auth_lab_init(&lab);
	moon = pki_leaf(lab.ca, "CN=moon", "DNS:moon.test");
	stranger = pki_ca(NULL, "CN=stranger");
}

static void teardown(void)
{
	pki_cert_free(moon);
	pki_cert_free(stranger);
	auth_lab_clear(&lab);
}

/* RFC 4945, 3.3.10: CERTs that are of no known kind, broken, repeated, or of others. */
START_TEST(certificates)
{
	struct auth_request *r = auth_lab_verify(&lab, "moon.test", moon, NULL);

	auth_lab_add_cert(r, 200, bytes_str("what is this"));
	auth_lab_add_cert(r, CERT_X509_SIGNATURE, bytes_str("no certificate"));
	auth_lab_add_cert(r, CERT_X509_SIGNATURE, BYTES_NONE);
	auth_lab_add_cert(r, 7, bytes_str("no CRL")); /* RFC 4945, 3.3.4: is not looked at */
	auth_lab_add_cert(r, CERT_X509_SIGNATURE, stranger->cert->der);
	for (unsigned i = 0; i < 3; i++) {
		auth_lab_add_cert(r, CERT_X509_SIGNATURE, moon->cert->der);
		auth_lab_add_cert(r, CERT_X509_SIGNATURE, lab.ca->cert->der);
	}
	auth_lab_expect(&lab, r, NULL);
}
END_TEST

/* The same name in another type of string: C=CH as UTF8String, CN=moon as PrintableString. */
static const char other_form[] = "\x30\x1c\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x0c\x02" "CH"
				 "\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x13\x04" "moon";

static void is_sent_as(struct conn_round *round, const struct id *want)
{
	struct config *config = config_store_snapshot(lab.store);
	const struct id *got = auth_identity_as_certified(config, round);

	ck_assert_int_eq(got->type, want->type);
	ck_assert(bytes_equal(got->data, want->data));
	config_unref(config);
}

START_TEST(as_certified)
{
	struct pki_spec spec = { .subject_der = bytes_of(other_form, sizeof(other_form) - 1), .issuer = lab.root };
	struct pki_cert *c = pki_cert_new(&spec);
	struct conn_round round = { .auth = CONN_AUTH_PUBKEY };
	struct cert *list[] = { c->cert };
	struct id fqdn;

	ck_assert(id_parse(bytes_str("C=CH, CN=moon"), &round.id) && id_parse(bytes_str("moon.test"), &fqdn));
	ck_assert(id_equal(&round.id, &c->cert->subject) && !bytes_equal(round.id.data, c->cert->subject.data));
	is_sent_as(&round, &round.id);
	(void)creds_set_add_cert(lab.creds, cert_ref(c->cert), CERT_FLAG_NONE);
	is_sent_as(&round, &round.id); /* it may be a peer's: there is no key */
	auth_lab_own(&lab, c);
	is_sent_as(&round, &c->cert->subject);
	round.certs = list;
	round.n_certs = 1;
	is_sent_as(&round, &c->cert->subject);
	list[0] = moon->cert; /* with which the connection proves itself */
	is_sent_as(&round, &round.id);
	round.n_certs = 0;
	round.auth = CONN_AUTH_PSK;
	is_sent_as(&round, &round.id);
	id_free(&round.id);
	round = (struct conn_round){ .auth = CONN_AUTH_PUBKEY, .id = fqdn };
	is_sent_as(&round, &fqdn);
	id_free(&fqdn);
	pki_cert_free(c);
}
END_TEST

Suite *suite_auth_odd(void)
{
	Suite *s = suite_create("auth_odd");
	TCase *tc = tcase_create("auth_odd");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, certificates);
	tcase_add_test(tc, as_certified);
	suite_add_tcase(s, tc);
	return s;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "auth_test.h"
#include "pki_acert.h"
#include "util/mem.h"

static struct pki_cert *root, *moon, *sun;

static void setup(void)
{
	root = pki_ca(NULL, "CN=root");
	moon = pki_leaf(root, "CN=moon", NULL);
	sun = pki_leaf(root, "CN=sun", NULL);
}

static void teardown(void)
{
	pki_cert_free(root);
	pki_cert_free(moon);
	pki_cert_free(sun);
}

static void crl_is_bad(const struct pki_crl_spec *spec, const char *why)
{
	struct buf der = pki_crl_der(spec);
	struct errtext err = { "" };

	ck_assert(!crl_parse(buf_bytes(&der), &err));
	ck_assert_msg(strstr(err.s, why), "'%s' is not in: %s", why, err.s);
	buf_free(&der);
}

START_TEST(test_fields)
{
	const struct pki_cert *revoked[] = { moon, NULL };
	struct crl *c = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .revoked = revoked, .number = 0x1234 });

	ck_assert_str_eq(id_text(&c->issuer).s, "CN=root");
	ck_assert(bytes_equal(c->authority_key_id, root->cert->subject_key_id));
	ck_assert(bytes_equal(c->number, bytes_of("\x12\x34", 2)) && !c->base.n && !c->idp.n && !c->indirect);
	ck_assert_int_eq(c->this_update, PKI_NOW - 3600);
	ck_assert_int_eq(c->next_update, PKI_NOW + PKI_DAY);
	ck_assert_int_eq(c->signature.kind, SIG_ECDSA);
	ck_assert(crl_is_signed_by(c, root->cert) && !crl_is_signed_by(c, moon->cert));
	ck_assert(crl_covers(c, moon->cert) && crl_covers(c, root->cert));
	ck_assert(crl_revokes(c, moon->cert) && !crl_revokes(c, sun->cert));
	crl_unref(c);
}
END_TEST

START_TEST(test_signature)
{
	struct pki_cert *same = pki_ca(NULL, "CN=root");
	static const char *const no_crls[] = { "basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign", NULL };
	struct pki_cert *unfit = pki_cert_new(&(struct pki_spec){ .subject = "CN=root", .key = root->key, .extensions = no_crls });
	struct pki_cert *renamed = pki_cert_new(&(struct pki_spec){ .subject = "CN=root2", .key = root->key });
	struct crl *c = pki_crl_new(&(struct pki_crl_spec){ .issuer = root });
	struct crl *forged = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .signer = moon });

	ck_assert(!crl_is_signed_by(c, same->cert));
	ck_assert(!crl_is_signed_by(c, unfit->cert)); /* no cRLSign */
	ck_assert(!crl_is_signed_by(c, renamed->cert));
	ck_assert(!crl_is_signed_by(forged, root->cert));
	crl_unref(c);
	crl_unref(forged);
	pki_cert_free(same);
	pki_cert_free(unfit);
	pki_cert_free(renamed);
}
END_TEST

START_TEST(test_delta)
{
	const struct pki_cert *revoked[] = { moon, NULL };
	struct crl *delta = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .number = 5, .base = 4, .revoked = revoked, .reason = 8 });
	struct crl *full = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .number = 4 });

	ck_assert(bytes_equal(delta->base, bytes_of("\x04", 1)));
	ck_assert(!crl_revokes(delta, moon->cert)); /* removeFromCRL */
	ck_assert(!crl_is_newer(delta, full) && !crl_is_newer(full, delta));
	crl_unref(delta);
	crl_unref(full);
}
END_TEST

START_TEST(test_newer)
{
	struct pki_cert *other = pki_ca(NULL, "CN=other"), *same = pki_ca(NULL, "CN=root");
	struct crl *nine = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .number = 0xff, .this_update = PKI_NOW });
	struct crl *ten = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .number = 0x100, .this_update = PKI_NOW - 60 });
	struct crl *ten_later = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .number = 0x100, .this_update = PKI_NOW });
	struct crl *none = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .this_update = PKI_NOW - 30 });
	struct crl *of_other = pki_crl_new(&(struct pki_crl_spec){ .issuer = other, .number = 0x200 });
	struct crl *of_same = pki_crl_new(&(struct pki_crl_spec){ .issuer = same, .number = 0x200 });
	struct crl *all[] = { nine, ten, ten_later, none, of_other, of_same };

	ck_assert(crl_is_newer(ten, nine) && !crl_is_newer(nine, ten));
	ck_assert(crl_is_newer(ten_later, ten) && !crl_is_newer(ten, ten_later) && !crl_is_newer(ten, ten));
	ck_assert(crl_is_newer(none, ten) && !crl_is_newer(none, nine));
	ck_assert(!crl_is_newer(of_other, nine) && !crl_is_newer(of_same, nine));
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		crl_unref(all[i]);
	pki_cert_free(other);
	pki_cert_free(same);
}
END_TEST

/* RFC 4945, 5.1.3.13: the list of another distribution point says nothing of a certificate. */
START_TEST(test_distribution_point)
{
	static const char *const here[] = { "issuingDistributionPoint=critical,@idp", NULL };
	static const char *const cdp[] = { "crlDistributionPoints=URI:http://crl.example.org/1", NULL };
	static const char *const other_cdp[] = { "crlDistributionPoints=URI:http://crl.example.org/2", NULL };
	struct pki_cert *one = pki_cert_new(&(struct pki_spec){ .subject = "CN=one", .issuer = root, .extensions = cdp });
	struct pki_cert *two = pki_cert_new(&(struct pki_spec){ .subject = "CN=two", .issuer = root, .extensions = other_cdp });
	struct crl *c = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .number = 2, .extensions = here,
							    .conf = "[idp]\nfullname=URI:http://crl.example.org/1\n" });
	struct crl *whole = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .number = 1 });

	ck_assert(c->idp.n && !c->indirect);
	ck_assert(crl_covers(c, one->cert) && !crl_covers(c, two->cert) && !crl_covers(c, moon->cert));
	ck_assert(crl_covers(whole, one->cert) && crl_covers(whole, moon->cert));
	ck_assert(!crl_is_newer(c, whole));
	crl_unref(c);
	crl_unref(whole);
	pki_cert_free(one);
	pki_cert_free(two);
}
END_TEST

START_TEST(test_indirect)
{
	static const char *const confs[] = { "[idp]\nindirectCRL=TRUE\n", "[idp]\nonlyuser=TRUE\n", "[idp]\nonlyCA=TRUE\n", "[idp]\nonlysomereasons=keyCompromise\n" };
	static const char *const extensions[] = { "issuingDistributionPoint=critical,@idp", NULL };

	for (size_t i = 0; i < ARRAY_LEN(confs); i++) {
		struct crl *c = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .extensions = extensions, .conf = confs[i] });

		ck_assert_msg(c->indirect && !crl_covers(c, moon->cert), "%s", confs[i]);
		crl_unref(c);
	}
}
END_TEST

/* One of attribute certificates only says nothing of others; those of all kinds say it of them, too. */
START_TEST(test_attributes_only)
{
	static const char *const extensions[] = { "issuingDistributionPoint=critical,@idp", NULL };
	struct crl *only = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .extensions = extensions,
							       .conf = "[idp]\nonlyAA=TRUE\n" });
	struct crl *all = pki_crl_new(&(struct pki_crl_spec){ .issuer = root });
	struct acert *ac = pki_acert_new(&(struct pki_acert_spec){ .holder = moon, .issuer = root });

	ck_assert(only->attributes && !only->indirect && !all->attributes);
	ck_assert(!crl_covers(only, moon->cert) && crl_covers(only, ac->revocable));
	ck_assert(crl_covers(all, moon->cert) && crl_covers(all, ac->revocable));
	acert_unref(ac);
	crl_unref(only);
	crl_unref(all);
}
END_TEST

START_TEST(test_malformed)
{
	static const char *const critical[] = { "1.2.3.4=critical,DER:0500", NULL };
	static const char *const idp[] = { "2.5.29.28=critical,DER:0500", NULL };
	static const char *const number[] = { "2.5.29.20=DER:0500", NULL };
	static const char *const harmless[] = { "1.2.3.4=DER:0500", NULL };
	struct crl *c;

	crl_is_bad(&(struct pki_crl_spec){ .issuer = root, .extensions = critical }, "critical extension");
	crl_is_bad(&(struct pki_crl_spec){ .issuer = root, .extensions = idp }, "issuingDistributionPoint is malformed");
	crl_is_bad(&(struct pki_crl_spec){ .issuer = root, .extensions = number }, "number is malformed");
	c = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .extensions = harmless, .next_update = -1 });
	ck_assert_int_eq(c->next_update, 0);
	crl_unref(c);
}
END_TEST

START_TEST(test_truncated)
{
	const struct pki_cert *revoked[] = { moon, NULL };
	struct buf der = pki_crl_der(&(struct pki_crl_spec){ .issuer = root, .revoked = revoked, .number = 1 });
	struct errtext err = { "" };

	for (size_t n = 0; n < der.n; n++) {
		uint8_t *exact = n ? xmemdup(der.p, n) : NULL;

		ck_assert(!crl_parse(bytes_of(exact, n), &err));
		free(exact);
	}
	buf_add_u8(&der, 0);
	ck_assert(!crl_parse(buf_bytes(&der), &err));
	ck_assert(strstr(err.s, "something follows"));
	ck_assert(!crl_parse(root->cert->der, &err));
	ck_assert(strstr(err.s, "it is no X.509 CRL"));
	buf_free(&der);
}
END_TEST

Suite *suite_crl(void)
{
	const TTest *const tests[] = { test_fields, test_signature, test_delta, test_newer, test_distribution_point, test_indirect,
					test_attributes_only,
				       test_malformed, test_truncated };
	Suite *s = suite_create("crl");
	TCase *tc = tcase_create("crl");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < ARRAY_LEN(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}

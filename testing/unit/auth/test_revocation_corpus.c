/* SPDX-License-Identifier: Apache-2.0 */

#define LLVMFuzzerTestOneInput fuzz_revocation /* test_auth has another target, too */
#include "../../fuzz/fuzz_revocation.c"

#include "auth_test.h"
#include "testing/lib/corpus.h"

START_TEST(test_inputs)
{
	corpus_replay(&(struct corpus){ .folder = REVOCATION_CORPUS, .at_least = 8, .target = fuzz_revocation, .cut = 3, .change = 5 });
}
END_TEST

/* Bundles, by hand: what the corpus cannot say is what is right. */
START_TEST(test_bundles)
{
	struct pki_cert *ca = pki_ca(NULL, "CN=CA"), *leaf = pki_leaf(ca, "CN=leaf", NULL);
	struct cert *certs[2];
	struct buf body = { 0 }, bundle = { 0 };
	struct errtext err;
	uint8_t sha1[20];

	for (int i = 0; i < 3; i++) { /* one more than is taken */
		struct bytes der = i ? ca->cert->der : leaf->cert->der;

		buf_add_u8(&body, 0xa0);
		buf_add_u8(&body, 0x82);
		buf_add_u16(&body, (uint16_t)der.n);
		buf_add_bytes(&body, der);
	}
	buf_add(&body, "\xa1\x02\x05\x00", 4); /* a CRL, that is passed over */
	buf_add_u8(&bundle, 0x30);
	buf_add_u8(&bundle, 0x82);
	buf_add_u16(&bundle, (uint16_t)body.n);
	buf_add_bytes(&bundle, buf_bytes(&body));
	SHA1(bundle.p, bundle.n, sha1);
	ck_assert_uint_eq(cert_url_read(buf_bytes(&bundle), bytes_of(sha1, 20), true, 2, certs, &err), 2);
	ck_assert(cert_equal(certs[0], leaf->cert) && cert_equal(certs[1], ca->cert));
	cert_unref(certs[0]);
	cert_unref(certs[1]);
	ck_assert_uint_eq(cert_url_read(buf_bytes(&bundle), bytes_of(sha1, 20), false, 2, certs, &err), 0);
	for (size_t n = 0; n < bundle.n; n++) {
		SHA1(bundle.p, n, sha1);
		ck_assert_uint_eq(cert_url_read(bytes_of(bundle.p, n), bytes_of(sha1, 20), true, 2, certs, &err), 0);
	}
	buf_add_u8(&bundle, 0);
	SHA1(bundle.p, bundle.n, sha1);
	ck_assert_uint_eq(cert_url_read(buf_bytes(&bundle), bytes_of(sha1, 20), true, 2, certs, &err), 0);
	buf_free(&body);
	buf_free(&bundle);
	pki_cert_free(leaf);
	pki_cert_free(ca);
}
END_TEST

Suite *suite_revocation_corpus(void)
{
	Suite *s = suite_create("revocation_corpus");
	TCase *t = tcase_create("corpus");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_inputs);
	tcase_add_test(t, test_bundles);
	suite_add_tcase(s, t);
	return s;
}

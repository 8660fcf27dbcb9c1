/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>

#define LLVMFuzzerTestOneInput fuzz_revocation /* test_auth has another target, too */
#include "../../fuzz/fuzz_revocation.c"

#include "auth_test.h"

/* The input, cut at many places, and with changed octets: the target aborts where a property does not hold. */
static void replay(const char *path)
{
	struct buf data = { 0 };
	FILE *f = fopen(path, "rb");
	int c;

	ck_assert_msg(f, "%s", path);
	while ((c = fgetc(f)) != EOF)
		buf_add_u8(&data, (uint8_t)c);
	fclose(f);
	ck_assert_int_eq(fuzz_revocation(data.p, data.n), 0);
	for (size_t i = 1; i < data.n; i += 5) {
		data.p[i] ^= (uint8_t)(1 << i % 8);
		ck_assert_int_eq(fuzz_revocation(data.p, data.n), 0);
		data.p[i] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t n = 0; n < data.n; n += 3)
		ck_assert_int_eq(fuzz_revocation(data.p, n), 0);
	buf_free(&data);
}

START_TEST(test_inputs)
{
	DIR *d = opendir(REVOCATION_CORPUS);
	unsigned n = 0;

	ck_assert_msg(d, "%s", REVOCATION_CORPUS);
	for (struct dirent *e; (e = readdir(d)); n++) {
		char path[1024];

		if (e->d_name[0] == '.') {
			n--;
			continue;
		}
		snprintf(path, sizeof(path), "%s/%s", REVOCATION_CORPUS, e->d_name);
		replay(path);
	}
	closedir(d);
	ck_assert_uint_ge(n, 8);
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

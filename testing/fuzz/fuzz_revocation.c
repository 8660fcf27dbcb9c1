/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a letter that says what follows.
 *   o  a certificate and its issuer's, each after two octets of length, and an OCSP response
 *   u  data of a CERT payload with hash and URL
 *   b  a bundle of certificates
 * What is accepted says something, and says it again. The unit tests replay the corpus.
 */
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/cert_url.h"
#include "auth/revocation.h"
#include "fuzz.h"
#include "util/reader.h"

#define NOW INT64_C(1790000000)

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void try_ocsp(struct bytes data)
{
	struct reader r = reader_of(data);
	struct bytes first = reader_bytes(&r, reader_u16(&r)), second = reader_bytes(&r, reader_u16(&r)), response = reader_rest(&r);
	struct errtext err = { "" };
	struct cert *cert, *issuer;
	struct ocsp_answer a = { 0 }, again = { 0 };

	if (!reader_ok(&r))
		return;
	cert = cert_parse(first, &err);
	issuer = cert_parse(second, &err);
	if (cert && issuer) {
		struct ocsp_check check = { .cert = cert, .issuer = issuer, .now = NOW };

		err.s[0] = 0;
		if (ocsp_response_check(&check, response, &a, &err)) {
			require(a.status == CERT_STATUS_GOOD || a.status == CERT_STATUS_REVOKED);
			require(a.valid_until >= NOW);
			require(ocsp_response_check(&check, response, &again, &err) && again.status == a.status);
			require(ocsp_response_names(response, cert, issuer));
		} else {
			(void)ocsp_response_names(response, cert, issuer);
			require(err.s[0] != 0);
		}
	}
	if (cert)
		cert_unref(cert);
	if (issuer)
		cert_unref(issuer);
}

static void try_url(struct bytes data)
{
	struct arena arena = { 0 };
	struct errtext err = { "" };
	struct cert_url at;

	if (cert_url_parse(data, &arena, &at, &err)) {
		require(at.hash.n == CERT_URL_HASH && strlen(at.url) == data.n - CERT_URL_HASH);
		require(strncasecmp(at.url, "http", 4) == 0);
	} else {
		require(err.s[0] != 0);
	}
	arena_free(&arena);
}

static void try_bundle(struct bytes data)
{
	struct cert *certs[4];
	uint8_t sha1[20];
	struct errtext err = { "" };
	size_t n;

	SHA1(data.p, data.n, sha1);
	n = cert_url_read(data, bytes_of(sha1, 20), true, 4, certs, &err);
	require(n <= 4 && (n > 0 || err.s[0] != 0));
	while (n > 0)
		cert_unref(certs[--n]);
	sha1[0] ^= 1;
	require(cert_url_read(data, bytes_of(sha1, 20), true, 4, certs, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'o':
		try_ocsp(bytes_of(data + 1, size - 1));
		break;
	case 'u':
		try_url(bytes_of(data + 1, size - 1));
		break;
	case 'b':
		try_bundle(bytes_of(data + 1, size - 1));
		break;
	}
	return 0;
}

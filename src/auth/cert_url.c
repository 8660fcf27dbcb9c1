/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/cert_url.h"

#include <openssl/sha.h>
#include <strings.h>

#include "util/reader.h"

bool cert_url_parse(struct bytes data, struct arena *arena, struct cert_url *ret, struct errtext *err)
{
	struct reader r = reader_of(data);
	struct bytes hash = reader_bytes(&r, CERT_URL_HASH), url = reader_rest(&r);

	if (!reader_ok(&r) || url.n == 0 || url.n > CERT_URL_MAX) {
		errtext_set(err, "a hash and URL of a certificate is malformed");
		return false;
	}
	for (size_t i = 0; i < url.n; i++) {
		if (url.p[i] <= ' ' || url.p[i] >= 0x7f) {
			errtext_set(err, "a hash and URL of a certificate has characters that no URL has");
			return false;
		}
	}
	ret->hash = hash;
	ret->url = arena_printf(arena, "%.*s", (int)url.n, (const char *)url.p);
	if (strncasecmp(ret->url, "http://", 7) != 0 && strncasecmp(ret->url, "https://", 8) != 0) {
		errtext_set(err, "the peer's certificate would be at '%.200s': only http and https are taken from peers", ret->url);
		return false;
	}
	return true;
}

void cert_url_write(const struct cert *cert, const char *base, struct buf *ret)
{
	uint8_t sha1[CERT_URL_HASH];

	SHA1(cert->der.p, cert->der.n, sha1);
	buf_add(ret, sha1, sizeof(sha1));
	buf_add_str(ret, base);
	buf_add_hex(ret, bytes_of(sha1, sizeof(sha1)));
}

/* A definite length of up to three bytes, as short as possible (DER). */
static size_t der_length(struct reader *r)
{
	size_t first = reader_u8(r), n;

	if (first < 0x80)
		return first;
	if (first == 0x80 || first > 0x83) {
		r->bad = true;
		return 0;
	}
	n = (size_t)reader_uint(r, first - 0x80);
	if (n < 0x80 || (first == 0x82 && n < 0x100) || (first == 0x83 && n < 0x10000))
		r->bad = true;
	return n;
}

static struct bytes der_element(struct reader *r, uint8_t *ret_tag)
{
	*ret_tag = reader_u8(r);
	return reader_bytes(r, der_length(r));
}

/* CertificateBundle: SEQUENCE OF CHOICE { cert [0] EXPLICIT, crl [1] EXPLICIT } (RFC 7296, 3.6). */
static size_t bundle_read(struct bytes data, size_t max, struct cert **ret, struct errtext *err)
{
	struct reader outer = reader_of(data), r;
	uint8_t tag;
	struct bytes body = der_element(&outer, &tag);
	size_t n = 0;

	r = reader_of(body);
	errtext_set(err, "the bundle of certificates is malformed");
	if (!reader_done(&outer) || tag != 0x30)
		return 0;
	while (reader_ok(&r) && reader_left(&r) > 0) {
		struct bytes item = der_element(&r, &tag);

		if (!reader_ok(&r) || (tag != 0xa0 && tag != 0xa1))
			goto fail;
		if (tag == 0xa1 || n == max)
			continue;
		ret[n] = cert_parse(item, err);
		if (!ret[n])
			goto fail;
		n++;
	}
	if (!reader_ok(&r))
		goto fail;
	if (n == 0)
		errtext_set(err, "the bundle has no certificate");
	return n;
fail:
	while (n > 0)
		cert_unref(ret[--n]);
	return 0;
}

size_t cert_url_read(struct bytes data, struct bytes hash, bool bundle, size_t max, struct cert **ret, struct errtext *err)
{
	uint8_t sha1[CERT_URL_HASH];

	SHA1(data.p, data.n, sha1);
	if (!bytes_equal(bytes_of(sha1, sizeof(sha1)), hash)) {
		errtext_set(err, "what is there has not the hash that the peer said");
		return 0;
	}
	if (bundle)
		return bundle_read(data, max, ret, err);
	ret[0] = cert_parse(data, err);
	return ret[0] ? 1 : 0;
}

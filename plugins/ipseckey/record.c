/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include "util/mem.h"
#include "util/reader.h"

enum ipseckey_algorithm { IPSECKEY_NONE, IPSECKEY_DSA, IPSECKEY_RSA, IPSECKEY_ECDSA, IPSECKEY_EDDSA };
enum ipseckey_gateway { GATEWAY_NONE, GATEWAY_IPV4, GATEWAY_IPV6, GATEWAY_NAME };

#define DER_INTEGER 0x02
#define DER_BIT_STRING 0x03
#define DER_SEQUENCE 0x30
#define LABEL_MAX 63
#define NAME_MAX_BYTES 255

/* AlgorithmIdentifiers (RFC 3279, 5480, 8410). */
static const uint8_t alg_rsa[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };
static const uint8_t alg_p256[] = { 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
				    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const uint8_t alg_p384[] = { 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
				    0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const uint8_t alg_ed25519[] = { 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70 };
static const uint8_t alg_ed448[] = { 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71 };

/* Keys that are a point, told apart by their size. */
static const struct {
	uint8_t algorithm;
	uint8_t size;
	enum key_type type;
	bool uncompressed; /* the mark of it is not in the record */
	struct bytes id;
} points[] = {
	{ IPSECKEY_ECDSA, 64, KEY_ECDSA, true, { alg_p256, sizeof(alg_p256) } },
	{ IPSECKEY_ECDSA, 96, KEY_ECDSA, true, { alg_p384, sizeof(alg_p384) } },
	{ IPSECKEY_EDDSA, 32, KEY_ED25519, false, { alg_ed25519, sizeof(alg_ed25519) } },
	{ IPSECKEY_EDDSA, 57, KEY_ED448, false, { alg_ed448, sizeof(alg_ed448) } },
};

/* ---- DER ---- */

static void der_add(struct buf *b, uint8_t tag, struct bytes content)
{
	buf_add_u8(b, tag);
	if (content.n < 0x80) {
		buf_add_u8(b, (uint8_t)content.n);
	} else if (content.n < 0x100) {
		buf_add_u8(b, 0x81);
		buf_add_u8(b, (uint8_t)content.n);
	} else {
		buf_add_u8(b, 0x82); /* an RDATA has less than 64 KiB */
		buf_add_u16(b, (uint16_t)content.n);
	}
	buf_add_bytes(b, content);
}

/* A positive number without leading zeroes. */
static void der_add_number(struct buf *b, struct bytes number)
{
	struct buf content = { 0 };

	if (number.p[0] & 0x80)
		buf_add_u8(&content, 0);
	buf_add_bytes(&content, number);
	der_add(b, DER_INTEGER, buf_bytes(&content));
	buf_free(&content);
}

static void spki_add(struct buf *b, struct bytes algorithm, struct bytes key)
{
	struct buf bits = { 0 }, content = { 0 };

	buf_add_u8(&bits, 0); /* unused bits */
	buf_add_bytes(&bits, key);
	buf_add_bytes(&content, algorithm);
	der_add(&content, DER_BIT_STRING, buf_bytes(&bits));
	der_add(b, DER_SEQUENCE, buf_bytes(&content));
	buf_free(&bits);
	buf_free(&content);
}

/* ---- the record ---- */

/* RFC 3110, 2: the exponent's length in one byte or three, the exponent, the modulus. */
static bool rsa_spki(struct reader *r, struct buf *ret, struct errtext *err)
{
	size_t n = reader_u8(r);
	struct bytes exponent, modulus;
	struct buf numbers = { 0 }, key = { 0 };

	if (n == 0)
		n = reader_u16(r);
	exponent = reader_bytes(r, n);
	modulus = reader_rest(r);
	if (!reader_ok(r) || !exponent.n || !modulus.n || !exponent.p[0] || !modulus.p[0]) {
		errtext_set(err, "its RSA key is malformed");
		return false;
	}
	if (modulus.n > 16384 / 8 || exponent.n > modulus.n) {
		errtext_set(err, "its RSA key is too large");
		return false;
	}
	der_add_number(&numbers, modulus);
	der_add_number(&numbers, exponent);
	der_add(&key, DER_SEQUENCE, buf_bytes(&numbers));
	spki_add(ret, bytes_of(alg_rsa, sizeof(alg_rsa)), buf_bytes(&key));
	buf_free(&numbers);
	buf_free(&key);
	return true;
}

static bool point_spki(uint8_t algorithm, struct bytes point, struct buf *ret, enum key_type *ret_type, struct errtext *err)
{
	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		struct buf key = { 0 };

		if (points[i].algorithm != algorithm || points[i].size != point.n)
			continue;
		if (points[i].uncompressed)
			buf_add_u8(&key, 4);
		buf_add_bytes(&key, point);
		spki_add(ret, points[i].id, buf_bytes(&key));
		buf_free(&key);
		*ret_type = points[i].type;
		return true;
	}
	errtext_set(err, "its %s key has %zu bytes, which is no known curve's", algorithm == IPSECKEY_ECDSA ? "ECDSA" : "EdDSA", point.n);
	return false;
}

/* RFC 4025, 2.5: not compressed. Where the peer is comes from elsewhere, so it is skipped. */
static void gateway_skip(struct reader *r, unsigned type)
{
	size_t total = 0, n;

	switch (type) {
	case GATEWAY_NONE:
		return;
	case GATEWAY_IPV4:
		reader_skip(r, 4);
		return;
	case GATEWAY_IPV6:
		reader_skip(r, 16);
		return;
	case GATEWAY_NAME:
		do {
			n = reader_u8(r);
			reader_skip(r, n);
			total += 1 + n;
			if (n > LABEL_MAX || total > NAME_MAX_BYTES)
				r->bad = true;
		} while (n && reader_ok(r));
		return;
	default:
		r->bad = true;
	}
}

bool record_spki(struct bytes rdata, struct buf *ret, enum key_type *ret_type, struct errtext *err)
{
	struct reader r = reader_of(rdata);
	unsigned gateway, algorithm;

	reader_u8(&r); /* precedence: of gateways */
	gateway = reader_u8(&r);
	algorithm = reader_u8(&r);
	gateway_skip(&r, gateway);
	if (!reader_ok(&r)) {
		errtext_set(err, "the record is malformed");
		return false;
	}
	switch (algorithm) {
	case IPSECKEY_RSA:
		*ret_type = KEY_RSA;
		return rsa_spki(&r, ret, err);
	case IPSECKEY_ECDSA:
	case IPSECKEY_EDDSA:
		return point_spki((uint8_t)algorithm, reader_rest(&r), ret, ret_type, err);
	case IPSECKEY_NONE:
		errtext_set(err, "there is no key in it");
		return false;
	default:
		errtext_set(err, "its key is of algorithm %u, which is not supported", algorithm);
		return false;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/objects.h>

#include "crypto/key_internal.h"

/* Keys as the DNS has them: IPSECKEY (RFC 4025) and DNSKEY (RFC 4034). */

/* RFC 3110, 2: length of the exponent in one octet, or 0 and two; exponent; modulus. Leading zeroes are prohibited. */
static struct public_key *key_raw_rsa(struct bytes data, struct errtext *err)
{
	struct reader r = reader_of(data);
	size_t n_e = reader_u8(&r);
	struct bytes e, n;

	if (!n_e)
		n_e = reader_u16(&r);
	e = reader_bytes(&r, n_e);
	n = reader_rest(&r);
	if (!reader_ok(&r) || !e.n || !n.n || !e.p[0] || !n.p[0]) {
		errtext_set(err, "the RSA key is not in the format of RFC 3110");
		return NULL;
	}
	return public_key_from_rsa(n, e, err);
}

/* RFC 6605, 4: x | y */
static struct public_key *key_raw_ecdsa(struct bytes data, unsigned bits, struct errtext *err)
{
	const struct key_curve *curve = key_curve_by_nid(bits == 384 ? NID_secp384r1 : NID_X9_62_prime256v1);
	uint8_t point[1 + 2 * 48] = { 4 };

	if (data.n != 2 * (size_t)curve->len) {
		errtext_set(err, "the ECDSA key is not in the format of RFC 6605: %zu octets", data.n);
		return NULL;
	}
	memcpy(point + 1, data.p, data.n);
	return public_key_from_point(KEY_ECDSA, curve, bytes_of(point, 1 + data.n), err);
}

/* RFC 8080, 3 */
static struct public_key *key_raw_eddsa(struct bytes data, struct errtext *err)
{
	return public_key_from_point(data.n == 32 ? KEY_ED25519 : KEY_ED448, NULL, data, err);
}

struct public_key *public_key_parse_ipseckey(unsigned algorithm, struct bytes data, struct errtext *err)
{
	/* IANA's registry, begun by RFC 4025, 5; 3 is in the form of RFC 6605, 4 came with RFC 9373 */
	switch (algorithm) {
	case 1:
		errtext_set(err, "DSA keys are not supported");
		return NULL;
	case 2:
		return key_raw_rsa(data, err);
	case 3:
		return key_raw_ecdsa(data, data.n == 96 ? 384 : 256, err);
	case 4:
		return key_raw_eddsa(data, err);
	}
	errtext_set(err, "keys of algorithm %u of IPSECKEY are not supported", algorithm);
	return NULL;
}

struct public_key *public_key_parse_dnskey(struct bytes rdata, struct errtext *err)
{
	struct reader r = reader_of(rdata);
	unsigned protocol, algorithm;
	struct bytes data;

	(void)reader_u16(&r); /* flags say what it signs in the DNS */
	protocol = reader_u8(&r);
	algorithm = reader_u8(&r);
	data = reader_rest(&r);
	if (!reader_ok(&r) || protocol != 3) {
		errtext_set(err, "the DNSKEY data is malformed");
		return NULL;
	}
	switch (algorithm) {
	case 1: /* RSA with MD5, SHA-1, and so on: the key is the same */
	case 5:
	case 7:
	case 8:
	case 10:
		return key_raw_rsa(data, err);
	case 13:
	case 14:
		return key_raw_ecdsa(data, algorithm == 14 ? 384 : 256, err);
	case 15:
	case 16:
		if (data.n == (algorithm == 15 ? 32 : 57))
			return key_raw_eddsa(data, err);
		break;
	}
	errtext_set(err, "keys of algorithm %u of DNSKEY are not supported, or not of that length", algorithm);
	return NULL;
}

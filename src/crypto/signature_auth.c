/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key_internal.h"
#include "proto/iana.h"

/* Signatures in AUTH payloads: RFC 7427, 3; RFC 7296, 2.15; RFC 4754, 7. */

static struct result write_fixed(const struct key_curve *curve, struct bytes signature, struct buf *ret)
{
	static const uint8_t zeroes[66];
	struct bytes r, s;

	if (!ecdsa_der_read(signature, curve->len, &r, &s))
		return result_fail(RESULT_INVALID, "the key made no ECDSA signature");
	buf_add(ret, zeroes, curve->len - r.n);
	buf_add_bytes(ret, r);
	buf_add(ret, zeroes, curve->len - s.n);
	buf_add_bytes(ret, s);
	return result_ok();
}

/* Methods 9 to 11 are for one curve each, with one hash (RFC 4754, 3). */
static const struct key_curve *classic_curve(unsigned method, const struct public_key *k, unsigned *ret_hash)
{
	if (k->type != KEY_ECDSA || auth_method_of_curve(k->curve, ret_hash) != method)
		return NULL;
	return key_curve_by_nid(k->curve);
}

struct result auth_signature_write(unsigned method, const struct sig_scheme *s, const struct public_key *k, struct bytes signature,
				   struct buf *ret)
{
	struct bytes algorithm = sig_scheme_der(s);
	const struct key_curve *curve;
	unsigned hash;

	switch (method) {
	case AUTH_METHOD_SIGNATURE:
		if (!algorithm.n)
			return result_fail(RESULT_UNSUPPORTED, "a signature scheme that has no AlgorithmIdentifier");
		buf_add_u8(ret, (uint8_t)algorithm.n);
		buf_add_bytes(ret, algorithm);
		buf_add_bytes(ret, signature);
		return result_ok();
	case AUTH_METHOD_RSA:
		if (s->kind != SIG_RSA_PKCS1)
			return result_fail(RESULT_UNSUPPORTED, "authentication method 1 is RSA with PKCS#1 padding only");
		buf_add_bytes(ret, signature);
		return result_ok();
	case AUTH_METHOD_ECDSA_256:
	case AUTH_METHOD_ECDSA_384:
	case AUTH_METHOD_ECDSA_521:
		curve = classic_curve(method, k, &hash);
		if (!curve || s->kind != SIG_ECDSA || s->hash != hash)
			return result_fail(RESULT_UNSUPPORTED, "that authentication method is for another curve or hash");
		return write_fixed(curve, signature, ret);
	}
	return result_fail(RESULT_UNSUPPORTED, "the authentication method is none of signatures");
}

static struct result parse_digital(struct bytes data, const struct public_key *k, struct sig_scheme *ret_scheme,
				   struct bytes *ret_signature)
{
	struct reader r = reader_of(data);
	struct bytes algorithm = reader_bytes(&r, reader_u8(&r)), signature = reader_rest(&r);
	struct sig_scheme s;

	if (!reader_ok(&r) || !algorithm.n || !signature.n)
		return result_fail(RESULT_INVALID, "AUTH of method 14 is not an AlgorithmIdentifier and a signature");
	TRY(sig_scheme_parse(algorithm, &s));
	if (!sig_scheme_fits(&s, k))
		return result_fail(RESULT_INVALID, "the signature's algorithm does not fit the peer's key");
	*ret_scheme = s;
	*ret_signature = signature;
	return result_ok();
}

/* The hash is only said inside the signature. */
static struct result parse_rsa(struct bytes data, const struct public_key *k, struct sig_scheme *ret_scheme, struct bytes *ret_signature)
{
	unsigned hash;

	if (k->type != KEY_RSA || k->pss_only)
		return result_fail(RESULT_INVALID, "authentication method 1 is RSA, but the peer's key is not, or only for RSASSA-PSS");
	hash = pkcs1_hash_find(k, data);
	if (!hash)
		return result_fail(RESULT_AUTH, "the signature is not one of that RSA key");
	*ret_scheme = (struct sig_scheme){ SIG_RSA_PKCS1, (uint8_t)hash, 0 };
	*ret_signature = data;
	return result_ok();
}

static struct result parse_fixed(unsigned method, struct bytes data, const struct public_key *k, struct sig_scheme *ret_scheme,
				 struct buf *scratch, struct bytes *ret_signature)
{
	unsigned hash = 0;
	const struct key_curve *curve = classic_curve(method, k, &hash);
	struct buf in = { NULL, 0, 0 };

	if (!curve)
		return result_fail(RESULT_INVALID, "that authentication method is for a curve that is not the one of the peer's key");
	if (data.n != 2 * (size_t)curve->len)
		return result_fail(RESULT_INVALID, "the ECDSA signature has the wrong length (RFC 4754, 7)");
	der_add_unsigned(&in, bytes_of(data.p, curve->len));
	der_add_unsigned(&in, bytes_of(data.p + curve->len, curve->len));
	buf_reset(scratch);
	der_add(scratch, DER_SEQUENCE, buf_bytes(&in));
	buf_free(&in);
	*ret_scheme = (struct sig_scheme){ SIG_ECDSA, (uint8_t)hash, 0 };
	*ret_signature = buf_bytes(scratch);
	return result_ok();
}

struct result auth_signature_parse(unsigned method, struct bytes data, const struct public_key *k, struct sig_scheme *ret_scheme,
				   struct buf *scratch, struct bytes *ret_signature)
{
	switch (method) {
	case AUTH_METHOD_SIGNATURE:
		return parse_digital(data, k, ret_scheme, ret_signature);
	case AUTH_METHOD_RSA:
		return parse_rsa(data, k, ret_scheme, ret_signature);
	case AUTH_METHOD_ECDSA_256:
	case AUTH_METHOD_ECDSA_384:
	case AUTH_METHOD_ECDSA_521:
		return parse_fixed(method, data, k, ret_scheme, scratch, ret_signature);
	}
	return result_fail(RESULT_UNSUPPORTED, "the authentication method is none of signatures");
}

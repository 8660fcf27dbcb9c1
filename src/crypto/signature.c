/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/objects.h>

#include "crypto/key_internal.h"
#include "proto/iana.h"
#include "util/mem.h"

/* Signature schemes and their AlgorithmIdentifiers (RFC 7427, appendix A; RFC 4055; RFC 8420). */

#define DER(...) { (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }) }
#define PKCS1(n) 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, (n)
#define SHA2(n) 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, (n)
#define DER_PKCS1(n) DER(0x30, 0x0d, 0x06, 0x09, PKCS1(n), 0x05, 0x00)
#define DER_ECDSA(n) DER(0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, (n))
#define DER_PSS(hash, salt)                                                                                                      \
	DER(0x30, 0x46, 0x06, 0x09, PKCS1(10), 0x30, 0x39, 0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, SHA2(hash), 0x05, 0x00, 0xa1,     \
	    0x1c, 0x30, 0x1a, 0x06, 0x09, PKCS1(8), 0x30, 0x0d, 0x06, 0x09, SHA2(hash), 0x05, 0x00, 0xa2, 0x03, 0x02, 0x01,      \
	    (salt), 0xa3, 0x03, 0x02, 0x01, 0x01)

static const struct {
	struct sig_scheme scheme;
	const char *name;
	struct bytes der;
} schemes[] = {
	{ { SIG_RSA_PKCS1, HASH_SHA1, 0 }, "RSA_EMSA_PKCS1_SHA1", DER_PKCS1(5) },
	{ { SIG_RSA_PKCS1, HASH_SHA2_256, 0 }, "RSA_EMSA_PKCS1_SHA2_256", DER_PKCS1(11) },
	{ { SIG_RSA_PKCS1, HASH_SHA2_384, 0 }, "RSA_EMSA_PKCS1_SHA2_384", DER_PKCS1(12) },
	{ { SIG_RSA_PKCS1, HASH_SHA2_512, 0 }, "RSA_EMSA_PKCS1_SHA2_512", DER_PKCS1(13) },
	{ { SIG_RSA_PSS, HASH_SHA2_256, 32 }, "RSA_EMSA_PSS_SHA2_256", DER_PSS(1, 32) },
	{ { SIG_RSA_PSS, HASH_SHA2_384, 48 }, "RSA_EMSA_PSS_SHA2_384", DER_PSS(2, 48) },
	{ { SIG_RSA_PSS, HASH_SHA2_512, 64 }, "RSA_EMSA_PSS_SHA2_512", DER_PSS(3, 64) },
	{ { SIG_ECDSA, HASH_SHA1, 0 }, "ECDSA_WITH_SHA1_DER", DER(0x30, 9, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1) },
	{ { SIG_ECDSA, HASH_SHA2_256, 0 }, "ECDSA_WITH_SHA256_DER", DER_ECDSA(2) },
	{ { SIG_ECDSA, HASH_SHA2_384, 0 }, "ECDSA_WITH_SHA384_DER", DER_ECDSA(3) },
	{ { SIG_ECDSA, HASH_SHA2_512, 0 }, "ECDSA_WITH_SHA512_DER", DER_ECDSA(4) },
	{ { SIG_ED25519, HASH_IDENTITY, 0 }, "ED25519", DER(0x30, 5, 6, 3, 0x2b, 0x65, 112) },
	{ { SIG_ED448, HASH_IDENTITY, 0 }, "ED448", DER(0x30, 5, 6, 3, 0x2b, 0x65, 113) },
};

static const struct {
	unsigned hash;
	struct bytes oid;
} digests[] = {
	{ HASH_SHA2_256, DER(SHA2(1)) },
	{ HASH_SHA2_384, DER(SHA2(2)) },
	{ HASH_SHA2_512, DER(SHA2(3)) },
};

static const struct bytes oid_mgf1 = DER(PKCS1(8));

unsigned hash_len(unsigned hash)
{
	switch (hash) {
	case HASH_SHA1:
		return 20;
	case HASH_SHA2_256:
		return 32;
	case HASH_SHA2_384:
		return 48;
	case HASH_SHA2_512:
		return 64;
	}
	return 0;
}

static size_t scheme_find(const struct sig_scheme *s)
{
	size_t i = 0;

	while (i < ARRAY_LEN(schemes) && (schemes[i].scheme.kind != s->kind || schemes[i].scheme.hash != s->hash ||
					  schemes[i].scheme.salt_len != s->salt_len))
		i++;
	return i;
}

const char *sig_scheme_name(const struct sig_scheme *s)
{
	size_t i = scheme_find(s);

	return i < ARRAY_LEN(schemes) ? schemes[i].name : "(unknown scheme)";
}

struct bytes sig_scheme_der(const struct sig_scheme *s)
{
	size_t i = scheme_find(s);

	return i < ARRAY_LEN(schemes) ? schemes[i].der : BYTES_NONE;
}

/* ---- parsing ---- */

/* AlgorithmIdentifier of a hash. RFC 4055, 2.1 MUST: parameters absent and NULL are equivalent. 0: another one. */
static unsigned digest_read(struct reader *r)
{
	struct reader a = der_enter(r, DER_SEQUENCE);
	struct bytes oid = der_take(&a, DER_OID);
	bool odd = reader_left(&a) && der_take(&a, DER_NULL).n;

	if (odd || !reader_done(&a)) {
		r->bad = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(digests); i++) {
		if (bytes_equal(oid, digests[i].oid))
			return digests[i].hash;
	}
	return 0;
}

static unsigned mgf_read(struct reader *r)
{
	struct reader a = der_enter(r, DER_SEQUENCE);
	struct bytes oid = der_take(&a, DER_OID);
	unsigned hash = 0;

	if (bytes_equal(oid, oid_mgf1))
		hash = digest_read(&a);
	else
		return 0;
	if (!reader_done(&a))
		r->bad = true;
	return hash;
}

/* An INTEGER of one octet in that field; what is not there is `otherwise`. */
static unsigned pss_number(struct reader *r, unsigned field, unsigned otherwise)
{
	struct reader in;
	struct bytes v;

	if (!der_next_is(r, DER_CONTEXT(field)))
		return otherwise;
	in = der_enter(r, DER_CONTEXT(field));
	v = der_unsigned(&in);
	if (!reader_done(&in) || v.n > 1)
		r->bad = true;
	return v.n == 1 ? v.p[0] : 0;
}

static unsigned pss_hash(struct reader *r, unsigned field, unsigned (*read)(struct reader *r))
{
	struct reader in;
	unsigned hash;

	if (!der_next_is(r, DER_CONTEXT(field)))
		return HASH_SHA1; /* by default */
	in = der_enter(r, DER_CONTEXT(field));
	hash = read(&in);
	if (!reader_done(&in))
		r->bad = true;
	return hash;
}

struct result pss_parameters_read(struct reader *r, unsigned *ret_hash, unsigned *ret_salt_len)
{
	struct reader p = der_enter(r, DER_SEQUENCE);
	unsigned hash = pss_hash(&p, 0, digest_read), mgf = pss_hash(&p, 1, mgf_read);
	unsigned salt_len = pss_number(&p, 2, 20), trailer = pss_number(&p, 3, 1);

	if (!reader_done(&p) || !reader_done(r))
		return result_fail(RESULT_INVALID, "they are malformed");
	if (!hash || hash == HASH_SHA1)
		return result_fail(RESULT_UNSUPPORTED, "the hash is SHA-1 (the default), or none that is supported");
	if (mgf != hash)
		return result_fail(RESULT_UNSUPPORTED, "the mask's hash is not that of the signature");
	if (salt_len != hash_len(hash))
		return result_fail(RESULT_UNSUPPORTED, "the salt is not as long as the hash");
	if (trailer != 1)
		return result_fail(RESULT_INVALID, "the trailer field is not 1");
	*ret_hash = hash;
	*ret_salt_len = salt_len;
	return result_ok();
}

static struct result scheme_parse_pss(struct reader *parameters, struct sig_scheme *ret)
{
	unsigned hash, salt_len;

	if (!reader_left(parameters))
		return result_fail(RESULT_INVALID, "RSASSA-PSS without parameters");
	TRY(pss_parameters_read(parameters, &hash, &salt_len));
	*ret = (struct sig_scheme){ SIG_RSA_PSS, (uint8_t)hash, (uint8_t)salt_len };
	return result_ok();
}

/* The object identifier of one of ours: is it that, with other parameters? */
static bool scheme_has_oid(size_t i, struct bytes oid)
{
	struct reader r = reader_of(schemes[i].der), a = der_enter(&r, DER_SEQUENCE);

	return bytes_equal(der_take(&a, DER_OID), oid);
}

struct result sig_scheme_parse(struct bytes der, struct sig_scheme *ret)
{
	struct reader all = reader_of(der), a = der_enter(&all, DER_SEQUENCE);
	struct bytes oid;

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (bytes_equal(schemes[i].der, der)) {
			*ret = schemes[i].scheme;
			return result_ok();
		}
	}
	oid = der_take(&a, DER_OID);
	if (!reader_ok(&a) || !reader_done(&all) || !oid.n)
		return result_fail(RESULT_INVALID, "the signature's AlgorithmIdentifier is malformed");
	if (bytes_equal(oid, oid_rsa_pss))
		return scheme_parse_pss(&a, ret);
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (scheme_has_oid(i, oid))
			return result_fail(RESULT_INVALID, "the parameters of the signature's AlgorithmIdentifier are odd");
	}
	return result_fail(RESULT_UNSUPPORTED, "the signature's algorithm is not supported");
}

/* ---- keys and schemes ---- */

static bool rsa_fits(const struct sig_scheme *s, const struct public_key *k)
{
	size_t modulus = (k->bits + 7) / 8, em = (k->bits + 6) / 8, hash = hash_len(s->hash);

	if (k->type != KEY_RSA)
		return false;
	if (s->kind == SIG_RSA_PKCS1)
		return !k->pss_only && modulus >= hash + 19 + 11; /* RFC 8017, 9.2 */
	return (!k->pss_hash || k->pss_hash == s->hash) && em >= hash + s->salt_len + 2; /* 9.1.1 */
}

bool sig_scheme_fits(const struct sig_scheme *s, const struct public_key *k)
{
	if (scheme_find(s) == ARRAY_LEN(schemes))
		return false;
	switch ((enum sig_kind)s->kind) {
	case SIG_RSA_PKCS1:
	case SIG_RSA_PSS:
		return rsa_fits(s, k);
	case SIG_ECDSA:
		return k->type == KEY_ECDSA;
	case SIG_ED25519:
		return k->type == KEY_ED25519;
	case SIG_ED448:
		return k->type == KEY_ED448;
	case SIG_NONE:
		break;
	}
	return false;
}

/* The hash that is as strong as the key; then stronger ones, then weaker ones. */
static unsigned hash_by_strength(const struct public_key *k, size_t nth)
{
	static const uint8_t orders[3][3] = {
		{ HASH_SHA2_256, HASH_SHA2_384, HASH_SHA2_512 },
		{ HASH_SHA2_384, HASH_SHA2_512, HASH_SHA2_256 },
		{ HASH_SHA2_512, HASH_SHA2_384, HASH_SHA2_256 },
	};
	unsigned middle = k->type == KEY_RSA ? 3072 : 256, high = k->type == KEY_RSA ? 7680 : 384;

	return nth == 3 ? HASH_SHA1 : orders[(k->bits > middle) + (k->bits > high)][nth];
}

/* Appends what the key can make of that kind with those hashes. */
static size_t list_kind(const struct public_key *k, unsigned hashes, uint8_t kind, struct sig_scheme *ret)
{
	size_t n = 0;

	for (size_t i = 0; i <= 3; i++) {
		struct sig_scheme s = { kind, (uint8_t)hash_by_strength(k, i), 0 };

		s.salt_len = kind == SIG_RSA_PSS ? (uint8_t)hash_len(s.hash) : 0;
		if ((hashes & HASH_BIT(s.hash)) && sig_scheme_fits(&s, k))
			ret[n++] = s;
	}
	return n;
}

static size_t list_schemes(const struct public_key *k, unsigned hashes, bool pss, struct sig_scheme *ret)
{
	size_t n;

	if (k->type == KEY_ED25519 || k->type == KEY_ED448) {
		*ret = (struct sig_scheme){ k->type == KEY_ED25519 ? SIG_ED25519 : SIG_ED448, HASH_IDENTITY, 0 };
		return hashes & HASH_BIT(HASH_IDENTITY) ? 1 : 0;
	}
	if (k->type == KEY_ECDSA)
		return list_kind(k, hashes, SIG_ECDSA, ret);
	pss |= k->pss_only;
	n = list_kind(k, hashes, pss ? SIG_RSA_PSS : SIG_RSA_PKCS1, ret);
	return k->pss_only || n == 0 ? n : n + list_kind(k, hashes, pss ? SIG_RSA_PKCS1 : SIG_RSA_PSS, ret + n);
}

unsigned auth_method_of_curve(int nid, unsigned *ret_hash)
{
	switch (nid) {
	case NID_X9_62_prime256v1:
		*ret_hash = HASH_SHA2_256;
		return AUTH_METHOD_ECDSA_256;
	case NID_secp384r1:
		*ret_hash = HASH_SHA2_384;
		return AUTH_METHOD_ECDSA_384;
	case NID_secp521r1:
		*ret_hash = HASH_SHA2_512;
		return AUTH_METHOD_ECDSA_521;
	}
	return 0;
}

/* Before RFC 7427. SHA-1 only where it is asked for, and then first: RFC 7296, 2.15 has it as the default of method 1. */
static size_t list_classic(const struct public_key *k, unsigned hashes, struct sig_scheme *ret, unsigned *ret_method)
{
	unsigned hash = 0;

	if (k->type == KEY_ECDSA) {
		*ret_method = auth_method_of_curve(k->curve, &hash);
		*ret = (struct sig_scheme){ SIG_ECDSA, (uint8_t)hash, 0 };
		return *ret_method && (hashes & HASH_BIT(hash)) ? 1 : 0;
	}
	if (k->type != KEY_RSA || k->pss_only)
		return 0;
	*ret_method = AUTH_METHOD_RSA;
	if (!(hashes & HASH_BIT(HASH_SHA1)))
		return list_kind(k, hashes, SIG_RSA_PKCS1, ret);
	*ret = (struct sig_scheme){ SIG_RSA_PKCS1, HASH_SHA1, 0 };
	return 1 + list_kind(k, hashes & ~HASH_BIT(HASH_SHA1), SIG_RSA_PKCS1, ret + 1);
}

size_t sig_scheme_list(const struct public_key *k, unsigned peer_hashes, unsigned allowed_hashes, bool pss,
		       struct sig_scheme ret[SIG_SCHEMES_MAX], unsigned *ret_method)
{
	unsigned allowed = allowed_hashes ? allowed_hashes : SIG_HASHES;

	/* who has no RFC 7427 takes method 1 with SHA-1, and nothing else of RSA */
	if (!peer_hashes && !allowed_hashes)
		allowed |= HASH_BIT(HASH_SHA1);
	/* RFC 7427, 3 MUST: method 14 when both have sent SIGNATURE_HASH_ALGORITHMS */
	*ret_method = AUTH_METHOD_SIGNATURE;
	return peer_hashes ? list_schemes(k, peer_hashes & allowed, pss, ret) : list_classic(k, allowed, ret, ret_method);
}

bool sig_scheme_choose(const struct public_key *k, unsigned peer_hashes, unsigned allowed_hashes, bool pss,
		       struct sig_scheme *ret_scheme, unsigned *ret_method)
{
	struct sig_scheme all[SIG_SCHEMES_MAX];
	unsigned method;

	if (sig_scheme_list(k, peer_hashes, allowed_hashes, pss, all, &method) == 0)
		return false;
	*ret_scheme = all[0];
	*ret_method = method;
	return true;
}

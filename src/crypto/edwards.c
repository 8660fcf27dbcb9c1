/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/bn.h>

#include "crypto/key_internal.h"

/*
 * Public keys of Ed25519 and Ed448 (RFC 8032). OpenSSL takes any octets for one and only notices when a signature is verified; with a
 * point of small order everybody can make signatures.
 */
struct edwards {
	size_t len;
	unsigned char sign_octet_mask; /* bits of the last octet that belong to y */
	const char *p, *d;	       /* a * x^2 + y^2 = 1 + d * x^2 * y^2 over GF(p) */
	int a;
};

static const struct edwards ed25519 = {
	32, 0x7f, "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed",
	"52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3", -1,
};
static const struct edwards ed448 = {
	57, 0x00,
	"fffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"fffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffff6756", 1,
};

/* y^2 - 1 and d * y^2 - a, whose quotient is x^2 */
static bool edwards_u_v(const struct edwards *e, const BIGNUM *p, const BIGNUM *y, BIGNUM *u, BIGNUM *v, BN_CTX *ctx)
{
	BIGNUM *d = BN_CTX_get(ctx);

	return d && BN_hex2bn(&d, e->d) && BN_mod_sqr(u, y, p, ctx) && BN_mod_mul(v, u, d, p, ctx) &&
	       BN_sub_word(u, 1) && (e->a < 0 ? BN_add_word(v, 1) : BN_sub_word(v, 1));
}

/*
 * The cofactors are 8 and 4. Of order 1 or 2 are y = 1 and -1 (u = 0); of order 4 is y = 0; of order 8, on Ed25519 only, are those
 * whose double has y = 0, that is y^2 = a * x^2.
 */
static struct result edwards_point_judge(const struct edwards *e, const BIGNUM *y, BN_CTX *ctx)
{
	BIGNUM *p = BN_CTX_get(ctx), *u = BN_CTX_get(ctx), *v = BN_CTX_get(ctx), *t = BN_CTX_get(ctx);
	int square;

	if (!t || !BN_hex2bn(&p, e->p))
		return result_fail(RESULT_CRYPTO, "cannot be checked");
	if (BN_cmp(y, p) >= 0)
		return result_fail(RESULT_INVALID, "is out of range");
	if (!edwards_u_v(e, p, y, u, v, ctx) || !BN_nnmod(u, u, p, ctx) || !BN_nnmod(v, v, p, ctx) ||
	    !BN_mod_sqr(t, y, p, ctx) || !BN_mod_mul(t, t, v, p, ctx))
		return result_fail(RESULT_CRYPTO, "cannot be checked");
	/* t = y^2 * v; of order 8: u = x^2 * v = -t */
	if (e->a < 0 && !BN_mod_sub(t, p, t, p, ctx))
		return result_fail(RESULT_CRYPTO, "cannot be checked");
	if (BN_is_zero(y) || BN_is_zero(u) || (e->a < 0 && BN_cmp(t, u) == 0))
		return result_fail(RESULT_INVALID, "is a point of small order: it proves nothing");
	if (!BN_mod_mul(t, u, v, p, ctx) || (square = BN_kronecker(t, p, ctx)) < -1)
		return result_fail(RESULT_CRYPTO, "cannot be checked");
	return square >= 0 ? result_ok() : result_fail(RESULT_INVALID, "is not on its curve");
}

struct result edwards_point_check(bool small, struct bytes point)
{
	const struct edwards *e = small ? &ed25519 : &ed448;
	uint8_t le[57];
	BN_CTX *ctx;
	BIGNUM *y;
	struct result r = result_fail(RESULT_CRYPTO, "cannot be checked");

	if (point.n != e->len)
		return result_fail(RESULT_INVALID, "has the wrong length");
	memcpy(le, point.p, e->len);
	/* RFC 8032, 5.2.2: the last octet of Ed448 is the sign only */
	if (!small && (le[56] & 0x7f))
		return result_fail(RESULT_INVALID, "is out of range");
	le[e->len - 1] &= e->sign_octet_mask;
	ctx = BN_CTX_new();
	y = BN_lebin2bn(le, (int)e->len, NULL);
	if (ctx && y) {
		BN_CTX_start(ctx);
		r = edwards_point_judge(e, y, ctx);
		BN_CTX_end(ctx);
	}
	BN_free(y);
	BN_CTX_free(ctx);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/bn.h>
#include <openssl/rsa.h>
#include <pthread.h>

#include "crypto/key_internal.h"

/* Making and checking signatures. */

static EVP_MD *mds[HASH_SHA2_512 + 1];

/* For the life of the process. Without that each signature would look it up by name. */
static void hash_fetch_all(void)
{
	static const char *const names[HASH_SHA2_512 + 1] = { NULL, "SHA1", "SHA256", "SHA384", "SHA512" };

	for (unsigned i = HASH_SHA1; i <= HASH_SHA2_512; i++)
		mds[i] = EVP_MD_fetch(NULL, names[i], NULL);
}

const EVP_MD *hash_md(unsigned hash)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, hash_fetch_all);
	return hash <= HASH_SHA2_512 ? mds[hash] : NULL;
}

bool hash_parts(unsigned hash, const struct bytes *parts, size_t n_parts, uint8_t out[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = hash_md(hash);
	bool ok = ctx && md && EVP_DigestInit_ex2(ctx, md, NULL);

	for (size_t i = 0; ok && i < n_parts; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n);
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* The parts as one; *own is to be freed. */
static struct bytes parts_join(const struct bytes *parts, size_t n_parts, struct buf *own)
{
	if (n_parts == 1)
		return parts[0];
	for (size_t i = 0; i < n_parts; i++)
		buf_add_bytes(own, parts[i]);
	return buf_bytes(own);
}

/* Padding as the scheme has it. ctx is initialised for signing or verifying. */
static bool ctx_set_scheme(EVP_PKEY_CTX *ctx, const struct sig_scheme *s)
{
	const EVP_MD *md = hash_md(s->hash);

	if (s->kind == SIG_RSA_PKCS1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) <= 0)
		return false;
	if (s->kind == SIG_RSA_PSS &&
	    (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) <= 0 || EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) <= 0 ||
	     EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, s->salt_len) <= 0))
		return false;
	return EVP_PKEY_CTX_set_signature_md(ctx, md) > 0;
}

/* ---- signing ---- */

static bool sign_digest(EVP_PKEY *evp, const struct sig_scheme *s, const struct bytes *parts, size_t n_parts, struct buf *ret)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t n = (size_t)EVP_PKEY_get_size(evp), before = ret->n;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(evp, NULL);
	bool ok;

	ok = ctx && hash_parts(s->hash, parts, n_parts, digest) && EVP_PKEY_sign_init(ctx) > 0 && ctx_set_scheme(ctx, s) &&
	     EVP_PKEY_sign(ctx, buf_extend(ret, n), &n, digest, hash_len(s->hash)) > 0;
	ret->n = ok ? before + n : before;
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static bool sign_whole(EVP_PKEY *evp, const struct bytes *parts, size_t n_parts, struct buf *ret)
{
	size_t n = (size_t)EVP_PKEY_get_size(evp), before = ret->n;
	struct buf own = { NULL, 0, 0 };
	struct bytes all = parts_join(parts, n_parts, &own);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, evp) > 0 &&
		  EVP_DigestSign(ctx, buf_extend(ret, n), &n, all.p, all.n) > 0;

	ret->n = ok ? before + n : before;
	EVP_MD_CTX_free(ctx);
	buf_free(&own);
	return ok;
}

bool memory_sign(EVP_PKEY *evp, const struct public_key *k, const struct sig_scheme *s, const struct bytes *parts, size_t n_parts,
		 struct buf *ret, struct errtext *err)
{
	bool ok = s->hash == HASH_IDENTITY ? sign_whole(evp, parts, n_parts, ret) : sign_digest(evp, s, parts, n_parts, ret);

	if (!ok)
		errtext_set(err, "signing with the %s key failed: %s", public_key_text(k).s, openssl_why());
	return ok;
}

/* ---- verifying ---- */

static struct result not_of_key(void)
{
	return result_fail(RESULT_AUTH, "the signature is not of that key and data");
}

struct bytes pkcs1_digest_info(unsigned hash)
{
	static const uint8_t sha1[] = { 0x30, 0x21, 0x30, 9, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0, 4, 20 };
	static const uint8_t sha2[3][19] = {
		{ 0x30, 0x31, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 32 },
		{ 0x30, 0x41, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0, 4, 48 },
		{ 0x30, 0x51, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0, 4, 64 },
	};

	if (hash == HASH_SHA1)
		return bytes_of(sha1, sizeof(sha1));
	return bytes_of(sha2[hash - HASH_SHA2_256], sizeof(sha2[0]));
}

/* What the signature is of, padding and all, in ret (of the modulus' length). */
static struct result rsa_recover(const struct public_key *k, struct bytes signature, struct buf *ret)
{
	size_t n = (k->bits + 7) / 8, n_out = n;
	EVP_PKEY_CTX *ctx;
	bool ok;

	if (signature.n != n)
		return result_fail(RESULT_INVALID, "the RSA signature is not as long as the modulus");
	ctx = EVP_PKEY_CTX_new(k->evp, NULL);
	ok = ctx && EVP_PKEY_encrypt_init(ctx) > 0 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) > 0 &&
	     EVP_PKEY_encrypt(ctx, buf_extend(ret, n), &n_out, signature.p, signature.n) > 0 && n_out == n;
	EVP_PKEY_CTX_free(ctx);
	(void)openssl_why();
	return ok ? result_ok() : not_of_key(); /* not below the modulus */
}

/* Everything in front of the digest, as it has to be: 0, 1, at least eight 0xff, 0, DigestInfo. */
static bool pkcs1_head_is(struct bytes em, unsigned hash)
{
	struct bytes info = pkcs1_digest_info(hash);
	size_t tail = info.n + hash_len(hash), pad;

	if (em.n < tail + 11 || em.p[0] != 0 || em.p[1] != 1)
		return false;
	pad = em.n - tail - 3;
	for (size_t i = 0; i < pad; i++) {
		if (em.p[2 + i] != 0xff)
			return false;
	}
	return em.p[2 + pad] == 0 && memcmp(em.p + 3 + pad, info.p, info.n) == 0;
}

/* RFC 8017, 8.2.2: what should be there is compared, nothing is parsed. */
static struct result verify_pkcs1(const struct public_key *k, const struct sig_scheme *s, const uint8_t *digest, struct bytes signature)
{
	struct buf em = { NULL, 0, 0 };
	struct result r = rsa_recover(k, signature, &em);
	size_t n = hash_len(s->hash);

	if (result_is_ok(r) && (!pkcs1_head_is(buf_bytes(&em), s->hash) || memcmp(em.p + em.n - n, digest, n) != 0))
		r = not_of_key();
	buf_free(&em);
	return r;
}

unsigned pkcs1_hash_find(const struct public_key *k, struct bytes signature)
{
	struct buf em = { NULL, 0, 0 };
	unsigned found = 0;

	if (result_is_ok(rsa_recover(k, signature, &em))) {
		for (unsigned hash = HASH_SHA1; hash <= HASH_SHA2_512; hash++) {
			if (pkcs1_head_is(buf_bytes(&em), hash))
				found = hash;
		}
	}
	buf_free(&em);
	return found;
}

/* Two positive INTEGERs, not longer than the curve's order, in minimal DER, and nothing else. */
bool ecdsa_der_read(struct bytes der, unsigned len, struct bytes *ret_r, struct bytes *ret_s)
{
	struct reader all = reader_of(der), in = der_enter(&all, DER_SEQUENCE);

	*ret_r = der_unsigned(&in);
	*ret_s = der_unsigned(&in);
	return reader_done(&in) && reader_done(&all) && ret_r->n && ret_s->n && ret_r->n <= len && ret_s->n <= len;
}

static struct result verify_digest(const struct public_key *k, const struct sig_scheme *s, const uint8_t *digest, struct bytes signature)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->evp, NULL);
	int verified = -1;

	if (ctx && EVP_PKEY_verify_init(ctx) > 0 && ctx_set_scheme(ctx, s))
		verified = EVP_PKEY_verify(ctx, signature.p, signature.n, digest, hash_len(s->hash));
	EVP_PKEY_CTX_free(ctx);
	(void)openssl_why();
	return verified == 1 ? result_ok() : not_of_key(); /* below 0 is an error, and no yes */
}

static struct result verify_whole(const struct public_key *k, const struct bytes *parts, size_t n_parts, struct bytes signature)
{
	struct buf own = { NULL, 0, 0 };
	struct bytes all = parts_join(parts, n_parts, &own);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int verified = -1;

	if (ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->evp) > 0)
		verified = EVP_DigestVerify(ctx, signature.p, signature.n, all.p, all.n);
	EVP_MD_CTX_free(ctx);
	buf_free(&own);
	(void)openssl_why();
	return verified == 1 ? result_ok() : not_of_key();
}

static struct result signature_form_check(const struct public_key *k, const struct sig_scheme *s, struct bytes signature)
{
	struct bytes r, t;

	switch ((enum sig_kind)s->kind) {
	case SIG_RSA_PKCS1:
	case SIG_RSA_PSS:
		if (signature.n != (k->bits + 7) / 8)
			return result_fail(RESULT_INVALID, "the RSA signature is not as long as the modulus");
		break;
	case SIG_ECDSA:
		if (!ecdsa_der_read(signature, key_curve_by_nid(k->curve)->len, &r, &t))
			return result_fail(RESULT_INVALID, "the ECDSA signature is not two numbers in strict DER, or one is out of range");
		break;
	case SIG_ED25519:
	case SIG_ED448:
		if (signature.n != (k->type == KEY_ED25519 ? 64 : 114))
			return result_fail(RESULT_INVALID, "the Edwards signature has the wrong length");
		break;
	case SIG_NONE:
		break;
	}
	return result_ok();
}

struct result public_key_verify(const struct public_key *k, const struct sig_scheme *s, const struct bytes *parts, size_t n_parts,
				struct bytes signature)
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (!sig_scheme_fits(s, k))
		return result_fail(RESULT_UNSUPPORTED, "a key of that type and size does not make signatures of that scheme");
	TRY(signature_form_check(k, s, signature));
	if (s->hash == HASH_IDENTITY)
		return verify_whole(k, parts, n_parts, signature);
	if (!hash_parts(s->hash, parts, n_parts, digest))
		return result_fail(RESULT_CRYPTO, "hashing what is signed failed");
	return s->kind == SIG_RSA_PKCS1 ? verify_pkcs1(k, s, digest, signature) : verify_digest(k, s, digest, signature);
}

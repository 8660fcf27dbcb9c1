/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x509_data.h"

#include <time.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>

#include "crypto/der.h"
#include "proto/id.h"
#include "util/hash.h"

/* ---- PEM */

static bool pem_is(struct bytes label, const void *wanted)
{
	return bytes_equal(label, bytes_str(wanted));
}

static bool pem_der(struct arena *a, struct bytes text, const char *label, struct bytes *ret_der, struct errtext *err)
{
	struct bytes found, rest;
	struct buf der = { 0 }, more = { 0 };
	bool ok = false;

	switch (pem_decode(text, pem_is, label, &der, &found, &rest)) {
	case PEM_NONE:
		errtext_set(err, "it is neither DER nor PEM of a%s %s", strchr("X", *label) ? "n" : "", label);
		break;
	case PEM_OTHER:
		errtext_set(err, "it is neither DER nor PEM of a%s %s, but PEM of %s", strchr("X", *label) ? "n" : "", label,
			    pem_other_text(found).s);
		break;
	case PEM_BAD:
		errtext_set(err, "the PEM of the %s is malformed", label);
		break;
	case PEM_FOUND:
		ok = pem_decode(rest, pem_is, label, &more, &found, NULL) != PEM_FOUND;
		if (ok)
			*ret_der = bytes_of(arena_dup(a, der.p, der.n), der.n);
		else
			errtext_set(err, "it has more than one %s: each needs a file of its own", label);
		break;
	}
	buf_free(&der);
	buf_free(&more);
	return ok;
}

bool x509_data_der(struct arena *a, struct bytes data, const char *label, size_t limit, struct bytes *ret_der,
		   struct errtext *err)
{
	struct bytes der = data;

	if (data.n > 2 * limit + 65536) {
		errtext_set(err, "it is larger than %zu bytes", limit);
		return false;
	}
	if (!data.n || data.p[0] != 0x30 /* SEQUENCE */) {
		if (!pem_der(a, data, label, &der, err))
			return false;
	} else {
		der.p = arena_dup(a, data.p, data.n);
	}
	if (der.n > limit) {
		errtext_set(err, "it is larger than %zu bytes", limit);
		return false;
	}
	*ret_der = der;
	return true;
}

/* ---- values */

bool x509_time(const ASN1_TIME *t, int64_t *ret_time)
{
	struct tm tm;
	bool ok;

	ERR_set_mark();
	ok = t && ASN1_TIME_to_tm(t, &tm) == 1;
	ERR_pop_to_mark();
	if (ok)
		*ret_time = timegm(&tm);
	return ok;
}

struct bytes x509_octets(struct arena *a, const ASN1_OCTET_STRING *s)
{
	size_t n = s ? (size_t)ASN1_STRING_length(s) : 0;

	return n ? bytes_of(arena_dup(a, ASN1_STRING_get0_data(s), n), n) : BYTES_NONE;
}

/* OpenSSL keeps the absolute value. */
struct bytes x509_integer(struct arena *a, const ASN1_INTEGER *i)
{
	unsigned char *der = NULL;
	int len = i ? i2d_ASN1_INTEGER(i, &der) : 0;
	struct bytes value = BYTES_NONE;
	size_t skip = 2;

	if (len < 2 || (der[1] & 0x80 && len < 2 + (der[1] & 0x7f))) {
		OPENSSL_free(der);
		return value;
	}
	if (der[1] & 0x80)
		skip += der[1] & 0x7f;
	while (skip < (size_t)len && !der[skip])
		skip++;
	if (skip < (size_t)len)
		value = bytes_of(arena_dup(a, der + skip, (size_t)len - skip), (size_t)len - skip);
	OPENSSL_free(der);
	return value;
}

struct id x509_name(struct arena *a, const X509_NAME *name)
{
	struct id id = { ID_TYPE_DER_ASN1_DN, BYTES_NONE };
	const unsigned char *der;
	size_t n;

	if (name && X509_NAME_get0_der(name, &der, &n) == 1)
		id.data = bytes_of(arena_dup(a, der, n), n);
	return id;
}

uint64_t x509_name_hash(const struct id *dn)
{
	/* Peers gain nothing by names of one hash: nothing that they send is kept in a table by it. */
	static const struct hash_key key = { 0x78353039, 0x6e616d65 };
	struct buf normal = { 0 };
	uint64_t hash;

	(void)id_hash_bytes(dn, &normal);
	hash = hash_bytes(&key, buf_bytes(&normal));
	buf_free(&normal);
	return hash;
}

/* ---- signature algorithms */

static const struct hash_row {
	int nid;
	uint8_t hash, len;
} hashes[] = {
	{ NID_sha1, HASH_SHA1, 20 },
	{ NID_sha256, HASH_SHA2_256, 32 },
	{ NID_sha384, HASH_SHA2_384, 48 },
	{ NID_sha512, HASH_SHA2_512, 64 },
};

static struct sig_scheme scheme_of(enum sig_kind kind, int md_nid)
{
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (hashes[i].nid == md_nid)
			return (struct sig_scheme){ (uint8_t)kind, hashes[i].hash, kind == SIG_RSA_PSS ? hashes[i].len : 0 };
	}
	return (struct sig_scheme){ SIG_NONE, 0, 0 };
}

static struct sig_scheme scheme_pss(const X509_ALGOR *algorithm)
{
	RSA_PSS_PARAMS *pss = NULL;
	int md = NID_undef;

	ERR_set_mark();
	if (algorithm->parameter)
		pss = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(RSA_PSS_PARAMS), algorithm->parameter);
	ERR_pop_to_mark();
	if (pss)
		md = pss->hashAlgorithm ? OBJ_obj2nid(pss->hashAlgorithm->algorithm) : NID_sha1;
	RSA_PSS_PARAMS_free(pss);
	return scheme_of(SIG_RSA_PSS, md);
}

struct sig_scheme x509_scheme(const X509_ALGOR *algorithm)
{
	int md = NID_undef, key = NID_undef, nid = OBJ_obj2nid(algorithm->algorithm);

	switch (nid) {
	case NID_ED25519:
		return (struct sig_scheme){ SIG_ED25519, HASH_IDENTITY, 0 };
	case NID_ED448:
		return (struct sig_scheme){ SIG_ED448, HASH_IDENTITY, 0 };
	case NID_rsassaPss:
		return scheme_pss(algorithm);
	}
	if (OBJ_find_sigid_algs(nid, &md, &key) && key == NID_rsaEncryption)
		return scheme_of(SIG_RSA_PKCS1, md);
	if (key == NID_X9_62_id_ecPublicKey)
		return scheme_of(SIG_ECDSA, md);
	return (struct sig_scheme){ SIG_NONE, 0, 0 };
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/x509v3.h>

#include "auth/auth_service.h"
#include "auth/kept_chain.h"
#include "auth/revocation.h"
#include "auth_test.h"
#include "pki_ocsp.h"

#define SKEW 60

static struct pki_cert *ca, *other, *leaf;
static struct revocation_cache *cache;
static struct creds_set *set;
static struct credentials *creds;
static struct errtext err;

static struct pki_cert *leaf_with(const char *const *extensions, const char *conf)
{
	return pki_cert_new(&(struct pki_spec){ .subject = "CN=leaf", .issuer = ca, .extensions = extensions, .conf = conf });
}

static void setup(void)
{
	static const char *const extensions[] = { "keyUsage=critical,digitalSignature",
						  "crlDistributionPoints=URI:http://crl.test/a,URI:http://crl.test/b",
						  "authorityInfoAccess=OCSP;URI:http://ocsp.test/", NULL };

	ca = pki_ca(NULL, "CN=CA");
	other = pki_ca(NULL, "CN=CA"); /* of the same name */
	leaf = leaf_with(extensions, NULL);
	cache = revocation_cache_new();
	set = creds_set_new();
	creds = creds_set_snapshot(set);
	err = (struct errtext){ "" };
}

static void teardown(void)
{
	credentials_unref(creds);
	creds_set_free(set);
	revocation_cache_free(cache);
	pki_cert_free(leaf);
	pki_cert_free(other);
	pki_cert_free(ca);
}

static void reload(void)
{
	credentials_unref(creds);
	creds = creds_set_snapshot(set);
}

/* ---- CRLs ---- */

static void check_crl(const struct pki_crl_spec *spec, const char *why)
{
	struct crl *crl = pki_crl_new(spec);
	bool ok = crl_check(crl, ca->cert, &err);

	ck_assert_msg(ok == !why, "%s", err.s);
	if (why)
		ck_assert_msg(strstr(err.s, why), "%s", err.s);
	crl_unref(crl);
}

START_TEST(test_crl_check)
{
	static const char *const known[] = { "1.2.3.4=DER:0500", NULL };
	static const char *const idp[] = { "issuingDistributionPoint=critical,@idp", NULL };
	struct pki_cert *stranger = pki_ca(NULL, "CN=stranger");

	check_crl(&(struct pki_crl_spec){ .issuer = ca, .number = 1 }, NULL);
	check_crl(&(struct pki_crl_spec){ .issuer = ca, .number = 1, .extensions = known }, NULL);
	check_crl(&(struct pki_crl_spec){ .issuer = stranger }, "not of 'CN=CA'");
	check_crl(&(struct pki_crl_spec){ .issuer = ca, .signer = other }, "has a signature that is not its issuer's");
	check_crl(&(struct pki_crl_spec){ .issuer = ca, .extensions = idp, .conf = "[idp]\nindirectCRL=TRUE\n" }, "indirect");
	check_crl(&(struct pki_crl_spec){ .issuer = ca, .extensions = idp, .conf = "[idp]\nonlysomereasons=keyCompromise\n" }, "of some reasons");
	pki_cert_free(stranger);
}
END_TEST

/* A certificate that may not sign CRLs, with the very name and key of the CA. */
START_TEST(test_crl_key_usage)
{
	static const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign", NULL };
	struct pki_cert *no = pki_cert_new(&(struct pki_spec){ .subject = "CN=CA", .key = ca->key, .extensions = extensions });
	struct crl *crl = pki_crl_new(&(struct pki_crl_spec){ .issuer = ca });

	ck_assert(!crl_check(crl, no->cert, &err));
	ck_assert_msg(strstr(err.s, "cRLSign"), "%s", err.s);
	crl_unref(crl);
	pki_cert_free(no);
}
END_TEST

START_TEST(test_crl_weak_hash)
{
	struct buf der = pki_crl_der(&(struct pki_crl_spec){ .issuer = ca });
	const unsigned char *p = der.p;
	X509_CRL *x = d2i_X509_CRL(NULL, &p, (long)der.n);
	unsigned char *weak = NULL;
	struct crl *crl;
	int n;

	ck_assert_int_gt(X509_CRL_sign(x, ca->key, EVP_sha1()), 0);
	n = i2d_X509_CRL(x, &weak);
	crl = crl_parse(bytes_of(weak, (size_t)n), &err);
	ck_assert(!crl_check(crl, ca->cert, &err));
	ck_assert_msg(strstr(err.s, "weak hash"), "%s", err.s);
	crl_unref(crl);
	OPENSSL_free(weak);
	X509_CRL_free(x);
	buf_free(&der);
}
END_TEST

static enum cert_status status_of(const struct pki_crl_spec *a, const struct pki_crl_spec *b)
{
	struct crl *crls[2] = { pki_crl_new(a), b ? pki_crl_new(b) : NULL };
	enum cert_status status;

	err = (struct errtext){ "" };
	status = crls_status(leaf->cert, crls, b ? 2 : 1, PKI_NOW, SKEW, &err, NULL);
	crl_unref(crls[0]);
	if (b)
		crl_unref(crls[1]);
	return status;
}

START_TEST(test_crl_status)
{
	const struct pki_cert *const revoked[] = { leaf, NULL };
	const struct pki_cert *const else_revoked[] = { ca, NULL };

	ck_assert_int_eq(status_of(&(struct pki_crl_spec){ .issuer = ca }, NULL), CERT_STATUS_GOOD);
	ck_assert_int_eq(status_of(&(struct pki_crl_spec){ .issuer = ca, .revoked = else_revoked }, NULL), CERT_STATUS_GOOD);
	ck_assert_int_eq(status_of(&(struct pki_crl_spec){ .issuer = ca, .revoked = revoked, .reason = 1 }, NULL), CERT_STATUS_REVOKED);
	ck_assert_msg(strstr(err.s, "key compromise") && strstr(err.s, " UTC"), "%s", err.s);
	ck_assert_int_eq(status_of(&(struct pki_crl_spec){ .issuer = ca, .next_update = PKI_NOW - SKEW - 1 }, NULL), CERT_STATUS_UNKNOWN);
	ck_assert_msg(strstr(err.s, "out of date"), "%s", err.s);
	ck_assert_int_eq(status_of(&(struct pki_crl_spec){ .issuer = ca, .next_update = PKI_NOW - SKEW }, NULL), CERT_STATUS_GOOD);
	ck_assert_int_eq(status_of(&(struct pki_crl_spec){ .issuer = ca, .next_update = -1 }, NULL), CERT_STATUS_GOOD);
	ck_assert_int_eq(status_of(&(struct pki_crl_spec){ .issuer = ca, .this_update = PKI_NOW + SKEW + 1 }, NULL), CERT_STATUS_UNKNOWN);
	ck_assert_msg(strstr(err.s, "not valid yet"), "%s", err.s);
	/* what an old list revokes stays revoked */
	ck_assert_int_eq(status_of(&(struct pki_crl_spec){ .issuer = ca, .revoked = revoked, .next_update = PKI_NOW - PKI_DAY }, NULL),
			 CERT_STATUS_REVOKED);
	/* one of two is enough */
	ck_assert_int_eq(status_of(&(struct pki_crl_spec){ .issuer = ca }, &(struct pki_crl_spec){ .issuer = ca, .revoked = revoked }),
			 CERT_STATUS_REVOKED);
}
END_TEST

START_TEST(test_crl_delta)
{
	const struct pki_cert *const revoked[] = { leaf, NULL };
	struct pki_crl_spec base = { .issuer = ca, .number = 5 }, held = { .issuer = ca, .number = 5, .revoked = revoked, .reason = 6 };
	struct pki_crl_spec empty = { .issuer = ca, .number = 6, .base = 5 };
	struct pki_crl_spec adds = { .issuer = ca, .number = 6, .base = 5, .revoked = revoked };
	struct pki_crl_spec removes = { .issuer = ca, .number = 6, .base = 5, .revoked = revoked, .reason = 8 };
	struct pki_crl_spec later = { .issuer = ca, .number = 8, .base = 7, .revoked = revoked };
	struct pki_crl_spec older = { .issuer = ca, .number = 5, .base = 4, .revoked = revoked };
	struct pki_crl_spec stale = removes;

	stale.next_update = PKI_NOW - PKI_DAY;
	ck_assert_int_eq(status_of(&base, &empty), CERT_STATUS_GOOD);
	ck_assert_int_eq(status_of(&base, &adds), CERT_STATUS_REVOKED);
	ck_assert_int_eq(status_of(&held, &empty), CERT_STATUS_REVOKED);
	ck_assert_int_eq(status_of(&held, &removes), CERT_STATUS_GOOD);
	ck_assert_int_eq(status_of(&held, &stale), CERT_STATUS_REVOKED);
	/* of another base, or of no use any more */
	ck_assert_int_eq(status_of(&base, &later), CERT_STATUS_GOOD);
	ck_assert_int_eq(status_of(&base, &older), CERT_STATUS_GOOD);
	/* alone it says nothing */
	ck_assert_int_eq(status_of(&empty, NULL), CERT_STATUS_UNKNOWN);
}
END_TEST

START_TEST(test_crl_covers)
{
	static const char *const idp[] = { "issuingDistributionPoint=critical,@idp", NULL };
	const char *const confs[] = { "[idp]\nfullname=URI:http://crl.test/b\n", "[idp]\nfullname=URI:http://crl.test/c\n" };

	for (size_t i = 0; i < 2; i++) {
		struct crl *crl = pki_crl_new(&(struct pki_crl_spec){ .issuer = ca, .extensions = idp, .conf = confs[i] });

		ck_assert(crl_covers(crl, leaf->cert) == (i == 0));
		crl_unref(crl);
	}
}
END_TEST

/* Of what an IKE_SA keeps: only a CRL of the issuer's that has the certificate on it counts, of the peer's and of CAs. */
START_TEST(test_chain_revoked)
{
	struct pki_cert *root = pki_ca(NULL, "CN=root"), *mid = pki_ca(root, "CN=CA");
	struct pki_cert *peer = pki_leaf(mid, "CN=peer", "DNS:peer.test");
	const struct pki_cert *const revoked[] = { peer, NULL }, *const ca_revoked[] = { mid, NULL };
	struct trust_chain chain = { .n = 3, .certs = { peer->cert, mid->cert, root->cert } };
	struct trust_chain loaded = { .n = 1, .certs = { peer->cert } };
	struct kept_chain *kept = kept_chain_new(&chain), *alone = kept_chain_new(&loaded);
	struct crl *yes = pki_crl_new(&(struct pki_crl_spec){ .issuer = mid, .revoked = revoked });
	struct crl *no = pki_crl_new(&(struct pki_crl_spec){ .issuer = mid });
	struct crl *forged = pki_crl_new(&(struct pki_crl_spec){ .issuer = mid, .signer = other, .revoked = revoked });
	struct crl *another = pki_crl_new(&(struct pki_crl_spec){ .issuer = other, .revoked = revoked });
	struct crl *of_ca = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .revoked = ca_revoked });
	struct crl *released = pki_crl_new(&(struct pki_crl_spec){ .issuer = mid, .revoked = revoked, .reason = 8, .number = 2, .base = 1 });

	ck_assert(kept_chain_revoked_by(kept, yes));
	ck_assert(!kept_chain_revoked_by(kept, no));
	ck_assert(!kept_chain_revoked_by(kept, forged));
	ck_assert(!kept_chain_revoked_by(kept, another));
	ck_assert(kept_chain_revoked_by(kept, of_ca));
	ck_assert(!kept_chain_revoked_by(kept, released)); /* removeFromCRL */
	ck_assert(!kept_chain_revoked_by(alone, yes)); /* the operator's own word */
	ck_assert_str_eq(kept_chain_text(kept).s, cert_text(peer->cert).s);
	ck_assert_str_eq(kept_chain_text(alone).s, cert_text(peer->cert).s);
	kept_chain_free(kept);
	kept_chain_free(alone);
	crl_unref(yes);
	crl_unref(no);
	crl_unref(forged);
	crl_unref(another);
	crl_unref(of_ca);
	crl_unref(released);
	pki_cert_free(peer);
	pki_cert_free(mid);
	pki_cert_free(root);
}
END_TEST

/* ---- OCSP ---- */

/* An old list that does not say whose key signed it is no list of its own, which none of the newer ones could drive out. */
START_TEST(test_cache_unmarked_crl)
{
	static const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign", NULL };
	struct pki_cert *bare = pki_cert_new(&(struct pki_spec){ .subject = "CN=CA", .key = ca->key, .extensions = extensions });
	struct crl *old = pki_crl_new(&(struct pki_crl_spec){ .issuer = bare, .number = 1 });
	struct crl *new_crl = pki_crl_new(&(struct pki_crl_spec){ .issuer = ca, .number = 2 });
	struct crl *found[REVOCATION_CRLS];

	ck_assert(!old->authority_key_id.n && new_crl->authority_key_id.n);
	ck_assert(revocation_cache_put_crl(cache, old, ca->cert, false));
	ck_assert(revocation_cache_put_crl(cache, new_crl, ca->cert, false));
	ck_assert(!revocation_cache_put_crl(cache, old, ca->cert, false));
	ck_assert_uint_eq(revocation_cache_crls(cache, creds, leaf->cert, ca->cert, found), 1);
	ck_assert_ptr_eq(found[0], new_crl);
	crl_unref(found[0]);
	crl_unref(old);
	crl_unref(new_crl);
	pki_cert_free(bare);
}
END_TEST

static bool answer_of(struct bytes der, struct bytes nonce, struct ocsp_answer *ret)
{
	struct ocsp_check check = { .cert = leaf->cert, .issuer = ca->cert, .creds = creds, .cache = cache, .nonce = nonce, .now = PKI_NOW,
				    .skew = SKEW };

	*ret = (struct ocsp_answer){ 0 };
	err = (struct errtext){ "" };
	return ocsp_response_check(&check, der, ret, &err);
}

/* why NULL: it counts, as `status`. */
static struct ocsp_answer check_ocsp(const struct pki_ocsp_spec *spec, const char *why, enum cert_status status)
{
	struct pki_ocsp_spec full = *spec;
	struct ocsp_answer a;
	struct buf der;
	bool ok;

	if (!full.cert)
		full.cert = leaf;
	if (!full.issuer)
		full.issuer = ca;
	der = pki_ocsp_der(&full);
	ok = answer_of(buf_bytes(&der), BYTES_NONE, &a);
	ck_assert_msg(ok == !why, "%s", err.s);
	if (why)
		ck_assert_msg(strstr(err.s, why), "%s, not %s", err.s, why);
	else
		ck_assert_int_eq(a.status, status);
	buf_free(&der);
	return a;
}

START_TEST(test_ocsp_status)
{
	struct ocsp_answer a = check_ocsp(&(struct pki_ocsp_spec){ 0 }, NULL, CERT_STATUS_GOOD);

	ck_assert_int_eq(a.valid_until, PKI_NOW + PKI_DAY + SKEW);
	check_ocsp(&(struct pki_ocsp_spec){ .by_key = true }, NULL, CERT_STATUS_GOOD);
	check_ocsp(&(struct pki_ocsp_spec){ .sha256 = true }, NULL, CERT_STATUS_GOOD);
	a = check_ocsp(&(struct pki_ocsp_spec){ .status = PKI_OCSP_REVOKED, .reason = 1 }, NULL, CERT_STATUS_REVOKED);
	ck_assert_int_eq(a.reason, 1);
	ck_assert_int_eq(a.revoked_at, PKI_NOW - 7200);
	check_ocsp(&(struct pki_ocsp_spec){ .status = PKI_OCSP_UNKNOWN }, "does not know", CERT_STATUS_UNKNOWN);
	check_ocsp(&(struct pki_ocsp_spec){ .cert = ca }, "says nothing of this certificate", CERT_STATUS_UNKNOWN);
	check_ocsp(&(struct pki_ocsp_spec){ .about_issuer = other }, "says nothing of this certificate", CERT_STATUS_UNKNOWN);
	check_ocsp(&(struct pki_ocsp_spec){ .response_status = 3 }, "trylater", CERT_STATUS_UNKNOWN);
	check_ocsp(&(struct pki_ocsp_spec){ .response_status = 6 }, "unauthorized", CERT_STATUS_UNKNOWN);
}
END_TEST

START_TEST(test_ocsp_times)
{
	struct ocsp_answer a;

	check_ocsp(&(struct pki_ocsp_spec){ .this_update = PKI_NOW + SKEW + 1 }, "not valid yet", CERT_STATUS_UNKNOWN);
	check_ocsp(&(struct pki_ocsp_spec){ .this_update = PKI_NOW + SKEW }, NULL, CERT_STATUS_GOOD);
	check_ocsp(&(struct pki_ocsp_spec){ .next_update = PKI_NOW - SKEW - 1 }, "out of date", CERT_STATUS_UNKNOWN);
	check_ocsp(&(struct pki_ocsp_spec){ .next_update = PKI_NOW - SKEW }, NULL, CERT_STATUS_GOOD);
	check_ocsp(&(struct pki_ocsp_spec){ .next_update = -1 }, "out of date", CERT_STATUS_UNKNOWN);
	a = check_ocsp(&(struct pki_ocsp_spec){ .this_update = PKI_NOW - 1, .next_update = -1 }, NULL, CERT_STATUS_GOOD);
	ck_assert_int_le(a.valid_until, PKI_NOW + 60);
}
END_TEST

/* Error codes of the library are not success, and neither is anybody's signature. */
START_TEST(test_ocsp_signatures)
{
	struct pki_cert *ed = pki_cert_new(&(struct pki_spec){ .subject = "CN=ed", .type = PKI_ED25519 });
	struct pki_ocsp_spec spec = { .cert = leaf, .issuer = ca, .key = other->key };
	struct ocsp_answer a;
	struct buf der;

	check_ocsp(&spec, "signature is not the CA's", CERT_STATUS_UNKNOWN);
	spec.key = ed->key; /* a key of another kind than the algorithm says: an error, not a mismatch */
	spec.key = NULL;
	spec.md = EVP_sha1();
	check_ocsp(&spec, "weak hash", CERT_STATUS_UNKNOWN);
	spec.md = NULL;
	der = pki_ocsp_der(&spec);
	for (size_t i = 0; i < der.n; i++) {
		der.p[i] ^= 1;
		(void)answer_of(buf_bytes(&der), BYTES_NONE, &a); /* some bits, of an outer type, are nothing's */
		der.p[i] ^= 1;
	}
	for (size_t i = der.n - 8; i < der.n; i++) {
		der.p[i] ^= 1;
		ck_assert(!answer_of(buf_bytes(&der), BYTES_NONE, &a));
		der.p[i] ^= 1;
	}
	for (size_t n = 0; n < der.n; n++)
		ck_assert(!answer_of(bytes_of(der.p, n), BYTES_NONE, &a));
	ck_assert(answer_of(buf_bytes(&der), BYTES_NONE, &a));
	buf_add_u8(&der, 0);
	ck_assert(!answer_of(buf_bytes(&der), BYTES_NONE, &a));
	buf_free(&der);
	pki_cert_free(ed);
}
END_TEST

static struct pki_cert *signer_of(const struct pki_cert *issuer, const char *usage, const char *extended, int64_t not_after)
{
	const char *const extensions[] = { usage, extended, NULL };

	return pki_cert_new(&(struct pki_spec){ .subject = "CN=responder", .issuer = issuer, .extensions = extensions,
						.not_after = not_after });
}

START_TEST(test_ocsp_delegates)
{
	static const char ku[] = "keyUsage=critical,digitalSignature", eku[] = "extendedKeyUsage=OCSPSigning";
	struct pki_cert *good = signer_of(ca, ku, eku, 0), *foreign = signer_of(other, ku, eku, 0);
	struct pki_cert *no_eku = signer_of(ca, ku, "extendedKeyUsage=serverAuth", 0);
	struct pki_cert *no_ku = signer_of(ca, "keyUsage=critical,keyEncipherment", eku, 0);
	struct pki_cert *expired = signer_of(ca, ku, eku, PKI_NOW - SKEW - 1);
	const struct pki_cert *const revoked[] = { good, NULL };
	struct crl *crl = pki_crl_new(&(struct pki_crl_spec){ .issuer = ca, .revoked = revoked });

	check_ocsp(&(struct pki_ocsp_spec){ .signer = good, .with_cert = true }, NULL, CERT_STATUS_GOOD);
	check_ocsp(&(struct pki_ocsp_spec){ .signer = good, .with_cert = true, .by_key = true }, NULL, CERT_STATUS_GOOD);
	check_ocsp(&(struct pki_ocsp_spec){ .signer = good, .with_cert = true, .key = other->key }, "not by its signer", CERT_STATUS_UNKNOWN);
	check_ocsp(&(struct pki_ocsp_spec){ .signer = good }, "signer is not known", CERT_STATUS_UNKNOWN);
	check_ocsp(&(struct pki_ocsp_spec){ .signer = foreign, .with_cert = true }, "not issued by the CA", CERT_STATUS_UNKNOWN);
	check_ocsp(&(struct pki_ocsp_spec){ .signer = no_eku, .with_cert = true }, "OCSPSigning", CERT_STATUS_UNKNOWN);
	check_ocsp(&(struct pki_ocsp_spec){ .signer = no_ku, .with_cert = true }, "digitalSignature", CERT_STATUS_UNKNOWN);
	check_ocsp(&(struct pki_ocsp_spec){ .signer = expired, .with_cert = true }, "not valid at this time", CERT_STATUS_UNKNOWN);
	/* the certificate that is asked about must not vouch for itself */
	check_ocsp(&(struct pki_ocsp_spec){ .signer = leaf, .with_cert = true }, "OCSPSigning", CERT_STATUS_UNKNOWN);
	ck_assert(revocation_cache_put_crl(cache, crl, ca->cert, false));
	check_ocsp(&(struct pki_ocsp_spec){ .signer = good, .with_cert = true }, "was revoked", CERT_STATUS_UNKNOWN);
	/* what the operator loads as OCSP signer is one */
	ck_assert(creds_set_add_cert(set, cert_ref(no_eku->cert), CERT_FLAG_OCSP));
	reload();
	check_ocsp(&(struct pki_ocsp_spec){ .signer = no_eku }, NULL, CERT_STATUS_GOOD);
	check_ocsp(&(struct pki_ocsp_spec){ .signer = no_eku, .key = other->key }, "", CERT_STATUS_UNKNOWN);
	crl_unref(crl);
	pki_cert_free(good);
	pki_cert_free(foreign);
	pki_cert_free(no_eku);
	pki_cert_free(no_ku);
	pki_cert_free(expired);
}
END_TEST

START_TEST(test_ocsp_nonce)
{
	struct pki_ocsp_spec spec = { .cert = leaf, .issuer = ca };
	struct buf request = { 0 }, nonce, der;
	struct ocsp_answer a;

	ck_assert(ocsp_request_write(leaf->cert, ca->cert, BYTES_NONE, &request));
	nonce = pki_ocsp_nonce(buf_bytes(&request));
	ck_assert_uint_eq(nonce.n, 0);
	buf_reset(&request);
	ck_assert(ocsp_request_write(leaf->cert, ca->cert, bytes_str("0123456789abcdef"), &request));
	nonce = pki_ocsp_nonce(buf_bytes(&request));
	ck_assert(bytes_equal_str(buf_bytes(&nonce), "0123456789abcdef"));
	der = pki_ocsp_der(&spec);
	ck_assert(answer_of(buf_bytes(&der), buf_bytes(&nonce), &a)); /* it may answer from a store */
	buf_free(&der);
	spec.nonce = buf_bytes(&nonce);
	der = pki_ocsp_der(&spec);
	ck_assert(answer_of(buf_bytes(&der), buf_bytes(&nonce), &a));
	ck_assert(!answer_of(buf_bytes(&der), bytes_str("0123456789abcdeF"), &a));
	ck_assert_msg(strstr(err.s, "nonce"), "%s", err.s);
	buf_free(&der);
	buf_free(&nonce);
	buf_free(&request);
}
END_TEST

/* ---- the cache ---- */

START_TEST(test_cache_crls)
{
	struct crl *first = pki_crl_new(&(struct pki_crl_spec){ .issuer = ca, .number = 1 });
	struct crl *second = pki_crl_new(&(struct pki_crl_spec){ .issuer = ca, .number = 2 });
	struct crl *delta = pki_crl_new(&(struct pki_crl_spec){ .issuer = ca, .number = 3, .base = 2 });
	struct crl *found[REVOCATION_CRLS];

	ck_assert(revocation_cache_put_crl(cache, first, ca->cert, false));
	ck_assert(revocation_cache_put_crl(cache, second, ca->cert, false));
	ck_assert(!revocation_cache_put_crl(cache, first, ca->cert, false)); /* older */
	ck_assert(!revocation_cache_put_crl(cache, second, ca->cert, false)); /* the same */
	ck_assert_uint_eq(revocation_cache_crls(cache, creds, leaf->cert, ca->cert, found), 1);
	ck_assert(found[0] == second);
	crl_unref(found[0]);
	ck_assert(revocation_cache_put_crl(cache, delta, ca->cert, false));
	ck_assert_uint_eq(revocation_cache_crls(cache, creds, leaf->cert, ca->cert, found), 2);
	crl_unref(found[0]);
	crl_unref(found[1]);
	/* of a CA with that name and another key it says nothing */
	ck_assert_uint_eq(revocation_cache_crls(cache, creds, leaf->cert, other->cert, found), 0);
	revocation_cache_flush(cache, REVOCATION_FLUSH_OCSP | REVOCATION_FLUSH_CERTS);
	ck_assert_uint_eq(revocation_cache_crls(cache, creds, leaf->cert, ca->cert, found), 2);
	crl_unref(found[0]);
	crl_unref(found[1]);
	revocation_cache_flush(cache, REVOCATION_FLUSH_CRLS);
	ck_assert_uint_eq(revocation_cache_crls(cache, creds, leaf->cert, ca->cert, found), 0);
	crl_unref(first);
	crl_unref(second);
	crl_unref(delta);
}
END_TEST

static void count_crl(void *arg, const struct crl *crl)
{
	(void)crl;
	(*(unsigned *)arg)++;
}

START_TEST(test_loaded_crls)
{
	struct crl *found[REVOCATION_CRLS];
	unsigned n = 0;

	ck_assert(creds_set_add_crl(set, pki_crl_new(&(struct pki_crl_spec){ .issuer = ca, .signer = other })));
	reload();
	ck_assert_uint_eq(revocation_cache_crls(cache, creds, leaf->cert, ca->cert, found), 0); /* it is not the CA's */
	creds_set_clear(set);
	ck_assert(creds_set_add_crl(set, pki_crl_new(&(struct pki_crl_spec){ .issuer = ca })));
	reload();
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(revocation_cache_crls(cache, creds, leaf->cert, ca->cert, found), 1);
		crl_unref(found[0]);
	}
	revocation_cache_each_crl(cache, count_crl, &n); /* cached is what was fetched */
	ck_assert_uint_eq(n, 0);
	creds_set_clear(set);
	reload();
	ck_assert_uint_eq(revocation_cache_crls(cache, creds, leaf->cert, ca->cert, found), 0); /* not loaded, not known */
}
END_TEST

START_TEST(test_cache_ocsp)
{
	struct ocsp_answer in = { CERT_STATUS_GOOD, PKI_NOW + 10, 0, -1 }, out;
	struct buf der = { 0 };

	ck_assert(!revocation_cache_ocsp(cache, leaf->cert, ca->cert, PKI_NOW, &out, NULL));
	revocation_cache_put_ocsp(cache, leaf->cert, ca->cert, &in, bytes_str("der"));
	ck_assert(revocation_cache_ocsp(cache, leaf->cert, ca->cert, PKI_NOW, &out, &der));
	ck_assert_int_eq(out.status, CERT_STATUS_GOOD);
	ck_assert(bytes_equal_str(buf_bytes(&der), "der"));
	ck_assert(!revocation_cache_ocsp(cache, leaf->cert, other->cert, PKI_NOW, &out, NULL));
	ck_assert(!revocation_cache_ocsp(cache, ca->cert, ca->cert, PKI_NOW, &out, NULL));
	in.status = CERT_STATUS_REVOKED;
	revocation_cache_put_ocsp(cache, leaf->cert, ca->cert, &in, bytes_str("der"));
	ck_assert(revocation_cache_ocsp(cache, leaf->cert, ca->cert, PKI_NOW + 10, &out, NULL));
	ck_assert_int_eq(out.status, CERT_STATUS_REVOKED);
	ck_assert(!revocation_cache_ocsp(cache, leaf->cert, ca->cert, PKI_NOW + 11, &out, NULL));
	buf_free(&der);
}
END_TEST

/* ---- a run ---- */

static enum revocation_next step(struct revocation_run *run, struct pki_cert *cert, enum conn_revocation policy, const char *failed,
				 struct revocation_source *source)
{
	struct revocation_env env = { .cache = cache, .creds = creds, .cert = cert->cert, .issuer = ca->cert, .policy = policy, .ocsp = true, .crl = true,
				      .now = PKI_NOW, .skew = SKEW };

	err = (struct errtext){ "" };
	return revocation_step(run, &env, failed, source, &err);
}

START_TEST(test_run_sources)
{
	struct revocation_run run = { 0 };
	struct revocation_source s;

	ck_assert_int_eq(step(&run, leaf, REVOCATION_STRICT, NULL, &s), REVOCATION_FETCH);
	ck_assert(s.ocsp);
	ck_assert_str_eq(s.url, "http://ocsp.test/");
	ck_assert_int_eq(step(&run, leaf, REVOCATION_STRICT, "first reason", &s), REVOCATION_FETCH);
	ck_assert(!s.ocsp);
	ck_assert_str_eq(s.url, "http://crl.test/a");
	ck_assert_int_eq(step(&run, leaf, REVOCATION_STRICT, "second reason", &s), REVOCATION_FETCH);
	ck_assert_str_eq(s.url, "http://crl.test/b");
	ck_assert_int_eq(step(&run, leaf, REVOCATION_STRICT, "third reason", &s), REVOCATION_REFUSED);
	ck_assert_msg(strstr(err.s, "first reason") && strstr(err.s, "third reason") && strstr(err.s, "CN=leaf") && strstr(err.s, "strict"),
		      "%s", err.s);
}
END_TEST

START_TEST(test_run_policies)
{
	struct pki_cert *plain = pki_leaf(ca, "CN=plain", NULL);
	const struct pki_cert *const revoked[] = { leaf, plain, NULL };
	struct revocation_source s;
	struct revocation_run run = { 0 };

	ck_assert_int_eq(step(&run, plain, REVOCATION_RELAXED, NULL, &s), REVOCATION_OK);
	run = (struct revocation_run){ 0 };
	ck_assert_int_eq(step(&run, plain, REVOCATION_IFURI, NULL, &s), REVOCATION_OK);
	run = (struct revocation_run){ 0 };
	ck_assert_int_eq(step(&run, plain, REVOCATION_STRICT, NULL, &s), REVOCATION_REFUSED);
	ck_assert_msg(strstr(err.s, "no CRL of its issuer is loaded"), "%s", err.s);
	for (int policy = REVOCATION_RELAXED; policy <= REVOCATION_STRICT; policy++) {
		run = (struct revocation_run){ 0 };
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(step(&run, leaf, (enum conn_revocation)policy, "no", &s), REVOCATION_FETCH);
		ck_assert_int_eq(step(&run, leaf, (enum conn_revocation)policy, "no", &s),
				 policy == REVOCATION_RELAXED ? REVOCATION_OK : REVOCATION_REFUSED);
	}
	ck_assert(creds_set_add_crl(set, pki_crl_new(&(struct pki_crl_spec){ .issuer = ca, .revoked = revoked, .reason = 4 })));
	reload();
	for (int policy = REVOCATION_RELAXED; policy <= REVOCATION_STRICT; policy++) {
		run = (struct revocation_run){ 0 };
		ck_assert_int_eq(step(&run, plain, (enum conn_revocation)policy, NULL, &s), REVOCATION_REVOKED);
		ck_assert_msg(strstr(err.s, "was revoked") && strstr(err.s, "superseded") && strstr(err.s, "CN=plain"), "%s", err.s);
	}
	pki_cert_free(plain);
}
END_TEST

START_TEST(test_run_known)
{
	struct ocsp_answer good = { CERT_STATUS_GOOD, PKI_NOW + 10, 0, -1 };
	const struct pki_cert *const revoked[] = { leaf, NULL };
	struct revocation_run run = { 0 };
	struct revocation_source s;

	revocation_cache_put_ocsp(cache, leaf->cert, ca->cert, &good, BYTES_NONE);
	ck_assert_int_eq(step(&run, leaf, REVOCATION_STRICT, NULL, &s), REVOCATION_OK);
	/* what the operator loads counts more */
	ck_assert(creds_set_add_crl(set, pki_crl_new(&(struct pki_crl_spec){ .issuer = ca, .revoked = revoked })));
	reload();
	run = (struct revocation_run){ 0 };
	ck_assert_int_eq(step(&run, leaf, REVOCATION_RELAXED, NULL, &s), REVOCATION_REVOKED);
}
END_TEST

#define DELTA_URI "http://crl.test/delta"

static void put_list(const struct pki_crl_spec *spec)
{
	struct crl *crl = pki_crl_new(spec);

	ck_assert(revocation_cache_put_crl(cache, crl, ca->cert, false));
	crl_unref(crl);
}

/* RFC 5280, 5.2.6: the list itself says where what was added since is. */
START_TEST(test_run_freshest)
{
	static const char *const freshest[] = { "freshestCRL=URI:" DELTA_URI ",URI:file:///etc/passwd", NULL };
	const struct pki_cert *const revoked[] = { leaf, NULL };
	struct revocation_run run = { 0 };
	struct revocation_source s;

	put_list(&(struct pki_crl_spec){ .issuer = ca, .number = 3, .extensions = freshest });
	ck_assert_int_eq(step(&run, leaf, REVOCATION_RELAXED, NULL, &s), REVOCATION_FETCH);
	ck_assert(!s.ocsp);
	ck_assert_str_eq(s.url, DELTA_URI);
	if (_i == 0) { /* it is not to be had: the list counts, and is good */
		ck_assert_int_eq(step(&run, leaf, REVOCATION_STRICT, "404", &s), REVOCATION_OK);
	} else {
		put_list(&(struct pki_crl_spec){ .issuer = ca, .number = 4, .base = 3, .revoked = _i == 1 ? revoked : NULL });
		ck_assert_int_eq(step(&run, leaf, REVOCATION_STRICT, NULL, &s), _i == 1 ? REVOCATION_REVOKED : REVOCATION_OK);
	}
	revocation_run_clear(&run);
}
END_TEST

/* Where the certificate says the same, it is asked for once. */
START_TEST(test_run_freshest_twice)
{
	static const char *const of_crl[] = { "freshestCRL=URI:" DELTA_URI ",URI:http://crl.test/other", NULL };
	static const char *const of_cert[] = { "freshestCRL=URI:" DELTA_URI, NULL };
	struct pki_cert *c = leaf_with(of_cert, NULL);
	struct revocation_run run = { 0 };
	struct revocation_source s;

	put_list(&(struct pki_crl_spec){ .issuer = ca, .number = 3, .extensions = of_crl });
	ck_assert_int_eq(step(&run, c, REVOCATION_STRICT, NULL, &s), REVOCATION_FETCH);
	ck_assert_str_eq(s.url, DELTA_URI);
	ck_assert_int_eq(step(&run, c, REVOCATION_STRICT, "404", &s), REVOCATION_FETCH);
	ck_assert_str_eq(s.url, "http://crl.test/other");
	ck_assert_int_eq(step(&run, c, REVOCATION_STRICT, "404", &s), REVOCATION_OK);
	revocation_run_clear(&run);
	pki_cert_free(c);
}
END_TEST

/* A certificate cannot make us read files; the section authorities can, and comes first. */
START_TEST(test_run_files)
{
	static const char *const extensions[] = { "crlDistributionPoints=URI:file:///etc/passwd", NULL };
	static const char *const files[] = { "file:///var/ca.crl" };
	struct pki_cert *evil = leaf_with(extensions, NULL);
	struct revocation_run run = { 0 };
	struct revocation_source s;

	ck_assert_int_eq(step(&run, evil, REVOCATION_RELAXED, NULL, &s), REVOCATION_OK);
	creds_set_put_authority(set, &(struct authority){ .name = "ours", .cacert = ca->cert, .n_crl_uris = 1, .crl_uris = files });
	reload();
	run = (struct revocation_run){ 0 };
	ck_assert_int_eq(step(&run, evil, REVOCATION_RELAXED, NULL, &s), REVOCATION_FETCH);
	ck_assert_str_eq(s.url, "file:///var/ca.crl");
	ck_assert_int_eq(step(&run, evil, REVOCATION_STRICT, "no", &s), REVOCATION_REFUSED);
	pki_cert_free(evil);
}
END_TEST

Suite *suite_revocation(void)
{
	Suite *s = suite_create("revocation");
	TCase *tc = tcase_create("revocation");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_crl_check);
	tcase_add_test(tc, test_crl_key_usage);
	tcase_add_test(tc, test_crl_weak_hash);
	tcase_add_test(tc, test_crl_status);
	tcase_add_test(tc, test_crl_delta);
	tcase_add_test(tc, test_crl_covers);
	tcase_add_test(tc, test_chain_revoked);
	tcase_add_test(tc, test_ocsp_status);
	tcase_add_test(tc, test_ocsp_times);
	tcase_add_test(tc, test_ocsp_signatures);
	tcase_add_test(tc, test_ocsp_delegates);
	tcase_add_test(tc, test_ocsp_nonce);
	tcase_add_test(tc, test_cache_crls);
	tcase_add_test(tc, test_loaded_crls);
	tcase_add_test(tc, test_cache_unmarked_crl);
	tcase_add_test(tc, test_cache_ocsp);
	tcase_add_test(tc, test_run_sources);
	tcase_add_test(tc, test_run_policies);
	tcase_add_test(tc, test_run_known);
	tcase_add_test(tc, test_run_files);
	tcase_add_loop_test(tc, test_run_freshest, 0, 3);
	tcase_add_test(tc, test_run_freshest_twice);
	suite_add_tcase(s, tc);
	return s;
}

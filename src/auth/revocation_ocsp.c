/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "auth/revocation_inside.h"

#define OCSP_SIGNERS_MAX 8   /* certificates of a response that are looked at */
#define OCSP_MOMENT 60       /* s that a response without nextUpdate is good for */
#define OCSP_FRESH 300       /* s that it may be old, beside the clocks */

bool ocsp_request_write(const struct cert *cert, const struct cert *issuer, struct bytes nonce, struct buf *ret)
{
	OCSP_REQUEST *request = OCSP_REQUEST_new();
	/* SHA-1 names what is asked for, nothing rests on it: it is what all responders know (RFC 5019, 2.1.1) */
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), cert->x509, issuer->x509);
	unsigned char *der = NULL;
	bool ok = false;
	int n;

	if (!request || !id)
		goto out;
	if (!OCSP_request_add0_id(request, id))
		goto out;
	id = NULL; /* the request's now */
	if (nonce.n && OCSP_request_add1_nonce(request, (unsigned char *)(uintptr_t)nonce.p, (int)nonce.n) != 1)
		goto out;
	n = i2d_OCSP_REQUEST(request, &der);
	if (n <= 0)
		goto out;
	buf_add(ret, der, (size_t)n);
	OPENSSL_free(der);
	ok = true;
out:
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(request);
	return ok;
}

/* Whether the key signed the response. */
static bool ocsp_is_signed(OCSP_BASICRESP *basic, const struct cert *signer)
{
	/* below 0 is an error, not a yes */
	return ASN1_item_verify(ASN1_ITEM_rptr(OCSP_RESPDATA), OCSP_resp_get0_tbs_sigalg(basic),
				(ASN1_BIT_STRING *)(uintptr_t)OCSP_resp_get0_signature(basic),
				(void *)(uintptr_t)OCSP_resp_get0_respdata(basic), signer->key->evp) == 1;
}

/* Whether the response says that it is of that certificate. */
static bool ocsp_names(const OCSP_BASICRESP *basic, const struct cert *signer)
{
	const ASN1_OCTET_STRING *key = NULL;
	const X509_NAME *name = NULL;

	if (OCSP_resp_get0_id(basic, &key, &name) != 1)
		return false;
	if (name)
		return X509_NAME_cmp(name, X509_get_subject_name(signer->x509)) == 0;
	return key && bytes_equal(bytes_of(ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key)),
				  bytes_of(signer->key->id, KEY_ID_LEN));
}

static bool ocsp_signer_is_revoked(const struct ocsp_check *in, const struct cert *signer)
{
	struct crl *crls[REVOCATION_CRLS];
	struct errtext text;
	enum cert_status status;
	size_t n;

	if (signer->ocsp_nocheck || !in->cache || !in->creds)
		return false;
	n = revocation_cache_crls(in->cache, in->creds, signer, in->issuer, crls);
	status = crls_status(signer, crls, n, in->now, in->skew, &text, NULL);
	for (size_t i = 0; i < n; i++)
		crl_unref(crls[i]);
	return status == CERT_STATUS_REVOKED;
}

/* RFC 6960, 4.2.2.2: the issuer itself gave it the right to sign responses. NULL: it did; else why it does not count. */
static const char *ocsp_signer_wrong(const struct ocsp_check *in, const struct cert *signer)
{
	X509 *x = signer->x509;
	const X509_ALGOR *alg;
	const ASN1_BIT_STRING *signature;

	X509_get0_signature(&signature, &alg, x);
	if (X509_check_issued(in->issuer->x509, x) != X509_V_OK || X509_verify(x, in->issuer->key->evp) != 1)
		return "is not issued by the CA whose certificate is asked about";
	if (revocation_weak_hash(alg))
		return "is signed with a weak hash (SHA-1 or older)";
	if (!signer->ocsp_signer)
		return "has not the extended key usage OCSPSigning";
	if (!(X509_get_key_usage(x) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)))
		return "has not the key usage digitalSignature";
	if (X509_get_extension_flags(x) & (EXFLAG_CRITICAL | EXFLAG_INVALID))
		return "has a critical extension that is not known, or is malformed";
	if (signer->not_before > in->now + in->skew || signer->not_after < in->now - in->skew)
		return "is not valid at this time";
	if (ocsp_signer_is_revoked(in, signer))
		return "was revoked";
	return NULL;
}

static struct cert *ocsp_cert_of(X509 *x)
{
	unsigned char *der = NULL;
	int n = i2d_X509(x, &der);
	struct errtext ignored;
	struct cert *cert = n > 0 ? cert_parse(bytes_of(der, (size_t)n), &ignored) : NULL;

	OPENSSL_free(der);
	return cert;
}

/* A delegated signer out of the response. */
static bool ocsp_signed_by_delegate(const struct ocsp_check *in, OCSP_BASICRESP *basic, struct errtext *err)
{
	const STACK_OF(X509) *certs = OCSP_resp_get0_certs(basic);
	bool ok = false;

	for (int i = 0; i < sk_X509_num(certs) && i < OCSP_SIGNERS_MAX && !ok; i++) {
		struct cert *signer = ocsp_cert_of(sk_X509_value(certs, i));
		const char *wrong;

		if (!signer)
			continue;
		if (ocsp_names(basic, signer)) {
			wrong = ocsp_signer_wrong(in, signer);
			if (wrong)
				errtext_set(err, "the response's signer %s %s", cert_text(signer).s, wrong);
			else if (!(ok = ocsp_is_signed(basic, signer)))
				errtext_set(err, "the response's signature is not by its signer %s", cert_text(signer).s);
		}
		cert_unref(signer);
	}
	return ok;
}

static bool ocsp_signed_by_trusted(const struct ocsp_check *in, OCSP_BASICRESP *basic)
{
	for (size_t i = 0; in->creds && i < in->creds->n_certs; i++) {
		const struct loaded_cert *l = &in->creds->certs[i];

		if (l->flag == CERT_FLAG_OCSP && l->cert->not_before <= in->now + in->skew &&
		    l->cert->not_after >= in->now - in->skew && ocsp_names(basic, l->cert) && ocsp_is_signed(basic, l->cert))
			return true;
	}
	return false;
}

static bool ocsp_check_signature(const struct ocsp_check *in, OCSP_BASICRESP *basic, struct errtext *err)
{
	if (revocation_weak_hash(OCSP_resp_get0_tbs_sigalg(basic))) {
		errtext_set(err, "the response is signed with a weak hash (SHA-1 or older)");
		return false;
	}
	if (ocsp_names(basic, in->issuer)) {
		if (ocsp_is_signed(basic, in->issuer))
			return true;
		errtext_set(err, "the response's signature is not the CA's");
		return false;
	}
	if (ocsp_signed_by_trusted(in, basic))
		return true;
	errtext_set(err, "the response's signer is not known: neither the CA, nor loaded as OCSP signer, nor is its certificate there");
	return ocsp_signed_by_delegate(in, basic, err);
}

/* RFC 9654: who sends no nonce back may answer out of a store; a wrong one is an old answer. */
static bool ocsp_check_nonce(const struct ocsp_check *in, const OCSP_BASICRESP *basic, struct errtext *err)
{
	int at = OCSP_BASICRESP_get_ext_by_NID((OCSP_BASICRESP *)(uintptr_t)basic, NID_id_pkix_OCSP_Nonce, -1);
	ASN1_OCTET_STRING *value, *inner;
	const unsigned char *p;
	bool equal;

	if (at < 0 || !in->nonce.n)
		return true;
	value = X509_EXTENSION_get_data(OCSP_BASICRESP_get_ext((OCSP_BASICRESP *)(uintptr_t)basic, at));
	p = ASN1_STRING_get0_data(value);
	inner = d2i_ASN1_OCTET_STRING(NULL, &p, ASN1_STRING_length(value));
	equal = inner && bytes_equal(bytes_of(ASN1_STRING_get0_data(inner), (size_t)ASN1_STRING_length(inner)), in->nonce);
	ASN1_OCTET_STRING_free(inner);
	if (!equal)
		errtext_set(err, "the response's nonce is not that of the request");
	return equal;
}

/* What it says of the certificate, under either hash in the name. */
static bool ocsp_find(const struct ocsp_check *in, OCSP_BASICRESP *basic, int *ret_status, struct ocsp_answer *ret, ASN1_TIME **ret_this,
		      ASN1_TIME **ret_next)
{
	const EVP_MD *const hashes[] = { EVP_sha1(), EVP_sha256() };
	bool found = false;

	for (size_t i = 0; i < 2 && !found; i++) {
		OCSP_CERTID *id = OCSP_cert_to_id(hashes[i], in->cert->x509, in->issuer->x509);
		ASN1_TIME *revoked = NULL;

		ret->reason = -1;
		*ret_this = *ret_next = NULL;
		found = id && OCSP_resp_find_status(basic, id, ret_status, &ret->reason, &revoked, ret_this, ret_next) == 1;
		ret->revoked_at = revocation_time(revoked);
		OCSP_CERTID_free(id);
	}
	return found;
}

static bool ocsp_judge(const struct ocsp_check *in, OCSP_BASICRESP *basic, struct ocsp_answer *ret, struct errtext *err)
{
	struct ocsp_answer a = { .status = CERT_STATUS_UNKNOWN, .reason = -1 };
	ASN1_TIME *this_update, *next_update;
	int64_t this_at, next_at;
	int status = V_OCSP_CERTSTATUS_UNKNOWN;

	if (!ocsp_find(in, basic, &status, &a, &this_update, &next_update)) {
		errtext_set(err, "the response says nothing of this certificate");
		return false;
	}
	this_at = revocation_time(this_update);
	next_at = next_update ? revocation_time(next_update) : this_at + OCSP_FRESH;
	if (!this_at || this_at > in->now + in->skew) {
		errtext_set(err, "the response is not valid yet: of %s", revocation_time_text(this_at).s);
		return false;
	}
	if (next_at < in->now - in->skew) {
		errtext_set(err, "the response is out of date: of %s", revocation_time_text(this_at).s);
		return false;
	}
	if (status == V_OCSP_CERTSTATUS_GOOD) {
		a.status = CERT_STATUS_GOOD;
	} else if (status == V_OCSP_CERTSTATUS_REVOKED) {
		a.status = CERT_STATUS_REVOKED;
	} else {
		errtext_set(err, "the responder does not know the certificate");
		return false;
	}
	a.this_update = this_at;
	a.valid_until = next_update ? next_at + in->skew : in->now + OCSP_MOMENT;
	*ret = a;
	return true;
}

bool ocsp_response_check(const struct ocsp_check *in, struct bytes der, struct ocsp_answer *ret, struct errtext *err)
{
	const unsigned char *p = der.p;
	OCSP_RESPONSE *response = der.n && der.n <= INT32_MAX ? d2i_OCSP_RESPONSE(NULL, &p, (long)der.n) : NULL;
	OCSP_BASICRESP *basic = NULL;
	bool ok = false;
	int status;

	if (!response || p != der.p + der.n) {
		errtext_set(err, "what came is no OCSP response");
		goto out;
	}
	status = OCSP_response_status(response);
	if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
		errtext_set(err, "the responder says: %s", OCSP_response_status_str(status));
		goto out;
	}
	basic = OCSP_response_get1_basic(response);
	if (!basic) {
		errtext_set(err, "what came is no OCSP response of the basic type");
		goto out;
	}
	ok = ocsp_check_signature(in, basic, err) && ocsp_check_nonce(in, basic, err) && ocsp_judge(in, basic, ret, err);
out:
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	return ok;
}

bool ocsp_response_names(struct bytes der, const struct cert *cert, const struct cert *issuer)
{
	const struct ocsp_check in = { .cert = cert, .issuer = issuer };
	const unsigned char *p = der.p;
	OCSP_RESPONSE *response = der.n && der.n <= INT32_MAX ? d2i_OCSP_RESPONSE(NULL, &p, (long)der.n) : NULL;
	OCSP_BASICRESP *basic = response ? OCSP_response_get1_basic(response) : NULL;
	ASN1_TIME *this_update, *next_update;
	struct ocsp_answer ignored = { CERT_STATUS_UNKNOWN, 0, 0, -1 };
	int status;
	bool names = basic && ocsp_find(&in, basic, &status, &ignored, &this_update, &next_update);

	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	return names;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "pki_ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdio.h>
#include <stdlib.h>

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "pki_ocsp: %s\n", what);
	ERR_print_errors_fp(stderr);
	abort();
}

static struct buf response_der(OCSP_RESPONSE *response)
{
	struct buf der = { 0 };
	unsigned char *p = NULL;
	int n = i2d_OCSP_RESPONSE(response, &p);

	require(n > 0, "DER");
	buf_add(&der, p, (size_t)n);
	OPENSSL_free(p);
	OCSP_RESPONSE_free(response);
	return der;
}

struct buf pki_ocsp_der(const struct pki_ocsp_spec *spec)
{
	static const int statuses[] = { V_OCSP_CERTSTATUS_GOOD, V_OCSP_CERTSTATUS_REVOKED, V_OCSP_CERTSTATUS_UNKNOWN };
	const struct pki_cert *signer = spec->signer ? spec->signer : spec->issuer;
	const struct pki_cert *about = spec->about_issuer ? spec->about_issuer : spec->issuer;
	OCSP_BASICRESP *basic;
	ASN1_TIME *from, *to, *revoked;
	OCSP_CERTID *id;
	OCSP_RESPONSE *response;

	if (spec->response_status)
		return response_der(OCSP_response_create(spec->response_status, NULL));
	basic = OCSP_BASICRESP_new();
	id = OCSP_cert_to_id(spec->sha256 ? EVP_sha256() : EVP_sha1(), spec->cert->x509, about->x509);
	from = ASN1_GENERALIZEDTIME_set(NULL, spec->this_update ? spec->this_update : PKI_NOW - 3600);
	to = ASN1_GENERALIZEDTIME_set(NULL, spec->next_update ? spec->next_update : PKI_NOW + PKI_DAY);
	revoked = ASN1_GENERALIZEDTIME_set(NULL, PKI_NOW - 7200);
	require(OCSP_basic_add1_status(basic, id, statuses[spec->status], spec->reason, revoked, from,
				       spec->next_update == -1 ? NULL : to) != NULL, "status");
	if (spec->nonce.n)
		require(OCSP_basic_add1_nonce(basic, (unsigned char *)(uintptr_t)spec->nonce.p, (int)spec->nonce.n) == 1, "nonce");
	/* its own key must fit its own certificate for OpenSSL: another key signs what it has made */
	require(OCSP_basic_sign(basic, signer->x509, signer->key, spec->md ? spec->md : EVP_sha256(), NULL,
				(spec->with_cert ? 0UL : OCSP_NOCERTS) | (spec->by_key ? OCSP_RESPID_KEY : 0UL)) == 1, "sign");
	if (spec->key)
		require(ASN1_item_sign(ASN1_ITEM_rptr(OCSP_RESPDATA), (X509_ALGOR *)(uintptr_t)OCSP_resp_get0_tbs_sigalg(basic), NULL,
				       (ASN1_BIT_STRING *)(uintptr_t)OCSP_resp_get0_signature(basic),
				       (void *)(uintptr_t)OCSP_resp_get0_respdata(basic), spec->key, EVP_sha256()) > 0, "sign again");
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	require(response, "response");
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	ASN1_TIME_free(revoked);
	OCSP_CERTID_free(id);
	OCSP_BASICRESP_free(basic);
	return response_der(response);
}

struct buf pki_ocsp_nonce(struct bytes der)
{
	const unsigned char *p = der.p;
	OCSP_REQUEST *request = d2i_OCSP_REQUEST(NULL, &p, (long)der.n);
	ASN1_OCTET_STRING *inner, *value;
	struct buf nonce = { 0 };
	int at;

	require(request && p == der.p + der.n, "request");
	at = OCSP_REQUEST_get_ext_by_NID(request, NID_id_pkix_OCSP_Nonce, -1);
	if (at >= 0) {
		value = X509_EXTENSION_get_data(OCSP_REQUEST_get_ext(request, at));
		p = ASN1_STRING_get0_data(value);
		inner = d2i_ASN1_OCTET_STRING(NULL, &p, ASN1_STRING_length(value));
		require(inner, "nonce");
		buf_add(&nonce, ASN1_STRING_get0_data(inner), (size_t)ASN1_STRING_length(inner));
		ASN1_OCTET_STRING_free(inner);
	}
	OCSP_REQUEST_free(request);
	return nonce;
}

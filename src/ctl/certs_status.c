/* SPDX-License-Identifier: Apache-2.0 */
/* What tells whether certificates are revoked: CRLs and OCSP responses. */
#include "ctl/certs.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "util/mem.h"

/* RFC 5280, 5.3.1 */
static const char *reason_text(long reason)
{
	static const char *const reasons[] = {
		"unspecified", "key compromise", "ca compromise", "affiliation changed", "superseded", "cessation of operation",
		"certificate hold", "unknown reason", "remove from crl", "privilege withdrawn", "aa compromise",
	};

	return reason >= 0 && reason < (long)ARRAY_LEN(reasons) ? reasons[reason] : "unknown reason";
}

static void put_revoked(const struct cert_style *style, const X509_REVOKED *r)
{
	ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(r, NID_crl_reason, NULL, NULL);
	const ASN1_INTEGER *serial = X509_REVOKED_get0_serialNumber(r);
	char text[64];
	int64_t at;

	fputs("    ", stdout);
	for (int i = 0; i < ASN1_STRING_length(serial); i++)
		printf("%s%02x", i ? ":" : "", ASN1_STRING_get0_data(serial)[i]);
	if (time_text(X509_REVOKED_get0_revocationDate(r), style->utc, text, sizeof(text), &at))
		printf(": %s", text);
	printf(", %s\n", reason_text(reason ? ASN1_ENUMERATED_get(reason) : 0));
	ASN1_ENUMERATED_free(reason);
}

static void put_crl_ids(X509_CRL *crl)
{
	ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
	ASN1_INTEGER *base = X509_CRL_get_ext_d2i(crl, NID_delta_crl, NULL, NULL);
	AUTHORITY_KEYID *key = X509_CRL_get_ext_d2i(crl, NID_authority_key_identifier, NULL, NULL);
	const ASN1_OCTET_STRING *id = key ? key->keyid : NULL;

	if (number)
		put_serial("serial:   ", number);
	if (base)
		put_serial("delta for:", base);
	put_hex("authKeyId:", id ? ASN1_STRING_get0_data(id) : NULL, id ? (size_t)ASN1_STRING_length(id) : 0);
	ASN1_INTEGER_free(number);
	ASN1_INTEGER_free(base);
	AUTHORITY_KEYID_free(key);
}

void put_crl(const struct cert_style *style, struct bytes der)
{
	const unsigned char *p = der.p;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);
	STACK_OF(X509_REVOKED) *revoked;
	int n;

	if (!crl) {
		puts("  (cannot be read)");
		ERR_clear_error();
		return;
	}
	revoked = X509_CRL_get_REVOKED(crl);
	n = revoked ? sk_X509_REVOKED_num(revoked) : 0;
	put_dn("issuer:  ", X509_CRL_get_issuer(crl));
	put_span(style, "update:    ", "this on ", " next on ", X509_CRL_get0_lastUpdate(crl), X509_CRL_get0_nextUpdate(crl));
	put_crl_ids(crl);
	printf("  %d revoked certificate%s%s\n", n, n == 1 ? "" : "s", n && !style->brief ? ":" : "");
	for (int i = 0; i < n && !style->brief; i++)
		put_revoked(style, sk_X509_REVOKED_value(revoked, i));
	X509_CRL_free(crl);
	ERR_clear_error();
}

/* ---- OCSP */

static void put_single(const struct cert_style *style, OCSP_SINGLERESP *single)
{
	ASN1_GENERALIZEDTIME *revoked, *begin, *end;
	ASN1_INTEGER *serial = NULL;
	int reason = -1, status = OCSP_single_get0_status(single, &reason, &revoked, &begin, &end);

	OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single));
	if (serial)
		put_serial("serial:   ", serial);
	printf("  status:    %s%s%s\n", OCSP_cert_status_str(status), reason >= 0 ? ", " : "",
	       reason >= 0 ? reason_text(reason) : "");
	put_span(style, "update:    ", "this on ", " next on ", begin, end);
}

void put_ocsp(const struct cert_style *style, struct bytes der)
{
	const unsigned char *p = der.p;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, (long)der.n);
	OCSP_BASICRESP *basic = response ? OCSP_response_get1_basic(response) : NULL;
	const ASN1_OCTET_STRING *id = NULL;
	const X509_NAME *name = NULL;

	if (basic && OCSP_resp_get0_id(basic, &id, &name) == 1) {
		if (name)
			put_dn("responder:", name);
		if (id)
			put_hex("responder:", ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
		for (int i = 0; i < OCSP_resp_count(basic); i++)
			put_single(style, OCSP_resp_get0(basic, i));
	} else {
		puts("  (cannot be read)");
	}
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
}

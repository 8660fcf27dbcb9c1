/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "auth/revocation_inside.h"
#include "util/mem.h"

/* SHA-1 or worse: what an attacker could have had signed as something else. */
bool revocation_weak_hash(const X509_ALGOR *alg)
{
	const ASN1_OBJECT *oid;
	const void *param;
	int type, md = NID_undef;
	RSA_PSS_PARAMS *pss;

	X509_ALGOR_get0(&oid, &type, &param, alg);
	if (OBJ_obj2nid(oid) == NID_rsassaPss) {
		pss = type == V_ASN1_SEQUENCE ? ASN1_item_unpack(param, ASN1_ITEM_rptr(RSA_PSS_PARAMS)) : NULL;
		if (pss && pss->hashAlgorithm) {
			X509_ALGOR_get0(&oid, NULL, NULL, pss->hashAlgorithm);
			md = OBJ_obj2nid(oid);
		} else {
			md = NID_sha1; /* the default of RFC 4055 */
		}
		RSA_PSS_PARAMS_free(pss);
	} else if (!OBJ_find_sigid_algs(OBJ_obj2nid(oid), &md, NULL)) {
		return true;
	}
	return md == NID_md2 || md == NID_md4 || md == NID_md5 || md == NID_sha1;
}

bool crl_check(const struct crl *crl, const struct cert *issuer, struct errtext *err)
{
	const X509_ALGOR *alg;
	const ASN1_BIT_STRING *signature;
	const char *why = NULL;

	X509_CRL_get0_signature(crl->x509_crl, &signature, &alg);
	if (!id_equal(&crl->issuer, &issuer->subject))
		errtext_set(err, "the CRL is of '%s', not of '%s'", id_text(&crl->issuer).s, id_text(&issuer->subject).s);
	else if (crl->indirect)
		why = "is indirect, or of some reasons or kinds of certificates only, which is not supported";
	else if (!issuer->may_sign_crls)
		why = "cannot count: the issuer's certificate has not the key usage cRLSign";
	else if (revocation_weak_hash(alg))
		why = "is signed with a weak hash (SHA-1 or older)";
	else if (!crl_is_signed_by(crl, issuer))
		why = "has a signature that is not its issuer's";
	else
		return true;
	if (why)
		errtext_set(err, "the CRL of '%s' %s", id_text(&crl->issuer).s, why);
	return false;
}

int64_t revocation_time(const ASN1_TIME *t)
{
	struct tm tm;

	return t && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

struct text revocation_time_text(int64_t at)
{
	struct text text;
	struct tm tm;
	time_t t = (time_t)at;

	gmtime_r(&t, &tm);
	strftime(text.s, sizeof(text.s), "%Y-%m-%d %H:%M:%S UTC", &tm);
	return text;
}

const char *revocation_reason(int reason)
{
	static const char *const names[] = { "unspecified", "key compromise", "CA compromise", "affiliation changed", "superseded",
					     "cessation of operation", "certificate hold", "", "removed from CRL",
					     "privilege withdrawn", "AA compromise" };

	return reason >= 0 && (size_t)reason < ARRAY_LEN(names) ? names[reason] : "not said";
}

enum crl_word { CRL_SILENT, CRL_REVOKES, CRL_RELEASES };

static enum crl_word crl_ask(const struct crl *crl, const struct cert *cert, struct errtext *text)
{
	X509_REVOKED *entry = NULL;
	ASN1_ENUMERATED *reason;
	int found = X509_CRL_get0_by_serial(crl->x509_crl, &entry, X509_get0_serialNumber(cert->x509)), critical;
	long code = -1;

	if (found == 0)
		return CRL_SILENT;
	if (found == 2)
		return CRL_RELEASES;
	reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, &critical, NULL);
	if (reason)
		code = ASN1_ENUMERATED_get(reason);
	ASN1_ENUMERATED_free(reason);
	errtext_set(text, "on %s, reason: %s (CRL of '%s')", revocation_time_text(revocation_time(X509_REVOKED_get0_revocationDate(entry))).s,
		    revocation_reason((int)code), id_text(&crl->issuer).s);
	return CRL_REVOKES;
}

static bool crl_is_stale(const struct crl *crl, int64_t now, int64_t skew)
{
	return crl->this_update > now + skew || (crl->next_update && crl->next_update < now - skew);
}

/* Numbers without leading zeroes. */
static int number_cmp(struct bytes a, struct bytes b)
{
	if (a.n != b.n)
		return a.n < b.n ? -1 : 1;
	return bytes_cmp(a, b);
}

/* RFC 5280, 6.3.3 (c): the delta is to be added to that CRL. */
static bool delta_fits(const struct crl *delta, const struct crl *base)
{
	return base->base.n == 0 && base->number.n && number_cmp(base->number, delta->base) >= 0 &&
	       number_cmp(base->number, delta->number) < 0;
}

enum cert_status crls_status(const struct cert *cert, struct crl *const *crls, size_t n, int64_t now, int64_t skew,
			     struct errtext *text, bool *ret_delta)
{
	enum cert_status status = CERT_STATUS_UNKNOWN;
	bool delta = false;

	for (size_t i = 0; i < n; i++) {
		struct errtext found;
		enum crl_word word;

		if (crls[i]->base.n)
			continue;
		word = crl_ask(crls[i], cert, &found);
		for (size_t k = 0; k < n; k++) {
			enum crl_word more;

			if (crls[k]->base.n == 0 || !delta_fits(crls[k], crls[i]) || crl_is_stale(crls[k], now, skew))
				continue;
			more = crl_ask(crls[k], cert, &found);
			delta = true;
			word = more == CRL_SILENT ? word : more;
		}
		if (word == CRL_REVOKES) { /* that it is stale does not make it wrong */
			*text = found;
			return CERT_STATUS_REVOKED;
		}
		if (!crl_is_stale(crls[i], now, skew))
			status = CERT_STATUS_GOOD;
		else
			errtext_set(text, "the CRL of '%s' is %s", id_text(&crls[i]->issuer).s,
				    crls[i]->this_update > now + skew ? "not valid yet" : "out of date");
	}
	if (ret_delta)
		*ret_delta = delta;
	return status;
}

bool crl_says_revoked(const struct crl *crl, const struct cert *cert, const struct cert *issuer)
{
	struct errtext ignored;

	return id_equal(&issuer->subject, &crl->issuer) && crl_covers(crl, cert) && crl_ask(crl, cert, &ignored) == CRL_REVOKES &&
	       crl_check(crl, issuer, &ignored);
}

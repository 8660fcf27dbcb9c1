/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include <openssl/err.h>

#include "crypto/cert.h"
#include "crypto/cert_fields.h"
#include "crypto/x509_data.h"
#include "proto/limits.h"
#include "util/mem.h"

struct crl_own {
	struct crl crl; /* first */
	struct arena arena;
};

/* ---- life */

struct crl *crl_ref(const struct crl *c)
{
	struct crl *mine = (struct crl *)c;

	atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
	return mine;
}

static void crl_free(struct crl_own *own)
{
	X509_CRL_free(own->crl.x509_crl);
	arena_free(&own->arena);
	free(own);
}

void crl_unref(const struct crl *c)
{
	struct crl *mine = (struct crl *)c;

	if (mine && atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) == 1)
		crl_free(container_of(mine, struct crl_own, crl));
}

/* ---- parsing */

/* RFC 5280, 5.2 and 5.3: a critical extension that is not understood makes the list unusable. */
static bool extension_is_known(const X509_EXTENSION *e)
{
	if (!X509_EXTENSION_get_critical(e))
		return true;
	switch (OBJ_obj2nid(X509_EXTENSION_get_object((X509_EXTENSION *)e))) {
	case NID_issuing_distribution_point:
	case NID_delta_crl:
	case NID_crl_number:
	case NID_authority_key_identifier:
		return true;
	}
	return false;
}

static bool extensions_are_known(X509_CRL *x)
{
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(x);

	for (int i = 0; i < X509_CRL_get_ext_count(x); i++) {
		if (!extension_is_known(X509_CRL_get_ext(x, i)))
			return false;
	}
	for (int i = 0; entries && i < sk_X509_REVOKED_num(entries); i++) {
		const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);

		for (int j = 0; j < X509_REVOKED_get_ext_count(entry); j++) {
			if (X509_EXTENSION_get_critical(X509_REVOKED_get_ext(entry, j)))
				return false;
		}
	}
	return true;
}

static ISSUING_DIST_POINT *idp_decode(X509_CRL *x, bool *ret_bad)
{
	int critical = -1;
	ISSUING_DIST_POINT *idp = X509_CRL_get_ext_d2i(x, NID_issuing_distribution_point, &critical, NULL);

	*ret_bad = !idp && critical != -1;
	return idp;
}

static bool crl_idp(struct arena *a, X509_CRL *x, struct crl *c)
{
	int at = X509_CRL_get_ext_by_NID(x, NID_issuing_distribution_point, -1);
	bool bad;
	ISSUING_DIST_POINT *idp = idp_decode(x, &bad);

	if (idp) {
		c->indirect = idp->indirectCRL > 0 || idp->onlyuser > 0 || idp->onlyCA > 0 || idp->onlysomereasons;
		c->attributes = idp->onlyattr > 0;
		c->idp = x509_octets(a, X509_EXTENSION_get_data(X509_CRL_get_ext(x, at)));
		ISSUING_DIST_POINT_free(idp);
	}
	return !bad;
}

/* Numbers of the CRL and, of a delta, its base. */
static bool crl_numbers(struct arena *a, X509_CRL *x, struct crl *c)
{
	static const uint8_t zero[1];
	int critical_number = -1, critical_base = -1;
	ASN1_INTEGER *number = X509_CRL_get_ext_d2i(x, NID_crl_number, &critical_number, NULL);
	ASN1_INTEGER *base = X509_CRL_get_ext_d2i(x, NID_delta_crl, &critical_base, NULL);
	bool ok = (number || critical_number == -1) && (base || critical_base == -1);

	c->number = x509_integer(a, number);
	c->base = x509_integer(a, base);
	if (base && !c->base.n) /* number 0, but there */
		c->base = bytes_of(arena_dup(a, zero, 1), 1);
	ASN1_INTEGER_free(number);
	ASN1_INTEGER_free(base);
	return ok;
}

static bool crl_authority(struct arena *a, X509_CRL *x, struct crl *c)
{
	int critical = -1;
	AUTHORITY_KEYID *akid = X509_CRL_get_ext_d2i(x, NID_authority_key_identifier, &critical, NULL);

	if (akid)
		c->authority_key_id = x509_octets(a, akid->keyid);
	AUTHORITY_KEYID_free(akid);
	return akid || critical == -1;
}

static const char *crl_fill(struct arena *a, X509_CRL *x, struct crl *c)
{
	const X509_ALGOR *algorithm;

	c->issuer = x509_name(a, X509_CRL_get_issuer(x));
	if (X509_NAME_entry_count(X509_CRL_get_issuer(x)) < 1)
		return "it has no issuer";
	X509_CRL_get0_signature(x, NULL, &algorithm);
	c->signature = x509_scheme(algorithm);
	if (!x509_time(X509_CRL_get0_lastUpdate(x), &c->this_update) ||
	    (X509_CRL_get0_nextUpdate(x) && !x509_time(X509_CRL_get0_nextUpdate(x), &c->next_update)))
		return "its times are malformed";
	if (!crl_idp(a, x, c))
		return "its issuingDistributionPoint is malformed";
	if (!crl_numbers(a, x, c))
		return "its number is malformed";
	if (!crl_authority(a, x, c))
		return "its authorityKeyIdentifier is malformed";
	if (!extensions_are_known(x))
		return "it has a critical extension that is not known";
	return c->base.n ? NULL : crl_fields_uris(a, x, c);
}

static const char *crl_decode(struct arena *a, struct crl *c)
{
	const unsigned char *p = c->der.p;
	X509_CRL *x = d2i_X509_CRL(NULL, &p, (long)c->der.n);

	c->x509_crl = x;
	if (!x)
		return "it is no X.509 CRL";
	if (p != c->der.p + c->der.n)
		return "something follows it";
	return crl_fill(a, x, c);
}

struct crl *crl_parse(struct bytes data, struct errtext *err)
{
	struct crl_own *own = xcalloc(1, sizeof(*own));
	struct errtext text = { "" };
	const char *why = text.s;

	atomic_init(&own->crl.refs, 1);
	ERR_set_mark();
	if (x509_data_der(&own->arena, data, "X509 CRL", LIMIT_CRL, &own->crl.der, &text))
		why = crl_decode(&own->arena, &own->crl);
	ERR_pop_to_mark();
	if (!why)
		return &own->crl;
	errtext_set(err, "malformed CRL%s%s%s: %s", own->crl.issuer.data.n ? " of '" : "",
		    own->crl.issuer.data.n ? id_text(&own->crl.issuer).s : "", own->crl.issuer.data.n ? "'" : "", why);
	crl_free(own);
	return NULL;
}

/* ---- what it says */

bool crl_is_signed_by(const struct crl *c, const struct cert *issuer)
{
	int good;

	if (!issuer->may_sign_crls || !id_equal(&c->issuer, &issuer->subject))
		return false;
	ERR_set_mark();
	good = X509_CRL_verify(c->x509_crl, issuer->key->evp);
	ERR_pop_to_mark();
	return good == 1; /* 0 and -1 are not */
}

bool crl_covers(const struct crl *c, const struct cert *cert)
{
	ISSUING_DIST_POINT *idp;
	bool bad, covers;

	if (c->indirect || (c->attributes && !cert->attributes) || !id_equal(&c->issuer, &cert->issuer))
		return false;
	if (!c->idp.n)
		return true;
	ERR_set_mark();
	idp = idp_decode(c->x509_crl, &bad);
	/* Without a name it is the issuer's only list; a name relative to the issuer is not looked at. */
	covers = idp && (!idp->distpoint || (idp->distpoint->type == 0 &&
					     cert_has_distribution_point(cert, idp->distpoint->name.fullname)));
	ISSUING_DIST_POINT_free(idp);
	ERR_pop_to_mark();
	return covers;
}

bool crl_has_entry(const struct crl *c, struct bytes serial)
{
	const unsigned char *p = serial.p;
	ASN1_INTEGER *number = serial.n ? d2i_ASN1_INTEGER(NULL, &p, (long)serial.n) : NULL;
	X509_REVOKED *entry = NULL;
	bool has = number && X509_CRL_get0_by_serial(c->x509_crl, &entry, number) != 0;

	ASN1_INTEGER_free(number);
	return has;
}

bool crl_revokes(const struct crl *c, const struct cert *cert)
{
	X509_REVOKED *entry = NULL;

	/* 1: it is there; 2: there as to be removed, which is none for OpenSSL, either */
	return X509_CRL_get0_by_serial(c->x509_crl, &entry, X509_get0_serialNumber(cert->x509)) == 1;
}

/* Numbers without leading zeroes. */
static int number_cmp(struct bytes a, struct bytes b)
{
	if (a.n != b.n)
		return a.n < b.n ? -1 : 1;
	return a.n ? memcmp(a.p, b.p, a.n) : 0;
}

bool crl_is_later(const struct crl *a, const struct crl *than)
{
	int cmp = a->number.n && than->number.n ? number_cmp(a->number, than->number) : 0;

	return cmp ? cmp > 0 : a->this_update > than->this_update;
}

bool crl_is_newer(const struct crl *a, const struct crl *than)
{
	return id_equal(&a->issuer, &than->issuer) && bytes_equal(a->authority_key_id, than->authority_key_id) &&
	       bytes_equal(a->idp, than->idp) && !a->base.n == !than->base.n && crl_is_later(a, than);
}

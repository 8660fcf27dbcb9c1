/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cert_fields.h"

#include <openssl/err.h>
#include <openssl/objects.h>

#include "proto/id_gn.h"
#include "proto/limits.h"

/* A decoded extension or NULL: *ret_bad if there is one that is malformed. That none is there twice cert.c has seen to. */
static void *extension_decode(X509 *x, int nid, bool *ret_bad)
{
	int critical = -1;
	void *value;

	ERR_set_mark();
	value = X509_get_ext_d2i(x, nid, &critical, NULL);
	ERR_pop_to_mark();
	*ret_bad = !value && critical != -1;
	return value;
}

/* ---- names */

static struct bytes string_bytes(const ASN1_STRING *s)
{
	return bytes_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

/* IA5 that can be seen, and spaces if those are allowed: no NUL hides the rest of a name. */
static bool text_is_clean(struct bytes text, bool spaces)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] > 0x7e || text.p[i] < (spaces ? 0x20 : 0x21))
			return false;
	}
	return text.n > 0;
}

static bool utf8_is_clean(const ASN1_STRING *s)
{
	unsigned char *checked = NULL;
	int n = ASN1_STRING_to_UTF8(&checked, s); /* fails if it is none */
	bool clean = n > 0;

	for (int i = 0; i < n && clean; i++)
		clean = checked[i] >= 0x20 && checked[i] != 0x7f;
	OPENSSL_free(checked);
	return clean;
}

static struct id id_in_arena(struct arena *a, unsigned type, struct bytes data)
{
	return (struct id){ (uint8_t)type, bytes_of(arena_dup(a, data.p, data.n), data.n) };
}

static bool name_xmpp(struct arena *a, const OTHERNAME *other, struct id *ret_id)
{
	struct buf gn = { 0 };
	char oid[32];

	if (OBJ_obj2txt(oid, sizeof(oid), other->type_id, 1) <= 0 || strcmp(oid, "1.3.6.1.5.5.7.8.5") ||
	    other->value->type != V_ASN1_UTF8STRING || !utf8_is_clean(other->value->value.utf8string))
		return false;
	gn_write_xmpp(&gn, string_bytes(other->value->value.utf8string));
	*ret_id = id_in_arena(a, ID_TYPE_DER_ASN1_GN, buf_bytes(&gn));
	buf_free(&gn);
	return true;
}

static bool name_uri(struct arena *a, struct bytes text, struct id *ret_id)
{
	struct buf gn = { 0 };

	if (!text_is_clean(text, false) || text.n > LIMIT_URI)
		return false;
	gn_write_uri(&gn, text);
	*ret_id = id_in_arena(a, ID_TYPE_DER_ASN1_GN, buf_bytes(&gn));
	buf_free(&gn);
	return true;
}

static bool name_dn(struct arena *a, const X509_NAME *name, struct id *ret_id)
{
	const unsigned char *der;
	size_t n;

	if (X509_NAME_entry_count(name) < 1 || X509_NAME_get0_der(name, &der, &n) != 1)
		return false;
	*ret_id = id_in_arena(a, ID_TYPE_DER_ASN1_DN, bytes_of(der, n));
	return true;
}

/* False: no identity that we know, or none that can be used. */
static bool name_parse(struct arena *a, const GENERAL_NAME *gn, struct id *ret_id)
{
	struct bytes text;

	switch (gn->type) {
	case GEN_DNS:
	case GEN_EMAIL:
		text = string_bytes(gn->d.ia5);
		if (!text_is_clean(text, gn->type == GEN_EMAIL))
			return false;
		*ret_id = id_in_arena(a, gn->type == GEN_DNS ? ID_TYPE_FQDN : ID_TYPE_RFC822_ADDR, text);
		return true;
	case GEN_IPADD:
		text = string_bytes(gn->d.iPAddress);
		if (text.n != 4 && text.n != 16)
			return false;
		*ret_id = id_in_arena(a, text.n == 4 ? ID_TYPE_IPV4_ADDR : ID_TYPE_IPV6_ADDR, text);
		return true;
	case GEN_DIRNAME:
		return name_dn(a, gn->d.directoryName, ret_id);
	case GEN_URI:
		return name_uri(a, string_bytes(gn->d.uniformResourceIdentifier), ret_id);
	case GEN_OTHERNAME:
		return name_xmpp(a, gn->d.otherName, ret_id);
	}
	return false;
}

const char *cert_fields_names(struct arena *a, X509 *x, struct cert *c)
{
	bool bad;
	GENERAL_NAMES *names = extension_decode(x, NID_subject_alt_name, &bad);
	int n = names ? sk_GENERAL_NAME_num(names) : 0;
	struct id *ids;

	if (bad)
		return "its subjectAltName is malformed";
	if (n > LIMIT_CERT_NAMES) {
		GENERAL_NAMES_free(names);
		return "it has too many subjectAltNames";
	}
	ids = arena_array(a, struct id, (size_t)n);
	ERR_set_mark();
	for (int i = 0; i < n; i++)
		c->n_names += name_parse(a, sk_GENERAL_NAME_value(names, i), &ids[c->n_names]);
	ERR_pop_to_mark();
	c->names = ids;
	GENERAL_NAMES_free(names);
	return NULL;
}

/* ---- usage */

/*
 * RFC 4945, 5.1.3.12: id-kp-ipsecIKE or anyExtendedKeyUsage. Beside them those are taken that certificates of gateways and clients
 * have in practice: TLS servers' and clients', and what was assigned to IPsec before.
 */
static bool purpose_is_ike(const char *oid)
{
	static const char *const purposes[] = {
		"2.5.29.37.0", "1.3.6.1.5.5.7.3.17", "1.3.6.1.5.5.8.2.2", "1.3.6.1.5.5.7.3.1",
		"1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.5", "1.3.6.1.5.5.7.3.6", "1.3.6.1.5.5.7.3.7",
	};

	for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++) {
		if (!strcmp(oid, purposes[i]))
			return true;
	}
	return false;
}

static const char *extended_usage(X509 *x, struct cert *c)
{
	bool bad;
	EXTENDED_KEY_USAGE *usage = extension_decode(x, NID_ext_key_usage, &bad);

	if (bad)
		return "its extendedKeyUsage is malformed";
	c->for_ike = !usage;
	for (int i = 0; usage && i < sk_ASN1_OBJECT_num(usage); i++) {
		char oid[64];

		if (OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(usage, i), 1) <= 0)
			continue;
		c->for_ike |= purpose_is_ike(oid);
		c->ocsp_signer |= !strcmp(oid, "1.3.6.1.5.5.7.3.9");
	}
	EXTENDED_KEY_USAGE_free(usage);
	return NULL;
}

const char *cert_fields_usage(X509 *x, struct cert *c)
{
	uint32_t usage = X509_get_key_usage(x); /* all bits: it is not there */

	c->ca = X509_get_extension_flags(x) & EXFLAG_CA;
	c->may_sign = usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION);
	c->may_sign_certs = usage & KU_KEY_CERT_SIGN;
	c->may_sign_crls = usage & KU_CRL_SIGN;
	c->ocsp_nocheck = X509_get_ext_by_NID(x, NID_id_pkix_OCSP_noCheck, -1) >= 0;
	return extended_usage(x, c);
}

/* ---- URIs */

struct uri_list {
	const char *uris[LIMIT_CERT_URIS];
	size_t n;
	bool full;
};

static void uri_add(struct arena *a, struct uri_list *list, const GENERAL_NAME *gn)
{
	struct bytes text;

	if (gn->type != GEN_URI)
		return;
	text = string_bytes(gn->d.uniformResourceIdentifier);
	if (!text_is_clean(text, false) || text.n > LIMIT_URI)
		return;
	if (list->n == LIMIT_CERT_URIS) {
		list->full = true;
		return;
	}
	list->uris[list->n++] = arena_printf(a, "%.*s", (int)text.n, (const char *)text.p);
}

static const char *const *uri_list_keep(struct arena *a, const struct uri_list *list, size_t *ret_n)
{
	*ret_n = list->n;
	return arena_dup(a, list->uris, list->n * sizeof(list->uris[0]));
}

static bool distribution_point_is_plain(const DIST_POINT *dp)
{
	return !dp->reasons && !dp->CRLissuer;
}

/* cRLDistributionPoints or freshestCRL; the points are taken. */
static void uris_of_points(struct arena *a, CRL_DIST_POINTS *points, struct uri_list *list, bool *indirect)
{
	for (int i = 0; points && i < sk_DIST_POINT_num(points); i++) {
		const DIST_POINT *dp = sk_DIST_POINT_value(points, i);
		const GENERAL_NAMES *names = dp->distpoint && dp->distpoint->type == 0 ? dp->distpoint->name.fullname : NULL;

		if (!distribution_point_is_plain(dp)) {
			*indirect = true;
			continue;
		}
		for (int j = 0; names && j < sk_GENERAL_NAME_num(names); j++)
			uri_add(a, list, sk_GENERAL_NAME_value(names, j));
	}
	CRL_DIST_POINTS_free(points);
}

static bool uris_of_ocsp(struct arena *a, X509 *x, struct uri_list *list)
{
	bool bad;
	AUTHORITY_INFO_ACCESS *access = extension_decode(x, NID_info_access, &bad);

	for (int i = 0; access && i < sk_ACCESS_DESCRIPTION_num(access); i++) {
		const ACCESS_DESCRIPTION *d = sk_ACCESS_DESCRIPTION_value(access, i);

		if (OBJ_obj2nid(d->method) == NID_ad_OCSP)
			uri_add(a, list, d->location);
	}
	AUTHORITY_INFO_ACCESS_free(access);
	return !bad;
}

const char *cert_fields_uris(struct arena *a, X509 *x, struct cert *c)
{
	struct uri_list crl = { .n = 0 }, delta = { .n = 0 }, ocsp = { .n = 0 };
	bool ignored = false, bad;

	uris_of_points(a, extension_decode(x, NID_crl_distribution_points, &bad), &crl, &c->crl_indirect);
	if (bad)
		return "its cRLDistributionPoints are malformed";
	uris_of_points(a, extension_decode(x, NID_freshest_crl, &bad), &delta, &ignored);
	if (bad)
		return "its freshestCRL is malformed";
	if (!uris_of_ocsp(a, x, &ocsp))
		return "its authorityInfoAccess is malformed";
	if (crl.full || delta.full || ocsp.full)
		return "it has too many URIs";
	c->crl_uris = uri_list_keep(a, &crl, &c->n_crl_uris);
	c->delta_uris = uri_list_keep(a, &delta, &c->n_delta_uris);
	c->ocsp_uris = uri_list_keep(a, &ocsp, &c->n_ocsp_uris);
	return NULL;
}

const char *crl_fields_uris(struct arena *a, X509_CRL *x, struct crl *c)
{
	int critical = -1;
	CRL_DIST_POINTS *points = X509_CRL_get_ext_d2i(x, NID_freshest_crl, &critical, NULL);
	struct uri_list delta = { .n = 0 };
	bool ignored = false;

	if (!points && critical != -1)
		return "its freshestCRL is malformed";
	uris_of_points(a, points, &delta, &ignored);
	if (delta.full)
		return "it has too many URIs";
	c->delta_uris = uri_list_keep(a, &delta, &c->n_delta_uris);
	return NULL;
}

static bool names_share_one(const GENERAL_NAMES *a, const GENERAL_NAMES *b)
{
	for (int i = 0; a && i < sk_GENERAL_NAME_num(a); i++) {
		for (int j = 0; b && j < sk_GENERAL_NAME_num(b); j++) {
			if (!GENERAL_NAME_cmp(sk_GENERAL_NAME_value(a, i), sk_GENERAL_NAME_value(b, j)))
				return true;
		}
	}
	return false;
}

bool cert_has_distribution_point(const struct cert *c, const GENERAL_NAMES *names)
{
	bool bad, found = false;
	CRL_DIST_POINTS *points = extension_decode(c->x509, NID_crl_distribution_points, &bad);

	for (int i = 0; points && !found && i < sk_DIST_POINT_num(points); i++) {
		const DIST_POINT *dp = sk_DIST_POINT_value(points, i);

		found = distribution_point_is_plain(dp) && dp->distpoint && dp->distpoint->type == 0 &&
			names_share_one(dp->distpoint->name.fullname, names);
	}
	CRL_DIST_POINTS_free(points);
	return found;
}

/* ---- policies */

const char *cert_fields_policies(struct arena *a, X509 *x, struct cert *c)
{
	bool bad;
	CERTIFICATEPOLICIES *policies = extension_decode(x, NID_certificate_policies, &bad);
	int n = policies ? sk_POLICYINFO_num(policies) : 0;
	const char **oids;

	if (bad)
		return "its certificatePolicies are malformed";
	if (n > LIMIT_CERT_POLICIES) {
		CERTIFICATEPOLICIES_free(policies);
		return "it has too many certificatePolicies";
	}
	oids = arena_array(a, const char *, (size_t)n);
	for (int i = 0; i < n; i++) {
		char oid[256];
		int len = OBJ_obj2txt(oid, sizeof(oid), sk_POLICYINFO_value(policies, i)->policyid, 1);

		if (len > 0 && (size_t)len < sizeof(oid))
			oids[c->n_policies++] = arena_dup(a, oid, (size_t)len + 1);
	}
	c->policies = oids;
	CERTIFICATEPOLICIES_free(policies);
	return NULL;
}

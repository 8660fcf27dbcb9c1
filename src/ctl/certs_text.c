/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and raw keys. They are read by OpenSSL alone, so that what the daemon would refuse can be looked at, too. */
#include "ctl/certs.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "proto/id.h"
#include "util/mem.h"

/* ---- keys */

static const struct {
	int type;
	const char *name;
	int bits; /* 0: as OpenSSL has it */
} key_kinds[] = {
	{ EVP_PKEY_RSA, "RSA", 0 },	    { EVP_PKEY_RSA_PSS, "RSA", 0 },   { EVP_PKEY_EC, "ECDSA", 0 },
	{ EVP_PKEY_ED25519, "ED25519", 256 }, { EVP_PKEY_ED448, "ED448", 456 },
};

static void put_key(X509_PUBKEY *spki, bool has_key)
{
	EVP_PKEY *key = X509_PUBKEY_get0(spki);
	uint8_t digest[SHA_DIGEST_LENGTH];
	unsigned char *der = NULL;
	const unsigned char *bits;
	int n, n_bits = 0;
	size_t i = 0;

	while (key && i < ARRAY_LEN(key_kinds) && EVP_PKEY_get_base_id(key) != key_kinds[i].type)
		i++;
	if (!key || i == ARRAY_LEN(key_kinds))
		printf("  pubkey:    of an unknown kind");
	else
		printf("  pubkey:    %s %d bits", key_kinds[i].name, key_kinds[i].bits ? key_kinds[i].bits : EVP_PKEY_get_bits(key));
	puts(has_key ? ", has private key" : "");
	n = i2d_X509_PUBKEY(spki, &der);
	if (n > 0) {
		SHA1(der, (size_t)n, digest);
		put_hex("keyid:    ", digest, sizeof(digest));
	}
	OPENSSL_free(der);
	if (X509_PUBKEY_get0_param(NULL, &bits, &n_bits, NULL, spki) == 1) {
		SHA1(bits, (size_t)n_bits, digest);
		put_hex("subjkey:  ", digest, sizeof(digest));
	}
}

void put_pubkey(const struct cert_style *style, struct bytes der, const struct cert_extras *extras)
{
	const unsigned char *p = der.p;
	X509_PUBKEY *spki = d2i_X509_PUBKEY(NULL, &p, (long)der.n);

	(void)style;
	if (extras->subject[0])
		printf("  subject:   \"%s\"\n", extras->subject);
	if (extras->not_before[0])
		printf("  validity:  not before %s\n", extras->not_before);
	if (extras->not_after[0])
		printf("  %s not after  %s\n", extras->not_before[0] ? "          " : "validity: ", extras->not_after);
	if (spki)
		put_key(spki, extras->has_key);
	else
		puts("  (cannot be read)");
	X509_PUBKEY_free(spki);
	ERR_clear_error();
}

/* ---- names */

static void put_name(const GENERAL_NAME *name, bool first)
{
	const ASN1_STRING *text = NULL;
	struct id id = { 0 };
	unsigned char *der = NULL;
	struct buf out = { 0 };
	int n;

	switch (name->type) {
	case GEN_EMAIL:
	case GEN_DNS:
	case GEN_URI:
		text = name->d.ia5;
		id.type = name->type == GEN_EMAIL ? ID_TYPE_RFC822_ADDR : ID_TYPE_FQDN;
		id.data = bytes_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
		break;
	case GEN_IPADD:
		text = name->d.iPAddress;
		n = ASN1_STRING_length(text);
		id.type = n == 4 ? ID_TYPE_IPV4_ADDR : n == 16 ? ID_TYPE_IPV6_ADDR : ID_TYPE_KEY_ID;
		id.data = bytes_of(ASN1_STRING_get0_data(text), (size_t)n);
		break;
	case GEN_DIRNAME:
		n = i2d_X509_NAME(name->d.directoryName, &der);
		id.type = ID_TYPE_DER_ASN1_DN;
		id.data = bytes_of(der, n > 0 ? (size_t)n : 0);
		break;
	default:
		buf_add_str(&out, "(other)");
		break;
	}
	if (id.type)
		id_format(&out, &id);
	printf("%s%s", first ? "" : ", ", buf_str(&out));
	buf_free(&out);
	OPENSSL_free(der);
}

static void put_alt_names(X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		if (i == 0)
			fputs("  altNames:  ", stdout);
		put_name(sk_GENERAL_NAME_value(names, i), i == 0);
	}
	if (sk_GENERAL_NAME_num(names) > 0)
		putchar('\n');
	GENERAL_NAMES_free(names);
}

/* ---- what it is for */

static void put_flags(X509 *cert)
{
	static const struct {
		uint32_t bit;
		const char *word;
	} purposes[] = { { XKU_OCSP_SIGN, "ocspSigning" }, { XKU_SSL_SERVER, "serverAuth" }, { XKU_SSL_CLIENT, "clientAuth" } };
	uint32_t flags = X509_get_extension_flags(cert), usage = X509_get_extended_key_usage(cert);
	struct buf out = { 0 };

	if (flags & EXFLAG_CA)
		buf_add_str(&out, "CA ");
	if (flags & EXFLAG_KUSAGE && X509_get_key_usage(cert) & KU_CRL_SIGN)
		buf_add_str(&out, "CRLSign ");
	for (size_t i = 0; flags & EXFLAG_XKUSAGE && i < ARRAY_LEN(purposes); i++) {
		if (usage & purposes[i].bit)
			buf_printf(&out, "%s ", purposes[i].word);
	}
	if (flags & EXFLAG_SS)
		buf_add_str(&out, "self-signed ");
	printf("  flags:     %s\n", buf_str(&out));
	if (X509_get_pathlen(cert) >= 0)
		printf("  pathlen:   %ld\n", X509_get_pathlen(cert));
	buf_free(&out);
}

static void put_uri(const ASN1_STRING *uri, const char **label)
{
	printf("  %-10s ", *label);
	ctl_put(stdout, bytes_of(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri)));
	putchar('\n');
	*label = "";
}

static void put_crl_uris(X509 *cert)
{
	CRL_DIST_POINTS *points = X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
	const char *label = "CRL URIs:";

	for (int i = 0; i < sk_DIST_POINT_num(points); i++) {
		const DIST_POINT_NAME *name = sk_DIST_POINT_value(points, i)->distpoint;

		for (int j = 0; name && name->type == 0 && j < sk_GENERAL_NAME_num(name->name.fullname); j++) {
			const GENERAL_NAME *uri = sk_GENERAL_NAME_value(name->name.fullname, j);

			if (uri->type == GEN_URI)
				put_uri(uri->d.uniformResourceIdentifier, &label);
		}
	}
	CRL_DIST_POINTS_free(points);
}

static void put_ocsp_uris(X509 *cert)
{
	AUTHORITY_INFO_ACCESS *access = X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);
	const char *label = "OCSP URIs:";

	for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(access); i++) {
		const ACCESS_DESCRIPTION *a = sk_ACCESS_DESCRIPTION_value(access, i);

		if (OBJ_obj2nid(a->method) == NID_ad_OCSP && a->location->type == GEN_URI)
			put_uri(a->location->d.uniformResourceIdentifier, &label);
	}
	AUTHORITY_INFO_ACCESS_free(access);
}

static void put_policies(X509 *cert)
{
	CERTIFICATEPOLICIES *policies = X509_get_ext_d2i(cert, NID_certificate_policies, NULL, NULL);

	if (sk_POLICYINFO_num(policies) > 0)
		puts("  certificatePolicies:");
	for (int i = 0; i < sk_POLICYINFO_num(policies); i++) {
		char oid[128];

		OBJ_obj2txt(oid, sizeof(oid), sk_POLICYINFO_value(policies, i)->policyid, 1);
		printf("             %s\n", oid);
	}
	CERTIFICATEPOLICIES_free(policies);
}

static void put_key_ids(X509 *cert)
{
	const ASN1_OCTET_STRING *id = X509_get0_authority_key_id(cert);

	if (id)
		put_hex("authkeyId:", ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
	id = X509_get0_subject_key_id(cert);
	if (id)
		put_hex("subjkeyId:", ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
}

void put_x509(const struct cert_style *style, struct bytes der, const struct cert_extras *extras)
{
	const unsigned char *p = der.p;
	X509 *cert = d2i_X509(NULL, &p, (long)der.n);

	if (!cert) {
		puts("  (cannot be read)");
		ERR_clear_error();
		return;
	}
	put_dn("subject: ", X509_get_subject_name(cert));
	put_dn("issuer:  ", X509_get_issuer_name(cert));
	put_span(style, "validity:  ", "not before ", " not after  ", X509_get0_notBefore(cert), X509_get0_notAfter(cert));
	put_serial("serial:   ", X509_get0_serialNumber(cert));
	put_alt_names(cert);
	if (!style->brief) {
		put_flags(cert);
		put_crl_uris(cert);
		put_ocsp_uris(cert);
		put_policies(cert);
	}
	put_key_ids(cert);
	put_key(X509_get_X509_PUBKEY(cert), extras->has_key);
	X509_free(cert);
	ERR_clear_error();
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "pki.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "util/mem.h"

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "pki: %s\n", what);
	ERR_print_errors_fp(stderr);
	abort();
}

EVP_PKEY *pki_key_new(enum pki_key_type type)
{
	EVP_PKEY *key = NULL;

	switch (type) {
	case PKI_P256:
		key = EVP_EC_gen("P-256");
		break;
	case PKI_P384:
		key = EVP_EC_gen("P-384");
		break;
	case PKI_RSA2048:
		key = EVP_RSA_gen(2048);
		break;
	case PKI_RSA1024:
		key = EVP_RSA_gen(1024);
		break;
	case PKI_ED25519:
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		break;
	}
	require(key, "no key");
	return key;
}

static X509_NAME *name_of(const char *text, struct bytes der)
{
	struct id id = { ID_TYPE_ANY, BYTES_NONE };
	const unsigned char *p;
	X509_NAME *name;

	if (!der.n && !text)
		return X509_NAME_new();
	if (!der.n) {
		require(id_parse(bytes_str(text), &id) && id.type == ID_TYPE_DER_ASN1_DN, text);
		der = id.data;
	}
	p = der.p;
	name = d2i_X509_NAME(NULL, &p, (long)der.n);
	require(name, "name");
	id_free(&id);
	return name;
}

static CONF *conf_of(const char *text)
{
	CONF *conf = NCONF_new(NULL);
	BIO *bio = BIO_new_mem_buf(text ? text : "", -1);
	long line;

	require(NCONF_load_bio(conf, bio, &line) == 1 || !text, "conf");
	BIO_free(bio);
	return conf;
}

/* "name=value" */
static X509_EXTENSION *extension_of(CONF *conf, X509V3_CTX *ctx, const char *text)
{
	const char *eq = strchr(text, '=');
	char *name = xstrndup(text, (size_t)(eq - text));
	X509_EXTENSION *e = X509V3_EXT_nconf(conf, ctx, name, eq + 1);

	require(e, text);
	free(name);
	return e;
}

static void extensions_add(X509 *x, X509 *issuer, const char *const *texts, const char *conf_text)
{
	CONF *conf = conf_of(conf_text);
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, conf);
	for (size_t i = 0; texts && texts[i]; i++) {
		X509_EXTENSION *e = extension_of(conf, &ctx, texts[i]);

		require(X509_add_ext(x, e, -1) == 1, texts[i]);
		X509_EXTENSION_free(e);
	}
	NCONF_free(conf);
}

struct buf pki_extensions_der(const struct pki_cert *issuer, const char *const *texts, const char *conf_text)
{
	CONF *conf = conf_of(conf_text);
	struct buf out = { 0 };
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer->x509, NULL, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, conf);
	for (size_t i = 0; texts && texts[i]; i++) {
		X509_EXTENSION *e = extension_of(conf, &ctx, texts[i]);
		unsigned char *der = NULL;
		int n = i2d_X509_EXTENSION(e, &der);

		require(n > 0, texts[i]);
		buf_add(&out, der, (size_t)n);
		OPENSSL_free(der);
		X509_EXTENSION_free(e);
	}
	NCONF_free(conf);
	return out;
}

static const EVP_MD *md_for(EVP_PKEY *key, const EVP_MD *md)
{
	if (EVP_PKEY_get_id(key) == EVP_PKEY_ED25519)
		return NULL;
	return md ? md : EVP_sha256();
}

static void x509_sign(X509 *x, EVP_PKEY *key, const EVP_MD *md, bool pss)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pkey_ctx;

	require(EVP_DigestSignInit(ctx, &pkey_ctx, md_for(key, md), NULL, key) == 1, "sign");
	if (pss) {
		require(EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING) == 1, "pss");
		require(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, RSA_PSS_SALTLEN_DIGEST) == 1, "salt");
	}
	require(X509_sign_ctx(x, ctx) > 0, "sign");
	EVP_MD_CTX_free(ctx);
}

static void x509_set_times(X509 *x, const struct pki_spec *spec)
{
	time_t from = spec->not_before ? spec->not_before : PKI_NOW - PKI_DAY;
	time_t to = spec->not_after ? spec->not_after : PKI_NOW + 365 * PKI_DAY;

	require(ASN1_TIME_set(X509_getm_notBefore(x), from) && ASN1_TIME_set(X509_getm_notAfter(x), to), "time");
}

struct pki_cert *pki_cert_make(const struct pki_spec *spec)
{
	static long serials = 0x1000;
	struct pki_cert *c = xcalloc(1, sizeof(*c));
	X509_NAME *subject = name_of(spec->subject, spec->subject_der), *issuer = NULL;
	X509 *x = X509_new();

	c->x509 = x;
	c->key = spec->key ? spec->key : pki_key_new(spec->type);
	if (spec->key)
		EVP_PKEY_up_ref(c->key);
	if (spec->issuer_name)
		issuer = name_of(spec->issuer_name, BYTES_NONE);
	X509_set_version(x, (spec->version ? spec->version : 3) - 1);
	require(ASN1_INTEGER_set_int64(X509_get_serialNumber(x), spec->serial ? spec->serial : ++serials) == 1, "serial");
	X509_set_subject_name(x, subject);
	X509_set_issuer_name(x, issuer ? issuer : spec->issuer ? X509_get_subject_name(spec->issuer->x509) : subject);
	x509_set_times(x, spec);
	require(X509_set_pubkey(x, c->key) == 1, "key");
	extensions_add(x, spec->issuer ? spec->issuer->x509 : x, spec->extensions, spec->conf);
	x509_sign(x, spec->issuer ? spec->issuer->key : c->key, spec->md, spec->pss);
	X509_NAME_free(subject);
	X509_NAME_free(issuer);
	return c;
}

struct buf pki_cert_der(const struct pki_cert *c)
{
	struct buf der = { 0 };
	unsigned char *p = NULL;
	int n = i2d_X509(c->x509, &p);

	require(n > 0, "DER");
	buf_add(&der, p, (size_t)n);
	OPENSSL_free(p);
	return der;
}

struct pki_cert *pki_cert_new(const struct pki_spec *spec)
{
	struct pki_cert *c = pki_cert_make(spec);
	struct buf der = pki_cert_der(c);
	struct errtext err = { "" };

	c->cert = cert_parse(buf_bytes(&der), &err);
	require(c->cert, err.s);
	buf_free(&der);
	return c;
}

void pki_cert_free(struct pki_cert *c)
{
	if (!c)
		return;
	cert_unref(c->cert);
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
	free(c);
}

struct pki_cert *pki_ca(const struct pki_cert *issuer, const char *subject)
{
	static const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign",
						  "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid", NULL };

	return pki_cert_new(&(struct pki_spec){ .subject = subject, .issuer = issuer, .extensions = extensions });
}

struct pki_cert *pki_leaf(const struct pki_cert *issuer, const char *subject, const char *names)
{
	char *san = xasprintf("subjectAltName=%s", names ? names : "");
	bool known = issuer && issuer->cert->subject_key_id.n;
	const char *const extensions[] = { "keyUsage=critical,digitalSignature",
					   known ? "authorityKeyIdentifier=keyid" : names ? san : NULL, known && names ? san : NULL, NULL };
	struct pki_cert *c = pki_cert_new(&(struct pki_spec){ .subject = subject, .issuer = issuer, .extensions = extensions });

	free(san);
	return c;
}

/* ---- CRLs */

static void crl_revoke(X509_CRL *crl, const struct pki_cert *c, time_t when, int reason)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_TIME *date = ASN1_TIME_set(NULL, when);

	require(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(c->x509)) == 1, "serial");
	X509_REVOKED_set_revocationDate(entry, date);
	if (reason) {
		ASN1_ENUMERATED *value = ASN1_ENUMERATED_new();

		ASN1_ENUMERATED_set(value, reason);
		require(X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, value, 0, 0) == 1, "reason");
		ASN1_ENUMERATED_free(value);
	}
	require(X509_CRL_add0_revoked(crl, entry) == 1, "revoked");
	ASN1_TIME_free(date);
}

static void crl_add_number(X509_CRL *crl, int nid, long number)
{
	ASN1_INTEGER *value = ASN1_INTEGER_new();

	ASN1_INTEGER_set(value, number);
	require(X509_CRL_add1_ext_i2d(crl, nid, value, nid == NID_delta_crl, 0) == 1, "number");
	ASN1_INTEGER_free(value);
}

static void crl_extensions_add(X509_CRL *crl, const struct pki_crl_spec *spec)
{
	static const char akid[] = "authorityKeyIdentifier=keyid";
	CONF *conf = conf_of(spec->conf);
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, spec->issuer->x509, NULL, NULL, crl, 0);
	X509V3_set_nconf(&ctx, conf);
	if (X509_get0_subject_key_id(spec->issuer->x509)) {
		X509_EXTENSION *e = extension_of(conf, &ctx, akid);

		X509_CRL_add_ext(crl, e, -1);
		X509_EXTENSION_free(e);
	}
	for (size_t i = 0; spec->extensions && spec->extensions[i]; i++) {
		X509_EXTENSION *e = extension_of(conf, &ctx, spec->extensions[i]);

		X509_CRL_add_ext(crl, e, -1);
		X509_EXTENSION_free(e);
	}
	if (spec->number)
		crl_add_number(crl, NID_crl_number, spec->number);
	if (spec->base)
		crl_add_number(crl, NID_delta_crl, spec->base);
	NCONF_free(conf);
}

struct buf pki_crl_der(const struct pki_crl_spec *spec)
{
	const struct pki_cert *signer = spec->signer ? spec->signer : spec->issuer;
	time_t from = spec->this_update ? spec->this_update : PKI_NOW - 3600;
	time_t to = spec->next_update ? spec->next_update : PKI_NOW + PKI_DAY;
	ASN1_TIME *t = ASN1_TIME_set(NULL, from);
	X509_CRL *crl = X509_CRL_new();
	unsigned char *p = NULL;
	struct buf der = { 0 };
	int n;

	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(spec->issuer->x509));
	X509_CRL_set1_lastUpdate(crl, t);
	if (spec->next_update != -1)
		X509_CRL_set1_nextUpdate(crl, ASN1_TIME_set(t, to));
	for (size_t i = 0; spec->revoked && spec->revoked[i]; i++)
		crl_revoke(crl, spec->revoked[i], from, spec->reason);
	crl_extensions_add(crl, spec);
	require(X509_CRL_sign(crl, signer->key, md_for(signer->key, NULL)) > 0, "CRL");
	n = i2d_X509_CRL(crl, &p);
	require(n > 0, "DER");
	buf_add(&der, p, (size_t)n);
	OPENSSL_free(p);
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
	return der;
}

struct crl *pki_crl_new(const struct pki_crl_spec *spec)
{
	struct buf der = pki_crl_der(spec);
	struct errtext err = { "" };
	struct crl *crl = crl_parse(buf_bytes(&der), &err);

	require(crl, err.s);
	buf_free(&der);
	return crl;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/pem.h>
#include <stdio.h>
#include <unistd.h>

#include "auth/auth_service.h"
#include "pki.h"
#include "testing/unit/control/control_test.h"

/* Certificates, private keys and authorities. */

static struct lab lab;
static struct peer p;
static struct pki_cert *root, *moon, *sun;
static struct crl *crl;

/* ---- an auth_service that has something cached ---- */

static unsigned flushed;

void auth_service_flush(struct auth_service *s, unsigned what)
{
	(void)s;
	flushed |= what;
}

void auth_service_each_cert(struct auth_service *s, void (*fn)(void *arg, const struct cert *cert), void *arg)
{
	(void)s;
	fn(arg, sun->cert);
	fn(arg, moon->cert);
}

void auth_service_each_crl(struct auth_service *s, void (*fn)(void *arg, const struct crl *crl), void *arg)
{
	(void)s;
	fn(arg, crl);
}

void auth_service_each_ocsp(struct auth_service *s, void (*fn)(void *arg, struct bytes der), void *arg)
{
	(void)s;
	fn(arg, bytes_str("response"));
}

static void setup(void)
{
	flushed = 0;
	root = pki_ca(NULL, "C=CH, CN=root");
	moon = pki_leaf(root, "C=CH, CN=moon", "DNS:moon.bewick.test");
	sun = pki_leaf(root, "C=CH, CN=sun", NULL);
	crl = pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .number = 1 });
	lab_open(&lab);
	peer_open(&p, &lab);
}

static void teardown(void)
{
	peer_close(&p);
	lab_close(&lab);
	crl_unref(crl);
	pki_cert_free(moon);
	pki_cert_free(sun);
	pki_cert_free(root);
}

/* Begins anew, with what else the daemon has. */
static void with_parts(const struct control_parts *parts)
{
	peer_close(&p);
	lab_close(&lab);
	lab_parts = *parts;
	lab_open(&lab);
	lab_parts = (struct control_parts){ 0 };
	peer_open(&p, &lab);
}

/* ---- asking ---- */

static void load(const char *type, const char *flag, struct bytes data)
{
	struct vici_writer w = { 0 };

	vici_write_str(&w, "type", type);
	if (flag)
		vici_write_str(&w, "flag", flag);
	vici_write_value(&w, "data", data);
	peer_call(&p, "load-cert", &w, NULL);
	vici_writer_clear(&w);
}

static void loaded(const char *type, const char *flag, struct bytes data)
{
	load(type, flag, data);
	peer_succeeded(&p);
}

/* It fails, and the reason begins like that. */
static void failed(const char *begins)
{
	char *text = vici_find_str(p.got.message, "errmsg");

	peer_value(&p, "success", "no");
	ck_assert_msg(text && strncmp(text, begins, strlen(begins)) == 0, "'%s' instead of '%s...'", text, begins);
	free(text);
}

static struct buf key_der(const struct pki_cert *c)
{
	unsigned char *der = NULL;
	int n = i2d_PrivateKey(c->key, &der);
	struct buf out = { 0 };

	buf_add(&out, der, (size_t)n);
	OPENSSL_free(der);
	return out;
}

static void load_key(const char *type, struct bytes data)
{
	struct vici_writer w = { 0 };

	if (type)
		vici_write_str(&w, "type", type);
	vici_write_value(&w, "data", data);
	peer_call(&p, "load-key", &w, NULL);
	vici_writer_clear(&w);
}

/* "type flag key subject" of each event, "CRL", "key" and so on; in order. */
static void ck_listed(const char *key, const char *value, const char *expected)
{
	struct vici_writer w = { 0 };
	struct buf out = { 0 };

	if (key)
		vici_write_str(&w, key, value);
	peer_packet(&p, VICI_CMD_REQUEST, "list-certs", &w);
	vici_writer_clear(&w);
	for (;;) {
		struct bytes der;
		char *type, *flag;
		struct errtext err;
		struct cert *cert;

		if (peer_recv_any(&p) == VICI_CMD_RESPONSE)
			break;
		type = vici_find_str(p.got.message, "type");
		flag = vici_find_str(p.got.message, "flag");
		ck_assert(vici_find(p.got.message, VICI_KEY_VALUE, "data", &der));
		cert = flag ? cert_parse(der, &err) : NULL;
		buf_printf(&out, "%s%s%s%s%s%s%s", out.n ? "; " : "", type, flag ? " " : "", flag ? flag : "",
			   vici_find_bool(p.got.message, "has_privkey", false) ? " key" : "", cert ? " " : "",
			   cert ? id_text(&cert->subject).s : "");
		cert_unref(cert);
		free(type);
		free(flag);
	}
	ck_assert_str_eq(buf_str(&out), expected);
	buf_free(&out);
}

/* The items with commas between. */
static void ck_list(struct bytes section, const char *list, const char *expected)
{
	struct buf out = { 0 };
	struct vici_parser parser;
	struct vici_entry e;
	struct bytes items;

	ck_assert(vici_find(section, VICI_LIST_START, list, &items));
	for (parser = vici_parser_of_list(items); vici_next_entry(&parser, &e);) {
		buf_add_str(&out, out.n ? ", " : "");
		buf_add_bytes(&out, e.value);
	}
	ck_assert_str_eq(buf_str(&out), expected);
	buf_free(&out);
}

static void ck_items(const struct peer *from, const char *list, const char *expected)
{
	ck_list(from->got.message, list, expected);
}

/* ---- certificates ---- */

START_TEST(certificates_are_loaded_and_listed)
{
	struct buf key = key_der(moon);

	peer_register(&p, "list-cert");
	ck_listed(NULL, NULL, "");
	loaded("X509", "NONE", moon->cert->der);
	loaded("x509ca", NULL, root->cert->der);
	loaded("X509_CRL", NULL, crl->der);
	ck_assert_uint_eq(lab.workers.n_rechecks, 1);
	loaded("X509_CRL", NULL, crl->der); /* not newer */
	ck_assert_uint_eq(lab.workers.n_rechecks, 1);
	loaded("pubkey", NULL, sun->cert->key->spki);
	loaded("x509", "ocsp", sun->cert->der);
	loaded("X509", NULL, moon->cert->der); /* is there */
	ck_listed(NULL, NULL, "PUBKEY; X509 NONE C=CH, CN=moon; X509 CA C=CH, CN=root; X509 OCSP C=CH, CN=sun; X509_CRL");
	load_key("any", buf_bytes(&key));
	peer_succeeded(&p);
	ck_listed("type", "x509", "X509 NONE key C=CH, CN=moon; X509 CA C=CH, CN=root; X509 OCSP C=CH, CN=sun");
	ck_listed("type", "X509CA", "X509 CA C=CH, CN=root");
	ck_listed("flag", "OCSP", "PUBKEY; X509 OCSP C=CH, CN=sun; X509_CRL");
	ck_listed("type", "x509crl", "X509_CRL");
	ck_listed("type", "ocsp_response", "");
	ck_listed("type", "bogus", "");
	ck_listed("flag", "bogus", "");
	ck_listed("subject", "C=CH, CN=moon", "X509 NONE key C=CH, CN=moon");
	ck_listed("subject", "moon.bewick.test", "X509 NONE key C=CH, CN=moon");
	ck_listed("subject", "C=CH, CN=root", "X509 CA C=CH, CN=root; X509_CRL");
	ck_listed("subject", "C=CH, CN=*", "X509 NONE key C=CH, CN=moon; X509 CA C=CH, CN=root; X509 OCSP C=CH, CN=sun; X509_CRL");
	peer_ask(&p, "clear-creds", NULL);
	peer_succeeded(&p);
	ck_listed(NULL, NULL, "");
	buf_free(&key);
}
END_TEST

START_TEST(what_is_cached_is_listed_too)
{
	with_parts(&(struct control_parts){ .auth = (struct auth_service *)&lab });
	peer_register(&p, "list-cert");
	loaded("X509", "NONE", moon->cert->der);
	ck_listed(NULL, NULL, "X509 NONE C=CH, CN=moon; X509 NONE C=CH, CN=sun; X509_CRL; OCSP_RESPONSE");
	peer_ask(&p, "flush-certs", "type", "bogus", NULL);
	peer_failed(&p, "invalid certificate type 'bogus'");
	peer_ask(&p, "flush-certs", "type", "pubkey", NULL);
	peer_succeeded(&p);
	ck_assert_uint_eq(flushed, 0);
	peer_ask(&p, "flush-certs", "type", "x509_crl", NULL);
	peer_succeeded(&p);
	ck_assert_uint_eq(flushed, AUTH_CACHED_CRLS);
	peer_ask(&p, "flush-certs", NULL);
	peer_succeeded(&p);
	ck_assert_uint_eq(flushed, AUTH_CACHED_CRLS | AUTH_CACHED_CERTS | AUTH_CACHED_OCSP);
	flushed = 0;
	peer_ask(&p, "clear-creds", NULL);
	ck_assert_uint_eq(flushed, AUTH_CACHED_CRLS | AUTH_CACHED_CERTS | AUTH_CACHED_OCSP);
}
END_TEST

START_TEST(wrong_certificates_are_refused)
{
	peer_ask(&p, "load-cert", "data", "x", NULL);
	peer_failed(&p, "certificate type missing");
	peer_ask(&p, "load-cert", "type", "foo", "data", "x", NULL);
	peer_failed(&p, "invalid certificate type 'foo'");
	peer_ask(&p, "load-cert", "type", "ANY", "data", "x", NULL);
	peer_failed(&p, "invalid certificate type 'ANY'");
	peer_ask(&p, "load-cert", "type", "X509", "flag", "foo", "data", "x", NULL);
	peer_failed(&p, "invalid certificate flag 'foo'");
	peer_ask(&p, "load-cert", "type", "X509", NULL);
	peer_failed(&p, "certificate data missing");
	peer_ask(&p, "load-cert", "type", "X509", "data", "garbage", NULL);
	failed("parsing X509 certificate failed: ");
	peer_ask(&p, "load-cert", "type", "X509_CRL", "data", "garbage", NULL);
	failed("parsing X509_CRL certificate failed: ");
	peer_ask(&p, "load-cert", "type", "PUBKEY", "data", "garbage", NULL);
	failed("parsing PUBKEY certificate failed: ");
	peer_ask(&p, "load-cert", "type", "X509_AC", "data", "x", NULL);
	failed("parsing X509_AC certificate failed: ");
	peer_ask(&p, "load-cert", "type", "OCSP_RESPONSE", "data", "x", NULL);
	peer_failed(&p, "OCSP responses cannot be loaded, they are fetched");
	load("X509", "CA", moon->cert->der);
	peer_failed(&p, "ca certificate lacks CA basic constraint, rejected");
}
END_TEST

/* ---- private keys ---- */

START_TEST(keys_come_and_go)
{
	struct buf key = key_der(moon), hex = { 0 };

	buf_add_hex(&hex, bytes_of(moon->cert->key->id, KEY_ID_LEN));
	load_key("ECDSA", buf_bytes(&key));
	peer_succeeded(&p);
	peer_value(&p, "id", buf_str(&hex));
	load_key("any", buf_bytes(&key));
	peer_value(&p, "id", buf_str(&hex));
	peer_ask(&p, "get-keys", NULL);
	ck_items(&p, "keys", buf_str(&hex));
	peer_ask(&p, "unload-key", NULL);
	peer_failed(&p, "key id missing");
	peer_ask(&p, "unload-key", "id", "0102", NULL);
	peer_failed(&p, "key not found");
	peer_ask(&p, "unload-key", "id", "xyz", NULL);
	peer_failed(&p, "key not found");
	peer_ask(&p, "unload-key", "id", buf_str(&hex), NULL);
	peer_succeeded(&p);
	peer_ask(&p, "unload-key", "id", buf_str(&hex), NULL);
	peer_failed(&p, "key not found");
	peer_ask(&p, "get-keys", NULL);
	ck_items(&p, "keys", "");
	buf_free(&key);
	buf_free(&hex);
}
END_TEST

START_TEST(wrong_keys_are_refused)
{
	struct buf key = key_der(moon);

	load_key(NULL, buf_bytes(&key));
	peer_failed(&p, "key type missing");
	load_key("dsa", buf_bytes(&key));
	peer_failed(&p, "invalid key type: dsa");
	load_key("any", BYTES_NONE);
	peer_failed(&p, "key data missing");
	load_key("any", bytes_str("garbage"));
	failed("parsing ANY private key failed: ");
	load_key("rsa", buf_bytes(&key));
	failed("parsing RSA private key failed: ");
	load_key("any", moon->cert->der);
	failed("parsing ANY private key failed: ");
	buf_free(&key);
}
END_TEST

START_TEST(tokens_are_asked_by_helpers)
{
	struct helper_pool *helpers;

	peer_ask(&p, "load-token", NULL);
	peer_failed(&p, "keyid missing");
	peer_ask(&p, "load-token", "handle", "xyz", NULL);
	peer_failed(&p, "loading private key from token failed: the handle is not hex: xyz");
	peer_ask(&p, "load-token", "handle", "01", NULL);
	peer_failed(&p, "loading private key from token failed: the daemon is shutting down");
	helpers = helper_pool_new(1, 4);
	with_parts(&(struct control_parts){ .helpers = helpers });
	peer_ask(&p, "load-token", "handle", "01", "module", "/nonexistent.so", "pin", "1234", NULL);
	failed("loading private key from token failed: ");
	with_parts(&(struct control_parts){ 0 });
	helper_pool_free(helpers);
}
END_TEST

/* ---- authorities ---- */

static void authority_call(const char *name, struct bytes cacert, const char *key, const char *list, const char *value)
{
	struct vici_writer w = { 0 };

	vici_write_section(&w, name);
	if (cacert.n)
		vici_write_value(&w, "cacert", cacert);
	if (key)
		vici_write_str(&w, key, value);
	if (list) {
		vici_write_list(&w, list);
		vici_write_item_str(&w, value);
		vici_write_list_end(&w);
	}
	vici_write_section_end(&w);
	peer_call(&p, "load-authority", &w, NULL);
	vici_writer_clear(&w);
}

static void ck_authority(const char *name, const char *key, const char *expected)
{
	struct bytes section;
	char *value;

	peer_packet(&p, VICI_CMD_REQUEST, "list-authorities", NULL);
	peer_recv(&p, VICI_EVENT);
	ck_assert(vici_find(p.got.message, VICI_SECTION_START, name, &section));
	value = vici_find_str(section, key);
	ck_assert_pstr_eq(value, expected);
	free(value);
	peer_recv(&p, VICI_CMD_RESPONSE);
}

START_TEST(authorities_come_and_go)
{
	peer_register(&p, "list-authority");
	authority_call("one", root->cert->der, NULL, "crl_uris", "http://192.0.2.1/a.crl");
	peer_succeeded(&p);
	ck_authority("one", "cacert", "C=CH, CN=root");
	ck_authority("one", "cert_uri_base", NULL);
	authority_call("one", root->cert->der, "cert_uri_base", NULL, "http://192.0.2.1/");
	peer_succeeded(&p);
	ck_authority("one", "cert_uri_base", "http://192.0.2.1/");
	peer_ask(&p, "get-authorities", NULL);
	ck_items(&p, "authorities", "one");
	peer_register(&p, "list-cert");
	ck_listed(NULL, NULL, "X509 CA C=CH, CN=root");
	peer_ask(&p, "clear-creds", NULL);
	ck_listed(NULL, NULL, "X509 CA C=CH, CN=root"); /* stays */
	peer_ask(&p, "list-authorities", "name", "two", NULL);
	peer_ask(&p, "unload-authority", NULL);
	peer_failed(&p, "unload: missing authority name");
	peer_ask(&p, "unload-authority", "name", "two", NULL);
	peer_failed(&p, "unload: authority 'two' not found");
	peer_ask(&p, "unload-authority", "name", "one", NULL);
	peer_succeeded(&p);
	ck_listed(NULL, NULL, "");
	peer_ask(&p, "get-authorities", NULL);
	ck_items(&p, "authorities", "");
}
END_TEST

START_TEST(an_authority_out_of_a_file)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/ca.pem", lab.dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(PEM_write_X509(f, root->x509), 1);
	fclose(f);
	authority_call("one", BYTES_NONE, "file", NULL, path);
	peer_succeeded(&p);
	unlink(path);
	authority_call("two", BYTES_NONE, "file", NULL, path);
	failed("CA certificate missing: two (/tmp/");
}
END_TEST

START_TEST(wrong_authorities_are_refused)
{
	authority_call("x", BYTES_NONE, NULL, NULL, NULL);
	peer_failed(&p, "CA certificate missing: x");
	authority_call("x", bytes_str("garbage"), NULL, NULL, NULL);
	failed("CA certificate missing: x (");
	authority_call("x", moon->cert->der, NULL, NULL, NULL);
	failed("CA certificate missing: x ('C=CH, CN=moon' (issuer 'C=CH, CN=root'");
	authority_call("x", BYTES_NONE, "handle", NULL, "01");
	failed("CA certificate missing: x (the daemon is shutting down");
	authority_call("x", root->cert->der, "colour", NULL, "blue");
	peer_failed(&p, "unknown option: colour, authority discarded");
	authority_call("x", root->cert->der, "crl_uris", NULL, "http://192.0.2.1/a.crl"); /* is a list */
	peer_failed(&p, "unknown option: crl_uris, authority discarded");
	authority_call("x", root->cert->der, NULL, "crl_uris", "ldap://192.0.2.1/");
	peer_failed(&p, "invalid value for: crl_uris, authority discarded (a URI begins with http://, https:// or file://)");
	authority_call("x", root->cert->der, NULL, "ocsp_uris", "file:///ocsp");
	peer_failed(&p, "invalid value for: ocsp_uris, authority discarded (a URI begins with http:// or https://)");
	authority_call("x", root->cert->der, "cert_uri_base", NULL, "file:///certs");
	peer_failed(&p, "invalid value for: cert_uri_base, authority discarded (a URI begins with http:// or https://)");
	authority_call("x", root->cert->der, "cert_uri_base", NULL, "https://192.0.2.1"); /* 192.0.2.100 begins so, too */
	peer_failed(&p, "invalid value for: cert_uri_base, authority discarded (a host and a path, as in http://host/)");
	authority_call("x", root->cert->der, "cert_uri_base", NULL, "http:///certs/");
	peer_failed(&p, "invalid value for: cert_uri_base, authority discarded (a host and a path, as in http://host/)");
	peer_ask(&p, "get-authorities", NULL);
	ck_items(&p, "authorities", "");
}
END_TEST

/* ---- connections ---- */

START_TEST(connections_show_their_certificates)
{
	struct vici_writer w = { 0 };
	struct bytes conn, round;
	char *value;

	peer_register(&p, "list-conn");
	peer_register(&p, "list-cert");
	vici_write_section(&w, "gw");
	vici_write_section(&w, "local");
	vici_write_list(&w, "certs");
	vici_write_item(&w, moon->cert->der);
	vici_write_list_end(&w);
	vici_write_section_end(&w);
	vici_write_section(&w, "remote");
	vici_write_str(&w, "ca_id", "C=CH, CN=root");
	vici_write_str(&w, "revocation", "strict");
	vici_write_list(&w, "cacerts");
	vici_write_item(&w, root->cert->der);
	vici_write_list_end(&w);
	vici_write_section_end(&w);
	vici_write_section_end(&w);
	peer_call(&p, "load-conn", &w, NULL);
	vici_writer_clear(&w);
	peer_succeeded(&p);
	peer_packet(&p, VICI_CMD_REQUEST, "list-conns", NULL);
	peer_recv(&p, VICI_EVENT);
	ck_assert(vici_find(p.got.message, VICI_SECTION_START, "gw", &conn));
	ck_assert(vici_find(conn, VICI_SECTION_START, "local-1", &round));
	value = vici_find_str(round, "id");
	ck_assert_pstr_eq(value, "C=CH, CN=moon");
	free(value);
	ck_list(round, "certs", "C=CH, CN=moon");
	ck_assert(vici_find(conn, VICI_SECTION_START, "remote-1", &round));
	ck_list(round, "cacerts", "C=CH, CN=root");
	value = vici_find_str(round, "revocation");
	ck_assert_pstr_eq(value, "GOOD");
	free(value);
	value = vici_find_str(round, "ca_id");
	ck_assert_pstr_eq(value, "C=CH, CN=root");
	free(value);
	peer_recv(&p, VICI_CMD_RESPONSE);
	ck_listed(NULL, NULL, "X509 NONE C=CH, CN=moon; X509 CA C=CH, CN=root");
}
END_TEST

TCase *control_creds_tests(void)
{
	TCase *tc = tcase_create("creds");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, certificates_are_loaded_and_listed);
	tcase_add_test(tc, what_is_cached_is_listed_too);
	tcase_add_test(tc, wrong_certificates_are_refused);
	tcase_add_test(tc, keys_come_and_go);
	tcase_add_test(tc, wrong_keys_are_refused);
	tcase_add_test(tc, tokens_are_asked_by_helpers);
	tcase_add_test(tc, authorities_come_and_go);
	tcase_add_test(tc, an_authority_out_of_a_file);
	tcase_add_test(tc, wrong_authorities_are_refused);
	tcase_add_test(tc, connections_show_their_certificates);
	return tc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Name constraints (RFC 5280, 4.2.1.10) of all types: what is permitted, what is excluded, and the borders of both. */
#include <stdlib.h>

#include "auth_test.h"
#include "util/mem.h"

static struct trust_test t;
static struct pki_cert *root, *sub;

static void teardown(void)
{
	trust_test_clear(&t);
	pki_cert_free(root);
	pki_cert_free(sub);
	root = sub = NULL;
}

static void setup(void)
{
	trust_test_init(&t, "CN=x");
}

/* root < sub with these constraints. */
static void constrain(const char *constraints)
{
	char *text = xasprintf("nameConstraints=critical,%s", constraints);
	const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", "subjectKeyIdentifier=hash", text, NULL };
	static const char conf[] = "[dn]\nC=CH\nO=Bewick\n";

	teardown();
	setup();
	root = pki_ca(NULL, "CN=root");
	sub = pki_cert_new(&(struct pki_spec){ .subject = "C=CH, O=Bewick, CN=sub", .issuer = root, .extensions = extensions, .conf = conf });
	free(text);
}

/* An end entity below it with such a name is taken, or not. */
static void check(const char *subject, const char *names, bool good)
{
	struct pki_cert *leaf = pki_leaf(sub, subject, names);

	trust_test_clear(&t);
	trust_test_init(&t, subject);
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, leaf);
	trust_test_send(&t, sub);
	if (good)
		trust_test_good(&t, "leaf < sub < root");
	else
		trust_test_bad(&t, "name constraints|CN=leaf|its names are");
	pki_cert_free(leaf);
}

static void good(const char *names)
{
	check("CN=leaf", names, true);
}

static void bad(const char *names)
{
	check("CN=leaf", names, false);
}

START_TEST(test_dns_permitted)
{
	constrain("permitted;DNS:example.org");
	good("DNS:example.org");
	good("DNS:moon.example.org");
	good("DNS:a.b.EXAMPLE.org");
	good("email:other@other.net"); /* of another type */
	good(NULL);
	bad("DNS:example.com");
	bad("DNS:badexample.org"); /* no label ends there */
	bad("DNS:example.org.evil.net");
	bad("DNS:moon.example.org, DNS:moon.example.com");
	bad("DNS:org");
}
END_TEST

START_TEST(test_dns_excluded)
{
	constrain("excluded;DNS:secret.example.org");
	good("DNS:moon.example.org");
	good("DNS:nosecret.example.org");
	bad("DNS:secret.example.org");
	bad("DNS:a.Secret.example.org");
	bad("DNS:moon.example.org, DNS:a.secret.example.org");
}
END_TEST

START_TEST(test_dns_both)
{
	constrain("permitted;DNS:example.org,excluded;DNS:secret.example.org");
	good("DNS:moon.example.org");
	bad("DNS:a.secret.example.org");
	bad("DNS:example.com");
}
END_TEST

/* An identity is never taken from the common name, so it needs no constraint: but it is no way around one, either. */
START_TEST(test_common_name)
{
	struct pki_cert *leaf;

	constrain("permitted;DNS:example.org");
	leaf = pki_leaf(sub, "CN=evil.example.com", NULL);
	trust_test_clear(&t);
	trust_test_init(&t, "evil.example.com");
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, leaf);
	trust_test_send(&t, sub);
	trust_test_bad(&t, "not for identity 'evil.example.com'");
	pki_cert_free(leaf);
}
END_TEST

START_TEST(test_email)
{
	constrain("permitted;email:example.org");
	good("email:admin@example.org");
	bad("email:admin@moon.example.org"); /* a host is that host only */
	bad("email:admin@example.com");
	constrain("permitted;email:.example.org");
	good("email:admin@moon.example.org");
	bad("email:admin@example.org");
	bad("email:admin@badexample.org");
	constrain("permitted;email:admin@example.org");
	good("email:admin@example.org");
	bad("email:root@example.org");
	constrain("excluded;email:example.org");
	bad("email:admin@EXAMPLE.org");
	good("email:admin@example.com");
}
END_TEST

/* In the subject, too (RFC 5280, 4.2.1.10). */
START_TEST(test_email_in_subject)
{
	constrain("permitted;email:example.org");
	check("CN=leaf, E=admin@example.org", NULL, true);
	check("CN=leaf, E=admin@example.com", NULL, false);
}
END_TEST

START_TEST(test_addresses)
{
	constrain("permitted;IP:192.0.2.0/255.255.255.128");
	good("IP:192.0.2.0");
	good("IP:192.0.2.127");
	bad("IP:192.0.2.128");
	bad("IP:192.0.1.255");
	bad("IP:2001:db8::1"); /* no net of its kind is permitted */
	constrain("excluded;IP:192.0.2.0/255.255.255.128");
	bad("IP:192.0.2.5");
	good("IP:192.0.2.200");
	good("IP:2001:db8::1");
	constrain("permitted;IP:2001:db8::/ffff:ffff:ffff:8000:0:0:0:0");
	good("IP:2001:db8:0:7fff::1");
	bad("IP:2001:db8:0:8000::1");
	constrain("excluded;IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0");
	bad("IP:2001:db8::1");
	good("IP:192.0.2.1");
}
END_TEST

START_TEST(test_directory_names)
{
	constrain("permitted;dirName:dn");
	check("C=CH, O=Bewick, CN=leaf", NULL, true);
	check("C=CH, O=bewick, OU=x, CN=leaf", NULL, true); /* case does not matter */
	check("C=CH, O=Bewick2, CN=leaf", NULL, false);
	check("C=CH, CN=leaf", NULL, false);
	check("CN=leaf, C=CH, O=Bewick", NULL, false);
	check("C=DE, O=Bewick, CN=leaf", NULL, false);
	constrain("excluded;dirName:dn");
	check("CN=leaf", NULL, true);
	check("C=CH, O=Bewick, CN=leaf", NULL, false);
	check("C=CH, O=BEWICK, OU=x, CN=leaf", NULL, false);
	check("C=CH, O=Bewic, CN=leaf", NULL, true);
}
END_TEST

/* The string types of constraint and name differ, which is no way around an exclusion. */
START_TEST(test_directory_name_encodings)
{
	/* C=CH (PrintableString), O=Bewick (BMPString), CN=leaf */
	static const uint8_t bmp[] = {
		0x30, 0x33, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x06, 0x13, 0x02, 'C', 'H',
		0x31, 0x15, 0x30, 0x13, 0x06, 0x03, 0x55, 0x04, 0x0a, 0x1e, 0x0c, 0, 'B', 0, 'e', 0, 'w', 0, 'i', 0, 'c', 0, 'k',
		0x31, 0x0d, 0x30, 0x0b, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x04, 'l', 'e', 'a', 'f',
	};
	struct pki_cert *leaf;

	constrain("excluded;dirName:dn");
	leaf = pki_cert_new(&(struct pki_spec){ .subject_der = bytes_of(bmp, sizeof(bmp)), .issuer = sub });
	trust_test_clear(&t);
	trust_test_init(&t, "C=CH, O=Bewick, CN=leaf");
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, leaf);
	trust_test_send(&t, sub);
	trust_test_bad(&t, "excluded|name constraints");
	pki_cert_free(leaf);
	constrain("excluded;DNS:example.org");
	leaf = pki_cert_new(&(struct pki_spec){ .subject_der = bytes_of(bmp, sizeof(bmp)), .issuer = sub });
	trust_test_clear(&t);
	trust_test_init(&t, "C=CH, O=Bewick, CN=leaf");
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, leaf);
	trust_test_send(&t, sub);
	trust_test_good(&t, "leaf < sub < root"); /* and it is that identity */
	pki_cert_free(leaf);
}
END_TEST

START_TEST(test_uris)
{
	constrain("permitted;URI:.example.org");
	good("URI:https://moon.example.org/x");
	bad("URI:https://example.com/");
	bad("URI:https://badexample.org/");
	constrain("excluded;URI:moon.example.org");
	bad("URI:https://moon.example.org:8443/x");
	good("URI:https://sun.example.org/");
}
END_TEST

/* The names of a CA below are constrained, too, and constraints add up along the path. */
START_TEST(test_inherited)
{
	static const char *const wide[] = { "basicConstraints=critical,CA:TRUE", "subjectKeyIdentifier=hash",
					    "nameConstraints=critical,permitted;DNS:moon.example.org,permitted;DNS:example.com", NULL };
	struct pki_cert *mid, *leaf;

	constrain("permitted;DNS:example.org");
	mid = pki_cert_new(&(struct pki_spec){ .subject = "CN=mid", .issuer = sub, .extensions = wide });
	leaf = pki_leaf(mid, "CN=leaf", "DNS:a.moon.example.org");
	trust_test_clear(&t);
	trust_test_init(&t, "CN=leaf");
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, leaf);
	trust_test_send(&t, mid);
	trust_test_send(&t, sub);
	trust_test_good(&t, "leaf < mid < sub < root");
	for (int i = 0; i < 2; i++) {
		pki_cert_free(leaf);
		leaf = pki_leaf(mid, "CN=leaf", i ? "DNS:example.com" : "DNS:sun.example.org");
		trust_test_send_none(&t);
		trust_test_send(&t, leaf);
		trust_test_send(&t, mid);
		trust_test_send(&t, sub);
		trust_test_bad(&t, "'CN=leaf'|name constraints");
	}
	pki_cert_free(leaf);
	pki_cert_free(mid);
}
END_TEST

/* A CA that is given a name which it may not have. */
START_TEST(test_intermediate_name)
{
	static const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", "subjectAltName=DNS:ca.example.com", NULL };
	struct pki_cert *mid, *leaf;

	constrain("permitted;DNS:example.org");
	mid = pki_cert_new(&(struct pki_spec){ .subject = "CN=mid", .issuer = sub, .extensions = extensions });
	leaf = pki_leaf(mid, "CN=leaf", NULL);
	trust_test_clear(&t);
	trust_test_init(&t, "CN=leaf");
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, leaf);
	trust_test_send(&t, mid);
	trust_test_send(&t, sub);
	trust_test_bad(&t, "'CN=mid'|name constraints");
	pki_cert_free(leaf);
	pki_cert_free(mid);
}
END_TEST

/* What we match and cannot check under a constraint is refused, not taken. */
START_TEST(test_other_names)
{
	constrain("permitted;otherName:1.3.6.1.5.5.7.8.5;UTF8:moon@example.org");
	bad("otherName:1.3.6.1.5.5.7.8.5;UTF8:evil@example.com");
	good("DNS:moon.example.org");
}
END_TEST

Suite *suite_trust_names(void)
{
	const TTest *const tests[] = {
		test_dns_permitted, test_dns_excluded, test_dns_both, test_common_name, test_email, test_email_in_subject,
		test_addresses, test_directory_names, test_directory_name_encodings, test_uris, test_inherited, test_intermediate_name,
		test_other_names,
	};
	Suite *s = suite_create("trust_names");
	TCase *tc = tcase_create("names");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < ARRAY_LEN(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "test_proto.h"

#include <stdlib.h>

#include "proto/id.h"
#include "proto/limits.h"
#include "util/mem.h"

static struct id id_of(const char *text)
{
	struct id id;

	ck_assert_msg(id_parse(bytes_str(text), &id), "%s", text);
	return id;
}

static int match(const char *text, const char *pattern)
{
	struct id a = id_of(text), b = id_of(pattern);
	int score = id_match(&a, &b);

	id_free(&a);
	id_free(&b);
	return score;
}

static bool equal(const char *x, const char *y)
{
	struct id a = id_of(x), b = id_of(y);
	struct buf na = { NULL, 0, 0 }, nb = { NULL, 0, 0 };
	bool same = id_equal(&a, &b);

	ck_assert_int_eq(same, id_equal(&b, &a));
	ck_assert_uint_eq(id_hash_bytes(&a, &na), na.n);
	ck_assert_uint_eq(id_hash_bytes(&b, &nb), nb.n);
	/* The form for hashing tells them apart exactly as equality does. */
	ck_assert_int_eq(same, bytes_equal(buf_bytes(&na), buf_bytes(&nb)));
	buf_free(&na);
	buf_free(&nb);
	id_free(&a);
	id_free(&b);
	return same;
}

/* The forms of swanctl.conf and how they are printed. */
START_TEST(forms)
{
	static const struct {
		const char *in;
		uint8_t type;
		const char *out;
	} cases[] = {
		{ "", ID_TYPE_ANY, "%any" },
		{ "%any", ID_TYPE_ANY, "%any" },
		{ "%any6", ID_TYPE_ANY, "%any" },
		{ "*", ID_TYPE_ANY, "%any" },
		{ "0.0.0.0", ID_TYPE_ANY, "%any" },
		{ "::", ID_TYPE_ANY, "%any" },
		{ "0::0", ID_TYPE_ANY, "%any" },
		{ "moon.bewick.test", ID_TYPE_FQDN, "moon.bewick.test" },
		{ "@host", ID_TYPE_FQDN, "host" },
		{ "*.example.org", ID_TYPE_FQDN, "*.example.org" },
		{ "two words here", ID_TYPE_FQDN, "two words here" },
		{ "cl@bewick.test", ID_TYPE_RFC822_ADDR, "cl@bewick.test" },
		{ "@@a@b", ID_TYPE_RFC822_ADDR, "a@b" },
		{ "@#0a0b", ID_TYPE_KEY_ID, "0a:0b" },
		{ "10.0.0.1", ID_TYPE_IPV4_ADDR, "10.0.0.1" },
		{ "10.0.0.0/8", ID_TYPE_IPV4_ADDR_SUBNET, "10.0.0.0/8" },
		{ "10.0.0.1-10.0.0.9", ID_TYPE_IPV4_ADDR_RANGE, "10.0.0.1-10.0.0.9" },
		{ "10.0.0.9-10.0.0.1", ID_TYPE_FQDN, "10.0.0.9-10.0.0.1" },
		{ "10.0.0.1.2", ID_TYPE_FQDN, "10.0.0.1.2" },
		{ "fec0::1", ID_TYPE_IPV6_ADDR, "fec0::1" },
		{ "fec0::/16", ID_TYPE_IPV6_ADDR_SUBNET, "fec0::/16" },
		{ "fec0::1-fec0::9", ID_TYPE_IPV6_ADDR_RANGE, "fec0::1-fec0::9" },
		{ "ab:cd:ef", ID_TYPE_KEY_ID, "ab:cd:ef" },
		{ "keyid:#01020304", ID_TYPE_KEY_ID, "01:02:03:04" },
		{ "keyid:some text", ID_TYPE_KEY_ID, "some text" },
		{ "keyid:#xyz", ID_TYPE_KEY_ID, "#xyz" },
		{ "ipv4:#0a000001", ID_TYPE_IPV4_ADDR, "10.0.0.1" },
		{ "ipv4net:#0a000000ff000000", ID_TYPE_IPV4_ADDR_SUBNET, "10.0.0.0/8" },
		{ "ipv4range:#0a0000010a000009", ID_TYPE_IPV4_ADDR_RANGE, "10.0.0.1-10.0.0.9" },
		{ "ipv6:#fec00000000000000000000000000001", ID_TYPE_IPV6_ADDR, "fec0::1" },
		{ "ipv4:10.0.0.1", ID_TYPE_IPV4_ADDR, "{1}:#31302e302e302e31" },
		{ "rfc822:a@b", ID_TYPE_RFC822_ADDR, "a@b" },
		{ "email:a@b", ID_TYPE_RFC822_ADDR, "a@b" },
		{ "userfqdn:a@b", ID_TYPE_RFC822_ADDR, "a@b" },
		{ "fqdn:a@b", ID_TYPE_FQDN, "a@b" },
		{ "dns:host", ID_TYPE_FQDN, "host" },
		{ "dns:10.0.0.1", ID_TYPE_FQDN, "10.0.0.1" },
		{ "asn1dn:C=CH, CN=x", ID_TYPE_DER_ASN1_DN, "C=CH, CN=x" },
		{ "asn1dn:#300d310b3009060355040613024348", ID_TYPE_DER_ASN1_DN, "C=CH" },
		{ "asn1dn:nonsense", ID_TYPE_KEY_ID, "nonsense" },
		{ "asn1gn:#8203612e62", ID_TYPE_DER_ASN1_GN, "{10}:#8203612e62" },
		{ "uri:http://a.b/c=d", ID_TYPE_DER_ASN1_GN, "uri:http://a.b/c=d" },
		{ "xmppaddr:a@b", ID_TYPE_DER_ASN1_GN, "xmppaddr:a@b" },
		{ "{2}:host", ID_TYPE_FQDN, "host" },
		{ "{11}:#00ff", ID_TYPE_KEY_ID, "00:ff" },
		{ "{201}:#00ff", 201, "{201}:#00ff" },
		{ "{256}:x", ID_TYPE_KEY_ID, "{256}:x" },
		{ "C=CH, O=Bewick Test, CN=moon", ID_TYPE_DER_ASN1_DN, "C=CH, O=Bewick Test, CN=moon" },
		{ "C=CH,O=x", ID_TYPE_DER_ASN1_DN, "C=CH, O=x" },
		{ "/C=CH/O=x", ID_TYPE_DER_ASN1_DN, "C=CH, O=x" },
		{ "C=CH, O=*, CN=*", ID_TYPE_DER_ASN1_DN, "C=CH, O=*, CN=*" },
		{ "not=a=dn", ID_TYPE_KEY_ID, "not=a=dn" },
		{ "user=x@host", ID_TYPE_KEY_ID, "user=x@host" },
		{ "fqdn:^(moon|sun)\\.x$", ID_TYPE_FQDN, "^(moon|sun)\\.x$" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct id id = id_of(cases[i].in);

		ck_assert_msg(id.type == cases[i].type, "'%s' has type %u", cases[i].in, id.type);
		ck_assert_str_eq(id_text(&id).s, cases[i].out);
		ck_assert_int_eq(id_is_any(&id), cases[i].type == ID_TYPE_ANY);
		id_free(&id);
		ck_assert(id_is_any(&id));
	}
}
END_TEST

START_TEST(length_limit)
{
	struct buf b = { NULL, 0, 0 };
	struct id id;

	while (b.n < LIMIT_ID)
		buf_add_u8(&b, 'a');
	ck_assert(id_parse(buf_bytes(&b), &id));
	ck_assert_uint_eq(id.data.n, LIMIT_ID);
	id_free(&id);
	buf_add_u8(&b, 'a');
	ck_assert(!id_parse(buf_bytes(&b), &id));
	while (b.n < 65536)
		buf_add_u8(&b, '=');
	ck_assert(!id_parse(buf_bytes(&b), &id));
	buf_free(&b);
}
END_TEST

START_TEST(equality)
{
	ck_assert(equal("host.example", "HOST.Example"));
	ck_assert(equal("A@B.c", "a@b.C"));
	ck_assert(!equal("host", "host2"));
	ck_assert(!equal("host", "keyid:host"));
	ck_assert(!equal("keyid:Host", "keyid:host"));
	ck_assert(equal("%any", "*"));
	ck_assert(!equal("%any", "host"));
	ck_assert(equal("10.0.0.1", "ipv4:#0a000001"));
	ck_assert(equal("C=CH, O=Bewick  Test, CN=Moon", "/C=ch/O=bewick test /CN=moon"));
	ck_assert(!equal("C=CH, CN=moon", "CN=moon, C=CH"));
	ck_assert(!equal("C=CH, CN=moon", "C=CH, CN=moon, CN=x"));
	ck_assert(!equal("CN=a", "OU=a"));
}
END_TEST

START_TEST(copies)
{
	struct id a = id_of("host"), b = id_dup(&a), any = { 0, BYTES_NONE }, c = id_dup(&any);
	struct addr v4 = { .family = AF_INET, .port = 5, .ip = { 10, 0, 0, 1 } };
	struct addr none = { .family = 0 };

	ck_assert_ptr_ne(a.data.p, b.data.p);
	ck_assert(id_equal(&a, &b));
	id_free(&a);
	ck_assert_str_eq(id_text(&b).s, "host");
	id_free(&b);
	ck_assert(id_is_any(&c));
	id_free(&c);
	a = id_from_addr(&v4);
	ck_assert_str_eq(id_text(&a).s, "10.0.0.1");
	id_free(&a);
	v4.family = AF_INET6;
	a = id_from_addr(&v4);
	ck_assert_uint_eq(a.type, ID_TYPE_IPV6_ADDR);
	id_free(&a);
	a = id_from_addr(&none);
	ck_assert(id_is_any(&a));
}
END_TEST

START_TEST(patterns)
{
	ck_assert_int_eq(match("host", "%any"), ID_MATCH_ANY);
	ck_assert_int_eq(match("%any", "%any"), ID_MATCH_ANY);
	ck_assert_int_eq(match("%any", "host"), ID_MATCH_NONE);
	ck_assert_int_eq(match("Host", "host"), ID_MATCH_PERFECT);
	ck_assert_int_eq(match("host", "other"), ID_MATCH_NONE);
	ck_assert_int_eq(match("host", "keyid:host"), ID_MATCH_NONE);
	ck_assert_int_eq(match("moon.example.org", "*.example.org"), ID_MATCH_WILDCARD + 2);
	ck_assert_int_eq(match("moon.EXAMPLE.org", "*.example.org"), ID_MATCH_WILDCARD + 2);
	ck_assert_int_eq(match("moon.example.org", "*.org"), ID_MATCH_WILDCARD + 1);
	ck_assert_int_eq(match("moon.example.net", "*.example.org"), ID_MATCH_NONE);
	ck_assert_int_eq(match("example.org", "*.example.org"), ID_MATCH_NONE);
	ck_assert_int_eq(match("moonexample.org", "*.example.org"), ID_MATCH_NONE);
	ck_assert_int_eq(match("alice@example.org", "*@example.org"), ID_MATCH_WILDCARD + 2);
	ck_assert_int_eq(match("alice@sub.example.org", "*@example.org"), ID_MATCH_NONE);
	ck_assert_int_eq(match("alice@x.org", "*.org"), ID_MATCH_NONE);
	/* a star sent by a peer is no pattern */
	ck_assert_int_eq(match("*.example.org", "moon.example.org"), ID_MATCH_NONE);
	ck_assert_int_eq(match("keyid:abc", "keyid:*"), ID_MATCH_NONE);
}
END_TEST

START_TEST(address_patterns)
{
	ck_assert_int_eq(match("10.1.2.3", "10.1.2.3"), ID_MATCH_PERFECT);
	ck_assert_int_gt(match("10.1.2.3", "10.0.0.0/8"), ID_MATCH_ANY);
	ck_assert_int_gt(match("10.1.2.3", "10.1.0.0/16"), match("10.1.2.3", "10.0.0.0/8"));
	ck_assert_int_gt(match("10.1.2.3", "10.1.2.3/32"), match("10.1.2.3", "10.1.0.0/16"));
	ck_assert_int_lt(match("10.1.2.3", "10.1.2.3/32"), ID_MATCH_PERFECT);
	ck_assert_int_eq(match("11.1.2.3", "10.0.0.0/8"), ID_MATCH_NONE);
	ck_assert_int_eq(match("10.0.0.1", "10.0.0.1-10.0.0.9") > ID_MATCH_ANY, 1);
	ck_assert_int_gt(match("10.0.0.9", "10.0.0.1-10.0.0.9"), ID_MATCH_ANY);
	ck_assert_int_eq(match("10.0.0.10", "10.0.0.1-10.0.0.9"), ID_MATCH_NONE);
	ck_assert_int_eq(match("10.0.0.0", "10.0.0.1-10.0.0.9"), ID_MATCH_NONE);
	ck_assert_int_gt(match("fec0::5", "fec0::/16"), ID_MATCH_ANY);
	ck_assert_int_gt(match("fec0::5", "fec0::1-fec0::9"), ID_MATCH_ANY);
	ck_assert_int_eq(match("fec1::5", "fec0::/16"), ID_MATCH_NONE);
	ck_assert_int_eq(match("10.0.0.1", "fec0::/16"), ID_MATCH_NONE);
	ck_assert_int_eq(match("10.0.0.0/8", "10.0.0.0/8"), ID_MATCH_PERFECT);
	/* malformed */
	ck_assert_int_eq(match("ipv4:#0a0000", "10.0.0.0/8"), ID_MATCH_NONE);
	ck_assert_int_eq(match("10.0.0.1", "ipv4net:#0a000000"), ID_MATCH_NONE);
}
END_TEST

START_TEST(regular_expressions)
{
	struct id good = id_of("fqdn:^a$"), bad = id_of("fqdn:^(a$"), plain = id_of("(a"), nul;
	struct id dot = id_of("fqdn:^a.b$");

	ck_assert_int_eq(match("moon.x", "fqdn:^(moon|sun)\\.x$"), ID_MATCH_WILDCARD);
	ck_assert_int_eq(match("SUN.x", "fqdn:^(moon|sun)\\.x$"), ID_MATCH_WILDCARD);
	ck_assert_int_eq(match("earth.x", "fqdn:^(moon|sun)\\.x$"), ID_MATCH_NONE);
	ck_assert_int_eq(match("moon.xx", "fqdn:^(moon|sun)\\.x$"), ID_MATCH_NONE);
	ck_assert_int_eq(match("moon@x", "fqdn:^moon.*$"), ID_MATCH_NONE);
	ck_assert_int_eq(match("moon@x", "email:^moon.*$"), ID_MATCH_WILDCARD);
	ck_assert_int_eq(match("C=CH, CN=moon7", "asn1dn:^.*CN=moon[0-9]$"), ID_MATCH_WILDCARD);
	ck_assert_int_eq(match("C=CH, CN=moonx", "asn1dn:^.*CN=moon[0-9]$"), ID_MATCH_NONE);
	ck_assert_int_eq(match("a", "fqdn:^(a$"), ID_MATCH_NONE);
	/* the text of the expression itself is not what it means */
	ck_assert_int_eq(match("fqdn:^a$", "fqdn:^a$"), ID_MATCH_NONE);
	ck_assert(id_pattern_is_valid(&good));
	ck_assert(!id_pattern_is_valid(&bad));
	ck_assert(id_pattern_is_valid(&plain));
	/* octets behind a NUL are not lost */
	nul = (struct id){ ID_TYPE_FQDN, bytes_of("a\0b", 3) };
	ck_assert_int_eq(id_match(&nul, &good), ID_MATCH_NONE);
	ck_assert_int_eq(id_match(&nul, &dot), ID_MATCH_NONE);
	nul.data.p = (const uint8_t *)"axb";
	ck_assert_int_eq(id_match(&nul, &dot), ID_MATCH_WILDCARD);
	nul.data.n = 1;
	ck_assert_int_eq(id_match(&nul, &good), ID_MATCH_WILDCARD);
	id_free(&good);
	id_free(&bad);
	id_free(&plain);
	id_free(&dot);
}
END_TEST

/* Nothing a peer puts into an identity reaches a log or VICI as it is. */
START_TEST(hostile_text)
{
	static const uint8_t raw[] = "a\nb\x1b[0m\x7f\xff\xc3\xa4\xe2\x80\xae\xc0\x80\xe0\x81\x81z";
	struct id id = { ID_TYPE_FQDN, bytes_of(raw, sizeof(raw) - 1) };
	struct buf b = { NULL, 0, 0 };

	id_format(&b, &id);
	ck_assert_str_eq(buf_str(&b), "a?b?[0m??\xc3\xa4????????z");
	buf_free(&b);
	id.type = ID_TYPE_KEY_ID;
	id.data.n = 3;
	ck_assert_str_eq(id_text(&id).s, "61:0a:62");
	id.type = ID_TYPE_IPV6_ADDR;
	ck_assert_str_eq(id_text(&id).s, "{5}:#610a62");
	id.type = ID_TYPE_IPV4_ADDR_SUBNET;
	ck_assert_str_eq(id_text(&id).s, "{4}:#610a62");
	id.type = ID_TYPE_NULL;
	ck_assert_str_eq(id_text(&id).s, "ID_NULL");
}
END_TEST

START_TEST(random_bytes)
{
	struct test_random r = { 0xc0ffee };
	struct id pattern[4] = { id_of("C=CH, O=*, CN=x"), id_of("*.example.org"), id_of("10.0.0.0/8"),
				 id_of("asn1dn:^.*$") };

	for (int i = 0; i < 20000; i++) {
		uint8_t data[64];
		struct id id = { (uint8_t)test_random(&r, 16), { data, test_random(&r, sizeof(data)) } };
		struct buf b = { NULL, 0, 0 };

		for (size_t j = 0; j < sizeof(data); j++)
			data[j] = (uint8_t)test_random(&r, 256);
		id_format(&b, &id);
		buf_reset(&b);
		(void)id_hash_bytes(&id, &b);
		for (size_t j = 0; j < ARRAY_LEN(pattern); j++) {
			int score = id_match(&id, &pattern[j]);

			ck_assert(score == ID_MATCH_NONE || id.type == pattern[j].type ||
				  id.type == ID_TYPE_IPV4_ADDR);
			(void)id_match(&pattern[j], &id);
		}
		ck_assert(id_equal(&id, &id));
		buf_free(&b);
	}
	for (size_t j = 0; j < ARRAY_LEN(pattern); j++)
		id_free(&pattern[j]);
}
END_TEST

/* Any text at all is some identity, and any identity prints. */
START_TEST(random_texts)
{
	static const char alphabet[] = "ac=,/@#*:{}2.\"\\ CN-%^$";
	struct test_random r = { 0xdecade };

	for (int i = 0; i < 50000; i++) {
		char s[24];
		size_t n = test_random(&r, sizeof(s));
		struct id id;

		for (size_t j = 0; j < n; j++)
			s[j] = alphabet[test_random(&r, sizeof(alphabet) - 1)];
		ck_assert(id_parse(bytes_of(s, n), &id));
		(void)id_text(&id);
		(void)id_match(&id, &id);
		id_free(&id);
	}
}
END_TEST

TCase *test_id(void)
{
	TCase *t = tcase_create("id");

	tcase_add_test(t, forms);
	tcase_add_test(t, length_limit);
	tcase_add_test(t, equality);
	tcase_add_test(t, copies);
	tcase_add_test(t, patterns);
	tcase_add_test(t, address_patterns);
	tcase_add_test(t, regular_expressions);
	tcase_add_test(t, hostile_text);
	tcase_add_test(t, random_bytes);
	tcase_add_test(t, random_texts);
	tcase_set_timeout(t, 60);
	return t;
}

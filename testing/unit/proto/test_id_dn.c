/* SPDX-License-Identifier: Apache-2.0 */
#include "test_proto.h"

#include <stdlib.h>
#include <time.h>

#include "proto/id.h"
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
	int score;

	ck_assert_uint_eq(a.type, ID_TYPE_DER_ASN1_DN);
	ck_assert_uint_eq(b.type, ID_TYPE_DER_ASN1_DN);
	score = id_match(&a, &b);
	id_free(&a);
	id_free(&b);
	return score;
}

START_TEST(texts)
{
	static const struct {
		const char *in;
		const char *out;
	} good[] = {
		{ "C=CH,O=x,  CN = y", "C=CH, O=x, CN=y" },
		{ "CN=\"a, b\"", "CN=\"a, b\"" },
		{ "CN=\"a\"", "CN=a" },
		{ "CN=\"a \\\"b\\\" \\\\\", O=x", "CN=\"a \\\"b\\\" \\\\\", O=x" },
		{ "/CN=http://x/OU=y", "CN=http://x, OU=y" },
		{ "/CN=a,b", "CN=\"a,b\"" },
		{ "CN=", "CN=" },
		{ "cn=a, Email=b@c, emailAddress=d", "CN=a, E=b@c, E=d" },
		{ "DC=org, DC=example, UID=u, ST=s, L=l, SN=n, G=g, T=t",
		  "DC=org, DC=example, UID=u, ST=s, L=l, S=n, G=g, T=t" },
		{ "2.5.4.3=a, 1.2.3.4=b", "CN=a, 1.2.3.4=b" },
		{ "CN=Z\xc3\xbcrich", "CN=Z\xc3\xbcrich" },
		{ "CN=a=b", "CN=a=b" },
		{ "CN=a/O=b", "CN=a/O=b" },
		{ "serialNumber=1, postalCode=8000, STREET=x", "serialNumber=1, postalCode=8000, STREET=x" },
	};
	static const char *const bad[] = {
		"=", "=x", "X=y", "CN=a, b", "CN=a,", "C=CH, , O=x", "CN=\"a", "CN=\"a\"b", "CN=a,,O=b",
		"/", "//CN=a", "1.2.=x", ".1.2=x", "1..2=x", "1.2a=x", "1=x,", "CN",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct id id = id_of(good[i].in), back;

		ck_assert_msg(id.type == ID_TYPE_DER_ASN1_DN, "%s", good[i].in);
		ck_assert_str_eq(id_text(&id).s, good[i].out);
		back = id_of(good[i].out);
		ck_assert_msg(bytes_equal(id.data, back.data), "%s", good[i].in);
		id_free(&id);
		id_free(&back);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct id id = id_of(bad[i]);

		ck_assert_msg(id.type != ID_TYPE_DER_ASN1_DN, "%s", bad[i]);
		id_free(&id);
	}
}
END_TEST

START_TEST(encoding)
{
	/* RFC 5280, appendix A: C and serialNumber are PrintableStrings */
	static const uint8_t der[] = {
		0x30, 0x29, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x06, 0x13, 0x02, 0x43, 0x48,
		0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, 0x78, 0x31, 0x0e, 0x30,
		0x0c, 0x06, 0x03, 0x55, 0x04, 0x05, 0x13, 0x05, 0x31, 0x32, 0x33, 0x34, 0x35,
	};
	struct id id = id_of("C=CH, CN=x, serialNumber=12345");

	ck_assert_uint_eq(id.data.n, sizeof(der));
	ck_assert_mem_eq(id.data.p, der, sizeof(der));
	id_free(&id);
}
END_TEST

START_TEST(string_types)
{
	/* CN=Moon as UTF8String, PrintableString, T61String and BMPString, in several cases */
	static const char *const same[] = {
		"asn1dn:#300f310d300b06035504030c044d6f6f6e",
		"asn1dn:#300f310d300b060355040313044d4f4f4e",
		"asn1dn:#300f310d300b060355040314046d6f6f6e",
		"asn1dn:#30133111300f06035504031e08004d006f006f006e",
	};
	struct id first = id_of(same[0]);

	ck_assert_str_eq(id_text(&first).s, "CN=Moon");
	for (size_t i = 1; i < ARRAY_LEN(same); i++) {
		struct id id = id_of(same[i]);
		struct buf a = { NULL, 0, 0 }, b = { NULL, 0, 0 };

		ck_assert(id_equal(&first, &id));
		ck_assert_int_eq(id_match(&id, &first), ID_MATCH_PERFECT);
		(void)id_hash_bytes(&first, &a);
		(void)id_hash_bytes(&id, &b);
		ck_assert(bytes_equal(buf_bytes(&a), buf_bytes(&b)));
		buf_free(&a);
		buf_free(&b);
		id_free(&id);
	}
	id_free(&first);
}
END_TEST

START_TEST(wildcards)
{
	id_set_dn_matching(ID_DN_STRICT);
	ck_assert_int_eq(match("C=CH, O=x, CN=y", "C=ch, O=X, CN= y"), ID_MATCH_PERFECT);
	ck_assert_int_eq(match("C=CH, O=x, CN=y", "C=CH, O=*, CN=*"), ID_MATCH_WILDCARD + 1);
	ck_assert_int_eq(match("C=CH, O=x, CN=y", "C=CH, O=x, CN=*"), ID_MATCH_WILDCARD + 2);
	ck_assert_int_eq(match("C=CH, O=x, CN=y", "C=*, O=*, CN=*"), ID_MATCH_WILDCARD);
	ck_assert_int_eq(match("C=CH, O=x, CN=y", "C=DE, O=*, CN=*"), ID_MATCH_NONE);
	ck_assert_int_eq(match("C=CH, O=x, CN=y", "C=CH, O=x"), ID_MATCH_NONE);
	ck_assert_int_eq(match("C=CH, O=x", "C=CH, O=x, CN=*"), ID_MATCH_NONE);
	ck_assert_int_eq(match("C=CH, O=x, CN=y", "O=x, C=CH, CN=*"), ID_MATCH_NONE);
	ck_assert_int_eq(match("C=CH, O=x, CN=y", "C=CH, OU=*, CN=y"), ID_MATCH_NONE);
	/* no part of a value, and no prefix of the text */
	ck_assert_int_eq(match("C=CH, CN=moonlight", "C=CH, CN=moon"), ID_MATCH_NONE);
	ck_assert_int_eq(match("C=CH, CN=moon", "C=CH, CN=m*"), ID_MATCH_NONE);
	ck_assert_int_eq(match("CN=\"x, O=y\"", "CN=x, O=y"), ID_MATCH_NONE);
	/* a star sent by a peer is no pattern */
	ck_assert_int_eq(match("C=CH, O=*, CN=*", "C=CH, O=x, CN=y"), ID_MATCH_NONE);
}
END_TEST

START_TEST(orders)
{
	id_set_dn_matching(ID_DN_REORDERED);
	ck_assert_int_eq(match("C=CH, O=x, CN=y", "CN=*, C=CH, O=x"), ID_MATCH_WILDCARD + 2);
	ck_assert_int_eq(match("C=CH, O=x, CN=y", "CN=y, C=CH, O=x"), ID_MATCH_PERFECT);
	ck_assert_int_eq(match("C=CH, O=x, CN=y", "CN=y, C=CH"), ID_MATCH_NONE);
	/* the wildcard leaves the exact one its value */
	ck_assert_int_eq(match("OU=a, OU=b", "OU=*, OU=a"), ID_MATCH_WILDCARD + 1);
	ck_assert_int_eq(match("OU=a, OU=b", "OU=a, OU=a"), ID_MATCH_NONE);
	id_set_dn_matching(ID_DN_RELAXED);
	ck_assert_int_eq(match("C=CH, O=x, CN=y", "CN=y, C=CH"), ID_MATCH_WILDCARD + 2);
	ck_assert_int_eq(match("C=CH, O=x, CN=y", "CN=*"), ID_MATCH_WILDCARD);
	ck_assert_int_eq(match("C=CH, O=x", "C=CH, O=x, CN=*"), ID_MATCH_NONE);
	id_set_dn_matching(ID_DN_STRICT);
}
END_TEST

/* RDNs with two attributes: CN=a + UID=b, and the same in the other order */
START_TEST(multi_valued)
{
	static const char one[] = "asn1dn:#301f311d300806035504030c01613011060a0992268993f22c6401010c0362"
				  "6262";
	static const char two[] = "asn1dn:#301f311d3011060a0992268993f22c6401010c03626262300806035504030c"
				  "0161";
	struct id a = id_of(one), b = id_of(two), c = id_of("CN=a, UID=bbb");

	ck_assert_uint_eq(a.type, ID_TYPE_DER_ASN1_DN);
	ck_assert_str_eq(id_text(&a).s, "CN=a + UID=bbb");
	ck_assert(id_equal(&a, &b));
	ck_assert(!id_equal(&a, &c));
	ck_assert_int_eq(id_match(&a, &c), ID_MATCH_NONE);
	id_free(&a);
	id_free(&b);
	id_free(&c);
}
END_TEST

/* Broken copies of a real name: no crash, no match, and something printable. */
START_TEST(malformed)
{
	struct test_random r = { 0xbadd };
	struct id good = id_of("C=CH, O=Bewick Test, OU=*, CN=moon.bewick.test, E=a@b");
	uint8_t data[256];

	ck_assert_uint_lt(good.data.n, sizeof(data));
	for (size_t n = 0; n < good.data.n; n++) {
		uint8_t *copy = xmemdup(good.data.p, n); /* exact size, so that over-reads show */
		struct id cut = { ID_TYPE_DER_ASN1_DN, bytes_of(copy, n) };

		ck_assert_int_eq(id_match(&cut, &good), ID_MATCH_NONE);
		ck_assert_int_eq(strncmp(id_text(&cut).s, "{9}:#", 5), 0);
		free(copy);
	}
	memcpy(data, good.data.p, good.data.n);
	data[good.data.n] = 0;
	ck_assert_int_eq(id_match(&(struct id){ ID_TYPE_DER_ASN1_DN, bytes_of(data, good.data.n + 1) },
				  &good),
			 ID_MATCH_NONE);
	for (int i = 0; i < 20000; i++) {
		struct id bad = { ID_TYPE_DER_ASN1_DN, bytes_of(data, good.data.n) };
		struct buf b = { NULL, 0, 0 };

		memcpy(data, good.data.p, good.data.n);
		for (uint32_t j = 0, k = 1 + test_random(&r, 3); j < k; j++)
			data[test_random(&r, (uint32_t)good.data.n)] = (uint8_t)test_random(&r, 256);
		id_format(&b, &bad);
		for (size_t j = 0; j < b.n; j++)
			ck_assert_uint_ge(b.p[j], 0x20);
		buf_reset(&b);
		(void)id_hash_bytes(&bad, &b);
		(void)id_match(&bad, &good);
		(void)id_match(&good, &bad);
		ck_assert(id_equal(&bad, &bad));
		buf_free(&b);
	}
	id_free(&good);
}
END_TEST

START_TEST(is_pattern)
{
	static const struct {
		const char *text;
		bool is;
	} ids[] = {
		{ "CN=moon", false },	   { "C=CH, CN=*", true },  { "C=CH, CN=*x", false }, { "asn1dn:^CN=.*$", true },
		{ "%any", true },	   { "moon.test", false },  { "*.moon.test", true },  { "*@moon.test", true },
		{ "10.0.0.1", false },	   { "10.0.0.0/8", true },  { "10.0.0.1-10.0.0.9", true }, { "fe80::1", false },
		{ "keyid:2a2a2a", false }, { "moon@x.test", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct id id = id_of(ids[i].text);

		ck_assert_msg(id_is_pattern(&id) == ids[i].is, "%s", ids[i].text);
		id_free(&id);
	}
}
END_TEST

static void der_put(struct buf *b, uint8_t tag, struct bytes content)
{
	buf_add_u8(b, tag);
	if (content.n > 0x7f)
		buf_add_u8(b, 0x83);
	if (content.n > 0x7f)
		buf_add_u8(b, (uint8_t)(content.n >> 16));
	if (content.n > 0x7f)
		buf_add_u8(b, (uint8_t)(content.n >> 8));
	buf_add_u8(b, (uint8_t)content.n);
	buf_add_bytes(b, content);
}

/* One RDN of `n` common names, from the last to the first or the other way. */
static struct id huge_rdn(unsigned n, bool down)
{
	static const uint8_t head[] = { 0x30, 13, 6, 3, 0x55, 4, 3, 0x0c, 6 };
	struct buf set = { 0 }, rdn = { 0 }, name = { 0 };

	for (unsigned i = 0; i < n; i++) {
		buf_add(&set, head, sizeof(head));
		buf_printf(&set, "%06u", down ? n - 1 - i : i);
	}
	der_put(&rdn, 0x31, buf_bytes(&set));
	der_put(&name, 0x30, buf_bytes(&rdn));
	buf_free(&set);
	buf_free(&rdn);
	return (struct id){ ID_TYPE_DER_ASN1_DN, buf_bytes(&name) };
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A name is anybody's to make: what it costs must not grow with the square of its attributes (16 s here, instead of a tenth of one). */
START_TEST(many_attributes)
{
	struct id a = huge_rdn(69000, true), b = huge_rdn(69000, false);
	double begin = cpu_seconds();

	ck_assert(id_equal(&a, &b));
	ck_assert_double_lt(cpu_seconds() - begin, 10);
	id_free(&a);
	id_free(&b);
}
END_TEST

TCase *test_id_dn(void)
{
	TCase *t = tcase_create("id_dn");

	tcase_add_test(t, texts);
	tcase_add_test(t, encoding);
	tcase_add_test(t, string_types);
	tcase_add_test(t, wildcards);
	tcase_add_test(t, orders);
	tcase_add_test(t, multi_valued);
	tcase_add_test(t, malformed);
	tcase_add_test(t, is_pattern);
	tcase_add_test(t, many_attributes);
	tcase_set_timeout(t, 60);
	return t;
}

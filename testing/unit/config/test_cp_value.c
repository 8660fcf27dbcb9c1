/* SPDX-License-Identifier: Apache-2.0 */
#include "test_config.h"

#include "config/cp_value.h"

static const struct {
	const char *key, *text;
	unsigned type;
	const char *hex; /* NULL: refused */
} values[] = {
	{ "dns", "10.1.0.53", 3, "0a010035" },
	{ "dns", "2001:db8::53", 10, "20010db8000000000000000000000053" },
	{ "dns", "10.1.0.0/16", 0, NULL },
	{ "dns", "fe80::1%lo", 0, NULL },
	{ "dns", "", 0, NULL },
	{ "dns", "name", 0, NULL },
	{ "nbns", "10.1.0.1", 4, "0a010001" },
	{ "nbns", "::1", 0, NULL },
	{ "dhcp", "10.1.0.1", 6, "0a010001" },
	{ "dhcp", "::1", 12, "00000000000000000000000000000001" },
	{ "address", "10.1.0.1", 1, "0a010001" },
	{ "address", "::1", 8, "0000000000000000000000000000000180" },
	{ "netmask", "255.255.0.0", 2, "ffff0000" },
	{ "p_cscf", "10.1.0.1", 20, "0a010001" },
	{ "server", "10.1.0.1", 23456, "0a010001" },
	{ "server", "::1", 23457, "00000000000000000000000000000001" },
	{ "subnet", "10.1.0.0/16", 13, "0a010000ffff0000" },
	{ "subnet", "10.1.0.9/16", 13, "0a010000ffff0000" },
	{ "subnet", "10.1.0.9", 13, "0a010009ffffffff" },
	{ "subnet", "0.0.0.0/0", 13, "0000000000000000" },
	{ "subnet", "2001:db8::/32", 15, "20010db800000000000000000000000020" },
	{ "split_include", "10.1.0.0/17", 28676, "0a010000ffff8000000000000000" },
	{ "split-exclude", "10.1.0.0/17", 28678, "0a010000ffff8000000000000000" },
	{ "split-include", "::/0", 0, NULL },
	{ "25", "corp.example", 25, "636f72702e6578616d706c65" },
	{ "25", "10.1.0.1", 25, "0a010001" },
	{ "25", "", 25, "" },
	{ "32767", "x", 32767, "78" },
	{ "32768", "x", 0, NULL },
	{ "0", "x", 0, NULL },
	{ "", "x", 0, NULL },
	{ "99999999999999999999", "x", 0, NULL },
	{ "1x", "x", 0, NULL },
	{ "frob", "x", 0, NULL },
	{ "dn", "10.1.0.53", 0, NULL },
	{ "dnss", "10.1.0.53", 0, NULL },
};

START_TEST(test_value)
{
	struct cp_value v = { .type = 77 };
	bool ok = cp_value_parse(values[_i].key, bytes_str(values[_i].text), &v);
	struct buf hex = { 0 };

	ck_assert_msg(ok == (values[_i].hex != NULL), "%s = %s", values[_i].key, values[_i].text);
	if (!ok) {
		ck_assert_uint_eq(v.type, 77);
		return;
	}
	ck_assert(cp_key_is_known(values[_i].key));
	buf_add_hex(&hex, bytes_of(v.data, v.n));
	ck_assert_str_eq(buf_str(&hex), values[_i].hex);
	ck_assert_uint_eq(v.type, values[_i].type);
	buf_free(&hex);
}
END_TEST

START_TEST(test_length)
{
	char text[LIMIT_CP_VALUE + 2];
	struct cp_value v;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	ck_assert(!cp_value_parse("25", bytes_str(text), &v));
	ck_assert(cp_value_parse("25", bytes_str(text + 1), &v));
	ck_assert_uint_eq(v.n, LIMIT_CP_VALUE);
	ck_assert(!cp_key_is_known("frob"));
}
END_TEST

Suite *suite_cp_value(void)
{
	Suite *s = suite_create("cp_value");
	TCase *t = tcase_create("all");

	tcase_add_loop_test(t, test_value, 0, sizeof(values) / sizeof(values[0]));
	tcase_add_test(t, test_length);
	suite_add_tcase(s, t);
	return s;
}

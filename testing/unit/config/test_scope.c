/* SPDX-License-Identifier: Apache-2.0 */
#include "test_config.h"

#include <stdio.h>

#include "config/conn.h"

/* What packets of a child are told apart by; what backends cannot do. */

static struct conn *scope_parse(const char *ike, const char *child, const struct conn_backend *backend, struct errtext *err)
{
	struct conn_env env = { .backend = *backend };
	char text[1024];
	struct tree *file;
	struct conn *c;

	snprintf(text, sizeof(text), "c { local { auth = psk }\nremote { auth = psk }\n%s\nchildren { k { %s } } }", ike, child);
	file = tree_of(text);
	c = conn_parse(file->first, &env, err);
	tree_free(file);
	return c;
}

static const struct conn_backend all = { "kernel-all", true, true, true, true, true, true };
static const struct conn_backend none = { .name = "kernel-none" };

static const struct {
	const char *text;
	enum scope_kind kind;
	struct ipsec_mark mark;
} marks[] = {
	{ "0", SCOPE_FIXED, { 0, 0 } },
	{ "0/0xffffffff", SCOPE_FIXED, { 0, 0 } },
	{ "5/0", SCOPE_FIXED, { 0, 0 } },
	{ "0/0xff", SCOPE_FIXED, { 0, 0xff } },
	{ "42", SCOPE_FIXED, { 42, UINT32_MAX } },
	{ "0x2a/0xff", SCOPE_FIXED, { 42, 0xff } },
	{ "0x1ff/0xf0", SCOPE_FIXED, { 0xf0, 0xf0 } }, /* what the mask leaves of it */
	{ "0xffffffff", SCOPE_FIXED, { UINT32_MAX, UINT32_MAX } },
	{ "%unique", SCOPE_UNIQUE, { 0, UINT32_MAX } },
	{ "%unique/0xff00", SCOPE_UNIQUE, { 0, 0xff00 } },
	{ "%unique-dir", SCOPE_UNIQUE_DIR, { 0, UINT32_MAX } },
	{ "%unique-dir/7", SCOPE_UNIQUE_DIR, { 0, 7 } },
	{ "%same", SCOPE_SAME, { 0, UINT32_MAX } },
	{ "%same/0xff", SCOPE_SAME, { 0, 0xff } },
};

START_TEST(test_mark)
{
	struct errtext err = { "" };
	const struct mark_conf *m;
	char text[64];
	struct conn *c;

	snprintf(text, sizeof(text), "set_mark_out = %s", marks[_i].text);
	c = scope_parse("", text, &all, &err);
	ck_assert_msg(c != NULL, "%s", err.s);
	m = &c->children[0].scope.set_mark_out;
	ck_assert_int_eq(m->kind, marks[_i].kind);
	ck_assert_uint_eq(m->mark.value, marks[_i].mark.value);
	ck_assert_uint_eq(m->mark.mask, marks[_i].mark.mask);
	conn_unref(c);
}
END_TEST

START_TEST(test_full)
{
	struct errtext err = { "" };
	struct conn *c = scope_parse(
		"if_id_in = %unique\nif_id_out = 0x10\ndscp = 101110",
		"mode = beet\nmark_in = 1\nmark_out = 2\nmark_in_sa = yes\nset_mark_in = 3\nset_mark_out = 4\nif_id_in = 5\n"
		"if_id_out = %unique-dir\ninterface = eth0.7\npolicies = no\npolicies_fwd_out = yes\ncopy_dscp = yes\n"
		"hw_offload = crypto\ntfc_padding = mtu\nhostaccess = yes\ninactivity = 1m\nsha256_96 = yes",
		&all, &err);
	const struct child_conf *k;

	ck_assert_msg(c != NULL, "%s", err.s);
	k = &c->children[0];
	ck_assert_int_eq(c->if_id_in.kind, SCOPE_UNIQUE);
	ck_assert_int_eq(c->if_id_out.kind, SCOPE_FIXED);
	ck_assert_uint_eq(c->if_id_out.id, 16);
	ck_assert_int_eq(k->mode, CHILD_BEET);
	ck_assert_uint_eq(k->scope.mark_in.mark.value, 1);
	ck_assert_uint_eq(k->scope.mark_out.mark.value, 2);
	ck_assert(k->scope.mark_in_sa);
	ck_assert_uint_eq(k->scope.set_mark_in.mark.value, 3);
	ck_assert_uint_eq(k->scope.set_mark_out.mark.value, 4);
	ck_assert_uint_eq(k->scope.if_id_in.id, 5);
	ck_assert_int_eq(k->scope.if_id_out.kind, SCOPE_UNIQUE_DIR);
	ck_assert_str_eq(k->interface, "eth0.7");
	ck_assert(!k->policies && k->policies_fwd_out && k->hostaccess);
	ck_assert_int_eq(k->copy_dscp, COPY_DSCP_YES);
	ck_assert_int_eq(k->hw_offload, HW_OFFLOAD_CRYPTO);
	ck_assert_uint_eq(k->tfc_padding, TFC_MTU);
	ck_assert_uint_eq(k->inactivity, 60);
	ck_assert_uint_eq(c->dscp, 46);
	ck_assert(k->sha256_96);
	conn_unref(c);
}
END_TEST

/* Of a backend that can nothing of it each key is refused by name; where it can it is not. */
static const struct {
	const char *ike, *child, *error;
} refused[] = {
	{ "", "mode = transport", "mode = transport (kernel-none carries tunnel mode only)" },
	{ "", "mode = beet", "mode = beet (kernel-none does not carry BEET mode)" },
	{ "", "mark_in = 42/0xff", "mark_in = 42/0xff (kernel-none cannot do it)" },
	{ "", "mark_in = 0/0xff", "mark_in = 0/0xff (kernel-none cannot do it)" },
	{ "", "mark_out = %unique-dir", "mark_out = %unique-dir (kernel-none cannot do it)" },
	{ "", "mark_in_sa = yes", "mark_in_sa = yes (kernel-none cannot do it)" },
	{ "", "set_mark_in = %same", "set_mark_in = %same (kernel-none cannot do it)" },
	{ "", "set_mark_out = 1", "set_mark_out = 1 (kernel-none cannot do it)" },
	{ "", "if_id_in = 1", "if_id_in = 1 (kernel-none cannot do it)" },
	{ "", "if_id_out = %unique", "if_id_out = %unique (kernel-none cannot do it)" },
	{ "if_id_in = 1", "", "if_id_in = 1 (kernel-none cannot do it)" },
	{ "if_id_out = %unique-dir", "", "if_id_out = %unique-dir (kernel-none cannot do it)" },
	{ "", "interface = eth0", "interface = eth0 (kernel-none cannot do it)" },
	{ "", "policies = no", "policies = no (kernel-none cannot do it)" },
	{ "", "policies_fwd_out = yes", "policies_fwd_out = yes (kernel-none cannot do it)" },
	{ "", "copy_dscp = in", "copy_dscp = in (kernel-none cannot do it)" },
	{ "", "hw_offload = yes", "hw_offload = yes (kernel-none cannot do it)" },
	{ "", "hw_offload = packet", "hw_offload = packet (kernel-none cannot do it)" },
	{ "", "sha256_96 = yes", "sha256_96 = yes (kernel-none cannot do it)" },
	{ "", "tfc_padding = 100", "tfc_padding = 100 (kernel-none cannot do it)" },
};

START_TEST(test_refused)
{
	char expected[256];
	struct errtext err = { "" };
	struct conn *c = scope_parse(refused[_i].ike, refused[_i].child, &none, &err);

	ck_assert_ptr_null(c);
	snprintf(expected, sizeof(expected), "unsupported: %s", refused[_i].error);
	ck_assert_str_eq(err.s, expected);
	c = scope_parse(refused[_i].ike, refused[_i].child, &all, &err);
	ck_assert_msg(c != NULL, "%s", err.s);
	conn_unref(c);
}
END_TEST

static const char *const bad[] = { "mark_in = %same", "mark_in = 1/%unique", "mark_out = %uniquely", "mark_in = -1", "if_id_in = %same",
				   "if_id_in = %unique/1", "interface = a_name_of_17_chars", "interface = a/b", "tfc_padding = MTUs" };

START_TEST(test_bad)
{
	struct errtext err = { "" };

	ck_assert_ptr_null(scope_parse("", bad[_i], &all, &err));
	ck_assert_msg(strncmp(err.s, "invalid value for: ", 19) == 0, "%s", err.s);
}
END_TEST

Suite *suite_scope(void)
{
	Suite *s = suite_create("scope");
	TCase *t = tcase_create("scope");

	tcase_add_loop_test(t, test_mark, 0, ARRAY_LEN(marks));
	tcase_add_test(t, test_full);
	tcase_add_loop_test(t, test_refused, 0, ARRAY_LEN(refused));
	tcase_add_loop_test(t, test_bad, 0, ARRAY_LEN(bad));
	suite_add_tcase(s, t);
	return s;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "test_config.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/limits.h"
#include "testing/lib/scratch.h"

struct good {
	const char *text, *tree;
};

struct bad {
	const char *text, *error;
};

static void ck_good(const struct good *g)
{
	struct tree *t = tree_of(g->text);
	char *text = tree_to_text(t);

	ck_assert_msg(strcmp(text, g->tree) == 0, "'%s' gave '%s' instead of '%s'", g->text, text, g->tree);
	free(text);
	tree_free(t);
}

static const struct good good[] = {
	{ "", "" },
	{ "\n \t\r\n", "" },
	{ "# only a comment", "" },
	{ "a = 1", "a=1" },
	{ "a=1", "a=1" },
	{ "a   =   1  \t", "a=1" },
	{ "a = 1\nb = 2\n", "a=1 b=2" },
	{ "a = 1\r\nb = 2\r\n", "a=1 b=2" },
	{ "a { b = 1 }", "a{b=1}" },
	{ "a{b=1}c{d=2}", "a{b=1} c{d=2}" },
	{ "a\n{\nb = 1\n}", "a{b=1}" },
	{ "a # comment\n# another\n{ b = 1 }", "a{b=1}" },
	{ "a { }", "a{}" },
	{ "a { b { c { d = 1 } } }", "a{b{c{d=1}}}" },
	/* a setting ends at the line's end */
	{ "a = 1 b = 2", "a=1 b = 2" },
	{ "a { b = 1 c = 2 }", "a{b=1 c = 2}" },
	{ "a = x, y,z", "a=x, y,z" },
	{ "a = {x:y.z", "a={x:y.z" },
	{ "a = b # c", "a=b" },
	{ "a = b#c", "a=b" },
	{ "a = keyid:#0102", "a=keyid:" },
	{ "a = \"keyid:#0102\" # no", "a=keyid:#0102" },
	{ "a = two \t  words   here  ", "a=two words here" },
	{ "a = C:\\dir\\n", "a=C:\\dir\\n" },
	/* strings */
	{ "a = \"  two   blanks \"", "a=  two   blanks " },
	{ "a = \"x\" y \"z z\"", "a=x y z z" },
	{ "a = x\"y\"z", "a=x y z" },
	{ "a = \"\"", "a=" },
	{ "a = \"}#{\"", "a=}#{" },
	{ "a = \"line1\nline2\"\nb = 2", "a=line1\nline2 b=2" },
	{ "a = \"line1\r\nline2\"", "a=line1\nline2" },
	{ "a = \"joined \\\nline\"", "a=joined line" },
	{ "a = \"joined \\\r\nline\"", "a=joined line" },
	{ "a = \"\\n\\r\\t\\\"\\\\\\x\\#\"", "a=\n\r\t\"\\x#" },
	/* UTF-8 passes */
	{ "n\xc3\xa4me = \xe2\x82\xac", "n\xc3\xa4me=\xe2\x82\xac" },
	/* empty values unset */
	{ "a =", "" },
	{ "a = # nothing", "" },
	{ "a { b = }", "a{}" },
	{ "a = 1\na =", "" },
	{ "a =\na = 1", "a=1" },
	/* merging */
	{ "a { b = 1 }\na { c = 2 }", "a{b=1 c=2}" },
	{ "a { b = 1 }\na { b = 2 }", "a{b=2}" },
	{ "a = 1\na = 2", "a=2" },
	{ "a { b { c = 1 } } x = 1\na { b { d = 2 } }", "a{b{c=1 d=2}} x=1" },
	/* the word include */
	{ "include = x", "include=x" },
	{ "include=x", "include=x" },
	{ "include { a = 1 }", "include{a=1}" },
	{ "include : b { }\nb { a = 1 }", "include{a=1} b{a=1}" },
	{ "included { a = 1 }", "included{a=1}" },
	{ "a\x01 = 1", "a\x01=1" },
};

START_TEST(test_good)
{
	ck_good(&good[_i]);
}
END_TEST

static const struct good inherited[] = {
	{ "a : b { }\nb { k = 1 }", "a{k=1} b{k=1}" },
	{ "b { k = 1 }\na:b{}", "b{k=1} a{k=1}" },
	{ "a : b\n{ }\nb { k = 1 }", "a{k=1} b{k=1}" },
	{ "a\n: b # comment\n, c { }\nb { k = 1 } c { l = 1 }", "a{k=1 l=1} b{k=1} c{l=1}" },
	/* own first, then in the order of the references; the first wins */
	{ "a : b, c { z = 0 }\nb { x = 1\ny = 1 }\nc { y = 2\nz = 2\nw = 2 }",
	  "a{z=0 x=1 y=1 w=2} b{x=1 y=1} c{y=2 z=2 w=2}" },
	/* a missing one is ignored */
	{ "a : nowhere, b.nowhere, b { }\nb { k = 1 }", "a{k=1} b{k=1}" },
	{ "a : k { }\nk = 1", "a{} k=1" },
	/* recursively, and into equally named subsections */
	{ "a : b { }\nb : c { k = 1 }\nc { l = 1 }", "a{k=1 l=1} b{k=1 l=1} c{l=1}" },
	{ "a : b { s { x = 1 } }\nb { s { x = 2\ny = 2 }\nt { z = 2 } }",
	  "a{s{x=1 y=2} t{z=2}} b{s{x=2 y=2} t{z=2}}" },
	{ "a : b { s : d { } }\nb { s { y = 2 } }\nd { y = 3 }", "a{s{y=3}} b{s{y=2}} d{y=3}" },
	/* absolute paths, also into what is itself inherited */
	{ "x { y { z { k = 1 } } }\na : x.y.z { }", "x{y{z{k=1}}} a{k=1}" },
	{ "a : b.s { }\nb : c { }\nc { s { k = 1 } }", "a{k=1} b{s{k=1}} c{s{k=1}}" },
	{ "o { a : b { }\nb { k = 1 } }\nb { k = 2 }", "o{a{k=2} b{k=1}} b{k=2}" },
	/* unset values hide inherited ones */
	{ "a : b { k = }\nb { k = 1\nl = 1 }", "a{l=1} b{k=1 l=1}" },
	{ "a : b { }\nb : c { k = }\nc { k = 1\nl = 2 }", "a{l=2} b{l=2} c{k=1 l=2}" },
	{ "a : b { s = }\nb { s { k = 1 } }", "a{} b{s{k=1}}" },
	/* the kind is that of the first */
	{ "a : b { s = 1 }\nb { s { k = 1 } }", "a{s=1} b{s{k=1}}" },
	{ "a : b { s { } }\nb { s = 1 }", "a{s{}} b{s=1}" },
	/* references add up when sections merge */
	{ "a : b { }\na : c { }\nb { k = 1 }\nc { l = 1 }", "a{k=1 l=1} b{k=1} c{l=1}" },
	/* circles end */
	{ "a : a { k = 1 }", "a{k=1}" },
	{ "a : b { k = 1 }\nb : a { l = 1 }", "a{k=1 l=1} b{l=1 k=1}" },
	{ "a : b { k=1 }\nb : c { l=1 }\nc : a { m=1 }", "a{k=1 l=1 m=1} b{l=1 m=1 k=1} c{m=1 k=1 l=1}" },
	{ "a { x : a { } }", "a{x{}}" },
	{ "a { x : a { }\nk = 1 }", "a{x{} k=1}" },
	{ "a : a.b { b { k = 1 } }", "a{b{k=1} k=1}" },
	{ "a : b.x { }\nb : a { x : a { k = 1 } }", "a{k=1} b{x{k=1} k=1}" },
	{ "a { x : b { } }\nb { y : a { } }", "a{x{y{}}} b{y{x{}}}" },
};

START_TEST(test_inherited)
{
	ck_good(&inherited[_i]);
}
END_TEST

/* The example whose messages were recorded from a real client. */
START_TEST(test_observed)
{
	static const char text[] = "tmpl { version = 2\n"
				   "  remote_addrs = 192.0.2.55\n"
				   "  local { auth = psk }\n"
				   "  children { base { remote_ts = 10.50.0.0/16\n"
				   "     rekey_time = 2h } } }\n"
				   "childdef { esp_proposals = aes256gcm16\n"
				   "  dpd_action = trap }\n"
				   "connections {\n"
				   "  one : tmpl { rekey_time = 30m\n"
				   "    children { base : childdef { rekey_time = 3h }\n"
				   "      extra : tmpl.children.base, childdef { } } }\n"
				   "  two : connections.one { remote_addrs =\n"
				   "    version = 1\n"
				   "    local { id = two   words here }\n"
				   "    children { base { mode = transport } } }\n"
				   "  two { keyingtries = 0 }\n"
				   "}\n";
	struct tree *root = tree_of(text);
	char *got = tree_to_text(tree_find(root, "connections"));

	ck_assert_str_eq(got, "connections{"
			      "one{rekey_time=30m "
			      "children{base{rekey_time=3h esp_proposals=aes256gcm16 dpd_action=trap"
			      " remote_ts=10.50.0.0/16} "
			      "extra{remote_ts=10.50.0.0/16 rekey_time=2h esp_proposals=aes256gcm16"
			      " dpd_action=trap}} "
			      "version=2 remote_addrs=192.0.2.55 local{auth=psk}} "
			      "two{version=1 local{id=two words here auth=psk} "
			      "children{base{mode=transport rekey_time=3h esp_proposals=aes256gcm16"
			      " dpd_action=trap remote_ts=10.50.0.0/16} "
			      "extra{remote_ts=10.50.0.0/16 rekey_time=2h esp_proposals=aes256gcm16"
			      " dpd_action=trap}} "
			      "keyingtries=0 rekey_time=30m}}");
	free(got);
	tree_free(root);
}
END_TEST

static const struct bad bad[] = {
	{ "a", "text:1: expected '=', ':' or '{' behind a name, found end of file" },
	{ "a\n\n", "text:3: expected '=', ':' or '{' behind a name, found end of file" },
	{ "a b = 1", "text:1: expected '=', ':' or '{' behind a name, found 'b'" },
	{ "a\n= 1", "text:2: expected '=', ':' or '{' behind a name, found '='" },
	{ "a.b = 1", "text:1: expected '=', ':' or '{' behind a name, found '.'" },
	{ "a, b = 1", "text:1: expected '=', ':' or '{' behind a name, found ','" },
	{ "= 1", "text:1: expected a name, found '='" },
	{ "{ }", "text:1: expected a name, found '{'" },
	{ "a = 1\n}", "text:2: expected a name, found '}'" },
	{ "\"a\" = 1", "text:1: expected a name, found a string" },
	{ "a { \"b\" = 1 }", "text:1: expected a name or '}', found a string" },
	{ "a \"b\"", "text:1: expected '=', ':' or '{' behind a name, found a string" },
	{ "a {", "text:1: expected '}' to close 'a' of line 1, found end of file" },
	{ "x {\na {\nb = 1\n}\n", "text:5: expected '}' to close 'x' of line 1, found end of file" },
	{ "a {\n\nb", "text:3: expected '=', ':' or '{' behind a name, found end of file" },
	{ "connections { x { ", "text:1: expected '}' to close 'x' of line 1, found end of file" },
	{ "a = \"open\nb = 1", "text:2: expected '\"' to end the string of line 1, found end of file" },
	{ "a = \"open\\", "text:1: expected '\"' to end the string of line 1, found end of file" },
	{ "a : { }", "text:1: expected the name of a section, found '{'" },
	{ "a : b, { }", "text:1: expected the name of a section, found '{'" },
	{ "a : b. { }", "text:1: expected the name of a section, found ' '" },
	{ "a : .b { }", "text:1: expected the name of a section, found '.'" },
	{ "a : \"b\" { }", "text:1: expected the name of a section, found a string" },
	{ "a : b c { }", "text:1: expected '{', found 'c'" },
	{ "a : b = 1", "text:1: expected '{', found '='" },
	{ "a : b", "text:1: expected '{', found end of file" },
	{ "a : b\nb = 1", "text:2: expected '{', found 'b'" },
	{ "a { }\na = 1", "text:2: expected '{' (a section has this name), found '='" },
	{ "a = 1\na { }", "text:2: expected '=' (a setting has this name), found '{'" },
	{ "a = 1\na : b { }", "text:2: expected '=' (a setting has this name), found ':'" },
	{ "include", "text:1: expected '=', ':' or '{' behind a name, found end of file" },
	{ "include x.conf", "text:1: expected no include here, found 'x'" },
	{ "a \x01 = 1", "text:1: expected '=', ':' or '{' behind a name, found byte 0x01" },
};

static void ck_bad(struct bytes text, const char *name, const char *error)
{
	struct errtext err = { "" };
	struct tree *t = tree_parse_text(text, name, &err);

	ck_assert_msg(!t, "'%.*s' was accepted", (int)text.n, (const char *)text.p);
	ck_assert_str_eq(err.s, error);
}

START_TEST(test_bad)
{
	ck_bad(bytes_str(bad[_i].text), NULL, bad[_i].error);
}
END_TEST

START_TEST(test_bad_nul)
{
	ck_bad(bytes_of("a = x\0y", 7), NULL, "text:1: expected a value, found byte 0x00");
	ck_bad(bytes_of("a = \"x\0y\"", 9), NULL, "text:1: expected text, found byte 0x00");
	ck_bad(bytes_of("a = \"x\\\0y\"", 10), NULL, "text:1: expected text, found byte 0x00");
	ck_bad(bytes_of("a\0b = 1", 7), NULL,
	       "text:1: expected '=', ':' or '{' behind a name, found byte 0x00");
	ck_bad(bytes_of("\0", 1), "f.conf", "f.conf:1: expected a name, found byte 0x00");
}
END_TEST

START_TEST(test_depth)
{
	struct buf text = { 0 };
	struct errtext err;
	struct tree *t;

	for (int i = 0; i < LIMIT_CONF_DEPTH; i++)
		buf_add_str(&text, "a {");
	for (int i = 0; i < LIMIT_CONF_DEPTH; i++)
		buf_add_str(&text, "}");
	t = tree_parse_text(buf_bytes(&text), NULL, &err);
	ck_assert_ptr_nonnull(t);
	tree_free(t);
	buf_reset(&text);
	for (int i = 0; i < 100000; i++)
		buf_add_str(&text, "a {");
	ck_bad(buf_bytes(&text), NULL, "text:1: expected no deeper section, found '{'");
	/* depth by references */
	buf_reset(&text);
	for (int i = 0; i < 100; i++)
		buf_printf(&text, "s%d { c : s%d { } }\n", i, i + 1);
	ck_bad(buf_bytes(&text), NULL,
	       "text:64: expected fewer nested sections, found more than 64 by references");
	buf_free(&text);
}
END_TEST

START_TEST(test_reference_bombs)
{
	struct buf text = { 0 };

	/* each section holds the one before twice: 2^40 settings */
	for (int i = 1; i < 40; i++)
		buf_printf(&text, "s%d { x : s%d { }\n y : s%d { } }\n", i, i - 1, i - 1);
	ck_bad(buf_bytes(&text), NULL, "the references between sections make too many settings");
	/* everyone inherits from everyone */
	buf_reset(&text);
	for (int i = 0; i < 40; i++) {
		buf_printf(&text, "s%d : s0", i);
		for (int j = 1; j < 40; j++)
			buf_printf(&text, ", s%d.x, s%d", j, j);
		buf_printf(&text, " { x : s%d { k%d = 1 } }\n", (i + 1) % 40, i);
	}
	ck_bad(buf_bytes(&text), NULL, "the references between sections make too many settings");
	buf_free(&text);
}
END_TEST

/* What 10,000 connections made from one template cost must stay within the budget. */
START_TEST(test_template)
{
	struct buf text = { 0 };
	struct errtext err = { "" };
	struct tree *t;

	buf_add_str(&text, "tmpl {\n");
	for (int i = 0; i < 30; i++)
		buf_printf(&text, "key%d = value\n", i);
	buf_add_str(&text, "local { auth = psk }\nremote { auth = psk }\nchildren { net {\n");
	for (int i = 0; i < 20; i++)
		buf_printf(&text, "key%d = value\n", i);
	buf_add_str(&text, "} } }\nconnections {\n");
	for (int i = 0; i < 10000; i++)
		buf_printf(&text, "peer%d : tmpl { remote_addrs = 10.0.%d.%d }\n", i, i / 256, i % 256);
	buf_add_str(&text, "}\n");
	t = tree_parse_text(buf_bytes(&text), NULL, &err);
	ck_assert_msg(t, "%s", err.s);
	ck_assert_uint_eq(tree_find(t, "connections")->count, 10000);
	ck_assert_uint_eq(tree_find(tree_find(t, "connections"), "peer9999")->count, 34);
	tree_free(t);
	buf_free(&text);
}
END_TEST

START_TEST(test_lines)
{
	struct tree *t = tree_of("a = 1\n\nb {\n  c = \"x\ny\"\n  d = 2\n}\nb { e = 3 }\nz : b { }");
	struct tree *b = tree_find(t, "b");

	ck_assert_uint_eq(tree_find(t, "a")->line, 1);
	ck_assert_str_eq(tree_find(t, "a")->file, "text");
	ck_assert_uint_eq(b->line, 3);
	ck_assert_uint_eq(tree_find(b, "c")->line, 4);
	ck_assert_uint_eq(tree_find(b, "d")->line, 6);
	ck_assert_uint_eq(tree_find(b, "e")->line, 8);
	ck_assert_uint_eq(tree_find(tree_find(t, "z"), "d")->line, 6);
	tree_free(t);
}
END_TEST

/* ---- files */

static char dir[64];

static void dir_make(void)
{
	scratch_dir(dir, sizeof(dir));
}

static void dir_remove(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

static void file_write(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void folder_make(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

/* Parses a file of the folder; the folder's name in errors is shown as "DIR". */
static char *file_result(const char *name)
{
	char path[256], *result, *at;
	struct errtext err = { "" };
	struct tree *t;
	struct buf out = { 0 };

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	t = tree_parse_file(path, &err);
	result = t ? tree_to_text(t) : xstrdup(err.s);
	tree_free(t);
	for (const char *p = result; (at = strstr(p, dir)) || *p; p = at + strlen(dir)) {
		buf_add(&out, p, at ? (size_t)(at - p) : strlen(p));
		if (!at)
			break;
		buf_add_str(&out, "DIR");
	}
	free(result);
	return buf_take_str(&out);
}

static void ck_file(const char *name, const char *expected)
{
	char *got = file_result(name);

	ck_assert_str_eq(got, expected);
	free(got);
}

START_TEST(test_include)
{
	folder_make("conf.d");
	folder_make("conf.d/folder.conf");
	folder_make("odd [a]*");
	file_write("conf.d/2.conf", "b = 2\ninclude sub.inc");
	file_write("conf.d/1.conf", "a = 1");
	file_write("conf.d/.hidden.conf", "h = 1");
	file_write("conf.d/other.txt", "o = 1");
	file_write("conf.d/sub.inc", "s { x = 1 }");
	file_write("conf.d/with blank.inc", "w = 1");
	file_write("conf.d/st*ar.inc", "star = 1");
	file_write("odd [a]*/main.conf", "include part.conf");
	file_write("odd [a]*/part.conf", "p = 1");
	file_write("main.conf", "include conf.d/*.conf\nz = 1");
	ck_file("main.conf", "a=1 b=2 s{x=1} z=1");
	file_write("main.conf", "s { y = 2 }\ns { include conf.d/1.conf # comment\n }\ninclude conf.d/2.conf");
	ck_file("main.conf", "s{y=2 a=1 x=1} b=2");
	file_write("main.conf", "s { include conf.d/1.conf }");
	ck_file("main.conf", "s{a=1}");
	file_write("main.conf", "include \"conf.d/with blank.inc\"\ninclude conf.d/with\\ blank.inc");
	ck_file("main.conf", "w=1");
	file_write("main.conf", "include conf.d/st\\*ar.inc");
	ck_file("main.conf", "star=1");
	file_write("main.conf", "include conf.d/[12].conf");
	ck_file("main.conf", "a=1 b=2 s{x=1}");
	ck_file("odd [a]*/main.conf", "p=1");
	/* references cross files */
	file_write("main.conf", "c : s { }\ninclude conf.d/sub.inc");
	ck_file("main.conf", "c{x=1} s{x=1}");
}
END_TEST

START_TEST(test_include_absolute)
{
	char text[256];

	folder_make("conf.d");
	file_write("conf.d/1.conf", "a = 1");
	snprintf(text, sizeof(text), "include %s/conf.d/1.conf", dir);
	file_write("main.conf", text);
	ck_file("main.conf", "a=1");
}
END_TEST

START_TEST(test_include_none)
{
	char expected[256];

	file_write("main.conf", "include conf.d/*.conf\na = 1");
	log_catch();
	ck_file("main.conf", "a=1");
	snprintf(expected, sizeof(expected), "no files found matching '%s/conf.d/*.conf'\n", dir);
	ck_assert_str_eq(log_caught(), expected);
}
END_TEST

START_TEST(test_include_errors)
{
	file_write("main.conf", "a = 1\n\ninclude sub.conf\n");
	file_write("sub.conf", "b {\n");
	ck_file("main.conf", "DIR/sub.conf:2: expected '}' to close 'b' of line 1, found end of file");
	/* a brace does not reach over files */
	file_write("sub.conf", "b = 1 }\n");
	ck_file("main.conf", "DIR/sub.conf:1: expected a name, found '}'");
	file_write("main.conf", "include \n");
	ck_file("main.conf", "DIR/main.conf:1: expected a file name pattern, found end of line");
	file_write("main.conf", "include # x\n");
	ck_file("main.conf", "DIR/main.conf:1: expected a file name pattern, found '#'");
	file_write("main.conf", "include \"x");
	ck_file("main.conf", "DIR/main.conf:1: expected '\"' to end the string of line 1, found end of file");
	file_write("main.conf", "x { x { } }\n include sub.conf");
	file_write("sub.conf", "x = 1");
	ck_file("main.conf", "DIR/sub.conf:1: expected '{' (a section has this name), found '='");
	ck_file("nowhere.conf", "DIR/nowhere.conf: No such file or directory");
	if (geteuid() != 0) {
		char path[256];

		snprintf(path, sizeof(path), "%s/sub.conf", dir);
		ck_assert_int_eq(chmod(path, 0), 0);
		ck_file("main.conf", "DIR/main.conf:2: including 'DIR/sub.conf': Permission denied");
	}
}
END_TEST

START_TEST(test_include_circle)
{
	file_write("main.conf", "include main.conf\n");
	ck_file("main.conf", "DIR/main.conf:1: including 'DIR/main.conf': it includes itself");
	file_write("main.conf", "include a.conf\n");
	file_write("a.conf", "k = 1\ninclude *.conf\n");
	ck_file("main.conf", "DIR/a.conf:2: including 'DIR/a.conf': it includes itself");
	/* twice is no circle */
	file_write("main.conf", "a { include b.conf }\nb { include b.conf }\n");
	file_write("b.conf", "k = 1");
	ck_file("main.conf", "a{k=1} b{k=1}");
}
END_TEST

START_TEST(test_include_depth)
{
	char name[32], text[64];

	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "%d.conf", i);
		snprintf(text, sizeof(text), "k%d = 1\ninclude %d.conf", i, i + 1);
		file_write(name, text);
	}
	file_write("10.conf", "last = 1");
	ck_file("0.conf", "k0=1 k1=1 k2=1 k3=1 k4=1 k5=1 k6=1 k7=1 k8=1 k9=1 last=1");
	file_write("10.conf", "last = 1\ninclude 11.conf");
	ck_file("0.conf", "DIR/10.conf:2: expected fewer nested includes, found more than 10");
}
END_TEST

START_TEST(test_include_fifo)
{
	char path[256], expected[512];

	snprintf(path, sizeof(path), "%s/x.conf", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	file_write("main", "include x.conf\na = 1");
	log_catch();
	ck_file("main", "a=1");
	snprintf(expected, sizeof(expected), "'%s' is not a regular file and not included\n", path);
	ck_assert_str_eq(log_caught(), expected);
}
END_TEST

/* ---- broken input */

static const char *big_text(void)
{
	static struct buf text;

	buf_reset(&text);
	buf_add_str(&text, "# a bit of everything\ntmpl { version = 2 # x\n remote { auth = \"p \\\"s\\\\k\" }\n}\n"
			   "include = yes\nother\n:\n tmpl , conns.x.y { k = \n l = a  b\t\"c\nd\"\n}\n");
	for (int i = 0; i < 10; i++)
		buf_printf(&text, "conns { c%d : tmpl, conns.c%d { remote { id = \"\\n\\\n%d\" } } }\r\n", i, i / 2, i);
	return buf_str(&text);
}

START_TEST(test_truncated)
{
	const char *text = big_text();
	size_t n = strlen(text), accepted = 0;

	for (size_t i = 0; i <= n; i++) {
		/* on the heap, so that sanitizers see each byte read behind it */
		uint8_t *part = xmemdup(text, i);
		struct errtext err = { "" };
		struct tree *t = tree_parse_text(bytes_of(part, i), NULL, &err);

		ck_assert_msg(!t == (err.s[0] != '\0'), "at %zu: %s", i, err.s);
		accepted += t != NULL;
		tree_free(t);
		free(part);
	}
	ck_assert_uint_gt(accepted, 10);
	ck_assert_uint_lt(accepted, n / 2);
}
END_TEST

/* Every byte replaced by every character that means something. */
START_TEST(test_replaced)
{
	static const char chars[] = "{}:.,=#\"\\ \n\ra\x80";
	const char *text = big_text();
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++) {
		for (size_t c = 0; c < sizeof(chars); c++) { /* with the NUL */
			uint8_t *changed = xmemdup(text, n);
			struct errtext err = { "" };
			struct tree *t;

			changed[i] = (uint8_t)chars[c];
			t = tree_parse_text(bytes_of(changed, n), NULL, &err);
			ck_assert(!t == (err.s[0] != '\0'));
			tree_free(t);
			free(changed);
		}
	}
}
END_TEST

Suite *suite_tree_parse(void)
{
	Suite *s = suite_create("tree_parse");
	TCase *t = tcase_create("text"), *f = tcase_create("files");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_good, 0, ARRAY_LEN(good));
	tcase_add_loop_test(t, test_inherited, 0, ARRAY_LEN(inherited));
	tcase_add_test(t, test_observed);
	tcase_add_loop_test(t, test_bad, 0, ARRAY_LEN(bad));
	tcase_add_test(t, test_bad_nul);
	tcase_add_test(t, test_depth);
	tcase_add_test(t, test_reference_bombs);
	tcase_add_test(t, test_template);
	tcase_add_test(t, test_lines);
	tcase_add_test(t, test_truncated);
	tcase_add_test(t, test_replaced);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(f, dir_make, dir_remove);
	tcase_add_test(f, test_include);
	tcase_add_test(f, test_include_absolute);
	tcase_add_test(f, test_include_none);
	tcase_add_test(f, test_include_errors);
	tcase_add_test(f, test_include_circle);
	tcase_add_test(f, test_include_depth);
	tcase_add_test(f, test_include_fifo);
	suite_add_tcase(s, f);
	return s;
}

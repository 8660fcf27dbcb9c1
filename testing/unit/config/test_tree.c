/* SPDX-License-Identifier: Apache-2.0 */
#include "test_config.h"

#include <stdio.h>

static void ck_tree(const struct tree *t, const char *expected)
{
	char *text = tree_to_text(t);

	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(test_build)
{
	struct tree *root = tree_new(), *a, *l;

	ck_tree(root, "");
	a = tree_add_section(root, bytes_str("a"));
	tree_add_value(a, bytes_str("k"), bytes_str("1"));
	ck_assert_ptr_eq(tree_add_section(root, bytes_str("a")), a);
	tree_add_value(a, bytes_str(""), bytes_str("none"));
	tree_add_value(a, bytes_str("k"), bytes_str("2"));
	l = tree_add_list(root, bytes_str("l"));
	tree_add_item(l, bytes_str("x"));
	tree_add_item(l, bytes_str(""));
	tree_add_item(l, bytes_str("x"));
	ck_assert_ptr_eq(tree_add_list(root, bytes_str("l")), l);
	ck_tree(root, "a{k=2 =none} l=[x  x]");
	ck_assert_ptr_eq(tree_find(root, "l"), l);
	ck_assert_ptr_null(tree_find(root, "k"));
	ck_assert_ptr_null(tree_find(root, "ll"));
	ck_assert_ptr_null(tree_find(l, "x"));
	ck_assert_str_eq(buf_str(&tree_find(a, "")->value), "none");
	ck_assert_uint_eq(l->count, 3);
	ck_assert_ptr_eq(l->parent, root);
	/* another kind under the same name takes the place */
	tree_add_value(root, bytes_str("a"), bytes_str("v"));
	ck_tree(root, "a=v l=[x  x]");
	tree_add_section(root, bytes_str("l"));
	ck_tree(root, "a=v l{}");
	tree_free(root);
}
END_TEST

START_TEST(test_many)
{
	struct tree *root = tree_new(), *copy;
	char name[16];

	/* enough that a linear search per name would be seen (a minute and more) */
	for (int i = 0; i < 200000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		tree_add_value(root, bytes_str(name), bytes_str(name));
	}
	for (int i = 0; i < 200000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		ck_assert_str_eq(buf_str(&tree_find(root, name)->value), name);
	}
	ck_assert_ptr_null(tree_find(root, "n200000"));
	ck_assert_uint_eq(root->count, 200000);
	ck_assert_str_eq(root->first->name, "n0");
	ck_assert_str_eq(root->last->name, "n199999");
	copy = tree_dup(root);
	ck_assert(tree_equal(root, copy));
	ck_assert_ptr_nonnull(tree_find(copy, "n77777"));
	tree_add_value(copy, bytes_str("n77777"), bytes_str("other"));
	ck_assert(!tree_equal(root, copy));
	tree_free(copy);
	tree_free(root);
}
END_TEST

START_TEST(test_deep)
{
	struct tree *root = tree_new(), *at = root, *copy;

	for (int i = 0; i < 300000; i++)
		at = tree_add_section(at, bytes_str("x"));
	copy = tree_dup(root);
	ck_assert(tree_equal(root, copy));
	tree_add_value(at, bytes_str("y"), bytes_str("1"));
	ck_assert(!tree_equal(root, copy));
	ck_assert(!tree_equal(copy, root));
	tree_free(copy);
	tree_free(root);
}
END_TEST

START_TEST(test_equal)
{
	static const char *const texts[] = {
		"",          "a = 1",           "a = 2",           "b = 1",           "a { }",
		"a { b=1 }", "a { b=2 }",       "a = 1\nb = 2",    "b = 2\na = 1",    "a { b { c=1 } }",
		"a{b{}}c{}", "a { b { c {} }}", "a { } b { } c {}", "a { b=1\nc=1\n}", "a = \"1 \"",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (size_t j = 0; j < ARRAY_LEN(texts); j++) {
			struct tree *a = tree_of(texts[i]), *b = tree_of(texts[j]), *c = tree_dup(b);

			ck_assert_msg(tree_equal(a, b) == (i == j), "%s / %s", texts[i], texts[j]);
			ck_assert_msg(tree_equal(a, c) == (i == j), "%s / copy of %s", texts[i], texts[j]);
			tree_free(a);
			tree_free(b);
			tree_free(c);
		}
	}
}
END_TEST

START_TEST(test_dup_part)
{
	struct tree *root = tree_of("a { b = 1\n c { d = 2 } e = 3 }\nz = 9");
	struct tree *copy = tree_dup(tree_find(root, "a"));

	ck_tree(copy, "a{b=1 c{d=2} e=3}");
	ck_assert_ptr_null(copy->parent);
	ck_assert_ptr_null(copy->next);
	ck_assert_ptr_null(tree_find(copy, "b")->file);
	tree_free(root);
	ck_tree(copy, "a{b=1 c{d=2} e=3}");
	tree_free(copy);
}
END_TEST

Suite *suite_tree(void)
{
	Suite *s = suite_create("tree");
	TCase *t = tcase_create("tree");

	tcase_add_test(t, test_build);
	tcase_add_test(t, test_many);
	tcase_add_test(t, test_deep);
	tcase_add_test(t, test_equal);
	tcase_add_test(t, test_dup_part);
	suite_add_tcase(s, t);
	return s;
}

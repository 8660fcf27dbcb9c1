/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/options.h"

#include <stdio.h>

#include "daemon_test.h"

/* The options borrow from them. */
static char words[4][32];

static bool parse(struct options *o, struct errtext *err, const char *a, const char *b, const char *c, const char *d)
{
	char *argv[] = { (char[]){ "bewickd" }, words[0], words[1], words[2], words[3], NULL };
	const char *given[] = { a, b, c, d };
	int argc = 1 + !!a + !!b + !!c + !!d;

	for (size_t i = 0; i < ARRAY_LEN(given); i++)
		snprintf(words[i], sizeof(words[i]), "%s", given[i] ? given[i] : "");
	argv[argc] = NULL;
	return options_parse(argc, argv, o, err);
}

START_TEST(test_good)
{
	struct options o;
	struct errtext err;

	ck_assert(parse(&o, &err, NULL, NULL, NULL, NULL));
	ck_assert_int_eq(o.mode, RUN_DAEMON);
	ck_assert_ptr_null(o.settings);
	ck_assert_ptr_null(o.plugin_dir);
	ck_assert(parse(&o, &err, "--settings", "a.conf", "--plugin-dir=x", "--check"));
	ck_assert_int_eq(o.mode, RUN_CHECK);
	ck_assert_str_eq(o.settings, "a.conf");
	ck_assert_str_eq(o.plugin_dir, "x");
	ck_assert(parse(&o, &err, "--list-plugins", NULL, NULL, NULL));
	ck_assert_int_eq(o.mode, RUN_LIST_PLUGINS);
	ck_assert(parse(&o, &err, "--version", NULL, NULL, NULL));
	ck_assert_int_eq(o.mode, RUN_VERSION);
	ck_assert(parse(&o, &err, "-h", NULL, NULL, NULL));
	ck_assert_int_eq(o.mode, RUN_HELP);
}
END_TEST

START_TEST(test_bad)
{
	struct options o = { .mode = RUN_HELP };
	struct errtext err;

	ck_assert(!parse(&o, &err, "--colour", NULL, NULL, NULL));
	ck_assert_str_eq(err.s, "unknown option --colour");
	ck_assert(!parse(&o, &err, "--check", "--settings", NULL, NULL));
	ck_assert_str_eq(err.s, "--settings needs an argument");
	ck_assert(!parse(&o, &err, "--check", "more", NULL, NULL));
	ck_assert_str_eq(err.s, "there is no argument 'more'");
	ck_assert(!parse(&o, &err, "--", "more", NULL, NULL));
	ck_assert_int_eq(o.mode, RUN_HELP);
}
END_TEST

START_TEST(test_settings_file)
{
	struct options o = { .settings = "mine" };
	const char *fallback;

	setenv("STRONGSWAN_CONF", "theirs", 1);
	ck_assert_str_eq(options_settings_file(&o), "mine");
	o.settings = NULL;
	ck_assert_str_eq(options_settings_file(&o), "theirs");
	setenv("STRONGSWAN_CONF", "", 1);
	fallback = options_settings_file(&o);
	ck_assert(!fallback || strcmp(fallback, SYSCONFDIR "/bewick.conf") == 0);
}
END_TEST

TCase *options_tests(void)
{
	TCase *tc = tcase_create("options");

	tcase_add_test(tc, test_good);
	tcase_add_test(tc, test_bad);
	tcase_add_test(tc, test_settings_file);
	return tc;
}

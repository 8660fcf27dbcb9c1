/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/loader.h"
#include "testing/lib/scratch.h"
#include "util/bytes.h"
#include "util/log.h"
#include "util/mem.h"

/* What plugins did, in order: "+a +b -b -a ". */
static struct buf events;
static struct plugin_env env;
static const struct plugin_descriptor *const none[] = { NULL };

static void setup(void)
{
	buf_reset(&events);
}

static void teardown(void)
{
	buf_free(&events);
}

#define FEATURES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define FAKE(NAME, PROVIDES, REQUIRES)                                                             \
	static bool load_##NAME(struct plugin_env *e, struct errtext *err)                         \
	{                                                                                          \
		ck_assert_ptr_eq(e, &env);                                                         \
		buf_add_str(&events, "+" #NAME " ");                                               \
		return true;                                                                       \
	}                                                                                          \
	static void unload_##NAME(struct plugin_env *e)                                            \
	{                                                                                          \
		ck_assert_ptr_eq(e, &env);                                                         \
		buf_add_str(&events, "-" #NAME " ");                                               \
	}                                                                                          \
	static const struct plugin_descriptor fake_##NAME = {                                      \
		.abi = PLUGIN_ABI,                                                                 \
		.name = #NAME,                                                                     \
		.summary = "fake " #NAME,                                                          \
		.provides = PROVIDES,                                                              \
		.requires = REQUIRES,                                                              \
		.load = load_##NAME,                                                               \
		.unload = unload_##NAME,                                                           \
	}

FAKE(base, FEATURES("x:base"), NULL);
FAKE(middle, FEATURES("x:middle"), FEATURES("x:base"));
FAKE(top, NULL, FEATURES("x:middle", "x:base"));
FAKE(alone, NULL, NULL);
FAKE(hen, FEATURES("x:hen"), FEATURES("x:egg"));
FAKE(egg, FEATURES("x:egg"), FEATURES("x:hen"));
FAKE(orphan, NULL, FEATURES("x:nobody"));

static bool load_sick(struct plugin_env *e, struct errtext *err)
{
	errtext_set(err, "the device is on fire");
	return false;
}

static void unload_sick(struct plugin_env *e)
{
	buf_add_str(&events, "-sick ");
}

static const struct plugin_descriptor fake_sick = {
	.abi = PLUGIN_ABI,
	.name = "sick",
	.version = "7.1",
	.summary = "fails",
	.provides = FEATURES("x:sick"),
	.load = load_sick,
	.unload = unload_sick,
};
FAKE(patient, NULL, FEATURES("x:sick"));

static const struct plugin_descriptor *const fakes[] = { &fake_top,    &fake_alone, &fake_middle,
							 &fake_base,   &fake_hen,   &fake_egg,
							 &fake_orphan, &fake_sick,  &fake_patient,
							 NULL };

static struct plugin_set *load_list(const char *list)
{
	struct plugin_options options = { .dir = MODULES, .load = list, .built_in = fakes };
	struct errtext err = { "" };
	struct plugin_set *set = plugins_load(&options, &env, &err);

	ck_assert_msg(set, "%s", err.s);
	return set;
}

static struct plugin_info find(const struct plugin_set *set, const char *name)
{
	for (size_t i = 0; i < plugins_count(set); i++) {
		if (!strcmp(plugins_get(set, i).name, name))
			return plugins_get(set, i);
	}
	ck_abort_msg("%s was forgotten", name);
	return (struct plugin_info){ 0 };
}

static void assert_failed(const struct plugin_set *set, const char *name, const char *why)
{
	struct plugin_info info = find(set, name);

	ck_assert_int_eq(info.state, PLUGIN_STATE_FAILED);
	ck_assert_msg(strstr(info.why, why), "%s: '%s' instead of '%s'", name, info.why, why);
}

/* What is required comes first, whatever the list says; else the list decides. */
START_TEST(test_order)
{
	static const struct {
		const char *list, *events;
	} cases[] = {
		{ "base middle top", "+base +middle +top -top -middle -base " },
		{ "top middle base", "+base +middle +top -top -middle -base " },
		{ "top alone base middle", "+alone +base +middle +top -top -middle -base -alone " },
		{ "alone base", "+alone +base -base -alone " },
		{ "base alone", "+base +alone -alone -base " },
		{ " base,\talone  base ", "+base +alone -alone -base " },
		{ "", "" },
	};
	struct plugin_set *set = load_list(cases[_i].list);

	plugins_unload(set);
	ck_assert_str_eq(buf_str(&events), cases[_i].events);
}
END_TEST

START_TEST(test_info)
{
	struct plugin_set *set = load_list("top base middle aes");
	struct plugin_info info = plugins_get(set, 1);

	ck_assert_uint_eq(plugins_count(set), 4);
	ck_assert_str_eq(info.name, "middle"); /* in the order of loading */
	ck_assert_str_eq(info.summary, "fake middle");
	ck_assert_str_eq(info.provides[0], "x:middle");
	ck_assert_ptr_null(info.provides[1]);
	ck_assert_str_eq(info.requires[0], "x:base");
	ck_assert_int_eq(info.state, PLUGIN_STATE_LOADED);
	ck_assert_str_eq(plugin_state_name(info.state), "loaded");
	ck_assert_ptr_nonnull(info.version);
	ck_assert_ptr_null(info.why);
	info = find(set, "aes");
	ck_assert_int_eq(info.state, PLUGIN_STATE_NOT_NEEDED);
	ck_assert_ptr_nonnull(info.provides);
	plugins_unload(set);
}
END_TEST

START_TEST(test_unmet)
{
	struct plugin_set *set = load_list("orphan hen egg patient sick alone middle");

	ck_assert_str_eq(buf_str(&events), "+alone ");
	assert_failed(set, "orphan", "x:nobody, which no plugin provides");
	assert_failed(set, "hen", "x:egg of a plugin that could not be loaded");
	assert_failed(set, "egg", "x:hen of a plugin that could not be loaded");
	assert_failed(set, "sick", "the device is on fire");
	assert_failed(set, "patient", "x:sick, which no plugin provides");
	assert_failed(set, "middle", "x:base, which no plugin provides");
	ck_assert_str_eq(find(set, "sick").version, "7.1");
	plugins_unload(set); /* what did not load is not unloaded */
	ck_assert_str_eq(buf_str(&events), "+alone -alone ");
}
END_TEST

START_TEST(test_files)
{
	struct plugin_set *set = load_list("good old misnamed incomplete nothing missing ../good");

	ck_assert_int_eq(find(set, "good").state, PLUGIN_STATE_LOADED);
	ck_assert_str_eq(find(set, "good").provides[0], "test:good");
	assert_failed(set, "old", "built for plugin interface 2, this is 1");
	ck_assert_ptr_null(find(set, "old").summary);
	assert_failed(set, "misnamed", "calls itself 'somebody-else'");
	assert_failed(set, "incomplete", "incomplete");
	assert_failed(set, "nothing", "no descriptor");
	assert_failed(set, "missing", "no such plugin in " MODULES);
	assert_failed(set, "../good", "no such plugin");
	plugins_unload(set);
	/* threads of what it uses may still be in it */
	ck_assert_ptr_nonnull(dlopen(MODULES "/.libs/bewick-good.so", RTLD_NOW | RTLD_NOLOAD));
	ck_assert_ptr_null(dlopen(MODULES "/.libs/bewick-misnamed.so", RTLD_NOW | RTLD_NOLOAD));
}
END_TEST

/* A file that is no shared object; names with and without prefix. */
START_TEST(test_garbage_and_names)
{
	char dir[64];
	struct plugin_options options = { .dir = dir, .load = "garbage good", .built_in = none };
	char garbage[96], good[96];
	struct plugin_set *set;
	struct errtext err;
	FILE *f;

	scratch_dir(dir, sizeof(dir));
	snprintf(garbage, sizeof(garbage), "%s/bewick-garbage.so", dir);
	snprintf(good, sizeof(good), "%s/good.so", dir);
	f = fopen(garbage, "w");
	fputs("not an ELF file", f);
	fclose(f);
	ck_assert_int_eq(symlink(MODULES "/.libs/bewick-good.so", good), 0);
	set = plugins_load(&options, &env, &err);
	assert_failed(set, "garbage", "bewick-garbage.so");
	ck_assert_int_eq(find(set, "good").state, PLUGIN_STATE_LOADED);
	plugins_unload(set);
	unlink(garbage);
	unlink(good);
	rmdir(dir);
}
END_TEST

START_TEST(test_mandatory)
{
	static const struct {
		const char *list, *err;
	} cases[] = {
		{ "base missing!",
		  "mandatory plugin 'missing' could not be loaded: there is no such plugin" },
		{ "base sick!", "'sick' could not be loaded: the device is on fire" },
		{ "orphan! base", "'orphan' could not be loaded: it requires x:nobody" },
		{ "base old!", "'old'" },
		{ "base missing missing!", "'missing'" },
	};
	struct plugin_options options = { .dir = MODULES,
					  .load = cases[_i].list,
					  .built_in = fakes };
	struct errtext err = { "" };

	ck_assert_ptr_null(plugins_load(&options, &env, &err));
	ck_assert_msg(strstr(err.s, cases[_i].err), "%s", err.s);
	ck_assert_str_eq(buf_str(&events), "+base -base "); /* nothing stays */
}
END_TEST

START_TEST(test_mandatory_met)
{
	struct plugin_set *set = load_list("base! alone ! nonce!");

	ck_assert_str_eq(buf_str(&events), "+base +alone ");
	ck_assert_uint_eq(plugins_count(set), 3);
	plugins_unload(set);
}
END_TEST

/* Without a list: all there are, by name, built in or in the folder. */
START_TEST(test_all)
{
	static const struct plugin_descriptor *const two[] = { &fake_middle, &fake_base, NULL };
	struct plugin_options options = { .dir = MODULES, .built_in = two };
	struct errtext err;
	struct plugin_set *set = plugins_load(&options, &env, &err);

	ck_assert_ptr_nonnull(set);
	ck_assert_str_eq(buf_str(&events), "+base +middle ");
	ck_assert_int_eq(find(set, "good").state, PLUGIN_STATE_LOADED);
	ck_assert_int_eq(find(set, "old").state, PLUGIN_STATE_FAILED);
	ck_assert_uint_eq(plugins_count(set), 2 + 5);
	plugins_unload(set);
	options.dir = "/nonexistent";
	set = plugins_load(&options, &env, &err);
	ck_assert_uint_eq(plugins_count(set), 2);
	plugins_unload(set);
}
END_TEST

static bool asked(void *arg, const char *name)
{
	return !strcmp(name, arg);
}

/* What is optional is loaded when it is listed, or asked for: _i 0 neither, 1 listed, 2 asked for. */
START_TEST(test_optional)
{
	static const char *const expected[] = { "+base -base ", "+alone -alone ", "+alone +base -base -alone " };
	struct plugin_descriptor extra = fake_alone;
	const struct plugin_descriptor *two[] = { &fake_base, &extra, NULL };
	char name[] = "alone";
	struct plugin_options options = { .dir = "/nonexistent", .built_in = two, .asked_arg = name };
	struct errtext err;

	extra.optional = true;
	options.load = _i == 1 ? "alone" : NULL;
	options.asked = _i == 2 ? asked : NULL;
	plugins_unload(plugins_load(&options, &env, &err));
	ck_assert_str_eq(buf_str(&events), expected[_i]);
}
END_TEST

static bool enabled(void *arg, const char *name, int *ret_priority)
{
	if (!strcmp(name, "base"))
		return true;
	if (!strcmp(name, "alone"))
		*ret_priority = 5;
	return !strcmp(name, "alone") || !strcmp(name, "good");
}

/* load_modular: priority first, then the name. */
START_TEST(test_modular)
{
	struct plugin_options options = {
		.dir = MODULES, .load = "middle!", .enabled = enabled, .built_in = fakes
	};
	struct errtext err;
	struct plugin_set *set = plugins_load(&options, &env, &err);

	ck_assert_ptr_nonnull(set);
	ck_assert_str_eq(buf_str(&events), "+alone +base ");
	ck_assert_uint_eq(plugins_count(set), 3);
	ck_assert_str_eq(plugins_get(set, 2).name, "good");
	plugins_unload(set);
}
END_TEST

static void count_line(void *arg, const struct log_event *ev)
{
	if (ev->group == LOG_GROUP_LIB && strstr(ev->msg, "sha2"))
		*(int *)arg = ev->level;
}

/* strongSwan's names for what is built in are passed over quietly, others are not. */
START_TEST(test_not_needed)
{
	int8_t levels[LOG_GROUPS];
	struct log_sink *sink;
	struct plugin_set *set;
	int level = -9;

	memset(levels, 4, sizeof(levels));
	sink = log_sink_add(levels, count_line, &level);
	set = load_list("sha2 eap-mschapv2");
	log_sink_remove(sink);
	ck_assert_int_eq(level, 2);
	ck_assert_int_eq(find(set, "sha2").state, PLUGIN_STATE_NOT_NEEDED);
	assert_failed(set, "eap-mschapv2", "no such plugin");
	plugins_unload(set);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plugin");
	TCase *t = tcase_create("loader");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, test_order, 0, 7);
	tcase_add_test(t, test_info);
	tcase_add_test(t, test_unmet);
	tcase_add_test(t, test_files);
	tcase_add_test(t, test_garbage_and_names);
	tcase_add_loop_test(t, test_mandatory, 0, 5);
	tcase_add_test(t, test_mandatory_met);
	tcase_add_test(t, test_all);
	tcase_add_loop_test(t, test_optional, 0, 3);
	tcase_add_test(t, test_modular);
	tcase_add_test(t, test_not_needed);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

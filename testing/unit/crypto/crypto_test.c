/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "plugin/loader.h"
#include "util/log.h"
#include "util/mem.h"

#define MAX_FIELDS 24

struct crypto_registry *registry;

struct vectors {
	FILE *file;
	const char *name;
	char *line;
	size_t line_size;
	struct arena arena; /* of the record */
	const char *keys[MAX_FIELDS];
	const char *values[MAX_FIELDS];
	size_t n_fields;
	unsigned records;
};

struct vectors *vectors_open(const char *name)
{
	struct vectors *v = xcalloc(1, sizeof(*v));
	char *path = xasprintf("%s/%s", VECTORS, name);

	v->name = name;
	v->file = fopen(path, "r");
	ck_assert_msg(v->file, "%s is missing", path);
	free(path);
	return v;
}

bool vectors_next(struct vectors *v)
{
	arena_reset(&v->arena);
	v->n_fields = 0;
	while (getline(&v->line, &v->line_size, v->file) > 0) {
		char *key, *value;

		if (*v->line == '#')
			continue;
		v->line[strcspn(v->line, "\n")] = 0;
		if (!*v->line && v->n_fields)
			break;
		if (!*v->line)
			continue;
		key = arena_dup(&v->arena, v->line, strlen(v->line) + 1);
		value = strstr(key, " =");
		ck_assert_msg(value && v->n_fields < MAX_FIELDS, "%s: bad line: %s", v->name,
			      v->line);
		*value = 0;
		value += 2;
		v->keys[v->n_fields] = key;
		v->values[v->n_fields++] = *value == ' ' ? value + 1 : value;
	}
	v->records += v->n_fields != 0;
	return v->n_fields != 0;
}

void vectors_close(struct vectors *v, unsigned expected)
{
	ck_assert_msg(v->records >= expected, "%s: %u records, expected %u", v->name, v->records,
		      expected);
	fclose(v->file);
	free(v->line);
	arena_free(&v->arena);
	free(v);
}

const char *vec_text(struct vectors *v, const char *key)
{
	for (size_t i = 0; i < v->n_fields; i++) {
		if (!strcmp(v->keys[i], key))
			return v->values[i];
	}
	ck_abort_msg("%s, record %u: no %s", v->name, v->records, key);
	return NULL;
}

unsigned vec_num(struct vectors *v, const char *key)
{
	return (unsigned)strtoul(vec_text(v, key), NULL, 10);
}

struct bytes vec_hex(struct vectors *v, const char *key)
{
	struct bytes hex = bytes_str(vec_text(v, key)), out;
	struct buf decoded = { 0 };

	ck_assert_msg(hex_decode(hex, &decoded), "%s, record %u: bad hex in %s", v->name,
		      v->records, key);
	out = bytes_of(arena_dup(&v->arena, decoded.p ? decoded.p : (const uint8_t *)"", decoded.n),
		       decoded.n);
	buf_free(&decoded);
	return out;
}

struct suite vec_suite(struct vectors *v)
{
	return (struct suite){ .encr = (uint16_t)vec_num(v, "encr"),
			       .encr_bits = (uint16_t)vec_num(v, "bits"),
			       .integ = (uint16_t)vec_num(v, "integ") };
}

int main(void)
{
	struct plugin_options options = { .dir = PLUGINS, .load = "openssl!" };
	int8_t levels[LOG_GROUPS] = { 0 };
	struct log_sink *sink = log_sink_add(levels, log_to_stderr, NULL);
	struct plugin_env env = { 0 };
	struct plugin_set *plugins;
	struct errtext err;
	SRunner *runner;
	int failed;

	env.crypto = registry = crypto_registry_new();
	plugins = plugins_load(&options, &env, &err);
	if (!plugins) {
		fprintf(stderr, "%s\n", err.s);
		return EXIT_FAILURE;
	}
	log_sink_remove(sink); /* what the tests break is not worth reading */
	crypto_registry_freeze(registry);
	runner = srunner_create(suite_registry());
	srunner_add_suite(runner, suite_kat());
	srunner_add_suite(runner, suite_cipher());
	srunner_add_suite(runner, suite_mac());
	srunner_add_suite(runner, suite_ke());
	srunner_add_suite(runner, suite_ctx());
	srunner_add_suite(runner, suite_protect());
	srunner_add_suite(runner, suite_esp_crypt());
	srunner_add_suite(runner, suite_keys());
	srunner_add_suite(runner, suite_key());
	srunner_add_suite(runner, suite_signature());
	srunner_add_suite(runner, suite_fuzz_keys());
	srunner_add_suite(runner, suite_signer());
	srunner_add_suite(runner, suite_token());
	srunner_add_suite(runner, suite_token_mock());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	crypto_registry_free(registry);
	plugins_unload(plugins);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

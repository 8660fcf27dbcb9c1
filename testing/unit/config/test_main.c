/* SPDX-License-Identifier: Apache-2.0 */
#include "test_config.h"

#include "util/log.h"

static void tree_print(struct buf *out, const struct tree *t)
{
	switch (t->kind) {
	case TREE_VALUE:
		buf_printf(out, "%s%s%s", t->name ? t->name : "", t->name ? "=" : "", buf_str(&t->value));
		return;
	case TREE_LIST:
		buf_printf(out, "%s=[", t->name);
		break;
	case TREE_SECTION:
		buf_printf(out, t->name ? "%s{" : "", t->name);
		break;
	}
	TREE_FOREACH(it, t) {
		if (it != t->first)
			buf_add_u8(out, ' ');
		tree_print(out, it);
	}
	buf_add_str(out, t->kind == TREE_LIST ? "]" : t->name ? "}" : "");
}

char *tree_to_text(const struct tree *t)
{
	struct buf out = { 0 };

	buf_add_str(&out, "");
	tree_print(&out, t);
	return buf_take_str(&out);
}

struct tree *tree_of(const char *text)
{
	struct errtext err = { "" };
	struct tree *t = tree_parse_text(bytes_str(text), NULL, &err);

	ck_assert_msg(t, "%s", err.s);
	return t;
}

static struct log_sink *sink;
static struct buf lines;

static void catch_line(void *arg, const struct log_event *ev)
{
	buf_add(&lines, ev->msg, ev->msg_len);
	buf_add_u8(&lines, '\n');
}

void log_catch(void)
{
	int8_t levels[LOG_GROUPS];

	memset(levels, LOG_LEVEL_SILENT, sizeof(levels));
	levels[LOG_GROUP_CFG] = 1;
	buf_free(&lines);
	sink = log_sink_add(levels, catch_line, NULL);
}

const char *log_caught(void)
{
	log_sink_remove(sink);
	return buf_str(&lines);
}

int main(void)
{
	SRunner *r = srunner_create(suite_tree());
	int failed;

	srunner_add_suite(r, suite_tree_parse());
	srunner_add_suite(r, suite_value());
	srunner_add_suite(r, suite_settings());
	srunner_add_suite(r, suite_conn());
	srunner_add_suite(r, suite_conn_class());
	srunner_add_suite(r, suite_scope());
	srunner_add_suite(r, suite_store());
	srunner_add_suite(r, suite_cp_value());
	srunner_add_suite(r, suite_pools());
	srunner_add_suite(r, suite_auth_rules());
	srunner_add_suite(r, suite_credentials());
	srunner_add_suite(r, suite_conn_round());
	srunner_add_suite(r, suite_fuzz_corpus());
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	buf_free(&lines);
	return failed != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

#include "util/mem.h"

/* What plugins are told, and what workers are asked for because of them. */

static const struct fake_sa sa = { "site", 7, IKE_STATE_ESTABLISHED, { "net" } };

static struct lab lab;
static struct hook_registry *hooks;
static struct attribute_registry *attributes;
static struct buf told; /* by control's thread; read when it has ended */

static void on_child(void *arg, const struct hook_child *c)
{
	buf_printf(&told, "%s:%s %s %s line %u of %u, %zu attributes; ", (const char *)arg, c->up ? "up" : "down", c->conn, c->name,
		   c->line_id, c->ike_id, c->n_attributes);
}

static void on_attribute(void *arg, const struct attribute_source *source, const struct attribute *attribute, bool add)
{
	buf_printf(&told, "%s:%s type %u from %u; ", (const char *)arg, add ? "add" : "remove", attribute->type, source->origin_id);
}

static const struct hook any = { .name = "any", .child = on_child, .arg = (void *)(uintptr_t)"any" };
static const struct hook picky = { .name = "picky", .child = on_child, .only_updown = true, .arg = (void *)(uintptr_t)"picky" };
static const struct hook deaf = { .name = "deaf" };
static const uint16_t types[] = { 3, 10 };
static const struct attribute_handler low = { .name = "low", .types = types, .n_types = 2, .handle = on_attribute,
					      .arg = (void *)(uintptr_t)"low" };
static const struct attribute_handler high = { .name = "high", .rank = 1, .types = types, .n_types = 1, .handle = on_attribute,
					       .arg = (void *)(uintptr_t)"high" };
static const struct attribute_handler silent = { .name = "silent", .rank = 2, .types = types + 1, .n_types = 1 };

static void setup(void)
{
	hooks = hook_registry_new();
	attributes = attribute_registry_new();
}

static void teardown(void)
{
	hook_registry_free(hooks);
	attribute_registry_free(attributes);
	buf_free(&told);
}

static void post(enum sa_event event, const char *updown, size_t n_attributes)
{
	static const struct attribute given[] = { { 3, { (const uint8_t *)"abcd", 4 } }, { 10, { (const uint8_t *)"abcd", 4 } },
						  { 25, { (const uint8_t *)"abcd", 4 } } };
	struct ike_info *info = fake_info(&sa);

	info->origin_id = 5;
	info->attributes = given;
	info->n_attributes = n_attributes;
	info->children[0].line_id = 3;
	info->children[0].updown = updown;
	fake_event_of(control_mailbox(lab.control), event, info);
}

START_TEST(children)
{
	hook_add(hooks, &picky);
	hook_add(hooks, &deaf);
	hook_add(hooks, &any);
	lab_open_with(&lab, hooks, NULL);
	fake_wait_events(&lab.workers, 1u << SA_EVENT_CHILD_UP | 1u << SA_EVENT_CHILD_DOWN);
	post(SA_EVENT_IKE_UP, NULL, 0);
	post(SA_EVENT_CHILD_UP, "script", 2);
	post(SA_EVENT_CHILD_DOWN, NULL, 0);
	lab_close(&lab);
	ck_assert_str_eq(buf_str(&told), "picky:up site net line 3 of 7, 2 attributes; any:up site net line 3 of 7, 2 attributes; "
					 "any:down site net line 3 of 7, 0 attributes; ");
}
END_TEST

/* Workers are asked for no more than hooks and clients together want. */
START_TEST(only_what_is_wanted)
{
	struct peer p;

	hook_add(hooks, &deaf);
	hook_add(hooks, &picky);
	lab_open_with(&lab, hooks, NULL);
	fake_wait_events(&lab.workers, WORKERS_WANT_UPDOWN);
	peer_open(&p, &lab);
	peer_register(&p, "child-updown");
	fake_wait_events(&lab.workers, WORKERS_WANT_UPDOWN | 1u << SA_EVENT_CHILD_UP | 1u << SA_EVENT_CHILD_DOWN);
	peer_close(&p);
	fake_wait_events(&lab.workers, WORKERS_WANT_UPDOWN);
	lab_close(&lab);
	hook_remove(hooks, &picky);
	lab_open_with(&lab, hooks, attributes);
	fake_wait_events(&lab.workers, WORKERS_WANT_ATTRIBUTES);
	lab_close(&lab);
	ck_assert_str_eq(buf_str(&told), "");
}
END_TEST

/* Of several handlers the one of the highest rank has a type; what nobody handles is nobody's. */
START_TEST(handlers)
{
	attribute_add_handler(attributes, &low);
	attribute_add_handler(attributes, &high);
	lab_open_with(&lab, NULL, attributes);
	post(SA_EVENT_IKE_UP, NULL, 3);
	post(SA_EVENT_CHILD_UP, "script", 3);
	post(SA_EVENT_IKE_DOWN, NULL, 3);
	lab_close(&lab);
	ck_assert_str_eq(buf_str(&told), "high:add type 3 from 5; low:add type 10 from 5; "
					 "high:remove type 3 from 5; low:remove type 10 from 5; ");
	buf_reset(&told);
	attribute_remove_handler(attributes, &high);
	attribute_add_handler(attributes, &silent);
	lab_open_with(&lab, NULL, attributes);
	post(SA_EVENT_IKE_UP, NULL, 3);
	lab_close(&lab);
	ck_assert_str_eq(buf_str(&told), "low:add type 3 from 5; ");
}
END_TEST

/* A copy stands by itself. */
START_TEST(copies)
{
	struct arena a = { 0 };
	uint8_t *value = xmemdup("abcd", 4);
	char *name = xstrdup("net");
	struct attribute attribute = { 3, bytes_of(value, 4) };
	struct ts ts = ts_any(AF_INET), *list = xmemdup(&ts, sizeof(ts));
	struct hook_child child = { .name = name, .updown = name, .local_ts = { 1, list }, .n_attributes = 1, .attributes = &attribute },
			  *c = hook_child_dup(&a, &child);

	free(value);
	free(list);
	free(name);
	attribute.type = 0;
	ck_assert_str_eq(c->name, "net");
	ck_assert_str_eq(c->updown, "net");
	ck_assert_ptr_null(c->conn);
	ck_assert(ts_equal(c->local_ts.p, &ts));
	ck_assert_uint_eq(c->attributes[0].type, 3);
	ck_assert(bytes_equal_str(c->attributes[0].value, "abcd"));
	arena_free(&a);
}
END_TEST

TCase *control_hook_tests(void)
{
	TCase *t = tcase_create("hooks");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, children);
	tcase_add_test(t, only_what_is_wanted);
	tcase_add_test(t, handlers);
	tcase_add_test(t, copies);
	return t;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>

#include "confs.h"
#include "lab.h"
#include "sa/config_payload.h"
#include "suites.h"

/* RFC 7296, 2.19 and 3.15: a asks for attributes, b gives them. */

static struct attribute_registry *asks, *gives;
static struct attribute given[LIMIT_CP_KEPT + 8];
static size_t n_given;
static unsigned provided; /* calls */
static char provided_to[1024];

static size_t provide(void *arg, const struct attribute_query *query, struct attribute *ret, size_t max)
{
	size_t n = n_given < max ? n_given : max;

	(void)arg;
	provided++;
	snprintf(provided_to, sizeof(provided_to), "%s %s", query->conn, id_text(query->remote_id).s);
	memcpy(ret, given, n * sizeof(*ret));
	return n;
}

static const struct attribute_provider provider = { .name = "test", .provide = provide };
static uint16_t types[8] = { CP_ATTR_INTERNAL_IP4_DNS, CP_ATTR_INTERNAL_IP6_DNS };
static struct attribute_handler handler = { .name = "test", .types = types, .n_types = 2 };

static void give(unsigned type, const void *p, size_t n)
{
	given[n_given++] = (struct attribute){ (uint16_t)type, bytes_of(p, n) };
}

static void setup(void)
{
	asks = attribute_registry_new();
	gives = attribute_registry_new();
	attribute_add_handler(asks, &handler);
	attribute_add_provider(gives, &provider);
	handler.n_types = 2;
	n_given = provided = 0;
	give(CP_ATTR_INTERNAL_IP4_DNS, "\x0a\x02\x00\x35", 4);
	give(CP_ATTR_INTERNAL_IP4_NBNS, "\x0a\x02\x00\x2a", 4);
	give(CP_ATTR_INTERNAL_IP4_DNS, "\x0a\x02\x00\x36", 4);
}

static void teardown(void)
{
	attribute_registry_free(asks);
	attribute_registry_free(gives);
}

static struct lab *lab_with(bool ask)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab->a.ctx.attributes = asks;
	lab->b.ctx.attributes = gives;
	lab->a.ctx.options.attributes_without_vips = ask;
	return lab;
}

/* Up to where the IKE_AUTH request (responses: 3) is under way. */
static struct lab *auth_under_way(bool ask, unsigned delivered)
{
	struct lab *lab = lab_with(ask);

	lab_initiate(&lab->a, "one");
	for (unsigned i = 0; i < delivered; i++)
		lab_deliver(lab);
	return lab;
}

static void done(struct lab *lab)
{
	lab_check(lab);
	lab_free(lab);
}

static const struct payload *peek(struct lab *lab, struct arena *a, struct payload_list *ret_list)
{
	struct ike_header h;

	lab_peek(lab, 0, a, &h, ret_list);
	ck_assert_uint_eq(h.exchange, EXCHANGE_IKE_AUTH);
	return payload_find(ret_list, PAYLOAD_CP, NULL);
}

/* What both sides send, where it stands, and what is kept: what somebody asked for. */
START_TEST(asked_and_answered)
{
	struct lab *lab = auth_under_way(true, 2);
	struct arena a = { 0 };
	struct payload_list list;
	const struct payload *cp = peek(lab, &a, &list);
	const struct sa_attributes *got;

	ck_assert_ptr_nonnull(cp);
	/* RFC 7296 2.19 MUST: in front of SA */
	ck_assert(cp < payload_find(&list, PAYLOAD_SA, NULL));
	ck_assert_uint_eq(cp->cp.type, CP_REQUEST);
	ck_assert_uint_eq(cp->cp.count, 2);
	ck_assert_uint_eq(cp->cp.attrs[1].type, CP_ATTR_INTERNAL_IP6_DNS);
	ck_assert_uint_eq(cp->cp.attrs[0].value.n + cp->cp.attrs[1].value.n, 0);
	lab_deliver(lab);
	ck_assert_str_eq(provided_to, "net a.test");
	cp = peek(lab, &a, &list);
	ck_assert(cp < payload_find(&list, PAYLOAD_SA, NULL));
	ck_assert_uint_eq(cp->cp.type, CP_REPLY);
	ck_assert_uint_eq(cp->cp.count, 3);
	lab_run(lab);
	got = lab_sa(&lab->a)->attributes;
	ck_assert_ptr_nonnull(got);
	ck_assert_uint_eq(got->count, 2);
	ck_assert(bytes_equal(got->list[0].value, given[0].value) && bytes_equal(got->list[1].value, given[2].value));
	ck_assert_ptr_null(lab_sa(&lab->b)->attributes);
	arena_free(&a);
	done(lab);
}
END_TEST

/* They belong to the IKE_SA and all that follow it; who is told of the end has them, too. */
START_TEST(outlive_rekeying)
{
	struct lab *lab = auth_under_way(true, 0);
	struct ike_info *info;
	uint32_t first;

	lab_run(lab);
	first = lab_sa(&lab->a)->log.id;
	ike_sa_rekey(lab_sa(&lab->a));
	lab_run(lab);
	ck_assert_uint_ne(lab_sa(&lab->a)->log.id, first);
	info = ike_info_new(lab_sa(&lab->a), NULL, true);
	ck_assert_uint_eq(info->origin_id, first);
	ck_assert_uint_eq(info->n_attributes, 2);
	ck_assert_uint_eq(info->attributes[1].value.p[3], 0x36);
	ike_info_free(info);
	ck_assert_uint_eq(provided, 1);
	done(lab);
}
END_TEST

/* RFC 7296 2.19 MUST NOT: no reply without a request; one that comes all the same does nothing */
START_TEST(not_asked)
{
	struct lab *lab = auth_under_way(_i, 2);
	struct arena a = { 0 };
	struct payload_list list;

	if (_i) {
		lab_deliver(lab);
		lab_sa(&lab->a)->cp_asked = false;
		ck_assert_ptr_nonnull(peek(lab, &a, &list));
	} else {
		ck_assert_ptr_null(peek(lab, &a, &list));
		lab_deliver(lab);
		ck_assert_ptr_null(peek(lab, &a, &list));
		ck_assert_uint_eq(provided, 0);
	}
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert_ptr_null(lab_sa(&lab->a)->attributes);
	arena_free(&a);
	done(lab);
}
END_TEST

/* RFC 7296, 3.15.1: which types we could answer with */
START_TEST(supported)
{
	struct arena a = { 0 };
	struct payload_list list;
	const struct payload *cp;
	struct lab *lab;

	types[2] = CP_ATTR_SUPPORTED_ATTRIBUTES;
	handler.n_types = 3;
	n_given *= (size_t)_i;
	lab = auth_under_way(true, 3);
	cp = peek(lab, &a, &list);
	ck_assert_ptr_nonnull(cp);
	ck_assert_uint_eq(cp->cp.count, n_given + 1);
	ck_assert_uint_eq(cp->cp.attrs[n_given].type, CP_ATTR_SUPPORTED_ATTRIBUTES);
	ck_assert_uint_eq(cp->cp.attrs[n_given].value.n, _i ? 6 : 2);
	if (_i)
		ck_assert_mem_eq(cp->cp.attrs[n_given].value.p, "\0\3\0\4\0\16", 6);
	lab_run(lab);
	arena_free(&a);
	done(lab);
}
END_TEST

/* An address is asked for, by whatever plugin, and there is none: no CHILD_SA (RFC 7296, 3.10.1), and nothing is answered where there is
 * nothing. */
START_TEST(no_address)
{
	struct arena a = { 0 };
	struct payload_list list;
	struct lab *lab;

	types[0] = CP_ATTR_INTERNAL_IP4_ADDRESS;
	n_given = 0;
	lab = auth_under_way(true, 3);
	types[0] = CP_ATTR_INTERNAL_IP4_DNS;
	ck_assert_ptr_null(peek(lab, &a, &list));
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_ptr_null(lab_sa(&lab->a)->children);
	ck_assert_uint_eq(provided, 1);
	arena_free(&a);
	done(lab);
}
END_TEST

/* RFC 7296, 3.15.1: addresses and netmasks are not had, whatever a plugin says */
START_TEST(no_netmask)
{
	struct arena a = { 0 };
	struct payload_list list;
	const struct payload *cp;
	struct lab *lab;

	give(CP_ATTR_INTERNAL_IP4_ADDRESS, "abcd", 4);
	give(CP_ATTR_INTERNAL_IP4_NETMASK, "abcd", 4);
	give(CP_ATTR_INTERNAL_IP6_ADDRESS, "abcdabcdabcdabcd", 16);
	lab = auth_under_way(true, 3);
	cp = peek(lab, &a, &list);
	ck_assert_ptr_nonnull(cp);
	ck_assert_uint_eq(cp->cp.count, 3);
	lab_run(lab);
	arena_free(&a);
	done(lab);
}
END_TEST

/* A gateway that gives too much: of each and of all only so much is kept. */
START_TEST(bounds)
{
	static const uint8_t much[LIMIT_CP_VALUE + 1];
	struct lab *lab;

	n_given = 0;
	give(CP_ATTR_INTERNAL_IP4_DNS, much, sizeof(much));
	give(CP_ATTR_INTERNAL_IP4_DNS, much, 0);
	give(CP_ATTR_INTERNAL_IP4_DNS, much, LIMIT_CP_VALUE);
	while (n_given < LIMIT_CP_KEPT + 8)
		give(CP_ATTR_INTERNAL_IP6_DNS, much, 16);
	lab = auth_under_way(true, 0);
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->attributes->count, LIMIT_CP_KEPT - 2);
	ck_assert_uint_eq(lab_sa(&lab->a)->attributes->list[0].value.n, LIMIT_CP_VALUE);
	done(lab);
}
END_TEST

/* An answer that is lost: the repeated request gets the same. */
START_TEST(repeated)
{
	struct lab *lab = auth_under_way(true, 3);

	lab_drop(lab);
	lab_advance(lab, 5000);
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->attributes->count, 2);
	ck_assert_uint_eq(provided, 1);
	done(lab);
}
END_TEST

Suite *config_payload_suite(void)
{
	Suite *s = suite_create("exchange/config_payload");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, asked_and_answered);
	tcase_add_test(t, outlive_rekeying);
	tcase_add_loop_test(t, not_asked, 0, 2);
	tcase_add_loop_test(t, supported, 0, 2);
	tcase_add_test(t, no_address);
	tcase_add_test(t, no_netmask);
	tcase_add_test(t, bounds);
	tcase_add_test(t, repeated);
	suite_add_tcase(s, t);
	return s;
}

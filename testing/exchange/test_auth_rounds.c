/* SPDX-License-Identifier: Apache-2.0 */
#include "confs.h"
#include "lab_auth.h"
#include "suites.h"

/* RFC 4739: several authentications of one side or both. */

/* Classes of the rounds: what a does, what b wants of it; what b does, what a wants of it. */
static struct lab *lab_of(const char *a_local, const char *b_remote, const char *b_local, const char *a_remote)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_rounds(&lab->a, "net", true, a_local);
	lab_rounds(&lab->b, "net", false, b_remote);
	lab_rounds(&lab->b, "net", true, b_local);
	lab_rounds(&lab->a, "net", false, a_remote);
	return lab;
}

static void expect_up(struct lab *lab)
{
	ck_assert_ptr_nonnull(lab_sa(&lab->a));
	ck_assert_ptr_nonnull(lab_sa(&lab->b));
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	ck_assert_ptr_null(lab_sa(&lab->a)->setup);
	ck_assert_ptr_null(lab_sa(&lab->b)->setup);
	ck_assert_str_eq(id_text(&lab_sa(&lab->a)->remote_id).s, "b.test");
	ck_assert_str_eq(id_text(&lab_sa(&lab->b)->remote_id).s, "a.test");
}

static const char *const rounds[][2] = { { "cc", "c" }, { "c", "cc" }, { "cc", "cc" }, { "pc", "c" },	{ "cp", "pc" },
					 { "p", "pp" }, { "ccc", "c" }, { "c", "ccc" }, { "cpc", "pc" } };

START_TEST(up)
{
	const char *a = rounds[_i][0], *b = rounds[_i][1];
	struct lab *lab = lab_of(a, a, b, b);
	size_t longest = strlen(a) > strlen(b) ? strlen(a) : strlen(b);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	expect_up(lab);
	ck_assert_uint_eq(lab->sent, 2 + 2 * longest);
	lab_free(lab);
}
END_TEST

START_TEST(lost_message)
{
	struct lab *lab = lab_of("cp", "cp", "pcc", "pcc");

	lab_initiate(&lab->a, "one");
	for (int i = 0; i < _i; i++)
		lab_deliver(lab);
	lab_drop(lab);
	lab_advance(lab, 4500);
	lab_run(lab);
	expect_up(lab);
	lab_free(lab);
}
END_TEST

START_TEST(repeated_message)
{
	struct lab *lab = lab_of("cp", "cp", "pcc", "pcc");

	lab_initiate(&lab->a, "one");
	for (int i = 0; i < _i; i++)
		lab_deliver(lab);
	lab_repeat(lab);
	lab_run(lab);
	expect_up(lab);
	lab_free(lab);
}
END_TEST

/* SA, traffic selectors and what else is wanted are asked for once, and answered at the end. */
START_TEST(asked_once)
{
	struct lab *lab = lab_of("ccc", "ccc", "c", "c");
	unsigned sa_asked = 0, sa_answered = 0, auths = 0, follows = 0;

	lab_initiate(&lab->a, "one");
	while (lab->n_packets) {
		struct arena arena = { 0 };
		struct payload_list in;
		struct ike_header h;

		lab_peek(lab, 0, &arena, &h, &in);
		if (h.exchange == EXCHANGE_IKE_AUTH) {
			bool sa = payload_find(&in, PAYLOAD_SA, NULL) != NULL;

			ck_assert(sa == (payload_find(&in, PAYLOAD_TSI, NULL) != NULL));
			if (h.flags & IKE_FLAG_RESPONSE)
				sa_answered += sa;
			else
				sa_asked += sa;
			ck_assert(!sa || h.message_id == (h.flags & IKE_FLAG_RESPONSE ? 3 : 1));
			auths += payload_find(&in, PAYLOAD_AUTH, NULL) != NULL;
			follows += payload_notify(&in, NOTIFY_ANOTHER_AUTH_FOLLOWS) != NULL;
		}
		arena_free(&arena);
		lab_deliver(lab);
	}
	expect_up(lab);
	ck_assert_uint_eq(sa_asked, 1);
	ck_assert_uint_eq(sa_answered, 1);
	ck_assert_uint_eq(auths, 4);
	ck_assert_uint_eq(follows, 2);
	lab_free(lab);
}
END_TEST

/* Who ends early, goes on too long, or proves something else than the configuration wants, is not believed. */
static const char *const wrong[][4] = {
	{ "c", "cc", "c", "c" },   { "cc", "c", "c", "c" },   { "cc", "ccc", "c", "c" }, { "ccc", "cc", "c", "c" },
	{ "c", "c", "c", "cc" },   { "c", "c", "cc", "c" },   { "c", "c", "cc", "ccc" }, { "c", "c", "ccc", "cc" },
	{ "cp", "cc", "c", "c" },  { "cc", "cp", "c", "c" },  { "c", "c", "cp", "cc" },	 { "c", "c", "cc", "cp" },
};

START_TEST(other_rounds)
{
	struct lab *lab = lab_of(wrong[_i][0], wrong[_i][1], wrong[_i][2], wrong[_i][3]);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	lab_advance(lab, 31000);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_UP), 0);
	/* what b wants of a is never skipped */
	if (_i < 4 || _i == 8 || _i == 9)
		ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_IKE_UP), 0);
	lab_free(lab);
}
END_TEST

/* A second identity that is not the configured one. */
START_TEST(other_identity)
{
	struct lab *lab = lab_of("cc", "cc", "c", "c");
	struct conn *conn = (struct conn *)(uintptr_t)config_conn(lab->a.ctx.config, "net");

	((struct conn_round *)(uintptr_t)conn->local_rounds)[1].id = conn->local_rounds[0].id;
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_IKE_UP), 0);
	lab_free(lab);
}
END_TEST

/* The peer knows nothing of this: the notify is taken out of its message, by who has its keys. */
static void forget_multiple(struct lab *lab, struct lab_end *from, struct ike_sa *sa)
{
	uint8_t inner[2048];
	struct builder b = builder_of(inner, sizeof(inner));
	struct arena arena = { 0 };
	struct payload_list in;
	struct ike_header h;

	lab_peek(lab, 0, &arena, &h, &in);
	for (size_t i = 0; i < in.count; i++)
		if (in.p[i].type != PAYLOAD_NOTIFY || in.p[i].notify.type != NOTIFY_MULTIPLE_AUTH_SUPPORTED)
			builder_payload(&b, &in.p[i]);
	lab_inject(from, sa, h.exchange, h.flags & IKE_FLAG_RESPONSE, h.message_id, &b);
	lab_drop(lab);
	arena_free(&arena);
}

START_TEST(not_supported)
{
	struct lab *lab = lab_of("c", "c", "cc", "cc");

	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_deliver(lab);
	forget_multiple(lab, &lab->a, lab_sa(&lab->a));
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab->b.auth_works[AUTH_VERIFY], 0);
	lab_free(lab);
}
END_TEST

/* Nor who is not to: neither announced nor used, on either side; one round each is as ever. */
START_TEST(not_wanted)
{
	const char *a = _i & 2 ? "cc" : "c";
	struct lab *lab = lab_of(a, a, "c", "c");
	struct arena arena = { 0 };
	struct payload_list in;
	struct ike_header h;

	(_i & 1 ? &lab->a : &lab->b)->ctx.options.multiple_authentication = false;
	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_peek(lab, 0, &arena, &h, &in);
	ck_assert((payload_notify(&in, NOTIFY_MULTIPLE_AUTH_SUPPORTED) != NULL) == (_i & 1));
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), _i & 2 ? 0 : 1);
	ck_assert_uint_eq(lab_live(&lab->b) && lab_sa(&lab->b)->state == IKE_STATE_ESTABLISHED, _i & 2 ? 0 : 1);
	ck_assert_uint_eq(lab->b.auth_works[AUTH_VERIFY], _i & 2 ? 0 : 1);
	arena_free(&arena);
	lab_free(lab);
}
END_TEST

/* The second failure is as final as the first. */
START_TEST(second_refused)
{
	struct lab *lab = lab_of("cc", "cc", "cc", "cc");
	struct lab_end *e = _i % 2 ? &lab->b : &lab->a;
	unsigned works = 0;

	lab->a.auth = lab->b.auth = LAB_AUTH_BY_HAND;
	lab_initiate(&lab->a, "one");
	for (unsigned i = 0; i < 40 && works < 3 + (unsigned)_i / 2; i++) {
		lab_run(lab);
		works += lab_auth_waiting(e) != NULL;
		if (works == 3 + (unsigned)_i / 2)
			e->auth_fail_sign = e->auth_fail_verify = true;
		if (!lab_auth_answer(&lab->a))
			(void)lab_auth_answer(&lab->b);
	}
	lab->a.auth = lab->b.auth = LAB_AUTH_AT_ONCE;
	lab_auth_run(lab);
	lab_run(lab);
	lab_advance(lab, 31000);
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab->a.kernel_children + lab->b.kernel_children, 0);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_UP), 0);
	lab_free(lab);
}
END_TEST

/* The peer is silent in the middle, and there again at the next try: all begins anew. */
START_TEST(begins_anew)
{
	struct lab *lab = lab_new(CONF_A_WITH(CONF_IKE "\n keyingtries = 2", CHILD_A("one", "1", ESP)), CONF_B);

	lab_rounds(&lab->a, "net", true, "cc");
	lab_rounds(&lab->b, "net", false, "cc");
	lab_initiate(&lab->a, "one");
	for (int i = 0; i < 4; i++)
		lab_deliver(lab);
	for (unsigned i = 0; i < 40 && lab_sa(&lab->a)->setup->attempt < 2; i++) {
		while (lab->n_packets)
			lab_drop(lab);
		lab_advance(lab, 5000);
	}
	ck_assert_uint_eq(lab_sa(&lab->a)->setup->attempt, 2);
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	lab_free(lab);
}
END_TEST

Suite *auth_rounds_suite(void)
{
	Suite *s = suite_create("exchange/auth_rounds");
	TCase *tc = tcase_create("rounds");

	tcase_add_loop_test(tc, up, 0, 9);
	tcase_add_loop_test(tc, lost_message, 0, 8);
	tcase_add_loop_test(tc, repeated_message, 0, 8);
	tcase_add_test(tc, asked_once);
	tcase_add_loop_test(tc, other_rounds, 0, 12);
	tcase_add_test(tc, other_identity);
	tcase_add_test(tc, not_supported);
	tcase_add_loop_test(tc, not_wanted, 0, 4);
	tcase_add_loop_test(tc, second_refused, 0, 4);
	tcase_add_test(tc, begins_anew);
	suite_add_tcase(s, tc);
	return s;
}

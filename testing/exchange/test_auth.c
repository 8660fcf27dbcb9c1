/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "confs.h"
#include "lab_auth.h"
#include "sa/task.h"
#include "suites.h"

/* IKE_AUTH with signatures: what waits for the service, and how that can end. */

/* The four steps in their order: a signs, b verifies, b signs, a verifies. */
enum { STEP_A_SIGNS, STEP_B_VERIFIES, STEP_B_SIGNS, STEP_A_VERIFIES, STEPS };

static struct lab *lab_signatures(void)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_rounds(&lab->a, "net", true, "c");
	lab_rounds(&lab->a, "net", false, "c");
	lab_rounds(&lab->b, "net", true, "c");
	lab_rounds(&lab->b, "net", false, "c");
	return lab;
}

static struct lab_end *step_end(struct lab *lab, int step)
{
	return step == STEP_A_SIGNS || step == STEP_A_VERIFIES ? &lab->a : &lab->b;
}

/* Everything up to a step is done; what it asked the service for waits. */
static void run_to(struct lab *lab, int step)
{
	lab->a.auth = lab->b.auth = LAB_AUTH_BY_HAND;
	lab_run(lab);
	for (int i = 0; i < step; i++) {
		ck_assert(lab_auth_answer(step_end(lab, i)));
		lab_run(lab);
	}
	ck_assert_ptr_nonnull(lab_auth_waiting(step_end(lab, step)));
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
	ck_assert(!lab->a.n_auths && !lab->b.n_auths);
}

static void expect_down(struct lab *lab)
{
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab->a.kernel_children + lab->b.kernel_children, 0);
}

START_TEST(up)
{
	struct lab *lab = lab_signatures();
	uint64_t r = lab_initiate(&lab->a, "one");

	lab_run(lab);
	expect_up(lab);
	ck_assert_uint_eq(lab->sent, 4);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_NONE);
	ck_assert_uint_eq(lab->a.auth_works[AUTH_SIGN], 1);
	ck_assert_uint_eq(lab->a.auth_works[AUTH_VERIFY], 1);
	ck_assert_uint_eq(lab->b.auth_works[AUTH_SIGN], 1);
	ck_assert_uint_eq(lab->b.auth_works[AUTH_VERIFY], 1);
	lab_free(lab);
}
END_TEST

START_TEST(mixed)
{
	static const char *const sides[][4] = { /* a local, b remote; b local, a remote */
						{ "c", "c", "p", "p" }, { "p", "p", "c", "c" }, { "c", "a", "p", "a" },
						{ "p", "a", "c", "a" } };
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_rounds(&lab->a, "net", true, sides[_i][0]);
	lab_rounds(&lab->b, "net", false, sides[_i][1]);
	lab_rounds(&lab->b, "net", true, sides[_i][2]);
	lab_rounds(&lab->a, "net", false, sides[_i][3]);
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	expect_up(lab);
	ck_assert_uint_eq(lab->a.auth_works[AUTH_SIGN], sides[_i][0][0] == 'c');
	ck_assert_uint_eq(lab->a.auth_works[AUTH_VERIFY], sides[_i][2][0] == 'c');
	lab_free(lab);
}
END_TEST

/* While one step waits nothing is made that needs it; meanwhile repeats change nothing. */
START_TEST(slow)
{
	struct lab *lab = lab_signatures();
	struct lab_end *e = step_end(lab, _i);
	unsigned sent;

	lab_initiate(&lab->a, "one");
	run_to(lab, _i);
	sent = lab->sent;
	ck_assert_uint_eq(lab->a.kernel_children, 0);
	/* b makes its CHILD_SA when it has believed a, and can prove itself */
	ck_assert_uint_eq(lab->b.kernel_children, _i > STEP_B_SIGNS);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_UP), 0);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_IKE_UP), _i > STEP_B_SIGNS);
	lab_advance(lab, 9000);
	lab_run(lab);
	/* only a repeats what was not answered */
	ck_assert_uint_eq(lab->sent > sent, e == &lab->b);
	ck_assert_uint_eq(e->n_auths, 1);
	while (lab_auth_answer(&lab->a) || lab_auth_answer(&lab->b))
		lab_run(lab);
	expect_up(lab);
	lab_free(lab);
}
END_TEST

START_TEST(refused)
{
	struct lab *lab = lab_signatures();
	struct lab_end *e = step_end(lab, _i);
	uint64_t r = lab_initiate(&lab->a, "one");

	run_to(lab, _i);
	e->auth_fail_sign = e->auth_fail_verify = true;
	ck_assert(lab_auth_answer(e));
	/* the peer learns that it failed, and nothing more */
	if (_i != STEP_A_SIGNS) {
		struct arena arena = { 0 };
		struct ike_header h;
		struct payload_list in;

		ck_assert_uint_eq(lab->n_packets, 1);
		lab_peek(lab, 0, &arena, &h, &in);
		ck_assert_uint_eq(in.count, 1);
		ck_assert_ptr_nonnull(payload_notify(&in, NOTIFY_AUTHENTICATION_FAILED));
		ck_assert_uint_eq(payload_notify(&in, NOTIFY_AUTHENTICATION_FAILED)->data.n, 0);
		arena_free(&arena);
	}
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_AUTHENTICATION);
	lab_advance(lab, 31000); /* half-open, if a never came back */
	expect_down(lab);
	lab_free(lab);
}
END_TEST

/* The service takes no more. */
START_TEST(too_many)
{
	struct lab *lab = lab_signatures();

	lab_initiate(&lab->a, "one");
	step_end(lab, _i)->auth = LAB_AUTH_FULL;
	lab_run(lab);
	lab_advance(lab, 31000);
	expect_down(lab);
	lab_free(lab);
}
END_TEST

/* It never answers: both ends give up by themselves. */
START_TEST(no_answer)
{
	struct lab *lab = lab_signatures();
	struct lab_end *e = step_end(lab, _i);

	lab->b.ctx.options.half_open_timeout = 0;
	lab_initiate(&lab->a, "one");
	run_to(lab, _i);
	for (unsigned i = 0; i < 8; i++) {
		lab_advance(lab, 2600);
		lab_run(lab);
	}
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	if (_i != STEP_A_SIGNS) /* nobody asks b for more; what it has is half-open */
		ck_assert_uint_eq(lab_live(&lab->b), 0);
	/* the late answer is for nobody */
	ck_assert(lab_auth_answer(e));
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	lab_free(lab);
}
END_TEST

/* The IKE_SA ends while something is under way for it. */
START_TEST(gone_meanwhile)
{
	struct lab *lab = lab_signatures();
	struct lab_end *e = step_end(lab, _i);

	lab_initiate(&lab->a, "one");
	run_to(lab, _i);
	ike_sa_terminate(lab_sa(e), false, (struct sa_request){ 0 });
	lab_advance(lab, 1);
	ck_assert_uint_eq(lab_live(e), 0);
	ck_assert(lab_auth_answer(e));
	lab_run(lab);
	ck_assert_uint_eq(lab_live(e), 0);
	/* a holds back what b made in the belief that all is well: b is told */
	if (_i == STEP_A_VERIFIES)
		ck_assert_uint_eq(lab_live(&lab->b), 0);
	lab_free(lab);
}
END_TEST

/* _i: which of the four messages is lost */
START_TEST(lost_message)
{
	struct lab *lab = lab_signatures();

	lab_initiate(&lab->a, "one");
	for (int i = 0; i < _i; i++)
		lab_deliver(lab);
	lab_drop(lab);
	lab_advance(lab, 4500);
	lab_run(lab);
	expect_up(lab);
	ck_assert_uint_eq(lab->b.auth_works[AUTH_SIGN], 1);
	lab_free(lab);
}
END_TEST

START_TEST(repeated_message)
{
	struct lab *lab = lab_signatures();

	lab_initiate(&lab->a, "one");
	for (int i = 0; i < _i; i++)
		lab_deliver(lab);
	lab_repeat(lab);
	lab_run(lab);
	expect_up(lab);
	ck_assert_uint_eq(lab->b.auth_works[AUTH_VERIFY], 1);
	lab_free(lab);
}
END_TEST

/* A backend that takes its time besides. */
START_TEST(slow_backend)
{
	struct lab *lab = lab_signatures();

	lab->a.kernel_async = lab->b.kernel_async = true;
	lab_initiate(&lab->a, "one");
	for (unsigned i = 0; i < 20; i++) {
		lab_run(lab);
		if (lab->a.n_pending)
			lab_kernel_complete(&lab->a, KERNEL_OK);
		if (lab->b.n_pending)
			lab_kernel_complete(&lab->b, KERNEL_OK);
		lab_auth_run(lab);
	}
	expect_up(lab);
	lab_free(lab);
}
END_TEST

/* The other class than the connection wants, either way; and no hint for the peer. */
START_TEST(wrong_class)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_rounds(&lab->a, "net", true, _i ? "c" : "p");
	lab_rounds(&lab->b, "net", false, _i ? "p" : "c");
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab->b.auth_works[AUTH_VERIFY], 0);
	expect_down(lab);
	lab_free(lab);
}
END_TEST

/* The same for the responder. */
START_TEST(wrong_class_of_responder)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_rounds(&lab->b, "net", true, _i ? "c" : "p");
	lab_rounds(&lab->a, "net", false, _i ? "p" : "c");
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab->a.auth_works[AUTH_VERIFY], 0);
	expect_down(lab);
	lab_free(lab);
}
END_TEST

#define CONF_B_TWO                                                                                 \
	"connections { net { version = 2\n local_addrs = 192.0.2.2\n remote_addrs = 192.0.2.1\n" CONF_IKE \
	"\n local { auth = psk\n id = b.test }\n remote { auth = psk\n id = a.test }\n children { " CHILD_B("one", "1", ESP) " } }\n" \
	" other { version = 2\n local_addrs = 192.0.2.2\n remote_addrs = 192.0.2.1\n" CONF_IKE       \
	"\n local { auth = psk\n id = b.test }\n remote { auth = psk }\n children { " CHILD_B("one", "1", ESP) " } } }\n" CONF_SECRET

/* A peer that signs is none of the connection that wants a shared key, though that has its identity: the next one fits. */
START_TEST(other_connection)
{
	struct lab *lab = lab_new(CONF_A, CONF_B_TWO);

	lab_rounds(&lab->a, "net", true, "c");
	lab_rounds(&lab->b, "other", false, "c");
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	expect_up(lab);
	ck_assert_str_eq(lab_sa(&lab->b)->conn->name, "other");
	lab_free(lab);
}
END_TEST

/* Certificates do not fit into one packet. */
START_TEST(large_certificate)
{
	struct lab *lab = lab_signatures();

	lab->a.auth_cert_len = lab->b.auth_cert_len = 5000;
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	expect_up(lab);
	ck_assert_uint_gt(lab->sent, 10);
	ck_assert_uint_eq(lab->a.auth_certs, 1);
	ck_assert_uint_eq(lab->b.auth_certs, 1);
	lab_free(lab);
}
END_TEST

/* ---- RFC 7427 ---- */

static bool init_has_hashes(struct lab *lab)
{
	struct arena arena = { 0 };
	struct payload_list in;
	struct ike_header h;
	const struct payload_notify *n;
	bool has;

	lab_peek(lab, 0, &arena, &h, &in);
	ck_assert_uint_eq(h.exchange, EXCHANGE_IKE_SA_INIT);
	n = payload_notify(&in, NOTIFY_SIGNATURE_HASH_ALGORITHMS);
	has = n != NULL;
	/* SHA-1 is not among them */
	if (has)
		ck_assert(n->data.n >= 2 && n->data.n % 2 == 0 && !(n->data.p[0] == 0 && n->data.p[1] == HASH_SHA1));
	arena_free(&arena);
	return has;
}

START_TEST(hashes_announced)
{
	struct lab *lab = lab_signatures();

	lab_initiate(&lab->a, "one");
	ck_assert(init_has_hashes(lab));
	lab_deliver(lab);
	ck_assert(init_has_hashes(lab));
	lab_run(lab);
	expect_up(lab);
	lab_free(lab);
	/* who has no use for them sends none */
	lab = lab_new(CONF_A, CONF_B);
	lab_initiate(&lab->a, "one");
	ck_assert(!init_has_hashes(lab));
	lab_deliver(lab);
	ck_assert(!init_has_hashes(lab));
	lab_free(lab);
}
END_TEST

/* A peer without RFC 7427 gets one of the methods before it, and may use one. */
START_TEST(classic_method)
{
	struct lab *lab = lab_signatures();
	struct arena arena = { 0 };
	struct payload_list in;
	struct ike_header h;

	lab_initiate(&lab->a, "one");
	lab->a.auth = LAB_AUTH_BY_HAND;
	lab_deliver(lab);
	lab_sa(&lab->b)->setup->announced.hashes = 0;
	lab_deliver(lab);
	((struct auth_request *)(uintptr_t)lab_auth_waiting(&lab->a))->peer_hashes = 0;
	ck_assert(lab_auth_answer(&lab->a));
	lab_peek(lab, 0, &arena, &h, &in);
	ck_assert_uint_eq(payload_find(&in, PAYLOAD_AUTH, NULL)->auth.method, AUTH_METHOD_ECDSA_256);
	arena_reset(&arena);
	lab_deliver(lab);
	lab_peek(lab, 0, &arena, &h, &in);
	ck_assert_uint_eq(payload_find(&in, PAYLOAD_AUTH, NULL)->auth.method, AUTH_METHOD_ECDSA_256);
	arena_free(&arena);
	lab->a.auth = LAB_AUTH_AT_ONCE;
	lab_run(lab);
	lab_auth_run(lab);
	expect_up(lab);
	lab_free(lab);
}
END_TEST

/* RFC 7427, 3: the new method is not for who did not announce it. */
START_TEST(method_not_announced)
{
	struct lab *lab = lab_signatures();

	lab_initiate(&lab->a, "one");
	lab->a.auth = LAB_AUTH_BY_HAND;
	lab_deliver(lab);
	lab_deliver(lab);
	lab_sa(&lab->b)->setup->announced.hashes = 0;
	ck_assert(lab_auth_answer(&lab->a));
	lab_run(lab);
	ck_assert_uint_eq(lab->b.auth_works[AUTH_VERIFY], 0);
	expect_down(lab);
	lab_free(lab);
}
END_TEST

/* NULL authentication, DSS and unknown methods are nobody's. */
START_TEST(method_not_ours)
{
	static const uint8_t methods[] = { AUTH_METHOD_NULL, AUTH_METHOD_DSS, AUTH_METHOD_GSPM, 0, 15, 201, 255 };
	struct lab *lab = lab_signatures();
	static const uint8_t data[32];
	uint8_t inner[512];
	struct builder b = builder_of(inner, sizeof(inner));
	struct id id;

	ck_assert(id_parse(bytes_str("a.test"), &id));
	lab->a.auth = LAB_AUTH_BY_HAND;
	lab_rounds(&lab->b, "net", false, "a");
	lab_initiate(&lab->a, NULL);
	lab_run(lab);
	builder_id(&b, true, &id);
	builder_auth(&b, methods[_i], bytes_of(data, sizeof(data)));
	lab_inject(&lab->a, lab_sa(&lab->a), EXCHANGE_IKE_AUTH, false, 1, &b);
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab->b.auth_works[AUTH_VERIFY], 0);
	id_free(&id);
	lab_free(lab);
}
END_TEST

Suite *auth_suite(void)
{
	Suite *s = suite_create("exchange/auth");
	TCase *tc = tcase_create("auth");

	tcase_add_test(tc, up);
	tcase_add_loop_test(tc, mixed, 0, 4);
	tcase_add_loop_test(tc, slow, 0, STEPS);
	tcase_add_loop_test(tc, refused, 0, STEPS);
	tcase_add_loop_test(tc, too_many, 0, 2);
	tcase_add_loop_test(tc, no_answer, 0, STEPS);
	tcase_add_loop_test(tc, gone_meanwhile, 0, STEPS);
	tcase_add_loop_test(tc, lost_message, 0, 4);
	tcase_add_loop_test(tc, repeated_message, 0, 4);
	tcase_add_test(tc, slow_backend);
	tcase_add_loop_test(tc, wrong_class, 0, 2);
	tcase_add_loop_test(tc, wrong_class_of_responder, 0, 2);
	tcase_add_test(tc, other_connection);
	tcase_add_test(tc, large_certificate);
	tcase_add_test(tc, hashes_announced);
	tcase_add_test(tc, classic_method);
	tcase_add_test(tc, method_not_announced);
	tcase_add_loop_test(tc, method_not_ours, 0, 7);
	suite_add_tcase(s, tc);
	return s;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "confs.h"
#include "lab.h"
#include "suites.h"

/* IKE_SA_INIT and IKE_AUTH: good and bad endings, lost, repeated and forged messages. */

static void expect_up(struct lab *lab)
{
	ck_assert_ptr_nonnull(lab_sa(&lab->a));
	ck_assert_ptr_nonnull(lab_sa(&lab->b));
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_UP), 1);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_IKE_UP), 1);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_UP), 1);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_UP), 1);
}

START_TEST(up)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	uint64_t r = lab_initiate(&lab->a, "one");
	struct child_sa *ca, *cb;

	lab_run(lab);
	expect_up(lab);
	ck_assert_uint_eq(lab->sent, 4);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_NONE);
	ca = lab_sa(&lab->a)->children;
	cb = lab_sa(&lab->b)->children;
	ck_assert_uint_eq(ca->spi_in, cb->spi_out);
	ck_assert_uint_eq(ca->spi_out, cb->spi_in);
	/* what the set-up needed is gone */
	ck_assert_ptr_null(lab_sa(&lab->a)->setup);
	ck_assert_ptr_null(lab_sa(&lab->b)->setup);
	/* events in order: the IKE_SA first */
	ck_assert_int_eq(lab->b.events[0].event, SA_EVENT_IKE_UP);
	lab_free(lab);
}
END_TEST

START_TEST(up_any_algorithm)
{
	static const char *const proposals[] = {
		"aes128-sha256-x25519",		 "aes256-sha384-ecp384",	"aes256-sha512-modp2048",
		"chacha20poly1305-prfsha256-ecp256", "aes128ctr-aesxcbc-modp3072", "aes256gcm16-prfsha384-ecp521",
		"aes128ccm12-prfaescmac-x448",
	};
	char conf_a[1024], conf_b[1024];

	for (size_t i = 0; i < ARRAY_LEN(proposals); i++) {
		struct lab *lab;

		snprintf(conf_a, sizeof(conf_a), CONF_A_WITH("proposals = %s", CHILD_A("one", "1", "")), proposals[i]);
		snprintf(conf_b, sizeof(conf_b), CONF_B_WITH("proposals = %s", CHILD_B("one", "1", "")), proposals[i]);
		lab = lab_new(conf_a, conf_b);
		lab_initiate(&lab->a, "one");
		lab_run(lab);
		expect_up(lab);
		lab_free(lab);
	}
}
END_TEST

/* _i: which of the four messages is lost */
START_TEST(lost_message)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_initiate(&lab->a, "one");
	for (int i = 0; i < _i; i++)
		lab_deliver(lab);
	lab_drop(lab);
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_advance(lab, 4100);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	expect_up(lab);
	lab_free(lab);
}
END_TEST

START_TEST(repeated_message)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_initiate(&lab->a, "one");
	for (int i = 0; i < _i; i++)
		lab_deliver(lab);
	lab_repeat(lab);
	lab_repeat(lab);
	lab_run(lab);
	expect_up(lab);
	lab_free(lab);
}
END_TEST

/* Every byte of every message changed once: nothing may change, the true message still works. */
START_TEST(forged_message)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_initiate(&lab->a, "one");
	for (int i = 0; i < _i; i++)
		lab_deliver(lab);
	for (size_t k = 0; k < lab->packets[0].n; k++) {
		size_t under_way = lab->n_packets;

		if (_i == 0)
			break; /* a changed first message is just another peer */
		lab_forge(lab, k);
		if (_i >= 2)
			ck_assert_uint_eq(lab->n_packets, under_way);
		while (lab->n_packets > under_way) /* an answer to a forged IKE_SA_INIT response may be tried */
			free(lab->packets[--lab->n_packets].data);
	}
	if (_i >= 2) {
		lab_run(lab);
		expect_up(lab);
	}
	lab_free(lab);
}
END_TEST

START_TEST(wrong_secret)
{
	struct lab *lab = lab_new(
		"connections { net { version = 2\n local_addrs = 192.0.2.1\n remote_addrs = 192.0.2.2\n local { auth = psk\n"
		" id = a.test }\n remote { auth = psk\n id = b.test }\n children { one { local_ts = 10.1.1.0/24\n"
		" remote_ts = 10.1.2.0/24 } } } }\nsecrets { ike-1 { secret = \"another secret\" } }\n",
		CONF_B_WITH("", CHILD_B("one", "1", "")));
	uint64_t r = lab_initiate(&lab->a, "one");

	lab_deliver(lab);
	lab_deliver(lab);
	lab_deliver(lab);
	/* the refusal is lost: the repeat gets it again */
	lab_drop(lab);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	lab_advance(lab, 4100);
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_AUTHENTICATION);
	ck_assert_uint_eq(lab->a.n_events + lab->b.n_events, 0);
	/* nothing lingers for ever */
	lab_advance(lab, 10100);
	ck_assert_uint_eq(lab->b.n_sas, 0);
	lab_free(lab);
}
END_TEST

START_TEST(no_ike_proposal)
{
	struct lab *lab = lab_new(CONF_A_WITH("proposals = aes128-sha256-x25519", CHILD_A("one", "1", "")),
				  CONF_B_WITH("proposals = aes256-sha384-ecp384", CHILD_B("one", "1", "")));
	uint64_t r = lab_initiate(&lab->a, "one");

	lab_run(lab);
	/* not authenticated: remembered, not obeyed */
	ck_assert_uint_eq(lab_live(&lab->a), 1);
	ck_assert_uint_eq(lab->b.n_sas, 0);
	lab_advance(lab, 4100);
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 1);
	for (int i = 0; i < 4 && lab_live(&lab->a); i++) {
		lab_advance(lab, 30000);
		lab_run(lab);
	}
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_PROPOSAL);
	lab_free(lab);
}
END_TEST

START_TEST(invalid_ke)
{
	struct lab *lab = lab_new(
		CONF_A_WITH("proposals = aes128-sha256-x25519-ecp256", CHILD_A("one", "1", "")),
		CONF_B_WITH("proposals = aes128-sha256-ecp256", CHILD_B("one", "1", "")));

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	expect_up(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->suite.ke, KE_ECP_256);
	ck_assert_uint_eq(lab->sent, 6);
	lab_free(lab);
}
END_TEST

START_TEST(peer_never_answers)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	uint64_t r = lab_initiate(&lab->a, "one");
	unsigned sent = 0;

	for (unsigned s = 0; s < 200 && lab_live(&lab->a); s++) {
		while (lab->n_packets) {
			lab_drop(lab);
			sent++;
		}
		lab_advance(lab, 1000);
	}
	ck_assert_uint_eq(sent, 6);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_PEER_SILENT);
	lab_free(lab);
}
END_TEST

START_TEST(half_open_ends)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_drop(lab);
	ck_assert_uint_eq(lab->b.half_open, 1);
	lab_advance(lab, 30100);
	ck_assert_uint_eq(lab->b.n_sas, 0);
	lab_free(lab);
}
END_TEST

START_TEST(childless)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	uint64_t r = lab_initiate(&lab->a, NULL);

	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_NONE);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	lab_add_child(&lab->b, lab_sa(&lab->b), "two");
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	lab_free(lab);
}
END_TEST

START_TEST(childless_refused)
{
	struct lab *lab = lab_new(CONF_A, CONF_B_WITH(CONF_IKE "\n childless = never", CHILD_B("one", "1", ESP)));
	uint64_t r = lab_initiate(&lab->a, NULL);

	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_POLICY);
	lab_advance(lab, 31000);
	ck_assert_uint_eq(lab->b.n_sas, 0);
	lab_free(lab);
}
END_TEST

START_TEST(keyingtries)
{
	struct lab *lab = lab_new(CONF_A_WITH(CONF_IKE "\n keyingtries = 2", CHILD_A("one", "1", ESP)), CONF_B);

	lab_initiate(&lab->a, "one");
	for (unsigned s = 0; s < 170; s++) {
		while (lab->n_packets)
			lab_drop(lab);
		lab_advance(lab, 1000);
	}
	/* the second round is on */
	ck_assert_uint_eq(lab_live(&lab->a), 1);
	lab_advance(lab, 4000);
	ck_assert_uint_ge(lab->n_packets, 1);
	lab_run(lab);
	expect_up(lab);
	lab_free(lab);
}
END_TEST

START_TEST(slow_backend)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab->a.kernel_async = lab->b.kernel_async = true;
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab->a.n_pending, 1); /* the SPI, before IKE_AUTH is sent */
	lab_kernel_complete(&lab->a, KERNEL_OK);
	lab_run(lab);
	lab_kernel_complete(&lab->b, KERNEL_OK); /* SPI */
	/* a repeat of the request that is being worked at is not answered twice */
	lab_advance(lab, 4100);
	lab_run(lab);
	lab_kernel_complete(&lab->b, KERNEL_OK); /* installed */
	lab_run(lab);
	lab_kernel_complete(&lab->a, KERNEL_OK);
	lab_run(lab);
	expect_up(lab);
	lab_free(lab);
}
END_TEST

Suite *setup_suite(void)
{
	Suite *s = suite_create("exchange/setup");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, up);
	tcase_add_test(t, up_any_algorithm);
	tcase_add_loop_test(t, lost_message, 0, 4);
	tcase_add_loop_test(t, repeated_message, 0, 4);
	tcase_add_loop_test(t, forged_message, 0, 4);
	tcase_add_test(t, wrong_secret);
	tcase_add_test(t, no_ike_proposal);
	tcase_add_test(t, invalid_ke);
	tcase_add_test(t, peer_never_answers);
	tcase_add_test(t, half_open_ends);
	tcase_add_test(t, childless);
	tcase_add_test(t, childless_refused);
	tcase_add_test(t, keyingtries);
	tcase_add_test(t, slow_backend);
	suite_add_tcase(s, t);
	return s;
}

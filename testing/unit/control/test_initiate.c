/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

#include <limits.h>

/* initiate: which connection, which IKE_SA, and what is answered. */

static struct lab lab;
static struct peer p;

static void setup(void)
{
	lab_open(&lab);
	peer_open(&p, &lab);
	peer_load_conn(&p, "site", false, (const char *const[]){ "net", "host", NULL });
	peer_load_conn(&p, "late", false, (const char *const[]){ "net", "only", NULL });
}

static void teardown(void)
{
	peer_close(&p);
	lab_close(&lab);
}

START_TEST(names_that_do_not_exist)
{
	peer_ask(&p, "initiate", NULL);
	peer_failed(&p, "missing configuration name");
	peer_ask(&p, "initiate", "child", "nope", NULL);
	peer_failed(&p, "CHILD_SA config 'nope' not found");
	peer_ask(&p, "initiate", "ike", "nope", NULL);
	peer_failed(&p, "IKE_SA config 'nope' not found");
	peer_ask(&p, "initiate", "ike", "nope", "child", "net", NULL); /* reported as the missing child */
	peer_failed(&p, "CHILD_SA config 'net' not found");
	peer_ask(&p, "initiate", "ike", "site", "child", "only", NULL);
	peer_failed(&p, "CHILD_SA config 'only' not found");
}
END_TEST

START_TEST(first_connection_with_the_child)
{
	struct fake_call call;

	peer_ask(&p, "initiate", "child", "net", NULL);
	peer_succeeded(&p);
	call = fake_next(&lab.workers, FAKE_INITIATE);
	ck_assert_str_eq(call.ike, "site");
	ck_assert_str_eq(call.child, "net");
	ck_assert_uint_eq(call.worker, UINT_MAX); /* a new IKE_SA */
	ck_assert_uint_ne(call.ike_id, 0);
	peer_ask(&p, "initiate", "child", "net", "ike", "late", NULL);
	ck_assert_str_eq(fake_next(&lab.workers, FAKE_INITIATE).ike, "late");
	peer_ask(&p, "initiate", "ike", "late", NULL);
	call = fake_next(&lab.workers, FAKE_INITIATE);
	ck_assert_str_eq(call.ike, "late");
	ck_assert_str_eq(call.child, "");
}
END_TEST

START_TEST(established_sa_is_used_again)
{
	static const struct fake_sa sas[] = { { "site", 4, IKE_STATE_CONNECTING, { NULL } },
					      { "site", 3, IKE_STATE_ESTABLISHED, { NULL } },
					      { "site", 5, IKE_STATE_CONNECTING, { NULL } },
					      { "late", 6, IKE_STATE_ESTABLISHED, { NULL } } };
	struct fake_call call;

	fake_set(&lab.workers, sas, 4);
	peer_ask(&p, "initiate", "child", "net", NULL);
	call = fake_next(&lab.workers, FAKE_INITIATE);
	ck_assert_uint_eq(call.ike_id, 3);
	ck_assert_uint_eq(call.worker, 3 % FAKE_WORKERS);
}
END_TEST

START_TEST(settings_may_forbid_that)
{
	static const struct fake_sa sa = { "site", 3, IKE_STATE_ESTABLISHED, { NULL } };

	fake_set(&lab.workers, &sa, 1);
	peer_ask(&p, "reload-settings", NULL); /* the lab's new settings say no */
	peer_ask(&p, "initiate", "child", "net", NULL);
	ck_assert_uint_eq(fake_next(&lab.workers, FAKE_INITIATE).worker, UINT_MAX);
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_FIND), 0);
}
END_TEST

START_TEST(sa_with_an_old_ike_part_is_not_used)
{
	static const struct fake_sa sa = { "site", 3, IKE_STATE_ESTABLISHED, { "net" } };

	fake_set(&lab.workers, &sa, 1);
	peer_load_conn_with(&p, "site", "peer", false, (const char *const[]){ "net", NULL });
	peer_ask(&p, "initiate", "child", "net", NULL);
	ck_assert_uint_eq(fake_next(&lab.workers, FAKE_INITIATE).worker, UINT_MAX);
}
END_TEST

START_TEST(failure_is_told)
{
	lab.workers.cause = CAUSE_PROPOSAL;
	peer_ask(&p, "initiate", "child", "net", NULL);
	peer_failed(&p, "establishing CHILD_SA 'net' failed");
	peer_ask(&p, "initiate", "ike", "site", NULL);
	peer_failed(&p, "establishing IKE_SA 'site' failed");
}
END_TEST

START_TEST(timeout_leaves_the_sa_trying)
{
	struct fake_call call;

	lab.workers.hold_initiate = true;
	peer_ask(&p, "initiate", "child", "net", "timeout", "10", NULL);
	peer_failed(&p, "CHILD_SA 'net' not established after 10ms");
	call = fake_next(&lab.workers, FAKE_INITIATE);
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_TERMINATE), 0);
	fake_ended(&call, CAUSE_NONE); /* nobody waits for it any more */
	peer_ask(&p, "version", NULL);
	peer_value(&p, "daemon", "bewickd");
}
END_TEST

START_TEST(negative_timeout_does_not_wait)
{
	lab.workers.hold_initiate = true;
	peer_ask(&p, "initiate", "child", "net", "timeout", "-1", NULL);
	peer_succeeded(&p);
	fake_next(&lab.workers, FAKE_INITIATE);
}
END_TEST

/* Two at the same time: the second looks for an IKE_SA only when the first has made its own. */
START_TEST(two_children_at_once_look_one_after_the_other)
{
	struct fake_call first;
	struct peer other;

	peer_open(&other, &lab);
	lab.workers.hold_find = true;
	peer_send_request(&p, "initiate", "child", "net", NULL);
	first = fake_next(&lab.workers, FAKE_FIND);
	peer_send_request(&other, "initiate", "child", "host", NULL);
	peer_send_request(&other, "version", NULL); /* seen by control, but behind initiate */
	peer_close(&other);
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_FIND), 1);
	fake_done(&first);
	ck_assert_str_eq(fake_next(&lab.workers, FAKE_INITIATE).child, "net");
	fake_done(&(struct fake_call){ .request = fake_next(&lab.workers, FAKE_FIND).request,
				       .reply_to = first.reply_to });
	ck_assert_str_eq(fake_next(&lab.workers, FAKE_INITIATE).child, "host");
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_succeeded(&p);
}
END_TEST

TCase *control_initiate_tests(void)
{
	TCase *t = tcase_create("initiate");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, names_that_do_not_exist);
	tcase_add_test(t, first_connection_with_the_child);
	tcase_add_test(t, established_sa_is_used_again);
	tcase_add_test(t, settings_may_forbid_that);
	tcase_add_test(t, sa_with_an_old_ike_part_is_not_used);
	tcase_add_test(t, failure_is_told);
	tcase_add_test(t, timeout_leaves_the_sa_trying);
	tcase_add_test(t, negative_timeout_does_not_wait);
	tcase_add_test(t, two_children_at_once_look_one_after_the_other);
	return t;
}

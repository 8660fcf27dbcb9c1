/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

#include <limits.h>

/* Start actions and their undoing, and SAs that come up again. */

static struct lab lab;
static struct peer p;

static void setup(void)
{
	lab_open(&lab);
	peer_open(&p, &lab);
}

static void teardown(void)
{
	peer_close(&p);
	lab_close(&lab);
}

/* Control has done all that it was asked before. */
static void settle(void)
{
	peer_ask(&p, "version", NULL);
}

START_TEST(start_actions_run_once)
{
	static const struct fake_sa sa = { "site", 1, IKE_STATE_ESTABLISHED, { "net", "host" } };
	static const char *const children[] = { "net", "host", NULL };

	peer_load_conn(&p, "site", true, children);
	ck_assert_str_eq(fake_next(&lab.workers, FAKE_INITIATE).child, "net");
	ck_assert_str_eq(fake_next(&lab.workers, FAKE_INITIATE).child, "host");
	fake_set(&lab.workers, &sa, 1);
	peer_load_conn(&p, "site", true, children); /* the same again: nothing happens */
	settle();
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_INITIATE), 2);
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_TERMINATE), 0);
}
END_TEST

START_TEST(child_that_is_no_more_is_closed)
{
	static const struct fake_sa sa = { "site", 1, IKE_STATE_ESTABLISHED, { "net", "host" } };
	struct fake_call call;

	peer_load_conn(&p, "site", true, (const char *const[]){ "net", "host", NULL });
	fake_next(&lab.workers, FAKE_INITIATE);
	fake_next(&lab.workers, FAKE_INITIATE);
	fake_set(&lab.workers, &sa, 1);
	peer_load_conn(&p, "site", true, (const char *const[]){ "net", NULL });
	call = fake_next(&lab.workers, FAKE_TERMINATE);
	ck_assert_uint_eq(call.ike_id, 1);
	ck_assert_uint_eq(call.child_id, 101); /* host; net stays, and so does the IKE_SA */
	settle();
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_TERMINATE), 1);
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_INITIATE), 2);
}
END_TEST

START_TEST(unloading_closes_what_was_started)
{
	static const struct fake_sa sas[] = { { "site", 1, IKE_STATE_ESTABLISHED, { "net" } },
					      { "site", 2, IKE_STATE_ESTABLISHED, { "net", "byhand" } } };
	struct fake_call call;

	peer_load_conn(&p, "site", true, (const char *const[]){ "net", NULL });
	fake_next(&lab.workers, FAKE_INITIATE);
	fake_set(&lab.workers, sas, 2);
	peer_ask(&p, "unload-conn", "name", "site", NULL);
	peer_succeeded(&p);
	call = fake_next(&lab.workers, FAKE_TERMINATE);
	ck_assert_uint_eq(call.ike_id, 1);
	ck_assert_uint_eq(call.child_id, 0); /* no other child: the IKE_SA */
	call = fake_next(&lab.workers, FAKE_TERMINATE);
	ck_assert_uint_eq(call.ike_id, 2);
	ck_assert_uint_eq(call.child_id, 200);
}
END_TEST

START_TEST(sas_without_start_action_stay)
{
	static const struct fake_sa sa = { "site", 1, IKE_STATE_ESTABLISHED, { "net" } };

	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	fake_set(&lab.workers, &sa, 1);
	peer_load_conn(&p, "site", false, (const char *const[]){ "other", NULL });
	peer_ask(&p, "unload-conn", "name", "site", NULL);
	settle();
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_TERMINATE), 0);
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_INITIATE), 0);
}
END_TEST

START_TEST(replaced_connection_starts_anew)
{
	static const struct fake_sa sa = { "site", 1, IKE_STATE_ESTABLISHED, { "net" } };
	struct fake_call call;

	peer_load_conn(&p, "site", true, (const char *const[]){ "net", NULL });
	fake_next(&lab.workers, FAKE_INITIATE);
	fake_set(&lab.workers, &sa, 1);
	peer_load_conn_with(&p, "site", "peer", true, (const char *const[]){ "net", NULL });
	call = fake_next(&lab.workers, FAKE_TERMINATE);
	ck_assert_uint_eq(call.ike_id, 1);
	ck_assert_uint_eq(call.child_id, 0);
	call = fake_next(&lab.workers, FAKE_INITIATE);
	ck_assert_uint_eq(call.worker, UINT_MAX); /* not in the IKE_SA that is going */
}
END_TEST

START_TEST(attempt_of_a_start_action_is_given_up)
{
	struct fake_sa sa = { "site", 0, IKE_STATE_CONNECTING, { NULL } };

	lab.workers.hold_initiate = true;
	peer_load_conn(&p, "site", true, (const char *const[]){ "net", NULL });
	sa.id = fake_next(&lab.workers, FAKE_INITIATE).ike_id;
	fake_set(&lab.workers, &sa, 1);
	peer_ask(&p, "unload-conn", "name", "site", NULL);
	ck_assert_uint_eq(fake_next(&lab.workers, FAKE_TERMINATE).ike_id, sa.id);
}
END_TEST

START_TEST(start_that_still_looks_for_an_sa_is_given_up)
{
	struct fake_call call;

	lab.workers.hold_find = true;
	peer_load_conn(&p, "site", true, (const char *const[]){ "net", "host", NULL });
	call = fake_next(&lab.workers, FAKE_FIND);
	peer_ask(&p, "unload-conn", "name", "site", NULL);
	peer_succeeded(&p);
	fake_done(&call);
	settle();
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_INITIATE), 0);
}
END_TEST

/* ---- again ---- */

static void reinitiate(const char *child)
{
	struct config *config = control_config(lab.control);
	struct worker_reply *r = xcalloc(1, sizeof(*r));

	/* not while a command changes the configuration: the test waits for each */
	r->mail.kind = WORKER_REINITIATE;
	r->conn = conn_ref(config_conn(config, "site"));
	r->child = child ? conn_child(r->conn, child)->name : NULL;
	config_unref(config);
	mailbox_post(control_mailbox(lab.control), &r->mail);
}

START_TEST(lost_child_comes_up_again_once_at_a_time)
{
	struct fake_call call;

	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	lab.workers.hold_initiate = true;
	reinitiate("net");
	call = fake_next(&lab.workers, FAKE_INITIATE);
	ck_assert_str_eq(call.child, "net");
	reinitiate("net"); /* one is under way */
	settle();
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_INITIATE), 1);
	fake_ended(&call, CAUSE_PEER_SILENT);
	call = fake_next(&lab.workers, FAKE_INITIATE); /* after a second */
	ck_assert_str_eq(call.child, "net");
	fake_ended(&call, CAUSE_NONE);
}
END_TEST

START_TEST(unloaded_child_does_not_come_up_again)
{
	struct config *config;
	struct worker_reply *r = xcalloc(1, sizeof(*r));

	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	config = control_config(lab.control);
	r->mail.kind = WORKER_REINITIATE;
	r->conn = conn_ref(config_conn(config, "site"));
	r->child = "net";
	config_unref(config);
	peer_ask(&p, "unload-conn", "name", "site", NULL);
	mailbox_post(control_mailbox(lab.control), &r->mail);
	settle();
	settle();
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_INITIATE), 0);
}
END_TEST

TCase *control_action_tests(void)
{
	TCase *t = tcase_create("actions");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, start_actions_run_once);
	tcase_add_test(t, child_that_is_no_more_is_closed);
	tcase_add_test(t, unloading_closes_what_was_started);
	tcase_add_test(t, sas_without_start_action_stay);
	tcase_add_test(t, replaced_connection_starts_anew);
	tcase_add_test(t, attempt_of_a_start_action_is_given_up);
	tcase_add_test(t, start_that_still_looks_for_an_sa_is_given_up);
	tcase_add_test(t, lost_child_comes_up_again_once_at_a_time);
	tcase_add_test(t, unloaded_child_does_not_come_up_again);
	return t;
}

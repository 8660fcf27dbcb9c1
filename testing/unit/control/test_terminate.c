/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

/* terminate: counting, waiting, forcing. */

static const struct fake_sa sas[] = { { "site", 1, IKE_STATE_ESTABLISHED, { "net", "host" } },
				      { "site", 2, IKE_STATE_ESTABLISHED, { "net" } } };
static struct lab lab;
static struct peer p;

static void setup(void)
{
	lab_open(&lab);
	peer_open(&p, &lab);
	fake_set(&lab.workers, sas, 2);
}

static void teardown(void)
{
	peer_close(&p);
	lab_close(&lab);
}

static void ck_counts(const char *matches, const char *terminated)
{
	peer_value(&p, "matches", matches);
	peer_value(&p, "terminated", terminated);
}

START_TEST(selectors)
{
	peer_ask(&p, "terminate", NULL);
	peer_failed(&p, "missing terminate selector");
	ck_counts(NULL, NULL);
	peer_ask(&p, "terminate", "ike-id", "0", NULL); /* counts as not given */
	peer_failed(&p, "missing terminate selector");
	peer_ask(&p, "terminate", "child-id", "many", NULL);
	peer_failed(&p, "missing terminate selector");
	peer_ask(&p, "terminate", "ike", "nope", NULL);
	peer_failed(&p, "no matching SAs to terminate found");
	ck_counts("0", "0");
}
END_TEST

START_TEST(all_of_a_name)
{
	struct fake_call call;

	peer_ask(&p, "terminate", "ike", "site", NULL);
	peer_succeeded(&p);
	ck_counts("2", "2");
	call = fake_next(&lab.workers, FAKE_TERMINATE);
	ck_assert_str_eq(call.ike, "site");
	ck_assert(!call.force);
	peer_ask(&p, "terminate", "child", "net", NULL);
	ck_counts("2", "2");
	peer_ask(&p, "terminate", "child-id", "101", "ike", "site", NULL);
	ck_counts("1", "1");
	peer_succeeded(&p);
}
END_TEST

START_TEST(failures)
{
	lab.workers.cause = CAUSE_SHUTDOWN;
	peer_ask(&p, "terminate", "ike", "site", NULL);
	peer_failed(&p, "not all matching SAs could be terminated");
	ck_counts("2", "0");
	peer_ask(&p, "terminate", "ike-id", "1", NULL);
	peer_failed(&p, "terminating SA failed");
	ck_counts("1", "0");
	lab.workers.cause = CAUSE_PEER_SILENT; /* gone is gone */
	peer_ask(&p, "terminate", "ike-id", "1", NULL);
	peer_succeeded(&p);
}
END_TEST

START_TEST(it_waits_for_all)
{
	struct fake_call call;

	lab.workers.hold_end = true;
	peer_send_request(&p, "terminate", "ike", "site", NULL);
	call = fake_next(&lab.workers, FAKE_TERMINATE);
	fake_ended(&call, CAUSE_NONE);
	fake_ended(&call, CAUSE_AUTHENTICATION);
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_failed(&p, "not all matching SAs could be terminated");
	ck_counts("2", "1");
}
END_TEST

START_TEST(times)
{
	lab.workers.hold_end = true;
	peer_ask(&p, "terminate", "ike", "site", "timeout", "-1", NULL); /* does not wait */
	peer_succeeded(&p);
	ck_counts("2", "2");
	peer_ask(&p, "terminate", "ike", "site", "timeout", "10", NULL);
	peer_failed(&p, "not all matching SAs could be terminated");
	ck_counts("2", "0");
}
END_TEST

START_TEST(force)
{
	struct fake_call call;

	peer_ask(&p, "terminate", "ike", "site", "force", "yes", NULL);
	ck_assert(fake_next(&lab.workers, FAKE_TERMINATE).force);
	/* with a time: first a Delete, then the end without an answer */
	lab.workers.hold_end = true;
	peer_send_request(&p, "terminate", "ike-id", "2", "force", "yes", "timeout", "10", NULL);
	call = fake_next(&lab.workers, FAKE_TERMINATE);
	ck_assert(!call.force);
	ck_assert(fake_next(&lab.workers, FAKE_TERMINATE).force);
	fake_ended(&call, CAUSE_NONE);
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_succeeded(&p);
}
END_TEST

/* By child only: the IKE_SAs are asked for first, so that the right lines of the log can be given. */
START_TEST(log_of_children)
{
	struct log_sa about = { "site", 1 }, other = { "else", 9 };
	struct fake_call call;

	lab.workers.hold_end = true;
	peer_register(&p, "control-log");
	peer_send_request(&p, "terminate", "child-id", "100", NULL);
	ck_assert_uint_eq(fake_next(&lab.workers, FAKE_LIST).child_id, 100);
	call = fake_next(&lab.workers, FAKE_TERMINATE);
	LOG_SA(&other, IKE, 1, "not ours");
	LOG_SA(&about, IKE, 1, "ours");
	fake_ended(&call, CAUSE_NONE);
	peer_recv(&p, VICI_EVENT);
	peer_value(&p, "msg", "ours");
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_succeeded(&p);
}
END_TEST

TCase *control_terminate_tests(void)
{
	TCase *t = tcase_create("terminate");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, selectors);
	tcase_add_test(t, all_of_a_name);
	tcase_add_test(t, failures);
	tcase_add_test(t, it_waits_for_all);
	tcase_add_test(t, times);
	tcase_add_test(t, force);
	tcase_add_test(t, log_of_children);
	return t;
}

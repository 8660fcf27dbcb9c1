/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

/* sync-ids: which IKE_SAs, and what is said of them. */

static const struct fake_sa sas[] = { { "site", 1, IKE_STATE_ESTABLISHED, { "net" } },
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

START_TEST(by_name_and_id)
{
	struct fake_call call;

	peer_ask(&p, "sync-ids", "ike", "site", NULL);
	peer_succeeded(&p);
	peer_value(&p, "matches", "2");
	call = fake_next(&lab.workers, FAKE_SYNC);
	ck_assert_str_eq(call.ike, "site");
	ck_assert_uint_eq(call.delta, 0);
	peer_ask(&p, "sync-ids", "ike-id", "2", "replay-delta", "1000", NULL);
	peer_succeeded(&p);
	peer_value(&p, "matches", "1");
	call = fake_next(&lab.workers, FAKE_SYNC);
	ck_assert_uint_eq(call.ike_id, 2);
	ck_assert_uint_eq(call.delta, 1000);
}
END_TEST

START_TEST(refused)
{
	peer_ask(&p, "sync-ids", NULL);
	peer_failed(&p, "missing sync-ids selector");
	peer_ask(&p, "sync-ids", "ike-id", "0", NULL);
	peer_failed(&p, "missing sync-ids selector");
	peer_ask(&p, "sync-ids", "ike", "site", "replay-delta", "-1", NULL);
	peer_failed(&p, "replay-delta is '-1': a number from 0 on is possible");
	peer_ask(&p, "sync-ids", "ike", "site", "replay-delta", "1x", NULL);
	peer_failed(&p, "replay-delta is '1x': a number from 0 on is possible");
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_SYNC), 0);
	peer_ask(&p, "sync-ids", "ike", "nope", NULL);
	peer_failed(&p, "no matching IKE_SAs whose peers can synchronize message IDs found");
	peer_value(&p, "matches", "0");
}
END_TEST

TCase *control_sync_tests(void)
{
	TCase *tc = tcase_create("sync-ids");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, by_name_and_id);
	tcase_add_test(tc, refused);
	return tc;
}

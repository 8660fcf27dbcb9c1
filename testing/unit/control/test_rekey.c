/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

/* The command rekey, and the events of rekeyings. */

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

START_TEST(selectors)
{
	peer_ask(&p, "rekey", NULL);
	peer_failed(&p, "missing rekey selector");
	peer_value(&p, "matches", NULL);
	peer_ask(&p, "rekey", "ike-id", "0", "reauth", "yes", NULL); /* counts as not given */
	peer_failed(&p, "missing rekey selector");
	peer_ask(&p, "rekey", "child-id", "99", NULL);
	peer_failed(&p, "no matching SAs to rekey found");
	peer_value(&p, "matches", "0");
}
END_TEST

START_TEST(it_answers_how_many_match)
{
	struct fake_call call;

	peer_ask(&p, "rekey", "child", "net", NULL);
	peer_succeeded(&p);
	peer_value(&p, "matches", "2");
	call = fake_next(&lab.workers, FAKE_REKEY);
	ck_assert_str_eq(call.child, "net");
	ck_assert_str_eq(call.ike, "");
	ck_assert(!call.reauth);
	peer_ask(&p, "rekey", "child-id", "101", "ike", "site", NULL);
	peer_value(&p, "matches", "1");
	call = fake_next(&lab.workers, FAKE_REKEY);
	ck_assert_uint_eq(call.child_id, 101);
	ck_assert_str_eq(call.ike, "site");
	peer_ask(&p, "rekey", "ike-id", "2", "reauth", "yes", NULL);
	peer_succeeded(&p);
	peer_value(&p, "matches", "1");
	call = fake_next(&lab.workers, FAKE_REKEY);
	ck_assert_uint_eq(call.ike_id, 2);
	ck_assert(call.reauth);
}
END_TEST

START_TEST(client_is_gone_before_the_answer)
{
	struct peer other;

	peer_open(&other, &lab);
	peer_send_request(&other, "rekey", "ike", "site", NULL);
	peer_close(&other);
	fake_next(&lab.workers, FAKE_REKEY);
	peer_ask(&p, "rekey", "ike", "site", NULL);
	peer_value(&p, "matches", "2");
}
END_TEST

/* ---- events ---- */

static struct ike_info *one_child(size_t i)
{
	static const struct fake_sa generations[] = { { "site", 1, IKE_STATE_ESTABLISHED, { "net" } },
						      { "site", 2, IKE_STATE_ESTABLISHED, { "net" } } };

	return fake_info(&generations[i]);
}

static struct bytes section(struct bytes in, const char *name)
{
	struct bytes found = BYTES_NONE;

	ck_assert_msg(vici_find(in, VICI_SECTION_START, name, &found), "%s", name);
	return found;
}

static void ck_value(struct bytes in, const char *key, const char *expected)
{
	char *value = vici_find_str(in, key);

	ck_assert_pstr_eq(value, expected);
	free(value);
}

START_TEST(rekeyings_are_told)
{
	struct mailbox *box = control_mailbox(lab.control);
	struct bytes both, none;

	peer_register(&p, "child-updown"); /* a rekeying is not up or down */
	peer_register(&p, "child-rekey");
	peer_register(&p, "ike-rekey");
	fake_rekey_event(box, SA_EVENT_CHILD_REKEY, one_child(0), one_child(1));
	peer_recv(&p, VICI_EVENT);
	ck_assert(bytes_equal_str(p.got.name, "child-rekey"));
	peer_value(&p, "up", NULL);
	ck_value(section(p.got.message, "site"), "uniqueid", "1");
	both = section(section(section(p.got.message, "site"), "child-sas"), "net");
	ck_value(section(both, "old"), "uniqueid", "100");
	ck_value(section(both, "new"), "uniqueid", "200");
	fake_rekey_event(box, SA_EVENT_IKE_REKEY, one_child(0), one_child(1));
	peer_recv(&p, VICI_EVENT);
	ck_assert(bytes_equal_str(p.got.name, "ike-rekey"));
	both = section(p.got.message, "site");
	ck_value(section(both, "old"), "uniqueid", "1");
	ck_value(section(both, "new"), "uniqueid", "2");
	ck_assert(!vici_find(section(both, "new"), VICI_SECTION_START, "child-sas", &none));
	peer_ask(&p, "version", NULL); /* and nothing more came */
}
END_TEST

START_TEST(workers_make_them_when_wanted)
{
	peer_register(&p, "ike-rekey");
	fake_wait_events(&lab.workers, 1u << SA_EVENT_IKE_REKEY);
	peer_register(&p, "child-rekey");
	fake_wait_events(&lab.workers, 1u << SA_EVENT_IKE_REKEY | 1u << SA_EVENT_CHILD_REKEY);
	peer_packet(&p, VICI_EVENT_UNREGISTER, "ike-rekey", NULL);
	peer_recv(&p, VICI_EVENT_CONFIRM);
	fake_wait_events(&lab.workers, 1u << SA_EVENT_CHILD_REKEY);
}
END_TEST

TCase *control_rekey_tests(void)
{
	TCase *t = tcase_create("rekey");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, selectors);
	tcase_add_test(t, it_answers_how_many_match);
	tcase_add_test(t, client_is_gone_before_the_answer);
	tcase_add_test(t, rekeyings_are_told);
	tcase_add_test(t, workers_make_them_when_wanted);
	return t;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

#include <limits.h>
#include <unistd.h>

/* What the configuration wants up and what failed: tried again, until something says that it is not wanted. */

static struct lab lab;
static struct peer p;

static void setup(void)
{
	lab_open(&lab);
	peer_open(&p, &lab);
	lab.workers.hold_initiate = true;
}

static void teardown(void)
{
	peer_close(&p);
	lab_close(&lab);
}

/* Control's own list; it is idle after it has answered. */
static size_t waiting(void)
{
	size_t n = 0;

	peer_ask(&p, "version", NULL);
	LIST_FOREACH(it, &lab.control->reinits)
		n++;
	return n;
}

static void until_waiting(size_t n)
{
	for (unsigned i = 0; waiting() != n; i++) {
		ck_assert_uint_lt(i, 5000);
		usleep(1000);
	}
}

/* net of site has start_action = start; of the connection one key has that value. */
static void load_key(const char *key, const char *value, const char *remote_ts)
{
	struct vici_writer w = { 0 };

	vici_write_section(&w, "site");
	vici_write_list(&w, "remote_addrs");
	vici_write_item_str(&w, "192.0.2.1");
	vici_write_list_end(&w);
	vici_write_str(&w, key, value);
	vici_write_section(&w, "local");
	vici_write_str(&w, "auth", "psk");
	vici_write_section_end(&w);
	vici_write_section(&w, "remote");
	vici_write_str(&w, "auth", "psk");
	vici_write_section_end(&w);
	vici_write_section(&w, "children");
	vici_write_section(&w, "net");
	vici_write_str(&w, "start_action", "start");
	vici_write_list(&w, "remote_ts");
	vici_write_item_str(&w, remote_ts);
	vici_write_list_end(&w);
	vici_write_section_end(&w);
	vici_write_section_end(&w);
	vici_write_section_end(&w);
	peer_call(&p, "load-conn", &w, NULL);
	vici_writer_clear(&w);
	peer_succeeded(&p);
}

static void load(const char *keyingtries, const char *remote_ts)
{
	load_key("keyingtries", keyingtries, remote_ts);
}

/* The start action of net failed. */
static void fail_start(enum cause cause, size_t waiting_then)
{
	struct fake_call call = fake_next(&lab.workers, FAKE_INITIATE);

	ck_assert_str_eq(call.child, "net");
	fake_ended(&call, cause);
	until_waiting(waiting_then);
}

START_TEST(failed_start_is_tried_again)
{
	struct fake_call call;
	uint64_t began = clock_monotonic_ms(), after;

	load("1", "10.1.0.0/16");
	fail_start(CAUSE_SELECTORS, 1);
	call = fake_next(&lab.workers, FAKE_INITIATE);
	after = clock_monotonic_ms() - began;
	ck_assert_uint_ge(after, 740); /* a second, less up to a quarter */
	ck_assert_str_eq(call.child, "net");
	fake_ended(&call, CAUSE_SELECTORS);
	call = fake_next(&lab.workers, FAKE_INITIATE);
	ck_assert_uint_ge(clock_monotonic_ms() - began - after, 1490);
	fake_ended(&call, CAUSE_NONE);
	until_waiting(1); /* remembered, for when it goes down again */
	peer_ask(&p, "version", NULL);
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_INITIATE), 3);
}
END_TEST

/* keyingtries says how often a silent peer is called. */
START_TEST(silent_peer)
{
	load("1", "10.1.0.0/16");
	fail_start(CAUSE_PEER_SILENT, 0);
	peer_ask(&p, "unload-conn", "name", "site", NULL);
	load("0", "10.1.0.0/16");
	fail_start(CAUSE_PEER_SILENT, 1);
}
END_TEST

START_TEST(operators_attempt_is_not_repeated)
{
	struct fake_call call;

	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	peer_send_request(&p, "initiate", "child", "net", NULL);
	call = fake_next(&lab.workers, FAKE_INITIATE);
	fake_ended(&call, CAUSE_SELECTORS);
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_failed(&p, "establishing CHILD_SA 'net' failed");
	ck_assert_uint_eq(waiting(), 0);
}
END_TEST

static const struct fake_sa up = { "site", 7, IKE_STATE_ESTABLISHED, { "net" } };

/* _i: by child, by connection, by both, by the number of the IKE_SA, by that of the CHILD_SA */
START_TEST(terminate_ends_it)
{
	load("1", "10.1.0.0/16");
	fail_start(CAUSE_SELECTORS, 1);
	fake_set(&lab.workers, &up, 1);
	if (_i == 0)
		peer_ask(&p, "terminate", "child", "net", NULL);
	else if (_i == 1)
		peer_ask(&p, "terminate", "ike", "site", NULL);
	else if (_i == 2)
		peer_ask(&p, "terminate", "ike", "site", "child", "net", NULL);
	else if (_i == 3)
		peer_ask(&p, "terminate", "ike-id", "7", NULL);
	else
		peer_ask(&p, "terminate", "child-id", "700", NULL);
	peer_succeeded(&p);
	ck_assert_uint_eq(waiting(), 0);
}
END_TEST

START_TEST(terminating_another_does_not)
{
	static const struct fake_sa sas[] = { { "site", 7, IKE_STATE_ESTABLISHED, { "host" } },
					      { "else", 8, IKE_STATE_ESTABLISHED, { "net" } } };

	load("1", "10.1.0.0/16");
	fail_start(CAUSE_SELECTORS, 1);
	fake_set(&lab.workers, sas, 2);
	peer_ask(&p, "terminate", "child", "host", NULL);
	peer_ask(&p, "terminate", "ike", "else", NULL);
	peer_ask(&p, "terminate", "ike-id", "8", NULL);
	peer_ask(&p, "terminate", "child-id", "700", NULL);
	ck_assert_uint_eq(waiting(), 1);
}
END_TEST

/* Closed while the attempt is under way: its failure is what was wanted. */
START_TEST(terminate_during_the_attempt)
{
	struct fake_sa sa = up;
	struct fake_call call;

	load("0", "10.1.0.0/16");
	call = fake_next(&lab.workers, FAKE_INITIATE);
	sa.id = call.ike_id;
	sa.state = IKE_STATE_CONNECTING;
	fake_set(&lab.workers, &sa, 1);
	peer_ask(&p, "terminate", "ike", "site", NULL);
	fake_ended(&call, CAUSE_CLOSED);
	until_waiting(0);
	until_waiting(0);
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_INITIATE), 1);
}
END_TEST

START_TEST(unloading_ends_it)
{
	load("1", "10.1.0.0/16");
	fail_start(CAUSE_SELECTORS, 1);
	peer_ask(&p, "unload-conn", "name", "site", NULL);
	ck_assert_uint_eq(waiting(), 0);
}
END_TEST

/* The same again changes nothing; another child is begun anew, at once. */
START_TEST(changing_begins_anew)
{
	load("1", "10.1.0.0/16");
	fail_start(CAUSE_SELECTORS, 1);
	load("1", "10.1.0.0/16");
	ck_assert_uint_eq(waiting(), 1);
	load("1", "10.2.0.0/16");
	ck_assert_uint_eq(waiting(), 0);
	fail_start(CAUSE_SELECTORS, 1);
	load("0", "10.2.0.0/16");
	ck_assert_uint_eq(waiting(), 0);
	fake_next(&lab.workers, FAKE_INITIATE);
}
END_TEST

/* RFC 4478: IKE_SAs that are up are told another reauth_time, and only that. */
START_TEST(reauth_time_changes)
{
	struct fake_call call;

	load_key("reauth_time", "2h", "10.1.0.0/16");
	load_key("reauth_time", "2h", "10.2.0.0/16");
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_REAUTH_TIME), 0);
	load_key("reauth_time", "1h", "10.2.0.0/16");
	call = fake_next(&lab.workers, FAKE_REAUTH_TIME);
	ck_assert_str_eq(call.ike, "site");
	ck_assert_uint_eq(call.seconds, 3600);
	load_key("keyingtries", "1", "10.2.0.0/16");
	ck_assert_uint_eq(fake_next(&lab.workers, FAKE_REAUTH_TIME).seconds, 0);
}
END_TEST

TCase *control_reinit_tests(void)
{
	TCase *t = tcase_create("reinit");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, failed_start_is_tried_again);
	tcase_add_test(t, silent_peer);
	tcase_add_test(t, operators_attempt_is_not_repeated);
	tcase_add_loop_test(t, terminate_ends_it, 0, 5);
	tcase_add_test(t, terminating_another_does_not);
	tcase_add_test(t, terminate_during_the_attempt);
	tcase_add_test(t, unloading_ends_it);
	tcase_add_test(t, changing_begins_anew);
	tcase_add_test(t, reauth_time_changes);
	return t;
}

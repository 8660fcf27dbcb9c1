/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"


/* Commands that are answered at once, or by one round of the workers. */

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

/* All elements as text: "a { b=c d [ e ] }". */
static char *as_text(struct bytes message)
{
	struct vici_parser parser = vici_parser_of(message);
	struct vici_element e;
	struct buf out = { 0 };

	while (result_is_ok(vici_parse_next(&parser, &e)) && e.kind != VICI_END) {
		buf_add_str(&out, out.n ? " " : "");
		buf_add_bytes(&out, e.name);
		buf_add_str(&out, e.kind == VICI_SECTION_START ? " {" :
				  e.kind == VICI_SECTION_END   ? "}" :
				  e.kind == VICI_LIST_START    ? " [" :
				  e.kind == VICI_LIST_END      ? "]" :
				  e.kind == VICI_KEY_VALUE     ? "=" :
								 "");
		buf_add_bytes(&out, e.value);
	}
	return buf_take_str(&out);
}

static void ck_message(const char *expected)
{
	char *text = as_text(p.got.message);

	ck_assert_str_eq(text ? text : "", expected);
	free(text);
}

/* "KEY=..." stands in that order in the message. */
static void ck_order(const char *const *keys, size_t n)
{
	char *text = as_text(p.got.message), *at = text;

	for (size_t i = 0; i < n; i++) {
		at = strstr(at, keys[i]);
		ck_assert_msg(at != NULL, "%s is not where it should be in: %s", keys[i], text);
		at++;
	}
	free(text);
}

START_TEST(version_says_what_clients_print)
{
	static const char *const keys[] = { "daemon=bewickd", "version=", "sysname=Linux", "release=", "machine=" };

	peer_ask(&p, "version", NULL);
	ck_order(keys, ARRAY_LEN(keys));
	peer_value(&p, "success", NULL);
}
END_TEST

START_TEST(stats_are_in_order)
{
	static const char *const keys[] = { "uptime {", "running=0 seconds", "since=", "workers {", "total=2", "idle=2",
					    "active {", "critical=0", "high=0", "medium=0", "low=0", "queues {",
					    "critical=0", "high=0", "medium=5", "low=0", "scheduled=17", "ikesas {",
					    "total=1", "half-open=3", "plugins [ one two ]", "mallinfo {", "sbrk=",
					    "mmap=", "used=", "free=", "backend {", "name=kernel-x", "reason=of this" };
	static const struct fake_sa sa = { "site", 1, IKE_STATE_ESTABLISHED, { NULL } };

	fake_set(&lab.workers, &sa, 1);
	lab.workers.half_open = 3;
	lab.workers.queued = 5;
	peer_ask(&p, "stats", NULL);
	ck_order(keys, ARRAY_LEN(keys));
}
END_TEST

START_TEST(reload_waits_for_the_settings)
{
	peer_ask(&p, "reload-settings", NULL);
	peer_succeeded(&p);
	ck_assert_uint_eq(lab.reloads, 1);
	lab.reload_fails = true;
	peer_ask(&p, "reload-settings", NULL);
	peer_failed(&p, "reloading '/some/where.conf' failed");
}
END_TEST

START_TEST(algorithms_are_listed_once)
{
	peer_ask(&p, "get-algorithms", NULL);
	ck_message("encryption { AES_CBC=one AES_CTR=one } integrity { } aead { } hasher { } prf { } xof { } kdf { } "
		   "drbg { } ke { ECP_256=two } rng { } nonce-gen { }");
}
END_TEST

/* ---- secrets ---- */

START_TEST(secrets_are_loaded_replaced_and_unloaded)
{
	peer_ask(&p, "load-shared", "id", "one", "type", "IKE", "data", "secret", NULL);
	peer_succeeded(&p);
	peer_ask(&p, "load-shared", "id", "two", "type", "eap", "data", "secret", NULL);
	peer_succeeded(&p);
	peer_ask(&p, "load-shared", "id", "one", "type", "ike", "data", "other", NULL);
	peer_succeeded(&p);
	peer_ask(&p, "load-shared", "type", "ike", "data", "without id", NULL);
	peer_succeeded(&p);
	peer_ask(&p, "get-shared", NULL);
	ck_message("keys [ two one ]");
	ck_assert_uint_eq(lab.workers.n_secrets, 3); /* the workers have them */
	peer_ask(&p, "unload-shared", "id", "two", NULL);
	peer_succeeded(&p);
	peer_ask(&p, "unload-shared", "id", "unknown ids succeed", NULL);
	peer_succeeded(&p);
	ck_assert_uint_eq(lab.workers.n_secrets, 2);
	peer_ask(&p, "clear-creds", NULL);
	peer_succeeded(&p);
	ck_assert_uint_eq(lab.workers.n_secrets, 0);
}
END_TEST

START_TEST(wrong_secrets_are_refused)
{
	struct vici_writer w = { 0 };

	peer_ask(&p, "load-shared", "data", "x", NULL);
	peer_failed(&p, "shared key type missing");
	peer_ask(&p, "load-shared", "type", "foo", "data", "x", NULL);
	peer_failed(&p, "invalid shared key type: foo");
	peer_ask(&p, "load-shared", "type", "ike", NULL);
	peer_failed(&p, "shared key data missing");
	peer_ask(&p, "load-shared", "type", "ike", "data", "", NULL);
	peer_failed(&p, "shared key data missing");
	vici_write_str(&w, "type", "ike");
	vici_write_str(&w, "data", "x");
	vici_write_list(&w, "owners");
	vici_write_item_str(&w, "a\nb");
	vici_write_list_end(&w);
	peer_call(&p, "load-shared", &w, NULL);
	vici_writer_clear(&w);
	peer_failed(&p, "parsing shared key owners failed");
	peer_ask(&p, "unload-shared", NULL);
	peer_failed(&p, "unique identifier missing");
	ck_assert_uint_eq(lab.workers.n_secrets, 0);
}
END_TEST

START_TEST(what_there_is_not_yet_says_so)
{
	peer_ask(&p, "get-keys", NULL);
	ck_message("keys [ ]");
	peer_ask(&p, "get-authorities", NULL);
	ck_message("authorities [ ]");
	peer_ask(&p, "get-pools", NULL);
	ck_message("");
	peer_ask(&p, "list-certs", NULL);
	ck_message("");
	peer_ask(&p, "list-policies", "trap", "yes", NULL);
	ck_message("");
	peer_packet(&p, VICI_CMD_REQUEST, "redirect", NULL);
	peer_recv(&p, VICI_CMD_UNKNOWN);
}
END_TEST

/* ---- connections ---- */

START_TEST(connections_keep_their_order)
{
	peer_load_conn(&p, "b", false, (const char *const[]){ "net", NULL });
	peer_load_conn(&p, "a", false, (const char *const[]){ NULL });
	peer_load_conn(&p, "b", false, (const char *const[]){ "other", NULL });
	peer_ask(&p, "get-conns", NULL);
	ck_message("conns [ b a ]");
	ck_assert_uint_eq(lab.workers.n_conns, 2);
	peer_ask(&p, "unload-conn", "name", "b", NULL);
	peer_succeeded(&p);
	peer_ask(&p, "get-conns", NULL);
	ck_message("conns [ a ]");
	peer_ask(&p, "unload-conn", "name", "b", NULL);
	peer_failed(&p, "unload: connection 'b' not found");
	peer_ask(&p, "unload-conn", NULL);
	peer_failed(&p, "unload: missing connection name");
}
END_TEST

static void load_raw(const char *section, const char *key)
{
	struct vici_writer w = { 0 };

	vici_write_section(&w, section);
	vici_write_str(&w, key, "x");
	vici_write_section_end(&w);
	peer_call(&p, "load-conn", &w, NULL);
	vici_writer_clear(&w);
}

START_TEST(wrong_connections_change_nothing)
{
	unsigned configs = lab.workers.n_configs;

	load_raw("bad", "colour");
	peer_failed(&p, "unknown option: colour, config discarded");
	load_raw("bad", "version");
	peer_failed(&p, "invalid value for: version, config discarded");
	peer_send(&p, "\0\0\0\x0e\0\x09load-conn\x01\x01x", 18); /* a section that stays open */
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_failed(&p, "parsing request failed");
	ck_assert_uint_eq(lab.workers.n_configs, configs);
}
END_TEST

START_TEST(connections_are_listed_as_clients_expect)
{
	static const char *const keys[] = { "site {", "local_addrs [ %any ]", "remote_addrs [ 192.0.2.1 ]", "local_port=500",
					    "remote_port=500", "version=IKEv1/2", "reauth_time=0", "rekey_time=14400",
					    "unique=UNIQUE_NO", "local-1 {", "class=pre-shared key", "groups [ ]",
					    "cert_policy [ ]", "certs [ ]", "cacerts [ ]", "remote-1 {", "children {",
					    "net {", "mode=TUNNEL", "rekey_time=3600", "rekey_bytes=0",
					    "rekey_packets=0", "dpd_action=none", "close_action=none",
					    "local-ts [ dynamic ]", "remote-ts [ dynamic ]" };
	unsigned events;

	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	peer_load_conn(&p, "other", false, (const char *const[]){ "net", NULL });
	peer_call(&p, "list-conns", NULL, &events);
	ck_assert_uint_eq(events, 0); /* not registered: only the reply */
	peer_register(&p, "list-conn");
	peer_call(&p, "list-conns", NULL, &events);
	ck_assert_uint_eq(events, 2);
	peer_send_request(&p, "list-conns", "ike", "site", NULL);
	peer_recv(&p, VICI_EVENT);
	ck_assert(bytes_equal_str(p.got.name, "list-conn"));
	ck_order(keys, ARRAY_LEN(keys));
	peer_recv(&p, VICI_CMD_RESPONSE);
	ck_message("");
}
END_TEST

/* ---- list-sas ---- */

START_TEST(sas_are_listed)
{
	static const struct fake_sa sas[] = { { "site", 1, IKE_STATE_ESTABLISHED, { "net", "host" } },
					      { "other", 2, IKE_STATE_CONNECTING, { NULL } } };
	static const char *const keys[] = { "site {", "uniqueid=1", "state=ESTABLISHED", "child-sas {", "net-100 {",
					    "host-101 {" };
	struct fake_call call;
	unsigned events;

	fake_set(&lab.workers, sas, 2);
	peer_call(&p, "list-sas", NULL, &events);
	ck_assert_uint_eq(events, 0);
	peer_register(&p, "list-sa");
	peer_call(&p, "list-sas", NULL, &events);
	ck_assert_uint_eq(events, 2);
	peer_send_request(&p, "list-sas", "ike-id", "0x1", "child", "net", "child-id", "x", NULL);
	peer_recv(&p, VICI_EVENT);
	ck_order(keys, ARRAY_LEN(keys));
	peer_recv(&p, VICI_CMD_RESPONSE);
	ck_message("");
	fake_next(&lab.workers, FAKE_LIST);
	call = fake_next(&lab.workers, FAKE_LIST);
	ck_assert_uint_eq(call.ike_id, 1);
	ck_assert_str_eq(call.child, "net");
	ck_assert_uint_eq(call.child_id, 0); /* not a number: not given */
}
END_TEST

START_TEST(after_quiesce_nothing_is_asked)
{
	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	control_quiesce(lab.control);
	peer_register(&p, "list-sa");
	peer_call(&p, "list-sas", NULL, NULL);
	peer_ask(&p, "stats", NULL);
	peer_ask(&p, "initiate", "child", "net", NULL);
	peer_failed(&p, "the daemon is shutting down");
	peer_ask(&p, "terminate", "ike", "site", NULL);
	peer_failed(&p, "the daemon is shutting down");
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_LIST), 0);
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_TERMINATE), 0);
}
END_TEST

TCase *control_command_tests(void)
{
	TCase *t = tcase_create("commands");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, version_says_what_clients_print);
	tcase_add_test(t, stats_are_in_order);
	tcase_add_test(t, reload_waits_for_the_settings);
	tcase_add_test(t, algorithms_are_listed_once);
	tcase_add_test(t, secrets_are_loaded_replaced_and_unloaded);
	tcase_add_test(t, wrong_secrets_are_refused);
	tcase_add_test(t, what_there_is_not_yet_says_so);
	tcase_add_test(t, connections_keep_their_order);
	tcase_add_test(t, wrong_connections_change_nothing);
	tcase_add_test(t, connections_are_listed_as_clients_expect);
	tcase_add_test(t, sas_are_listed);
	tcase_add_test(t, after_quiesce_nothing_is_asked);
	return t;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/values.h"

#include "daemon_test.h"

START_TEST(test_defaults)
{
	struct workers_options w = { 0 };
	struct net_options n = net_options_default();
	struct control_settings c;

	values_workers(NULL, &w);
	ck_assert_uint_eq(w.cookie_threshold, 30);
	ck_assert_uint_eq(w.cookie_threshold_ip, 3);
	ck_assert_uint_eq(w.block_threshold, 5);
	ck_assert_uint_eq(w.ikesa_limit, 0);
	ck_assert(!w.initiator_only && !w.sa.prefer_peer_proposals && w.sa.reuse_ikesa);
	ck_assert_uint_eq(w.sa.retransmit_tries, 5);
	ck_assert(w.sa.message_id_sync && w.sa.qcd && w.sa.multiple_authentication);
	ck_assert_double_eq(w.sa.retransmit_timeout, 4.0);
	values_net(NULL, &n);
	ck_assert_uint_eq(n.port, 500);
	ck_assert_uint_eq(n.port_nat_t, 4500);
	ck_assert_uint_eq(n.max_packet, 10000);
	values_control(NULL, &c);
	ck_assert(c.reuse_ikesa);
	ck_assert_uint_eq(c.replay_window, 32);
	ck_assert_uint_ge(values_worker_count(NULL), 1);
	ck_assert_uint_eq(values_mark(NULL, false), 0);
	ck_assert_uint_ne(values_mark(NULL, true), 0);
	ck_assert_str_eq(values_control_uri(NULL), "unix://" PIDDIR "/charon.vici");
}
END_TEST

START_TEST(test_given)
{
	struct settings *s = test_settings(
		"cookie_threshold = 7\ncookie_threshold_ip = 8\nblock_threshold = 9\nikesa_limit = 10\n"
		"initiator_only = yes\nclose_ike_on_child_failure = yes\nprefer_configured_proposals = no\nreuse_ikesa = no\nretransmit_tries = 0\n"
		"retransmit_timeout = 0.5\nretransmit_base = 1.25\nretransmit_jitter = 20\nretransmit_limit = 30\n"
		"fragment_size = 0\nfragment_size_v6 = 1400\nhalf_open_timeout = 3\nclosed_linger = 0\nport = 0\nport_nat_t = 1234\nmax_packet = 2000\n"
		"replay_window = 0\nworkers = 3\nmessage_id_sync = no\nmultiple_authentication = no\nqcd {\nenabled = no\n}\nplugins {\nsocket-default {\nuse_ipv6 = no\nfwmark = 0x10\n}\n}");
	struct workers_options w = { 0 };
	struct net_options n = net_options_default();
	struct control_settings c;

	values_workers(s, &w);
	ck_assert_uint_eq(w.cookie_threshold, 7);
	ck_assert_uint_eq(w.cookie_threshold_ip, 8);
	ck_assert_uint_eq(w.block_threshold, 9);
	ck_assert_uint_eq(w.ikesa_limit, 10);
	ck_assert(w.initiator_only && w.sa.close_ike_on_child_failure && w.sa.prefer_peer_proposals && !w.sa.reuse_ikesa);
	ck_assert_uint_eq(w.sa.retransmit_tries, 0);
	ck_assert_double_eq(w.sa.retransmit_timeout, 0.5);
	ck_assert_double_eq(w.sa.retransmit_base, 1.25);
	ck_assert_uint_eq(w.sa.retransmit_jitter, 20);
	ck_assert_uint_eq(w.sa.retransmit_limit, 30);
	ck_assert_uint_eq(w.sa.half_open_timeout, 3);
	ck_assert_uint_eq(w.sa.closed_linger, 0);
	ck_assert(!w.sa.message_id_sync && !w.sa.qcd && !w.sa.multiple_authentication);
	ck_assert_uint_eq(w.sa.fragment_size_v4, 576);
	ck_assert_uint_eq(w.sa.fragment_size_v6, 1400);
	values_net(s, &n);
	ck_assert_uint_eq(n.port, 0);
	ck_assert_uint_eq(n.port_nat_t, 1234);
	ck_assert_uint_eq(n.max_packet, 2000);
	ck_assert(n.ipv4 && !n.ipv6);
	values_control(s, &c);
	ck_assert(!c.reuse_ikesa);
	ck_assert_uint_eq(c.replay_window, 0);
	ck_assert_uint_eq(values_worker_count(s), 3);
	ck_assert_uint_eq(values_mark(s, true), 0x10);
	settings_free(s);
}
END_TEST

START_TEST(test_no_protection)
{
	struct settings *s = test_settings("dos_protection = no\ncookie_threshold = 7");
	struct workers_options w = { 0 };

	values_workers(s, &w);
	ck_assert_uint_eq(w.cookie_threshold | w.cookie_threshold_ip | w.block_threshold, 0);
	settings_free(s);
}
END_TEST

START_TEST(test_out_of_range)
{
	struct settings *s = test_settings("port = 65536\nworkers = 0\nretransmit_base = 0.5\nretransmit_tries = -1\nfragment_size_v4 = 100\nfragment_size_v6 = 70000");
	struct workers_options w = { 0 };
	struct net_options n = net_options_default();
	struct test_log log;

	test_log_start(&log);
	values_net(s, &n);
	values_workers(s, &w);
	ck_assert_uint_ge(values_worker_count(s), 1);
	test_log_stop(&log);
	ck_assert_uint_eq(n.port, 500);
	ck_assert_double_eq(w.sa.retransmit_base, 1.8);
	ck_assert_uint_eq(w.sa.retransmit_tries, 5);
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text),
				     "setting 'port' is 65536: 0 to 65535 is possible, using 500\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text),
				     "setting 'retransmit_base' is 0.5: 1 to 100 is possible, using 1.8\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text), "setting 'retransmit_tries' is -1:"));
	ck_assert_uint_eq(w.sa.fragment_size_v4, 256);
	ck_assert_uint_eq(w.sa.fragment_size_v6, 1280);
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text),
				     "setting 'fragment_size_v4' is 100: 0 or 256 to 65535 is possible, using 256\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text), "setting 'fragment_size_v6' is 70000:"));
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text), "setting 'workers' is 0: 1 to"));
	buf_free(&log.text);
	settings_free(s);
}
END_TEST

TCase *values_tests(void)
{
	TCase *tc = tcase_create("values");

	tcase_add_test(tc, test_defaults);
	tcase_add_test(tc, test_given);
	tcase_add_test(tc, test_no_protection);
	tcase_add_test(tc, test_out_of_range);
	return tc;
}

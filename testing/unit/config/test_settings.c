/* SPDX-License-Identifier: Apache-2.0 */
#include "test_config.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "config/settings.h"
#include "config/settings_keys.h"
#include "testing/lib/scratch.h"

static struct settings *settings_of(const char *text)
{
	struct errtext err = { "" };
	struct settings *s = settings_from_text(text, &err);

	ck_assert_msg(s, "%s", err.s);
	return s;
}

START_TEST(test_defaults)
{
	struct errtext err;
	struct settings *empty = settings_load(NULL, &err);

	for (int i = 0; i < 2; i++) {
		const struct settings *s = i ? empty : NULL;

		ck_assert_str_eq(settings_str(s, "group", "root"), "root");
		ck_assert_ptr_null(settings_str(s, "user", NULL));
		ck_assert(settings_bool(s, "dos_protection", true));
		ck_assert(!settings_bool(s, "dos_protection", false));
		ck_assert_int_eq(settings_int(s, "port", 500), 500);
		ck_assert(settings_double(s, "retransmit_base", 1.8) == 1.8);
		ck_assert_uint_eq(settings_time(s, "keep_alive", 20), 20);
		settings_warn_unknown(s);
	}
	settings_free(empty);
	settings_free(NULL);
}
END_TEST

START_TEST(test_order)
{
	struct settings *s = settings_of("libstrongswan { a = lib\nb = lib\nc = lib\nd = lib }\n"
					 "charon { a = charon\nb = charon\nc = charon\np { q = charon } }\n"
					 "charon-systemd { a = systemd\nb = systemd\np { r = systemd } }\n"
					 "bewickd { a = own\np { q = own\nq2 { } } }\n"
					 "swanctl { e = swanctl }\nd = root\n");

	ck_assert_str_eq(settings_str(s, "a", "none"), "own");
	ck_assert_str_eq(settings_str(s, "b", "none"), "systemd");
	ck_assert_str_eq(settings_str(s, "c", "none"), "charon");
	ck_assert_str_eq(settings_str(s, "d", "none"), "lib");
	ck_assert_str_eq(settings_str(s, "e", "none"), "none");
	ck_assert_str_eq(settings_str(s, "p.q", "none"), "own");
	ck_assert_str_eq(settings_str(s, "p.r", "none"), "systemd");
	ck_assert_str_eq(settings_str(s, "p", "none"), "none");
	ck_assert_str_eq(settings_str(s, "p.q2", "none"), "none");
	ck_assert_str_eq(settings_str(s, "p.q.x", "none"), "none");
	ck_assert_str_eq(settings_str(s, "a.b", "none"), "none");
	ck_assert_str_eq(settings_str(s, "p.", "none"), "none");
	ck_assert_str_eq(settings_str(s, "", "none"), "none");
	settings_free(s);
}
END_TEST

START_TEST(test_types)
{
	struct settings *s = settings_of("charon { port = 0x1f4\nnegative = -1\ndos_protection = NO\n"
					 "retransmit_base = 1.5\nkeep_alive = 1m\ngroup = net work\n"
					 "half = 1.5\nempty =\nquoted = \"\" }");

	ck_assert_int_eq(settings_int(s, "port", 1), 500);
	ck_assert_int_eq(settings_int(s, "negative", 1), -1);
	ck_assert(!settings_bool(s, "dos_protection", true));
	ck_assert(settings_double(s, "retransmit_base", 1.8) == 1.5);
	ck_assert_uint_eq(settings_time(s, "keep_alive", 20), 60);
	ck_assert_str_eq(settings_str(s, "group", ""), "net work");
	ck_assert_str_eq(settings_str(s, "empty", "default"), "default");
	ck_assert_str_eq(settings_str(s, "quoted", "default"), "");
	settings_free(s);
}
END_TEST

START_TEST(test_wrong_types)
{
	struct settings *s = settings_of("charon {\n a = x\n}\n");

	log_catch();
	ck_assert(settings_bool(s, "a", true));
	ck_assert_int_eq(settings_int(s, "a", 7), 7);
	ck_assert(settings_double(s, "a", 7.5) == 7.5);
	ck_assert_uint_eq(settings_time(s, "a", 9), 9);
	ck_assert_str_eq(log_caught(),
			 "text:2: setting 'a' has the value 'x', which is not yes or no: using the default\n"
			 "text:2: setting 'a' has the value 'x', which is not a number: using the default\n"
			 "text:2: setting 'a' has the value 'x', which is not a decimal number: using the default\n"
			 "text:2: setting 'a' has the value 'x', which is not a time: using the default\n");
	settings_free(s);
}
END_TEST

static void collect(void *arg, const char *name)
{
	buf_printf(arg, "%s ", name);
}

static void ck_each(const struct settings *s, const char *section, bool sections, const char *expected)
{
	struct buf names = { 0 };

	settings_each(s, section, sections, collect, &names);
	ck_assert_str_eq(buf_str(&names), expected);
	buf_free(&names);
}

START_TEST(test_each)
{
	struct settings *s = settings_of("charon { filelog { a { } b { default = 2 } }\n"
					 "start-scripts { one = x\ntwo = y } }\n"
					 "bewickd { filelog { b { } c { } d = 1 } }\n"
					 "charon-systemd { start-scripts { two = z\nthree = z } }\n");

	ck_each(s, "filelog", true, "b c a ");
	ck_each(s, "filelog", false, "d ");
	ck_each(s, "start-scripts", false, "two three one ");
	ck_each(s, "start-scripts", true, "");
	ck_each(s, "nothing", true, "");
	ck_each(s, "", true, "filelog start-scripts ");
	ck_each(NULL, "filelog", true, "");
	settings_free(s);
}
END_TEST

START_TEST(test_errors)
{
	struct errtext err;
	char dir[64], path[80], expected[160];
	int fd;

	scratch_dir(dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/conf", dir);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	ck_assert_ptr_null(settings_from_text("charon {", &err));
	ck_assert_str_eq(err.s, "text:1: expected '}' to close 'charon' of line 1, found end of file");
	ck_assert_ptr_null(settings_load("/nowhere/strongswan.conf", &err));
	ck_assert_str_eq(err.s, "/nowhere/strongswan.conf: No such file or directory");
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "a = 1\nb", 7), 7);
	close(fd);
	ck_assert_ptr_null(settings_load(path, &err));
	snprintf(expected, sizeof(expected), "%s:2: expected '=', ':' or '{' behind a name, found end of file",
		 path);
	ck_assert_str_eq(err.s, expected);
	unlink(path);
}
END_TEST

START_TEST(test_unknown)
{
	struct settings *s = settings_of("charon {\n"
					 " retransmit_tries = 3\n"
					 " retransmit_trys = 3\n"
					 " plugins { vici { socket = x\n sockte = y }\n"
					 "  anything { load = yes } }\n"
					 " filelog { x { default = 1\n ike = 2\n ikee = 2 } }\n"
					 " cisco_unity = yes\n"
					 "}\n"
					 "bewickd { whatever = 1 }\n"
					 "swanctl { whatever = 1 }\nlibstrongswan { whatever = 1 }\n");

	log_catch();
	settings_warn_unknown(s);
	ck_assert_str_eq(log_caught(),
			 "unknown setting 'bewickd.whatever' in text:12\n"
			 "unknown setting 'charon.retransmit_trys' in text:3\n"
			 "unknown setting 'charon.plugins.vici.sockte' in text:5\n"
			 "unknown setting 'charon.filelog.x.ikee' in text:9\n"
			 "setting 'charon.cisco_unity' in text:10 has no effect in this version\n");
	settings_free(s);
}
END_TEST

START_TEST(test_keys)
{
	static const char *const used[] = {
		"port", "port_nat_t", "plugins.aes.load", "filelog.x.default", "filelog.x.ike", "workers",
		"syslog.auth.cfg", "syslog.identifier", "start-scripts.any",
		"plugins.attr.28672", "plugins.resolve.resolvconf.iface", "dns1",
	};
	static const char *const unused[] = {
		"spi_min", "journal.default", "threads", "processor.priority_threads.high", "plugins.kernel-netlink.buflen",
		"plugins.eap-radius.servers.main.preference", "crypto_test.bench", "leak_detective.a.b.c",
		"plugins.load-tester.addrs.eth0", "tls.suites",
	};
	static const char *const unknown[] = {
		"", "por", "portt", "port.x", "plugins", "plugins.load", "plugins.a.b.load", "filelog.default",
		"filelog.x.y.default", "syslog.local0.cfg", "tls", "crypto_test", "port,port_nat_t", "*",
		"processor.priority_threads.urgent",
	};

	for (size_t i = 0; i < ARRAY_LEN(used); i++)
		ck_assert_msg(settings_key_use(used[i]) == SETTINGS_KEY_USED, "%s", used[i]);
	for (size_t i = 0; i < ARRAY_LEN(unused); i++)
		ck_assert_msg(settings_key_use(unused[i]) == SETTINGS_KEY_UNUSED, "%s", unused[i]);
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		ck_assert_msg(settings_key_use(unknown[i]) == SETTINGS_KEY_UNKNOWN, "%s", unknown[i]);
}
END_TEST

Suite *suite_settings(void)
{
	Suite *s = suite_create("settings");
	TCase *t = tcase_create("settings");

	tcase_add_test(t, test_defaults);
	tcase_add_test(t, test_order);
	tcase_add_test(t, test_types);
	tcase_add_test(t, test_wrong_types);
	tcase_add_test(t, test_each);
	tcase_add_test(t, test_errors);
	tcase_add_test(t, test_unknown);
	tcase_add_test(t, test_keys);
	suite_add_tcase(s, t);
	return s;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The pid file, and what systemd is told. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon_test.h"

START_TEST(test_pid)
{
	struct test_dir dir;
	struct daemon a = { .pid_fd = -1 }, b = { .pid_fd = -1 };
	struct test_log log;
	char want[32], *text, path[128];

	test_dir_make(&dir);
	a.settings = b.settings = test_settings("pidfile = %s/pid", dir.path);
	test_log_start(&log);
	daemon_write_pid(&a);
	ck_assert_ptr_null(log.text.p);
	snprintf(want, sizeof(want), "%ld\n", (long)getpid());
	text = test_dir_read(&dir, "pid");
	ck_assert_str_eq(text, want);
	free(text);
	daemon_write_pid(&b);
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text), "belongs to another bewickd that runs"));
	test_dir_path(&dir, "pid", path);
	daemon_remove_pid(&b);
	ck_assert_int_eq(access(path, F_OK), 0);
	daemon_remove_pid(&a);
	ck_assert_int_ne(access(path, F_OK), 0);
	/* one left behind by a crash is taken over */
	daemon_write_pid(&b);
	close(b.pid_fd);
	daemon_write_pid(&a);
	ck_assert_int_ge(a.pid_fd, 0);
	daemon_remove_pid(&a);
	free(b.pid_file);
	settings_free(a.settings);
	test_log_stop(&log);
	buf_free(&log.text);
	test_dir_remove(&dir);
}
END_TEST

START_TEST(test_pid_impossible)
{
	struct test_dir dir;
	struct daemon d = { .pid_fd = -1 };
	struct test_log log;

	test_dir_make(&dir);
	d.settings = test_settings("pidfile = %s/no/pid", dir.path);
	test_log_start(&log);
	daemon_write_pid(&d);
	test_log_stop(&log);
	ck_assert_ptr_nonnull(strstr(buf_str(&log.text), "no pid file: cannot open"));
	daemon_remove_pid(&d);
	settings_free(d.settings);
	buf_free(&log.text);
	test_dir_remove(&dir);
}
END_TEST

START_TEST(test_notify)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct test_dir dir;
	char got[64];
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	test_dir_make(&dir);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/notify", dir.path);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	unsetenv("NOTIFY_SOCKET");
	daemon_notify("READY=0");
	setenv("NOTIFY_SOCKET", sa.sun_path, 1);
	daemon_notify("READY=1");
	n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
	ck_assert_int_eq(n, 7);
	ck_assert_mem_eq(got, "READY=1", 7);
	ck_assert_int_lt(recv(fd, got, sizeof(got), MSG_DONTWAIT), 0);
	close(fd);
	test_dir_remove(&dir);
}
END_TEST

START_TEST(test_notify_abstract)
{
	static const char name[] = "\0bewick-test-notify";
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char got[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(sa.sun_path, name, sizeof(name) - 1);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&sa,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(name) - 1)), 0);
	setenv("NOTIFY_SOCKET", "@bewick-test-notify", 1);
	daemon_notify("STOPPING=1");
	ck_assert_int_eq(recv(fd, got, sizeof(got), MSG_DONTWAIT), 10);
	close(fd);
}
END_TEST

TCase *files_tests(void)
{
	TCase *tc = tcase_create("files");

	tcase_add_test(tc, test_pid);
	tcase_add_test(tc, test_pid_impossible);
	tcase_add_test(tc, test_notify);
	tcase_add_test(tc, test_notify_abstract);
	return tc;
}

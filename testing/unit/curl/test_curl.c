/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "curl_thread.h"
#include "loop/loop.h"
#include "server.h"
#include "util/mem.h"

#define PATIENCE_MS 20000

static struct server *server;
static struct curl_thread *thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

struct one {
	struct fetch f;
	char url[128];
	bool is_done, ok;
	struct buf data;
	char why[256];
};

static void setup(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	server = server_start();
	thread = curl_thread_new(5);
}

static void teardown(void)
{
	curl_thread_free(thread);
	server_stop(server);
	curl_global_cleanup();
}

static void one_done(struct fetch *f, bool ok, struct bytes data, const char *why)
{
	struct one *o = container_of(f, struct one, f);

	pthread_mutex_lock(&lock);
	ck_assert(!o->is_done);
	o->ok = ok;
	if (data.n)
		buf_add_bytes(&o->data, data);
	snprintf(o->why, sizeof(o->why), "%s", why ? why : "");
	o->is_done = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void one_start(struct one *o, const char *path, size_t max, unsigned ms)
{
	struct errtext err;

	*o = (struct one){ .f = { .url = o->url, .max = max, .deadline_ms = clock_monotonic_ms() + ms, .done = one_done } };
	if (path[0] == '/')
		snprintf(o->url, sizeof(o->url), "http://127.0.0.1:%u%s", server_port(server), path);
	else
		snprintf(o->url, sizeof(o->url), "%s", path);
	ck_assert_msg(curl_thread_fetch(thread, &o->f, &err), "%s", err.s);
}

static void one_wait(struct one *o)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	pthread_mutex_lock(&lock);
	while (!o->is_done)
		ck_assert_msg(pthread_cond_timedwait(&changed, &lock, &until) == 0, "%s is not done", o->url);
	pthread_mutex_unlock(&lock);
}

static void expect_failure(const char *path, const char *why)
{
	struct one o;

	one_start(&o, path, 1000, PATIENCE_MS);
	one_wait(&o);
	ck_assert_msg(!o.ok && strstr(o.why, why), "%s: %d '%s'", path, o.ok, o.why);
	ck_assert_uint_eq(o.data.n, 0);
}

static void expect_text(const char *path, const char *text)
{
	struct one o;

	one_start(&o, path, 1000, PATIENCE_MS);
	one_wait(&o);
	ck_assert_msg(o.ok, "%s: %s", path, o.why);
	ck_assert_str_eq(buf_str(&o.data), text);
	buf_free(&o.data);
}

START_TEST(test_good)
{
	struct one o;

	expect_text("/ok", "hello");
	expect_text("/to-ok", "hello");
	o = (struct one){ .url = "" };
	snprintf(o.url, sizeof(o.url), "http://127.0.0.1:%u/post", server_port(server));
	o.f = (struct fetch){ .url = o.url, .max = 100, .deadline_ms = clock_monotonic_ms() + PATIENCE_MS, .done = one_done,
			      .post = bytes_str("question"), .content_type = "text/test" };
	ck_assert(curl_thread_fetch(thread, &o.f, &(struct errtext){ "" }));
	one_wait(&o);
	ck_assert_msg(o.ok, "%s", o.why);
	ck_assert_str_eq(buf_str(&o.data), "question");
	buf_free(&o.data);
}
END_TEST

START_TEST(test_broken)
{
	expect_failure("/missing", "404");
	expect_failure("/nothing", "status 204");
	expect_failure("/truncated", "");
	expect_failure("/garbage", "");
	expect_failure("/claims-huge", "more than 1000 bytes");
	expect_failure("/huge", "more than 1000 bytes");
	expect_failure("/loop", "redirect");
	expect_failure("http://127.0.0.1:1/x", "");
	expect_failure("http://", "");
}
END_TEST

/* What a server says must not make us read our own files, nor a peer by odd schemes. */
START_TEST(test_schemes)
{
	expect_failure("/to-file", "");
	expect_failure("ftp://127.0.0.1/x", "");
	expect_failure("gopher://127.0.0.1/x", "");
}
END_TEST

START_TEST(test_exact_size)
{
	struct one o;

	one_start(&o, "/ok", 5, PATIENCE_MS);
	one_wait(&o);
	ck_assert_msg(o.ok, "%s", o.why);
	buf_free(&o.data);
	one_start(&o, "/ok", 4, PATIENCE_MS);
	one_wait(&o);
	ck_assert(!o.ok);
}
END_TEST

START_TEST(test_deadline)
{
	struct one o;

	one_start(&o, "/hang", 100, 50);
	one_wait(&o);
	ck_assert(!o.ok);
	ck_assert_str_eq(o.why, "no answer in time");
}
END_TEST

/* Many that hang, more than connections to one server: what another server says comes all the same. */
START_TEST(test_hanging)
{
	static struct one many[200];
	struct server *other = server_start();
	struct one good;
	char url[64];

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		one_start(&many[i], "/hang", 100, PATIENCE_MS * 10);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/ok", server_port(other));
	one_start(&good, url, 100, PATIENCE_MS);
	one_wait(&good);
	ck_assert_msg(good.ok, "%s", good.why);
	buf_free(&good.data);
	curl_thread_free(thread); /* those under way fail, none is forgotten */
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		ck_assert_msg(many[i].is_done && !many[i].ok, "%zu: %s", i, many[i].why);
	thread = curl_thread_new(5);
	server_stop(other);
}
END_TEST

START_TEST(test_no_redirects)
{
	curl_thread_free(thread);
	thread = curl_thread_new(0);
	expect_failure("/to-ok", "status 302");
}
END_TEST

START_TEST(test_files)
{
	char dir[] = "/tmp/test-curl-XXXXXX", path[64], url[128];
	FILE *f;

	ck_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a b", dir);
	f = fopen(path, "w");
	ck_assert(f && fputs("content", f) >= 0 && fclose(f) == 0);
	snprintf(url, sizeof(url), "file://%s/a%%20b", dir);
	expect_text(url, "content");
	snprintf(url, sizeof(url), "file://localhost%s/a%%20b", dir);
	expect_text(url, "content");
	snprintf(url, sizeof(url), "file://elsewhere%s/a%%20b", dir);
	expect_failure(url, "no file of this host");
	snprintf(url, sizeof(url), "file://%s/a%%20b%%00c", dir);
	expect_failure(url, "no file of this host");
	snprintf(url, sizeof(url), "file://%s", dir);
	expect_failure(url, "not a regular file");
	expect_failure("file:///nowhere/at/all", "No such file");
	expect_failure("file:///dev/zero", "not a regular file");
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	snprintf(url, sizeof(url), "file://%s/a%%20b", dir);
	expect_failure(url, "not a regular file");
	unlink(path);
	f = fopen(path, "w");
	ck_assert(f && ftruncate(fileno(f), 1001) == 0 && fclose(f) == 0);
	expect_failure(url, "more than 1000 bytes");
	unlink(path);
	rmdir(dir);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("curl");
	TCase *tc = tcase_create("curl");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_good);
	tcase_add_test(tc, test_broken);
	tcase_add_test(tc, test_schemes);
	tcase_add_test(tc, test_exact_size);
	tcase_add_test(tc, test_deadline);
	tcase_add_test(tc, test_hanging);
	tcase_add_test(tc, test_no_redirects);
	tcase_add_test(tc, test_files);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

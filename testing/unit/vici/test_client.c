/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "testing/lib/scratch.h"
#include "testing/unit/vici/vici_tests.h"
#include "util/mem.h"
#include "vici/bewick-vici.h"
#include "vici/message.h"

/* A daemon that waits for a request of known bytes and answers with known bytes,
 * step by step; then it closes. */
struct step {
	struct bytes expect;
	struct bytes answer;
};
#define STEP(e, a) { { (const uint8_t *)(e), sizeof(e) - 1 }, { (const uint8_t *)(a), sizeof(a) - 1 } }

struct server {
	char dir[64], path[80], uri[96];
	int listener;
	const struct step *steps;
	size_t n;
	bool hold; /* do not close before the client does */
	bool matched;
	pthread_t thread;
};

static bool server_expect(int fd, struct bytes expect)
{
	for (size_t i = 0; i < expect.n; i++) {
		uint8_t c;

		if (read(fd, &c, 1) != 1 || c != expect.p[i])
			return false;
	}
	return true;
}

static void *server_main(void *arg)
{
	struct server *s = arg;
	int fd = accept(s->listener, NULL, NULL);
	uint8_t c;

	s->matched = true;
	for (size_t i = 0; i < s->n && s->matched; i++) {
		s->matched = server_expect(fd, s->steps[i].expect);
		/* one byte at a time: segments may come in any pieces */
		for (size_t j = 0; j < s->steps[i].answer.n && s->matched; j++)
			s->matched = send(fd, s->steps[i].answer.p + j, 1, MSG_NOSIGNAL) == 1;
	}
	while (s->hold && read(fd, &c, 1) == 1)
		;
	close(fd);
	return NULL;
}

static struct bewick_vici *server_start(struct server *s, const struct step *steps, size_t n,
					bool hold, int timeout_ms)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct bewick_vici *c = NULL;

	*s = (struct server){ .steps = steps, .n = n, .hold = hold };
	scratch_dir(s->dir, sizeof(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/s", s->dir);
	snprintf(s->uri, sizeof(s->uri), "unix://%s", s->path);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", s->path);
	s->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(s->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(s->listener, 1), 0);
	ck_assert_int_eq(pthread_create(&s->thread, NULL, server_main, s), 0);
	ck_assert_int_eq(bewick_vici_connect(s->uri, timeout_ms, &c), 0);
	return c;
}

static void server_stop(struct server *s, struct bewick_vici *c)
{
	bewick_vici_free(c);
	pthread_join(s->thread, NULL);
	close(s->listener);
	unlink(s->path);
	rmdir(s->dir);
	ck_assert(s->matched);
}

START_TEST(call)
{
	static const struct step steps[] = {
		STEP("\0\0\0\x9\0\7version", "\0\0\0\xf\1\3\6daemon\0\4beta"),
		STEP("\0\0\0\xa\0\2go\3\1a\0\1b", "\0\0\0\1\1"),
		STEP("\0\0\0\6\0\4nope", "\0\0\0\1\2"),
	};
	struct bewick_vici_message *reply, *request = bewick_vici_message_new();
	struct server s;
	struct bewick_vici *c = server_start(&s, steps, ARRAY_LEN(steps), true, 10000);
	char *daemon;
	size_t n;

	ck_assert_int_eq(bewick_vici_call(c, "version", NULL, &reply), 0);
	daemon = bewick_vici_get(reply, "daemon");
	ck_assert_str_eq(daemon, "beta");
	ck_assert_ptr_null(bewick_vici_get(reply, "daemon.sub"));
	free(daemon);
	bewick_vici_message_free(reply);
	bewick_vici_fmt(request, "a", "%c", 'b');
	ck_assert_int_eq(bewick_vici_call(c, "go", request, &reply), 0);
	(void)bewick_vici_data(reply, &n);
	ck_assert_uint_eq(n, 0);
	bewick_vici_message_free(reply);
	bewick_vici_message_free(request);
	ck_assert_int_eq(bewick_vici_call(c, "nope", NULL, NULL), -ENOENT);
	server_stop(&s, c);
}
END_TEST

static void count_event(void *arg, const char *event, const struct bewick_vici_message *m)
{
	char *k = bewick_vici_get(m, "k");

	ck_assert_str_eq(event, "log");
	ck_assert_str_eq(k, "v");
	free(k);
	++*(int *)arg;
}

#define EVENT_LOG "\0\0\0\xb\7\3log\3\1k\0\1v"

START_TEST(events)
{
	static const struct step steps[] = {
		STEP("\0\0\0\5\3\3log", "\0\0\0\1\5" EVENT_LOG),
		STEP("\0\0\0\4\0\2go", EVENT_LOG EVENT_LOG "\0\0\0\1\1" EVENT_LOG),
		STEP("\0\0\0\5\4\3log", EVENT_LOG "\0\0\0\1\5"),
		STEP("\0\0\0\3\3\1x", "\0\0\0\1\6"),
	};
	struct server s;
	struct bewick_vici *c = server_start(&s, steps, ARRAY_LEN(steps), true, 10000);
	int n = 0;

	ck_assert_int_eq(bewick_vici_register(c, "log", count_event, &n), 0);
	ck_assert_int_eq(bewick_vici_register(c, "log", count_event, &n), -EEXIST);
	ck_assert_int_eq(bewick_vici_dispatch(c, 10000), 1);
	ck_assert_int_eq(bewick_vici_call(c, "go", NULL, NULL), 0);
	ck_assert_int_eq(n, 3);
	ck_assert_int_eq(bewick_vici_dispatch(c, 10000), 1);
	ck_assert_int_eq(n, 4);
	ck_assert_int_eq(bewick_vici_dispatch(c, 0), 0);
	ck_assert_int_eq(bewick_vici_unregister(c, "log"), 0);
	ck_assert_int_eq(n, 5);
	ck_assert_int_eq(bewick_vici_register(c, "x", count_event, &n), -ENOENT);
	server_stop(&s, c);
}
END_TEST

static int call_error(const struct step *step, bool hold, int timeout_ms)
{
	struct server s;
	struct bewick_vici *c = server_start(&s, step, 1, hold, timeout_ms);
	int err = bewick_vici_call(c, "go", NULL, NULL);

	/* the stream cannot be trusted any more: what fails once stays failed */
	ck_assert_int_eq(bewick_vici_call(c, "go", NULL, NULL), err);
	ck_assert_int_eq(bewick_vici_dispatch(c, 0), err);
	server_stop(&s, c);
	return err;
}

START_TEST(bad_answers)
{
	static const struct step closed = STEP("\0\0\0\4\0\2go", ""),
				 half = STEP("\0\0\0\4\0\2go", "\0\0\0\5\1\3"),
				 malformed = STEP("\0\0\0\4\0\2go", "\0\0\0\2\1\2"),
				 confirm = STEP("\0\0\0\4\0\2go", "\0\0\0\1\5"),
				 unknown = STEP("\0\0\0\4\0\2go", "\0\0\0\1\x9"),
				 huge = STEP("\0\0\0\4\0\2go", "\0\x8\0\1");

	ck_assert_int_eq(call_error(&closed, false, 10000), -ECONNRESET);
	ck_assert_int_eq(call_error(&half, false, 10000), -ECONNRESET);
	ck_assert_int_eq(call_error(&half, true, 50), -ETIMEDOUT);
	ck_assert_int_eq(call_error(&malformed, true, 10000), -EBADMSG);
	ck_assert_int_eq(call_error(&confirm, true, 10000), -EBADMSG);
	ck_assert_int_eq(call_error(&unknown, true, 10000), -EBADMSG);
	ck_assert_int_eq(call_error(&huge, true, 10000), -EBADMSG);
}
END_TEST

START_TEST(bad_requests)
{
	struct bewick_vici_message *m = bewick_vici_message_new();
	struct server s;
	struct bewick_vici *c = server_start(&s, NULL, 0, true, 10000);
	char name[300];

	bewick_vici_section(m, "open");
	ck_assert_int_eq(bewick_vici_call(c, "go", m, NULL), -EINVAL);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	ck_assert_int_eq(bewick_vici_call(c, name, NULL, NULL), -EINVAL);
	bewick_vici_message_free(m);
	server_stop(&s, c);
}
END_TEST

START_TEST(uris)
{
	struct bewick_vici *c = NULL;
	char longer[200] = "unix:///";

	ck_assert_int_eq(bewick_vici_connect("unix:///nonexistent/socket", 1000, &c), -ENOENT);
	ck_assert_int_eq(bewick_vici_connect("/run/charon.vici", 1000, &c), -EAFNOSUPPORT);
	ck_assert_int_eq(bewick_vici_connect("http://x", 1000, &c), -EAFNOSUPPORT);
	ck_assert_int_eq(bewick_vici_connect("tcp://x", 1000, &c), -EINVAL);
	ck_assert_int_eq(bewick_vici_connect("tcp://127.0.0.1:1", 1000, &c), -ECONNREFUSED);
	memset(longer + 8, 'x', sizeof(longer) - 9);
	ck_assert_int_eq(bewick_vici_connect(longer, 1000, &c), -ENAMETOOLONG);
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(cursor)
{
	struct bewick_vici_message *m = bewick_vici_message_new();
	struct bewick_vici_cursor *cur;
	struct bewick_vici_element e;
	static const enum bewick_vici_kind kinds[] = {
		BEWICK_VICI_SECTION, BEWICK_VICI_VALUE, BEWICK_VICI_LIST,  BEWICK_VICI_ITEM,
		BEWICK_VICI_ITEM,    BEWICK_VICI_LIST_END, BEWICK_VICI_SECTION_END,
	};
	char *text;

	bewick_vici_section(m, "s");
	bewick_vici_str(m, "k", "v");
	bewick_vici_list(m, "l");
	bewick_vici_item_str(m, "a");
	bewick_vici_item(m, "\0b", 2);
	bewick_vici_list_end(m);
	bewick_vici_section_end(m);
	text = bewick_vici_get(m, "s.k");
	ck_assert_str_eq(text, "v");
	free(text);
	cur = bewick_vici_cursor_new(m);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		ck_assert_int_eq(bewick_vici_cursor_next(cur, &e), 1);
		ck_assert_int_eq(e.kind, kinds[i]);
		if (e.kind == BEWICK_VICI_LIST)
			ck_assert_str_eq(e.name, "l");
	}
	ck_assert_int_eq(bewick_vici_cursor_next(cur, &e), 0);
	bewick_vici_cursor_free(cur);
	bewick_vici_message_free(m);
}
END_TEST

TCase *vici_client_tests(void)
{
	TCase *tc = tcase_create("client");

	tcase_add_test(tc, call);
	tcase_add_test(tc, events);
	tcase_add_test(tc, bad_answers);
	tcase_add_test(tc, bad_requests);
	tcase_add_test(tc, uris);
	tcase_add_test(tc, cursor);
	return tc;
}

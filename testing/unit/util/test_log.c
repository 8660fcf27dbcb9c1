/* SPDX-License-Identifier: Apache-2.0 */
#include "test_util.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "util/bytes.h"
#include "util/log.h"
#include "util/mem.h"

/* What a sink got, one line each. */
struct capture {
	pthread_mutex_t lock;
	struct buf text;
	unsigned calls;
	size_t last_len;
};

static void capture_line(void *arg, const struct log_event *ev)
{
	struct capture *c = arg;

	pthread_mutex_lock(&c->lock);
	c->calls++;
	c->last_len = ev->msg_len;
	ck_assert_int_gt(ev->time.tv_sec, 0);
	buf_printf(&c->text, "%s %d %.*s\n", log_group_name(ev->group), ev->level, (int)ev->msg_len,
		   ev->msg);
	errno = ENOTTY; /* whoever logs must not see that */
	pthread_mutex_unlock(&c->lock);
}

static void levels_all(int8_t *levels, int8_t level)
{
	memset(levels, level, LOG_GROUPS);
}

static struct capture capture_new(void)
{
	return (struct capture){ .lock = PTHREAD_MUTEX_INITIALIZER };
}

START_TEST(log_is_silent_without_sinks)
{
	for (int g = 0; g < LOG_GROUPS; g++)
		ck_assert_int_eq(log_wanted[g], LOG_LEVEL_SILENT);
	ck_assert(!log_is_wanted(LOG_GROUP_IKE, LOG_LEVEL_AUDIT));
}
END_TEST

static int touched;

static int touch(void)
{
	return ++touched;
}

START_TEST(log_levels)
{
	struct capture c = capture_new();
	int8_t levels[LOG_GROUPS];
	struct log_sink *sink;

	levels_all(levels, LOG_LEVEL_CONTROL);
	levels[LOG_GROUP_NET] = LOG_LEVEL_SILENT;
	levels[LOG_GROUP_ENC] = LOG_LEVEL_RAW;
	sink = log_sink_add(levels, capture_line, &c);
	touched = 0;
	LOG(IKE, LOG_LEVEL_AUDIT, "a%d", touch());
	LOG(IKE, LOG_LEVEL_CONTROL, "b%d", touch());
	LOG(IKE, LOG_LEVEL_DETAIL, "c%d", touch());
	LOG(NET, LOG_LEVEL_AUDIT, "d%d", touch());
	LOG(ENC, LOG_LEVEL_RAW, "e%d", touch());
	LOG(ENC, LOG_LEVEL_SECRET, "f%d", touch());
	ck_assert_str_eq(buf_str(&c.text), "IKE 0 a1\nIKE 1 b2\nENC 3 e3\n");
	/* what nobody wants is not even evaluated */
	ck_assert_int_eq(touched, 3);

	levels_all(levels, LOG_LEVEL_SILENT);
	log_sink_set_levels(sink, levels);
	LOG(IKE, LOG_LEVEL_AUDIT, "g%d", touch());
	ck_assert_int_eq(touched, 3);
	log_sink_remove(sink);
	buf_free(&c.text);
}
END_TEST

START_TEST(log_two_sinks)
{
	struct capture a = capture_new(), b = capture_new();
	int8_t levels[LOG_GROUPS];
	struct log_sink *sink_a, *sink_b;

	levels_all(levels, LOG_LEVEL_CONTROL);
	sink_a = log_sink_add(levels, capture_line, &a);
	levels_all(levels, LOG_LEVEL_DETAIL);
	sink_b = log_sink_add(levels, capture_line, &b);
	ck_assert_int_eq(log_wanted[LOG_GROUP_KNL], LOG_LEVEL_DETAIL);
	LOG(KNL, 2, "fine");
	ck_assert_str_eq(buf_str(&a.text), "");
	ck_assert_str_eq(buf_str(&b.text), "KNL 2 fine\n");
	log_sink_remove(sink_b);
	ck_assert_int_eq(log_wanted[LOG_GROUP_KNL], LOG_LEVEL_CONTROL);
	LOG(KNL, 2, "finer");
	LOG(KNL, 1, "coarse");
	ck_assert_str_eq(buf_str(&a.text), "KNL 1 coarse\n");
	ck_assert_uint_eq(b.calls, 1);
	log_sink_remove(sink_a);
	log_sink_remove(NULL);
	ck_assert_int_eq(log_wanted[LOG_GROUP_KNL], LOG_LEVEL_SILENT);
	buf_free(&a.text);
	buf_free(&b.text);
}
END_TEST

/* Lengths around the buffer on the stack and the limit. */
START_TEST(log_lengths)
{
	static const struct {
		int asked;
		size_t got;
	} rows[] = { { 1, 1 },	       { 2046, 2046 },	 { 2047, 2047 },	 { 2048, 2048 },
		     { 65534, 65534 }, { 65535, 65535 }, { 65536, 65535 }, { 200000, 65535 } };
	struct capture c = capture_new();
	int8_t levels[LOG_GROUPS];
	struct log_sink *sink;

	levels_all(levels, LOG_LEVEL_RAW);
	sink = log_sink_add(levels, capture_line, &c);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		LOG(ENC, LOG_LEVEL_RAW, "%0*d", rows[i].asked, 7);
		ck_assert_uint_eq(c.last_len, rows[i].got);
	}
	log_sink_remove(sink);
	buf_free(&c.text);
}
END_TEST

START_TEST(log_cleans_text)
{
	struct capture c = capture_new();
	int8_t levels[LOG_GROUPS];
	struct log_sink *sink;

	levels_all(levels, LOG_LEVEL_CONTROL);
	sink = log_sink_add(levels, capture_line, &c);
	LOG(IKE, 1, "id '%s'\n\n", "a\x1b[2J\rb\x7f\tc\nd\xc3\xa9");
	ck_assert_str_eq(buf_str(&c.text), "IKE 1 id 'a?[2J?b?\tc\nd\xc3\xa9'\n");
	log_sink_remove(sink);
	buf_free(&c.text);
}
END_TEST

START_TEST(log_keeps_errno)
{
	struct capture c = capture_new();
	int8_t levels[LOG_GROUPS];
	struct log_sink *sink;

	levels_all(levels, LOG_LEVEL_CONTROL);
	sink = log_sink_add(levels, capture_line, &c);
	errno = EAGAIN;
	LOG(IKE, 1, "x");
	ck_assert_int_eq(errno, EAGAIN);
	log_sink_remove(sink);
	buf_free(&c.text);
}
END_TEST

START_TEST(log_groups)
{
	enum log_group g = LOG_GROUP_DMN;

	for (int i = 0; i < LOG_GROUPS; i++) {
		ck_assert(log_group_parse(log_group_name((enum log_group)i), &g));
		ck_assert_int_eq((int)g, i);
	}
	ck_assert(log_group_parse("iKe", &g));
	ck_assert_int_eq(g, LOG_GROUP_IKE);
	ck_assert(!log_group_parse("ikev", &g));
	ck_assert(!log_group_parse("", &g));
	ck_assert_int_eq(g, LOG_GROUP_IKE);
	ck_assert_str_eq(log_group_name(LOG_GROUP_ESP), "ESP");
	ck_assert_str_eq(log_group_name(LOG_GROUPS), "???");
}
END_TEST

static struct log_event event_of(const char *msg)
{
	return (struct log_event){ .group = LOG_GROUP_IKE, .thread = 7, .sa = { "site", 12 }, .msg = msg,
				   .msg_len = strlen(msg) };
}

START_TEST(log_lines)
{
	struct log_event ev = event_of("sent");
	char out[200];

	ck_assert_uint_eq(log_format_line(&ev, true, out, sizeof(out)), 23);
	ck_assert_str_eq(out, "07[IKE] <site|12> sent\n");
	(void)log_format_line(&ev, false, out, sizeof(out));
	ck_assert_str_eq(out, "07[IKE] sent\n");
	ev.sa.name = NULL;
	ev.thread = 123;
	(void)log_format_line(&ev, true, out, sizeof(out));
	ck_assert_str_eq(out, "123[IKE] sent\n");
	ev = event_of("one\n\nthree");
	(void)log_format_line(&ev, false, out, sizeof(out));
	ck_assert_str_eq(out, "07[IKE] one\n07[IKE] \n07[IKE] three\n");
	ev = event_of("");
	(void)log_format_line(&ev, false, out, sizeof(out));
	ck_assert_str_eq(out, "07[IKE] \n");
	ck_assert_uint_eq(log_format_prefix(&ev, true, out, sizeof(out)), 18);
	ck_assert_str_eq(out, "07[IKE] <site|12> ");
}
END_TEST

/* Every size: what is cut is a beginning of the whole, ended by a newline. */
START_TEST(log_lines_cut)
{
	struct log_event ev = event_of("first\nsecond");
	char whole[100];
	size_t len = log_format_line(&ev, true, whole, sizeof(whole));

	for (size_t size = 0; size <= len + 1; size++) {
		char *out = xmalloc(size);
		size_t n = log_format_line(&ev, true, out, size);

		ck_assert_uint_lt(n, size ? size : 1);
		if (size)
			ck_assert_uint_eq(strlen(out), n);
		if (n) {
			ck_assert_mem_eq(out, whole, n - 1);
			ck_assert_int_eq(out[n - 1], '\n');
		}
		if (size > 2 && size <= len)
			ck_assert_uint_ge(n, size - 3);
		if (size == len + 1)
			ck_assert_uint_eq(n, len);
		free(out);
	}
}
END_TEST

static void *thread_number(void *arg)
{
	*(unsigned *)arg = log_thread();
	return NULL;
}

START_TEST(log_threads)
{
	unsigned number[3];
	pthread_t thread;

	ck_assert_uint_eq(log_thread(), 1);
	for (int i = 0; i < 3; i++) {
		pthread_create(&thread, NULL, thread_number, &number[i]);
		pthread_join(thread, NULL);
		ck_assert_uint_eq(number[i], (unsigned)i + 2);
	}
	ck_assert_uint_eq(log_thread(), 1);
	log_set_thread(42);
	ck_assert_uint_eq(log_thread(), 42);
}
END_TEST

static void *log_many(void *arg)
{
	for (int i = 0; i < 2000; i++)
		LOG(JOB, 1, "line %d", i);
	return NULL;
}

/* Threads log while sinks come and go; after its removal a sink is not called any more, so its memory
 * can go (which the sanitizers watch). */
START_TEST(log_sinks_come_and_go)
{
	struct capture steady = capture_new();
	int8_t levels[LOG_GROUPS];
	struct log_sink *sink;
	pthread_t thread[4];

	levels_all(levels, LOG_LEVEL_CONTROL);
	sink = log_sink_add(levels, capture_line, &steady);
	for (size_t i = 0; i < ARRAY_LEN(thread); i++)
		pthread_create(&thread[i], NULL, log_many, NULL);
	for (int i = 0; i < 200; i++) {
		struct capture *c = xmalloc(sizeof(*c));
		struct log_sink *other;

		*c = capture_new();
		other = log_sink_add(levels, capture_line, c);
		LOG(JOB, 1, "mine");
		log_sink_remove(other);
		ck_assert_uint_ge(c->calls, 1);
		buf_free(&c->text);
		memset(c, 0xff, sizeof(*c));
		free(c);
	}
	for (size_t i = 0; i < ARRAY_LEN(thread); i++)
		pthread_join(thread[i], NULL);
	ck_assert_uint_eq(steady.calls, 4 * 2000 + 200);
	log_sink_remove(sink);
	buf_free(&steady.text);
}
END_TEST

START_TEST(expect_logs_the_place)
{
	struct capture c = capture_new();
	int8_t levels[LOG_GROUPS];
	struct log_sink *sink;

	levels_all(levels, LOG_LEVEL_AUDIT);
	sink = log_sink_add(levels, capture_line, &c);
	ck_assert(expect(touched >= 0));
	ck_assert_uint_eq(c.calls, 0);
	ck_assert(!expect(touched < 0));
	ck_assert_ptr_nonnull(strstr(buf_str(&c.text), "LIB 0 "));
	ck_assert_ptr_nonnull(strstr(buf_str(&c.text), "touched < 0"));
	ck_assert_ptr_nonnull(strstr(buf_str(&c.text), "test_log.c:"));
	log_sink_remove(sink);
	buf_free(&c.text);
}
END_TEST

START_TEST(invariant_aborts)
{
	invariant(touched >= 0);
	invariant(touched < 0);
}
END_TEST

TCase *log_tests(void)
{
	TCase *tc = tcase_create("log");

	tcase_add_test(tc, log_is_silent_without_sinks);
	tcase_add_test(tc, log_levels);
	tcase_add_test(tc, log_two_sinks);
	tcase_add_test(tc, log_lengths);
	tcase_add_test(tc, log_cleans_text);
	tcase_add_test(tc, log_keeps_errno);
	tcase_add_test(tc, log_groups);
	tcase_add_test(tc, log_lines);
	tcase_add_test(tc, log_lines_cut);
	tcase_add_test(tc, log_threads);
	tcase_add_test(tc, log_sinks_come_and_go);
	tcase_add_test(tc, expect_logs_the_place);
	tcase_add_test_raise_signal(tc, invariant_aborts, SIGABRT);
	return tc;
}

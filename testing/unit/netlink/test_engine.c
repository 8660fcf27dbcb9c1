/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "test_netlink.h"

/* ---- what became of requests ---- */
struct seen {
	unsigned done, messages, restarts;
	int error;
	char text[64];
	unsigned order[512];
};

struct one {
	struct seen *seen;
	unsigned number;
	int error;
};

static void seen_done(void *arg, int error, const char *text)
{
	struct one *o = arg;

	o->error = error;
	o->seen->error = error;
	snprintf(o->seen->text, sizeof(o->seen->text), "%s", text);
	o->seen->order[o->seen->done++] = o->number;
}

static void seen_message(void *arg, const struct nlmsghdr *h)
{
	struct one *o = arg;

	if (h)
		o->seen->messages++;
	else
		o->seen->restarts++;
}

static struct fake_kernel *fake;
static struct nl *n;
static struct seen seen;
static struct one ones[512];

static void setup(void)
{
	struct nl_options o = { .timeout_ms = 1000, .retries = 1 };
	struct nl_io io;

	fake = fake_new();
	io = fake_io(fake);
	n = nl_new(&io, &o);
	seen = (struct seen){ 0 };
	for (unsigned i = 0; i < ARRAY_LEN(ones); i++)
		ones[i] = (struct one){ &seen, i, -1 };
}

static void teardown(void)
{
	nl_free(n);
	fake_free(fake);
}

static void queue(unsigned number, uint16_t type, uint32_t spi)
{
	union nl_request_buffer b;
	struct nlmsghdr *h = nl_begin(&b, type, 0);

	if (type == XFRM_MSG_NEWSA)
		((struct xfrm_usersa_info *)mnl_nlmsg_put_extra_header(h, sizeof(struct xfrm_usersa_info)))->id.spi =
			htonl(spi);
	else
		((struct xfrm_usersa_id *)mnl_nlmsg_put_extra_header(h, sizeof(struct xfrm_usersa_id)))->spi = htonl(spi);
	nl_queue(n, &b, (struct nl_answer){ seen_message, seen_done, &ones[number] });
}

static void queue_dump(unsigned number)
{
	union nl_request_buffer b;

	sa_build_dump(&b);
	nl_queue(n, &b, (struct nl_answer){ seen_message, seen_done, &ones[number] });
}

/* Many requests go out in few batches, each is answered once, in order. */
START_TEST(test_batches)
{
	for (unsigned i = 0; i < 300; i++)
		queue(i, XFRM_MSG_NEWSA, 1000 + i);
	ck_assert_uint_eq(nl_outstanding(n), 300);
	nl_flush(n);
	ck_assert_uint_eq(seen.done, 300);
	ck_assert_uint_eq(nl_outstanding(n), 0);
	ck_assert_uint_eq(fake_count(fake), 300);
	ck_assert_uint_le(fake->sends, 6);
	for (unsigned i = 0; i < 300; i++) {
		ck_assert_uint_eq(seen.order[i], i);
		ck_assert_int_eq(ones[i].error, 0);
	}
}
END_TEST

/* The errno and the words of the kernel come to the request that they are about. */
START_TEST(test_error)
{
	fake->fail_type = XFRM_MSG_NEWSA;
	fake->fail_skip = 1;
	fake->fail_error = ENOSYS;
	fake->fail_text = "no such algorithm";
	queue(0, XFRM_MSG_NEWSA, 1000);
	queue(1, XFRM_MSG_NEWSA, 1001);
	nl_flush(n);
	ck_assert_int_eq(ones[0].error, 0);
	ck_assert_int_eq(ones[1].error, ENOSYS);
	ck_assert_str_eq(seen.text, "no such algorithm");
	queue(2, XFRM_MSG_DELSA, 77);
	nl_flush(n);
	ck_assert_int_eq(ones[2].error, ESRCH);
	ck_assert_str_eq(seen.text, "");
}
END_TEST

/* A GETSA gives its message before the end. */
START_TEST(test_get)
{
	queue(0, XFRM_MSG_NEWSA, 1000);
	queue(1, XFRM_MSG_GETSA, 1000);
	nl_flush(n);
	ck_assert_uint_eq(seen.messages, 1);
	ck_assert_uint_eq(seen.done, 2);
}
END_TEST

/* A dump has all; one that was interrupted begins again and says so. */
START_TEST(test_dump)
{
	for (unsigned i = 0; i < 5; i++)
		queue(i, XFRM_MSG_NEWSA, 1000 + i);
	nl_flush(n);
	seen = (struct seen){ 0 };
	fake->interrupt = 2;
	queue_dump(9);
	queue_dump(10);
	ck_assert(nl_drain(n, 1000));
	ck_assert_uint_eq(seen.done, 2);
	ck_assert_uint_eq(seen.restarts, 2);
	ck_assert_uint_eq(seen.messages, 5 * 4);
	ck_assert_int_eq(seen.error, 0);
	ck_assert_uint_eq(nl_counters(n)->interrupted_dumps, 2);
}
END_TEST

/* A table that never rests: the dump ends all the same. */
START_TEST(test_dump_restless)
{
	fake->interrupt = 1000;
	queue_dump(0);
	ck_assert(nl_drain(n, 1000));
	ck_assert_uint_eq(seen.done, 1);
	ck_assert_int_eq(seen.error, 0);
}
END_TEST

/* An answer that was lost: the request is sent again, and "gone already" is what was wanted. */
START_TEST(test_timeout_repeats)
{
	queue(0, XFRM_MSG_NEWSA, 1000);
	nl_flush(n);
	fake->mute_type = XFRM_MSG_DELSA;
	fake->mute = 1;
	queue(1, XFRM_MSG_DELSA, 1000);
	nl_flush(n);
	ck_assert_uint_eq(seen.done, 1);
	nl_expire(n, UINT64_MAX);
	nl_flush(n);
	ck_assert_uint_eq(seen.done, 2);
	ck_assert_int_eq(ones[1].error, 0);
	ck_assert_uint_eq(fake_seen(fake, XFRM_MSG_DELSA), 2);
	ck_assert_uint_eq(nl_counters(n)->lost, 1);
}
END_TEST

/* Every request has an end: after the repeats are used up it is ETIMEDOUT. */
START_TEST(test_timeout_ends)
{
	fake->mute_type = XFRM_MSG_DELSA;
	fake->mute = 10;
	queue(0, XFRM_MSG_DELSA, 1000);
	for (unsigned i = 0; i < 2; i++) {
		nl_flush(n);
		nl_expire(n, UINT64_MAX);
	}
	ck_assert_uint_eq(seen.done, 1);
	ck_assert_int_eq(ones[0].error, ETIMEDOUT);
	ck_assert_uint_eq(fake_seen(fake, XFRM_MSG_DELSA), 2);
}
END_TEST

/* Law 3: an SA is never added twice; what became of the first request is not known. */
START_TEST(test_add_is_not_repeated)
{
	fake->mute_type = XFRM_MSG_NEWSA;
	fake->mute = 1;
	queue(0, XFRM_MSG_NEWSA, 1000);
	nl_flush(n);
	nl_expire(n, UINT64_MAX);
	nl_flush(n);
	ck_assert_int_eq(ones[0].error, ETIMEDOUT);
	ck_assert_uint_eq(fake_seen(fake, XFRM_MSG_NEWSA), 1);
}
END_TEST

/* Answers that did not fit: what may be repeated is, in order, the rest fails; nothing waits for ever. */
START_TEST(test_overrun)
{
	queue(0, XFRM_MSG_NEWSA, 1000);
	nl_flush(n);
	fake->overrun = true;
	queue(1, XFRM_MSG_NEWSA, 1001);
	queue(2, XFRM_MSG_GETSA, 1000);
	queue(3, XFRM_MSG_DELSA, 1000);
	nl_flush(n);
	ck_assert_uint_eq(nl_outstanding(n), 0);
	ck_assert_int_eq(ones[1].error, ENOBUFS);
	ck_assert_int_eq(ones[2].error, ESRCH);
	ck_assert_int_eq(ones[3].error, 0);
	ck_assert_uint_eq(nl_counters(n)->overruns, 1);
}
END_TEST

/* The kernel has no memory for a batch: later; it refuses it: its requests fail. */
START_TEST(test_send_errors)
{
	fake->send_error = ENOBUFS;
	queue(0, XFRM_MSG_NEWSA, 1000);
	queue(1, XFRM_MSG_NEWSA, 1001);
	nl_flush(n);
	ck_assert_uint_eq(seen.done, 0);
	nl_flush(n);
	ck_assert_uint_eq(seen.done, 2);
	ck_assert_uint_eq(seen.order[0], 0);
	ck_assert_int_eq(seen.error, 0);
	fake->send_error = ECONNREFUSED;
	queue(2, XFRM_MSG_NEWSA, 1002);
	nl_flush(n);
	ck_assert_int_eq(ones[2].error, ECONNREFUSED);
}
END_TEST

static unsigned events, losses;

static void count_event(void *arg, const struct nlmsghdr *h)
{
	if (h)
		events++;
	else
		losses++;
}

/* What is for everybody goes to the event function, also with our sequence number but another's port. */
START_TEST(test_events)
{
	struct xfrm_usersa_id id = { .spi = 1 };

	events = losses = 0;
	nl_on_event(n, count_event, NULL);
	fake_tell(fake, XFRM_MSG_EXPIRE, &id, sizeof(id));
	queue(0, XFRM_MSG_NEWSA, 1000);
	nl_flush(n);
	ck_assert_uint_eq(events, 1);
	ck_assert_uint_eq(seen.messages, 0);
	fake->overrun = true;
	queue(1, XFRM_MSG_GETSA, 1000);
	nl_flush(n);
	ck_assert_uint_eq(losses, 1);
}
END_TEST

/* What waits when the socket goes is told, once. */
START_TEST(test_free_ends)
{
	queue(0, XFRM_MSG_NEWSA, 1000);
	queue_dump(1);
	nl_free(n);
	n = NULL;
	ck_assert_uint_eq(seen.done, 2);
	ck_assert_int_eq(seen.error, ECANCELED);
}
END_TEST

static void queue_more(void *arg, int error, const char *text)
{
	seen_done(arg, error, text);
	if (seen.done < 200)
		queue(seen.done, XFRM_MSG_GETSA, 5);
}

/* Callbacks may queue: all of it is sent in the same flush. */
START_TEST(test_queue_in_callback)
{
	union nl_request_buffer b;

	sa_build_dump(&b);
	nl_queue(n, &b, (struct nl_answer){ seen_message, queue_more, &ones[0] });
	nl_flush(n);
	ck_assert_uint_eq(seen.done, 2);
	ck_assert_int_eq(ones[1].error, ESRCH);
}
END_TEST

/* The copy that was made of a key is wiped. */
START_TEST(test_buffer_wiped)
{
	union nl_request_buffer b;
	struct nlmsghdr *h = nl_begin(&b, XFRM_MSG_GETSA, 0);

	memset(mnl_nlmsg_put_extra_header(h, 64), 0x5a, 64);
	nl_queue(n, &b, (struct nl_answer){ 0 });
	for (unsigned i = 0; i < sizeof(*h) + 64; i++)
		ck_assert_uint_eq(b.bytes[i], 0);
}
END_TEST

TCase *tcase_engine(void)
{
	TCase *t = tcase_create("engine");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_batches);
	tcase_add_test(t, test_error);
	tcase_add_test(t, test_get);
	tcase_add_test(t, test_dump);
	tcase_add_test(t, test_dump_restless);
	tcase_add_test(t, test_timeout_repeats);
	tcase_add_test(t, test_timeout_ends);
	tcase_add_test(t, test_add_is_not_repeated);
	tcase_add_test(t, test_overrun);
	tcase_add_test(t, test_send_errors);
	tcase_add_test(t, test_events);
	tcase_add_test(t, test_free_ends);
	tcase_add_test(t, test_queue_in_callback);
	tcase_add_test(t, test_buffer_wiped);
	return t;
}

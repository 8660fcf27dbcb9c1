/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "test_netlink.h"

static struct fake_kernel *fake;
static struct nl *n;
static struct txn txn;
static unsigned ends;

static void setup(void)
{
	struct nl_options o = { .timeout_ms = 1000, .retries = 1 };
	struct nl_io io;

	fake = fake_new();
	io = fake_io(fake);
	n = nl_new(&io, &o);
	ends = 0;
}

static void teardown(void)
{
	nl_free(n);
	fake_free(fake);
}

static void txn_ended(struct txn *t)
{
	ck_assert_ptr_eq(t, &txn);
	ends++;
}

static void add(uint32_t spi, const char *what, txn_fn *fn)
{
	union nl_request_buffer b;
	struct nlmsghdr *h = nl_begin(&b, XFRM_MSG_NEWSA, 0);

	((struct xfrm_usersa_info *)mnl_nlmsg_put_extra_header(h, sizeof(struct xfrm_usersa_info)))->id.spi = htonl(spi);
	txn_queue(&txn, &b, what, fn, NULL);
}

START_TEST(test_all_well)
{
	txn_begin(&txn, n, txn_ended);
	add(1000, "do this", NULL);
	add(1001, "do that", NULL);
	nl_flush(n); /* answered before it is closed: not the end yet */
	ck_assert_uint_eq(ends, 0);
	add(1002, "do more", NULL);
	txn_close(&txn);
	ck_assert_uint_eq(ends, 0);
	nl_flush(n);
	ck_assert_uint_eq(ends, 1);
	ck_assert(!txn.failed);
}
END_TEST

START_TEST(test_first_failure_counts)
{
	txn_begin(&txn, n, txn_ended);
	add(1000, "do this", NULL);
	add(1000, "do that", NULL);
	add(1000, "do more", NULL);
	txn_close(&txn);
	nl_flush(n);
	ck_assert_uint_eq(ends, 1);
	ck_assert(txn.failed);
	ck_assert_ptr_nonnull(strstr(txn.err.s, "cannot do that: it exists already"));
}
END_TEST

START_TEST(test_empty)
{
	txn_begin(&txn, n, txn_ended);
	txn_fail(&txn, "no %s", "way");
	txn_fail(&txn, "again");
	txn_close(&txn);
	ck_assert_uint_eq(ends, 1);
	ck_assert_str_eq(txn.err.s, "no way");
}
END_TEST

static bool try_other(struct txn *t, void *arg, int error, const char *text)
{
	if (error)
		add(2000, "try the other", NULL);
	return true;
}

/* A request whose answer leads to another: the transaction waits for that, too. */
START_TEST(test_other_way)
{
	fake->fail_type = XFRM_MSG_NEWSA;
	fake->fail_error = EINVAL;
	txn_begin(&txn, n, txn_ended);
	add(1000, "do this", try_other);
	txn_close(&txn);
	nl_flush(n);
	ck_assert_uint_eq(ends, 1);
	ck_assert(!txn.failed);
	ck_assert_ptr_nonnull(fake_find(fake, 2000));
}
END_TEST

START_TEST(test_reasons)
{
	ck_assert_ptr_nonnull(strstr(txn_reason(EPERM, "").s, "CAP_NET_ADMIN"));
	ck_assert_ptr_nonnull(strstr(txn_reason(EINVAL, "what the kernel says").s, "what the kernel says"));
	ck_assert_ptr_nonnull(strstr(txn_reason(ETIMEDOUT, "").s, "does not answer"));
}
END_TEST

TCase *tcase_txn(void)
{
	TCase *t = tcase_create("txn");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_all_well);
	tcase_add_test(t, test_first_failure_counts);
	tcase_add_test(t, test_empty);
	tcase_add_test(t, test_other_way);
	tcase_add_test(t, test_reasons);
	return t;
}

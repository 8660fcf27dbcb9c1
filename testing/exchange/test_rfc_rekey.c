/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "confs.h"
#include "lab.h"
#include "suites.h"

/* What RFC 7296 asks for of rekeying and no other test shows; doc/rfc/ has the whole list. */

#define LIVES ESP "\n rekey_time = 1000\n life_time = 1100\n rand_time = 0\n start_action = start\n"
#define CONF_A_LIVES CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", LIVES))
#define CONF_B_LIVES CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", ESP))

static struct arena arena;
static struct ike_header header;
static struct payload_list list;

static struct lab *rekey_up(void)
{
	struct lab *lab = lab_new(CONF_A_LIVES, CONF_B_LIVES);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab->a.kernel_children + lab->b.kernel_children, 2);
	return lab;
}

static void rekey_done(struct lab *lab)
{
	arena_free(&arena);
	lab_free(lab);
}

static void look(struct lab *lab)
{
	ck_assert_uint_ge(lab->n_packets, 1);
	lab_peek(lab, 0, &arena, &header, &list);
}

/* a's request is answered with this error. */
static void refuse(struct lab *lab, unsigned notify)
{
	uint8_t space[64];
	struct builder b = builder_of(space, sizeof(space));

	look(lab);
	lab_drop(lab);
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, notify, BYTES_NONE);
	lab_inject(&lab->b, lab_sa(&lab->b), header.exchange, true, header.message_id, &b);
	lab_sa(&lab->b)->in.next++;
	lab_deliver(lab);
}

/* RFC 7296, 1.3.3 MUST: REKEY_SA with our inbound SPI; 3.10 MUST: and its protocol; 2.9.2: selectors and algorithms stay */
START_TEST(request_of_child)
{
	struct lab *lab = rekey_up();
	struct child_sa *old = lab_sa(&lab->a)->children;
	const struct payload_notify *n;
	struct reader spi;

	ike_sa_rekey_child(lab_sa(&lab->a), old);
	look(lab);
	ck_assert_uint_eq(header.exchange, EXCHANGE_CREATE_CHILD_SA);
	n = payload_notify(&list, NOTIFY_REKEY_SA);
	ck_assert_ptr_nonnull(n);
	spi = reader_of(n->spi);
	ck_assert_uint_eq(reader_u32(&spi), old->spi_in);
	ck_assert(reader_done(&spi));
	ck_assert_uint_eq(n->protocol, PROTOCOL_ESP);
	ck_assert(ts_list_within(payload_find(&list, PAYLOAD_TSI, NULL)->ts, child_sa_local_ts(old)));
	ck_assert(ts_list_within(payload_find(&list, PAYLOAD_TSR, NULL)->ts, child_sa_remote_ts(old)));
	lab_deliver(lab);
	look(lab);
	ck_assert(ts_list_within(payload_find(&list, PAYLOAD_TSI, NULL)->ts, child_sa_local_ts(old)));
	ck_assert(ts_list_within(payload_find(&list, PAYLOAD_TSR, NULL)->ts, child_sa_remote_ts(old)));
	lab_run(lab);
	ck_assert(suite_equal(&lab_sa(&lab->a)->children->suite, &lab_sa(&lab->b)->children->suite));
	rekey_done(lab);
}
END_TEST

/* RFC 7296, 2.25 MUST NOT: the same at once after TEMPORARY_FAILURE. _i: a CHILD_SA, the IKE_SA */
START_TEST(temporary_failure_waits)
{
	struct lab *lab = rekey_up();
	uint64_t begun;

	if (_i)
		ike_sa_rekey(lab_sa(&lab->a));
	else
		ike_sa_rekey_child(lab_sa(&lab->a), lab_sa(&lab->a)->children);
	refuse(lab, NOTIFY_TEMPORARY_FAILURE);
	begun = lab->now;
	while (!lab->n_packets)
		lab_advance(lab, 100);
	ck_assert_uint_ge(lab->now - begun, LIMIT_RETRY_MIN_MS);
	ck_assert_uint_le(lab->now - begun, LIMIT_RETRY_MAX_MS + 100);
	look(lab);
	ck_assert_uint_eq(header.exchange, EXCHANGE_CREATE_CHILD_SA);
	ck_assert_int_eq(payload_notify(&list, NOTIFY_REKEY_SA) != NULL, !_i);
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	rekey_done(lab);
}
END_TEST

/* RFC 7296, 2.25 SHOULD: what the peer does not have goes without a Delete and is made anew */
START_TEST(child_not_found)
{
	struct lab *lab = rekey_up();
	uint32_t id = lab_sa(&lab->a)->children->id;

	ike_sa_rekey_child(lab_sa(&lab->a), lab_sa(&lab->a)->children);
	refuse(lab, NOTIFY_CHILD_SA_NOT_FOUND);
	ck_assert_uint_eq(lab->n_packets, 1);
	look(lab);
	ck_assert_uint_eq(header.exchange, EXCHANGE_CREATE_CHILD_SA);
	ck_assert_ptr_null(payload_notify(&list, NOTIFY_REKEY_SA));
	ck_assert_ptr_nonnull(payload_find(&list, PAYLOAD_TSI, NULL));
	ck_assert_ptr_null(ike_sa_child(lab_sa(&lab->a), id));
	rekey_done(lab);
}
END_TEST

/*
 * RFC 7296, 4 MUST: a peer that does not rekey costs the SA at most its lifetime, then there is a new one; 2.8 MUST NOT: and it is
 * not used any longer
 */
START_TEST(no_additional_sas)
{
	struct lab *lab = rekey_up();
	uint64_t end = lab->now + 1100 * 1000;
	uint32_t id = lab_sa(&lab->a)->children->id;

	lab_sa(&lab->a)->over_ms = lab_sa(&lab->a)->rekey_ms = 0;
	while (lab->now < end) {
		lab_advance(lab, 100);
		while (lab->n_packets) {
			look(lab);
			if (header.exchange != EXCHANGE_CREATE_CHILD_SA)
				break;
			refuse(lab, NOTIFY_NO_ADDITIONAL_SAS);
		}
		if (lab->n_packets && lab->now < end)
			lab_run(lab);
		ck_assert(lab->now >= end || ike_sa_child(lab_sa(&lab->a), id) != NULL);
	}
	look(lab);
	ck_assert_ptr_nonnull(payload_find(&list, PAYLOAD_DELETE, NULL));
	ck_assert_uint_eq(lab->a.reinitiated, 1);
	lab_run(lab);
	ck_assert_ptr_null(ike_sa_child(lab_sa(&lab->a), id));
	ck_assert_uint_eq(lab->a.kernel_children + lab->b.kernel_children, 0);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	rekey_done(lab);
}
END_TEST

/* RFC 7296, 2.25.1 and 2.25.2 SHOULD: a Delete of a child is answered as usual while it, or the IKE_SA (_i), is rekeyed */
START_TEST(delete_meets_rekeying)
{
	struct lab *lab = rekey_up();
	uint32_t spi = lab_sa(&lab->a)->children->spi_in;

	if (_i)
		ike_sa_rekey(lab_sa(&lab->a));
	else
		ike_sa_rekey_child(lab_sa(&lab->a), lab_sa(&lab->a)->children);
	lab_drop(lab);
	ike_sa_terminate_child(lab_sa(&lab->b), lab_sa(&lab->b)->children, lab_request_new(&lab->b));
	lab_deliver(lab);
	look(lab);
	ck_assert(header.flags & IKE_FLAG_RESPONSE);
	ck_assert_ptr_nonnull(payload_find(&list, PAYLOAD_DELETE, NULL));
	ck_assert_uint_eq(payload_delete_spi(&payload_find(&list, PAYLOAD_DELETE, NULL)->del, 0), spi);
	lab_run(lab);
	ck_assert_uint_eq(lab->b.kernel_children, 0);
	rekey_done(lab);
}
END_TEST

Suite *rfc_rekey_suite(void)
{
	Suite *s = suite_create("exchange/rfc_rekey");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, request_of_child);
	tcase_add_loop_test(t, temporary_failure_waits, 0, 2);
	tcase_add_test(t, child_not_found);
	tcase_add_test(t, no_additional_sas);
	tcase_add_loop_test(t, delete_meets_rekeying, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

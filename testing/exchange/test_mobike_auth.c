/* SPDX-License-Identifier: Apache-2.0 */
#include "mobile.h"
#include "suites.h"

/* RFC 4555: what is in notifies, in IKE_AUTH and later. */

/* The data of a notify of a packet under way, copied to `out`; false: there is none. */
static bool notify_data(struct lab *lab, size_t i, unsigned type, struct buf *out)
{
	const struct payload_notify *n;
	struct arena a = { 0 };
	struct payload_list in;
	struct ike_header h;

	lab_peek(lab, i, &a, &h, &in);
	n = payload_notify(&in, type);
	out->n = 0;
	if (n)
		buf_add_bytes(out, n->data);
	arena_free(&a);
	return n != NULL;
}

/* RFC 4555 4.2.1 MUST: nothing is in it, */
START_TEST(supported_is_empty)
{
	struct lab *lab = lab_new(MOBILE_A, MOBILE_B);
	struct buf data = { 0 };

	lab_roam(&lab->a, A1);
	lab_roam(&lab->b, B1);
	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	for (int i = 0; i < 2; i++) {
		lab_deliver(lab);
		ck_assert(notify_data(lab, 0, NOTIFY_MOBIKE_SUPPORTED, &data));
		ck_assert_uint_eq(data.n, 0);
	}
	lab_run(lab);
	buf_free(&data);
	lab_free(lab);
}
END_TEST

/* and what is in it all the same is ignored. _i: as initiator, as responder */
START_TEST(supported_with_data)
{
	struct lab *lab = mobile();
	struct ike_sa *sa = _i ? lab->b.sas[0] : lab->a.sas[0];
	struct payload p = { .type = PAYLOAD_NOTIFY,
			     .notify = { .type = NOTIFY_MOBIKE_SUPPORTED, .data = bytes_str("of a later version") } };
	struct payload_list in = { .p = &p, .count = 1 };
	struct incoming from = { .local = sa->local, .remote = sa->remote };

	sa->mobike = false;
	sa->incoming = &from;
	ck_assert(mobike_take(sa, &in));
	sa->incoming = NULL;
	ck_assert(sa->mobike);
	lab_free(lab);
}
END_TEST

/* RFC 4555 4.2.5 MUST: 8 to 64 bytes, others each time */
START_TEST(cookies_are_fresh)
{
	struct lab *lab = mobile();
	struct buf cookies[4] = { { 0 } };

	for (unsigned i = 0; i < ARRAY_LEN(cookies); i++) {
		lab_roam(&lab->a, i % 2 ? A1 : A2);
		ck_assert(notify_data(lab, 0, NOTIFY_COOKIE2, &cookies[i]));
		ck_assert(cookies[i].n >= 8 && cookies[i].n <= 64);
		for (unsigned k = 0; k < i; k++)
			ck_assert(!bytes_equal(buf_bytes(&cookies[k]), buf_bytes(&cookies[i])));
		lab_run(lab);
	}
	for (unsigned i = 0; i < ARRAY_LEN(cookies); i++)
		buf_free(&cookies[i]);
	lab_free(lab);
}
END_TEST

/* ---- without NAT traversal ---- */

/* The answer to IKE_SA_INIT loses its NAT detection, as of a peer that has none. */
static void hide_nat_detection(struct lab_packet *p)
{
	unsigned found = 0;

	for (size_t i = 0; i + 4 <= p->n; i++) {
		if (p->data[i] || p->data[i + 1] || p->data[i + 2] != 0x40 || (p->data[i + 3] & 0xfe) != 0x04)
			continue;
		p->data[i + 2] = 0xa0; /* a status type that nobody knows */
		found++;
	}
	ck_assert_uint_eq(found, 2);
}

/* Where the packet is from and to, as NO_NATS_ALLOWED has it. */
static void ck_no_nats(struct lab *lab, size_t i)
{
	const struct lab_packet *p = &lab->packets[i];
	struct buf data = { 0 }, expected = { 0 };

	buf_add(&expected, p->remote.ip, 4);
	buf_add(&expected, p->local.ip, 4);
	buf_add_u16(&expected, p->remote.port);
	buf_add_u16(&expected, p->local.port);
	ck_assert(notify_data(lab, i, NOTIFY_NO_NATS_ALLOWED, &data));
	ck_assert(bytes_equal(buf_bytes(&data), buf_bytes(&expected)));
	buf_free(&data);
	buf_free(&expected);
}

/* RFC 4555 3.9 MUST: in IKE_AUTH, _i: 1 something between has changed the port of IKE_AUTH */
START_TEST(no_nats_told)
{
	struct lab *lab = lab_new(MOBILE_A, MOBILE_B);

	lab_roam(&lab->a, A1);
	lab_roam(&lab->b, B1);
	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	hide_nat_detection(&lab->packets[0]);
	lab_deliver(lab);
	ck_no_nats(lab, 0);
	ck_assert_uint_eq(lab->packets[0].local.port, 500);
	if (_i)
		lab->packets[0].remote.port = 1234;
	lab_deliver(lab);
	/* RFC 4555 3.9 MUST: the responder compares */
	ck_assert_int_eq(_i, has_notify(lab, 0, NOTIFY_UNEXPECTED_NAT_DETECTED));
	ck_assert_uint_eq(lab_live(&lab->b), !_i);
	/* the rest does not pass: the answer to IKE_SA_INIT was changed; or all begins anew, without what was between */
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), _i);
	if (_i)
		all_at(lab, A1, B1);
	lab_free(lab);
}
END_TEST

/* RFC 4555 3.9 SHOULD: IKE_AUTH that is refused for a NAT is tried again from IKE_SA_INIT on; some times */
START_TEST(no_nats_again)
{
	struct lab *lab = lab_new(MOBILE_A, MOBILE_B);
	uint64_t spis[LIMIT_MOBIKE_TRIES];

	lab_roam(&lab->a, A1);
	lab_roam(&lab->b, B1);
	lab_initiate(&lab->a, "one");
	for (unsigned i = 0; i < LIMIT_MOBIKE_TRIES; i++) {
		ck_assert_uint_eq(lab->n_packets, 1);
		spis[i] = lab_sa(&lab->a)->spi_i;
		ck_assert(i == 0 || spis[i] != spis[i - 1]);
		lab_deliver(lab);
		hide_nat_detection(&lab->packets[0]);
		lab_deliver(lab);
		lab->packets[0].remote.port = 1234;
		lab_deliver(lab);
		ck_assert(has_notify(lab, 0, NOTIFY_UNEXPECTED_NAT_DETECTED));
		lab_deliver(lab);
	}
	ck_assert_uint_eq(lab->n_packets, 0);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	lab_free(lab);
}
END_TEST

/* and whenever addresses are told or changed */
START_TEST(no_nats_in_updates)
{
	struct lab *lab = mobile();

	lab->a.sas[0]->nat_t = false;
	lab_roam(&lab->a, A1 " " A2);
	lab_advance(lab, 10);
	ck_assert(has_notify(lab, 0, NOTIFY_ADDITIONAL_IP4_ADDRESS) && !has_notify(lab, 0, NOTIFY_UPDATE_SA_ADDRESSES));
	ck_no_nats(lab, 0);
	lab_run(lab);
	lab_roam(&lab->a, A2);
	ck_assert(has_notify(lab, 0, NOTIFY_UPDATE_SA_ADDRESSES));
	ck_no_nats(lab, 0);
	lab_run(lab);
	all_at(lab, A2, B1);
	lab_free(lab);
}
END_TEST

Suite *mobike_auth_suite(void)
{
	Suite *s = suite_create("exchange/mobike_auth");
	TCase *t = tcase_create("mobike_auth");

	tcase_add_test(t, supported_is_empty);
	tcase_add_loop_test(t, supported_with_data, 0, 2);
	tcase_add_test(t, cookies_are_fresh);
	tcase_add_loop_test(t, no_nats_told, 0, 2);
	tcase_add_test(t, no_nats_again);
	tcase_add_test(t, no_nats_in_updates);
	suite_add_tcase(s, t);
	return s;
}

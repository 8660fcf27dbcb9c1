/* SPDX-License-Identifier: Apache-2.0 */
#include "sa_test.h"

/* Snapshots for list-sas and events: what they say, and that they outlive what they speak of. */

START_TEST(established)
{
	struct lab *lab = sa_test_up(CONF_A, CONF_B);
	struct ike_info *a, *b;
	uint64_t spi_i = lab_sa(&lab->a)->spi_i, spi_r = lab_sa(&lab->a)->spi_r;

	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	lab->a.usage_in = (struct kernel_usage){ .bytes = 4711, .packets = 3, .last_use_ms = lab->now };
	lab_advance(lab, 7500);
	a = ike_info_new(lab_sa(&lab->a), NULL, false);
	b = ike_info_new(lab_sa(&lab->b), NULL, false);
	lab_free(lab);

	ck_assert_str_eq(a->name, "net");
	ck_assert_uint_eq(a->id, 1);
	ck_assert_int_eq(a->state, IKE_STATE_ESTABLISHED);
	ck_assert(a->initiator && !b->initiator);
	ck_assert_str_eq(addr_format(&a->local).s, "192.0.2.1");
	ck_assert_str_eq(addr_format(&a->remote).s, "192.0.2.2");
	ck_assert(addr_equal(&a->local, &b->remote) && addr_equal(&a->remote, &b->local));
	ck_assert_str_eq(a->local_id, "a.test");
	ck_assert_str_eq(a->remote_id, "b.test");
	ck_assert_str_eq(b->remote_id, "a.test");
	ck_assert_uint_eq(a->spi_i, spi_i);
	ck_assert_uint_eq(b->spi_r, spi_r);
	ck_assert(!a->nat_local && !a->nat_remote && !a->nat_fake);
	ck_assert(a->has_suite && suite_equal(&a->suite, &b->suite));
	ck_assert_uint_eq(a->suite.encr, ENCR_AES_GCM_16);
	ck_assert_uint_eq(a->established_s, 7);
	ck_assert_uint_eq(a->n_queued + a->n_active + a->n_passive, 0);

	/* the oldest child first */
	ck_assert_uint_eq(a->n_children, 2);
	ck_assert_str_eq(a->children[0].name, "one");
	ck_assert_str_eq(a->children[1].name, "two");
	ck_assert_uint_lt(a->children[0].id, a->children[1].id);
	ck_assert_uint_ne(a->children[0].reqid, a->children[1].reqid);
	for (size_t i = 0; i < 2; i++) {
		const struct child_info *ca = &a->children[i], *cb = &b->children[i];

		ck_assert_int_eq(ca->state, CHILD_STATE_INSTALLED);
		ck_assert(ca->installed && !ca->encap);
		ck_assert_int_eq(ca->own_ke, i == 1); /* the first came with IKE_AUTH */
		ck_assert_uint_eq(ca->spi_in, cb->spi_out);
		ck_assert_uint_eq(ca->spi_out, cb->spi_in);
		ck_assert_uint_eq(ca->install_s, 7);
		ck_assert_uint_eq(ca->in.bytes, 4711);
		ck_assert_int_eq(ca->use_in_s, 7);
		ck_assert_int_eq(ca->use_out_s, -1);
		ck_assert(ts_list_equal(ca->local_ts, cb->remote_ts));
		ck_assert(ts_list_equal(ca->remote_ts, cb->local_ts));
	}
	ck_assert_str_eq(ts_format(&a->children[1].local_ts.p[0]).s, "10.2.1.0/24");
	ike_info_free(a);
	ike_info_free(b);
}
END_TEST

START_TEST(chosen_child)
{
	struct lab *lab = sa_test_up(CONF_A, CONF_B);
	struct child_sa *two;
	struct ike_info *info;

	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	two = lab_sa(&lab->a)->children;
	info = ike_info_new(lab_sa(&lab->a), two, false);
	ck_assert_uint_eq(info->n_children, 1);
	ck_assert_str_eq(info->children[0].name, "two");
	ike_info_free(info);
	info = ike_info_new(lab_sa(&lab->a), two->next, false);
	ck_assert_uint_eq(info->n_children, 1);
	ck_assert_str_eq(info->children[0].name, "one");
	ike_info_free(info);
	info = ike_info_new(lab_sa(&lab->a), NULL, true);
	ck_assert_uint_eq(info->n_children, 0);
	ike_info_free(info);
	lab_free(lab);
}
END_TEST

/* While it is being set up: tasks are shown, what is not there yet is not. */
START_TEST(connecting)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct ike_info *info;

	lab_initiate(&lab->a, "one");
	info = ike_info_new(lab_sa(&lab->a), NULL, false);
	ck_assert_int_eq(info->state, IKE_STATE_CONNECTING);
	ck_assert(!info->has_suite);
	ck_assert_uint_eq(info->spi_r, 0);
	ck_assert_uint_eq(info->n_children, 0);
	ck_assert_uint_eq(info->n_active, 1);
	ck_assert_str_eq(info->active[0], "IKE_INIT");
	ck_assert_uint_eq(info->n_queued, 2);
	ck_assert_str_eq(info->queued[0], "IKE_AUTH");
	ck_assert_str_eq(info->queued[1], "CHILD_CREATE");
	ck_assert_uint_eq(info->n_passive, 0);
	ike_info_free(info);
	lab->b.kernel_async = true;
	for (int i = 0; i < 3; i++)
		lab_deliver(lab);
	/* b waits for its backend */
	info = ike_info_new(lab_sa(&lab->b), NULL, false);
	ck_assert_uint_eq(info->n_passive, 2);
	ck_assert_str_eq(info->passive[0], "IKE_AUTH");
	ck_assert_uint_eq(info->n_children, 1);
	ck_assert(!info->children[0].installed);
	ck_assert_int_eq(info->children[0].use_in_s, -1);
	ike_info_free(info);
	ike_info_free(NULL);
	lab_free(lab);
}
END_TEST

TCase *test_info(void)
{
	TCase *t = tcase_create("info");

	tcase_add_test(t, established);
	tcase_add_test(t, chosen_child);
	tcase_add_test(t, connecting);
	return t;
}

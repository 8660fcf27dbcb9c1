/* SPDX-License-Identifier: Apache-2.0 */
#include "confs.h"
#include "lab.h"
#include "sa/kin.h"
#include "suites.h"

/* What an SA on which nothing happens keeps, and that it is right when it is borrowed. */

static struct lab *lab_up(const char *conf_a, const char *conf_b)
{
	struct lab *lab = lab_new(conf_a, conf_b);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	return lab;
}

static void expect_lean(struct lab_end *e, const char *id)
{
	const struct ike_sa *sa = lab_sa(e);

	ck_assert_ptr_nonnull(sa);
	ck_assert(!sa->setup && !sa->outstanding && !sa->incoming && !sa->fragments && !sa->kin);
	ck_assert_uint_eq(sa->keys.p_len, 0);
	ck_assert(sa->conf_local_id);
	ck_assert_str_eq(id_text(&sa->local_id).s, id);
	for (const struct child_sa *c = sa->children; c; c = c->next)
		ck_assert(c->conf_local_ts);
}

static void expect_ts(struct lab_end *e, bool of_conf, const char *want)
{
	struct buf text = { 0 };
	const struct child_sa *c = lab_sa(e)->children;

	ts_list_format(&text, child_sa_local_ts(c));
	buf_add_str(&text, " === ");
	ts_list_format(&text, child_sa_remote_ts(c));
	ck_assert_str_eq(buf_str(&text), want);
	ck_assert_int_eq(c->conf_local_ts, of_conf);
	buf_free(&text);
}

START_TEST(kept)
{
	struct lab *lab = lab_up(CONF_A, CONF_B);

	expect_lean(&lab->a, "a.test");
	expect_lean(&lab->b, "b.test");
	expect_ts(&lab->a, true, "10.1.1.0/24 === 10.1.2.0/24");
	expect_ts(&lab->b, true, "10.1.2.0/24 === 10.1.1.0/24");
	/* when the shell of the replaced one is gone */
	ike_sa_rekey(lab_sa(_i ? &lab->a : &lab->b));
	lab_run(lab);
	lab_advance(lab, 20000);
	lab_run(lab);
	expect_lean(&lab->a, "a.test");
	expect_lean(&lab->b, "b.test");
	lab_check(lab);
	lab_free(lab);
}
END_TEST

START_TEST(reloaded)
{
	struct lab *lab = lab_up(CONF_A, CONF_B);
	const struct conn *was = lab_sa(&lab->b)->conn, *conn;

	lab_reload(&lab->a, CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", ESP) CHILD_A("three", "3", ESP)));
	lab_reload(&lab->b, CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", ESP) CHILD_B("three", "3", ESP)));
	conn = config_conn(lab->a.ctx.config, "net");
	ike_sa_add_child(lab_sa(&lab->a), conn, conn_child(conn, "three"), (struct sa_request){ 0 });
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 2);
	/* its old connection is held by the old child alone: nothing is borrowed of that */
	ck_assert_ptr_ne(lab_sa(&lab->b)->conn, was);
	ck_assert_ptr_eq(lab_sa(&lab->b)->conn, config_conn(lab->b.ctx.config, "net"));
	lab_check(lab);
	ike_sa_terminate_child(lab_sa(&lab->a), ike_sa_child(lab_sa(&lab->a), 1), (struct sa_request){ 0 });
	lab_run(lab);
	expect_lean(&lab->b, "b.test");
	expect_ts(&lab->b, true, "10.3.2.0/24 === 10.3.1.0/24");
	lab_check(lab);
	lab_free(lab);
}
END_TEST

START_TEST(narrowed)
{
	struct lab *lab = lab_up(
		CONF_A_WITH(CONF_IKE, "one { local_ts = 10.1.1.0/24\n remote_ts = 10.1.2.0/25\n" ESP " }\n"),
		CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", ESP)));

	expect_ts(&lab->a, true, "10.1.1.0/24 === 10.1.2.0/25");
	expect_ts(&lab->b, false, "10.1.2.0/25 === 10.1.1.0/24");
	lab_check(lab);
	lab_free(lab);
}
END_TEST

Suite *idle_suite(void)
{
	Suite *s = suite_create("exchange/idle");
	TCase *t = tcase_create("all");

	tcase_add_loop_test(t, kept, 0, 2);
	tcase_add_test(t, reloaded);
	tcase_add_test(t, narrowed);
	suite_add_tcase(s, t);
	return s;
}

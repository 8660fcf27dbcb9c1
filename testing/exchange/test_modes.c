/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>

#include "confs.h"
#include "lab.h"
#include "sa/address.h"
#include "suites.h"

/* Modes of CHILD_SAs (RFC 7296, 1.3.1), marks and interface ids, what is closed without traffic. */

#define HOST(MORE) "one { " ESP "\n" MORE " }\n"
#define HOST_CONF_A(MORE) CONF_A_WITH(CONF_IKE, HOST(MORE))
#define HOST_CONF_B(MORE) CONF_B_WITH(CONF_IKE, HOST(MORE))
#define BEET_A(MORE) CONF_A_WITH(CONF_IKE, "one { local_ts = 10.0.0.1\n remote_ts = 10.0.0.2\n" ESP "\n" MORE " }\n")
#define BEET_B(MORE) CONF_B_WITH(CONF_IKE, "one { local_ts = 10.0.0.2\n remote_ts = 10.0.0.1\n" ESP "\n" MORE " }\n")

static struct child_sa *child_of(struct lab_end *e)
{
	return lab_sa(e)->children;
}

static struct lab *modes_up(const char *conf_a, const char *conf_b)
{
	struct lab *lab = lab_new(conf_a, conf_b);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_ptr_nonnull(lab_sa(&lab->a));
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	return lab;
}

static void expect_mode(struct lab *lab, enum ipsec_mode mode)
{
	struct lab_end *ends[] = { &lab->a, &lab->b };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		ck_assert_uint_eq(ends[i]->kernel_children, 1);
		ck_assert_uint_eq(child_of(ends[i])->state, CHILD_STATE_INSTALLED);
		ck_assert_int_eq((enum ipsec_mode)child_of(ends[i])->mode, mode);
		ck_assert_int_eq(lab_asked(child_of(ends[i]))->mode, mode);
	}
}

static void expect_ts(struct lab_end *e, const char *expected)
{
	struct buf text = { 0 };

	ts_list_format(&text, child_sa_local_ts(child_of(e)));
	buf_add_str(&text, " === ");
	ts_list_format(&text, child_sa_remote_ts(child_of(e)));
	ck_assert_str_eq(buf_str(&text), expected);
	buf_free(&text);
}

/* What each side has, and what comes of it. */
static const struct {
	const char *conf_a, *conf_b;
	enum ipsec_mode mode;
} agreements[] = {
	{ HOST_CONF_A("mode = transport"), HOST_CONF_B("mode = transport"), IPSEC_MODE_TRANSPORT },
	{ HOST_CONF_A("mode = transport"), HOST_CONF_B(""), IPSEC_MODE_TUNNEL },
	{ HOST_CONF_A(""), HOST_CONF_B("mode = transport"), IPSEC_MODE_TUNNEL },
	{ BEET_A("mode = beet"), BEET_B("mode = beet"), IPSEC_MODE_BEET },
	{ BEET_A("mode = beet"), BEET_B("mode = transport"), IPSEC_MODE_TUNNEL },
	{ BEET_A(""), BEET_B("mode = beet"), IPSEC_MODE_TUNNEL },
	/* the responder's selectors are narrowed to what the peer has in mind */
	{ BEET_A("mode = beet"), CONF_B_WITH(CONF_IKE, "one { local_ts = 10.0.0.0/24\n remote_ts = 10.0.0.0/24\n mode = beet\n" ESP " }"),
	  IPSEC_MODE_BEET },
	{ CONF_A, CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", "mode = transport\n" ESP)), IPSEC_MODE_TUNNEL },
};

static void rekey(struct lab *lab, struct lab_end *e)
{
	uint32_t before = child_of(e)->spi_in;

	ike_sa_rekey_child(lab_sa(e), child_of(e));
	lab_run(lab);
	/* late packets of the old ones are taken no more */
	lab_advance(lab, 20000);
	lab_run(lab);
	ck_assert_uint_ne(child_of(e)->spi_in, before);
}

/* RFC 7296, 1.3.1: the mode that both sides want, else tunnel mode; and a successor has the same. */
START_TEST(agreed)
{
	struct lab *lab = modes_up(agreements[_i].conf_a, agreements[_i].conf_b);

	expect_mode(lab, agreements[_i].mode);
	rekey(lab, &lab->a);
	expect_mode(lab, agreements[_i].mode);
	rekey(lab, &lab->b);
	expect_mode(lab, agreements[_i].mode);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 1.3.1 MUST: the notify stands in the answer exactly if the mode is accepted */
START_TEST(notify_is_answered)
{
	struct lab *lab = lab_new(HOST_CONF_A("mode = transport"), _i ? HOST_CONF_B("") : HOST_CONF_B("mode = transport"));
	struct payload_list list;
	struct ike_header h;
	struct arena a = { 0 };

	lab_initiate(&lab->a, "one");
	for (int i = 0; i < 3; i++) {
		if (i == 2) {
			lab_peek(lab, 0, &a, &h, &list);
			ck_assert_uint_eq(h.exchange, EXCHANGE_IKE_AUTH);
			ck_assert_ptr_nonnull(payload_notify(&list, NOTIFY_USE_TRANSPORT_MODE));
			arena_reset(&a);
		}
		lab_deliver(lab);
	}
	lab_peek(lab, 0, &a, &h, &list);
	ck_assert((payload_notify(&list, NOTIFY_USE_TRANSPORT_MODE) != NULL) == !_i);
	ck_assert_ptr_null(payload_notify(&list, NOTIFY_USE_BEET_MODE));
	arena_free(&a);
	lab_run(lab);
	lab_free(lab);
}
END_TEST

/* the hosts alone, whatever the selectors allow */
START_TEST(transport_is_between_hosts)
{
	struct lab *lab = modes_up(
		CONF_A_WITH(CONF_IKE, "one { local_ts = 192.0.2.0/24[tcp]\n remote_ts = 192.0.2.0/24\n mode = transport\n" ESP " }"),
		CONF_B_WITH(CONF_IKE, "one { local_ts = 192.0.2.0/24\n remote_ts = 0.0.0.0/0\n mode = transport\n" ESP " }"));

	expect_mode(lab, IPSEC_MODE_TRANSPORT);
	expect_ts(&lab->a, "192.0.2.1/32[tcp] === 192.0.2.2/32");
	expect_ts(&lab->b, "192.0.2.2/32 === 192.0.2.1/32[tcp]");
	lab_free(lab);
}
END_TEST

/* What cannot be in that mode is not asked for: 0 transport between nets, 1 BEET with a net. With a peer that takes an IKE_SA
 * without a child (b does) nothing else is hurt. */
START_TEST(impossible)
{
	struct lab *lab = lab_new(_i ? CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", "mode = beet") CHILD_A("two", "2", ""))
				     : CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", "mode = transport") CHILD_A("two", "2", "")),
				  CONF_B);
	uint64_t r = lab_initiate(&lab->a, "one");

	lab_run(lab);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_SELECTORS);
	ck_assert_uint_eq(lab->a.kernel_children + lab->b.kernel_children, 0);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_NONE);
	lab_free(lab);
}
END_TEST

/* The configuration of one side changes while the SA is up. 0: b asks to rekey in the mode that it is in all the same. 1: a peer
 * asks for tunnel mode; 2: it answers with it: neither comes about, and what works goes on. */
START_TEST(rekeyed_in_another_mode)
{
	struct lab *lab = modes_up(HOST_CONF_A("mode = transport"), HOST_CONF_B("mode = transport"));
	struct lab_end *e = _i == 2 ? &lab->a : &lab->b;
	struct child_sa *other = child_of(&lab->b);
	uint32_t spi = child_of(&lab->a)->spi_in;

	if (_i)
		other->mode = IPSEC_MODE_TUNNEL; /* as if it had been told so */
	else
		((struct child_conf *)other->conf)->mode = CHILD_TUNNEL;
	ike_sa_rekey_child(lab_sa(e), child_of(e));
	lab_run(lab);
	if (_i == 0) {
		ck_assert_uint_ne(child_of(&lab->a)->spi_in, spi);
		ck_assert_uint_eq(child_of(&lab->a)->mode, IPSEC_MODE_TRANSPORT);
	} else {
		ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
		ck_assert_uint_eq(child_of(&lab->a)->spi_in, spi);
		ck_assert_uint_eq(child_of(&lab->a)->mode, IPSEC_MODE_TRANSPORT);
	}
	lab_free(lab);
}
END_TEST

/* the answer has a mode that was not asked for: only the CHILD_SA is not to be, on both sides */
START_TEST(mode_not_asked_for)
{
	struct lab *lab = lab_new(HOST_CONF_A("mode = transport"), HOST_CONF_B("mode = transport"));
	uint64_t r = lab_initiate(&lab->a, "one");

	for (int i = 0; i < 3; i++)
		lab_deliver(lab);
	child_of(&lab->a)->mode = IPSEC_MODE_BEET; /* as if that had been in the request */
	lab_run(lab);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_PEER_ERROR);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab->a.kernel_children + lab->b.kernel_children, 0);
	lab_free(lab);
}
END_TEST

/* Another address: a tunnel would follow, transport mode gets a CHILD_SA between the new ones. */
START_TEST(transport_moves)
{
	struct lab *lab = modes_up(HOST_CONF_A("mode = transport"), HOST_CONF_B("mode = transport"));
	struct addr there;

	ck_assert(addr_parse(bytes_str("198.51.100.1"), &there));
	there.port = lab_sa(&lab->a)->local.port;
	ike_sa_move_to(lab_sa(&lab->b), &lab_sa(&lab->b)->local, &there);
	ike_sa_move_to(lab_sa(&lab->a), &there, &lab_sa(&lab->a)->remote);
	lab_run(lab);
	lab_advance(lab, 20000);
	lab_run(lab);
	expect_mode(lab, IPSEC_MODE_TRANSPORT);
	expect_ts(&lab->a, "198.51.100.1/32 === 192.0.2.2/32");
	expect_ts(&lab->b, "192.0.2.2/32 === 198.51.100.1/32");
	lab_free(lab);
}
END_TEST

/* ---- marks and interface ids ---- */

#define SCOPE_KEYS                                                                                 \
	"mark_in = %unique/0xff00\n mark_out = 42\n mark_in_sa = yes\n set_mark_in = %same/0xf00\n set_mark_out = 7/0xf\n" \
	"if_id_in = %unique-dir\n if_id_out = %unique-dir\n interface = eth7\n"                    \
	"policies_fwd_out = yes\n copy_dscp = no\n hw_offload = packet\n tfc_padding = mtu\n"

START_TEST(scope_reaches_backend)
{
	struct lab *lab = modes_up(CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", ESP "\n" SCOPE_KEYS)), CONF_B);
	const struct kernel_child *k = lab_asked(child_of(&lab->a));
	const struct ipsec_scope *s = &k->scope;

	ck_assert_uint_eq(s->mark_in.value, 0x100);
	ck_assert_uint_eq(s->mark_in.mask, 0xff00);
	ck_assert_uint_eq(s->mark_out.value, 42);
	ck_assert_uint_eq(s->mark_out.mask, UINT32_MAX);
	ck_assert(s->mark_in_sa);
	ck_assert_uint_eq(s->set_mark_in.value, 0x100);
	ck_assert_uint_eq(s->set_mark_in.mask, 0xf00);
	ck_assert_uint_eq(s->set_mark_out.value, 7);
	ck_assert_uint_eq(s->set_mark_out.mask, 0xf);
	ck_assert_uint_eq(s->if_id_in, 1);
	ck_assert_uint_eq(s->if_id_out, 2);
	ck_assert_str_eq(s->interface, "eth7");
	ck_assert(k->fwd_out && !k->no_policies);
	ck_assert_int_eq(k->copy_dscp, COPY_DSCP_NO);
	ck_assert_int_eq(k->hw_offload, HW_OFFLOAD_PACKET);
	ck_assert_uint_eq(k->tfc, TFC_MTU);
	/* and the usual is nothing at all */
	ck_assert_ptr_null(child_of(&lab->b)->scope);
	k = lab_asked(child_of(&lab->b));
	ck_assert_uint_eq(k->scope.mark_in.mask | k->scope.mark_out.mask | k->scope.if_id_in | k->scope.if_id_out, 0);
	ck_assert_int_eq(k->copy_dscp, COPY_DSCP_OUT);
	ck_assert(!k->no_policies && !k->tfc);
	lab_free(lab);
}
END_TEST

/* a CHILD_SA's own numbers are those of its successors, and of nobody else */
START_TEST(unique_numbers)
{
	struct lab *lab = modes_up(CONF_A, CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", ESP "\n mark_in = %unique\n mark_out = %unique\n"
									       "if_id_in = %unique\n if_id_out = %unique")
								CHILD_B("two", "2", ESP "\n mark_in = %unique\n mark_out = %unique-dir\n"
									       "if_id_in = %unique\n if_id_out = 9")));
	struct ipsec_scope first = *child_of(&lab->b)->scope, second;

	ck_assert_uint_ne(first.mark_in.value, 0);
	ck_assert_uint_eq(first.mark_in.value, first.mark_out.value);
	ck_assert_uint_ne(first.if_id_in, 0);
	ck_assert_uint_eq(first.if_id_in, first.if_id_out);
	rekey(lab, &lab->a);
	ck_assert(memcmp(&first, child_of(&lab->b)->scope, sizeof(first)) == 0);
	rekey(lab, &lab->b);
	ck_assert(memcmp(&first, &lab_asked(child_of(&lab->b))->scope, sizeof(first)) == 0);
	ike_sa_rekey(lab_sa(&lab->a));
	lab_run(lab);
	lab_advance(lab, 31000);
	lab_run(lab);
	ck_assert(memcmp(&first, child_of(&lab->b)->scope, sizeof(first)) == 0);
	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	second = *child_of(&lab->b)->scope;
	ck_assert_uint_ne(second.mark_in.value, first.mark_in.value);
	ck_assert_uint_ne(second.mark_out.value, first.mark_in.value);
	ck_assert_uint_ne(second.mark_out.value, second.mark_in.value);
	ck_assert_uint_ne(second.if_id_in, first.if_id_in);
	ck_assert_uint_eq(second.if_id_out, 9);
	lab_free(lab);
}
END_TEST

/* the connection's: of an IKE_SA and its successors; a child's own come before */
START_TEST(ids_of_connection)
{
	struct lab *lab = modes_up(CONF_A, CONF_B_WITH(CONF_IKE "\n if_id_in = %unique\n if_id_out = %unique", CHILD_B("one", "1", ESP)
								CHILD_B("two", "2", ESP "\n if_id_out = 77")));
	uint32_t id = lab_sa(&lab->b)->if_id_in;
	struct ike_info *info = ike_info_new(lab_sa(&lab->b), NULL, false);

	ck_assert_uint_ne(id, 0);
	ck_assert_uint_eq(lab_sa(&lab->b)->if_id_out, id);
	ck_assert_uint_eq(info->if_id_in, id);
	ck_assert_uint_eq(info->children[0].scope->if_id_out, id);
	ike_info_free(info);
	ck_assert_uint_eq(child_of(&lab->b)->scope->if_id_in, id);
	ike_sa_rekey(lab_sa(&lab->b));
	lab_run(lab);
	lab_advance(lab, 31000);
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->b)->if_id_in, id);
	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	ck_assert_uint_eq(child_of(&lab->b)->scope->if_id_in, id);
	ck_assert_uint_eq(child_of(&lab->b)->scope->if_id_out, 77);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 1.3.1: a peer that says so gets no padding of that kind */
START_TEST(no_tfc_padding)
{
	struct lab *lab = modes_up(CONF_A, CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", ESP "\n tfc_padding = 1000")));

	ck_assert_uint_eq(lab_asked(child_of(&lab->b))->tfc, 1000);
	ck_assert_uint_eq(lab_asked(child_of(&lab->a))->tfc, 0);
	lab_free(lab);
}
END_TEST

/* ESP's integrity check is agreed on as the RFC has it, and cut shorter in the backend; not that of others */
START_TEST(sha256_cut)
{
	static const char *const esp[] = { "esp_proposals = aes128-sha256\n", "esp_proposals = aes128-sha512\n" };
	char conf_a[1024], conf_b[1024];
	struct lab *lab;

	snprintf(conf_a, sizeof(conf_a), CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", "%s sha256_96 = yes")), esp[_i]);
	snprintf(conf_b, sizeof(conf_b), CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", "%s")), esp[_i]);
	lab = modes_up(conf_a, conf_b);
	ck_assert_uint_eq(child_of(&lab->a)->suite.integ, lab_asked(child_of(&lab->b))->suite.integ);
	ck_assert_uint_eq(lab_asked(child_of(&lab->a))->suite.integ, _i ? INTEG_HMAC_SHA2_512_256 : INTEG_HMAC_SHA2_256_96);
	lab_free(lab);
}
END_TEST

/* DSCP of IKE packets */
START_TEST(marked_messages)
{
	struct lab *lab = modes_up(CONF_A_WITH(CONF_IKE "\n dscp = 101110", CHILD_A("one", "1", ESP)), CONF_B);

	ck_assert_uint_eq(lab->a.dscp, 46);
	ck_assert_uint_eq(lab->b.dscp, 0);
	lab_free(lab);
}
END_TEST

/* ---- inactivity ---- */

#define IDLE_A CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", ESP "\n inactivity = 60s") CHILD_A("two", "2", ESP))

START_TEST(idle_is_closed)
{
	struct lab *lab = modes_up(IDLE_A, CONF_B);
	uint64_t begin = lab->now;

	lab->a.ctx.options.inactivity_close_ike = _i == 1;
	lab_advance(lab, 50000);
	lab->a.usage_in.last_use_ms = lab->now - 10000;
	lab_advance(lab, 10001);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.kernel_children, 1);
	/* 60 s after its last packet, and a moment for the backend to look */
	lab_advance(lab, begin + 100001 - lab->now);
	ck_assert_uint_eq(lab->a.kernel_children, 1);
	lab_advance(lab, LIMIT_IDLE_LOOK_MS + 1);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.kernel_children + lab->b.kernel_children, 0);
	ck_assert_uint_eq(lab_live(&lab->a), _i == 1 ? 0 : 1);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_DOWN), 1);
	lab_free(lab);
}
END_TEST

/* a successor is idle as long as what it replaced; one that has traffic at the last look stays */
START_TEST(idle_and_rekeyed)
{
	struct lab *lab = modes_up(IDLE_A, CONF_B);

	lab_advance(lab, 35000);
	rekey(lab, &lab->a);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	lab_advance(lab, 5001);
	if (_i)
		lab->a.usage_in.last_use_ms = lab->now;
	lab_advance(lab, LIMIT_IDLE_LOOK_MS + 1);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.kernel_children, _i);
	lab_free(lab);
}
END_TEST

Suite *modes_suite(void)
{
	Suite *s = suite_create("exchange/modes");
	TCase *t = tcase_create("modes");

	tcase_add_loop_test(t, agreed, 0, ARRAY_LEN(agreements));
	tcase_add_loop_test(t, notify_is_answered, 0, 2);
	tcase_add_test(t, transport_is_between_hosts);
	tcase_add_loop_test(t, impossible, 0, 2);
	tcase_add_loop_test(t, rekeyed_in_another_mode, 0, 3);
	tcase_add_test(t, mode_not_asked_for);
	tcase_add_test(t, transport_moves);
	tcase_add_test(t, scope_reaches_backend);
	tcase_add_test(t, unique_numbers);
	tcase_add_test(t, ids_of_connection);
	tcase_add_test(t, no_tfc_padding);
	tcase_add_loop_test(t, sha256_cut, 0, 2);
	tcase_add_test(t, marked_messages);
	tcase_add_loop_test(t, idle_is_closed, 0, 2);
	tcase_add_loop_test(t, idle_and_rekeyed, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

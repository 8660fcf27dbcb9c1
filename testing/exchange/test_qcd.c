/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "confs.h"
#include "lab.h"
#include "sa/hint.h"
#include "sa/qcd.h"
#include "suites.h"

/* RFC 6290 and the hints of RFC 7296, 1.5 and 2.21.4: b has lost its state, or somebody says so. */

#define CONF_A_START CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", ESP "\n dpd_action = start"))

static void qcd_secret(struct lab_end *e, uint8_t fill)
{
	e->ctx.options.qcd_secrets.count = 1;
	memset(e->ctx.options.qcd_secrets.secret[0], fill, QCD_SECRET_LEN);
}

static struct lab *qcd_up(void)
{
	struct lab *lab = lab_new(CONF_A_START, CONF_B);

	qcd_secret(&lab->a, 1);
	qcd_secret(&lab->b, 2);
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_ptr_nonnull(lab_sa(&lab->a));
	return lab;
}

static bool token_of(struct lab_end *e, const struct ike_sa *sa, bool initiator, uint8_t *ret)
{
	return qcd_token(e->ctx.crypto, &e->ctx.options.qcd_secrets, 0, initiator, sa->spi_i, sa->spi_r, ret);
}

/* What a node without sa answers to a request of its peer. token NULL: none */
static void inject_lost(struct lab_end *to, const struct ike_sa *sa, unsigned notify, const uint8_t *token)
{
	struct ike_header h = { .spi_i = sa->spi_i, .spi_r = sa->spi_r, .version = IKE_VERSION,
				.exchange = EXCHANGE_INFORMATIONAL, .message_id = 5,
				.flags = (uint8_t)(IKE_FLAG_RESPONSE | (sa->initiator ? 0 : IKE_FLAG_INITIATOR)) };
	uint8_t room[128];
	struct builder b = builder_of(room, sizeof(room));

	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, notify, BYTES_NONE);
	if (token)
		builder_notify(&b, PROTOCOL_IKE, BYTES_NONE, NOTIFY_QUICK_CRASH_DETECTION, bytes_of(token, QCD_TOKEN_LEN));
	lab_inject_plain(to, sa, &h, &b);
}

/* Both have the other's token. _i: who does not speak of it, bit 0 a, bit 1 b */
START_TEST(exchanged)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	qcd_secret(&lab->a, 1);
	qcd_secret(&lab->b, 2);
	lab->a.ctx.options.qcd = !(_i & 1);
	lab->b.ctx.options.qcd = !(_i & 2);
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_int_eq(lab_sa(&lab->a)->qcd_taken, _i == 0);
	ck_assert_int_eq(lab_sa(&lab->b)->qcd_taken, _i == 0);
	lab_free(lab);
}
END_TEST

/* The right token ends the IKE_SA at once, in silence, from any address. _i: of a, of b */
START_TEST(right_token)
{
	struct lab *lab = qcd_up();
	struct lab_end *e = _i ? &lab->b : &lab->a, *other = _i ? &lab->a : &lab->b;
	struct ike_sa *sa = lab_sa(e);
	uint8_t token[QCD_TOKEN_LEN];

	ck_assert(token_of(other, sa, !sa->initiator, token));
	inject_lost(e, sa, NOTIFY_INVALID_IKE_SPI, token);
	ck_assert(addr_parse(bytes_str("198.51.100.9"), &lab->packets[0].remote));
	lab_deliver(lab);
	ck_assert_uint_eq(e->n_sas, 0);
	ck_assert_uint_eq(e->kernel_children, 0);
	ck_assert_uint_eq(lab->n_packets, 0);
	ck_assert_uint_eq(e->reinitiated, _i ? 0 : 1); /* dpd_action */
	ck_assert_uint_eq(lab_count(e, SA_EVENT_IKE_DOWN), 1);
	ck_assert_uint_eq(lab_count(e, SA_EVENT_CHILD_DOWN), 1);
	lab_free(lab);
}
END_TEST

/* Nothing but the right token does anything. */
START_TEST(wrong_token)
{
	struct lab *lab = qcd_up();
	struct ike_sa *a = lab_sa(&lab->a);
	uint8_t token[QCD_TOKEN_LEN];

	ck_assert(token_of(&lab->b, a, false, token));
	switch (_i) {
	case 0:
		token[15] ^= 1;
		break;
	case 1: /* of the other role */
		ck_assert(token_of(&lab->b, a, true, token));
		break;
	case 2: /* our own */
		ck_assert(token_of(&lab->a, a, true, token));
		break;
	case 3: /* of other SPIs */
		ck_assert(qcd_token(lab->b.ctx.crypto, &lab->b.ctx.options.qcd_secrets, 0, false, a->spi_i, a->spi_r + 1, token));
		break;
	}
	inject_lost(&lab->a, a, NOTIFY_INVALID_IKE_SPI, token);
	lab_deliver(lab);
	ck_assert_int_eq(a->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab->n_packets, 0); /* RFC 6290 4.5 MUST NOT: no response; nor a probe */
	ck_assert_uint_eq(lab->a.ctx.counters[SA_COUNTER_TOKEN_WRONG], 1);
	lab_free(lab);
}
END_TEST

/* RFC 6290 4.5 MUST: at least four tokens of a message are looked at. */
START_TEST(several_tokens)
{
	struct lab *lab = qcd_up();
	struct ike_sa *a = lab_sa(&lab->a);
	struct ike_header h = { .spi_i = a->spi_i, .spi_r = a->spi_r, .version = IKE_VERSION,
				.exchange = EXCHANGE_INFORMATIONAL, .flags = IKE_FLAG_RESPONSE };
	uint8_t room[1024], token[QCD_TOKEN_LEN], other[QCD_TOKEN_LEN] = { 0 };
	struct builder b = builder_of(room, sizeof(room));
	unsigned before = _i;

	ck_assert(token_of(&lab->b, a, false, token));
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_INVALID_IKE_SPI, BYTES_NONE);
	for (unsigned i = 0; i < before; i++)
		builder_notify(&b, PROTOCOL_IKE, BYTES_NONE, NOTIFY_QUICK_CRASH_DETECTION, bytes_of(other, sizeof(other)));
	builder_notify(&b, PROTOCOL_IKE, BYTES_NONE, NOTIFY_QUICK_CRASH_DETECTION, bytes_of(token, sizeof(token)));
	lab_inject_plain(&lab->a, a, &h, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->a.n_sas, before < LIMIT_QCD_TOKENS ? 0 : 1);
	lab_free(lab);
}
END_TEST

/* A secret that has been followed by others still makes the tokens of its time. */
START_TEST(generations)
{
	struct lab *lab = qcd_up();
	struct ike_sa *a = lab_sa(&lab->a);
	struct qcd_secrets *s = &lab->b.ctx.options.qcd_secrets;
	uint8_t token[QCD_TOKEN_LEN];

	memcpy(s->secret[1], s->secret[0], QCD_SECRET_LEN);
	memset(s->secret[0], 9, QCD_SECRET_LEN);
	s->count = 2;
	ck_assert(!qcd_token(lab->b.ctx.crypto, s, 2, false, a->spi_i, a->spi_r, token));
	ck_assert(qcd_token(lab->b.ctx.crypto, s, 1, false, a->spi_i, a->spi_r, token));
	inject_lost(&lab->a, a, NOTIFY_INVALID_IKE_SPI, token);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->a.n_sas, 0);
	lab_free(lab);
}
END_TEST

/* The token as RFC 6290, 5.1, has it, with our role: SHA-256, computed apart from this code. */
START_TEST(token_value)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	static const uint8_t responder[QCD_TOKEN_LEN] = { 0x2d, 0x9c, 0xfd, 0xd1, 0x6f, 0x7f, 0x45, 0x56, 0xb0, 0xcb, 0xa1, 0xee, 0x58, 0x75, 0x0f, 0xbb };
	static const uint8_t initiator[QCD_TOKEN_LEN] = { 0x3a, 0xa0, 0x78, 0x3e, 0xf5, 0x43, 0xf6, 0xd1, 0x46, 0xb4, 0xc2, 0x32, 0xa2, 0x4f, 0xd9, 0xaf };
	uint8_t token[QCD_TOKEN_LEN];

	qcd_secret(&lab->a, 0x61);
	ck_assert(qcd_token(lab->a.ctx.crypto, &lab->a.ctx.options.qcd_secrets, 0, false, 0x0102030405060708, 0x1112131415161718, token));
	ck_assert_mem_eq(token, responder, sizeof(token));
	ck_assert(qcd_token(lab->a.ctx.crypto, &lab->a.ctx.options.qcd_secrets, 0, true, 0x0102030405060708, 0x1112131415161718, token));
	ck_assert_mem_eq(token, initiator, sizeof(token));
	lab_free(lab);
}
END_TEST

/* RFC 6290 4.4 MUST: a new token in any protected exchange is taken; one that cannot be is not. */
START_TEST(new_token)
{
	struct lab *lab = qcd_up();
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);
	uint8_t room[256], old[QCD_TOKEN_LEN], fresh[128] = { 7 };
	struct builder bu = builder_of(room, sizeof(room));
	size_t len = _i == 0 ? 16 : _i == 1 ? 128 : 15;

	ck_assert(token_of(&lab->b, a, false, old));
	builder_notify(&bu, PROTOCOL_IKE, BYTES_NONE, NOTIFY_QUICK_CRASH_DETECTION, bytes_of(fresh, len));
	lab_inject(&lab->b, b, EXCHANGE_INFORMATIONAL, false, 0, &bu);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_drop(lab);
	inject_lost(&lab->a, a, NOTIFY_INVALID_IKE_SPI, old);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->a.n_sas, _i == 2 ? 0 : 1);
	if (_i == 0) {
		inject_lost(&lab->a, a, NOTIFY_INVALID_IKE_SPI, fresh);
		lab_deliver(lab);
		ck_assert_uint_eq(lab->a.n_sas, 0);
	}
	lab_free(lab);
}
END_TEST

/* In whatever state, with whatever under way. */
START_TEST(while_busy)
{
	struct lab *lab = qcd_up();
	struct ike_sa *a = lab_sa(&lab->a);
	struct sa_request end = lab_request_new(&lab->a);
	uint8_t token[QCD_TOKEN_LEN];
	uint64_t r = 0;

	ck_assert(token_of(&lab->b, a, false, token));
	lab->a.kernel_async = _i & 1;
	if (_i & 2)
		ike_sa_terminate(a, false, end);
	else
		r = lab_add_child(&lab->a, a, "one");
	while (lab->n_packets)
		lab_drop(lab);
	inject_lost(&lab->a, a, NOTIFY_INVALID_IKE_SPI, token);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->a.n_sas, 0);
	/* what was to be closed is: that is no loss */
	ck_assert_uint_eq(lab->a.silent_ends, r ? 1 : 0);
	ck_assert_uint_eq(lab->a.reinitiated, r ? 1 : 0);
	if (r)
		ck_assert_uint_eq(lab->a.requests[r].done, 1);
	else
		ck_assert_uint_eq(lab->a.requests[end.id].done, 1);
	lab_free(lab);
}
END_TEST

/* While an IKE_SA is set up, nobody's word counts. */
START_TEST(while_connecting)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct ike_sa *a;
	uint8_t token[QCD_TOKEN_LEN];

	qcd_secret(&lab->a, 1);
	qcd_secret(&lab->b, 2);
	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_deliver(lab);
	a = lab_sa(&lab->a);
	ck_assert_int_eq(a->state, IKE_STATE_CONNECTING);
	ck_assert(token_of(&lab->b, a, false, token));
	inject_lost(&lab->a, a, NOTIFY_INVALID_IKE_SPI, token);
	lab_run(lab);
	ck_assert_int_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	lab_free(lab);
}
END_TEST

/* ---- hints ---- */

/* RFC 7296, 2.21.4: without a token it makes us ask, and that not often. */
START_TEST(hint_probes)
{
	struct lab *lab = qcd_up();
	struct ike_sa *a = lab_sa(&lab->a);

	a->qcd_taken = false;
	for (unsigned i = 0; i < 5; i++) {
		inject_lost(&lab->a, a, NOTIFY_INVALID_IKE_SPI, NULL);
		lab_run(lab);
	}
	ck_assert_uint_eq(a->out.next, 3); /* IKE_SA_INIT, IKE_AUTH, one probe */
	lab_advance(lab, LIMIT_HINT_MS + 1);
	inject_lost(&lab->a, a, NOTIFY_INVALID_IKE_SPI, NULL);
	lab_run(lab);
	ck_assert_uint_eq(a->out.next, 4);
	ck_assert_int_eq(a->state, IKE_STATE_ESTABLISHED);
	/* other notifies say nothing */
	lab_advance(lab, LIMIT_HINT_MS + 1);
	inject_lost(&lab->a, a, NOTIFY_AUTHENTICATION_FAILED, NULL);
	inject_lost(&lab->a, a, NOTIFY_INVALID_SYNTAX, NULL);
	lab_run(lab);
	ck_assert_uint_eq(a->out.next, 4);
	lab_free(lab);
}
END_TEST

/* A request is out already: it is repeated at once, which does not count. */
START_TEST(hint_nudges)
{
	struct lab *lab = qcd_up();
	struct ike_sa *a = lab_sa(&lab->a);

	a->qcd_taken = false;
	ike_sa_probe(a);
	lab_drop(lab);
	inject_lost(&lab->a, a, NOTIFY_INVALID_IKE_SPI, NULL);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	ck_assert_uint_eq(a->outstanding->tries, 0);
	lab_run(lab);
	ck_assert_ptr_null(a->outstanding);
	lab_free(lab);
}
END_TEST

static void unprotected_invalid_spi(struct lab *lab, struct ike_sa *sa, uint32_t spi, const uint8_t *token, bool expect)
{
	struct payload notify[2] = { { .type = PAYLOAD_NOTIFY, .notify = { .type = NOTIFY_INVALID_SPI } },
				     { .type = PAYLOAD_NOTIFY, .notify = { .type = NOTIFY_QUICK_CRASH_DETECTION } } };
	struct payload_list in = { token ? 2 : 1, notify };

	(void)lab;
	notify[1].notify.data = bytes_of(token, QCD_TOKEN_LEN);
	ck_assert_int_eq(hint_invalid_spi(sa, &sa->remote, spi, &in), expect);
}

/* Unprotected INVALID_SPI: a probe if a child sends to that SPI, else nothing. */
START_TEST(hint_spi)
{
	struct lab *lab = qcd_up();
	struct ike_sa *a = lab_sa(&lab->a);
	uint8_t token[QCD_TOKEN_LEN] = { 1 };

	unprotected_invalid_spi(lab, a, a->children->spi_out + 1, NULL, false);
	ck_assert_uint_eq(lab->n_packets, 0);
	unprotected_invalid_spi(lab, a, a->children->spi_out, NULL, true);
	ck_assert_uint_eq(lab->n_packets, 1);
	unprotected_invalid_spi(lab, a, a->children->spi_out, NULL, true);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	lab_advance(lab, LIMIT_HINT_MS + 1);
	/* RFC 6290, 8.2: a wrong token with it is no sign of anything */
	unprotected_invalid_spi(lab, a, a->children->spi_out, token, true);
	lab_run(lab);
	ck_assert_uint_eq(a->out.next, 4);
	ck_assert(token_of(&lab->b, a, false, token));
	unprotected_invalid_spi(lab, a, a->children->spi_out, token, true);
	ck_assert(a->finished);
	ck_assert_uint_eq(lab->a.reinitiated, 1);
	lab_free(lab);
}
END_TEST

/* b gets ESP that it has no SA for and says so in the IKE_SA: a closes that child and sets it up again. */
START_TEST(told_of_spi)
{
	struct lab *lab = qcd_up();
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);
	uint32_t spi = a->children->spi_out;

	ck_assert(hint_knows_spi(b, spi));
	ck_assert(!hint_knows_spi(b, spi + 1));
	lab_advance(lab, _i ? 6000 : 1000);
	hint_tell_invalid_spi(b, spi);
	hint_tell_invalid_spi(b, spi);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	/* what was set up just now may only be late */
	ck_assert_uint_eq(lab->a.reinitiated, _i);
	ck_assert_uint_eq(lab->a.kernel_children, !_i);
	ck_assert_int_eq(a->state, IKE_STATE_ESTABLISHED);
	ck_assert_int_eq(b->state, IKE_STATE_ESTABLISHED);
	/* of another SPI nobody cares */
	lab_advance(lab, 6000);
	hint_tell_invalid_spi(b, spi + 1);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.reinitiated, _i);
	lab_free(lab);
}
END_TEST

/* RFC 7296 2.21.4 MUST NOT: being told of a suspicious message changes no SA. */
START_TEST(told_of_message)
{
	static const uint16_t types[] = { NOTIFY_INVALID_IKE_SPI, NOTIFY_INVALID_MESSAGE_ID, NOTIFY_INVALID_MAJOR_VERSION };
	struct lab *lab = qcd_up();
	uint8_t room[64];

	lab_advance(lab, 6000);
	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		struct builder b = builder_of(room, sizeof(room));

		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, types[i], BYTES_NONE);
		lab_inject(&lab->b, lab_sa(&lab->b), EXCHANGE_INFORMATIONAL, false, i, &b);
		lab_deliver(lab);
		ck_assert_uint_eq(lab->n_packets, 1); /* the empty answer */
		lab_drop(lab);
	}
	ck_assert_int_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab->a.kernel_children, 1);
	ck_assert_uint_eq(lab_sa(&lab->a)->out.next, 2);
	lab_free(lab);
}
END_TEST

/* RFC 6290, 4.3: after rekeying the IKE_SA both have the other's new token. _i: who rekeys */
START_TEST(rekeyed)
{
	struct lab *lab = qcd_up();
	struct ike_sa *old = lab_sa(_i ? &lab->b : &lab->a), *a, *b;
	uint8_t token[QCD_TOKEN_LEN];

	ike_sa_rekey(old);
	lab_run(lab);
	a = lab_sa(&lab->a);
	b = lab_sa(&lab->b);
	ck_assert(a && b && a->was_id);
	ck_assert(a->qcd_taken && b->qcd_taken);
	ck_assert(a->sync_ids && b->sync_replay);
	ck_assert_uint_eq(a->in.next, b->out.next);
	ck_assert(token_of(&lab->a, b, a->initiator, token));
	inject_lost(&lab->b, b, NOTIFY_INVALID_IKE_SPI, token);
	lab_deliver(lab);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert(token_of(&lab->b, a, !a->initiator, token));
	inject_lost(&lab->a, a, NOTIFY_INVALID_IKE_SPI, token);
	lab_deliver(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab->a.reinitiated, 1);
	lab_free(lab);
}
END_TEST

/* How many of the packets under way speak without protection. */
static unsigned unprotected(const struct lab *lab)
{
	unsigned n = 0;

	for (size_t i = 0; i < lab->n_packets; i++)
		n += lab->packets[i].data[16] != PAYLOAD_SK;
	return n;
}

/* RFC 6290 9.2 MUST NOT: the peer uses a successor while its answer to our rekeying is under way. What we said of that SPI now would
 * end the successor when it came late. _i: who rekeys */
START_TEST(not_of_a_successor)
{
	struct lab *lab = qcd_up();
	struct lab_end *e = _i ? &lab->b : &lab->a, *other = _i ? &lab->a : &lab->b;
	struct ike_sa *made;

	ike_sa_rekey(lab_sa(e));
	lab_deliver(lab); /* its answer stays behind */
	made = ike_sa_current(other->sas[0]);
	ck_assert_ptr_ne(made, other->sas[0]);
	ike_sa_probe(made);
	ck_assert_uint_eq(lab->n_packets, 2);
	lab_choose(lab, 1);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	lab_advance(lab, 5000); /* it asks again */
	ck_assert_uint_eq(unprotected(lab), 0);
	lab_run(lab);
	ck_assert_uint_eq(lab_live(e), 1);
	ck_assert_ptr_eq(lab_sa(other), made);
	ck_assert(!made->outstanding && made->qcd_taken);
	lab_free(lab);
}
END_TEST

Suite *qcd_suite(void)
{
	Suite *s = suite_create("exchange/qcd");
	TCase *t = tcase_create("tokens"), *h = tcase_create("hints");

	tcase_add_loop_test(t, exchanged, 0, 4);
	tcase_add_loop_test(t, right_token, 0, 2);
	tcase_add_loop_test(t, wrong_token, 0, 4);
	tcase_add_loop_test(t, several_tokens, 0, 10);
	tcase_add_test(t, generations);
	tcase_add_test(t, token_value);
	tcase_add_loop_test(t, new_token, 0, 3);
	tcase_add_loop_test(t, while_busy, 0, 4);
	tcase_add_test(t, while_connecting);
	tcase_add_loop_test(t, rekeyed, 0, 2);
	tcase_add_loop_test(t, not_of_a_successor, 0, 2);
	suite_add_tcase(s, t);
	tcase_add_test(h, hint_probes);
	tcase_add_test(h, hint_nudges);
	tcase_add_test(h, hint_spi);
	tcase_add_loop_test(h, told_of_spi, 0, 2);
	tcase_add_test(h, told_of_message);
	suite_add_tcase(s, h);
	return s;
}

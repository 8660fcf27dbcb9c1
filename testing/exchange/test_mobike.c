/* SPDX-License-Identifier: Apache-2.0 */
#include "mobile.h"
#include "sa/nat.h"
#include "suites.h"

/* RFC 4555: IKE_SAs whose ends move. a began the first one, so it decides where it is. */

/* ---- negotiation ---- */

/* RFC 4555 3.2, 3.3 MUST: announced in IKE_AUTH, on the NAT-T port */
START_TEST(announced)
{
	struct lab *lab = lab_new(MOBILE_A, MOBILE_B);

	lab_roam(&lab->a, A1 " " A2 " 2001:db8::1");
	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_deliver(lab);
	ck_assert(has_notify(lab, 0, NOTIFY_MOBIKE_SUPPORTED));
	ck_assert(has_notify(lab, 0, NOTIFY_ADDITIONAL_IP4_ADDRESS) && has_notify(lab, 0, NOTIFY_ADDITIONAL_IP6_ADDRESS));
	ck_assert(!has_notify(lab, 0, NOTIFY_NO_NATS_ALLOWED));
	ck_assert_uint_eq(lab->packets[0].local.port, 4500);
	lab_deliver(lab);
	ck_assert(has_notify(lab, 0, NOTIFY_MOBIKE_SUPPORTED) && has_notify(lab, 0, NOTIFY_NO_ADDITIONAL_ADDRESSES));
	lab_run(lab);
	ck_assert(lab->a.sas[0]->mobike && lab->b.sas[0]->mobike);
	ck_assert_uint_eq(lab->b.sas[0]->remote.port, 4500);
	lab_free(lab);
}
END_TEST

START_TEST(not_wanted)
{
	const char *const confs[][2] = { { ANY_A REST_A("mobike = no\n"), MOBILE_B }, { MOBILE_A, ANY_B REST_B("mobike = no\n") } };
	struct lab *lab = mobile_up(confs[_i][0], confs[_i][1], A1, B1);

	ck_assert(!lab->a.sas[0]->mobike && !lab->b.sas[0]->mobike);
	lab_free(lab);
}
END_TEST

/* ---- the initiator's address changes ---- */

START_TEST(moves)
{
	struct lab *lab = mobile();
	uint64_t spi = lab->a.sas[0]->spi_i;
	uint32_t spi_in = lab->a.sas[0]->children->spi_in;

	lab_roam(&lab->a, A2);
	/* CHILD_SAs of the initiator are moved at once (RFC 4555, 3.5) */
	ck_assert_uint_eq(lab->a.kernel_moves, 1);
	ck_assert(has_notify(lab, 0, NOTIFY_UPDATE_SA_ADDRESSES) && has_notify(lab, 0, NOTIFY_COOKIE2));
	lab_deliver(lab);
	/* the responder waits until the peer has shown that it is there (RFC 4555, 3.7) */
	ck_assert(lab->b.sas[0]->unchecked);
	ck_assert_uint_eq(lab->b.kernel_moves, 0);
	ck_assert(is_at(lab->b.sas[0], B1, A2));
	lab_run(lab);
	all_at(lab, A2, B1);
	ck_assert_uint_eq(lab->b.kernel_moves, 1);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_UPDATE), 1);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_IKE_UPDATE), 1);
	ck_assert(lab->a.sas[0]->spi_i == spi && lab->a.sas[0]->children->spi_in == spi_in);
	lab_free(lab);
}
END_TEST

START_TEST(moves_unchecked)
{
	struct lab *lab = mobile();

	lab->b.ctx.options.mobike_return_check = false;
	lab_roam(&lab->a, A2);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->b.kernel_moves, 1);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	all_at(lab, A2, B1);
	lab_free(lab);
}
END_TEST

/* Every message of a move is lost once. */
START_TEST(moves_with_loss)
{
	struct lab *lab = mobile();

	lab_roam(&lab->a, A2);
	for (int n = 0; n < _i; n++)
		lab_deliver(lab);
	ck_assert_uint_gt(lab->n_packets, 0);
	while (lab->n_packets)
		lab_drop(lab);
	lab_advance(lab, 4000);
	lab_run(lab);
	all_at(lab, A2, B1);
	lab_free(lab);
}
END_TEST

/* RFC 4555, 3.5: again while the request is under way: nothing of its answer counts, another follows. */
START_TEST(moves_twice)
{
	struct lab *lab = mobile();

	lab_roam(&lab->a, A2);
	if (_i == 0)
		lab_drop(lab);
	else if (_i == 1)
		lab_deliver(lab);
	lab_roam(&lab->a, "203.0.113.1");
	lab_run(lab);
	all_at(lab, "203.0.113.1", B1);
	lab_free(lab);
}
END_TEST

START_TEST(moves_there_and_back)
{
	struct lab *lab = mobile();

	lab_roam(&lab->a, A2);
	lab_deliver(lab);
	lab_roam(&lab->a, A1);
	lab_run(lab);
	all_at(lab, A1, B1);
	lab_free(lab);
}
END_TEST

/* Another address family inside of one IKE_SA. */
START_TEST(moves_family)
{
	struct lab *lab = mobile_up(MOBILE_A, MOBILE_B, A1, B1 " 2001:db8::2");

	lab_roam(&lab->a, "2001:db8::1");
	lab_run(lab);
	all_at(lab, "2001:db8::1", "2001:db8::2");
	lab_roam(&lab->a, A1);
	lab_run(lab);
	all_at(lab, A1, B1);
	lab_free(lab);
}
END_TEST

/* An address less, or one more, is no reason to move; the peer is told. */
START_TEST(stays)
{
	struct lab *lab = mobile_up(MOBILE_A, MOBILE_B, A1 " " A2, B1);

	lab_roam(&lab->a, A2 " " A1 " 203.0.113.1");
	lab_advance(lab, 10);
	lab_run(lab);
	all_at(lab, A1, B1);
	ck_assert_ptr_nonnull(mobike_peer_addr(lab->b.sas[0], 1));
	lab_roam(&lab->a, A1);
	lab_advance(lab, 10);
	ck_assert(has_notify(lab, 0, NOTIFY_NO_ADDITIONAL_ADDRESSES));
	lab_run(lab);
	all_at(lab, A1, B1);
	ck_assert_ptr_null(mobike_peer_addr(lab->b.sas[0], 0));
	lab_free(lab);
}
END_TEST

START_TEST(prefers_best_path)
{
	struct lab *lab = mobile_up(MOBILE_A, MOBILE_B, A1, B1);

	lab->a.ctx.options.prefer_best_path = true;
	lab_roam(&lab->a, A2 " " A1);
	lab_run(lab);
	all_at(lab, A2, B1);
	lab_free(lab);
}
END_TEST

/* No address at all: nothing is given up, and nothing sent, till there is one. */
START_TEST(waits_for_an_address)
{
	struct lab *lab = mobile();
	unsigned sent;

	lab_roam(&lab->a, "");
	ike_sa_probe(lab->a.sas[0]);
	while (lab->n_packets)
		lab_drop(lab);
	sent = lab->sent;
	for (unsigned n = 0; n < 40; n++)
		lab_advance(lab, 60000);
	ck_assert_uint_eq(lab->sent, sent);
	ck_assert_uint_eq(lab_live(&lab->a), 1);
	lab_roam(&lab->a, _i ? A1 : A2);
	lab_run(lab);
	all_at(lab, _i ? A1 : A2, B1);
	lab_free(lab);
}
END_TEST

/* The operator's order does not wait for ever. */
START_TEST(ends_without_an_address)
{
	struct lab *lab = mobile();

	lab_roam(&lab->a, "");
	ike_sa_probe(lab->a.sas[0]);
	ike_sa_terminate(lab->a.sas[0], false, lab_request_new(&lab->a));
	for (unsigned n = 0; n < 100 && lab->a.n_sas; n++) {
		while (lab->n_packets)
			lab_drop(lab);
		lab_advance(lab, 60000);
	}
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	lab_free(lab);
}
END_TEST

/* ---- NATs ---- */

/* a seems to be at lab->nat, whatever its address. */
static bool natted(struct lab *lab, bool out, struct addr *src, struct addr *dst)
{
	if (out) {
		*src = lab->nat;
	} else {
		if (!addr_equal(dst, &lab->nat))
			return false;
		*dst = lab->a.n_locals ? lab->a.locals[0] : lab->a.addr;
		dst->port = 4500;
	}
	return true;
}

static void behind_nat(struct lab *lab, const char *addr, uint16_t port)
{
	lab->nat = address(addr);
	lab->nat.port = port;
	lab->path = natted;
}

/* Where b sees a. */
static void seen_at(struct lab *lab, const char *local, bool encap)
{
	struct ike_sa *sa = lab_sa(&lab->a), *sb = lab_sa(&lab->b);

	ck_assert(sa && sb && is_at(sa, local, B1) && !sa->outstanding && !sb->outstanding && !sb->unchecked);
	ck_assert_msg(addr_equal(&sb->remote, encap ? &lab->nat : &sa->local), "b sees a at %s", addr_format_port(&sb->remote).s);
	ck_assert(sa->nat_local == encap && sb->nat_remote == encap && !sa->nat_remote && !sb->nat_local);
	ck_assert(lab_place_of(sa->children)->encap == encap && lab_place_of(sb->children)->encap == encap);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
}

/* RFC 4555, 2.3: into a net behind a NAT, and out of it again. */
START_TEST(nat_comes_and_goes)
{
	struct lab *lab = mobile();

	seen_at(lab, A1, false);
	behind_nat(lab, "203.0.113.9", 40000);
	lab_roam(&lab->a, "10.0.0.7");
	lab_run(lab);
	seen_at(lab, "10.0.0.7", true);
	lab->path = NULL;
	lab_roam(&lab->a, A2);
	lab_run(lab);
	seen_at(lab, A2, false);
	lab_free(lab);
}
END_TEST

/* RFC 4555 3.8 SHOULD: the initiator sees by its own probes that the NAT has another mapping; the responder does not follow. */
START_TEST(nat_changes_its_mapping)
{
	struct lab *lab = lab_new(MOBILE_A, MOBILE_B);

	lab_roam(&lab->a, "10.0.0.7");
	lab_roam(&lab->b, B1);
	behind_nat(lab, "203.0.113.9", 40000);
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	seen_at(lab, "10.0.0.7", true);
	ike_sa_probe(lab->a.sas[0]);
	ck_assert(has_notify(lab, 0, NOTIFY_NAT_DETECTION_SOURCE_IP));
	lab_deliver(lab);
	ck_assert(has_notify(lab, 0, NOTIFY_NAT_DETECTION_SOURCE_IP));
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 0);
	lab->nat.port = 50000;
	ike_sa_probe(lab->a.sas[0]);
	lab_deliver(lab);
	/* RFC 4555 3.8 MUST NOT: by a message without UPDATE_SA_ADDRESSES */
	ck_assert_uint_eq(lab->b.sas[0]->remote.port, 40000);
	lab_run(lab);
	seen_at(lab, "10.0.0.7", true);
	ck_assert_uint_eq(lab->b.sas[0]->remote.port, 50000);
	lab_free(lab);
}
END_TEST

/* Whether a is not asked for, half a minute after ESP came that is said to be of now and later. */
static bool esp_counts(struct lab *lab)
{
	bool none;

	lab_advance(lab, 31000);
	lab_run(lab);
	lab->b.usage_in.last_use_ms = lab->now + 20000;
	lab_advance(lab, 31000);
	none = lab->n_packets == 0;
	lab_run(lab);
	return none;
}

/* RFC 4555 3.12 SHOULD: ESP is a sign of life only if it comes from where the peer is; _i: 1 in UDP, which the backend tells of */
START_TEST(esp_from_elsewhere)
{
	struct lab *lab = mobile_up(_i ? ANY_A REST_A("encap = yes\n") : MOBILE_A,
				    _i ? ANY_B REST_B("dpd_delay = 30s\n encap = yes\n") : ANY_B REST_B("dpd_delay = 30s\n"), A1, B1);
	struct ike_sa *b = lab_sa(&lab->b);
	struct addr elsewhere = address(A2);

	ck_assert_uint_eq(b->children->encap, _i);
	ck_assert(esp_counts(lab));
	elsewhere.port = b->remote.port;
	lab->b.usage_in.last_use_ms = 0;
	lab_advance(lab, 1);
	nat_follow_esp(b->children, &elsewhere);
	lab->b.usage_in.last_use_ms = lab->now + 20000;
	lab_advance(lab, 31000);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	ck_assert(is_at(b, B1, A1));
	ck_assert(esp_counts(lab));
	lab_roam(&lab->a, A2);
	lab_run(lab);
	all_at(lab, A2, B1);
	/* of plain ESP nobody knows where it comes from */
	ck_assert_int_eq(esp_counts(lab), _i);
	lab_free(lab);
}
END_TEST

Suite *mobike_suite(void)
{
	Suite *s = suite_create("exchange/mobike");
	TCase *t = tcase_create("mobike");

	tcase_add_test(t, announced);
	tcase_add_loop_test(t, not_wanted, 0, 2);
	tcase_add_test(t, moves);
	tcase_add_test(t, moves_unchecked);
	tcase_add_loop_test(t, moves_with_loss, 0, 4);
	tcase_add_loop_test(t, moves_twice, 0, 3);
	tcase_add_test(t, moves_there_and_back);
	tcase_add_test(t, moves_family);
	tcase_add_test(t, stays);
	tcase_add_test(t, prefers_best_path);
	tcase_add_loop_test(t, waits_for_an_address, 0, 2);
	tcase_add_test(t, ends_without_an_address);
	tcase_add_test(t, nat_comes_and_goes);
	tcase_add_test(t, nat_changes_its_mapping);
	tcase_add_loop_test(t, esp_from_elsewhere, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

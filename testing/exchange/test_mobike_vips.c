/* SPDX-License-Identifier: Apache-2.0 */
#include "mobile.h"
#include "suites.h"

/* RFC 4555: our virtual addresses lead to nobody outside of their tunnels, so peers are not told of them and nothing goes there. */

#define VIP "10.3.0.1"

/* Neither in IKE_AUTH nor when they come and go is there a word of them. */
START_TEST(not_told)
{
	struct lab *lab = lab_new(MOBILE_A, MOBILE_B);
	unsigned sent;

	lab_roam(&lab->a, A1 " +" VIP " +fd03::1");
	lab_roam(&lab->b, "+10.3.0.2 " B1);
	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_deliver(lab);
	ck_assert(has_notify(lab, 0, NOTIFY_NO_ADDITIONAL_ADDRESSES));
	lab_deliver(lab);
	ck_assert(has_notify(lab, 0, NOTIFY_NO_ADDITIONAL_ADDRESSES));
	lab_run(lab);
	all_at(lab, A1, B1);
	sent = lab->sent;
	lab_roam(&lab->a, "+10.3.0.7 " A1 " +" VIP);
	lab_roam(&lab->b, B1);
	lab_roam(&lab->a, A1);
	ck_assert_uint_eq(lab->sent, sent);
	ck_assert_uint_eq(lab->a.kernel_moves + lab->b.kernel_moves, 0);
	lab_free(lab);
}
END_TEST

/* Our own address goes, and the system would take the virtual one: nothing goes out till there is another. */
START_TEST(not_gone_to)
{
	struct lab *lab = mobile();
	unsigned sent;

	lab_roam(&lab->a, "+" VIP " " A1);
	all_at(lab, A1, B1);
	lab_roam(&lab->a, "+" VIP);
	ck_assert(lab->a.sas[0]->offline && is_at(lab->a.sas[0], A1, B1));
	ike_sa_probe(lab->a.sas[0]);
	while (lab->n_packets)
		lab_drop(lab);
	sent = lab->sent;
	lab_advance(lab, 600000);
	ck_assert_uint_eq(lab->sent, sent);
	lab_roam(&lab->a, "+" VIP " " A2);
	lab_run(lab);
	all_at(lab, A2, B1);
	lab_free(lab);
}
END_TEST

/* The peer is silent: other paths are tried, none of them from a virtual address (RFC 4555, 3.5). */
START_TEST(not_tried)
{
	struct lab *lab = mobile_up(MOBILE_A, MOBILE_B, A1 " +" VIP " " A2, B1);
	struct addr vip = address(VIP);
	bool other = false;

	ike_sa_probe(lab->a.sas[0]);
	for (unsigned i = 0; i < 30; i++) {
		while (lab->n_packets) {
			ck_assert(!addr_equal_ip(&lab->packets[0].local, &vip));
			other = other || !addr_equal_ip(&lab->packets[0].local, &lab->a.sas[0]->local);
			lab_drop(lab);
		}
		lab_advance(lab, 2000);
	}
	ck_assert(other);
	lab_free(lab);
}
END_TEST

/* A responder that would have to move does not go there either. */
START_TEST(responder)
{
	struct lab *lab = mobile_up(MOBILE_A, MOBILE_B, A1, "+" VIP " " B1);

	lab_roam(&lab->b, "+" VIP);
	ck_assert(lab->b.sas[0]->offline && is_at(lab->b.sas[0], B1, A1));
	lab_roam(&lab->b, "+" VIP " " B2);
	lab_run(lab);
	all_at(lab, A1, B2);
	lab_free(lab);
}
END_TEST

/* A set-up waits for an address that leads somewhere. */
START_TEST(not_set_up_from)
{
	struct lab *lab = lab_new(MOBILE_A, MOBILE_B);

	lab_roam(&lab->a, "+" VIP);
	lab_initiate(&lab->a, "one");
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_free(lab);
}
END_TEST

/* Who says so goes through one tunnel to the gateway of another, and stays there while the address is there. */
START_TEST(tunnel_in_tunnel)
{
	struct lab *lab = lab_new("connections { net { version = 2\n local_addrs = " VIP "\n remote_addrs = 192.0.2.2\n" CONF_IKE "\n" REST_A(""),
				  MOBILE_B);

	lab_roam(&lab->a, "+" VIP " " A1);
	lab_roam(&lab->b, B1);
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	all_at(lab, VIP, B1);
	lab_roam(&lab->a, "+" VIP " " A2);
	lab_run(lab);
	all_at(lab, VIP, B1);
	lab_roam(&lab->a, A2);
	ck_assert(lab->a.sas[0]->offline);
	lab_roam(&lab->a, "+" VIP " " A2);
	lab_run(lab);
	all_at(lab, VIP, B1);
	lab_free(lab);
}
END_TEST

Suite *mobike_vips_suite(void)
{
	Suite *s = suite_create("exchange/mobike_vips");
	TCase *t = tcase_create("mobike_vips");

	tcase_add_test(t, not_told);
	tcase_add_test(t, not_gone_to);
	tcase_add_test(t, not_tried);
	tcase_add_test(t, responder);
	tcase_add_test(t, not_set_up_from);
	tcase_add_test(t, tunnel_in_tunnel);
	suite_add_tcase(s, t);
	return s;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/iana.h"
#include "sa/collision.h"
#include "sa_test.h"

/* RFC 7296, 2.25.1 and 2.25.2 as a table: state of the IKE_SA, of the CHILD_SA, the answer to a rekeying of it. */
START_TEST(rekey_child)
{
	static const struct {
		enum ike_state ike;
		enum child_state child;
		unsigned notify;
	} want[] = {
		{ IKE_STATE_ESTABLISHED, CHILD_STATE_INSTALLED, 0 },
		{ IKE_STATE_ESTABLISHED, CHILD_STATE_REKEYING, 0 },
		{ IKE_STATE_ESTABLISHED, CHILD_STATE_DELETING, NOTIFY_TEMPORARY_FAILURE },
		{ IKE_STATE_ESTABLISHED, CHILD_STATE_REKEYED, NOTIFY_TEMPORARY_FAILURE },
		{ IKE_STATE_ESTABLISHED, CHILD_STATE_DELETED, NOTIFY_CHILD_SA_NOT_FOUND },
		{ IKE_STATE_ESTABLISHED, CHILD_STATE_CREATED, NOTIFY_TEMPORARY_FAILURE },
		{ IKE_STATE_ESTABLISHED, CHILD_STATES, NOTIFY_CHILD_SA_NOT_FOUND },
		{ IKE_STATE_REKEYING, CHILD_STATE_INSTALLED, NOTIFY_TEMPORARY_FAILURE },
		{ IKE_STATE_DELETING, CHILD_STATE_INSTALLED, NOTIFY_TEMPORARY_FAILURE },
	};

	ck_assert_uint_eq(collision_rekey_child(want[_i].ike, want[_i].child), want[_i].notify);
}
END_TEST

START_TEST(rekey_ike)
{
	ck_assert_uint_eq(collision_rekey_ike(IKE_STATE_ESTABLISHED, false), 0);
	ck_assert_uint_eq(collision_rekey_ike(IKE_STATE_REKEYING, false), 0);
	ck_assert_uint_eq(collision_rekey_ike(IKE_STATE_ESTABLISHED, true), NOTIFY_TEMPORARY_FAILURE);
	ck_assert_uint_eq(collision_rekey_ike(IKE_STATE_DELETING, false), NOTIFY_TEMPORARY_FAILURE);
	ck_assert_uint_eq(collision_rekey_ike(IKE_STATE_REKEYED, false), NOTIFY_TEMPORARY_FAILURE);
}
END_TEST

#define N(TEXT) bytes_of((const uint8_t *)(TEXT), sizeof(TEXT) - 1)

/* Wherever the lowest of four nonces is, both sides agree on whose SA goes. */
START_TEST(lowest)
{
	struct bytes n[4] = { N("bbbb"), N("bbbc"), N("bbbd"), N("c") };
	struct collision_nonces a, b;

	n[_i] = _i % 2 ? N("bbb") : N("aZZZZZ");
	a = (struct collision_nonces){ n[0], n[1] };
	b = (struct collision_nonces){ n[2], n[3] };
	ck_assert_int_eq(collision_ours_redundant(a, b), _i < 2);
	ck_assert_int_eq(collision_ours_redundant(b, a), _i >= 2);
}
END_TEST

TCase *test_collision(void)
{
	TCase *t = tcase_create("collision");

	tcase_add_loop_test(t, rekey_child, 0, 7);
	tcase_add_test(t, rekey_ike);
	tcase_add_loop_test(t, lowest, 0, 4);
	return t;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/nat.h"
#include "sa_test.h"

/* NAT detection (RFC 7296, 2.23): what one side builds and the other finds. */

static struct addr nat_addr(const char *ip, uint16_t port)
{
	struct addr a;

	ck_assert(addr_parse(bytes_str(ip), &a));
	a.port = port;
	return a;
}

/* a sends from `local` to `remote`, b sees `source` and `dest`. Bit 1: b is behind a NAT, bit 2: a is. */
static unsigned nat_run(struct lab *lab, const struct addr *local, const struct addr *remote, const struct addr *source,
			const struct addr *dest, bool fake)
{
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);
	uint8_t data[256];
	struct builder builder = builder_of(data, sizeof(data));
	struct payload_list in;
	struct wire_error err;
	struct arena arena = { 0 };

	nat_build(a, &builder, local, remote, fake);
	ck_assert(result_is_ok(payloads_parse(&arena, writer_done(&builder.w), builder.first, &in, &err)));
	ck_assert_uint_eq(in.count, 2);
	b->nat_local = b->nat_remote = false;
	nat_detect(b, &in, a->spi_i, a->spi_r, dest, source);
	arena_free(&arena);
	return (b->nat_local ? 1 : 0) | (b->nat_remote ? 2 : 0);
}

START_TEST(between)
{
	struct lab *lab = sa_test_up(CONF_A, CONF_B);
	struct addr a = nat_addr(_i ? "2001:db8::1" : "192.0.2.1", 500), b = nat_addr(_i ? "2001:db8::2" : "192.0.2.2", 500);
	struct addr a_port = a, b_port = b;
	struct addr other = nat_addr(_i ? "2001:db8::3" : "203.0.113.1", 500);

	a_port.port = 1027;
	b_port.port = 4500;
	ck_assert_uint_eq(nat_run(lab, &a, &b, &a, &b, false), 0);
	ck_assert_uint_eq(nat_run(lab, &a, &b, &other, &b, false), 2);
	ck_assert_uint_eq(nat_run(lab, &a, &b, &a_port, &b, false), 2);
	ck_assert_uint_eq(nat_run(lab, &a, &b, &a, &other, false), 1);
	ck_assert_uint_eq(nat_run(lab, &a, &b, &a, &b_port, false), 1);
	ck_assert_uint_eq(nat_run(lab, &a, &b, &a_port, &other, false), 3);
	/* the two swapped is not the same as none */
	ck_assert_uint_eq(nat_run(lab, &a, &b, &b, &a, false), 3);
	/* to be encapsulated, the source claims to be elsewhere; the peer itself is behind nothing */
	ck_assert_uint_eq(nat_run(lab, &a, &b, &a, &b, true), 2);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 2.23: several source hashes, one of which fits, are no NAT; no hash at all says nothing. */
START_TEST(several)
{
	struct lab *lab = sa_test_up(CONF_A, CONF_B);
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);
	struct addr from = nat_addr("192.0.2.1", 500), to = nat_addr("192.0.2.2", 500), other = nat_addr("192.0.2.7", 500);
	uint8_t data[512];
	struct builder builder = builder_of(data, sizeof(data));
	struct payload_list in, none = { 0 };
	struct wire_error err;
	struct arena arena = { 0 };

	nat_build(a, &builder, &other, &to, false);
	nat_build(a, &builder, &from, &to, false);
	ck_assert(result_is_ok(payloads_parse(&arena, writer_done(&builder.w), builder.first, &in, &err)));
	ck_assert_uint_eq(in.count, 4);
	nat_detect(b, &in, a->spi_i, a->spi_r, &to, &from);
	ck_assert(!b->nat_local && !b->nat_remote);
	/* the hashes are of this SA only */
	nat_detect(b, &in, a->spi_i + 1, a->spi_r, &to, &from);
	ck_assert(b->nat_local && b->nat_remote);
	nat_detect(b, &none, a->spi_i, a->spi_r, &to, &other);
	ck_assert(!b->nat_local && !b->nat_remote);
	arena_free(&arena);
	lab_free(lab);
}
END_TEST

START_TEST(forced)
{
	struct lab *lab = sa_test_up(CONF_A_WITH(CONF_IKE "\n encap = yes", CHILD_A("one", "1", ESP)), CONF_B);
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);

	ck_assert(nat_forced(a) && !nat_forced(b));
	/* so both encapsulate, and talk on the NAT-T port */
	ck_assert(a->nat_fake && !a->nat_local && !a->nat_remote);
	ck_assert(b->nat_remote && !b->nat_local && !b->nat_fake);
	ck_assert(a->children->encap && b->children->encap);
	ck_assert_uint_eq(a->remote.port, IKE_NATT_PORT);
	ck_assert_uint_eq(b->remote.port, IKE_NATT_PORT);
	lab_free(lab);
}
END_TEST

TCase *test_nat(void)
{
	TCase *t = tcase_create("nat");

	tcase_add_loop_test(t, between, 0, 2);
	tcase_add_test(t, several);
	tcase_add_test(t, forced);
	return t;
}

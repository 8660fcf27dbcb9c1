/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "confs.h"
#include "lab.h"
#include "sa/seal.h"
#include "suites.h"

/* What RFC 7296 asks for and no other test shows; doc/rfc/ has the whole list. */

#define CONF_TWO_KE "proposals = aes128gcm16-prfsha256-x25519-ecp256"
#define PLAIN "esp_proposals = aes128gcm16"

static uint8_t space[8192];
static struct arena arena;
static struct ike_header header;
static struct payload_list list;

static struct builder fresh(void)
{
	return builder_of(space, sizeof(space));
}

static struct lab *up_with(const char *a, const char *b)
{
	struct lab *lab = lab_new(a, b);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab->b.kernel_children, 1);
	return lab;
}

static struct lab *up(void)
{
	return up_with(CONF_A, CONF_B);
}

static void done(struct lab *lab)
{
	arena_free(&arena);
	lab_free(lab);
}

/* The payloads of packet i: in `list`, the header in `header`. */
static void look(struct lab *lab, size_t i)
{
	lab_peek(lab, i, &arena, &header, &list);
}

static const struct payload *find(unsigned type)
{
	return payload_find(&list, type, NULL);
}

/* The payloads of `list`, as they are. */
static void copy_list(struct builder *b)
{
	for (size_t i = 0; i < list.count; i++)
		builder_raw(b, list.p[i].type, false, list.p[i].body);
}

/* a asks for child "two": the request in `list`, its id returned, the packet lost. */
static uint32_t ask_for_two(struct lab *lab)
{
	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	look(lab, 0);
	lab_drop(lab);
	return header.message_id;
}

/* Under this id a sends `b`; the answer is in `list`. */
static void ask(struct lab *lab, unsigned exchange, uint32_t id, const struct builder *b)
{
	lab_inject(&lab->a, lab_sa(&lab->a), exchange, false, id, b);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	look(lab, 0);
}

/* ---- what we send ---- */

/* RFC 7296, 2.5 and 3: what is fixed in the payloads */
static void check_payload(const struct payload *p)
{
	const uint8_t *body = p->body.p;

	/* RFC 7296, 3.2 MUST: critical and reserved bits are 0 */
	ck_assert_uint_eq(body[-3], 0);
	switch (p->type) {
	case PAYLOAD_KE:
		ck_assert(!body[2] && !body[3]);
		break;
	case PAYLOAD_IDI:
	case PAYLOAD_IDR:
	case PAYLOAD_AUTH:
	case PAYLOAD_TSI:
	case PAYLOAD_TSR:
		ck_assert(!body[1] && !body[2] && !body[3]);
		break;
	case PAYLOAD_NOTIFY:
		/* RFC 7296, 3.10 MUST: no protocol without SPI */
		ck_assert(p->notify.spi.n || !p->notify.protocol);
		/* RFC 7296, 2.4 MUST: only in the first IKE_AUTH */
		ck_assert(p->notify.type != NOTIFY_INITIAL_CONTACT ||
			  (header.exchange == EXCHANGE_IKE_AUTH && header.message_id == 1));
		break;
	case PAYLOAD_SA:
		for (size_t i = 0; i < p->sa.count; i++) {
			bool answer = header.flags & IKE_FLAG_RESPONSE;

			/* RFC 7296, 3.3.1 MUST: from 1 on, one by one */
			ck_assert(answer || p->sa.p[i].number == i + 1);
			ck_assert(header.exchange != EXCHANGE_IKE_SA_INIT || p->sa.p[i].spi_len == 0);
		}
		break;
	case PAYLOAD_CP:
		ck_abort_msg("nobody asked for a configuration payload");
	default:
		break;
	}
	if (p->type == PAYLOAD_TSI || p->type == PAYLOAD_TSR)
		for (size_t i = 0; i < p->ts.count; i++)
			ck_assert(p->ts.p[i].port_from == 0 && p->ts.p[i].port_to == UINT16_MAX);
}

/* RFC 7296, 2.5 SHOULD: payloads in the order of the figures */
static void check_order(void)
{
	static const uint8_t order[] = { PAYLOAD_IDI, PAYLOAD_IDR, PAYLOAD_AUTH, PAYLOAD_SA, PAYLOAD_KE, PAYLOAD_NONCE, PAYLOAD_TSI,
					 PAYLOAD_TSR };
	size_t last = 0;

	for (size_t i = 0; i < list.count; i++) {
		for (size_t rank = 0; rank < ARRAY_LEN(order); rank++) {
			bool create = header.exchange == EXCHANGE_CREATE_CHILD_SA;
			size_t at = rank;

			if (list.p[i].type != order[rank])
				continue;
			/* the nonce comes first in CREATE_CHILD_SA */
			if (create && order[rank] == PAYLOAD_KE)
				at = rank + 1;
			else if (create && order[rank] == PAYLOAD_NONCE)
				at = rank - 1;
			ck_assert_uint_ge(at, last);
			last = at;
		}
	}
}

/* RFC 7296, 3.4 MUST: the method of KE is one of the proposals; SHOULD: the first */
static void check_ke(void)
{
	const struct payload *sa = find(PAYLOAD_SA), *ke = find(PAYLOAD_KE);

	if (sa && ke)
		ck_assert_uint_eq(proposal_first(sa->sa, TRANSFORM_KE), ke->ke.method);
	if (sa && header.exchange == EXCHANGE_IKE_AUTH)
		/* RFC 7296, 1.2 SHOULD: no NONE, but nothing */
		for (size_t k = 0; k < sa->sa.p[0].count; k++)
			ck_assert_uint_ne(sa->sa.p[0].transforms[k].type, TRANSFORM_KE);
}

static void check_message(struct lab *lab)
{
	bool from_a = lab->packets[0].to == &lab->b, response;

	look(lab, 0);
	response = header.flags & IKE_FLAG_RESPONSE;
	ck_assert_uint_eq(header.version, 0x20);
	/* RFC 7296, 3.1 MUST: no other bits; a is the original initiator */
	ck_assert_uint_eq(header.flags & ~(IKE_FLAG_INITIATOR | IKE_FLAG_RESPONSE), 0);
	ck_assert_uint_eq(!!(header.flags & IKE_FLAG_INITIATOR), from_a);
	ck_assert_uint_eq(response, lab_sa(lab->packets[0].to) && lab_sa(lab->packets[0].to)->outstanding != NULL &&
					    response);
	ck_assert_uint_ne(header.spi_i, 0);
	ck_assert_uint_eq(header.spi_r == 0, header.exchange == EXCHANGE_IKE_SA_INIT && !response);
	if (header.exchange == EXCHANGE_IKE_SA_INIT) {
		/* RFC 7296, 2.23 MUST */
		ck_assert_ptr_nonnull(payload_notify(&list, NOTIFY_NAT_DETECTION_SOURCE_IP));
		ck_assert_ptr_nonnull(payload_notify(&list, NOTIFY_NAT_DETECTION_DESTINATION_IP));
	}
	for (size_t i = 0; i < list.count; i++)
		check_payload(&list.p[i]);
	check_order();
	check_ke();
}

static void run_checked(struct lab *lab)
{
	while (lab->n_packets) {
		check_message(lab);
		lab_deliver(lab);
	}
}

START_TEST(what_we_send)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_initiate(&lab->a, "one");
	run_checked(lab);
	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	run_checked(lab);
	lab_add_child(&lab->b, lab_sa(&lab->b), "two");
	run_checked(lab);
	ike_sa_terminate_child(lab_sa(&lab->b), lab_sa(&lab->b)->children, lab_request_new(&lab->b));
	run_checked(lab);
	ike_sa_probe(lab_sa(&lab->b));
	run_checked(lab);
	ck_assert_uint_ge(lab->sent, 10);
	ike_sa_terminate(lab_sa(&lab->a), false, lab_request_new(&lab->a));
	check_message(lab);
	done(lab);
}
END_TEST

/* RFC 7296, 2.1 and 2.2 MUST: the same bytes again; 2.4 MUST: at times that grow exponentially */
START_TEST(retransmissions)
{
	struct lab *lab = up();
	struct lab_packet first;
	uint64_t last, gap = 0;

	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	first = lab->packets[0];
	lab->n_packets = 0;
	last = lab->now;
	for (unsigned i = 0; i < lab->a.ctx.options.retransmit_tries; i++) {
		while (!lab->n_packets)
			lab_advance(lab, 10);
		ck_assert(bytes_equal(bytes_of(first.data, first.n), bytes_of(lab->packets[0].data, lab->packets[0].n)));
		ck_assert_uint_ge(lab->now - last, gap + gap / 2);
		gap = lab->now - last;
		last = lab->now;
		lab_drop(lab);
	}
	ck_assert_uint_ge(gap, 30000);
	free(first.data);
	done(lab);
}
END_TEST

/* RFC 7296, 2.3 MUST: with a window of 1 the next request waits for the answer to the last one */
START_TEST(one_request_at_a_time)
{
	struct lab *lab = up();
	struct ike_sa *a = lab_sa(&lab->a);

	lab_add_child(&lab->a, a, "two");
	ike_sa_probe(a);
	ike_sa_terminate_child(a, a->children, lab_request_new(&lab->a));
	ck_assert_uint_eq(lab->n_packets, 1);
	for (uint32_t id = a->outstanding->message_id; lab->n_packets; id++) {
		ck_assert_uint_eq(lab->n_packets, 1);
		look(lab, 0);
		ck_assert_uint_eq(header.message_id, id);
		lab_deliver(lab);
		ck_assert_uint_eq(lab->n_packets, 1);
		look(lab, 0);
		ck_assert(header.flags & IKE_FLAG_RESPONSE);
		lab_deliver(lab);
	}
	ck_assert_ptr_null(a->queued);
	done(lab);
}
END_TEST

/* RFC 7296, 2.10 and 3.9: nonces are long enough and none comes twice */
START_TEST(nonces)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct bytes seen[8];
	size_t n = 0;

	lab_initiate(&lab->a, "one");
	for (unsigned i = 0; i < 2; i++) {
		while (lab->n_packets) {
			look(lab, 0);
			if (find(PAYLOAD_NONCE))
				seen[n++] = find(PAYLOAD_NONCE)->nonce;
			lab_deliver(lab);
		}
		lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	}
	ck_assert_uint_eq(n, 4);
	for (size_t i = 0; i < n; i++) {
		/* half the key of the largest PRF */
		ck_assert_uint_ge(seen[i].n, 32);
		for (size_t k = 0; k < i; k++)
			ck_assert(!bytes_equal(seen[i], seen[k]));
	}
	done(lab);
}
END_TEST

/* RFC 7296, 2.4 MUST NOT: INITIAL_CONTACT of who may be at several places at once. _i: unique = never */
START_TEST(initial_contact_is_not_for_all)
{
	struct lab *lab = lab_new(_i ? CONF_A_WITH(CONF_IKE "\n unique = never", CHILD_A("one", "1", ESP)) : CONF_A, CONF_B);

	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_deliver(lab);
	look(lab, 0);
	ck_assert_uint_eq(header.exchange, EXCHANGE_IKE_AUTH);
	ck_assert_int_eq(payload_notify(&list, NOTIFY_INITIAL_CONTACT) != NULL, !_i);
	lab_run(lab);
	done(lab);
}
END_TEST

/* RFC 7296, 2.23 MUST: with a NAT between, all goes on from and to port 4500, and ESP in UDP */
START_TEST(nat_moves_to_4500)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_initiate(&lab->a, "one");
	lab->packets[0].remote.port = 1024; /* what the NAT made of 500 */
	lab_deliver(lab);
	ck_assert_uint_eq(lab->packets[0].local.port, 1024);
	lab->packets[0].local.port = 500;
	lab_deliver(lab);
	look(lab, 0);
	ck_assert_uint_eq(header.exchange, EXCHANGE_IKE_AUTH);
	ck_assert_uint_eq(lab->packets[0].remote.port, 4500);
	ck_assert_uint_eq(lab->packets[0].local.port, 4500);
	lab->packets[0].remote.port = 1025;
	lab_deliver(lab);
	ck_assert_uint_eq(lab->packets[0].local.port, 1025);
	lab_run(lab);
	ck_assert(lab_sa(&lab->a)->nat_local && !lab_sa(&lab->a)->nat_remote);
	ck_assert(lab_sa(&lab->b)->nat_remote && !lab_sa(&lab->b)->nat_local);
	ck_assert_uint_eq(lab_sa(&lab->b)->remote.port, 1025);
	ck_assert(lab_sa(&lab->a)->children->encap && lab_sa(&lab->b)->children->encap);
	done(lab);
}
END_TEST

/* RFC 7296, 2.8 MUST: the responder can receive on the new SA before it answers */
START_TEST(installed_before_the_answer)
{
	struct lab *lab = up();

	lab->b.kernel_async = true;
	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_deliver(lab);
	ck_assert_uint_eq(lab->b.n_pending, 1);
	lab_kernel_complete(&lab->b, KERNEL_OK); /* its SPI */
	ck_assert_uint_eq(lab->b.n_pending, 1);
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_kernel_complete(&lab->b, KERNEL_OK); /* installed */
	ck_assert_uint_eq(lab->n_packets, 1);
	done(lab);
}
END_TEST

/* RFC 7296, 3.4 MUST NOT: KE where no proposal has a method */
START_TEST(no_ke_without_method)
{
	struct lab *lab = up_with(CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", PLAIN) CHILD_A("two", "2", PLAIN)),
				  CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", PLAIN) CHILD_B("two", "2", PLAIN)));

	ask_for_two(lab);
	ck_assert_ptr_null(find(PAYLOAD_KE));
	ck_assert_uint_eq(proposal_first(find(PAYLOAD_SA)->sa, TRANSFORM_KE), KE_NONE);
	done(lab);
}
END_TEST

/* ---- IKE_SA_INIT again ---- */

static void answer_init(struct lab *lab, unsigned notify, struct bytes data)
{
	struct builder b = fresh();

	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, notify, data);
	lab_drop(lab);
	lab_inject_init(&lab->a, 0, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
}

/* RFC 7296, 2.6 MUST: the cookie first, all else unchanged; 3.1 MUST: no SPI of the responder, id 0 */
START_TEST(cookie_comes_first)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct bytes before, after, cookie = bytes_str("a cookie");

	lab_initiate(&lab->a, "one");
	before = bytes_of(arena_dup(&arena, lab->packets[0].data, lab->packets[0].n), lab->packets[0].n);
	answer_init(lab, NOTIFY_COOKIE, cookie);
	look(lab, 0);
	ck_assert_uint_eq(header.spi_r, 0);
	ck_assert_uint_eq(header.message_id, 0);
	ck_assert_uint_eq(list.p[0].type, PAYLOAD_NOTIFY);
	ck_assert_uint_eq(list.p[0].notify.type, NOTIFY_COOKIE);
	ck_assert(bytes_equal(list.p[0].notify.data, cookie));
	/* header, then the cookie's payload of 8 bytes and data */
	after = bytes_of(lab->packets[0].data, lab->packets[0].n);
	ck_assert_uint_eq(after.n, before.n + 8 + cookie.n);
	ck_assert_mem_eq(after.p + IKE_HEADER_LEN + 8 + cookie.n, before.p + IKE_HEADER_LEN, before.n - IKE_HEADER_LEN);
	done(lab);
}
END_TEST

/* RFC 7296, 2.6.1 SHOULD: the cookie stays when the method changes */
START_TEST(cookie_stays)
{
	struct lab *lab = lab_new(CONF_A_WITH(CONF_TWO_KE, CHILD_A("one", "1", ESP)), CONF_B);

	lab_initiate(&lab->a, "one");
	answer_init(lab, NOTIFY_COOKIE, bytes_str("a cookie"));
	answer_init(lab, NOTIFY_INVALID_KE_PAYLOAD, bytes_of("\0\023", 2));
	look(lab, 0);
	ck_assert_uint_eq(list.p[0].notify.type, NOTIFY_COOKIE);
	ck_assert_uint_eq(find(PAYLOAD_KE)->ke.method, KE_ECP_256);
	/* a peer that asks for a cookie again gets the new one */
	answer_init(lab, NOTIFY_COOKIE, bytes_str("another"));
	look(lab, 0);
	ck_assert(bytes_equal(list.p[0].notify.data, bytes_str("another")));
	ck_assert_uint_eq(find(PAYLOAD_KE)->ke.method, KE_ECP_256);
	done(lab);
}
END_TEST

/* RFC 7296, 1.2 MUST: all suites again, because the rejection was not authenticated */
START_TEST(init_again_offers_all)
{
	struct lab *lab = lab_new(CONF_A_WITH(CONF_TWO_KE, CHILD_A("one", "1", ESP)), CONF_B);
	struct bytes offer;

	lab_initiate(&lab->a, "one");
	look(lab, 0);
	offer = find(PAYLOAD_SA)->body;
	answer_init(lab, NOTIFY_INVALID_KE_PAYLOAD, bytes_of("\0\023", 2));
	look(lab, 0);
	ck_assert_uint_eq(find(PAYLOAD_KE)->ke.method, KE_ECP_256);
	ck_assert(bytes_equal(find(PAYLOAD_SA)->body, offer));
	done(lab);
}
END_TEST

/* ---- what we take ---- */

/* RFC 7296, 2.5 and 3.1 MUST: minor version, V and unused flags mean nothing */
START_TEST(header_bits)
{
	static uint8_t out[LIMIT_MESSAGE];
	struct lab *lab = up();
	struct ike_sa *a = lab_sa(&lab->a);
	struct ike_header h = { .spi_i = a->spi_i, .spi_r = a->spi_r, .version = 0x2f, .exchange = EXCHANGE_INFORMATIONAL,
				.flags = IKE_FLAG_INITIATOR | 0xd7, .message_id = 2 };
	struct bytes msg = seal_message(a, &h, 0, BYTES_NONE, out, sizeof(out));
	struct builder b = fresh();

	/* any packet, to take its place */
	lab_inject(&lab->a, a, EXCHANGE_INFORMATIONAL, false, 2, &b);
	free(lab->packets[0].data);
	lab->packets[0].data = xmemdup(msg.p, msg.n);
	lab->packets[0].n = msg.n;
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	look(lab, 0);
	ck_assert_uint_eq(header.version, 0x20);
	ck_assert_uint_eq(header.flags, IKE_FLAG_RESPONSE);
	ck_assert_uint_eq(header.message_id, 2);
	done(lab);
}
END_TEST

static void expect_answered(void)
{
	ck_assert_ptr_nonnull(find(PAYLOAD_SA));
	ck_assert_ptr_nonnull(find(PAYLOAD_TSI));
}

/* RFC 7296, 2.5 MUST NOT: refused for the order */
START_TEST(any_order)
{
	struct lab *lab = up();
	uint32_t id = ask_for_two(lab);
	struct builder b = fresh();

	for (size_t i = list.count; i-- > 0;)
		builder_raw(&b, list.p[i].type, false, list.p[i].body);
	ask(lab, EXCHANGE_CREATE_CHILD_SA, id, &b);
	expect_answered();
	done(lab);
}
END_TEST

static void set_bytes(uint8_t *p, size_t from, size_t to)
{
	memset(p + from, 0xff, to - from);
}

/* Sets what is reserved in a payload. */
static void disturb(const struct payload *p)
{
	uint8_t *body = (uint8_t *)p->body.p;

	switch (p->type) {
	case PAYLOAD_KE:
		set_bytes(body, 2, 4);
		break;
	case PAYLOAD_IDI:
	case PAYLOAD_AUTH:
	case PAYLOAD_TSI:
	case PAYLOAD_TSR:
	case PAYLOAD_CP:
		set_bytes(body, 1, 4);
		break;
	case PAYLOAD_SA:
		body[1] = 0xff;
		for (size_t at = 8 + body[6]; at < p->body.n; at += body[at + 2] << 8 | body[at + 3])
			body[at + 1] = body[at + 5] = 0xff;
		break;
	default:
		break;
	}
}

/* RFC 7296, 2.5 and 3.2 MUST: RESERVED is ignored, and so is the critical bit on what is known */
START_TEST(reserved_bits)
{
	struct lab *lab = up();
	uint32_t id = ask_for_two(lab);
	struct builder b = fresh();

	for (size_t i = 0; i < list.count; i++) {
		disturb(&list.p[i]);
		builder_raw(&b, list.p[i].type, true, list.p[i].body);
		space[b.start + 1] |= 0x7f;
	}
	ask(lab, EXCHANGE_CREATE_CHILD_SA, id, &b);
	expect_answered();
	done(lab);
}
END_TEST

/* The same for payloads that CREATE_CHILD_SA does not have. */
START_TEST(reserved_bits_parsed)
{
	static const struct cp_attribute attr = { CP_ATTR_APPLICATION_VERSION, { (const uint8_t *)"x", 1 } };
	struct id fqdn = { ID_TYPE_FQDN, bytes_str("a.test") };
	struct builder b = fresh();
	struct wire_error err;

	builder_id(&b, true, &fqdn);
	builder_auth(&b, AUTH_METHOD_SHARED_KEY, bytes_str("auth"));
	builder_cp(&b, CP_REQUEST, &attr, 1);
	for (unsigned again = 0; again < 2; again++) {
		ck_assert(result_is_ok(payloads_parse(&arena, writer_done(&b.w), b.first, &list, &err)));
		ck_assert(id_equal(&list.p[0].id, &fqdn));
		ck_assert_uint_eq(list.p[1].auth.method, AUTH_METHOD_SHARED_KEY);
		ck_assert(bytes_equal(list.p[1].auth.data, bytes_str("auth")));
		ck_assert_uint_eq(list.p[2].cp.type, CP_REQUEST);
		ck_assert_uint_eq(list.p[2].cp.attrs[0].type, CP_ATTR_APPLICATION_VERSION);
		for (size_t i = 0; i < list.count; i++)
			disturb(&list.p[i]);
		/* the reserved bit of the attribute */
		((uint8_t *)list.p[2].body.p)[4] |= 0x80;
	}
	arena_free(&arena);
}
END_TEST

/* RFC 7296, 2.11 MUST: back to where the request came from, from where it went to; an established SA stays where it is */
START_TEST(answers_go_back)
{
	struct lab *lab = up();
	struct addr remote = lab_sa(&lab->b)->remote;

	ike_sa_probe(lab_sa(&lab->a));
	lab->packets[0].remote.port = 12345;
	lab->packets[0].local.port = 4500;
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	ck_assert_uint_eq(lab->packets[0].local.port, 12345);
	ck_assert_uint_eq(lab->packets[0].remote.port, 4500);
	ck_assert_uint_eq(lab_sa(&lab->b)->remote.port, remote.port);
	done(lab);
}
END_TEST

/* RFC 7296, 1.5 and 3.1 MUST NOT: a message marked as a response is answered. _i: the exchange */
START_TEST(responses_are_not_answered)
{
	struct lab *lab = up();
	struct builder b = fresh();

	builder_delete(&b, PROTOCOL_IKE, NULL, 0);
	for (uint32_t id = 0; id < 4; id++) {
		lab_inject(&lab->a, lab_sa(&lab->a), (unsigned)_i, true, id, &b);
		lab_deliver(lab);
		lab_inject(&lab->b, lab_sa(&lab->b), (unsigned)_i, true, id, &b);
		lab_deliver(lab);
		ck_assert_uint_eq(lab->n_packets, 0);
	}
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	done(lab);
}
END_TEST

/* ---- selection ---- */

/* `list` with another SA payload. */
static void copy_with(struct builder *b, struct proposal_list offer)
{
	for (size_t i = 0; i < list.count; i++) {
		if (list.p[i].type == PAYLOAD_SA)
			builder_sa(b, offer);
		else
			builder_raw(b, list.p[i].type, false, list.p[i].body);
	}
}

/* A request for "two" with another SA payload. */
static void ask_with(struct lab *lab, struct proposal_list offer)
{
	uint32_t id = ask_for_two(lab);
	struct builder b = fresh();

	copy_with(&b, offer);
	ask(lab, EXCHANGE_CREATE_CHILD_SA, id, &b);
}

/* RFC 7296, 2.8 SHOULD NOT: another SA goes because its selectors are the same */
START_TEST(same_selectors_twice)
{
	static const struct transform ts[] = { { TRANSFORM_ENCR, ENCR_AES_GCM_16, 128 }, { TRANSFORM_ESN, 0, 0 },
					       { TRANSFORM_KE, KE_CURVE_25519, 0 } };
	struct proposal p = { PROTOCOL_ESP, 1, 4, { 1, 2, 3, 4 }, ARRAY_LEN(ts), ts };
	struct lab *lab = up();
	uint32_t id = ask_for_two(lab);
	struct payload_list request = list;

	for (unsigned i = 0; i < 2; i++) {
		struct builder b = fresh();

		p.spi[0]++;
		list = request;
		copy_with(&b, (struct proposal_list){ 1, &p });
		ask(lab, EXCHANGE_CREATE_CHILD_SA, id + i, &b);
		expect_answered();
		lab_drop(lab);
	}
	ck_assert_uint_eq(lab->b.kernel_children, 3);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 3);
	done(lab);
}
END_TEST

/* RFC 7296, 3.3.1 MUST: the accepted proposal keeps its number */
START_TEST(number_comes_back)
{
	static const struct transform bad[] = { { TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 }, { TRANSFORM_ESN, 0, 0 } };
	static const struct transform good[] = { { TRANSFORM_ENCR, ENCR_AES_GCM_16, 128 }, { TRANSFORM_ESN, 0, 0 },
						 { TRANSFORM_KE, KE_CURVE_25519, 0 } };
	struct proposal p[] = {
		{ PROTOCOL_ESP, 1, 4, { 1, 2, 3, 4 }, ARRAY_LEN(bad), bad },
		{ PROTOCOL_ESP, 2, 4, { 1, 2, 3, 4 }, ARRAY_LEN(good), good },
	};
	struct lab *lab = up();

	ask_with(lab, (struct proposal_list){ 2, p });
	expect_answered();
	ck_assert_uint_eq(find(PAYLOAD_SA)->sa.count, 1);
	ck_assert_uint_eq(find(PAYLOAD_SA)->sa.p[0].number, 2);
	done(lab);
}
END_TEST

START_TEST(number_comes_back_in_init)
{
	struct lab *lab = lab_new(CONF_A_WITH("proposals = aes256gcm16-prfsha256-x25519,aes128gcm16-prfsha256-x25519",
					      CHILD_A("one", "1", ESP)),
				  CONF_B);

	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	look(lab, 0);
	ck_assert_uint_eq(find(PAYLOAD_SA)->sa.p[0].number, 2);
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	done(lab);
}
END_TEST

/* RFC 7296, 3.3.6 MUST: NONE is selected, so KE is ignored and not answered */
START_TEST(unwanted_ke)
{
	static const struct transform ts[] = { { TRANSFORM_ENCR, ENCR_AES_GCM_16, 128 }, { TRANSFORM_ESN, 0, 0 },
					       { TRANSFORM_KE, KE_CURVE_25519, 0 }, { TRANSFORM_KE, KE_NONE, 0 } };
	struct proposal p = { PROTOCOL_ESP, 1, 4, { 1, 2, 3, 4 }, ARRAY_LEN(ts), ts };
	struct lab *lab = up_with(CONF_A, CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", PLAIN) CHILD_B("two", "2", PLAIN)));

	ask_with(lab, (struct proposal_list){ 1, &p });
	expect_answered();
	ck_assert_ptr_null(find(PAYLOAD_KE));
	done(lab);
}
END_TEST

/* ---- notifies and deletes ---- */

/* RFC 7296, 3.10.1 and 3.12 MUST: unknown notifies and vendor ids in a request mean nothing */
START_TEST(unknown_notifies)
{
	struct lab *lab = up();
	uint32_t id = ask_for_two(lab);
	struct builder b = fresh();

	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, 9999, bytes_str("error"));
	builder_vendor(&b, bytes_str("nobody"));
	copy_list(&b);
	builder_notify(&b, PROTOCOL_ESP, bytes_str("spi!"), 50000, bytes_str("status"));
	ask(lab, EXCHANGE_CREATE_CHILD_SA, id, &b);
	expect_answered();
	done(lab);
}
END_TEST

/* RFC 7296, 3.10.1 MUST: an unknown error in the answer is the end of the request. _i: the rest of a good answer is there, too */
START_TEST(unknown_error_in_answer)
{
	struct lab *lab = up();
	uint64_t r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	struct builder b = fresh();

	lab_deliver(lab);
	look(lab, 0);
	lab_drop(lab);
	if (_i)
		copy_list(&b);
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, 9999, BYTES_NONE);
	lab_inject(&lab->b, lab_sa(&lab->b), EXCHANGE_CREATE_CHILD_SA, true, header.message_id, &b);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_PEER_ERROR);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab->a.kernel_children, 1);
	/* with the rest of the answer the peer may have it: it is told */
	ck_assert_uint_eq(lab->b.kernel_children, _i ? 1 : 2);
	done(lab);
}
END_TEST

/* RFC 7296, 3.10 MUST: without SPI the protocol is ignored */
START_TEST(protocol_without_spi)
{
	struct lab *lab = up();
	uint64_t r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	struct builder b = fresh();

	look(lab, 0);
	lab_drop(lab);
	builder_notify(&b, PROTOCOL_ESP, BYTES_NONE, NOTIFY_TS_UNACCEPTABLE, BYTES_NONE);
	lab_inject(&lab->b, lab_sa(&lab->b), EXCHANGE_CREATE_CHILD_SA, true, header.message_id, &b);
	lab_run(lab);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_SELECTORS);
	done(lab);
}
END_TEST

/* RFC 7296, 1.4.1 MUST NOT: deletes cross, so the answers name nothing */
START_TEST(crossed_deletes_are_empty)
{
	struct lab *lab = up();

	ike_sa_terminate_child(lab_sa(&lab->a), lab_sa(&lab->a)->children, lab_request_new(&lab->a));
	ike_sa_terminate_child(lab_sa(&lab->b), lab_sa(&lab->b)->children, lab_request_new(&lab->b));
	lab_deliver(lab);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 2);
	for (size_t i = 0; i < 2; i++) {
		look(lab, i);
		ck_assert(header.flags & IKE_FLAG_RESPONSE);
		ck_assert_uint_eq(list.count, 0);
	}
	lab_run(lab);
	ck_assert_uint_eq(lab->a.kernel_children + lab->b.kernel_children, 0);
	done(lab);
}
END_TEST

/* RFC 7383, 3 MUST NOT: a synchronization of message ids in fragments */
START_TEST(sync_is_whole)
{
	struct lab *lab = up();

	lab->a.ctx.options.fragment_size_v4 = lab->b.ctx.options.fragment_size_v4 = LIMIT_FRAGMENT_SIZE_MIN;
	ike_sa_sync_ids(lab_sa(&lab->b));
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(lab->n_packets, 1);
		ck_assert_uint_eq(lab->packets[0].data[16], PAYLOAD_SK);
		look(lab, 0);
		ck_assert_ptr_nonnull(payload_notify(&list, NOTIFY_IKEV2_MESSAGE_ID_SYNC));
		lab_deliver(lab);
	}
	done(lab);
}
END_TEST

/* RFC 7296, 2.20 and 3.15.1 MUST: what is asked for in a configuration payload is not had: no payload comes back */
START_TEST(version_is_not_told)
{
	static const struct cp_attribute attr = { CP_ATTR_APPLICATION_VERSION, { NULL, 0 } };
	struct lab *lab = up();
	struct builder b = fresh();

	builder_cp(&b, _i ? CP_SET : CP_REQUEST, &attr, 1);
	ask(lab, EXCHANGE_INFORMATIONAL, lab_sa(&lab->a)->out.next, &b);
	ck_assert(header.flags & IKE_FLAG_RESPONSE);
	ck_assert_uint_eq(list.count, 0);
	done(lab);
}
END_TEST

Suite *rfc_suite(void)
{
	Suite *s = suite_create("exchange/rfc");
	TCase *t = tcase_create("all");

	tcase_add_test(t, what_we_send);
	tcase_add_test(t, retransmissions);
	tcase_add_test(t, one_request_at_a_time);
	tcase_add_test(t, nonces);
	tcase_add_loop_test(t, initial_contact_is_not_for_all, 0, 2);
	tcase_add_test(t, nat_moves_to_4500);
	tcase_add_test(t, installed_before_the_answer);
	tcase_add_test(t, no_ke_without_method);
	tcase_add_test(t, cookie_comes_first);
	tcase_add_test(t, cookie_stays);
	tcase_add_test(t, init_again_offers_all);
	tcase_add_test(t, header_bits);
	tcase_add_test(t, any_order);
	tcase_add_test(t, reserved_bits);
	tcase_add_test(t, reserved_bits_parsed);
	tcase_add_test(t, answers_go_back);
	tcase_add_loop_test(t, responses_are_not_answered, EXCHANGE_IKE_SA_INIT, EXCHANGE_INFORMATIONAL + 1);
	tcase_add_test(t, same_selectors_twice);
	tcase_add_test(t, number_comes_back);
	tcase_add_test(t, number_comes_back_in_init);
	tcase_add_test(t, unwanted_ke);
	tcase_add_test(t, unknown_notifies);
	tcase_add_loop_test(t, unknown_error_in_answer, 0, 2);
	tcase_add_test(t, protocol_without_spi);
	tcase_add_test(t, crossed_deletes_are_empty);
	tcase_add_test(t, sync_is_whole);
	tcase_add_loop_test(t, version_is_not_told, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

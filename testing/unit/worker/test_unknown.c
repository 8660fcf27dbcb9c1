/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "plugin/loader.h"
#include "sa/qcd.h"
#include "side.h"
#include "wire/builder.h"
#include "worker/internal.h"

/* SPIs that one side does not know (RFC 7296, 1.5 and 2.21.4; RFC 6290). Others are played from a raw socket. */

#define MARKER_LEN 4

struct raw {
	int fd;
	uint16_t port;
	struct ike_header h; /* of the last answer */
	struct payload_list list;
	struct arena arena;
};

/* To the port without markers, or to that of NAT-T. */
static void raw_start(struct raw *r, const struct side *s, bool natt)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(natt ? net_port_nat_t(s->net) : net_port(s->net)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in own;
	socklen_t len = sizeof(own);

	*r = (struct raw){ .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	ck_assert_int_ge(r->fd, 0);
	ck_assert_int_eq(connect(r->fd, (struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(getsockname(r->fd, (struct sockaddr *)&own, &len), 0);
	r->port = ntohs(own.sin_port);
}

static void raw_end(struct raw *r)
{
	close(r->fd);
	arena_free(&r->arena);
}

static void raw_send(struct raw *r, struct bytes msg)
{
	ck_assert_int_eq(send(r->fd, msg.p, msg.n, 0), (ssize_t)msg.n);
}

static bool raw_get(struct raw *r, size_t marker)
{
	struct wire_error err;
	uint8_t *msg;
	ssize_t n;

	arena_reset(&r->arena);
	msg = arena_alloc(&r->arena, 2048);
	n = recv(r->fd, msg, 2048, MSG_DONTWAIT);
	if (n < 0)
		return false;
	ck_assert_int_gt(n, (int)(IKE_HEADER_LEN + marker));
	ck_assert(result_is_ok(header_parse(bytes_of(msg + marker, (size_t)n - marker), &r->h)));
	ck_assert(result_is_ok(payloads_parse(&r->arena,
					      bytes_of(msg + marker + IKE_HEADER_LEN, (size_t)n - marker - IKE_HEADER_LEN),
					      r->h.next, &r->list, &err)));
	return true;
}

static void raw_wait(struct raw *r, size_t marker)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };

	ck_assert_msg(poll(&p, 1, SIDE_WAIT_MS) == 1, "no answer");
	ck_assert(raw_get(r, marker));
}

/* What looks like a protected request: nobody can tell before there are keys. */
static struct bytes sealed(uint8_t *out, const struct ike_header *h, uint8_t next)
{
	uint8_t body[40] = { 1, 2, 3 };
	struct builder b = builder_of(out, 512);
	struct ike_header with = *h;

	with.version = IKE_VERSION;
	builder_header(&b, &with);
	builder_raw(&b, next, false, bytes_of(body, sizeof(body)));
	return builder_finish(&b);
}

/* All sent before has been read when this has its answer. */
static void raw_settle(struct raw *r)
{
	struct ike_header h = { .spi_i = 0xe, .spi_r = 0xe, .exchange = EXCHANGE_INFORMATIONAL, .flags = IKE_FLAG_INITIATOR,
				.message_id = 4711 };
	uint8_t msg[512];

	raw_send(r, sealed(msg, &h, PAYLOAD_SK));
	raw_wait(r, 0);
	ck_assert_uint_eq(r->h.message_id, 4711);
}

static bool token_expected(const struct side *s, unsigned generation, bool initiator, uint64_t spi_i, uint64_t spi_r,
			   uint8_t *ret)
{
	struct crypto_ctx *c = crypto_ctx_new(s->options.crypto);
	bool ok = qcd_token(c, &s->options.sa.qcd_secrets, generation, initiator, spi_i, spi_r, ret);

	crypto_ctx_free(c);
	return ok;
}

/* _i: bit 0 who asks is the initiator, then how many generations of secrets there are */
START_TEST(answered)
{
	struct side_setup setup = { .workers = 2, .qcd_generations = _i / 2 };
	bool initiator = _i & 1;
	struct ike_header h = { .spi_i = 0x0011223344556677, .spi_r = 0x0099aabbccddeeff, .exchange = EXCHANGE_CREATE_CHILD_SA,
				.flags = initiator ? IKE_FLAG_INITIATOR : 0, .message_id = 9 };
	uint8_t msg[512], token[QCD_TOKEN_LEN];
	struct side s;
	struct raw r;

	side_start(&s, &setup, SIDE_B, 0);
	raw_start(&r, &s, false);
	raw_send(&r, sealed(msg, &h, _i % 3 ? PAYLOAD_SK : PAYLOAD_SKF));
	raw_wait(&r, 0);
	/* RFC 7296, 1.5: SPIs, exchange and id as in the request */
	ck_assert_uint_eq(r.h.spi_i, h.spi_i);
	ck_assert_uint_eq(r.h.spi_r, h.spi_r);
	ck_assert_uint_eq(r.h.exchange, h.exchange);
	ck_assert_uint_eq(r.h.message_id, 9);
	ck_assert_uint_eq(r.h.flags, IKE_FLAG_RESPONSE | (initiator ? 0 : IKE_FLAG_INITIATOR));
	ck_assert_uint_eq(r.list.count, 1 + setup.qcd_generations);
	ck_assert_uint_eq(r.list.p[0].notify.type, NOTIFY_INVALID_IKE_SPI);
	ck_assert_uint_eq(r.list.p[0].notify.data.n, 0);
	for (unsigned i = 0; i < setup.qcd_generations; i++) {
		const struct payload_notify *n = &r.list.p[1 + i].notify;

		ck_assert_uint_eq(n->type, NOTIFY_QUICK_CRASH_DETECTION);
		ck_assert_uint_eq(n->protocol, PROTOCOL_IKE);
		ck_assert(token_expected(&s, i, !initiator, h.spi_i, h.spi_r, token));
		ck_assert(bytes_equal(n->data, bytes_of(token, sizeof(token))));
	}
	/* RFC 6290 9.2 MUST NOT: an SPI of another segment may live on another node */
	h.spi_i |= 1ull << 56;
	h.spi_r |= 1ull << 56;
	raw_send(&r, sealed(msg, &h, PAYLOAD_SK));
	raw_wait(&r, 0);
	ck_assert_uint_eq(r.list.count, 1);
	raw_end(&r);
	side_stop(&s, 0);
}
END_TEST

/* What is not to be answered. */
START_TEST(not_answered)
{
	struct side_setup setup = { .workers = 1, .qcd_generations = 1 };
	struct ike_header h = { .spi_i = 1, .spi_r = 2, .exchange = EXCHANGE_INFORMATIONAL, .flags = IKE_FLAG_INITIATOR };
	uint8_t msg[512], room[64];
	struct builder b = builder_of(room, sizeof(room));
	struct ike_header x;
	struct side s;
	struct raw r;

	side_start(&s, &setup, SIDE_B, 0);
	raw_start(&r, &s, false);
	x = h;
	x.flags |= IKE_FLAG_RESPONSE; /* RFC 7296 2.21.4 MUST NOT */
	raw_send(&r, sealed(msg, &x, PAYLOAD_SK));
	x = h;
	x.spi_r = 0;
	raw_send(&r, sealed(msg, &x, PAYLOAD_SK));
	x = h;
	x.spi_i = 0;
	raw_send(&r, sealed(msg, &x, PAYLOAD_SK));
	x = h;
	x.exchange = EXCHANGE_IKE_SA_INIT;
	raw_send(&r, sealed(msg, &x, PAYLOAD_SK));
	raw_send(&r, sealed(msg, &h, PAYLOAD_NONCE));
	raw_send(&r, sealed(msg, &h, 0xee));
	/* RFC 7296 1.5 MUST NOT: respond to an unprotected notify */
	h.version = IKE_VERSION;
	builder_header(&b, &h);
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_INVALID_IKE_SPI, BYTES_NONE);
	raw_send(&r, builder_finish(&b));
	raw_settle(&r);
	ck_assert(!raw_get(&r, 0));
	raw_end(&r);
	side_stop(&s, 0);
}
END_TEST

/* RFC 7296 2.21.4: a limit per source. */
START_TEST(limited)
{
	struct side_setup setup = { .workers = 1, .qcd_generations = 1 };
	struct ike_header h = { .spi_i = 1, .spi_r = 2, .exchange = EXCHANGE_INFORMATIONAL, .flags = IKE_FLAG_INITIATOR };
	unsigned answers = 0;
	uint8_t msg[512];
	struct side s;
	struct raw r;

	side_start(&s, &setup, SIDE_B, 0);
	raw_start(&r, &s, false);
	for (unsigned i = 0; i < 1000; i++) {
		h.message_id = i;
		raw_send(&r, sealed(msg, &h, PAYLOAD_SK));
		if (i % 50 == 0)
			ck_assert_uint_le(side_stats(&s).half_open, 0); /* the worker has its turn: nothing is lost */
	}
	(void)side_stats(&s);
	for (unsigned i = 0; i < 100 && raw_get(&r, 0); i++)
		answers++;
	ck_assert_uint_ge(answers, 1);
	ck_assert_uint_lt(answers, 80);
	raw_end(&r);
	side_stop(&s, 0);
}
END_TEST

/* RFC 6290, 8.1: a limit per IKE_SA that it is said of. A gateway that has lost all of them says so from one address. */
START_TEST(limited_per_sa)
{
	struct workers pool = { 0 };
	struct worker w = { .pool = &pool, .unknown = unknown_limits_new() };
	struct addr gateway = addr_from_ip(AF_INET, (uint8_t[]){ 192, 0, 2, 1 });
	unsigned n = 0;

	w.ctx.wheel = wheel_new(1000);
	for (uint64_t spi = 1; spi <= 1000; spi++)
		ck_assert(unknown_known_within_limits(&w, spi));
	while (n < 100 && unknown_known_within_limits(&w, 1))
		n++;
	ck_assert_uint_lt(n, 20);
	ck_assert(unknown_known_within_limits(&w, 2));
	/* what nobody has an IKE_SA for is not counted with it */
	for (n = 0; n < 100 && unknown_within_limits(&w, &gateway); n++)
		;
	ck_assert_uint_eq(n, 20);
	ck_assert(unknown_known_within_limits(&w, 2));
	wheel_free(w.ctx.wheel);
	unknown_limits_free(w.unknown);
}
END_TEST

/* ---- with an IKE_SA ---- */

struct two {
	struct side a, b;
	uint64_t spi_i, spi_r;
	uint32_t spi_in, spi_out; /* of a's child */
};

static void two_look(struct two *t)
{
	static const struct worker_select all;
	struct worker_reply *reply;
	bool done = false;

	workers_list(t->a.w, 8, t->a.box, &all);
	while (!done) {
		reply = side_next(&t->a);
		done = reply->mail.kind == WORKER_REPLY_DONE;
		if (!done) {
			t->spi_i = reply->info->spi_i;
			t->spi_r = reply->info->spi_r;
			t->spi_in = reply->info->children[0].spi_in;
			t->spi_out = reply->info->children[0].spi_out;
		}
		worker_reply_free(reply);
	}
}

static void two_start(struct two *t, unsigned workers)
{
	struct side_setup setup = { .workers = workers, .qcd_generations = 1 };

	side_start(&t->b, &setup, SIDE_B, 0);
	side_start(&t->a, &setup, SIDE_A, side_port(&t->b));
	side_up(&t->a, "load", "net", 1);
	two_look(t);
}

static void two_stop(struct two *t)
{
	side_stop(&t->a, 2000);
	side_stop(&t->b, 0);
}

/* RFC 6290 9.2 MUST NOT: no trick makes a node give the token of an IKE_SA that it has. */
START_TEST(living_sa)
{
	struct ike_header h = { .exchange = EXCHANGE_INFORMATIONAL, .message_id = 50 };
	uint8_t msg[512], token[2][QCD_TOKEN_LEN];
	struct two t;
	struct raw r;

	two_start(&t, 1 + (_i & 1));
	/* what b gave to a as responder, what a gave to b as initiator: the secrets are the same here */
	ck_assert(token_expected(&t.b, 0, false, t.spi_i, t.spi_r, token[0]));
	ck_assert(token_expected(&t.b, 0, true, t.spi_i, t.spi_r, token[1]));
	raw_start(&r, &t.b, false);
	h.spi_i = t.spi_i;
	h.spi_r = t.spi_r;
	h.flags = IKE_FLAG_INITIATOR; /* b has it: no answer */
	raw_send(&r, sealed(msg, &h, PAYLOAD_SK));
	h.flags = 0; /* looks as if b had begun it */
	raw_send(&r, sealed(msg, &h, PAYLOAD_SK));
	raw_wait(&r, 0);
	ck_assert_uint_eq(r.h.flags, IKE_FLAG_RESPONSE | IKE_FLAG_INITIATOR);
	ck_assert_uint_eq(r.list.count, 2);
	ck_assert(!bytes_equal(r.list.p[1].notify.data, bytes_of(token[0], QCD_TOKEN_LEN)));
	ck_assert(bytes_equal(r.list.p[1].notify.data, bytes_of(token[1], QCD_TOKEN_LEN)));
	(void)side_stats(&t.b);
	ck_assert(!raw_get(&r, 0));
	raw_end(&r);
	two_stop(&t);
}
END_TEST

/* b's token, from anywhere, ends a's IKE_SA; another does not. */
START_TEST(token_taken)
{
	struct ike_header h = { .version = IKE_VERSION, .exchange = EXCHANGE_INFORMATIONAL, .flags = IKE_FLAG_RESPONSE };
	uint8_t room[256], token[QCD_TOKEN_LEN];
	struct two t;
	struct raw r;

	two_start(&t, 1 + 3 * _i);
	workers_want_events(t.a.w, 1u << SA_EVENT_IKE_DOWN);
	raw_start(&r, &t.a, false);
	h.spi_i = t.spi_i;
	h.spi_r = t.spi_r;
	ck_assert(token_expected(&t.b, 0, false, t.spi_i, t.spi_r, token));
	for (unsigned round = 0; round < 2; round++) {
		struct builder b = builder_of(room, sizeof(room));

		token[3] ^= 0xff; /* wrong, then right */
		builder_header(&b, &h);
		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_INVALID_IKE_SPI, BYTES_NONE);
		builder_notify(&b, PROTOCOL_IKE, BYTES_NONE, NOTIFY_QUICK_CRASH_DETECTION, bytes_of(token, sizeof(token)));
		raw_send(&r, builder_finish(&b));
		if (round) {
			side_events(&t.a, SA_EVENT_IKE_DOWN, 1);
			ck_assert_uint_eq(side_list(&t.a, NULL).sas, 0);
		} else {
			while (!side_stats(&t.a).counters[SA_COUNTER_TOKEN_WRONG])
				;
			ck_assert_uint_eq(side_list(&t.a, NULL).sas, 1);
		}
	}
	raw_end(&r);
	two_stop(&t);
}
END_TEST

static uint64_t info_asked(struct side *s)
{
	return side_stats(s).counters[SA_COUNTER_INFO_OUT_REQ];
}

/* Unprotected INVALID_SPI with SPIs of zero: a asks b, whichever worker gets it. */
START_TEST(esp_hint)
{
	struct ike_header h = { .version = IKE_VERSION, .exchange = EXCHANGE_INFORMATIONAL, .flags = IKE_FLAG_INITIATOR };
	uint8_t room[256], data[4];
	struct two t;
	struct raw r;

	two_start(&t, 1 + 3 * _i);
	raw_start(&r, &t.a, false);
	for (unsigned round = 0; round < 2; round++) {
		struct builder b = builder_of(room, sizeof(room));
		struct writer w = writer_of(data, sizeof(data));

		writer_u32(&w, t.spi_out + !round); /* first one that nobody has */
		builder_header(&b, &h);
		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_INVALID_SPI, writer_done(&w));
		raw_send(&r, builder_finish(&b));
		while (round && !info_asked(&t.a))
			;
	}
	ck_assert_uint_eq(info_asked(&t.a), 1);
	ck_assert_uint_eq(side_list(&t.a, NULL).established, 1);
	raw_end(&r);
	two_stop(&t);
}
END_TEST

/* ESP that b knows nothing of: said in the IKE_SA if there is one, else without. */
START_TEST(esp_unknown)
{
	struct kernel_event ev = { .kind = KERNEL_EVENT_INVALID_SPI, .spi = 0x12345678 };
	struct reader rd;
	struct two t;
	struct raw r;

	two_start(&t, 1 + 3 * _i);
	raw_start(&r, &t.b, true);
	ck_assert(addr_parse(bytes_str("127.0.0.1"), &ev.src));
	ev.src.port = r.port;
	workers_kernel_event(t.b.w, &ev);
	raw_wait(&r, MARKER_LEN);
	ck_assert_uint_eq(r.h.spi_i, 0);
	ck_assert_uint_eq(r.h.flags, IKE_FLAG_INITIATOR);
	ck_assert_uint_eq(r.h.exchange, EXCHANGE_INFORMATIONAL);
	ck_assert_uint_eq(r.list.count, 1);
	ck_assert_uint_eq(r.list.p[0].notify.type, NOTIFY_INVALID_SPI);
	rd = reader_of(r.list.p[0].notify.data);
	ck_assert_uint_eq(reader_u32(&rd), 0x12345678);
	ck_assert(reader_done(&rd));
	/* its own inbound SPI is a's outbound one: known, however the packet came to be refused */
	ev.src.port = (uint16_t)side_port(&t.a);
	ev.spi = t.spi_out;
	workers_kernel_event(t.b.w, &ev);
	ck_assert_uint_eq(info_asked(&t.b), 0);
	ev.spi = 0x12345678;
	workers_kernel_event(t.b.w, &ev);
	while (!info_asked(&t.b))
		;
	ck_assert_uint_eq(info_asked(&t.b), 1);
	ck_assert_uint_eq(side_list(&t.a, NULL).children, 1);
	raw_end(&r);
	two_stop(&t);
}
END_TEST

/* ---- RFC 6311 from outside ---- */

static unsigned sync_matches(struct side *s, const struct worker_select *sel)
{
	unsigned matches = 0;

	workers_sync_ids(s->w, 12, s->box, sel, 100);
	for (unsigned i = 0; i < workers_count(s->w); i++) {
		struct worker_reply *r = side_next(s);

		ck_assert_uint_eq(r->mail.kind, WORKER_REPLY_MATCHES);
		ck_assert_uint_eq(r->request, 12);
		matches += r->matches;
		worker_reply_free(r);
	}
	return matches;
}

START_TEST(sync_ids)
{
	struct worker_select all = { 0 }, named = { .ike = "load" }, other = { .ike = "nobody" }, numbered = { 0 };
	struct two t;

	two_start(&t, 3);
	side_up(&t.a, "load", "net", 5);
	numbered.ike_id = workers_last_ike_id(t.a.w);
	ck_assert_uint_eq(sync_matches(&t.a, &other), 0);
	ck_assert_uint_eq(sync_matches(&t.a, &numbered), 1);
	while (info_asked(&t.a) < 1 || side_stats(&t.a).counters[SA_COUNTER_INFO_IN_RESP] < 1)
		;
	ck_assert_uint_eq(sync_matches(&t.a, &named), 6);
	while (side_stats(&t.a).counters[SA_COUNTER_INFO_IN_RESP] < 7)
		;
	ck_assert_uint_eq(sync_matches(&t.b, &all), 6);
	while (side_stats(&t.b).counters[SA_COUNTER_INFO_IN_RESP] < 6)
		;
	workers_sync_ids(t.a.w, 0, NULL, &all, 0);
	ck_assert_uint_eq(side_terminate(&t.a, &named, false), 6);
	two_stop(&t);
}
END_TEST

TCase *test_unknown(void)
{
	TCase *t = tcase_create("unknown SPIs");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, answered, 0, 10);
	tcase_add_test(t, not_answered);
	tcase_add_test(t, limited);
	tcase_add_test(t, limited_per_sa);
	tcase_add_loop_test(t, living_sa, 0, 2);
	tcase_add_loop_test(t, token_taken, 0, 2);
	tcase_add_loop_test(t, esp_hint, 0, 2);
	tcase_add_loop_test(t, esp_unknown, 0, 2);
	tcase_add_test(t, sync_ids);
	return t;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "plugin/loader.h"
#include "side.h"
#include "wire/builder.h"
#include "worker/internal.h"

/* What comes from anybody: cookies, limits of half-open IKE_SAs, other versions, garbage. Played from a raw socket. */

/* On port 500's stand-in: no marker in front. */
static int raw_open(const struct side *s)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(net_port(s->net)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void raw_send(int fd, struct bytes msg)
{
	ck_assert_int_eq(send(fd, msg.p, msg.n, 0), (ssize_t)msg.n);
}

/* The next answer: its header, and the type of its first notify (0 if its first payload is none) with its data. */
static unsigned raw_answer(int fd, struct ike_header *ret_header, struct buf *ret_data)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t msg[2048];
	struct arena arena = { 0 };
	struct payload_list list;
	struct wire_error err;
	unsigned type = 0;
	ssize_t n;

	ck_assert_msg(poll(&p, 1, SIDE_WAIT_MS) == 1, "no answer");
	n = recv(fd, msg, sizeof(msg), 0);
	ck_assert(n > 0 && result_is_ok(header_parse(bytes_of(msg, (size_t)n), ret_header)));
	ck_assert(result_is_ok(payloads_parse(&arena, bytes_of(msg + IKE_HEADER_LEN, (size_t)n - IKE_HEADER_LEN),
					      ret_header->next, &list, &err)));
	if (list.count && list.p[0].type == PAYLOAD_NOTIFY) {
		type = list.p[0].notify.type;
		buf_reset(ret_data);
		buf_add_bytes(ret_data, list.p[0].notify.data);
	}
	arena_free(&arena);
	return type;
}

static bool raw_quiet(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

/* An IKE_SA_INIT request that B's proposals accept; cookie may be empty. */
static struct bytes raw_init(uint8_t *out, size_t cap, uint64_t spi_i, struct bytes cookie)
{
	static const struct transform ts[] = { { TRANSFORM_ENCR, ENCR_AES_GCM_16, 128 }, { TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0 },
					       { TRANSFORM_KE, KE_CURVE_25519, 0 } };
	static const struct proposal p = { .protocol = PROTOCOL_IKE, .number = 1, .count = 3, .transforms = ts };
	static const uint8_t public[32] = { 9 }, nonce[32] = { 1 };
	struct ike_header h = { .spi_i = spi_i, .version = IKE_VERSION, .exchange = EXCHANGE_IKE_SA_INIT,
				.flags = IKE_FLAG_INITIATOR };
	struct builder b = builder_of(out, cap);

	builder_header(&b, &h);
	if (cookie.n)
		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_COOKIE, cookie);
	builder_sa(&b, (struct proposal_list){ 1, &p });
	builder_ke(&b, KE_CURVE_25519, bytes_of(public, sizeof(public)));
	builder_nonce(&b, bytes_of(nonce, sizeof(nonce)));
	return builder_finish(&b);
}

/* _i: by the threshold of all or that of an address */
START_TEST(cookies)
{
	struct side_setup plain = { .workers = 2 }, wary = { .workers = 2 };
	struct side a, b;
	struct ike_header h;
	struct buf cookie = { 0 }, again = { 0 };
	uint8_t msg[512];
	int fd;

	wary.cookie_threshold = _i ? 0 : 1;
	wary.cookie_threshold_ip = _i ? 1 : 0;
	side_start(&b, &wary, SIDE_B, 0);
	side_start(&a, &plain, SIDE_A, side_port(&b));
	fd = raw_open(&b);
	/* one half-open IKE_SA: from now on everybody is asked */
	raw_send(fd, raw_init(msg, sizeof(msg), 1, BYTES_NONE));
	ck_assert_uint_ne(raw_answer(fd, &h, &cookie), NOTIFY_COOKIE);
	ck_assert_uint_ne(h.spi_r, 0);
	raw_send(fd, raw_init(msg, sizeof(msg), 2, BYTES_NONE));
	ck_assert_uint_eq(raw_answer(fd, &h, &cookie), NOTIFY_COOKIE);
	ck_assert_uint_eq(h.spi_i, 2);
	ck_assert_uint_eq(h.spi_r, 0);
	ck_assert(cookie.n > 0 && cookie.n <= LIMIT_COOKIE);
	/* the same question has the same answer; no state was made */
	raw_send(fd, raw_init(msg, sizeof(msg), 2, BYTES_NONE));
	ck_assert_uint_eq(raw_answer(fd, &h, &again), NOTIFY_COOKIE);
	ck_assert_uint_eq(side_stats(&b).half_open, 1);
	/* changed, cut, or of another SPI: asked again */
	for (size_t k = 0; k < cookie.n; k++) {
		cookie.p[k] ^= 1;
		raw_send(fd, raw_init(msg, sizeof(msg), 2, buf_bytes(&cookie)));
		cookie.p[k] ^= 1;
		ck_assert_uint_eq(raw_answer(fd, &h, &again), NOTIFY_COOKIE);
	}
	raw_send(fd, raw_init(msg, sizeof(msg), 2, bytes_of(cookie.p, cookie.n - 1)));
	ck_assert_uint_eq(raw_answer(fd, &h, &again), NOTIFY_COOKIE);
	raw_send(fd, raw_init(msg, sizeof(msg), 3, buf_bytes(&cookie)));
	ck_assert_uint_eq(raw_answer(fd, &h, &again), NOTIFY_COOKIE);
	ck_assert_uint_eq(side_stats(&b).half_open, 1);
	/* as it was given */
	raw_send(fd, raw_init(msg, sizeof(msg), 2, buf_bytes(&cookie)));
	ck_assert_uint_ne(raw_answer(fd, &h, &again), NOTIFY_COOKIE);
	ck_assert_uint_ne(h.spi_r, 0);
	ck_assert_uint_eq(side_stats(&b).half_open, 2);
	/* set-ups go on as if nothing were */
	side_up(&a, "load", "net", 50);
	ck_assert_uint_eq(side_list(&a, NULL).children, 50);
	ck_assert_uint_ge(side_stats(&a).counters[SA_COUNTER_INIT_OUT_REQ], 100);
	ck_assert(raw_quiet(fd));
	close(fd);
	buf_free(&cookie);
	buf_free(&again);
	side_stop(&a, 2000);
	side_stop(&b, 0);
}
END_TEST

/* A peer that was asked for a cookie gets in without it, as the load is over; then what it says with the cookie is that again. */
START_TEST(cookie_comes_late)
{
	struct side_setup wary = { .workers = 2, .cookie_threshold = 1 };
	struct side b;
	struct ike_header h;
	struct buf cookie = { 0 }, none = { 0 };
	uint8_t msg[512];
	uint64_t spi_r;
	int fd;

	side_start(&b, &wary, SIDE_B, 0);
	fd = raw_open(&b);
	raw_send(fd, raw_init(msg, sizeof(msg), 1, BYTES_NONE));
	ck_assert_uint_ne(raw_answer(fd, &h, &none), NOTIFY_COOKIE);
	raw_send(fd, raw_init(msg, sizeof(msg), 2, BYTES_NONE));
	ck_assert_uint_eq(raw_answer(fd, &h, &cookie), NOTIFY_COOKIE);
	b.options.cookie_threshold = 0;
	workers_set_options(b.w, &b.options);
	raw_send(fd, raw_init(msg, sizeof(msg), 2, BYTES_NONE));
	ck_assert_uint_ne(raw_answer(fd, &h, &none), NOTIFY_COOKIE);
	spi_r = h.spi_r;
	ck_assert_uint_ne(spi_r, 0);
	raw_send(fd, raw_init(msg, sizeof(msg), 2, buf_bytes(&cookie)));
	ck_assert_uint_ne(raw_answer(fd, &h, &none), NOTIFY_COOKIE);
	ck_assert_uint_eq(h.spi_r, spi_r);
	ck_assert_uint_eq(side_stats(&b).half_open, 2);
	close(fd);
	buf_free(&cookie);
	buf_free(&none);
	side_stop(&b, 0);
}
END_TEST

/* Cookies of the last span of time are still good, older ones not (RFC 7296, 2.6). */
START_TEST(cookie_spans)
{
	struct crypto_registry *registry = crypto_registry_new();
	struct plugin_env env = { .crypto = registry };
	struct plugin_options options = { .dir = ".", .load = "openssl!" };
	struct plugin_set *set;
	struct workers pool = { .cookie_secret = { 1, 2, 3 } };
	struct worker w = { .pool = &pool };
	struct errtext err;
	struct addr from, other;
	uint8_t cookie[COOKIE_LEN], before[COOKIE_LEN];
	struct bytes nonce = bytes_str("0123456789abcdef"), nonce2 = bytes_str("0123456789abcdeg");
	struct bytes c = bytes_of(cookie, COOKIE_LEN);

	set = plugins_load(&options, &env, &err);
	ck_assert_msg(set != NULL, "%s", err.s);
	crypto_registry_freeze(registry);
	ck_assert(addr_parse(bytes_str("192.0.2.1"), &from) && addr_parse(bytes_str("192.0.2.2"), &other));
	w.ctx.crypto = crypto_ctx_new(registry);
	w.ctx.wheel = wheel_new(1000 * 120000);
	ck_assert(!cookie_may_be_held(&w));
	ck_assert(cookie_make(&w, &from, 7, nonce, 0, cookie));
	cookie_sent(&w);
	memcpy(before, cookie, sizeof(cookie));
	wheel_advance(w.ctx.wheel, 1000 * 120000 + 119999);
	ck_assert(cookie_check(&w, &from, 7, nonce, c));
	ck_assert(!cookie_check(&w, &other, 7, nonce, c));
	ck_assert(!cookie_check(&w, &from, 8, nonce, c));
	ck_assert(!cookie_check(&w, &from, 7, nonce2, c));
	ck_assert(!cookie_check(&w, &from, 7, nonce, BYTES_NONE));
	/* a NAT may give another port to each packet: it plays no part */
	from.port = 4711;
	ck_assert(cookie_check(&w, &from, 7, nonce, c));
	wheel_advance(w.ctx.wheel, 1001 * 120000);
	ck_assert(cookie_check(&w, &from, 7, nonce, c));
	ck_assert(cookie_make(&w, &from, 7, nonce, 0, cookie));
	ck_assert_int_ne(memcmp(before, cookie, sizeof(cookie)), 0);
	memcpy(cookie, before, sizeof(cookie));
	wheel_advance(w.ctx.wheel, 1002 * 120000 - 1);
	ck_assert(cookie_check(&w, &from, 7, nonce, c));
	/* as long as one is taken; not for ever */
	ck_assert(cookie_may_be_held(&w));
	wheel_advance(w.ctx.wheel, 1002 * 120000);
	ck_assert(!cookie_check(&w, &from, 7, nonce, c));
	ck_assert(!cookie_may_be_held(&w));
	wheel_free(w.ctx.wheel);
	crypto_ctx_free(w.ctx.crypto);
	plugins_unload(set);
	crypto_registry_free(registry);
}
END_TEST

/* _i: 0 block_threshold, 1 ikesa_limit, 2 initiator_only */
START_TEST(ignored)
{
	struct side_setup setup = { .workers = 1 };
	struct side b;
	struct ike_header h;
	struct buf data = { 0 };
	uint8_t msg[512];
	unsigned taken = _i < 2 ? 3 : 0;
	int fd;

	setup.block_threshold = _i == 0 ? 3 : 0;
	setup.ikesa_limit = _i == 1 ? 3 : 0;
	setup.initiator_only = _i == 2;
	side_start(&b, &setup, SIDE_B, 0);
	fd = raw_open(&b);
	for (uint64_t spi = 1; spi <= 10; spi++)
		raw_send(fd, raw_init(msg, sizeof(msg), spi, BYTES_NONE));
	for (unsigned i = 1; i <= taken; i++) {
		(void)raw_answer(fd, &h, &data);
		ck_assert_uint_eq(h.spi_i, i);
	}
	/* repeats of what was taken are answered; as the last in the queue this shows that nothing else was */
	raw_send(fd, raw_init(msg, sizeof(msg), 1, BYTES_NONE));
	if (taken) {
		(void)raw_answer(fd, &h, &data);
		ck_assert_uint_eq(h.spi_i, 1);
		ck_assert_uint_eq(side_stats(&b).counters[SA_COUNTER_REPEAT], 1);
	}
	ck_assert_uint_eq(side_stats(&b).half_open, taken);
	ck_assert(raw_quiet(fd));
	close(fd);
	buf_free(&data);
	side_stop(&b, 0);
}
END_TEST

static void garbage_send(int fd, unsigned round)
{
	uint8_t msg[512];
	size_t n = (size_t)random() % sizeof(msg);
	struct bytes init = raw_init(msg, sizeof(msg), 0x1000 + round, BYTES_NONE);

	switch (round % 6) {
	case 0: /* nothing but noise */
		for (size_t i = 0; i < sizeof(msg); i++)
			msg[i] = (uint8_t)random();
		raw_send(fd, bytes_of(msg, n));
		break;
	case 1: /* cut short */
		raw_send(fd, bytes_of(msg, (size_t)random() % init.n));
		break;
	case 2: /* IKEv1, and an answer of a version that is none */
		msg[17] = round & 8 ? 0x10 : 0x30;
		msg[19] = round & 8 ? 0 : IKE_FLAG_RESPONSE;
		raw_send(fd, init);
		break;
	case 3: /* of an SA that is none */
		for (size_t i = 8; i < 16; i++)
			msg[i] = (uint8_t)random();
		msg[18] = (uint8_t)(EXCHANGE_IKE_SA_INIT + random() % 12);
		msg[19] = (uint8_t)(random() & (IKE_FLAG_INITIATOR | IKE_FLAG_RESPONSE));
		raw_send(fd, init);
		break;
	case 4: /* IKE_SA_INIT that is an answer to nothing, without an SPI, with an id */
		msg[19] = round & 8 ? IKE_FLAG_RESPONSE : IKE_FLAG_INITIATOR;
		if (round & 16)
			memset(msg, 0, 8);
		else
			msg[23] = 1;
		raw_send(fd, init);
		break;
	default: /* an unknown exchange, without SPI of ours */
		msg[18] = (uint8_t)(60 + random() % 100);
		raw_send(fd, init);
	}
}

/* Nothing of this is answered, or hurts. */
START_TEST(garbage)
{
	struct side_setup setup = { .workers = 1 };
	struct side a, b;
	struct ike_header h;
	struct buf data = { 0 };
	uint8_t msg[512];
	int fd;

	side_start(&b, &setup, SIDE_B, 0);
	side_start(&a, &setup, SIDE_A, side_port(&b));
	fd = raw_open(&b);
	srandom(3);
	for (unsigned round = 0; round < 3000; round++) {
		garbage_send(fd, round);
		/* keeps the socket's buffer from running over: the answer to this says that all before were read */
		if (round % 100 == 99) {
			raw_send(fd, raw_init(msg, sizeof(msg), 0xabcd, BYTES_NONE));
			(void)raw_answer(fd, &h, &data);
			ck_assert_uint_eq(h.spi_i, 0xabcd);
			ck_assert(raw_quiet(fd));
		}
	}
	ck_assert_uint_eq(side_stats(&b).half_open, 1);
	ck_assert_uint_gt(side_stats(&b).counters[SA_COUNTER_INVALID], 0);
	side_up(&a, "load", "net", 10);
	close(fd);
	buf_free(&data);
	side_stop(&a, 2000);
	side_stop(&b, 0);
}
END_TEST

/* RFC 7296, 2.5: a request of a higher major version is told ours, not more often than the limit says. */
START_TEST(versions)
{
	struct side_setup setup = { .workers = 1 };
	struct side b;
	struct ike_header h;
	struct buf data = { 0 };
	uint8_t msg[512];
	struct bytes init;
	unsigned answers = 0;
	int fd;

	side_start(&b, &setup, SIDE_B, 0);
	fd = raw_open(&b);
	init = raw_init(msg, sizeof(msg), 5, BYTES_NONE);
	msg[17] = 0x30;
	raw_send(fd, init);
	ck_assert_uint_eq(raw_answer(fd, &h, &data), NOTIFY_INVALID_MAJOR_VERSION);
	ck_assert_uint_eq(h.version, IKE_VERSION);
	ck_assert_uint_eq(h.flags, IKE_FLAG_RESPONSE);
	ck_assert_uint_eq(h.spi_i, 5);
	/* a higher minor version is none of our business */
	msg[17] = 0x2f;
	raw_send(fd, init);
	ck_assert_uint_ne(raw_answer(fd, &h, &data), NOTIFY_INVALID_MAJOR_VERSION);
	ck_assert_uint_ne(h.spi_r, 0);
	for (unsigned i = 0; i < 500; i++) {
		init = raw_init(msg, sizeof(msg), 5, BYTES_NONE);
		msg[17] = 0x30;
		raw_send(fd, init);
	}
	raw_send(fd, raw_init(msg, sizeof(msg), 6, BYTES_NONE));
	while (raw_answer(fd, &h, &data) == NOTIFY_INVALID_MAJOR_VERSION)
		answers++;
	ck_assert_uint_lt(answers, 100);
	close(fd);
	buf_free(&data);
	side_stop(&b, 0);
}
END_TEST

/* A half-open IKE_SA answers a repeat with the same bytes, whatever the number of workers. */
START_TEST(init_repeats)
{
	struct side_setup setup = { .workers = 4, .no_steer = _i };
	struct side b;
	struct ike_header first, h;
	struct buf data = { 0 };
	uint8_t msg[512];
	int fd;

	side_start(&b, &setup, SIDE_B, 0);
	fd = raw_open(&b);
	for (uint64_t spi = 100; spi < 140; spi++) {
		raw_send(fd, raw_init(msg, sizeof(msg), spi, BYTES_NONE));
		(void)raw_answer(fd, &first, &data);
		for (int k = 0; k < 3; k++) {
			raw_send(fd, raw_init(msg, sizeof(msg), spi, BYTES_NONE));
			(void)raw_answer(fd, &h, &data);
			ck_assert_uint_eq(h.spi_i, spi);
			ck_assert_uint_eq(h.spi_r, first.spi_r);
		}
	}
	ck_assert_uint_eq(side_stats(&b).half_open, 40);
	close(fd);
	buf_free(&data);
	side_stop(&b, 0);
}
END_TEST

/* RFC 7296, 3.1 MUST NOT: an initiator without SPI is not answered. */
START_TEST(init_without_spi)
{
	struct side_setup setup = { .workers = 1 };
	struct side b;
	struct ike_header h;
	struct buf data = { 0 };
	uint8_t msg[512];
	int fd;

	side_start(&b, &setup, SIDE_B, 0);
	fd = raw_open(&b);
	raw_send(fd, raw_init(msg, sizeof(msg), 0, BYTES_NONE));
	/* the first answer is to this one */
	raw_send(fd, raw_init(msg, sizeof(msg), 77, BYTES_NONE));
	(void)raw_answer(fd, &h, &data);
	ck_assert_uint_eq(h.spi_i, 77);
	ck_assert_uint_eq(side_stats(&b).half_open, 1);
	close(fd);
	buf_free(&data);
	side_stop(&b, 0);
}
END_TEST

TCase *test_limits(void)
{
	TCase *t = tcase_create("limits");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, cookies, 0, 2);
	tcase_add_test(t, cookie_comes_late);
	tcase_add_test(t, cookie_spans);
	tcase_add_loop_test(t, ignored, 0, 3);
	tcase_add_test(t, garbage);
	tcase_add_test(t, versions);
	tcase_add_test(t, init_without_spi);
	tcase_add_loop_test(t, init_repeats, 0, 2);
	return t;
}

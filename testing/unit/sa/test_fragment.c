/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "sa/fragment.h"
#include "sa_test.h"

/* How messages are cut (RFC 7383, 2.5 and 2.5.1), under each kind of cipher. What happens on the way is exchange's. */

static const char *const proposals[] = {
	"aes128-sha256-x25519", "aes256-sha512-x25519", "aes256ctr-sha384-x25519", "aes128gcm16-prfsha256-x25519",
	"aes256gcm8-prfsha384-x25519", "chacha20poly1305-prfsha256-x25519",
};
#define PROPOSALS ((int)(sizeof(proposals) / sizeof(proposals[0])))

struct ends {
	struct lab *lab;
	struct ike_sa *a, *b;
	struct ike_header h;
};

static uint8_t inner[LIMIT_MESSAGE], out[SA_PACKET_MAX];

static void ends_begin(struct ends *e, int i)
{
	char conf_a[1024], conf_b[1024];

	snprintf(conf_a, sizeof(conf_a), CONF_A_WITH("proposals = %s", CHILD_A("one", "1", "")), proposals[i]);
	snprintf(conf_b, sizeof(conf_b), CONF_B_WITH("proposals = %s", CHILD_B("one", "1", "")), proposals[i]);
	e->lab = sa_test_up(conf_a, conf_b);
	e->a = lab_sa(&e->lab->a);
	e->b = lab_sa(&e->lab->b);
	e->a->local.port = e->a->remote.port = 500; /* MOBIKE has moved it to the NAT-T port */
	e->h = (struct ike_header){ .spi_i = e->a->spi_i, .spi_r = e->a->spi_r, .version = IKE_VERSION,
				    .exchange = EXCHANGE_INFORMATIONAL, .flags = IKE_FLAG_INITIATOR, .message_id = 2 };
	for (size_t k = 0; k < sizeof(inner); k++)
		inner[k] = (uint8_t)(k * 31 + k / 251);
}

/* Takes the pieces one by one; the message must come out of the last, and as it was. */
static unsigned ends_open(struct ends *e, struct bytes msgs, size_t n, size_t limit)
{
	struct fragment_whole whole = { BYTES_NONE, 0, 0, 0, 0 };
	unsigned count = 0;
	struct bytes one;

	while (fragment_next(&msgs, &one)) {
		uint8_t *copy = xmemdup(one.p, one.n);
		enum fragment_verdict v = FRAGMENT_WHOLE;
		struct seal_place place;
		struct result why;

		ck_assert_uint_le(one.n, limit);
		ck_assert(seal_find(one, &place));
		if (place.fragment.total) {
			ck_assert_uint_eq(place.fragment.number, count + 1);
			v = fragment_take(e->b, &e->h, &place, copy, one.n, &whole, &why);
			ck_assert_int_eq(v, count + 1 < place.fragment.total ? FRAGMENT_KEPT : FRAGMENT_WHOLE);
		} else {
			ck_assert(result_is_ok(seal_open_at(e->b, copy, one.n, &place, &one)));
			whole.inner = bytes_of(arena_dup(&e->b->ctx->arena, one.p, one.n), one.n);
			whole.first = place.first;
		}
		count++;
		free(copy);
		ck_assert_int_eq(v == FRAGMENT_WHOLE, msgs.n == 0);
	}
	ck_assert_uint_eq(msgs.n, 0);
	ck_assert(bytes_equal(whole.inner, bytes_of(inner, n)));
	ck_assert_uint_eq(whole.first, PAYLOAD_VENDOR);
	arena_reset(&e->b->ctx->arena);
	return count;
}

/* Every length around the edges: a whole message as long as it fits, and never one piece more than needed. */
START_TEST(lengths)
{
	struct ends e;
	size_t last = 0;
	unsigned count = 1;

	ends_begin(&e, _i);
	e.a->ctx->options.fragment_size_v4 = 300;
	for (size_t n = 0; n < 1000; n++) {
		struct bytes msgs = fragment_seal(e.a, &e.h, PAYLOAD_VENDOR, bytes_of(inner, n), out, sizeof(out));
		unsigned now = ends_open(&e, msgs, n, 300 - 28);

		ck_assert(now == count || (now == count + 1 && n > last + 100));
		if (now != count)
			last = n;
		count = now;
	}
	ck_assert_uint_ge(count, 4);
	lab_free(e.lab);
}
END_TEST

/* The headers in front of the message: IPv4 20, IPv6 40, UDP 8, on the NAT-T port 4 more (RFC 3948, 2.2). */
START_TEST(headers)
{
	static const struct {
		const char *local, *remote;
		uint16_t port;
		size_t most;
	} ways[] = {
		{ "192.0.2.1", "192.0.2.2", 500, 600 - 28 },
		{ "192.0.2.1", "192.0.2.2", 4500, 600 - 32 },
		{ "2001:db8::1", "2001:db8::2", 500, 1300 - 48 },
		{ "2001:db8::1", "2001:db8::2", 4500, 1300 - 52 },
	};
	struct ends e;
	struct bytes msgs, one;
	size_t most = 0, n = 0;

	ends_begin(&e, 3);
	e.a->ctx->options.fragment_size_v4 = 600;
	e.a->ctx->options.fragment_size_v6 = 1300;
	ck_assert(addr_parse(bytes_str(ways[_i].local), &e.a->local) && addr_parse(bytes_str(ways[_i].remote), &e.a->remote));
	e.a->local.port = e.a->remote.port = ways[_i].port;
	/* a stream cipher fills it to the byte */
	msgs = fragment_seal(e.a, &e.h, PAYLOAD_VENDOR, bytes_of(inner, 5000), out, sizeof(out));
	while (fragment_next(&msgs, &one)) {
		n++;
		if (one.n > most)
			most = one.n;
	}
	ck_assert_uint_gt(n, 1);
	ck_assert_uint_eq(most, ways[_i].most);
	/* as large as it may be, whole */
	for (size_t len = 400; len < 2000; len++) {
		msgs = fragment_seal(e.a, &e.h, PAYLOAD_VENDOR, bytes_of(inner, len), out, sizeof(out));
		ck_assert(fragment_next(&msgs, &one));
		if (msgs.n)
			break;
		most = one.n;
	}
	ck_assert_uint_eq(most, ways[_i].most);
	lab_free(e.lab);
}
END_TEST

/* RFC 7383, 2.5: each has an IV of its own; the largest message, and what is larger than a peer of our kind would take. */
START_TEST(largest)
{
	struct ends e;
	struct bytes msgs, one, rest;
	size_t iv_len, n = 0;

	ends_begin(&e, _i);
	iv_len = e.a->protect.cipher->iv_len;
	e.a->ctx->options.fragment_size_v4 = 600;
	msgs = fragment_seal(e.a, &e.h, PAYLOAD_VENDOR, bytes_of(inner, LIMIT_MESSAGE), out, sizeof(out));
	ck_assert_uint_gt(ends_open(&e, msgs, LIMIT_MESSAGE, 600 - 28), 100);
	for (rest = msgs; fragment_next(&rest, &one); n++) {
		struct bytes others = rest, other;

		while (fragment_next(&others, &other))
			ck_assert_int_ne(memcmp(one.p + IKE_HEADER_LEN + 8, other.p + IKE_HEADER_LEN + 8, iv_len), 0);
	}
	/* no room: nothing at all */
	ck_assert_uint_eq(fragment_seal(e.a, &e.h, PAYLOAD_VENDOR, bytes_of(inner, 5000), out, 5000).n, 0);
	e.a->ctx->options.fragment_size_v4 = LIMIT_FRAGMENT_SIZE_MIN;
	ck_assert_uint_eq(fragment_seal(e.a, &e.h, PAYLOAD_VENDOR, bytes_of(inner, LIMIT_MESSAGE), out, sizeof(out)).n == 0,
			  seal_room(&e.a->protect, LIMIT_FRAGMENT_SIZE_MIN - 28, true) * LIMIT_FRAGMENTS < LIMIT_MESSAGE);
	lab_free(e.lab);
}
END_TEST

/* fragment_next on what is no message ends, and never reads past the end. */
START_TEST(no_messages)
{
	uint8_t bytes[IKE_HEADER_LEN * 2] = { 0 };

	for (size_t n = 0; n <= sizeof(bytes); n++) {
		for (unsigned len = 0; len < 80; len++) {
			uint8_t *copy = xmemdup(bytes, n ? n : 1);
			struct bytes rest = bytes_of(copy, n), one;
			bool fits = n >= IKE_HEADER_LEN && len >= IKE_HEADER_LEN && len <= n;

			if (n >= IKE_HEADER_LEN)
				copy[IKE_HEADER_LEN - 1] = (uint8_t)len;
			ck_assert_int_eq(fragment_next(&rest, &one), fits);
			ck_assert_uint_eq(rest.n, fits ? n - len : n);
			free(copy);
		}
	}
}
END_TEST

/* RFC 7383, 2.5.2: what was sealed is cut again, with new IVs; more pieces than before, or it stays as it is. */
START_TEST(cut_again)
{
	static const struct {
		size_t n, from, to;
		bool possible;
	} cuts[] = {
		{ 5000, 1280, 576, true }, { 5000, 65535, 1280, true }, { 1240, 65535, 1200, true }, { 1300, 1280, 1270, false },
		{ 5000, 576, 1280, false }, { 400, 65535, 576, false },
	};
	struct ends e;

	ends_begin(&e, _i);
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		struct buf msgs = { 0 }, before = { 0 };
		unsigned was;

		e.a->ctx->options.fragment_size_v4 = (uint16_t)cuts[i].from;
		buf_add_bytes(&msgs, fragment_seal(e.a, &e.h, PAYLOAD_VENDOR, bytes_of(inner, cuts[i].n), out, sizeof(out)));
		buf_add_bytes(&before, buf_bytes(&msgs));
		was = ends_open(&e, buf_bytes(&msgs), cuts[i].n, SIZE_MAX);
		ck_assert_int_eq(fragment_again(e.a, &e.a->local, &e.a->remote, &msgs, cuts[i].to), cuts[i].possible);
		if (cuts[i].possible) {
			struct bytes rest = buf_bytes(&msgs), one;

			ck_assert_uint_gt(ends_open(&e, rest, cuts[i].n, cuts[i].to - 28), was);
			while (fragment_next(&rest, &one))
				ck_assert_ptr_null(memmem(before.p, before.n, one.p + 36, 8));
		} else {
			ck_assert(bytes_equal(buf_bytes(&msgs), buf_bytes(&before)));
		}
		buf_free(&msgs);
		buf_free(&before);
	}
	lab_free(e.lab);
}
END_TEST

TCase *test_fragment(void)
{
	TCase *t = tcase_create("fragment");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, lengths, 0, PROPOSALS);
	tcase_add_loop_test(t, headers, 0, 4);
	tcase_add_loop_test(t, largest, 0, PROPOSALS);
	tcase_add_loop_test(t, cut_again, 0, PROPOSALS);
	tcase_add_test(t, no_messages);
	return t;
}

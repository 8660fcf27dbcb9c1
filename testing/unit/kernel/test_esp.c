/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_kernel.h"

#include "esp.h"
#include "util/mem.h"

static uint8_t key_bytes[128];

/* Both directions under the same keys, so that one end can open what it sealed. */
struct pair {
	struct esp_out out;
	struct esp_in in;
};

static struct kernel_child pair_child(unsigned encr, unsigned bits, unsigned integ, bool esn)
{
	struct kernel_child c = { .name = "test", .protocol = PROTOCOL_ESP, .encap = true, .replay_window = 64 };

	c.protect = test_protect(encr, bits, integ, &c.suite);
	c.suite.esn = esn;
	for (size_t i = 0; i < sizeof(key_bytes); i++)
		key_bytes[i] = (uint8_t)(i * 3 + 1);
	c.in.spi = c.out.spi = 0xc0ffee01;
	c.in.encr_key = c.out.encr_key = bytes_of(key_bytes, protect_encr_key_len(&c.protect));
	c.in.integ_key = c.out.integ_key = bytes_of(key_bytes + 64, protect_integ_key_len(&c.protect));
	c.copy_df = c.copy_ecn = true;
	return c;
}

static void pair_init(struct pair *p, const struct kernel_child *c)
{
	memset(p, 0, sizeof(*p));
	esp_out_init(&p->out, c);
	esp_in_init(&p->in, c);
}

static void pair_clear(struct pair *p)
{
	esp_out_clear(&p->out);
	esp_in_clear(&p->in);
}

/* ---- known packets ---- */

static struct buf from_hex(const char *text)
{
	struct buf b = { 0 };

	if (strcmp(text, "-") != 0)
		ck_assert(hex_decode(bytes_str(text), &b));
	return b;
}

static void check_vector(char *line)
{
	char *word[8], *save = NULL;
	struct buf encr_key, integ_key, packet, want;
	struct kernel_child c;
	struct bytes inner;
	struct pair p;
	uint8_t next;

	for (int i = 0; i < 8; i++) {
		word[i] = strtok_r(i ? NULL : line, " \n", &save);
		ck_assert_ptr_nonnull(word[i]);
	}
	encr_key = from_hex(word[4]);
	integ_key = from_hex(word[5]);
	packet = from_hex(word[6]);
	want = from_hex(word[7]);
	c = pair_child((unsigned)atoi(word[1]), (unsigned)atoi(word[2]), (unsigned)atoi(word[3]), false);
	ck_assert_uint_eq(encr_key.n, c.in.encr_key.n);
	ck_assert_uint_eq(integ_key.n, c.in.integ_key.n);
	c.in.encr_key = buf_bytes(&encr_key);
	c.in.integ_key = buf_bytes(&integ_key);
	pair_init(&p, &c);
	ck_assert_msg(esp_decap(&p.in, packet.p, packet.n, &inner, &next) == DROP_NONE, "%s", word[0]);
	ck_assert_msg(bytes_equal(inner, buf_bytes(&want)), "%s", word[0]);
	ck_assert_uint_eq(next, want.p[0] >> 4 == 4 ? IPPROTO_IPIP : IPPROTO_IPV6);
	pair_clear(&p);
	buf_free(&encr_key);
	buf_free(&integ_key);
	buf_free(&packet);
	buf_free(&want);
}

START_TEST(test_vectors)
{
	FILE *f = fopen(VECTORS "/esp/packets.txt", "r");
	char *line = NULL;
	size_t size = 0;
	int n = 0;

	ck_assert_ptr_nonnull(f);
	while (getline(&line, &size, f) > 0) {
		if (line[0] == '#')
			continue;
		check_vector(line);
		n++;
	}
	ck_assert_int_eq(n, 17);
	free(line);
	fclose(f);
}
END_TEST

/* ---- our own packets ---- */

static const struct {
	unsigned encr, bits, integ;
} algorithms[] = {
	{ ENCR_AES_GCM_16, 128, 0 },
	{ ENCR_AES_GCM_16, 256, 0 },
	{ ENCR_AES_GCM_8, 128, 0 },
	{ ENCR_AES_CCM_16, 128, 0 },
	{ ENCR_AES_CCM_8, 256, 0 },
	{ ENCR_CHACHA20_POLY1305, 0, 0 },
	{ ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128 },
	{ ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_512_256 },
	{ ENCR_AES_CBC, 128, INTEG_HMAC_SHA1_96 },
	{ ENCR_AES_CTR, 128, INTEG_HMAC_SHA2_256_128 },
	{ ENCR_AES_CTR, 256, INTEG_AES_XCBC_96 },
};

static uint8_t buffer[PACKET_HEADROOM + 2048 + PACKET_TAILROOM], kept[2048];

static struct bytes seal(struct pair *p, size_t payload, const char *src, const char *dst, size_t *ret_inner)
{
	uint8_t *inner = buffer + PACKET_HEADROOM;
	size_t n = test_packet(inner, src, dst, IPPROTO_UDP, 1, 2, payload);
	enum esp_limit limit;
	struct bytes packet = BYTES_NONE;

	memcpy(kept, inner, n);
	*ret_inner = n;
	ck_assert_int_eq(esp_encap(&p->out, inner, n, 5, &packet, &limit), DROP_NONE);
	return packet;
}

START_TEST(test_round_trip)
{
	struct kernel_child c = pair_child(algorithms[_i].encr, algorithms[_i].bits, algorithms[_i].integ, false);
	bool six = _i % 2;
	struct pair p;

	pair_init(&p, &c);
	for (size_t payload = 0; payload < 200; payload++) {
		size_t n;
		struct bytes packet = seal(&p, payload, six ? "fd01::1" : "10.1.0.1", six ? "fd02::1" : "10.2.0.1", &n);
		size_t outer = packet.n + 28;
		struct bytes inner;
		uint8_t next;

		/* RFC 4303, 2.4: aligned, and no larger than was promised */
		ck_assert_uint_eq(packet.n % 4, (8u + p.out.iv_len + p.out.icv_len) % 4);
		ck_assert_uint_ge(esp_inner_max(&p.out, AF_INET, outer), n);
		ck_assert_uint_lt(esp_inner_max(&p.out, AF_INET, outer - 1), n);
		ck_assert_uint_eq(esp_inner_max(&p.out, AF_INET6, outer + 20), esp_inner_max(&p.out, AF_INET, outer));
		ck_assert(packet.p >= buffer && packet.p + packet.n <= buffer + sizeof(buffer));
		ck_assert(memcmp(packet.p, "\xc0\xff\xee\x01\0\0\0", 7) == 0 && packet.p[7] == payload + 1);
		ck_assert_int_eq(esp_decap(&p.in, (uint8_t *)packet.p, packet.n, &inner, &next), DROP_NONE);
		ck_assert(bytes_equal(inner, bytes_of(kept, n)));
		ck_assert_uint_eq(next, six ? 41 : 4);
	}
	ck_assert_uint_eq(p.out.usage.packets, 200);
	ck_assert_uint_eq(p.out.usage.bytes, 200u * (six ? 44 : 24) + 199 * 100);
	ck_assert_uint_eq(p.out.usage.last_use_ms, 5);
	pair_clear(&p);
}
END_TEST

/* A packet of which anything was changed is refused, and changes nothing. */
START_TEST(test_forged)
{
	struct kernel_child c = pair_child(algorithms[_i].encr, algorithms[_i].bits, algorithms[_i].integ, false);
	struct pair p;
	struct bytes packet, inner;
	uint8_t *copy, next;
	size_t n;

	pair_init(&p, &c);
	packet = seal(&p, 30, "10.1.0.1", "10.2.0.1", &n);
	for (size_t i = 4; i < packet.n; i++) {
		copy = xmemdup(packet.p, packet.n);
		copy[i] ^= 0x10;
		/* RFC 4303 3.4.3 MUST: the window moves only after the integrity check */
		ck_assert_int_eq(esp_decap(&p.in, copy, packet.n, &inner, &next), DROP_AUTH);
		ck_assert(p.in.replay->top == 0);
		free(copy);
	}
	for (size_t i = 0; i < packet.n; i++) {
		copy = xmemdup(packet.p, i);
		ck_assert_int_ne(esp_decap(&p.in, copy, i, &inner, &next), DROP_NONE);
		ck_assert(p.in.replay->top == 0);
		free(copy);
	}
	copy = xmemdup(packet.p, packet.n);
	ck_assert_int_eq(esp_decap(&p.in, copy, packet.n, &inner, &next), DROP_NONE);
	memcpy(copy, packet.p, packet.n);
	ck_assert_int_eq(esp_decap(&p.in, copy, packet.n, &inner, &next), DROP_REPLAY);
	free(copy);
	pair_clear(&p);
}
END_TEST

/* Seals n bytes of data that are a whole trailer already. */
static enum drop open_raw(struct pair *p, uint8_t *packet, size_t n)
{
	struct bytes inner;
	uint8_t next;

	p->out.seq++;
	memset(packet, 0, 8);
	packet[7] = (uint8_t)p->out.seq;
	ck_assert(esp_crypt_seal(p->out.crypt, packet, n, 0, false));
	return esp_decap(&p->in, packet, 8 + p->out.iv_len + n + p->out.icv_len, &inner, &next);
}

START_TEST(test_trailers)
{
	struct kernel_child c = pair_child(ENCR_AES_GCM_16, 128, 0, false);
	uint8_t packet[128] = { 0 };
	uint8_t *data = packet + 16;
	struct pair p;

	pair_init(&p, &c);
	/* RFC 4303 2.6 MUST: dummy packets are discarded without a word */
	memcpy(data, "\1\2\2\x3b", 4);
	ck_assert_int_eq(open_raw(&p, packet, 4), DROP_DUMMY);
	/* padding that is no 1, 2, 3, ... */
	memcpy(data, "abcd\1\3\2\4", 8);
	ck_assert_int_eq(open_raw(&p, packet, 8), DROP_MALFORMED);
	/* more padding than packet */
	memcpy(data, "\1\2\3\4\5\6\7\4", 8);
	ck_assert_int_eq(open_raw(&p, packet, 8), DROP_MALFORMED);
	memcpy(data, "\1\2\3\4\5\6\6\4", 8);
	ck_assert_int_eq(open_raw(&p, packet, 8), DROP_NONE);
	pair_clear(&p);
}
END_TEST

START_TEST(test_extended_numbers)
{
	struct kernel_child c = pair_child(algorithms[_i].encr, algorithms[_i].bits, algorithms[_i].integ, true);
	struct pair p;
	size_t n;

	c.out.seq = UINT32_MAX - 20;
	c.in.seq = UINT32_MAX - 20;
	pair_init(&p, &c);
	for (int i = 0; i < 40; i++) {
		struct bytes packet = seal(&p, 10, "10.1.0.1", "10.2.0.1", &n), inner;
		uint8_t next;

		ck_assert_int_eq(esp_decap(&p.in, (uint8_t *)packet.p, packet.n, &inner, &next), DROP_NONE);
	}
	ck_assert(p.out.seq == (uint64_t)UINT32_MAX + 20);
	ck_assert(p.in.replay->top == (uint64_t)UINT32_MAX + 20);
	pair_clear(&p);
}
END_TEST

START_TEST(test_numbers_run_out)
{
	struct kernel_child c = pair_child(ENCR_AES_GCM_16, 128, 0, false);
	uint8_t *inner = buffer + PACKET_HEADROOM;
	size_t n = test_packet(inner, "10.1.0.1", "10.2.0.1", IPPROTO_UDP, 1, 2, 8);
	enum esp_limit limit;
	struct bytes packet;
	struct pair p;

	c.out.seq = UINT32_MAX - 2;
	pair_init(&p, &c);
	ck_assert_int_eq(esp_encap(&p.out, inner, n, 5, &packet, &limit), DROP_NONE);
	ck_assert_int_eq(limit, ESP_LIMIT_SOFT);
	ck_assert_int_eq(esp_encap(&p.out, inner, n, 5, &packet, &limit), DROP_NONE);
	ck_assert_int_eq(limit, ESP_LIMIT_NONE);
	/* RFC 4303 3.3.3 MUST: the number must not cycle */
	ck_assert_int_eq(esp_encap(&p.out, inner, n, 5, &packet, &limit), DROP_SEQUENCE);
	ck_assert_int_eq(limit, ESP_LIMIT_HARD);
	ck_assert_int_eq(esp_encap(&p.out, inner, n, 5, &packet, &limit), DROP_SEQUENCE);
	ck_assert_int_eq(limit, ESP_LIMIT_NONE);
	pair_clear(&p);
}
END_TEST

/* RFC 6311, 5.2: the numbers jump ahead; what is left decides about the limits as ever. */
START_TEST(test_numbers_jump)
{
	struct kernel_child c = pair_child(ENCR_AES_GCM_16, 128, 0, _i);
	uint8_t *inner = buffer + PACKET_HEADROOM;
	size_t n = test_packet(inner, "10.1.0.1", "10.2.0.1", IPPROTO_UDP, 1, 2, 8);
	enum esp_limit limit;
	struct bytes packet;
	struct pair p;

	pair_init(&p, &c);
	ck_assert_int_eq(esp_encap(&p.out, inner, n, 5, &packet, &limit), DROP_NONE);
	esp_out_advance(&p.out, 1u << 30);
	n = test_packet(inner, "10.1.0.1", "10.2.0.1", IPPROTO_UDP, 1, 2, 8);
	ck_assert_int_eq(esp_encap(&p.out, inner, n, 5, &packet, &limit), DROP_NONE);
	ck_assert_uint_eq(p.out.seq, (1u << 30) + 2);
	ck_assert_int_eq(limit, ESP_LIMIT_NONE);
	esp_out_advance(&p.out, UINT32_MAX - (1u << 30));
	ck_assert_uint_eq(p.out.seq, _i ? (uint64_t)UINT32_MAX + 2 : UINT32_MAX);
	esp_out_advance(&p.out, UINT64_MAX);
	ck_assert_uint_eq(p.out.seq, p.out.seq_max);
	n = test_packet(inner, "10.1.0.1", "10.2.0.1", IPPROTO_UDP, 1, 2, 8);
	ck_assert_int_eq(esp_encap(&p.out, inner, n, 5, &packet, &limit), DROP_SEQUENCE);
	ck_assert_int_eq(limit, ESP_LIMIT_HARD);
	pair_clear(&p);
}
END_TEST

START_TEST(test_limits)
{
	struct kernel_child c = pair_child(ENCR_AES_GCM_16, 128, 0, false);
	static const enum esp_limit want[] = { ESP_LIMIT_NONE, ESP_LIMIT_SOFT, ESP_LIMIT_NONE, ESP_LIMIT_HARD };
	uint8_t *inner = buffer + PACKET_HEADROOM;
	enum esp_limit limit;
	struct bytes packet;
	struct pair p;

	c.life = (struct kernel_life){ .soft_bytes = 168, .hard_packets = 4 };
	pair_init(&p, &c);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		size_t n = test_packet(inner, "10.1.0.1", "10.2.0.1", IPPROTO_UDP, 1, 2, 60);

		ck_assert_int_eq(esp_encap(&p.out, inner, n, 5, &packet, &limit), DROP_NONE);
		ck_assert_int_eq(limit, want[i]);
		ck_assert_int_eq(esp_in_count(&p.in, 84, 5), want[i]);
	}
	ck_assert_int_eq(esp_encap(&p.out, inner, 84, 5, &packet, &limit), DROP_EXPIRED_OUT);
	ck_assert_int_eq(limit, ESP_LIMIT_NONE);
	ck_assert_int_eq(esp_decap(&p.in, (uint8_t *)packet.p, packet.n, &packet, inner), DROP_EXPIRED_IN);
	ck_assert_uint_eq(p.out.usage.bytes, 4 * 84);
	pair_clear(&p);
}
END_TEST

/* RFC 6040, figure 4; rows inner, columns outer: 00, 01 (ECT(1)), 10 (ECT(0)), 11 (CE). 9: drop. */
static const uint8_t ecn_table[4][4] = { { 0, 0, 0, 9 }, { 1, 1, 1, 3 }, { 2, 1, 2, 3 }, { 3, 3, 3, 3 } };

static unsigned checksum_v4(const uint8_t *h)
{
	unsigned sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (unsigned)h[i] << 8 | h[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

START_TEST(test_ecn)
{
	uint8_t p[64];

	for (uint8_t inner = 0; inner < 4; inner++) {
		for (uint8_t outer = 0; outer < 4; outer++) {
			test_packet(p, "10.1.0.1", "10.2.0.1", 17, 1, 2, 0);
			p[1] = 0xb8 | inner;
			test_checksum_v4(p);
			ck_assert_uint_eq(checksum_v4(p), 0xffff);
			ck_assert_int_eq(esp_inner_ecn(p, AF_INET, 0xfc | outer), ecn_table[inner][outer] != 9);
			ck_assert_uint_eq(checksum_v4(p), 0xffff);
			if (ecn_table[inner][outer] != 9)
				ck_assert_uint_eq(p[1], 0xb8 | ecn_table[inner][outer]);
			test_packet(p, "fd01::1", "fd02::1", 17, 1, 2, 0);
			p[0] = 0x6b;
			p[1] = (uint8_t)(0x85 | inner << 4);
			ck_assert_int_eq(esp_inner_ecn(p, AF_INET6, outer), ecn_table[inner][outer] != 9);
			if (ecn_table[inner][outer] != 9)
				ck_assert_uint_eq(p[1], 0x85 | ecn_table[inner][outer] << 4);
			ck_assert_uint_eq(p[0], 0x6b);
		}
	}
}
END_TEST

TCase *tcase_esp(void)
{
	TCase *tc = tcase_create("esp");

	tcase_add_test(tc, test_vectors);
	tcase_add_loop_test(tc, test_round_trip, 0, ARRAY_LEN(algorithms));
	tcase_add_loop_test(tc, test_forged, 0, ARRAY_LEN(algorithms));
	tcase_add_test(tc, test_trailers);
	tcase_add_loop_test(tc, test_extended_numbers, 0, ARRAY_LEN(algorithms));
	tcase_add_test(tc, test_numbers_run_out);
	tcase_add_loop_test(tc, test_numbers_jump, 0, 2);
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_ecn);
	return tc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_test.h"

#include "crypto/esp_crypt.h"
#include "util/mem.h"

static const struct suite suites[] = {
	{ .encr = ENCR_AES_GCM_16, .encr_bits = 256 },
	{ .encr = ENCR_AES_CCM_8, .encr_bits = 128 },
	{ .encr = ENCR_CHACHA20_POLY1305 },
	{ .encr = ENCR_AES_CTR, .encr_bits = 128, .integ = INTEG_AES_XCBC_96 },
	{ .encr = ENCR_AES_CBC, .encr_bits = 256, .integ = INTEG_HMAC_SHA2_256_128 },
};

static const uint8_t key[CRYPTO_MAX_KEY] = { 1, 2, 3 }, integ_key[CRYPTO_MAX_KEY] = { 4, 5, 6 };

static void put_header(uint8_t *packet, uint32_t seq)
{
	static const uint8_t spi[] = { 0xc1, 0x02, 0x03, 0x04 };

	memcpy(packet, spi, 4);
	for (int i = 7; i >= 4; i--, seq >>= 8)
		packet[i] = (uint8_t)seq;
}

/* Packets of other implementations. Sealing them again gives the same octets where the IV is ours
 * to know. */
START_TEST(test_packets)
{
	struct vectors *v = vectors_open("esp-packets.txt");

	while (vectors_next(v)) {
		struct bytes sealed = vec_hex(v, "packet"), plain = vec_hex(v, "plain"),
			     high = vec_hex(v, "seq_hi");
		struct suite s = vec_suite(v);
		const char *name = vec_text(v, "name");
		uint32_t seq_hi =
			(uint32_t)high.p[0] << 24 | high.p[1] << 16 | high.p[2] << 8 | high.p[3];
		bool esn = vec_num(v, "esn");
		uint8_t packet[2048];
		struct esp_crypt *c;
		struct protect p;
		size_t n;

		ck_assert_result(protect_init(registry, &s, &p), name);
		c = esp_crypt_new(&p, vec_hex(v, "encr_key").p, vec_hex(v, "integ_key").p);
		ck_assert_ptr_nonnull(c);
		n = sealed.n - ESP_HEADER_LEN - p.cipher->iv_len - protect_icv_len(&p);
		memcpy(packet, sealed.p, sealed.n);
		ck_assert_msg(esp_crypt_open(c, packet, n, seq_hi, esn), "%s: does not open", name);
		ck_assert_bytes(bytes_of(packet + ESP_HEADER_LEN + p.cipher->iv_len, plain.n),
				plain, name);
		if (esn) {
			memcpy(packet, sealed.p, sealed.n);
			ck_assert_msg(!esp_crypt_open(c, packet, n, seq_hi + 1, esn),
				      "%s: seq_hi not covered", name);
			memcpy(packet, sealed.p, sealed.n);
			ck_assert_msg(!esp_crypt_open(c, packet, n, 0, false),
				      "%s: opens without ESN", name);
		}
		if (esn && p.cipher->aead) {
			memcpy(packet, sealed.p, sealed.n);
			memcpy(packet + 16, plain.p, plain.n);
			ck_assert(esp_crypt_seal(c, packet, n, seq_hi, esn));
			ck_assert_bytes(bytes_of(packet, sealed.n), sealed, name);
		}
		esp_crypt_free(c);
	}
	vectors_close(v, 20);
}
END_TEST

START_TEST(test_every_bit)
{
	uint8_t sealed[128], copy[128];
	struct esp_crypt *out, *in;
	struct protect p;
	size_t total, n = 32;

	ck_assert_result(protect_init(registry, &suites[_i / 2], &p), "suite");
	bool esn = _i & 1;
	out = esp_crypt_new(&p, key, integ_key);
	in = esp_crypt_new(&p, key, integ_key);
	total = ESP_HEADER_LEN + p.cipher->iv_len + n + protect_icv_len(&p);
	memset(sealed, 0xaa, sizeof(sealed));
	put_header(sealed, 77);
	ck_assert(esp_crypt_seal(out, sealed, n, esn ? 3 : 0, esn));
	ck_assert_uint_eq(sealed[total], 0xaa);
	for (size_t bit = 0; bit < total * 8; bit++) {
		memcpy(copy, sealed, sizeof(copy));
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_msg(!esp_crypt_open(in, copy, n, esn ? 3 : 0, esn),
			      "bit %zu is not covered", bit);
	}
	memcpy(copy, sealed, sizeof(copy));
	ck_assert(esp_crypt_open(in, copy, n, esn ? 3 : 0, esn));
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(copy[ESP_HEADER_LEN + p.cipher->iv_len + i], 0xaa);
	ck_assert(!esp_crypt_open(in, copy, 0, 0, esn));
	if (p.cipher->block > 1)
		ck_assert(!esp_crypt_open(in, copy, n - 1, 0, esn));
	ck_assert(!esp_crypt_seal(out, copy, 0, 0, esn));
	esp_crypt_free(out);
	esp_crypt_free(in);
}
END_TEST

/* No IV twice under a key: the sequence number for counter modes, random for CBC. */
START_TEST(test_ivs)
{
	uint8_t packet[128], ivs[200][16] = { { 0 } };
	struct esp_crypt *c;
	struct protect p;

	ck_assert_result(protect_init(registry, &suites[_i], &p), "suite");
	c = esp_crypt_new(&p, key, integ_key);
	for (uint32_t i = 0; i < 200; i++) {
		uint32_t seq = 0xffffffff - 100 + i;

		put_header(packet, seq);
		ck_assert(esp_crypt_seal(c, packet, 32, i > 100, true));
		memcpy(ivs[i], packet + ESP_HEADER_LEN, p.cipher->iv_len);
		for (uint32_t j = 0; j < i; j++)
			ck_assert_mem_ne(ivs[i], ivs[j], 16);
		if (p.cipher->salt_len) {
			ck_assert_uint_eq(ivs[i][3], i > 100);
			ck_assert_mem_eq(ivs[i] + 4, packet + 4, 4);
		}
	}
	esp_crypt_free(c);
}
END_TEST

Suite *suite_esp_crypt(void)
{
	Suite *s = suite_create("esp_crypt");
	TCase *t = tcase_create("all");

	tcase_add_test(t, test_packets);
	tcase_add_loop_test(t, test_every_bit, 0, 2 * (int)ARRAY_LEN(suites));
	tcase_add_loop_test(t, test_ivs, 0, (int)ARRAY_LEN(suites));
	suite_add_tcase(s, t);
	return s;
}

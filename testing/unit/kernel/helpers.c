/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "test_kernel.h"

#include "plugin/loader.h"
#include "util/writer.h"

uint32_t test_random(struct test_random *r, uint32_t below)
{
	r->state = r->state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((r->state >> 33) % below);
}

static struct plugin_env env;
static struct plugin_set *plugins;

static void crypto_end(void)
{
	plugins_unload(plugins);
	crypto_registry_free(env.crypto);
}

const struct crypto_registry *test_crypto(void)
{
	struct plugin_options options = { .dir = ".", .load = "openssl!" };
	struct errtext err;

	if (env.crypto)
		return env.crypto;
	env.crypto = crypto_registry_new();
	plugins = plugins_load(&options, &env, &err);
	ck_assert_msg(plugins != NULL, "%s", err.s);
	crypto_registry_freeze(env.crypto);
	atexit(crypto_end);
	return env.crypto;
}

struct protect test_protect(unsigned encr, unsigned key_bits, unsigned integ, struct suite *ret_suite)
{
	struct protect p;

	*ret_suite = (struct suite){ .protocol = PROTOCOL_ESP, .encr = (uint16_t)encr, .encr_bits = (uint16_t)key_bits,
				     .integ = (uint16_t)integ };
	ck_assert(result_is_ok(protect_init(test_crypto(), ret_suite, &p)));
	return p;
}

struct ts test_ts(const char *text)
{
	struct ts ts;

	ck_assert_msg(ts_parse(bytes_str(text), &ts), "%s", text);
	return ts;
}

struct addr test_addr(const char *text, uint16_t port)
{
	struct addr a;

	ck_assert_msg(addr_parse(bytes_str(text), &a), "%s", text);
	a.port = port;
	return a;
}

void test_checksum_v4(uint8_t *header)
{
	uint32_t sum = 0;

	header[10] = header[11] = 0;
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	header[10] = (uint8_t)(~sum >> 8);
	header[11] = (uint8_t)~sum;
}

size_t test_packet(uint8_t *out, const char *src, const char *dst, unsigned protocol, unsigned src_port,
		   unsigned dst_port, size_t n)
{
	struct addr from = test_addr(src, 0), to = test_addr(dst, 0);
	struct writer w = writer_of(out, 65535);
	uint8_t *data;

	if (from.family == AF_INET) {
		writer_u16(&w, 0x4500);
		writer_u16(&w, (uint16_t)(24 + n));
		writer_u32(&w, 0x12340000);
		writer_u8(&w, 64);
		writer_u8(&w, (uint8_t)protocol);
		writer_u16(&w, 0);
	} else {
		writer_u32(&w, 0x60000000);
		writer_u16(&w, (uint16_t)(4 + n));
		writer_u8(&w, (uint8_t)protocol);
		writer_u8(&w, 64);
	}
	writer_bytes(&w, bytes_of(from.ip, addr_len(&from)));
	writer_bytes(&w, bytes_of(to.ip, addr_len(&to)));
	writer_u16(&w, (uint16_t)src_port);
	writer_u16(&w, (uint16_t)dst_port);
	data = writer_reserve(&w, n);
	ck_assert(writer_ok(&w));
	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)(i * 7);
	if (from.family == AF_INET)
		test_checksum_v4(out);
	return w.n;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/esp_crypt.h"
#include "plugin/loader.h"
#include "util/log.h"
#include "util/mem.h"

/*
 * CPU time of what a worker does per message and per set-up, by the providers
 * as loaded: make bench_crypto && ./bench_crypto [PLUGIN-DIR]
 */
static struct crypto_registry *registry;
static struct crypto_ctx *ctx;
static uint8_t key[128] = { 1 }, packet[2048], value[2][1024];

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s failed\n", what);
	exit(EXIT_FAILURE);
}

/* Runs STATEMENT for about 0.2 s and prints its mean. */
#define BENCH(WHAT, STATEMENT)                                                                     \
	do {                                                                                       \
		double start_ = now_us(), end_ = start_;                                           \
		unsigned long runs_ = 0;                                                           \
		for (; end_ - start_ < 2e5; end_ = now_us())                                       \
			for (int i_ = 0; i_ < 8; i_++, runs_++)                                    \
				STATEMENT;                                                         \
		printf("%-44s %10.3f us\n", WHAT, (end_ - start_) / (double)runs_);                \
	} while (0)

static void bench_protect(const char *name, struct suite s)
{
	struct esp_crypt *out, *in;
	struct protect p;

	check(result_is_ok(protect_init(registry, &s, &p)), name);
	printf("%s\n", name);
	BENCH("  IKE message of 64 bytes, seal and open",
	      check(result_is_ok(protect_seal(ctx, &p, key, key, packet, 32, 64)) &&
			    result_is_ok(protect_open(ctx, &p, key, key, packet, 32, 64)),
		    name));
	out = esp_crypt_new(&p, key, key);
	in = esp_crypt_new(&p, key, key);
	check(out && in, name);
	BENCH("  ESP packet of 1,408 bytes, seal",
	      check(esp_crypt_seal(out, packet, 1408, 0, false), name));
	BENCH("  ESP packet of 1,408 bytes, seal and open",
	      check(esp_crypt_seal(out, packet, 1408, 0, false) &&
			    esp_crypt_open(in, packet, 1408, 0, false),
		    name));
	esp_crypt_free(out);
	esp_crypt_free(in);
}

static void bench_ke(unsigned id)
{
	const struct ke_impl *ke = crypto_ke(registry, id);
	struct secret secret = { 0 };
	void *own;

	check(ke, ke_name(id));
	printf("%s\n", ke_name(id));
	own = ke->initiate(ke, value[0]);
	check(own, ke_name(id));
	BENCH("  initiate", ke->key_free(ke->initiate(ke, value[1])));
	BENCH("  respond",
	      check(crypto_ke_respond(ctx, ke, bytes_of(value[0], ke->init_len), value[1], &secret),
		    ke_name(id)));
	BENCH("  finish",
	      check(ke->finish(ke, own, bytes_of(value[1], ke->resp_len), &secret), ke_name(id)));
	ke->key_free(own);
	secret_clear(&secret);
}

static void bench_keys(unsigned prf)
{
	struct suite s = { .encr = ENCR_AES_GCM_16, .encr_bits = 256, .prf = (uint16_t)prf };
	struct bytes nonce = bytes_of(key, 32), message = bytes_of(packet, 400);
	struct ike_keys keys = { 0 };
	struct secret keymat = { 0 };
	uint8_t auth[CRYPTO_MAX_MAC];
	size_t n;

	printf("%s\n", prf_name(prf));
	BENCH("  keys of an IKE_SA",
	      check(result_is_ok(keys_derive_ike(ctx, &s, nonce, nonce, nonce, 1, 2, 0, BYTES_NONE,
						 &keys)),
		    "keys"));
	BENCH("  keys of a CHILD_SA",
	      check(result_is_ok(keys_derive_child(ctx, prf, nonce, BYTES_NONE, nonce, nonce, 36, 0,
						   &keymat)),
		    "keys"));
	BENCH("  AUTH by shared key",
	      check(result_is_ok(keys_psk_auth(ctx, prf, nonce, message, nonce, nonce,
					       bytes_of(key, 12), auth, &n)),
		    "AUTH"));
	secret_clear(&keys.all);
	secret_clear(&keymat);
}

int main(int argc, char **argv)
{
	static const unsigned groups[] = { KE_CURVE_25519, KE_CURVE_448, KE_ECP_256, KE_ECP_384,
					   KE_MODP_2048 };
	struct plugin_options options = { .dir = argc > 1 ? argv[1] : ".", .load = "openssl!" };
	struct plugin_env env = { .crypto = registry = crypto_registry_new() };
	struct plugin_set *plugins;
	struct errtext err;
	double start = now_us();

	plugins = plugins_load(&options, &env, &err);
	check(plugins, err.s);
	crypto_registry_freeze(registry);
	ctx = crypto_ctx_new(registry);
	printf("load, with known answers %31.0f us\n", now_us() - start);
	BENCH("32 random bytes", crypto_random(ctx, packet, 32));
	bench_protect("AES_GCM_16-256",
		      (struct suite){ .encr = ENCR_AES_GCM_16, .encr_bits = 256 });
	bench_protect("CHACHA20_POLY1305", (struct suite){ .encr = ENCR_CHACHA20_POLY1305 });
	bench_protect("AES_CBC-256, HMAC_SHA2_256_128",
		      (struct suite){ .encr = ENCR_AES_CBC,
				      .encr_bits = 256,
				      .integ = INTEG_HMAC_SHA2_256_128 });
	bench_keys(PRF_HMAC_SHA2_256);
	bench_keys(PRF_AES128_XCBC);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		bench_ke(groups[i]);
	crypto_ctx_free(ctx);
	crypto_registry_free(registry);
	plugins_unload(plugins);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "openssl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "plugin/plugin.h"
#include "util/log.h"

static bool openssl_random(uint8_t *out, size_t n)
{
	return RAND_priv_bytes(out, (int)n) == 1;
}

static const struct rng_impl openssl_rng = { .plugin = OPENSSL_PLUGIN, .random = openssl_random };

static const char *const openssl_provides[] = {
	"rng:key",
	"encr:AES_CBC",
	"encr:AES_CTR",
	"encr:AES_CCM_8",
	"encr:AES_CCM_12",
	"encr:AES_CCM_16",
	"encr:AES_GCM_8",
	"encr:AES_GCM_12",
	"encr:AES_GCM_16",
	"encr:CHACHA20_POLY1305",
	"integ:HMAC_SHA1_96",
	"integ:HMAC_SHA2_256_128",
	"integ:HMAC_SHA2_384_192",
	"integ:HMAC_SHA2_512_256",
	"integ:AES_XCBC_96",
	"integ:AES_CMAC_96",
	"prf:PRF_HMAC_SHA1",
	"prf:PRF_HMAC_SHA2_256",
	"prf:PRF_HMAC_SHA2_384",
	"prf:PRF_HMAC_SHA2_512",
	"prf:PRF_AES128_XCBC",
	"prf:PRF_AES128_CMAC",
	"ke:MODP_2048",
	"ke:MODP_3072",
	"ke:MODP_4096",
	"ke:MODP_6144",
	"ke:MODP_8192",
	"ke:ECP_256",
	"ke:ECP_384",
	"ke:ECP_521",
	"ke:CURVE_25519",
	"ke:CURVE_448",
	"hash:SHA1",
	"hash:SHA2_256",
	"hash:SHA2_384",
	"hash:SHA2_512",
	NULL,
};

void openssl_lacks(const char *name)
{
	LOG(LIB, 1, "%s does not offer %s", OpenSSL_version(OPENSSL_VERSION), name);
	ERR_clear_error();
}

static void openssl_unload(struct plugin_env *env)
{
	openssl_kes_free();
	openssl_cbcmacs_free();
	openssl_hmacs_free();
	openssl_ciphers_free();
}

static bool openssl_load(struct plugin_env *env, struct errtext *err)
{
	unsigned n = 0;

	if (!env->crypto) {
		errtext_set(err, "the host has no registry of algorithms");
		return false;
	}
	if (!crypto_add_rng(env->crypto, &openssl_rng)) {
		errtext_set(err, "the random generator of %s cannot be used",
			    OpenSSL_version(OPENSSL_VERSION));
		return false;
	}
	n += openssl_ciphers_add(env->crypto);
	n += openssl_hmacs_add(env->crypto);
	n += openssl_cbcmacs_add(env->crypto);
	n += openssl_kes_add(env->crypto);
	LOG(LIB, 2, "plugin '" OPENSSL_PLUGIN "': %u implementations by %s", n,
	    OpenSSL_version(OPENSSL_VERSION));
	return true;
}

PLUGIN_DEFINE(openssl) = {
	.abi = PLUGIN_ABI,
	.name = OPENSSL_PLUGIN,
	.summary = "cryptographic algorithms by OpenSSL",
	.provides = openssl_provides,
	.load = openssl_load,
	.unload = openssl_unload,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "algorithms.h"

#include <stddef.h>

#include "proto/iana.h"
#include "util/mem.h"

/* Keys are as ours: key | salt, without one where there is none. */
static const struct kernel_algorithm kernel_ciphers[] = {
	{ ENCR_NULL, 0, "ecb(cipher_null)" },
	{ ENCR_3DES, 0, "cbc(des3_ede)" },
	{ ENCR_CAST, 0, "cbc(cast5)" },
	{ ENCR_BLOWFISH, 0, "cbc(blowfish)" },
	{ ENCR_AES_CBC, 0, "cbc(aes)" },
	{ ENCR_CAMELLIA_CBC, 0, "cbc(camellia)" },
	{ ENCR_AES_CTR, 0, "rfc3686(ctr(aes))" },
	{ ENCR_AES_CCM_8, 64, "rfc4309(ccm(aes))" },
	{ ENCR_AES_CCM_12, 96, "rfc4309(ccm(aes))" },
	{ ENCR_AES_CCM_16, 128, "rfc4309(ccm(aes))" },
	{ ENCR_AES_GCM_8, 64, "rfc4106(gcm(aes))" },
	{ ENCR_AES_GCM_12, 96, "rfc4106(gcm(aes))" },
	{ ENCR_AES_GCM_16, 128, "rfc4106(gcm(aes))" },
	{ ENCR_NULL_AES_GMAC, 128, "rfc4543(gcm(aes))" },
	{ ENCR_CHACHA20_POLY1305, 128, "rfc7539esp(chacha20,poly1305)" },
};

static const struct kernel_algorithm kernel_integrities[] = {
	{ INTEG_HMAC_MD5_96, 96, "hmac(md5)" },
	{ INTEG_HMAC_MD5_128, 128, "hmac(md5)" },
	{ INTEG_HMAC_SHA1_96, 96, "hmac(sha1)" },
	{ INTEG_HMAC_SHA1_160, 160, "hmac(sha1)" },
	{ INTEG_HMAC_SHA2_256_96, 96, "hmac(sha256)" },
	{ INTEG_HMAC_SHA2_256_128, 128, "hmac(sha256)" },
	{ INTEG_HMAC_SHA2_384_192, 192, "hmac(sha384)" },
	{ INTEG_HMAC_SHA2_512_256, 256, "hmac(sha512)" },
	{ INTEG_AES_XCBC_96, 96, "xcbc(aes)" },
	{ INTEG_AES_CMAC_96, 96, "cmac(aes)" },
};

static const struct kernel_algorithm *kernel_algorithm_find(const struct kernel_algorithm *list, size_t n, unsigned id)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].id == id)
			return &list[i];
	return NULL;
}

const struct kernel_algorithm *kernel_cipher(unsigned encr)
{
	return kernel_algorithm_find(kernel_ciphers, ARRAY_LEN(kernel_ciphers), encr);
}

const struct kernel_algorithm *kernel_integrity(unsigned integ)
{
	return kernel_algorithm_find(kernel_integrities, ARRAY_LEN(kernel_integrities), integ);
}

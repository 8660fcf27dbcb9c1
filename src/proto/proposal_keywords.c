/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/proposal_keywords.h"

#include "util/mem.h"

#define ENCR(TOKEN, ID, BITS) { TOKEN, TRANSFORM_ENCR, ENCR_##ID, BITS, NULL }
#define INTEG(TOKEN, ID)      { TOKEN, TRANSFORM_INTEG, INTEG_##ID, 0, NULL }
#define PRF(TOKEN, ID)        { TOKEN, TRANSFORM_PRF, PRF_##ID, 0, NULL }
#define KE(TOKEN, ID)         { TOKEN, TRANSFORM_KE, KE_##ID, 0, NULL }
#define REFUSED(TOKEN, WHY)   { TOKEN, 0, 0, 0, WHY }
#define NO_NUMBER(TOKEN)      REFUSED(TOKEN, "has no IANA number")

/* The tag is given in bytes or in bits. */
#define ENCR_TAGS(PREFIX, ID, BITS)                                                                \
	ENCR(PREFIX "8", ID##_8, BITS), ENCR(PREFIX "64", ID##_8, BITS),                           \
		ENCR(PREFIX "12", ID##_12, BITS), ENCR(PREFIX "96", ID##_12, BITS),                \
		ENCR(PREFIX "16", ID##_16, BITS), ENCR(PREFIX "128", ID##_16, BITS)

static const struct proposal_keyword keywords[] = {
	ENCR("null", NULL, 0),
	ENCR("des", DES, 0),
	ENCR("3des", 3DES, 0),
	ENCR("aes", AES_CBC, 128),
	ENCR("aes128", AES_CBC, 128),
	ENCR("aes192", AES_CBC, 192),
	ENCR("aes256", AES_CBC, 256),
	ENCR("aes128ctr", AES_CTR, 128),
	ENCR("aes192ctr", AES_CTR, 192),
	ENCR("aes256ctr", AES_CTR, 256),
	ENCR("camellia", CAMELLIA_CBC, 128),
	ENCR("camellia128", CAMELLIA_CBC, 128),
	ENCR("camellia192", CAMELLIA_CBC, 192),
	ENCR("camellia256", CAMELLIA_CBC, 256),
	ENCR("camellia128ctr", CAMELLIA_CTR, 128),
	ENCR("camellia192ctr", CAMELLIA_CTR, 192),
	ENCR("camellia256ctr", CAMELLIA_CTR, 256),
	ENCR("blowfish", BLOWFISH, 128),
	ENCR("blowfish128", BLOWFISH, 128),
	ENCR("blowfish192", BLOWFISH, 192),
	ENCR("blowfish256", BLOWFISH, 256),
	ENCR("cast128", CAST, 128),
	NO_NUMBER("serpent"),
	NO_NUMBER("serpent128"),
	NO_NUMBER("serpent192"),
	NO_NUMBER("serpent256"),
	NO_NUMBER("twofish"),
	NO_NUMBER("twofish128"),
	NO_NUMBER("twofish192"),
	NO_NUMBER("twofish256"),

	ENCR("aes128gcm", AES_GCM_16, 128),
	ENCR("aes192gcm", AES_GCM_16, 192),
	ENCR("aes256gcm", AES_GCM_16, 256),
	ENCR_TAGS("aes128gcm", AES_GCM, 128),
	ENCR_TAGS("aes192gcm", AES_GCM, 192),
	ENCR_TAGS("aes256gcm", AES_GCM, 256),
	ENCR("aes128ccm", AES_CCM_16, 128),
	ENCR("aes192ccm", AES_CCM_16, 192),
	ENCR("aes256ccm", AES_CCM_16, 256),
	ENCR_TAGS("aes128ccm", AES_CCM, 128),
	ENCR_TAGS("aes192ccm", AES_CCM, 192),
	ENCR_TAGS("aes256ccm", AES_CCM, 256),
	ENCR("aes128gmac", NULL_AES_GMAC, 128),
	ENCR("aes192gmac", NULL_AES_GMAC, 192),
	ENCR("aes256gmac", NULL_AES_GMAC, 256),
	ENCR_TAGS("camellia128ccm", CAMELLIA_CCM, 128),
	ENCR_TAGS("camellia192ccm", CAMELLIA_CCM, 192),
	ENCR_TAGS("camellia256ccm", CAMELLIA_CCM, 256),
	ENCR("chacha20poly1305", CHACHA20_POLY1305, 0),
	ENCR("chacha20poly1305compat", CHACHA20_POLY1305, 256),

	INTEG("md5", HMAC_MD5_96),
	INTEG("md5_128", HMAC_MD5_128),
	INTEG("sha", HMAC_SHA1_96),
	INTEG("sha1", HMAC_SHA1_96),
	INTEG("sha1_160", HMAC_SHA1_160),
	INTEG("sha256", HMAC_SHA2_256_128),
	INTEG("sha2_256", HMAC_SHA2_256_128),
	INTEG("sha384", HMAC_SHA2_384_192),
	INTEG("sha2_384", HMAC_SHA2_384_192),
	INTEG("sha512", HMAC_SHA2_512_256),
	INTEG("sha2_512", HMAC_SHA2_512_256),
	INTEG("aesxcbc", AES_XCBC_96),
	INTEG("aescmac", AES_CMAC_96),
	REFUSED("sha256_96", "has no IANA number and is not supported, use sha256"),
	REFUSED("sha2_256_96", "has no IANA number and is not supported, use sha256"),
	NO_NUMBER("camelliaxcbc"),

	PRF("prfmd5", HMAC_MD5),
	PRF("prfsha1", HMAC_SHA1),
	PRF("prfsha256", HMAC_SHA2_256),
	PRF("prfsha384", HMAC_SHA2_384),
	PRF("prfsha512", HMAC_SHA2_512),
	PRF("prfaesxcbc", AES128_XCBC),
	PRF("prfaescmac", AES128_CMAC),
	NO_NUMBER("prfcamelliaxcbc"),

	KE("modp768", MODP_768),
	KE("modp1024", MODP_1024),
	KE("modp1536", MODP_1536),
	KE("modp2048", MODP_2048),
	KE("modp3072", MODP_3072),
	KE("modp4096", MODP_4096),
	KE("modp6144", MODP_6144),
	KE("modp8192", MODP_8192),
	KE("modp1024s160", MODP_1024_160),
	KE("modp2048s224", MODP_2048_224),
	KE("modp2048s256", MODP_2048_256),
	KE("ecp192", ECP_192),
	KE("ecp224", ECP_224),
	KE("ecp256", ECP_256),
	KE("ecp384", ECP_384),
	KE("ecp521", ECP_521),
	KE("ecp224bp", ECP_224_BP),
	KE("ecp256bp", ECP_256_BP),
	KE("ecp384bp", ECP_384_BP),
	KE("ecp512bp", ECP_512_BP),
	KE("curve25519", CURVE_25519),
	KE("x25519", CURVE_25519),
	KE("curve448", CURVE_448),
	KE("x448", CURVE_448),
	KE("mlkem512", ML_KEM_512),
	KE("mlkem768", ML_KEM_768),
	KE("mlkem1024", ML_KEM_1024),
	KE("none", NONE),
	KE("modpnone", NONE),
	REFUSED("modpnull", "exchanges no key"),

	{ "noesn", TRANSFORM_ESN, ESN_NO, 0, NULL },
	{ "esn", TRANSFORM_ESN, ESN_YES, 0, NULL },
};

const struct proposal_keyword *proposal_keyword_find(struct bytes token)
{
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		if (bytes_equal_str(token, keywords[i].token))
			return &keywords[i];
	}
	return NULL;
}

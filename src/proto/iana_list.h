/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PROTO_IANA_LIST_H
#define BEWICK_PROTO_IANA_LIST_H

/* The numbers and names behind iana.h: X(symbol, number, name[, short name]). Numbers
 * are those of the IANA registry "Internet Key Exchange Version 2 (IKEv2) Parameters"
 * unless a comment says otherwise. */

#define IANA_EXCHANGE_LIST(X)                                                                      \
	X(EXCHANGE_IKE_SA_INIT, 34, "IKE_SA_INIT")                                                 \
	X(EXCHANGE_IKE_AUTH, 35, "IKE_AUTH")                                                       \
	X(EXCHANGE_CREATE_CHILD_SA, 36, "CREATE_CHILD_SA")                                         \
	X(EXCHANGE_INFORMATIONAL, 37, "INFORMATIONAL")                                             \
	X(EXCHANGE_IKE_SESSION_RESUME, 38, "IKE_SESSION_RESUME")                                   \
	X(EXCHANGE_GSA_AUTH, 39, "GSA_AUTH")                                                       \
	X(EXCHANGE_GSA_REGISTRATION, 40, "GSA_REGISTRATION")                                       \
	X(EXCHANGE_GSA_REKEY, 41, "GSA_REKEY")                                                     \
	X(EXCHANGE_IKE_INTERMEDIATE, 43, "IKE_INTERMEDIATE")                                       \
	X(EXCHANGE_IKE_FOLLOWUP_KE, 44, "IKE_FOLLOWUP_KE")

#define IANA_PAYLOAD_LIST(X)                                                                       \
	X(PAYLOAD_NONE, 0, "NO_PAYLOAD", "none")                                                   \
	X(PAYLOAD_SA, 33, "SECURITY_ASSOCIATION", "SA")                                            \
	X(PAYLOAD_KE, 34, "KEY_EXCHANGE", "KE")                                                    \
	X(PAYLOAD_IDI, 35, "ID_INITIATOR", "IDi")                                                  \
	X(PAYLOAD_IDR, 36, "ID_RESPONDER", "IDr")                                                  \
	X(PAYLOAD_CERT, 37, "CERTIFICATE", "CERT")                                                 \
	X(PAYLOAD_CERTREQ, 38, "CERTIFICATE_REQUEST", "CERTREQ")                                   \
	X(PAYLOAD_AUTH, 39, "AUTHENTICATION", "AUTH")                                              \
	X(PAYLOAD_NONCE, 40, "NONCE", "No")                                                        \
	X(PAYLOAD_NOTIFY, 41, "NOTIFY", "N")                                                       \
	X(PAYLOAD_DELETE, 42, "DELETE", "D")                                                       \
	X(PAYLOAD_VENDOR, 43, "VENDOR_ID", "V")                                                    \
	X(PAYLOAD_TSI, 44, "TS_INITIATOR", "TSi")                                                  \
	X(PAYLOAD_TSR, 45, "TS_RESPONDER", "TSr")                                                  \
	X(PAYLOAD_SK, 46, "ENCRYPTED", "E")                                                        \
	X(PAYLOAD_CP, 47, "CONFIGURATION", "CP")                                                   \
	X(PAYLOAD_EAP, 48, "EXTENSIBLE_AUTHENTICATION", "EAP")                                     \
	X(PAYLOAD_GSPM, 49, "SECURE_PASSWORD_METHOD", "GSPM")                                      \
	X(PAYLOAD_IDG, 50, "ID_GROUP", "IDg")                                                      \
	X(PAYLOAD_GSA, 51, "GROUP_SECURITY_ASSOCIATION", "GSA")                                    \
	X(PAYLOAD_KD, 52, "KEY_DOWNLOAD", "KD")                                                    \
	X(PAYLOAD_SKF, 53, "ENCRYPTED_FRAGMENT", "EF")                                             \
	X(PAYLOAD_PS, 54, "PUZZLE_SOLUTION", "PS")

#define IANA_PROTOCOL_LIST(X)                                                                      \
	X(PROTOCOL_NONE, 0, "NONE")                                                                \
	X(PROTOCOL_IKE, 1, "IKE")                                                                  \
	X(PROTOCOL_AH, 2, "AH")                                                                    \
	X(PROTOCOL_ESP, 3, "ESP")

#define IANA_TRANSFORM_LIST(X)                                                                     \
	X(TRANSFORM_ENCR, 1, "ENCRYPTION_ALGORITHM")                                               \
	X(TRANSFORM_PRF, 2, "PSEUDO_RANDOM_FUNCTION")                                              \
	X(TRANSFORM_INTEG, 3, "INTEGRITY_ALGORITHM")                                               \
	X(TRANSFORM_KE, 4, "KEY_EXCHANGE_METHOD")                                                  \
	X(TRANSFORM_ESN, 5, "EXTENDED_SEQUENCE_NUMBERS")                                           \
	X(TRANSFORM_ADDKE1, 6, "ADDITIONAL_KEY_EXCHANGE_1")                                        \
	X(TRANSFORM_ADDKE2, 7, "ADDITIONAL_KEY_EXCHANGE_2")                                        \
	X(TRANSFORM_ADDKE3, 8, "ADDITIONAL_KEY_EXCHANGE_3")                                        \
	X(TRANSFORM_ADDKE4, 9, "ADDITIONAL_KEY_EXCHANGE_4")                                        \
	X(TRANSFORM_ADDKE5, 10, "ADDITIONAL_KEY_EXCHANGE_5")                                       \
	X(TRANSFORM_ADDKE6, 11, "ADDITIONAL_KEY_EXCHANGE_6")                                       \
	X(TRANSFORM_ADDKE7, 12, "ADDITIONAL_KEY_EXCHANGE_7")

#define IANA_ENCR_LIST(X)                                                                          \
	X(ENCR_DES_IV64, 1, "DES_IV64")                                                            \
	X(ENCR_DES, 2, "DES_CBC")                                                                  \
	X(ENCR_3DES, 3, "3DES_CBC")                                                                \
	X(ENCR_RC5, 4, "RC5_CBC")                                                                  \
	X(ENCR_IDEA, 5, "IDEA_CBC")                                                                \
	X(ENCR_CAST, 6, "CAST_CBC")                                                                \
	X(ENCR_BLOWFISH, 7, "BLOWFISH_CBC")                                                        \
	X(ENCR_3IDEA, 8, "3IDEA")                                                                  \
	X(ENCR_DES_IV32, 9, "DES_IV32")                                                            \
	X(ENCR_NULL, 11, "NULL")                                                                   \
	X(ENCR_AES_CBC, 12, "AES_CBC")                                                             \
	X(ENCR_AES_CTR, 13, "AES_CTR")                                                             \
	X(ENCR_AES_CCM_8, 14, "AES_CCM_8")                                                         \
	X(ENCR_AES_CCM_12, 15, "AES_CCM_12")                                                       \
	X(ENCR_AES_CCM_16, 16, "AES_CCM_16")                                                       \
	X(ENCR_AES_GCM_8, 18, "AES_GCM_8")                                                         \
	X(ENCR_AES_GCM_12, 19, "AES_GCM_12")                                                       \
	X(ENCR_AES_GCM_16, 20, "AES_GCM_16")                                                       \
	X(ENCR_NULL_AES_GMAC, 21, "NULL_AES_GMAC")                                                 \
	X(ENCR_CAMELLIA_CBC, 23, "CAMELLIA_CBC")                                                   \
	X(ENCR_CAMELLIA_CTR, 24, "CAMELLIA_CTR")                                                   \
	X(ENCR_CAMELLIA_CCM_8, 25, "CAMELLIA_CCM_8")                                               \
	X(ENCR_CAMELLIA_CCM_12, 26, "CAMELLIA_CCM_12")                                             \
	X(ENCR_CAMELLIA_CCM_16, 27, "CAMELLIA_CCM_16")                                             \
	X(ENCR_CHACHA20_POLY1305, 28, "CHACHA20_POLY1305")                                         \
	X(ENCR_AES_CCM_8_IIV, 29, "AES_CCM_8_IIV")                                                 \
	X(ENCR_AES_GCM_16_IIV, 30, "AES_GCM_16_IIV")                                               \
	X(ENCR_CHACHA20_POLY1305_IIV, 31, "CHACHA20_POLY1305_IIV")                                 \
	X(ENCR_KUZNYECHIK_MGM_KTREE, 32, "KUZNYECHIK_MGM_KTREE")                                   \
	X(ENCR_MAGMA_MGM_KTREE, 33, "MAGMA_MGM_KTREE")                                             \
	X(ENCR_KUZNYECHIK_MGM_MAC_KTREE, 34, "KUZNYECHIK_MGM_MAC_KTREE")                           \
	X(ENCR_MAGMA_MGM_MAC_KTREE, 35, "MAGMA_MGM_MAC_KTREE")

#define IANA_PRF_LIST(X)                                                                           \
	X(PRF_HMAC_MD5, 1, "PRF_HMAC_MD5")                                                         \
	X(PRF_HMAC_SHA1, 2, "PRF_HMAC_SHA1")                                                       \
	X(PRF_HMAC_TIGER, 3, "PRF_HMAC_TIGER")                                                     \
	X(PRF_AES128_XCBC, 4, "PRF_AES128_XCBC")                                                   \
	X(PRF_HMAC_SHA2_256, 5, "PRF_HMAC_SHA2_256")                                               \
	X(PRF_HMAC_SHA2_384, 6, "PRF_HMAC_SHA2_384")                                               \
	X(PRF_HMAC_SHA2_512, 7, "PRF_HMAC_SHA2_512")                                               \
	X(PRF_AES128_CMAC, 8, "PRF_AES128_CMAC")                                                   \
	X(PRF_HMAC_STREEBOG_512, 9, "PRF_HMAC_STREEBOG_512")

/* HMAC_SHA2_256_96 has no IANA number: ours is of the private range, names what the kernel
 * was given for a child with sha256_96, and is never negotiated. */
#define IANA_INTEG_LIST(X)                                                                         \
	X(INTEG_NONE, 0, "NONE")                                                                   \
	X(INTEG_HMAC_MD5_96, 1, "HMAC_MD5_96")                                                     \
	X(INTEG_HMAC_SHA1_96, 2, "HMAC_SHA1_96")                                                   \
	X(INTEG_DES_MAC, 3, "DES_MAC")                                                             \
	X(INTEG_KPDK_MD5, 4, "KPDK_MD5")                                                           \
	X(INTEG_AES_XCBC_96, 5, "AES_XCBC_96")                                                     \
	X(INTEG_HMAC_MD5_128, 6, "HMAC_MD5_128")                                                   \
	X(INTEG_HMAC_SHA1_160, 7, "HMAC_SHA1_160")                                                 \
	X(INTEG_AES_CMAC_96, 8, "AES_CMAC_96")                                                     \
	X(INTEG_AES_128_GMAC, 9, "AES_128_GMAC")                                                   \
	X(INTEG_AES_192_GMAC, 10, "AES_192_GMAC")                                                  \
	X(INTEG_AES_256_GMAC, 11, "AES_256_GMAC")                                                  \
	X(INTEG_HMAC_SHA2_256_128, 12, "HMAC_SHA2_256_128")                                        \
	X(INTEG_HMAC_SHA2_384_192, 13, "HMAC_SHA2_384_192")                                        \
	X(INTEG_HMAC_SHA2_512_256, 14, "HMAC_SHA2_512_256")                                        \
	X(INTEG_HMAC_SHA2_256_96, 65280, "HMAC_SHA2_256_96")

#define IANA_KE_LIST(X)                                                                            \
	X(KE_NONE, 0, "NONE")                                                                      \
	X(KE_MODP_768, 1, "MODP_768")                                                              \
	X(KE_MODP_1024, 2, "MODP_1024")                                                            \
	X(KE_MODP_1536, 5, "MODP_1536")                                                            \
	X(KE_MODP_2048, 14, "MODP_2048")                                                           \
	X(KE_MODP_3072, 15, "MODP_3072")                                                           \
	X(KE_MODP_4096, 16, "MODP_4096")                                                           \
	X(KE_MODP_6144, 17, "MODP_6144")                                                           \
	X(KE_MODP_8192, 18, "MODP_8192")                                                           \
	X(KE_ECP_256, 19, "ECP_256")                                                               \
	X(KE_ECP_384, 20, "ECP_384")                                                               \
	X(KE_ECP_521, 21, "ECP_521")                                                               \
	X(KE_MODP_1024_160, 22, "MODP_1024_160")                                                   \
	X(KE_MODP_2048_224, 23, "MODP_2048_224")                                                   \
	X(KE_MODP_2048_256, 24, "MODP_2048_256")                                                   \
	X(KE_ECP_192, 25, "ECP_192")                                                               \
	X(KE_ECP_224, 26, "ECP_224")                                                               \
	X(KE_ECP_224_BP, 27, "ECP_224_BP")                                                         \
	X(KE_ECP_256_BP, 28, "ECP_256_BP")                                                         \
	X(KE_ECP_384_BP, 29, "ECP_384_BP")                                                         \
	X(KE_ECP_512_BP, 30, "ECP_512_BP")                                                         \
	X(KE_CURVE_25519, 31, "CURVE_25519")                                                       \
	X(KE_CURVE_448, 32, "CURVE_448")                                                           \
	X(KE_GOST3410_2012_256, 33, "GOST3410_2012_256")                                           \
	X(KE_GOST3410_2012_512, 34, "GOST3410_2012_512")                                           \
	X(KE_ML_KEM_512, 35, "ML_KEM_512")                                                         \
	X(KE_ML_KEM_768, 36, "ML_KEM_768")                                                         \
	X(KE_ML_KEM_1024, 37, "ML_KEM_1024")

#define IANA_NOTIFY_LIST(X)                                                                        \
	X(NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD, 1, "UNSUPPORTED_CRITICAL_PAYLOAD", "CRIT")          \
	X(NOTIFY_INVALID_IKE_SPI, 4, "INVALID_IKE_SPI", "INVAL_IKE_SPI")                           \
	X(NOTIFY_INVALID_MAJOR_VERSION, 5, "INVALID_MAJOR_VERSION", "INVAL_MAJOR")                 \
	X(NOTIFY_INVALID_SYNTAX, 7, "INVALID_SYNTAX", "INVAL_SYN")                                 \
	X(NOTIFY_INVALID_MESSAGE_ID, 9, "INVALID_MESSAGE_ID", "INVAL_MID")                         \
	X(NOTIFY_INVALID_SPI, 11, "INVALID_SPI", "INVAL_SPI")                                      \
	X(NOTIFY_NO_PROPOSAL_CHOSEN, 14, "NO_PROPOSAL_CHOSEN", "NO_PROP")                          \
	X(NOTIFY_INVALID_KE_PAYLOAD, 17, "INVALID_KE_PAYLOAD", "INVAL_KE")                         \
	X(NOTIFY_AUTHENTICATION_FAILED, 24, "AUTHENTICATION_FAILED", "AUTH_FAILED")                \
	X(NOTIFY_SINGLE_PAIR_REQUIRED, 34, "SINGLE_PAIR_REQUIRED", "SINGLE_PAIR")                  \
	X(NOTIFY_NO_ADDITIONAL_SAS, 35, "NO_ADDITIONAL_SAS", "NO_ADD_SAS")                         \
	X(NOTIFY_INTERNAL_ADDRESS_FAILURE, 36, "INTERNAL_ADDRESS_FAILURE", "INT_ADDR_FAIL")        \
	X(NOTIFY_FAILED_CP_REQUIRED, 37, "FAILED_CP_REQUIRED", "FAILED_CP_REQ")                    \
	X(NOTIFY_TS_UNACCEPTABLE, 38, "TS_UNACCEPTABLE", "TS_UNACCEPT")                            \
	X(NOTIFY_INVALID_SELECTORS, 39, "INVALID_SELECTORS", "INVAL_SEL")                          \
	X(NOTIFY_UNACCEPTABLE_ADDRESSES, 40, "UNACCEPTABLE_ADDRESSES", "UNACCEPT_ADDR")            \
	X(NOTIFY_UNEXPECTED_NAT_DETECTED, 41, "UNEXPECTED_NAT_DETECTED", "UNEXPECT_NAT")           \
	X(NOTIFY_USE_ASSIGNED_HOA, 42, "USE_ASSIGNED_HoA", "ASSIGNED_HOA")                         \
	X(NOTIFY_TEMPORARY_FAILURE, 43, "TEMPORARY_FAILURE", "TEMP_FAIL")                          \
	X(NOTIFY_CHILD_SA_NOT_FOUND, 44, "CHILD_SA_NOT_FOUND", "NO_CHILD_SA")                      \
	X(NOTIFY_INVALID_GROUP_ID, 45, "INVALID_GROUP_ID", "INVAL_GROUP")                          \
	X(NOTIFY_AUTHORIZATION_FAILED, 46, "AUTHORIZATION_FAILED", "AUTHZ_FAILED")                 \
	X(NOTIFY_STATE_NOT_FOUND, 47, "STATE_NOT_FOUND", "NO_STATE")                               \
	X(NOTIFY_TS_MAX_QUEUE, 48, "TS_MAX_QUEUE", "TS_MAX_QUEUE")                                 \
	X(NOTIFY_REGISTRATION_FAILED, 49, "REGISTRATION_FAILED", "REG_FAILED")                     \
	X(NOTIFY_INITIAL_CONTACT, 16384, "INITIAL_CONTACT", "INIT_CONTACT")                        \
	X(NOTIFY_SET_WINDOW_SIZE, 16385, "SET_WINDOW_SIZE", "WINDOW_SIZE")                         \
	X(NOTIFY_ADDITIONAL_TS_POSSIBLE, 16386, "ADDITIONAL_TS_POSSIBLE", "ADD_TS_POSS")           \
	X(NOTIFY_IPCOMP_SUPPORTED, 16387, "IPCOMP_SUPPORTED", "IPCOMP_SUP")                        \
	X(NOTIFY_NAT_DETECTION_SOURCE_IP, 16388, "NAT_DETECTION_SOURCE_IP", "NATD_S_IP")           \
	X(NOTIFY_NAT_DETECTION_DESTINATION_IP, 16389, "NAT_DETECTION_DESTINATION_IP", "NATD_D_IP") \
	X(NOTIFY_COOKIE, 16390, "COOKIE", "COOKIE")                                                \
	X(NOTIFY_USE_TRANSPORT_MODE, 16391, "USE_TRANSPORT_MODE", "USE_TRANSP")                    \
	X(NOTIFY_HTTP_CERT_LOOKUP_SUPPORTED, 16392, "HTTP_CERT_LOOKUP_SUPPORTED", "HTTP_CERT_SUP") \
	X(NOTIFY_REKEY_SA, 16393, "REKEY_SA", "REKEY_SA")                                          \
	X(NOTIFY_ESP_TFC_PADDING_NOT_SUPPORTED, 16394, "ESP_TFC_PADDING_NOT_SUPPORTED",            \
	  "ESP_TFC_PAD_N")                                                                         \
	X(NOTIFY_NON_FIRST_FRAGMENTS_ALSO, 16395, "NON_FIRST_FRAGMENTS_ALSO", "NON_FIRST_FRAG")    \
	X(NOTIFY_MOBIKE_SUPPORTED, 16396, "MOBIKE_SUPPORTED", "MOBIKE_SUP")                        \
	X(NOTIFY_ADDITIONAL_IP4_ADDRESS, 16397, "ADDITIONAL_IP4_ADDRESS", "ADD_4_ADDR")            \
	X(NOTIFY_ADDITIONAL_IP6_ADDRESS, 16398, "ADDITIONAL_IP6_ADDRESS", "ADD_6_ADDR")            \
	X(NOTIFY_NO_ADDITIONAL_ADDRESSES, 16399, "NO_ADDITIONAL_ADDRESSES", "NO_ADD_ADDR")         \
	X(NOTIFY_UPDATE_SA_ADDRESSES, 16400, "UPDATE_SA_ADDRESSES", "UPD_SA_ADDR")                 \
	X(NOTIFY_COOKIE2, 16401, "COOKIE2", "COOKIE2")                                             \
	X(NOTIFY_NO_NATS_ALLOWED, 16402, "NO_NATS_ALLOWED", "NO_NATS")                             \
	X(NOTIFY_AUTH_LIFETIME, 16403, "AUTH_LIFETIME", "AUTH_LFT")                                \
	X(NOTIFY_MULTIPLE_AUTH_SUPPORTED, 16404, "MULTIPLE_AUTH_SUPPORTED", "MULT_AUTH")           \
	X(NOTIFY_ANOTHER_AUTH_FOLLOWS, 16405, "ANOTHER_AUTH_FOLLOWS", "AUTH_FOLLOWS")              \
	X(NOTIFY_REDIRECT_SUPPORTED, 16406, "REDIRECT_SUPPORTED", "REDIR_SUP")                     \
	X(NOTIFY_REDIRECT, 16407, "REDIRECT", "REDIR")                                             \
	X(NOTIFY_REDIRECTED_FROM, 16408, "REDIRECTED_FROM", "REDIR_FROM")                          \
	X(NOTIFY_TICKET_LT_OPAQUE, 16409, "TICKET_LT_OPAQUE", "TKT_LT_OPAQUE")                     \
	X(NOTIFY_TICKET_REQUEST, 16410, "TICKET_REQUEST", "TKT_REQ")                               \
	X(NOTIFY_TICKET_ACK, 16411, "TICKET_ACK", "TKT_ACK")                                       \
	X(NOTIFY_TICKET_NACK, 16412, "TICKET_NACK", "TKT_NACK")                                    \
	X(NOTIFY_TICKET_OPAQUE, 16413, "TICKET_OPAQUE", "TKT_OPAQUE")                              \
	X(NOTIFY_LINK_ID, 16414, "LINK_ID", "LINK_ID")                                             \
	X(NOTIFY_USE_WESP_MODE, 16415, "USE_WESP_MODE", "WESP_MODE")                               \
	X(NOTIFY_ROHC_SUPPORTED, 16416, "ROHC_SUPPORTED", "ROHC_SUP")                              \
	X(NOTIFY_EAP_ONLY_AUTHENTICATION, 16417, "EAP_ONLY_AUTHENTICATION", "EAP_ONLY")            \
	X(NOTIFY_CHILDLESS_IKEV2_SUPPORTED, 16418, "CHILDLESS_IKEV2_SUPPORTED", "CHDLESS_SUP")     \
	X(NOTIFY_QUICK_CRASH_DETECTION, 16419, "QUICK_CRASH_DETECTION", "CRASH_DET")               \
	X(NOTIFY_IKEV2_MESSAGE_ID_SYNC_SUPPORTED, 16420, "IKEV2_MESSAGE_ID_SYNC_SUPPORTED",        \
	  "MSG_ID_SYN_SUP")                                                                        \
	X(NOTIFY_IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED, 16421,                                       \
	  "IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED", "RPL_CTR_SYN_SUP")                                \
	X(NOTIFY_IKEV2_MESSAGE_ID_SYNC, 16422, "IKEV2_MESSAGE_ID_SYNC", "MSG_ID_SYN")              \
	X(NOTIFY_IPSEC_REPLAY_COUNTER_SYNC, 16423, "IPSEC_REPLAY_COUNTER_SYNC", "RPL_CTR_SYN")     \
	X(NOTIFY_SECURE_PASSWORD_METHODS, 16424, "SECURE_PASSWORD_METHODS", "SEC_PASSWD")          \
	X(NOTIFY_PSK_PERSIST, 16425, "PSK_PERSIST", "PSK_PERSIST")                                 \
	X(NOTIFY_PSK_CONFIRM, 16426, "PSK_CONFIRM", "PSK_CONFIRM")                                 \
	X(NOTIFY_ERX_SUPPORTED, 16427, "ERX_SUPPORTED", "ERX_SUP")                                 \
	X(NOTIFY_IFOM_CAPABILITY, 16428, "IFOM_CAPABILITY", "IFOM_CAP")                            \
	X(NOTIFY_GROUP_SENDER, 16429, "GROUP_SENDER", "GRP_SENDER")                                \
	X(NOTIFY_IKEV2_FRAGMENTATION_SUPPORTED, 16430, "IKEV2_FRAGMENTATION_SUPPORTED",            \
	  "FRAG_SUP")                                                                              \
	X(NOTIFY_SIGNATURE_HASH_ALGORITHMS, 16431, "SIGNATURE_HASH_ALGORITHMS", "HASH_ALG")        \
	X(NOTIFY_CLONE_IKE_SA_SUPPORTED, 16432, "CLONE_IKE_SA_SUPPORTED", "CLONE_SUP")             \
	X(NOTIFY_CLONE_IKE_SA, 16433, "CLONE_IKE_SA", "CLONE_SA")                                  \
	X(NOTIFY_PUZZLE, 16434, "PUZZLE", "PUZZLE")                                                \
	X(NOTIFY_USE_PPK, 16435, "USE_PPK", "USE_PPK")                                             \
	X(NOTIFY_PPK_IDENTITY, 16436, "PPK_IDENTITY", "PPK_ID")                                    \
	X(NOTIFY_NO_PPK_AUTH, 16437, "NO_PPK_AUTH", "NO_PPK_AUTH")                                 \
	X(NOTIFY_INTERMEDIATE_EXCHANGE_SUPPORTED, 16438, "INTERMEDIATE_EXCHANGE_SUPPORTED",        \
	  "INTERM_SUP")                                                                            \
	X(NOTIFY_IP4_ALLOWED, 16439, "IP4_ALLOWED", "IP4_ALLOWED")                                 \
	X(NOTIFY_IP6_ALLOWED, 16440, "IP6_ALLOWED", "IP6_ALLOWED")                                 \
	X(NOTIFY_ADDITIONAL_KEY_EXCHANGE, 16441, "ADDITIONAL_KEY_EXCHANGE", "ADD_KE")              \
	X(NOTIFY_USE_AGGFRAG, 16442, "USE_AGGFRAG", "USE_AGGFRAG")                                 \
	X(NOTIFY_SUPPORTED_AUTH_METHODS, 16443, "SUPPORTED_AUTH_METHODS", "AUTH_METHODS")          \
	X(NOTIFY_SA_RESOURCE_INFO, 16444, "SA_RESOURCE_INFO", "SA_RES_INFO")                       \
	X(NOTIFY_USE_PPK_INT, 16445, "USE_PPK_INT", "USE_PPK_INT")                                 \
	X(NOTIFY_PPK_IDENTITY_KEY, 16446, "PPK_IDENTITY_KEY", "PPK_ID_KEY")                        \
	X(NOTIFY_USE_BEET_MODE, 40961, "USE_BEET_MODE", "BEET_MODE")

/* 4 and 6 to 8 are not of IKEv2 (RFC 2407 had them): nets and ranges, only used as patterns. */
#define IANA_ID_LIST(X)                                                                            \
	X(ID_TYPE_ANY, 0, "ID_ANY")                                                                \
	X(ID_TYPE_IPV4_ADDR, 1, "ID_IPV4_ADDR")                                                    \
	X(ID_TYPE_FQDN, 2, "ID_FQDN")                                                              \
	X(ID_TYPE_RFC822_ADDR, 3, "ID_RFC822_ADDR")                                                \
	X(ID_TYPE_IPV4_ADDR_SUBNET, 4, "ID_IPV4_ADDR_SUBNET")                                      \
	X(ID_TYPE_IPV6_ADDR, 5, "ID_IPV6_ADDR")                                                    \
	X(ID_TYPE_IPV6_ADDR_SUBNET, 6, "ID_IPV6_ADDR_SUBNET")                                      \
	X(ID_TYPE_IPV4_ADDR_RANGE, 7, "ID_IPV4_ADDR_RANGE")                                        \
	X(ID_TYPE_IPV6_ADDR_RANGE, 8, "ID_IPV6_ADDR_RANGE")                                        \
	X(ID_TYPE_DER_ASN1_DN, 9, "ID_DER_ASN1_DN")                                                \
	X(ID_TYPE_DER_ASN1_GN, 10, "ID_DER_ASN1_GN")                                               \
	X(ID_TYPE_KEY_ID, 11, "ID_KEY_ID")                                                         \
	X(ID_TYPE_FC_NAME, 12, "ID_FC_NAME")                                                       \
	X(ID_TYPE_NULL, 13, "ID_NULL")

#define IANA_AUTH_LIST(X)                                                                          \
	X(AUTH_METHOD_RSA, 1, "RSA signature")                                                     \
	X(AUTH_METHOD_SHARED_KEY, 2, "pre-shared key")                                             \
	X(AUTH_METHOD_DSS, 3, "DSS signature")                                                     \
	X(AUTH_METHOD_ECDSA_256, 9, "ECDSA-256 signature")                                         \
	X(AUTH_METHOD_ECDSA_384, 10, "ECDSA-384 signature")                                        \
	X(AUTH_METHOD_ECDSA_521, 11, "ECDSA-521 signature")                                        \
	X(AUTH_METHOD_GSPM, 12, "secure password method")                                          \
	X(AUTH_METHOD_NULL, 13, "NULL authentication")                                             \
	X(AUTH_METHOD_SIGNATURE, 14, "digital signature")

/* 28672 is of the Cisco Unity set, which peers send without asking. */
#define IANA_CP_ATTR_LIST(X)                                                                       \
	X(CP_ATTR_INTERNAL_IP4_ADDRESS, 1, "INTERNAL_IP4_ADDRESS", "ADDR")                         \
	X(CP_ATTR_INTERNAL_IP4_NETMASK, 2, "INTERNAL_IP4_NETMASK", "MASK")                         \
	X(CP_ATTR_INTERNAL_IP4_DNS, 3, "INTERNAL_IP4_DNS", "DNS")                                  \
	X(CP_ATTR_INTERNAL_IP4_NBNS, 4, "INTERNAL_IP4_NBNS", "NBNS")                               \
	X(CP_ATTR_INTERNAL_ADDRESS_EXPIRY, 5, "INTERNAL_ADDRESS_EXPIRY", "EXP")                    \
	X(CP_ATTR_INTERNAL_IP4_DHCP, 6, "INTERNAL_IP4_DHCP", "DHCP")                               \
	X(CP_ATTR_APPLICATION_VERSION, 7, "APPLICATION_VERSION", "VER")                            \
	X(CP_ATTR_INTERNAL_IP6_ADDRESS, 8, "INTERNAL_IP6_ADDRESS", "ADDR6")                        \
	X(CP_ATTR_INTERNAL_IP6_DNS, 10, "INTERNAL_IP6_DNS", "DNS6")                                \
	X(CP_ATTR_INTERNAL_IP6_DHCP, 12, "INTERNAL_IP6_DHCP", "DHCP6")                             \
	X(CP_ATTR_INTERNAL_IP4_SUBNET, 13, "INTERNAL_IP4_SUBNET", "SUBNET")                        \
	X(CP_ATTR_SUPPORTED_ATTRIBUTES, 14, "SUPPORTED_ATTRIBUTES", "SUP")                         \
	X(CP_ATTR_INTERNAL_IP6_SUBNET, 15, "INTERNAL_IP6_SUBNET", "SUBNET6")                       \
	X(CP_ATTR_MIP6_HOME_PREFIX, 16, "MIP6_HOME_PREFIX", "MIP6HPFX")                            \
	X(CP_ATTR_INTERNAL_IP6_LINK, 17, "INTERNAL_IP6_LINK", "LINK6")                             \
	X(CP_ATTR_INTERNAL_IP6_PREFIX, 18, "INTERNAL_IP6_PREFIX", "PFX6")                          \
	X(CP_ATTR_HOME_AGENT_ADDRESS, 19, "HOME_AGENT_ADDRESS", "HOA")                             \
	X(CP_ATTR_P_CSCF_IP4_ADDRESS, 20, "P_CSCF_IP4_ADDRESS", "PCSCF4")                          \
	X(CP_ATTR_P_CSCF_IP6_ADDRESS, 21, "P_CSCF_IP6_ADDRESS", "PCSCF6")                          \
	X(CP_ATTR_FTT_KAT, 22, "FTT_KAT", "FTT")                                                   \
	X(CP_ATTR_EXTERNAL_SOURCE_IP4_NAT_INFO, 23, "EXTERNAL_SOURCE_IP4_NAT_INFO", "NATINFO4")    \
	X(CP_ATTR_TIMEOUT_PERIOD_FOR_LIVENESS_CHECK, 24, "TIMEOUT_PERIOD_FOR_LIVENESS_CHECK",      \
	  "LIVENESS")                                                                              \
	X(CP_ATTR_INTERNAL_DNS_DOMAIN, 25, "INTERNAL_DNS_DOMAIN", "DNSDOM")                        \
	X(CP_ATTR_INTERNAL_DNSSEC_TA, 26, "INTERNAL_DNSSEC_TA", "DNSTA")                           \
	X(CP_ATTR_ENCDNS_IP4, 27, "ENCDNS_IP4", "ENCDNS4")                                         \
	X(CP_ATTR_ENCDNS_IP6, 28, "ENCDNS_IP6", "ENCDNS6")                                         \
	X(CP_ATTR_ENCDNS_DIGEST_INFO, 29, "ENCDNS_DIGEST_INFO", "ENCDNSD")                         \
	X(CP_ATTR_INTERNAL_IP4_SERVER, 23456, "INTERNAL_IP4_SERVER", "SRV")                        \
	X(CP_ATTR_INTERNAL_IP6_SERVER, 23457, "INTERNAL_IP6_SERVER", "SRV6")                       \
	X(CP_ATTR_UNITY_BANNER, 28672, "UNITY_BANNER", "U_BANNER")                                 \
	X(CP_ATTR_UNITY_SPLIT_INCLUDE, 28676, "UNITY_SPLIT_INCLUDE", "U_SPLITINC")                 \
	X(CP_ATTR_UNITY_LOCAL_LAN, 28678, "UNITY_LOCAL_LAN", "U_LOCALLAN")

#define IANA_CERT_LIST(X)                                                                          \
	X(CERT_PKCS7_X509, 1, "PKCS7 wrapped X.509 certificate")                                   \
	X(CERT_PGP, 2, "PGP certificate")                                                          \
	X(CERT_DNS_SIGNED_KEY, 3, "DNS signed key")                                                \
	X(CERT_X509_SIGNATURE, 4, "X.509 certificate")                                             \
	X(CERT_KERBEROS_TOKEN, 6, "Kerberos token")                                                \
	X(CERT_CRL, 7, "CRL")                                                                      \
	X(CERT_ARL, 8, "ARL")                                                                      \
	X(CERT_SPKI, 9, "SPKI certificate")                                                        \
	X(CERT_X509_ATTRIBUTE, 10, "X.509 attribute certificate")                                  \
	X(CERT_RAW_RSA_KEY, 11, "raw RSA key")                                                     \
	X(CERT_HASH_AND_URL, 12, "hash and URL of X.509 certificate")                              \
	X(CERT_HASH_AND_URL_BUNDLE, 13, "hash and URL of X.509 bundle")                            \
	X(CERT_OCSP_CONTENT, 14, "OCSP content")                                                   \
	X(CERT_RAW_PUBLIC_KEY, 15, "raw public key")

#define IANA_CP_TYPE_LIST(X)                                                                       \
	X(CP_REQUEST, 1, "CFG_REQUEST", "CPRQ")                                                    \
	X(CP_REPLY, 2, "CFG_REPLY", "CPRP")                                                        \
	X(CP_SET, 3, "CFG_SET", "CPS")                                                             \
	X(CP_ACK, 4, "CFG_ACK", "CPA")

#define IANA_EAP_CODE_LIST(X)                                                                      \
	X(EAP_REQUEST, 1, "EAP_REQUEST", "REQ")                                                    \
	X(EAP_RESPONSE, 2, "EAP_RESPONSE", "RES")                                                  \
	X(EAP_SUCCESS, 3, "EAP_SUCCESS", "SUCC")                                                   \
	X(EAP_FAILURE, 4, "EAP_FAILURE", "FAIL")

/* The IANA registry "EAP Method Types", as far as something may name them. */
#define IANA_EAP_TYPE_LIST(X)                                                                      \
	X(EAP_TYPE_IDENTITY, 1, "EAP_IDENTITY", "ID")                                              \
	X(EAP_TYPE_NOTIFICATION, 2, "EAP_NOTIFICATION", "NOTIF")                                   \
	X(EAP_TYPE_NAK, 3, "EAP_NAK", "NAK")                                                       \
	X(EAP_TYPE_MD5, 4, "EAP_MD5", "MD5")                                                       \
	X(EAP_TYPE_OTP, 5, "EAP_OTP", "OTP")                                                       \
	X(EAP_TYPE_GTC, 6, "EAP_GTC", "GTC")                                                       \
	X(EAP_TYPE_TLS, 13, "EAP_TLS", "TLS")                                                      \
	X(EAP_TYPE_SIM, 18, "EAP_SIM", "SIM")                                                      \
	X(EAP_TYPE_TTLS, 21, "EAP_TTLS", "TTLS")                                                   \
	X(EAP_TYPE_AKA, 23, "EAP_AKA", "AKA")                                                      \
	X(EAP_TYPE_PEAP, 25, "EAP_PEAP", "PEAP")                                                   \
	X(EAP_TYPE_MSCHAPV2, 26, "EAP_MSCHAPV2", "MSCHAPV2")                                       \
	X(EAP_TYPE_IKEV2, 49, "EAP_IKEV2", "IKEV2")                                                \
	X(EAP_TYPE_AKA_PRIME, 50, "EAP_AKA_PRIME", "AKA_PRIME")                                    \
	X(EAP_TYPE_TEAP, 55, "EAP_TEAP", "TEAP")                                                   \
	X(EAP_TYPE_EXPANDED, 254, "EAP_EXPANDED", "EXP")                                           \
	X(EAP_TYPE_EXPERIMENTAL, 255, "EAP_EXPERIMENTAL", "XP")

#endif

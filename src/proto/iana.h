/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PROTO_IANA_H
#define BEWICK_PROTO_IANA_H

#include <stdint.h>

#include "proto/iana_list.h"
#include "util/result.h"

/*
 * The IANA "IKEv2 Parameters" that we use. proto/iana_list.h holds one list per
 * registry, X(symbol, number, name[, short name]); numbers and names are both
 * made from it here and in iana.c.
 */
#define IANA_ENUM(SYMBOL, NUMBER, ...) SYMBOL = NUMBER,

enum ike_exchange { IANA_EXCHANGE_LIST(IANA_ENUM) };     /* EXCHANGE_IKE_SA_INIT ... */
enum ike_payload { IANA_PAYLOAD_LIST(IANA_ENUM) };       /* PAYLOAD_SA ... */
enum ike_protocol { IANA_PROTOCOL_LIST(IANA_ENUM) };     /* PROTOCOL_IKE, _AH, _ESP; 0 = PROTOCOL_NONE */
enum transform_type { IANA_TRANSFORM_LIST(IANA_ENUM) };  /* TRANSFORM_ENCR ... TRANSFORM_ADDKE7 */
enum encr_id { IANA_ENCR_LIST(IANA_ENUM) };              /* ENCR_AES_CBC ... */
enum prf_id { IANA_PRF_LIST(IANA_ENUM) };                /* PRF_HMAC_SHA2_256 ... */
enum integ_id { IANA_INTEG_LIST(IANA_ENUM) };            /* INTEG_HMAC_SHA2_256_128 ... */
enum ke_id { IANA_KE_LIST(IANA_ENUM) };                  /* KE_NONE 0, KE_MODP_2048, KE_ECP_256, KE_CURVE_25519 ... */
enum esn_id { ESN_NO = 0, ESN_YES = 1 };
enum notify_type { IANA_NOTIFY_LIST(IANA_ENUM) };        /* NOTIFY_NO_PROPOSAL_CHOSEN ... */
enum id_type { IANA_ID_LIST(IANA_ENUM) };                /* ID_TYPE_IPV4_ADDR ... */
enum auth_method { IANA_AUTH_LIST(IANA_ENUM) };          /* AUTH_METHOD_SHARED_KEY ... */
enum ts_type { TS_TYPE_IPV4_ADDR_RANGE = 7, TS_TYPE_IPV6_ADDR_RANGE = 8 };
enum cp_type { IANA_CP_TYPE_LIST(IANA_ENUM) };           /* CP_REQUEST, CP_REPLY, CP_SET, CP_ACK */
enum cp_attr { IANA_CP_ATTR_LIST(IANA_ENUM) };           /* CP_ATTR_INTERNAL_IP4_ADDRESS ... */
enum cert_encoding { IANA_CERT_LIST(IANA_ENUM) };        /* CERT_X509_SIGNATURE ... */
enum eap_code { IANA_EAP_CODE_LIST(IANA_ENUM) };         /* EAP_REQUEST ... */
enum eap_type { IANA_EAP_TYPE_LIST(IANA_ENUM) };         /* EAP_TYPE_IDENTITY ... */

/* Names as logs and VICI print them ("IKE_SA_INIT", "AES_GCM_16",
 * "PRF_HMAC_SHA2_256", "ECP_256", "CURVE_25519", "TS_UNACCEPTABLE"); for a number
 * without a name "(12345)" in a per-thread buffer that is reused eight
 * calls later. Never NULL. */
EXPORT const char *exchange_name(unsigned v);
EXPORT const char *payload_name(unsigned v);       /* "SECURITY_ASSOCIATION"-like long name */
EXPORT const char *payload_short_name(unsigned v); /* "SA", "KE", "No", "IDi": as in the ENC log lines */
EXPORT const char *protocol_name(unsigned v);
EXPORT const char *transform_type_name(unsigned v);
EXPORT const char *encr_name(unsigned v);
EXPORT const char *prf_name(unsigned v);
EXPORT const char *integ_name(unsigned v);
EXPORT const char *ke_name(unsigned v);
EXPORT const char *notify_name(unsigned v);
EXPORT const char *notify_short_name(unsigned v); /* "NATD_S_IP", "INVAL_KE": as in the ENC log lines */
EXPORT const char *id_type_name(unsigned v);
EXPORT const char *auth_method_name(unsigned v);
EXPORT const char *cp_attr_name(unsigned v);       /* "INTERNAL_IP4_DNS" */
EXPORT const char *cp_attr_short_name(unsigned v); /* "ADDR", "DNS" */
EXPORT const char *cp_type_name(unsigned v);
EXPORT const char *cp_type_short_name(unsigned v); /* "CPRQ", "CPRP": with the attributes in brackets in ENC lines */
EXPORT const char *cert_encoding_name(unsigned v);
EXPORT const char *eap_code_name(unsigned v);
EXPORT const char *eap_code_short_name(unsigned v); /* "REQ", "SUCC": "EAP/REQ/ID" in ENC lines */
EXPORT const char *eap_type_name(unsigned v);
EXPORT const char *eap_type_short_name(unsigned v); /* "ID", "MSCHAPV2" */

/* Notify types below 16384 report errors (RFC 7296, 3.10.1). */
#define NOTIFY_FIRST_STATUS 16384

/* Header flags (RFC 7296, 3.1). */
#define IKE_FLAG_INITIATOR 0x08
#define IKE_FLAG_VERSION 0x10
#define IKE_FLAG_RESPONSE 0x20
#define IKE_VERSION 0x20
#define IKE_HEADER_LEN 28
#define IKE_PORT 500
#define IKE_NATT_PORT 4500

#endif

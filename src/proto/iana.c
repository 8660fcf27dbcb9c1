/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/iana.h"

#include <stdio.h>

#include "util/mem.h"

struct iana_name {
	unsigned number;
	const char *names[2]; /* long and short; registries without short names have none */
};

#define IANA_NAME(SYMBOL, NUMBER, ...) { NUMBER, { __VA_ARGS__ } },

/* clang-format off */
#define IANA_TABLE(TABLE, LIST) static const struct iana_name TABLE[] = { LIST(IANA_NAME) }
/* clang-format on */

IANA_TABLE(exchange_names, IANA_EXCHANGE_LIST);
IANA_TABLE(payload_names, IANA_PAYLOAD_LIST);
IANA_TABLE(protocol_names, IANA_PROTOCOL_LIST);
IANA_TABLE(transform_names, IANA_TRANSFORM_LIST);
IANA_TABLE(encr_names, IANA_ENCR_LIST);
IANA_TABLE(prf_names, IANA_PRF_LIST);
IANA_TABLE(integ_names, IANA_INTEG_LIST);
IANA_TABLE(ke_names, IANA_KE_LIST);
IANA_TABLE(notify_names, IANA_NOTIFY_LIST);
IANA_TABLE(id_names, IANA_ID_LIST);
IANA_TABLE(auth_names, IANA_AUTH_LIST);
IANA_TABLE(cp_attr_names, IANA_CP_ATTR_LIST);
IANA_TABLE(cert_names, IANA_CERT_LIST);
IANA_TABLE(cp_type_names, IANA_CP_TYPE_LIST);
IANA_TABLE(eap_code_names, IANA_EAP_CODE_LIST);
IANA_TABLE(eap_type_names, IANA_EAP_TYPE_LIST);

/* The lists are sorted by number (a test checks it). */
static const struct iana_name *iana_find(const struct iana_name *table, size_t count, unsigned v)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (table[mid].number == v)
			return &table[mid];
		if (table[mid].number < v)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* A log line may hold several numbers without a name, so the buffers rotate. */
static const char *iana_unknown(unsigned v)
{
	static _Thread_local char text[8][16];
	static _Thread_local unsigned next;
	char *s = text[next++ % ARRAY_LEN(text)];

	snprintf(s, sizeof(text[0]), "(%u)", v);
	return s;
}

static const char *iana_name(const struct iana_name *table, size_t count, unsigned v)
{
	const struct iana_name *n = iana_find(table, count, v);

	return n ? n->names[0] : iana_unknown(v);
}

static const char *iana_short_name(const struct iana_name *table, size_t count, unsigned v)
{
	const struct iana_name *n = iana_find(table, count, v);

	return n ? n->names[1] : iana_unknown(v);
}

#define IANA_NAME_FN(FUNCTION, TABLE)                                                              \
	const char *FUNCTION(unsigned v)                                                           \
	{                                                                                          \
		return iana_name(TABLE, ARRAY_LEN(TABLE), v);                                      \
	}
#define IANA_SHORT_NAME_FN(FUNCTION, TABLE)                                                        \
	const char *FUNCTION(unsigned v)                                                           \
	{                                                                                          \
		return iana_short_name(TABLE, ARRAY_LEN(TABLE), v);                                \
	}

IANA_NAME_FN(exchange_name, exchange_names)
IANA_NAME_FN(payload_name, payload_names)
IANA_SHORT_NAME_FN(payload_short_name, payload_names)
IANA_NAME_FN(protocol_name, protocol_names)
IANA_NAME_FN(transform_type_name, transform_names)
IANA_NAME_FN(encr_name, encr_names)
IANA_NAME_FN(prf_name, prf_names)
IANA_NAME_FN(integ_name, integ_names)
IANA_NAME_FN(ke_name, ke_names)
IANA_NAME_FN(notify_name, notify_names)
IANA_SHORT_NAME_FN(notify_short_name, notify_names)
IANA_NAME_FN(id_type_name, id_names)
IANA_NAME_FN(auth_method_name, auth_names)
IANA_NAME_FN(cp_attr_name, cp_attr_names)
IANA_SHORT_NAME_FN(cp_attr_short_name, cp_attr_names)
IANA_NAME_FN(cp_type_name, cp_type_names)
IANA_SHORT_NAME_FN(cp_type_short_name, cp_type_names)
IANA_NAME_FN(cert_encoding_name, cert_names)
IANA_NAME_FN(eap_code_name, eap_code_names)
IANA_SHORT_NAME_FN(eap_code_short_name, eap_code_names)
IANA_NAME_FN(eap_type_name, eap_type_names)
IANA_SHORT_NAME_FN(eap_type_short_name, eap_type_names)

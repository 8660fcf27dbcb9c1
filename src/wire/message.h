/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_WIRE_MESSAGE_H
#define BEWICK_WIRE_MESSAGE_H

#include "proto/iana.h"
#include "proto/id.h"
#include "proto/limits.h"
#include "proto/proposal.h"
#include "proto/ts.h"
#include "util/arena.h"
#include "util/reader.h"

/* The header (RFC 7296, 3.1). SPIs as numbers in network order of bytes. */
struct ike_header {
	uint64_t spi_i, spi_r;
	uint8_t next;     /* first payload */
	uint8_t version;  /* 0x20 */
	uint8_t exchange; /* enum ike_exchange */
	uint8_t flags;    /* IKE_FLAG_* */
	uint32_t message_id;
	uint32_t length; /* of the whole message */
};

/* Peeks at the 28 bytes only: the length must be at least 28 and the datagram's. */
EXPORT MUST_CHECK struct result header_parse(struct bytes datagram, struct ike_header *ret_header);

struct payload_ke {
	uint16_t method; /* enum ke_id */
	struct bytes data;
};
struct payload_cert {
	uint8_t encoding;
	struct bytes data;
};
struct payload_auth {
	uint8_t method;
	struct bytes data;
};
struct payload_notify {
	uint8_t protocol;
	uint16_t type; /* enum notify_type */
	struct bytes spi;
	struct bytes data;
};
struct payload_delete {
	uint8_t protocol; /* PROTOCOL_IKE, _AH, _ESP */
	uint8_t spi_len;  /* 0 for IKE, else 4 */
	uint16_t count;   /* 0 for IKE */
	struct bytes spis;
};
struct cp_attribute {
	uint16_t type;
	struct bytes value;
};
struct payload_cp {
	uint8_t type; /* enum cp_type */
	size_t count;
	const struct cp_attribute *attrs;
};
struct payload_skf {
	uint16_t number, total; /* RFC 7383, 2.5 */
};

/* One payload. Views point into the datagram or the arena. */
struct payload {
	uint8_t type; /* enum ike_payload, or an unknown number */
	bool critical;
	bool known;
	struct bytes body; /* behind the generic header; for SK/SKF: IV, ciphertext, ICV (behind the SKF's own header) */
	uint8_t inner_next; /* SK, SKF: type of the first payload inside */
	union {
		struct proposal_list sa; /* a proposal that we can't understand has count 0 and so matches nothing */
		struct payload_ke ke;
		struct id id;          /* IDi, IDr: a view */
		struct payload_cert cert; /* CERT, CERTREQ */
		struct payload_auth auth;
		struct bytes nonce;
		struct payload_notify notify;
		struct payload_delete del;
		struct bytes vendor;
		struct ts_list ts; /* without selectors of unknown types; check them with ts_is_valid */
		struct payload_cp cp;
		struct bytes eap; /* whole EAP packet */
		struct payload_skf skf;
	};
};

struct payload_list {
	size_t count;
	struct payload *p;
	struct bytes chain; /* what was parsed: the views point into it, and some into the arena */
	uint8_t first;
};

/* Where a parse failed, for the log and for UNSUPPORTED_CRITICAL_PAYLOAD. */
struct wire_error {
	const char *why;  /* constant sentence */
	uint8_t payload;  /* type of the payload it is in */
	size_t offset;    /* of that payload in the input */
	bool critical;    /* the only fault: an unknown payload with the critical bit */
};

/*
 * Parses a chain of payloads that fills `body` exactly. `first` = 0 means none. Nothing is returned unless
 * all of it is well-formed; all lengths and counts are bounded by proto/limits.h. A payload of SK or SKF ends
 * the chain (RFC 7296, 3.14: it is the last). Unknown payloads are kept (known = false); one with the critical bit fails the
 * parse with err->critical.
 */
EXPORT MUST_CHECK struct result payloads_parse(struct arena *a, struct bytes body, uint8_t first,
					       struct payload_list *ret_list, struct wire_error *ret_err);

/* The same in another arena, that nothing else has to outlive. */
EXPORT struct payload_list payloads_dup(struct arena *a, const struct payload_list *list);

/* First payload of a type behind `after` (NULL: from the start), or NULL. */
EXPORT struct payload *payload_find(const struct payload_list *list, unsigned type, const struct payload *after);
/* SPI number i of a Delete, 0 behind the last one. */
static inline uint32_t payload_delete_spi(const struct payload_delete *d, size_t i)
{
	struct reader r = reader_of(d->spis);

	reader_skip(&r, 4 * i);
	return reader_u32(&r);
}
/* First notify of a type, or NULL. */
EXPORT const struct payload_notify *payload_notify(const struct payload_list *list, unsigned type);
/* The "[ SA KE No N(NATD_S_IP) ]" summary of the ENC log lines. */
EXPORT void payloads_describe(struct buf *out, const struct payload_list *list);

/*
 * The payloads allowed in an exchange and a direction and how often (RFC 7296, 1.2 to 1.4 and appendix C), as
 * one table in wire/rules.c. Too many, missing or forbidden payloads give RESULT_INVALID with the reason. Unknown
 * notifies and vendor ids are always allowed. Error responses (a Notify of error class) excuse missing ones, in
 * IKE_SA_INIT also COOKIE and REDIRECT. An exchange type that we don't have gives RESULT_UNSUPPORTED. A message that
 * is allowed fits one of the shapes of its exchange; whether now is the time for this shape is the task's to check
 * (IKE_AUTH: with or without AUTH, EAP, SA; CREATE_CHILD_SA: with TS for a CHILD_SA, without for the IKE_SA).
 */
EXPORT MUST_CHECK struct result rules_check(const struct ike_header *h, const struct payload_list *list);

#endif

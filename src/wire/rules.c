/* SPDX-License-Identifier: Apache-2.0 */
#include "util/mem.h"
#include "wire/message.h"

/*
 * What RFC 7296, 1.2 to 1.4 and appendix C, and the extensions allow in a message. An exchange has several shapes
 * in one direction: the first row whose key payload is in the message (or that has no key) is its shape. Notify, Vendor ID and
 * unknown payloads are allowed everywhere; SK and SKF nowhere, as they are opened before. Which shape may come when,
 * and which notifies it must have, is up to the task that reads it.
 */
#define ANY UINT8_MAX

struct payload_rule {
	uint8_t type;
	uint8_t min, max;
	const char *missing, *excess;
};

struct message_shape {
	uint8_t exchange;
	bool response;
	uint8_t key; /* payload type that makes a message of this shape, or PAYLOAD_NONE: all others */
	struct payload_rule rules[9];
};

#define RULE(NAME, MIN, MAX)                                                                       \
	{ PAYLOAD_##NAME, MIN, MAX, #NAME " payload is missing", "too many " #NAME " payloads" }
#define ONE(NAME) RULE(NAME, 1, 1)
#define OPTIONAL(NAME) RULE(NAME, 0, 1)
#define SOME(NAME) RULE(NAME, 0, ANY)
#define REQUEST false
#define RESPONSE true

static const struct message_shape message_shapes[] = {
	/* RFC 7296, 1.2 */
	{ EXCHANGE_IKE_SA_INIT, REQUEST, PAYLOAD_NONE, { ONE(SA), ONE(KE), ONE(NONCE) } },
	{ EXCHANGE_IKE_SA_INIT, RESPONSE, PAYLOAD_NONE, { ONE(SA), ONE(KE), ONE(NONCE), SOME(CERTREQ) } },

	/* RFC 7296, 1.2 and 2.16; SA and TS come together or not at all (RFC 6023) */
	{ EXCHANGE_IKE_AUTH, REQUEST, PAYLOAD_EAP, { ONE(EAP) } },
	{ EXCHANGE_IKE_AUTH, REQUEST, PAYLOAD_SA,
	  { ONE(IDI), OPTIONAL(IDR), OPTIONAL(AUTH), SOME(CERT), SOME(CERTREQ), OPTIONAL(CP), ONE(SA),
	    ONE(TSI), ONE(TSR) } },
	{ EXCHANGE_IKE_AUTH, REQUEST, PAYLOAD_IDI,
	  { ONE(IDI), OPTIONAL(IDR), OPTIONAL(AUTH), SOME(CERT), SOME(CERTREQ), OPTIONAL(CP) } },
	/* Empty: for the next round of the responder alone (RFC 4739, 2.5) */
	{ EXCHANGE_IKE_AUTH, REQUEST, PAYLOAD_NONE, { OPTIONAL(AUTH) } },

	/* CERTREQ has no meaning in responses, but RFC 6311, 5.1, has it there. */
	{ EXCHANGE_IKE_AUTH, RESPONSE, PAYLOAD_EAP,
	  { ONE(EAP), OPTIONAL(IDR), OPTIONAL(AUTH), SOME(CERT), SOME(CERTREQ) } },
	/* Without AUTH at the end of the second of two authentications (RFC 4739, 2.4, example 3) */
	{ EXCHANGE_IKE_AUTH, RESPONSE, PAYLOAD_SA,
	  { OPTIONAL(IDR), OPTIONAL(AUTH), SOME(CERT), SOME(CERTREQ), OPTIONAL(CP), ONE(SA), ONE(TSI),
	    ONE(TSR) } },
	{ EXCHANGE_IKE_AUTH, RESPONSE, PAYLOAD_NONE,
	  { OPTIONAL(IDR), OPTIONAL(AUTH), SOME(CERT), SOME(CERTREQ), OPTIONAL(CP) } },

	/* RFC 7296, 1.3.1 and 1.3.3: with TS for a CHILD_SA; 1.3.2: without for the IKE_SA */
	{ EXCHANGE_CREATE_CHILD_SA, REQUEST, PAYLOAD_TSI,
	  { ONE(SA), ONE(NONCE), OPTIONAL(KE), ONE(TSI), ONE(TSR), OPTIONAL(CP) } },
	{ EXCHANGE_CREATE_CHILD_SA, REQUEST, PAYLOAD_NONE, { ONE(SA), ONE(NONCE), ONE(KE) } },
	{ EXCHANGE_CREATE_CHILD_SA, RESPONSE, PAYLOAD_TSI,
	  { ONE(SA), ONE(NONCE), OPTIONAL(KE), ONE(TSI), ONE(TSR), OPTIONAL(CP) } },
	{ EXCHANGE_CREATE_CHILD_SA, RESPONSE, PAYLOAD_NONE, { ONE(SA), ONE(NONCE), ONE(KE) } },

	/* RFC 7296, 1.4 */
	{ EXCHANGE_INFORMATIONAL, REQUEST, PAYLOAD_NONE, { SOME(DELETE), OPTIONAL(CP) } },
	{ EXCHANGE_INFORMATIONAL, RESPONSE, PAYLOAD_NONE, { SOME(DELETE), OPTIONAL(CP) } },

	/* RFC 9242 leaves the content to others; RFC 9370, 2.2.2: a key exchange */
	{ EXCHANGE_IKE_INTERMEDIATE, REQUEST, PAYLOAD_NONE, { OPTIONAL(KE) } },
	{ EXCHANGE_IKE_INTERMEDIATE, RESPONSE, PAYLOAD_NONE, { OPTIONAL(KE) } },

	/* RFC 9370, 2.2.4 */
	{ EXCHANGE_IKE_FOLLOWUP_KE, REQUEST, PAYLOAD_NONE, { ONE(KE) } },
	{ EXCHANGE_IKE_FOLLOWUP_KE, RESPONSE, PAYLOAD_NONE, { ONE(KE) } },
};

/* How often each payload type is there; unknown and always allowed ones are not counted. */
struct payload_counts {
	uint8_t n[PAYLOAD_SKF + 1];
	bool excused; /* by a notify that stands for a refusal: payloads may be missing */
};

static bool notify_excuses(unsigned exchange, unsigned notify)
{
	if (notify < NOTIFY_FIRST_STATUS)
		return true;
	/* Status types by number, but they stand alone (RFC 7296, 2.6; RFC 5685, 5) */
	return exchange == EXCHANGE_IKE_SA_INIT && (notify == NOTIFY_COOKIE || notify == NOTIFY_REDIRECT);
}

static struct payload_counts payloads_tally(const struct ike_header *h, const struct payload_list *list)
{
	struct payload_counts c = { { 0 }, false };

	for (size_t i = 0; i < list->count; i++) {
		const struct payload *p = &list->p[i];

		if (p->type == PAYLOAD_NOTIFY && h->flags & IKE_FLAG_RESPONSE)
			c.excused |= notify_excuses(h->exchange, p->notify.type);
		if (p->known && p->type != PAYLOAD_NOTIFY && p->type != PAYLOAD_VENDOR)
			c.n[p->type]++; /* at most LIMIT_PAYLOADS, which fits */
	}
	return c;
}

static struct result shape_check(const struct message_shape *shape, struct payload_counts *c)
{
	for (size_t i = 0; i < ARRAY_LEN(shape->rules) && shape->rules[i].type; i++) {
		const struct payload_rule *rule = &shape->rules[i];
		uint8_t n = c->n[rule->type];

		if (n < rule->min && !c->excused)
			return result_fail(RESULT_INVALID, rule->missing);
		if (n > rule->max)
			return result_fail(RESULT_INVALID, rule->excess);
		c->n[rule->type] = 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(c->n); i++)
		if (c->n[i])
			return result_fail(RESULT_INVALID, "payload that this message must not have");
	return result_ok();
}

struct result rules_check(const struct ike_header *h, const struct payload_list *list)
{
	struct payload_counts c = payloads_tally(h, list);
	bool response = h->flags & IKE_FLAG_RESPONSE;

	for (size_t i = 0; i < ARRAY_LEN(message_shapes); i++) {
		const struct message_shape *shape = &message_shapes[i];

		if (shape->exchange == h->exchange && shape->response == response &&
		    (shape->key == PAYLOAD_NONE || c.n[shape->key]))
			return shape_check(shape, &c);
	}
	return result_fail(RESULT_UNSUPPORTED, "exchange type that we do not have");
}

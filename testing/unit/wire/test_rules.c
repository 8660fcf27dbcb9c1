/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "util/mem.h"
#include "wire_test.h"

#define REQ IKE_FLAG_INITIATOR
#define RESP IKE_FLAG_RESPONSE
#define INIT EXCHANGE_IKE_SA_INIT
#define AUTH EXCHANGE_IKE_AUTH
#define CHILD EXCHANGE_CREATE_CHILD_SA
#define INFO EXCHANGE_INFORMATIONAL
#define INTER EXCHANGE_IKE_INTERMEDIATE
#define FOLLOW EXCHANGE_IKE_FOLLOWUP_KE

/* Payloads by their short names; "N:17" is a Notify of type 17, "?" an unknown payload. */
static const struct {
	unsigned exchange, flags;
	const char *payloads;
	const char *why; /* NULL: allowed; else part of the reason */
} rows[] = {
	/* RFC 7296, C.1 */
	{ INIT, REQ, "SA KE No", NULL },
	{ INIT, REQ, "N:16390 SA KE No N:16388 N:16389 V V ?", NULL },
	{ INIT, REQ, "No ? KE N:65000 SA", NULL }, /* any order (RFC 7296, 2.5) */
	{ INIT, REQ, "SA KE", "NONCE payload is missing" },
	{ INIT, REQ, "SA No", "KE payload is missing" },
	{ INIT, REQ, "KE No", "SA payload is missing" },
	{ INIT, REQ, "", "SA payload is missing" },
	{ INIT, REQ, "N:14", "SA payload is missing" }, /* errors excuse responses only */
	{ INIT, REQ, "SA KE KE No", "too many KE" },
	{ INIT, REQ, "SA SA KE No", "too many SA" },
	{ INIT, REQ, "SA KE No No", "too many NONCE" },
	{ INIT, REQ, "SA KE No AUTH", "must not have" },
	{ INIT, REQ, "SA KE No D", "must not have" },
	{ INIT, REQ, "SA KE No E", "must not have" },
	{ INIT, RESP, "SA KE No N:16388 CERTREQ CERTREQ V", NULL },
	{ INIT, RESP, "N:16390", NULL }, /* COOKIE */
	{ INIT, RESP, "N:16407", NULL }, /* REDIRECT */
	{ INIT, RESP, "N:17 V", NULL },
	{ INIT, RESP, "N:16388", "SA payload is missing" },
	{ INIT, RESP, "", "SA payload is missing" },
	{ INIT, RESP, "N:14 TSi", "must not have" },
	{ INIT, RESP, "N:14 KE KE", "too many KE" },
	/* C.2 */
	{ AUTH, REQ, "IDi CERT CERT N:16384 CERTREQ IDr AUTH CP N:16391 SA TSi TSr V N:16396", NULL },
	{ AUTH, REQ, "IDi AUTH SA TSi TSr", NULL },
	{ AUTH, REQ, "IDi AUTH", NULL }, /* childless, RFC 6023 */
	{ AUTH, REQ, "IDi AUTH SA TSi", "TSR payload is missing" },
	{ AUTH, REQ, "IDi AUTH TSi TSr", "must not have" },
	{ AUTH, REQ, "AUTH SA TSi TSr", "IDI payload is missing" },
	{ AUTH, REQ, "IDi IDi AUTH SA TSi TSr", "too many IDI" },
	{ AUTH, REQ, "IDi IDr IDr AUTH SA TSi TSr", "too many IDR" },
	{ AUTH, REQ, "IDi AUTH AUTH SA TSi TSr", "too many AUTH" },
	{ AUTH, REQ, "IDi AUTH SA TSi TSr KE", "must not have" },
	{ AUTH, REQ, "IDi AUTH SA TSi TSr D", "must not have" },
	{ AUTH, REQ, "IDi AUTH SA TSi TSr E", "must not have" },
	{ AUTH, REQ, "", NULL }, /* RFC 4739, 2.5 */
	{ AUTH, REQ, "CERT", "must not have" },
	{ AUTH, RESP, "IDr CERT AUTH CP SA TSi TSr N:16394", NULL },
	{ AUTH, RESP, "IDr CERT CERTREQ AUTH SA TSi TSr", NULL }, /* RFC 6311, 5.1 */
	{ AUTH, RESP, "IDr CERT AUTH N:38", NULL },
	{ AUTH, RESP, "IDr AUTH N:16407", NULL }, /* RFC 5685, 6 */
	{ AUTH, RESP, "IDr AUTH", NULL },
	{ AUTH, RESP, "N:24", NULL },
	{ AUTH, RESP, "N:16390", NULL }, /* no COOKIE here; what is missing is the task's to find */
	{ AUTH, RESP, "TSi", "must not have" },
	{ AUTH, RESP, "IDr AUTH SA", "TSI payload is missing" },
	{ AUTH, RESP, "IDi IDr AUTH SA TSi TSr", "must not have" },
	{ AUTH, RESP, "IDr AUTH CP CP SA TSi TSr", "too many CP" },
	/* C.3 */
	{ AUTH, REQ, "IDi N:16384 CERTREQ IDr CP SA TSi TSr", NULL },
	{ AUTH, RESP, "IDr CERT AUTH EAP", NULL },
	{ AUTH, RESP, "IDr EAP", NULL }, /* RFC 5998 */
	{ AUTH, REQ, "EAP", NULL },
	{ AUTH, RESP, "EAP", NULL },
	{ AUTH, REQ, "EAP EAP", "too many EAP" },
	{ AUTH, REQ, "EAP AUTH", "must not have" },
	{ AUTH, REQ, "IDi EAP", "must not have" },
	{ AUTH, RESP, "EAP SA TSi TSr", "must not have" },
	{ AUTH, REQ, "AUTH N:16396", NULL },
	{ AUTH, RESP, "AUTH CP SA TSi TSr", NULL },
	/* C.4, C.5 */
	{ CHILD, REQ, "N:16393 SA No KE TSi TSr", NULL },
	{ CHILD, REQ, "SA No TSi TSr CP", NULL },
	{ CHILD, REQ, "SA No TSi", "TSR payload is missing" },
	{ CHILD, REQ, "SA No TSr", "KE payload is missing" },
	{ CHILD, REQ, "SA TSi TSr", "NONCE payload is missing" },
	{ CHILD, REQ, "No TSi TSr", "SA payload is missing" },
	{ CHILD, REQ, "SA No KE KE TSi TSr", "too many KE" },
	{ CHILD, REQ, "SA No KE", NULL },
	{ CHILD, REQ, "SA No", "KE payload is missing" }, /* RFC 7296, 1.3.2 */
	{ CHILD, REQ, "SA No KE IDi", "must not have" },
	{ CHILD, REQ, "SA No TSi TSr AUTH", "must not have" },
	{ CHILD, RESP, "SA No TSi TSr", NULL },
	{ CHILD, RESP, "SA No KE N:16441", NULL },
	{ CHILD, RESP, "N:43", NULL },
	{ CHILD, RESP, "N:17", NULL },
	{ CHILD, RESP, "N:16393", "SA payload is missing" },
	{ CHILD, RESP, "", "SA payload is missing" },
	/* C.6 */
	{ INFO, REQ, "", NULL },
	{ INFO, REQ, "N:16400 D D CP V", NULL },
	{ INFO, REQ, "D SA", "must not have" },
	{ INFO, REQ, "CP CP", "too many CP" },
	{ INFO, RESP, "", NULL },
	{ INFO, RESP, "D N:11", NULL },
	{ INFO, RESP, "EAP", "must not have" },
	/* RFC 9242, RFC 9370 */
	{ INTER, REQ, "KE", NULL },
	{ INTER, REQ, "N:16436", NULL },
	{ INTER, REQ, "KE KE", "too many KE" },
	{ INTER, REQ, "AUTH", "must not have" },
	{ INTER, RESP, "KE", NULL },
	{ FOLLOW, REQ, "KE N:16441", NULL },
	{ FOLLOW, REQ, "N:16441", "KE payload is missing" },
	{ FOLLOW, RESP, "KE", NULL },
	{ FOLLOW, RESP, "N:43", NULL },
	{ FOLLOW, RESP, "KE SA", "must not have" },
};

static unsigned type_of(const char *name)
{
	for (unsigned t = PAYLOAD_SA; t <= PAYLOAD_SKF; t++)
		if (strcmp(payload_short_name(t), name) == 0)
			return t;
	ck_abort_msg("no payload %s", name);
}

static struct payload payload_named(const char *name)
{
	struct payload p = { .known = true };

	if (strcmp(name, "?") == 0) {
		p.type = 200;
		p.known = false;
	} else if (strncmp(name, "N:", 2) == 0) {
		p.type = PAYLOAD_NOTIFY;
		p.notify.type = (uint16_t)atoi(name + 2);
	} else {
		p.type = (uint8_t)type_of(name);
	}
	return p;
}

START_TEST(rule)
{
	struct payload payloads[32];
	struct payload_list list = { 0, payloads };
	struct ike_header h = { .exchange = (uint8_t)rows[_i].exchange, .flags = (uint8_t)rows[_i].flags };
	struct result result;
	char names[200];

	snprintf(names, sizeof(names), "%s", rows[_i].payloads);
	for (char *name = strtok(names, " "); name; name = strtok(NULL, " "))
		payloads[list.count++] = payload_named(name);
	result = rules_check(&h, &list);
	if (!rows[_i].why)
		ck_assert_msg(result_is_ok(result), "%s: %s", rows[_i].payloads, result.why);
	else
		ck_assert_msg(result.code == RESULT_INVALID && strstr(result.why, rows[_i].why), "%s: %s",
			      rows[_i].payloads, result.why ? result.why : "allowed");
}
END_TEST

START_TEST(unknown_exchanges)
{
	const struct payload_list none = { 0, NULL };

	for (unsigned exchange = 0; exchange < 256; exchange++) {
		struct ike_header h = { .exchange = (uint8_t)exchange };
		bool known = (exchange >= INIT && exchange <= INFO) || exchange == INTER || exchange == FOLLOW;

		ck_assert_int_eq(rules_check(&h, &none).code == RESULT_UNSUPPORTED, !known);
	}
}
END_TEST

/* Counts do not wrap: LIMIT_PAYLOADS of a kind are too many, not none. */
START_TEST(many)
{
	struct payload payloads[LIMIT_PAYLOADS];
	const struct payload_list list = { LIMIT_PAYLOADS, payloads };
	struct ike_header h = { .exchange = INFO };

	for (size_t i = 0; i < LIMIT_PAYLOADS; i++)
		payloads[i] = payload_named("CP");
	ck_assert_int_eq(rules_check(&h, &list).code, RESULT_INVALID);
	for (size_t i = 0; i < LIMIT_PAYLOADS; i++)
		payloads[i] = payload_named("D");
	ck_assert_int_eq(rules_check(&h, &list).code, RESULT_OK);
}
END_TEST

TCase *rules_cases(void)
{
	TCase *tc = tcase_create("rules");

	tcase_add_loop_test(tc, rule, 0, ARRAY_LEN(rows));
	tcase_add_test(tc, unknown_exchanges);
	tcase_add_test(tc, many);
	return tc;
}

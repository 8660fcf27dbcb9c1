/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "confs.h"
#include "lab_auth.h"
#include "lab_keys.h"
#include "suites.h"

/* A peer that wants in, or to do harm, by what it says in IKE_AUTH before it has proven anything. */

#define CONN(NAME, IKE, LOCAL, REMOTE)                                                                                           \
	" " NAME " { local_addrs = 192.0.2.2\n remote_addrs = 192.0.2.1\n " IKE "\n local { auth = psk\n id = " LOCAL " }\n"           \
	" remote { auth = psk\n id = " REMOTE " }\n children { " CHILD_B("one", "1", ESP) " } }\n"

/* An IKE_AUTH request of a's making: it says it is idi, asks for idr (NULL: for nobody), and signs or not. */
static void say(struct lab *lab, const char *idi, const struct id *idr, unsigned method)
{
	static const uint8_t auth[32];
	uint8_t inner[2048];
	struct builder b = builder_of(inner, sizeof(inner));
	struct id id;

	ck_assert(id_parse(bytes_str(idi), &id));
	builder_id(&b, true, &id);
	if (idr)
		builder_id(&b, false, idr);
	builder_auth(&b, method, bytes_of(auth, sizeof(auth)));
	lab_inject(&lab->a, lab_sa(&lab->a), EXCHANGE_IKE_AUTH, false, 1, &b);
	lab_deliver(lab);
	id_free(&id);
}

/* b has answered a's IKE_SA_INIT; a, which signs, says nothing by itself. */
static struct lab *half_open(const char *conf_b)
{
	struct lab *lab = lab_new(CONF_A, conf_b);

	lab->a.auth = lab->b.auth = LAB_AUTH_BY_HAND;
	lab_rounds(&lab->a, "net", true, "c");
	lab_rounds(&lab->b, "net", false, "c");
	lab_initiate(&lab->a, NULL);
	lab_run(lab);
	return lab;
}

/*
 * IDr is an identity, and what looks like a pattern is that, too: no wildcards, and above all no regular expression, by which a peer could
 * have us compute, and allocate, without an end. (This one is small: 200 MB.)
 */
START_TEST(idr_is_no_pattern)
{
	static const struct {
		uint8_t type;
		const char *text;
		bool good;
	} ids[] = {
		{ ID_TYPE_FQDN, "b.test", true },	{ ID_TYPE_FQDN, "B.Test", true },
		{ ID_TYPE_FQDN, "*", false },		{ ID_TYPE_FQDN, "*.test", false },
		{ ID_TYPE_FQDN, "^b.*$", false },	{ ID_TYPE_FQDN, "^b.test|(((a{1,60}){1,60}){1,60})$", false },
		{ ID_TYPE_RFC822_ADDR, "^b.test|x$", false }, { ID_TYPE_DER_ASN1_DN, "^.*$", false },
		{ ID_TYPE_FQDN, "b.test\0x", false },	{ ID_TYPE_FQDN, "", false },
		{ ID_TYPE_KEY_ID, "b.test", false },	{ ID_TYPE_NULL, "", false },
	};
	struct lab *lab = half_open(CONF_B);
	struct id idr = { ids[_i].type, bytes_str(ids[_i].text) };

	if (_i == 8)
		idr.data.n += 2;
	say(lab, "a.test", &idr, AUTH_METHOD_RSA);
	ck_assert_uint_eq(lab->b.n_auths, ids[_i].good);
	lab_free(lab);
}
END_TEST

/* ---- what is told ---- */

/* The answer under way to a: a refusal that tells nothing, of the same length whatever it is for. */
static void expect_refusal(struct lab *lab, size_t *length)
{
	struct arena arena = { 0 };
	struct payload_list in;
	struct ike_header h;

	ck_assert_uint_eq(lab->n_packets, 1);
	lab_peek(lab, 0, &arena, &h, &in);
	ck_assert_uint_eq(in.count, 1);
	ck_assert_ptr_nonnull(payload_notify(&in, NOTIFY_AUTHENTICATION_FAILED));
	ck_assert_uint_eq(payload_notify(&in, NOTIFY_AUTHENTICATION_FAILED)->data.n, 0);
	ck_assert(!*length || *length == lab->packets[0].n);
	*length = lab->packets[0].n;
	arena_free(&arena);
}

/* Who there is, by which secret or how many rounds: nobody learns it by trying. Nor are there two tries in one IKE_SA. */
START_TEST(same_refusal)
{
	static const struct {
		const char *idi, *idr;
		unsigned method;
	} tries[] = {
		{ "a.test", NULL, AUTH_METHOD_SHARED_KEY }, { "x.test", NULL, AUTH_METHOD_SHARED_KEY },
		{ "a.test", "b.test", AUTH_METHOD_SHARED_KEY }, { "a.test", "x.test", AUTH_METHOD_SHARED_KEY },
		{ "a.test", NULL, AUTH_METHOD_ECDSA_256 }, { "two.test", NULL, AUTH_METHOD_SHARED_KEY },
		{ "bare.test", NULL, AUTH_METHOD_SHARED_KEY }, { "a.test", NULL, AUTH_METHOD_NULL },
	};
	size_t length = 0;

	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		struct lab *lab = lab_new(CONF_A, "connections {" CONN("net", CONF_IKE, "b.test", "a.test")
					  CONN("two", CONF_IKE, "b.test", "two.test") CONN("bare", CONF_IKE, "b.test", "bare.test") "}\n"
					  "secrets { ike-1 { secret = \"a shared secret\"\n id = a.test }\n"
					  " ike-2 { secret = \"another\"\n id = two.test } }\n");
		struct id idr = { ID_TYPE_FQDN, bytes_str(tries[i].idr ? tries[i].idr : "") };

		lab->a.auth = LAB_AUTH_BY_HAND;
		lab_rounds(&lab->a, "net", true, "c");
		lab_rounds(&lab->b, "two", false, "pp");
		lab_initiate(&lab->a, NULL);
		lab_run(lab);
		say(lab, tries[i].idi, tries[i].idr ? &idr : NULL, tries[i].method);
		expect_refusal(lab, &length);
		lab_drop(lab);
		ck_assert_uint_eq(lab_live(&lab->b), 0);
		lab_free(lab);
	}
}
END_TEST

/* Requests without a proof: EAP is not there, and what is no step of an authentication ends it. */
START_TEST(no_proof)
{
	static const uint8_t eap[] = { 1, 0, 0, 4 };
	struct lab *lab = half_open(CONF_B);
	uint8_t inner[512];
	struct builder b = builder_of(inner, sizeof(inner));
	struct payload_list in;
	struct arena arena = { 0 };
	struct ike_header h;
	struct id id;

	ck_assert(id_parse(bytes_str("a.test"), &id));
	if (_i != 1 && _i != 3)
		builder_id(&b, true, &id);
	if (_i == 1 || _i == 4)
		builder_auth(&b, AUTH_METHOD_SHARED_KEY, bytes_of(eap, 4));
	if (_i == 2 || _i == 3)
		builder_eap(&b, bytes_of(eap, 4));
	if (_i == 4) /* twice */
		builder_auth(&b, AUTH_METHOD_SHARED_KEY, bytes_of(eap, 4));
	lab_inject(&lab->a, lab_sa(&lab->a), EXCHANGE_IKE_AUTH, false, 1, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_peek(lab, 0, &arena, &h, &in);
	ck_assert_uint_eq(in.count, 1);
	ck_assert(payload_notify(&in, _i ? NOTIFY_INVALID_SYNTAX : NOTIFY_AUTHENTICATION_FAILED));
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab->b.n_auths, 0);
	arena_free(&arena);
	id_free(&id);
	lab_free(lab);
}
END_TEST

/* ---- MACs ---- */

static void forge_mac(struct lab *lab, struct lab_end *from, bool response, const struct id *id, struct bytes mac)
{
	uint8_t inner[512];
	struct builder b = builder_of(inner, sizeof(inner));

	builder_id(&b, !response, id);
	builder_auth(&b, AUTH_METHOD_SHARED_KEY, mac);
	lab_inject(from, lab_sa(from), EXCHANGE_IKE_AUTH, response, 1, &b);
}

/* The right MAC, cut or with more behind it. */
START_TEST(mac_of_other_length)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct arena arena = { 0 };
	struct payload_list in;
	struct ike_header h;
	struct bytes right;
	uint8_t mac[64] = { 0 };
	const int change[] = { 0, -1, 1, -31, -32 };

	lab_initiate(&lab->a, NULL);
	lab_deliver(lab);
	lab_deliver(lab);
	lab_peek(lab, 0, &arena, &h, &in);
	right = payload_find(&in, PAYLOAD_AUTH, NULL)->auth.data;
	ck_assert_uint_eq(right.n, 32);
	memcpy(mac, right.p, right.n);
	lab_drop(lab);
	forge_mac(lab, &lab->a, false, &payload_find(&in, PAYLOAD_IDI, NULL)->id, bytes_of(mac, (size_t)(32 + change[_i])));
	lab_deliver(lab);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_IKE_UP), _i == 0);
	arena_free(&arena);
	lab_free(lab);
}
END_TEST

/* Who has no secret gives back what it got, under either name. */
START_TEST(mac_given_back)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct arena arena = { 0 };
	struct payload_list in;
	struct ike_header h;
	struct id b;

	ck_assert(id_parse(bytes_str("b.test"), &b));
	if (_i) /* whoever it is */
		((struct conn_round *)(uintptr_t)config_conn(lab->a.ctx.config, "net")->remote_rounds)->id = (struct id){ 0 };
	lab_initiate(&lab->a, NULL);
	lab_deliver(lab);
	lab_deliver(lab);
	lab_peek(lab, 0, &arena, &h, &in);
	lab_drop(lab);
	forge_mac(lab, &lab->b, true, _i ? &payload_find(&in, PAYLOAD_IDI, NULL)->id : &b, payload_find(&in, PAYLOAD_AUTH, NULL)->auth.data);
	lab_deliver(lab);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_UP), 0);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	arena_free(&arena);
	id_free(&b);
	lab_free(lab);
}
END_TEST

/* ---- connections ---- */

/* And nor do we send one: what is not exactly one identity is none to ask for. */
START_TEST(pattern_is_not_asked_for)
{
	static const struct {
		const char *id;
		bool asked;
	} ids[] = { { "b.test", true }, { "*.test", false }, { "^b\\.test$", false }, { "%any", false } };
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct conn *conn = (struct conn *)(uintptr_t)config_conn(lab->a.ctx.config, "net");
	struct arena arena = { 0 };
	struct payload_list in;
	struct ike_header h;
	struct id id;

	ck_assert(id_parse(bytes_str(ids[_i].id), &id));
	((struct conn_round *)(uintptr_t)conn->remote_rounds)->id =
		(struct id){ id.type, bytes_of(arena_dup(&conn->arena, id.data.p, id.data.n), id.data.n) };
	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_deliver(lab);
	lab_peek(lab, 0, &arena, &h, &in);
	ck_assert_uint_eq(h.exchange, EXCHANGE_IKE_AUTH);
	ck_assert_int_eq(payload_find(&in, PAYLOAD_IDR, NULL) != NULL, ids[_i].asked);
	lab_run(lab);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_IKE_UP), 1);
	ck_assert_str_eq(id_text(&lab_sa(&lab->a)->remote_id).s, "b.test");
	arena_free(&arena);
	id_free(&id);
	lab_free(lab);
}
END_TEST

#define WEAK "proposals = aes256gcm16-prfsha384-x25519"

/*
 * A group's secret lets in whom no connection names. It does not let in, as a.test, who is not that: the connection that names a.test
 * wants a signature of it (or a second round), and that the peer has agreed to algorithms that this connection does not take is
 * no way around it.
 */
START_TEST(no_way_around_by_proposal)
{
	static const char *const patterns[] = { "a.test", "*.test" };
	char conf[2000];
	struct lab *lab;

	snprintf(conf, sizeof(conf), "connections {" CONN("net", CONF_IKE, "b.test", "%s") CONN("any", WEAK, "b.test", "*.test") "}\n"
		 CONF_SECRET, patterns[_i & 1]);
	lab = lab_new(CONF_A_WITH(WEAK, CHILD_A("one", "1", ESP)), conf);
	lab_rounds(&lab->b, "net", false, _i & 2 ? "pp" : "c");
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	lab_advance(lab, 31000);
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->b), _i & 1);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_IKE_UP), _i & 1);
	if (_i & 1)
		ck_assert_str_eq(lab_sa(&lab->b)->conn->name, "any");
	lab_free(lab);
}
END_TEST

/* a is revoked after b has believed it, and before its second round: nobody would look again when it is up. */
START_TEST(revoked_on_the_way)
{
	struct lab *lab = keys_lab();
	struct pki_cert *a = keys_leaf("CN=a", "subjectAltName=DNS:a.test", PKI_P256);
	struct pki_cert *b = keys_leaf("CN=b", "subjectAltName=DNS:b.test", PKI_P256);
	const struct pki_cert *revoked[] = { _i ? a : b, NULL };
	struct crl *crl = pki_crl_new(&(struct pki_crl_spec){ .issuer = keys_ca, .revoked = revoked, .number = 1 });

	keys_load(&lab->a, a, keys_root);
	keys_load(&lab->b, b, keys_root);
	lab_rounds(&lab->a, "net", true, "cp");
	lab_rounds(&lab->b, "net", false, "cp");
	lab_initiate(&lab->a, "one");
	do
		lab_run(lab);
	while (keys_serve(lab) && !lab_sa(&lab->b)->chains);
	ck_assert_ptr_nonnull(lab_sa(&lab->b)->chains);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_CONNECTING);
	ike_sa_recheck_crl(lab_sa(&lab->b), crl);
	keys_run(lab);
	lab_advance(lab, 1);
	ck_assert_uint_eq(lab_live(&lab->b), !_i);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_IKE_UP), !_i);
	crl_unref(crl);
	pki_cert_free(a);
	pki_cert_free(b);
	lab_free(lab);
}
END_TEST

Suite *auth_attacks_suite(void)
{
	Suite *s = suite_create("exchange/auth_attacks");
	TCase *tc = tcase_create("attacks");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, keys_setup, keys_teardown);
	tcase_add_loop_test(tc, idr_is_no_pattern, 0, 12);
	tcase_add_test(tc, same_refusal);
	tcase_add_loop_test(tc, no_proof, 0, 5);
	tcase_add_loop_test(tc, mac_of_other_length, 0, 5);
	tcase_add_loop_test(tc, mac_given_back, 0, 2);
	tcase_add_loop_test(tc, pattern_is_not_asked_for, 0, 4);
	tcase_add_loop_test(tc, no_way_around_by_proposal, 0, 4);
	tcase_add_loop_test(tc, revoked_on_the_way, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}

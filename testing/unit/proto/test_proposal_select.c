/* SPDX-License-Identifier: Apache-2.0 */
#include "test_proto.h"

#include <stdlib.h>

#include "proto/proposal.h"
#include "util/mem.h"

static struct arena arena;

static void setup(void)
{
	arena = (struct arena){ NULL, NULL };
}

static void teardown(void)
{
	arena_free(&arena);
}

/* "aes128-sha256-ecp256,aes256gcm16-prfsha256-x25519" */
static struct proposal_list list(enum ike_protocol protocol, const char *text)
{
	struct proposal *p = arena_array(&arena, struct proposal, 8);
	size_t count = 0;

	while (*text) {
		size_t n = strcspn(text, ",");
		struct proposal_list one;
		struct errtext err;

		ck_assert_msg(proposal_parse(&arena, protocol, bytes_of(text, n), NULL, NULL, &one, &err),
			      "%s: %s", text, err.s);
		for (size_t i = 0; i < one.count; i++)
			p[count++] = one.p[i];
		text += text[n] ? n + 1 : n;
	}
	return (struct proposal_list){ count, p };
}

static const char *selected_lists(struct proposal_list ours, struct proposal_list theirs,
				  unsigned flags)
{
	struct buf b = { NULL, 0, 0 };
	struct suite s;
	size_t index = 99;
	const char *text;

	if (!proposal_select(ours, theirs, flags, &s, &index))
		return "none";
	buf_printf(&b, "%zu ", index);
	suite_format(&b, &s);
	text = arena_printf(&arena, "%s", buf_str(&b));
	buf_free(&b);
	return text;
}

static const char *selected(enum ike_protocol protocol, const char *ours, const char *theirs,
			    unsigned flags)
{
	return selected_lists(list(protocol, ours), list(protocol, theirs), flags);
}

START_TEST(our_order)
{
	/* RFC 7296, 2.7: our first proposal that fits, and in it our first transforms */
	ck_assert_str_eq(selected(PROTOCOL_IKE, "aes256-aes128-sha256-x25519-ecp256",
				  "aes128-aes256-sha256-ecp256-x25519", 0),
			 "0 IKE:AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519");
	ck_assert_str_eq(selected(PROTOCOL_IKE, "aes256-aes128-sha256-x25519-ecp256",
				  "aes128-aes256-sha256-ecp256-x25519", PROPOSAL_PREFER_PEER),
			 "0 IKE:AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/ECP_256");
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16,aes128-sha256",
				  "aes128-sha1,aes128-sha256,aes128gcm16", 0),
			 "2 ESP:AES_GCM_16_128/NO_EXT_SEQ");
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16,aes128-sha256",
				  "aes128-sha1,aes128-sha256,aes128gcm16", PROPOSAL_PREFER_PEER),
			 "1 ESP:AES_CBC_128/HMAC_SHA2_256_128/NO_EXT_SEQ");
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16-esn-noesn", "aes128gcm16-noesn-esn", 0),
			 "0 ESP:AES_GCM_16_128/EXT_SEQ");
	ck_assert_str_eq(selected(PROTOCOL_AH, "sha512-sha256", "sha256-sha512", 0),
			 "0 AH:HMAC_SHA2_512_256/NO_EXT_SEQ");
}
END_TEST

START_TEST(no_match)
{
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16", "aes256gcm16", 0), "none");
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128-sha256", "aes128-sha1", 0), "none");
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16-esn", "aes128gcm16", 0), "none");
	ck_assert_str_eq(selected(PROTOCOL_IKE, "aes128-sha256-ecp256", "aes128-sha256-x25519", 0),
			 "none");
	ck_assert_str_eq(selected(PROTOCOL_IKE, "aes128-sha256-prfsha1-ecp256", "aes128-sha256-ecp256",
				  0),
			 "none");
	/* the key length must be the same: ChaCha20 with and without */
	ck_assert_str_eq(selected(PROTOCOL_ESP, "chacha20poly1305", "chacha20poly1305compat", 0),
			 "none");
	ck_assert_str_eq(selected_lists(list(PROTOCOL_ESP, "aes128-sha256"),
					list(PROTOCOL_AH, "sha256"), 0),
			 "none");
	ck_assert_str_eq(selected_lists(list(PROTOCOL_ESP, "aes128gcm16"),
					(struct proposal_list){ 0, NULL }, 0),
			 "none");
	/* combinations never cross proposals */
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128-sha256", "aes128-sha1,aes256-sha256", 0), "none");
}
END_TEST

START_TEST(key_exchange_of_children)
{
	const char *with = "0 ESP:AES_GCM_16_128/ECP_256/NO_EXT_SEQ";
	const char *without = "0 ESP:AES_GCM_16_128/NO_EXT_SEQ";

	/* RFC 7296, 3.3.6: NONE is the same as absence, on either side */
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16-ecp256", "aes128gcm16", 0), "none");
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16", "aes128gcm16-ecp256", 0), "none");
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16-ecp256-none", "aes128gcm16", 0), without);
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16", "aes128gcm16-ecp256-none", 0), without);
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16-ecp256-none", "aes128gcm16-none-ecp256", 0),
			 with);
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16-ecp256-none", "aes128gcm16-none-ecp256",
				  PROPOSAL_PREFER_PEER),
			 without);
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16-none", "aes128gcm16-none", 0), without);
	/* the first child does not look at them */
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16-ecp256", "aes128gcm16", PROPOSAL_SKIP_KE),
			 without);
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16-x25519", "aes128gcm16-ecp256",
				  PROPOSAL_SKIP_KE),
			 without);
	/* but IKE cannot do without */
	ck_assert_str_eq(selected(PROTOCOL_IKE, "aes128-sha256-ecp256", "aes128-sha256-x25519",
				  PROPOSAL_SKIP_KE),
			 "none");
}
END_TEST

START_TEST(additional_key_exchanges)
{
	const char *base = "aes256gcm16-prfsha384-x25519";
	const char *one = "aes256gcm16-prfsha384-x25519-ke1_mlkem768";
	const char *maybe = "aes256gcm16-prfsha384-x25519-ke1_mlkem768-ke1_none";
	const char *plain = "0 IKE:AES_GCM_16_256/PRF_HMAC_SHA2_384/CURVE_25519";
	const char *hybrid = "0 IKE:AES_GCM_16_256/PRF_HMAC_SHA2_384/CURVE_25519/KE1_ML_KEM_768";

	ck_assert_str_eq(selected(PROTOCOL_IKE, one, one, 0), hybrid);
	ck_assert_str_eq(selected(PROTOCOL_IKE, one, base, 0), "none");
	ck_assert_str_eq(selected(PROTOCOL_IKE, base, one, 0), "none");
	ck_assert_str_eq(selected(PROTOCOL_IKE, maybe, base, 0), plain);
	ck_assert_str_eq(selected(PROTOCOL_IKE, base, maybe, 0), plain);
	ck_assert_str_eq(selected(PROTOCOL_IKE, maybe, maybe, 0), hybrid);
	/* RFC 9370, 2.2.2: with an additional one, NONE is no first one */
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16-none-ecp256-ke1_mlkem768",
				  "aes128gcm16-none-ecp256-ke1_mlkem768", 0),
			 "0 ESP:AES_GCM_16_128/ECP_256/KE1_ML_KEM_768/NO_EXT_SEQ");
	ck_assert_str_eq(selected(PROTOCOL_ESP, "aes128gcm16-none-ecp256-ke1_mlkem768-ke1_none",
				  "aes128gcm16", 0),
			 "0 ESP:AES_GCM_16_128/NO_EXT_SEQ");
}
END_TEST

/* ---- what only a peer sends ---- */

#define PEER(...)                                                                                  \
	((struct proposal_list){                                                                   \
		1, &(struct proposal){ .protocol = PROTOCOL_ESP,                                   \
				       .number = 1,                                                \
				       .count = sizeof((struct transform[]){ __VA_ARGS__ }) /      \
						sizeof(struct transform),                          \
				       .transforms = (struct transform[]){ __VA_ARGS__ } } })

#define GCM  { TRANSFORM_ENCR, ENCR_AES_GCM_16, 128 }
#define CBC  { TRANSFORM_ENCR, ENCR_AES_CBC, 128 }
#define SHA  { TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0 }
#define NOESN { TRANSFORM_ESN, ESN_NO, 0 }

START_TEST(odd_peers)
{
	struct proposal_list gcm = list(PROTOCOL_ESP, "aes128gcm16");
	struct proposal_list cbc = list(PROTOCOL_ESP, "aes128-sha256");
	const char *g = "0 ESP:AES_GCM_16_128/NO_EXT_SEQ";
	const char *c = "0 ESP:AES_CBC_128/HMAC_SHA2_256_128/NO_EXT_SEQ";

	ck_assert_str_eq(selected_lists(gcm, PEER(GCM, NOESN), 0), g);
	/* absence of ESN is no ESN */
	ck_assert_str_eq(selected_lists(gcm, PEER(GCM), 0), g);
	/* unknown ids are passed over */
	ck_assert_str_eq(selected_lists(gcm, PEER({ TRANSFORM_ENCR, 1234, 128 }, GCM, NOESN,
						  { TRANSFORM_ESN, 2, 0 }),
					0),
			 g);
	/* RFC 7296, 3.3.6: an unknown type is not */
	ck_assert_str_eq(selected_lists(gcm, PEER(GCM, NOESN, { 13, 1, 0 }), 0), "none");
	ck_assert_str_eq(selected_lists(gcm, PEER(GCM, NOESN, { 0, 0, 0 }), 0), "none");
	/* a type that we do not have */
	ck_assert_str_eq(selected_lists(gcm, PEER(GCM, NOESN, { TRANSFORM_PRF, PRF_HMAC_SHA1, 0 }), 0),
			 "none");
	/* RFC 5282, 8: AEAD goes with no integrity or with NONE */
	ck_assert_str_eq(selected_lists(gcm, PEER(GCM, { TRANSFORM_INTEG, INTEG_NONE, 0 }, NOESN), 0), g);
	ck_assert_str_eq(selected_lists(gcm, PEER(GCM, SHA, NOESN), 0), "none");
	/* both in one proposal, against the RFC: the part that makes sense */
	ck_assert_str_eq(selected_lists(cbc, PEER(GCM, CBC, SHA, NOESN), 0), c);
	ck_assert_str_eq(selected_lists(cbc, PEER(GCM, CBC, SHA, NOESN), PROPOSAL_PREFER_PEER), c);
	/* no classic cipher without integrity, whatever both say */
	ck_assert_str_eq(selected_lists(PEER(CBC, NOESN), PEER(CBC, NOESN), 0), "none");
	ck_assert_str_eq(selected_lists(cbc, PEER(CBC, { TRANSFORM_INTEG, INTEG_NONE, 0 }), 0), "none");
	ck_assert_str_eq(selected_lists(cbc, PEER(CBC, NOESN), 0), "none");
	/* no cipher at all, and the reserved number 0 */
	ck_assert_str_eq(selected_lists(PEER(SHA, NOESN), PEER(SHA, NOESN), 0), "none");
	ck_assert_str_eq(selected_lists(PEER({ TRANSFORM_ENCR, 0, 0 }, SHA),
					PEER({ TRANSFORM_ENCR, 0, 0 }, SHA), 0),
			 "none");
	ck_assert_str_eq(selected_lists(gcm, PEER({ TRANSFORM_ENCR, ENCR_AES_GCM_16, 0 }, NOESN), 0),
			 "none");
}
END_TEST

START_TEST(answers)
{
	struct proposal_list offer = list(PROTOCOL_ESP, "aes256gcm16-aes128gcm16-ecp256-none-esn-noesn,"
							"aes128-sha256-sha1");
	struct suite s, t;

	ck_assert(proposal_accept(offer, PEER(GCM, NOESN).p, 0, &s));
	ck_assert_uint_eq(s.encr, ENCR_AES_GCM_16);
	ck_assert_uint_eq(s.encr_bits, 128);
	ck_assert_uint_eq(s.ke, KE_NONE);
	ck_assert_uint_eq(s.esn, ESN_NO);
	t = s;
	ck_assert(suite_equal(&s, &t));
	t.addke[6] = 1;
	ck_assert(!suite_equal(&s, &t));
	ck_assert(proposal_accept(offer, PEER(GCM, { TRANSFORM_KE, KE_ECP_256, 0 }, NOESN).p, 0, &s));
	ck_assert_uint_eq(s.ke, KE_ECP_256);
	ck_assert(proposal_accept(offer, PEER(CBC, SHA, NOESN).p, 0, &s));
	/* RFC 7296, 2.7: one of each type, and nothing that was not offered */
	ck_assert(!proposal_accept(offer, PEER(GCM, GCM, NOESN).p, 0, &s));
	ck_assert(!proposal_accept(offer, PEER(CBC, SHA, { TRANSFORM_INTEG, INTEG_HMAC_SHA1_96, 0 }).p,
				   0, &s));
	ck_assert(!proposal_accept(offer, PEER(GCM, { TRANSFORM_KE, KE_ECP_384, 0 }, NOESN).p, 0, &s));
	ck_assert(!proposal_accept(offer, PEER({ TRANSFORM_ENCR, ENCR_AES_GCM_16, 192 }, NOESN).p, 0,
				   &s));
	ck_assert(!proposal_accept(offer, PEER(CBC, NOESN).p, 0, &s));
	ck_assert(!proposal_accept(offer, PEER(GCM, NOESN, { 13, 1, 0 }).p, 0, &s));
}
END_TEST

/* What we answer is accepted by who offered it, and means the same. */
START_TEST(answer_round_trip)
{
	static const char *const texts[] = {
		"aes128gcm16", "aes256-sha384-esn", "aes128gcm16-ecp256-none", "chacha20poly1305-x25519",
		"aes128gcm16-x25519-ke1_mlkem768-ke2_none",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct proposal_list offer = list(PROTOCOL_ESP, texts[i]);
		struct suite chosen, seen;
		struct proposal answer;
		size_t index;

		ck_assert(proposal_select(offer, offer, 0, &chosen, &index));
		answer = proposal_from_suite(&arena, &chosen);
		ck_assert(proposal_accept(offer, &answer, 0, &seen));
		ck_assert(suite_equal(&chosen, &seen));
	}
}
END_TEST

/* The outcome of random proposals is always something that both have. */
START_TEST(random_proposals)
{
	struct test_random r = { 0x5eed1234abcd };

	for (int round = 0; round < 20000; round++) {
		struct transform t[2][10];
		struct proposal p[2];
		struct suite s;
		size_t index;

		for (int side = 0; side < 2; side++) {
			uint16_t count = (uint16_t)test_random(&r, 10);

			for (int i = 0; i < count; i++) {
				t[side][i].type = (uint8_t)(1 + test_random(&r, 6));
				t[side][i].id = (uint16_t)(test_random(&r, 3) * 12);
				t[side][i].key_bits = (uint16_t)(test_random(&r, 4) ? 0 : 128);
			}
			p[side] = (struct proposal){ .protocol = (uint8_t)(1 + test_random(&r, 3)),
						     .count = count,
						     .transforms = t[side] };
		}
		if (!proposal_select((struct proposal_list){ 1, &p[0] },
				     (struct proposal_list){ 1, &p[1] }, 0, &s, &index))
			continue;
		for (int side = 0; side < 2; side++) {
			struct proposal_list l = { 1, &p[side] };

			ck_assert(s.encr == 0 || proposal_has(l, TRANSFORM_ENCR, s.encr));
			ck_assert(s.integ == 0 || proposal_has(l, TRANSFORM_INTEG, s.integ));
			ck_assert(s.prf == 0 || proposal_has(l, TRANSFORM_PRF, s.prf));
			ck_assert(s.ke == 0 || proposal_has(l, TRANSFORM_KE, s.ke));
		}
		ck_assert(s.protocol == PROTOCOL_AH || s.encr != 0);
		ck_assert(s.protocol != PROTOCOL_IKE || (s.prf && s.ke));
		ck_assert(s.integ || encr_is_aead(s.encr));
	}
}
END_TEST

TCase *test_proposal_select(void)
{
	TCase *t = tcase_create("proposal_select");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, our_order);
	tcase_add_test(t, no_match);
	tcase_add_test(t, key_exchange_of_children);
	tcase_add_test(t, additional_key_exchanges);
	tcase_add_test(t, odd_peers);
	tcase_add_test(t, answers);
	tcase_add_test(t, answer_round_trip);
	tcase_add_test(t, random_proposals);
	return t;
}

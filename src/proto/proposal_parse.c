/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/limits.h"
#include "proto/proposal.h"
#include "proto/proposal_keywords.h"
#include "util/mem.h"

/* A proposal being put together; bounded by what a message can carry. */
struct draft {
	size_t count;
	struct transform t[LIMIT_TRANSFORMS];
};

static bool draft_has_type(const struct draft *d, unsigned type)
{
	for (size_t i = 0; i < d->count; i++) {
		if (d->t[i].type == type)
			return true;
	}
	return false;
}

/* Repeated tokens count once. */
static bool draft_add(struct draft *d, struct transform t)
{
	for (size_t i = 0; i < d->count; i++) {
		if (d->t[i].type == t.type && d->t[i].id == t.id && d->t[i].key_bits == t.key_bits)
			return true;
	}
	if (d->count == ARRAY_LEN(d->t))
		return false;
	d->t[d->count++] = t;
	return true;
}

static void draft_remove_type(struct draft *d, unsigned type)
{
	size_t n = 0;

	for (size_t i = 0; i < d->count; i++) {
		if (d->t[i].type != type)
			d->t[n++] = d->t[i];
	}
	d->count = n;
}

static void draft_remove(struct draft *d, unsigned type, unsigned id)
{
	size_t n = 0;

	for (size_t i = 0; i < d->count; i++) {
		if (d->t[i].type != type || d->t[i].id != id)
			d->t[n++] = d->t[i];
	}
	d->count = n;
}

/* Types in the order in which proposals are written, each in the order of the tokens. */
static struct proposal draft_done(const struct draft *d, struct arena *a, unsigned protocol)
{
	static const uint8_t order[] = {
		TRANSFORM_ENCR,   TRANSFORM_INTEG,  TRANSFORM_PRF,    TRANSFORM_KE,
		TRANSFORM_ADDKE1, TRANSFORM_ADDKE2, TRANSFORM_ADDKE3, TRANSFORM_ADDKE4,
		TRANSFORM_ADDKE5, TRANSFORM_ADDKE6, TRANSFORM_ADDKE7, TRANSFORM_ESN,
	};
	struct transform *t = arena_array(a, struct transform, d->count);
	size_t n = 0;

	for (size_t o = 0; o < ARRAY_LEN(order); o++) {
		for (size_t i = 0; i < d->count; i++) {
			if (d->t[i].type == order[o])
				t[n++] = d->t[i];
		}
	}
	return (struct proposal){ .protocol = (uint8_t)protocol, .count = (uint16_t)n, .transforms = t };
}

static bool token_error(struct errtext *err, struct bytes token, const char *why)
{
	errtext_set(err, "algorithm '%.*s' %s", (int)(token.n > 64 ? 64 : token.n),
		    (const char *)token.p, why);
	return false;
}

/* "ke1_" to "ke7_" in front of a key exchange (RFC 9370): the transform type, else 0. */
static unsigned token_addke_type(struct bytes *token)
{
	const uint8_t *p = token->p;
	unsigned type;

	if (token->n < 4 || p[0] != 'k' || p[1] != 'e' || p[2] < '1' || p[2] > '7' || p[3] != '_')
		return 0;
	type = TRANSFORM_ADDKE1 + (p[2] - '1');
	*token = bytes_of(token->p + 4, token->n - 4);
	return type;
}

static bool token_parse(struct draft *d, enum ike_protocol protocol, struct bytes token,
			struct errtext *err)
{
	struct bytes word = token;
	unsigned addke = token_addke_type(&word);
	const struct proposal_keyword *k = proposal_keyword_find(word);
	struct transform t;

	if (!token.n) {
		errtext_set(err, "empty algorithm name");
		return false;
	}
	if (!k || (addke && k->type != TRANSFORM_KE && !k->refused)) {
		errtext_set(err, "unknown algorithm '%.*s'", (int)(token.n > 64 ? 64 : token.n),
			    (const char *)token.p);
		return false;
	}
	if (k->refused)
		return token_error(err, token, k->refused);
	t = (struct transform){ addke ? (uint8_t)addke : k->type, k->id, k->key_bits };

	if (protocol == PROTOCOL_IKE && t.type == TRANSFORM_ESN)
		return token_error(err, token, "is not for IKE");
	if (protocol == PROTOCOL_IKE && t.type == TRANSFORM_ENCR &&
	    (t.id == ENCR_NULL || t.id == ENCR_NULL_AES_GMAC))
		return token_error(err, token, "does not encrypt and is not for IKE");
	if (protocol == PROTOCOL_AH && t.type == TRANSFORM_ENCR && t.id == ENCR_NULL_AES_GMAC) {
		t.id = (uint16_t)(t.key_bits == 128   ? INTEG_AES_128_GMAC
				  : t.key_bits == 192 ? INTEG_AES_192_GMAC
						      : INTEG_AES_256_GMAC);
		t.type = TRANSFORM_INTEG;
		t.key_bits = 0;
	}
	if (!draft_add(d, t)) {
		errtext_set(err, "too many algorithms");
		return false;
	}
	return true;
}

static unsigned prf_of_integ(unsigned integ)
{
	switch (integ) {
	case INTEG_HMAC_MD5_96:
	case INTEG_HMAC_MD5_128:
		return PRF_HMAC_MD5;
	case INTEG_HMAC_SHA1_96:
	case INTEG_HMAC_SHA1_160:
		return PRF_HMAC_SHA1;
	case INTEG_HMAC_SHA2_256_128:
		return PRF_HMAC_SHA2_256;
	case INTEG_HMAC_SHA2_384_192:
		return PRF_HMAC_SHA2_384;
	case INTEG_HMAC_SHA2_512_256:
		return PRF_HMAC_SHA2_512;
	case INTEG_AES_XCBC_96:
		return PRF_AES128_XCBC;
	case INTEG_AES_CMAC_96:
		return PRF_AES128_CMAC;
	default:
		return 0;
	}
}

static bool draft_derive_prfs(struct draft *d)
{
	size_t count = d->count;

	if (draft_has_type(d, TRANSFORM_PRF))
		return true;
	for (size_t i = 0; i < count; i++) {
		unsigned prf = d->t[i].type == TRANSFORM_INTEG ? prf_of_integ(d->t[i].id) : 0;

		if (prf && !draft_add(d, (struct transform){ TRANSFORM_PRF, (uint16_t)prf, 0 }))
			return false;
	}
	return true;
}

/* Ciphers and integrity of IKE and ESP. RFC 8221, 4 MUST NOT: encryption without authentication */
static const char *draft_check_ciphers(struct draft *d)
{
	size_t aead = 0, classic = 0;

	for (size_t i = 0; i < d->count; i++) {
		if (d->t[i].type != TRANSFORM_ENCR)
			continue;
		if (encr_is_aead(d->t[i].id))
			aead++;
		else
			classic++;
	}
	if (!aead && !classic)
		return "needs an encryption algorithm";
	if (aead && classic)
		return "mixes AEAD and classic ciphers, which need proposals of their own";
	if (aead)
		draft_remove_type(d, TRANSFORM_INTEG);
	else if (!draft_has_type(d, TRANSFORM_INTEG))
		return "needs an integrity algorithm";
	return NULL;
}

static const char *draft_check_ike(struct draft *d)
{
	const char *why;

	if (!draft_derive_prfs(d))
		return "has too many algorithms";
	draft_remove(d, TRANSFORM_KE, KE_NONE);
	why = draft_check_ciphers(d);
	if (why)
		return why;
	if (!draft_has_type(d, TRANSFORM_PRF))
		return "needs a pseudo-random function (prf...)";
	if (!draft_has_type(d, TRANSFORM_KE))
		return "needs a key exchange";
	return NULL;
}

static const char *draft_check_esp(struct draft *d)
{
	draft_remove_type(d, TRANSFORM_PRF);
	return draft_check_ciphers(d);
}

static const char *draft_check_ah(struct draft *d)
{
	draft_remove_type(d, TRANSFORM_PRF);
	draft_remove_type(d, TRANSFORM_ENCR);
	return draft_has_type(d, TRANSFORM_INTEG) ? NULL : "needs an integrity algorithm";
}

/* RFC 9370, 2.2.2: additional key exchanges follow a first one */
static bool draft_lacks_first_ke(const struct draft *d)
{
	bool first = false, additional = false;

	for (size_t i = 0; i < d->count; i++) {
		first |= d->t[i].type == TRANSFORM_KE && d->t[i].id != KE_NONE;
		additional |= d->t[i].type >= TRANSFORM_ADDKE1 && d->t[i].type <= TRANSFORM_ADDKE7;
	}
	return additional && !first;
}

/* The rules at the head of proposal_keywords.h; NULL if all is well, else what is wrong. */
static const char *draft_check(struct draft *d, enum ike_protocol protocol)
{
	const char *why = "is of no protocol that has proposals";

	if (protocol == PROTOCOL_IKE)
		return draft_check_ike(d);
	if (protocol == PROTOCOL_ESP)
		why = draft_check_esp(d);
	else if (protocol == PROTOCOL_AH)
		why = draft_check_ah(d);
	if (!why && draft_lacks_first_ke(d))
		return "has an additional key exchange, but no first one";
	if (!why && !draft_has_type(d, TRANSFORM_ESN) &&
	    !draft_add(d, (struct transform){ TRANSFORM_ESN, ESN_NO, 0 }))
		return "has too many algorithms";
	return why;
}

bool proposal_parse(struct arena *a, enum ike_protocol protocol, struct bytes text,
		    transform_have_fn *have, void *have_arg, struct proposal_list *ret_list,
		    struct errtext *err)
{
	struct draft d = { .count = 0 };
	struct proposal *p;
	const char *why;
	size_t at = 0;

	if (bytes_equal_nocase(text, "default")) {
		struct proposal_list list = proposal_default(a, protocol, have, have_arg);

		if (!list.count) {
			errtext_set(err, protocol == PROTOCOL_AH ?
						 "there is no default for AH" :
						 "nothing of the default proposals is available");
			return false;
		}
		*ret_list = list;
		return true;
	}
	do {
		size_t end = at;

		while (end < text.n && text.p[end] != '-')
			end++;
		if (!token_parse(&d, protocol, bytes_of(text.p + at, end - at), err))
			return false;
		at = end + 1;
	} while (at <= text.n);

	why = draft_check(&d, protocol);
	if (why) {
		errtext_set(err, "proposal '%.*s' %s", (int)(text.n > 128 ? 128 : text.n),
			    (const char *)text.p, why);
		return false;
	}
	p = arena_new(a, struct proposal);
	*p = draft_done(&d, a, protocol);
	*ret_list = (struct proposal_list){ 1, p };
	return true;
}

/* ---- the built-in proposals ---- */

#define SIZES(ID)                                                                                  \
	{ TRANSFORM_ENCR, ID, 128 }, { TRANSFORM_ENCR, ID, 192 }, { TRANSFORM_ENCR, ID, 256 }

static const struct transform default_ike_classic[] = {
	SIZES(ENCR_AES_CBC),
	SIZES(ENCR_AES_CTR),
	SIZES(ENCR_CAMELLIA_CBC),
	SIZES(ENCR_CAMELLIA_CTR),
	{ TRANSFORM_ENCR, ENCR_3DES, 0 },
	{ TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0 },
	{ TRANSFORM_INTEG, INTEG_HMAC_SHA2_384_192, 0 },
	{ TRANSFORM_INTEG, INTEG_HMAC_SHA2_512_256, 0 },
	{ TRANSFORM_INTEG, INTEG_AES_XCBC_96, 0 },
	{ TRANSFORM_INTEG, INTEG_AES_CMAC_96, 0 },
	{ TRANSFORM_INTEG, INTEG_HMAC_SHA1_96, 0 },
};

static const struct transform default_ike_aead[] = {
	SIZES(ENCR_AES_GCM_16),
	SIZES(ENCR_AES_CCM_16),
	{ TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305, 0 },
	SIZES(ENCR_AES_GCM_12),
	SIZES(ENCR_AES_GCM_8),
	SIZES(ENCR_AES_CCM_12),
	SIZES(ENCR_AES_CCM_8),
};

static const struct transform default_prf[] = {
	{ TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0 }, { TRANSFORM_PRF, PRF_HMAC_SHA2_384, 0 },
	{ TRANSFORM_PRF, PRF_HMAC_SHA2_512, 0 }, { TRANSFORM_PRF, PRF_AES128_XCBC, 0 },
	{ TRANSFORM_PRF, PRF_AES128_CMAC, 0 },   { TRANSFORM_PRF, PRF_HMAC_SHA1, 0 },
};

/* By strength, and MODP 2048 for peers that have nothing better. */
static const struct transform default_ke[] = {
	{ TRANSFORM_KE, KE_ECP_256, 0 },     { TRANSFORM_KE, KE_ECP_384, 0 },
	{ TRANSFORM_KE, KE_ECP_521, 0 },     { TRANSFORM_KE, KE_ECP_256_BP, 0 },
	{ TRANSFORM_KE, KE_ECP_384_BP, 0 },  { TRANSFORM_KE, KE_ECP_512_BP, 0 },
	{ TRANSFORM_KE, KE_CURVE_25519, 0 }, { TRANSFORM_KE, KE_CURVE_448, 0 },
	{ TRANSFORM_KE, KE_MODP_3072, 0 },   { TRANSFORM_KE, KE_MODP_4096, 0 },
	{ TRANSFORM_KE, KE_MODP_6144, 0 },   { TRANSFORM_KE, KE_MODP_8192, 0 },
	{ TRANSFORM_KE, KE_MODP_2048, 0 },
};

static const struct transform default_esp_aead[] = {
	SIZES(ENCR_AES_GCM_16),
};

static const struct transform default_esp_classic[] = {
	SIZES(ENCR_AES_CBC),
	{ TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0 },
	{ TRANSFORM_INTEG, INTEG_HMAC_SHA2_384_192, 0 },
	{ TRANSFORM_INTEG, INTEG_HMAC_SHA2_512_256, 0 },
	{ TRANSFORM_INTEG, INTEG_HMAC_SHA1_96, 0 },
	{ TRANSFORM_INTEG, INTEG_AES_XCBC_96, 0 },
};

static const struct transform default_child_end[] = {
	{ TRANSFORM_KE, KE_NONE, 0 },
	{ TRANSFORM_ESN, ESN_NO, 0 },
};

struct have {
	transform_have_fn *fn;
	void *arg;
};

static void draft_add_have(struct draft *d, const struct transform *t, size_t n, struct have have)
{
	for (size_t i = 0; i < n; i++) {
		bool always = t[i].type == TRANSFORM_ESN ||
			      (t[i].type == TRANSFORM_KE && t[i].id == KE_NONE);

		/* The tables are far below the limit. */
		if (always || !have.fn || have.fn(have.arg, &t[i]))
			(void)draft_add(d, t[i]);
	}
}

/* What is left of a default after the filter must still be a whole proposal. */
static void default_append(struct arena *a, enum ike_protocol protocol, struct proposal *list,
			   size_t *count, const struct transform *t, size_t n, struct have have)
{
	struct draft d = { .count = 0 };

	draft_add_have(&d, t, n, have);
	if (protocol == PROTOCOL_IKE)
		draft_add_have(&d, default_prf, ARRAY_LEN(default_prf), have);
	draft_add_have(&d, default_ke, ARRAY_LEN(default_ke), have);
	if (protocol == PROTOCOL_ESP)
		draft_add_have(&d, default_child_end, ARRAY_LEN(default_child_end), have);
	if (!draft_check(&d, protocol))
		list[(*count)++] = draft_done(&d, a, protocol);
}

struct proposal_list proposal_default(struct arena *a, enum ike_protocol protocol,
				      transform_have_fn *have, void *have_arg)
{
	struct proposal *list = arena_array(a, struct proposal, 2);
	struct have h = { have, have_arg };
	size_t count = 0;

	if (protocol == PROTOCOL_IKE) {
		default_append(a, protocol, list, &count, default_ike_classic,
			       ARRAY_LEN(default_ike_classic), h);
		default_append(a, protocol, list, &count, default_ike_aead,
			       ARRAY_LEN(default_ike_aead), h);
	} else if (protocol == PROTOCOL_ESP) {
		default_append(a, protocol, list, &count, default_esp_aead,
			       ARRAY_LEN(default_esp_aead), h);
		default_append(a, protocol, list, &count, default_esp_classic,
			       ARRAY_LEN(default_esp_classic), h);
	}
	return (struct proposal_list){ count, list };
}

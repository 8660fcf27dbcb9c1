/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/proposal.h"

#include "util/mem.h"

bool encr_is_aead(unsigned encr)
{
	switch (encr) {
	case ENCR_AES_CCM_8:
	case ENCR_AES_CCM_12:
	case ENCR_AES_CCM_16:
	case ENCR_AES_GCM_8:
	case ENCR_AES_GCM_12:
	case ENCR_AES_GCM_16:
	case ENCR_NULL_AES_GMAC:
	case ENCR_CAMELLIA_CCM_8:
	case ENCR_CAMELLIA_CCM_12:
	case ENCR_CAMELLIA_CCM_16:
	case ENCR_CHACHA20_POLY1305:
	case ENCR_AES_CCM_8_IIV:
	case ENCR_AES_GCM_16_IIV:
	case ENCR_CHACHA20_POLY1305_IIV:
	case ENCR_KUZNYECHIK_MGM_KTREE:
	case ENCR_MAGMA_MGM_KTREE:
	case ENCR_KUZNYECHIK_MGM_MAC_KTREE:
	case ENCR_MAGMA_MGM_MAC_KTREE:
		return true;
	default:
		return false;
	}
}

static bool transform_type_is_ke(unsigned type)
{
	return type == TRANSFORM_KE || (type >= TRANSFORM_ADDKE1 && type <= TRANSFORM_ADDKE7);
}

static bool transform_type_is_known(unsigned type)
{
	return type >= TRANSFORM_ENCR && type <= TRANSFORM_ADDKE7;
}

static bool transform_equal(const struct transform *a, const struct transform *b)
{
	return a->type == b->type && a->id == b->id && a->key_bits == b->key_bits;
}

/* Whether a proposal has a transform, or does without the type and the transform is NONE. */
static bool proposal_offers(const struct proposal *p, struct transform t)
{
	bool absent = true;

	for (size_t i = 0; i < p->count; i++) {
		if (p->transforms[i].type != t.type)
			continue;
		absent = false;
		if (transform_equal(&p->transforms[i], &t))
			return true;
	}
	return absent && !t.id && !t.key_bits;
}

/* The first of a's transforms of a type that b has too; not NONE if the caller needs one. */
static bool proposal_common(const struct proposal *a, const struct proposal *b, unsigned type,
			    bool need, struct transform *ret)
{
	bool absent = true;

	for (size_t i = 0; i < a->count; i++) {
		if (a->transforms[i].type != type)
			continue;
		absent = false;
		if (need && !a->transforms[i].id)
			continue;
		if (proposal_offers(b, a->transforms[i])) {
			*ret = a->transforms[i];
			return true;
		}
	}
	*ret = (struct transform){ (uint8_t)type, 0, 0 };
	return absent && !need && proposal_offers(b, *ret);
}

/* Integrity for a cipher already chosen: none with AEAD (RFC 5282, 8), a real one else. */
static bool proposal_common_integ(const struct proposal *a, const struct proposal *b, bool aead,
				  struct suite *s)
{
	struct transform t = { TRANSFORM_INTEG, INTEG_NONE, 0 };

	if (aead ? !proposal_offers(a, t) || !proposal_offers(b, t) :
		   !proposal_common(a, b, TRANSFORM_INTEG, true, &t))
		return false;
	s->integ = t.id;
	return true;
}

/* The first cipher of a's for which there is integrity, too. */
static bool proposal_common_cipher(const struct proposal *a, const struct proposal *b,
				   struct suite *s)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct transform *t = &a->transforms[i];

		if (t->type != TRANSFORM_ENCR || !t->id || !proposal_offers(b, *t) ||
		    !proposal_common_integ(a, b, encr_is_aead(t->id), s))
			continue;
		s->encr = t->id;
		s->encr_bits = t->key_bits;
		return true;
	}
	return false;
}

static bool proposal_common_ke(const struct proposal *a, const struct proposal *b, struct suite *s)
{
	bool need = s->protocol == PROTOCOL_IKE;
	struct transform t;

	for (unsigned i = 0; i < ARRAY_LEN(s->addke); i++) {
		if (!proposal_common(a, b, TRANSFORM_ADDKE1 + i, false, &t))
			return false;
		s->addke[i] = t.id;
		/* RFC 9370, 2.2.2: additional key exchanges follow a first one */
		need |= t.id != KE_NONE;
	}
	if (!proposal_common(a, b, TRANSFORM_KE, need, &t))
		return false;
	s->ke = t.id;
	return true;
}

static bool proposal_types_known(const struct proposal *p)
{
	for (size_t i = 0; i < p->count; i++) {
		/* RFC 7296, 3.3.6: an unknown type refuses the proposal */
		if (!transform_type_is_known(p->transforms[i].type))
			return false;
	}
	return true;
}

/* The suite of two proposals in a's order of preference. */
static bool proposal_match(const struct proposal *a, const struct proposal *b, unsigned flags,
			   struct suite *ret_suite)
{
	struct suite s = { .protocol = a->protocol };
	struct transform prf, esn, encr;

	if (a->protocol != b->protocol || !proposal_types_known(a) || !proposal_types_known(b))
		return false;
	if (!proposal_common(a, b, TRANSFORM_PRF, a->protocol == PROTOCOL_IKE, &prf) ||
	    !proposal_common(a, b, TRANSFORM_ESN, false, &esn))
		return false;
	s.prf = prf.id;
	s.esn = (uint8_t)esn.id;
	if (!(flags & PROPOSAL_SKIP_KE) && !proposal_common_ke(a, b, &s))
		return false;
	switch (s.protocol) {
	case PROTOCOL_IKE: /* RFC 7296, 3.3.2 MUST NOT: NONE of these */
		if (!proposal_common_cipher(a, b, &s) || !s.ke)
			return false;
		break;
	case PROTOCOL_ESP:
		if (!proposal_common_cipher(a, b, &s))
			return false;
		break;
	case PROTOCOL_AH:
		if (!proposal_common_integ(a, b, false, &s) ||
		    !proposal_common(a, b, TRANSFORM_ENCR, false, &encr) || encr.id)
			return false;
		break;
	default:
		return false;
	}
	*ret_suite = s;
	return true;
}

bool proposal_select(struct proposal_list ours, struct proposal_list theirs, unsigned flags,
		     struct suite *ret_suite, size_t *ret_index)
{
	bool peer = flags & PROPOSAL_PREFER_PEER;
	struct proposal_list first = peer ? theirs : ours, second = peer ? ours : theirs;

	for (size_t i = 0; i < first.count; i++) {
		for (size_t j = 0; j < second.count; j++) {
			if (!proposal_match(&first.p[i], &second.p[j], flags, ret_suite))
				continue;
			*ret_index = peer ? i : j;
			ret_suite->number = theirs.p[*ret_index].number;
			return true;
		}
	}
	return false;
}

bool proposal_accept(struct proposal_list offered, const struct proposal *answer, unsigned flags,
		     struct suite *ret_suite)
{
	struct proposal_list theirs = { 1, answer };
	size_t index;

	/* RFC 7296, 2.7 MUST: exactly one transform of each type */
	for (size_t i = 0; i < answer->count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (answer->transforms[i].type == answer->transforms[j].type)
				return false;
		}
	}
	return proposal_select(offered, theirs, flags & ~(unsigned)PROPOSAL_PREFER_PEER, ret_suite,
			       &index);
}

const struct transform *proposal_first_missing(struct proposal_list list, transform_have_fn *have,
					       void *have_arg)
{
	for (size_t i = 0; i < list.count; i++) {
		for (size_t j = 0; j < list.p[i].count; j++) {
			const struct transform *t = &list.p[i].transforms[j];

			if (t->type == TRANSFORM_ESN || (transform_type_is_ke(t->type) && !t->id))
				continue;
			if (!have(have_arg, t))
				return t;
		}
	}
	return NULL;
}

bool proposal_has(struct proposal_list list, enum transform_type type, unsigned id)
{
	for (size_t i = 0; i < list.count; i++) {
		for (size_t j = 0; j < list.p[i].count; j++) {
			if (list.p[i].transforms[j].type == type && list.p[i].transforms[j].id == id)
				return true;
		}
	}
	return false;
}

unsigned proposal_first(struct proposal_list list, enum transform_type type)
{
	for (size_t i = 0; i < list.count; i++) {
		for (size_t j = 0; j < list.p[i].count; j++) {
			if (list.p[i].transforms[j].type == type)
				return list.p[i].transforms[j].id;
		}
	}
	return 0;
}

struct proposal_list proposal_list_dup(struct arena *a, struct proposal_list list)
{
	struct proposal *p = arena_array(a, struct proposal, list.count);

	for (size_t i = 0; i < list.count; i++) {
		p[i] = list.p[i];
		p[i].transforms = arena_dup(a, list.p[i].transforms,
					    sizeof(struct transform) * list.p[i].count);
	}
	return (struct proposal_list){ list.count, p };
}

static bool proposal_equal(const struct proposal *a, const struct proposal *b)
{
	if (a->protocol != b->protocol || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!transform_equal(&a->transforms[i], &b->transforms[i]))
			return false;
	}
	return true;
}

struct proposal_list proposal_list_without_ke(struct arena *a, struct proposal_list list)
{
	struct proposal *p = arena_array(a, struct proposal, list.count);
	size_t count = 0;

	for (size_t i = 0; i < list.count; i++) {
		struct transform *t = arena_array(a, struct transform, list.p[i].count);
		struct proposal *q = &p[count];
		bool seen = false;

		*q = list.p[i];
		q->transforms = t;
		q->count = 0;
		for (size_t j = 0; j < list.p[i].count; j++) {
			if (!transform_type_is_ke(list.p[i].transforms[j].type))
				t[q->count++] = list.p[i].transforms[j];
		}
		for (size_t j = 0; j < count && !seen; j++)
			seen = proposal_equal(&p[j], q);
		if (!seen)
			count++;
	}
	return (struct proposal_list){ count, p };
}

struct proposal proposal_from_suite(struct arena *a, const struct suite *s)
{
	struct transform *t = arena_array(a, struct transform, 5 + ARRAY_LEN(s->addke));
	uint16_t n = 0;

	if (s->encr)
		t[n++] = (struct transform){ TRANSFORM_ENCR, s->encr, s->encr_bits };
	if (s->integ)
		t[n++] = (struct transform){ TRANSFORM_INTEG, s->integ, 0 };
	if (s->prf)
		t[n++] = (struct transform){ TRANSFORM_PRF, s->prf, 0 };
	if (s->ke)
		t[n++] = (struct transform){ TRANSFORM_KE, s->ke, 0 };
	for (unsigned i = 0; i < ARRAY_LEN(s->addke); i++) {
		if (s->addke[i])
			t[n++] = (struct transform){ (uint8_t)(TRANSFORM_ADDKE1 + i), s->addke[i], 0 };
	}
	if (s->protocol != PROTOCOL_IKE)
		t[n++] = (struct transform){ TRANSFORM_ESN, s->esn, 0 };
	/* RFC 7296, 3.3.1 MUST: the answer has the number of the accepted proposal */
	return (struct proposal){ .protocol = s->protocol, .number = s->number, .count = n, .transforms = t };
}

bool suite_equal(const struct suite *a, const struct suite *b)
{
	return a->protocol == b->protocol && a->esn == b->esn && a->encr == b->encr &&
	       a->encr_bits == b->encr_bits && a->integ == b->integ && a->prf == b->prf &&
	       a->ke == b->ke && !memcmp(a->addke, b->addke, sizeof(a->addke));
}

/* ---- text ---- */

static void transform_format(struct buf *out, const struct transform *t)
{
	switch (t->type) {
	case TRANSFORM_ENCR:
		buf_add_str(out, encr_name(t->id));
		break;
	case TRANSFORM_INTEG:
		buf_add_str(out, integ_name(t->id));
		break;
	case TRANSFORM_PRF:
		buf_add_str(out, prf_name(t->id));
		break;
	case TRANSFORM_KE:
		buf_add_str(out, ke_name(t->id));
		break;
	case TRANSFORM_ESN:
		if (t->id == ESN_NO || t->id == ESN_YES)
			buf_add_str(out, t->id == ESN_YES ? "EXT_SEQ" : "NO_EXT_SEQ");
		else
			buf_printf(out, "SEQ_(%u)", t->id);
		break;
	default:
		if (transform_type_is_ke(t->type))
			buf_printf(out, "KE%d_%s", t->type - TRANSFORM_ADDKE1 + 1, ke_name(t->id));
		else
			buf_printf(out, "(%u)_(%u)", t->type, t->id);
		break;
	}
	if (t->key_bits)
		buf_printf(out, "_%u", t->key_bits);
}

/* Integrity is printed in front of the PRF, additional key exchanges in front of ESN. */
static unsigned transform_type_rank(unsigned type)
{
	switch (type) {
	case TRANSFORM_ENCR:
		return 0;
	case TRANSFORM_INTEG:
		return 1;
	case TRANSFORM_PRF:
		return 2;
	case TRANSFORM_KE:
		return 3;
	case TRANSFORM_ESN:
		return 11;
	default:
		return transform_type_is_ke(type) ? 4 + type - TRANSFORM_ADDKE1 : 12;
	}
}

static void proposal_format_one(struct buf *out, const struct proposal *p)
{
	const char *between = ":";

	buf_add_str(out, protocol_name(p->protocol));
	for (unsigned rank = 0; rank <= 12; rank++) {
		for (size_t i = 0; i < p->count; i++) {
			if (transform_type_rank(p->transforms[i].type) != rank)
				continue;
			buf_add_str(out, between);
			transform_format(out, &p->transforms[i]);
			between = "/";
		}
	}
}

void proposal_format(struct buf *out, struct proposal_list list)
{
	for (size_t i = 0; i < list.count; i++) {
		if (i)
			buf_add_str(out, ", ");
		proposal_format_one(out, &list.p[i]);
	}
}

void suite_format(struct buf *out, const struct suite *s)
{
	struct arena a = { NULL, NULL };
	struct proposal p = proposal_from_suite(&a, s);

	proposal_format_one(out, &p);
	arena_free(&a);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/payloads.h"

/*
 * SA payload (RFC 7296, 3.3): proposals, their transforms, the transforms' attributes. All lengths
 * and counts must agree. The "last substructure" bytes are redundant: those of proposals must agree with the
 * length, as nothing else counts them; those of transforms are ignored, as the count says the same.
 */
#define PROPOSAL_LAST 0
#define PROPOSAL_MORE 2
#define ATTR_FORMAT_TV 0x8000
#define ATTR_KEY_LENGTH 14

/* A set of transform types. */
struct type_set {
	uint32_t bits[8];
};

static void type_set_add(struct type_set *s, uint8_t type)
{
	s->bits[type / 32] |= UINT32_C(1) << type % 32;
}

static bool type_set_within(const struct type_set *inner, const struct type_set *outer)
{
	for (size_t i = 0; i < 8; i++)
		if (inner->bits[i] & ~outer->bits[i])
			return false;
	return true;
}

/*
 * Reads the attributes up to the end. *usable becomes false for what we don't understand: RFC 7296, 3.3.6 MUST:
 * such a transform is unacceptable, the others are processed as usual.
 */
static struct result attributes_parse(struct reader *r, struct transform *t, bool *usable)
{
	size_t count = 0;

	while (reader_left(r)) {
		uint16_t type = reader_u16(r), value = reader_u16(r);

		if (++count > LIMIT_TRANSFORM_ATTRS)
			return result_fail(RESULT_LIMIT, "too many attributes in a transform");
		if (type == (ATTR_FORMAT_TV | ATTR_KEY_LENGTH) && value && !t->key_bits)
			t->key_bits = value;
		else
			*usable = false;
		if (!(type & ATTR_FORMAT_TV))
			reader_skip(r, value);
	}
	if (!reader_done(r))
		return result_fail(RESULT_INVALID, "attribute of a transform is cut off");
	return result_ok();
}

static struct result transform_parse(struct reader *r, struct transform *t, bool *usable)
{
	struct reader body;
	uint16_t length;

	reader_skip(r, 2);
	length = reader_u16(r);
	if (!reader_ok(r) || length < 8)
		return result_fail(RESULT_INVALID, "transform is too short");
	body = reader_sub(r, length - 4u);
	t->type = reader_u8(&body);
	reader_skip(&body, 1);
	t->id = reader_u16(&body);
	t->key_bits = 0;
	if (!reader_ok(&body))
		return result_fail(RESULT_INVALID, "transform is longer than its proposal");
	return attributes_parse(&body, t, usable);
}

/*
 * A proposal of which every transform of some type is unacceptable is left without transforms and so matches
 * nothing. Dropping these alone would make it a proposal that does without the type.
 */
static struct result transforms_parse(struct arena *a, struct reader *r, unsigned count, struct proposal *p)
{
	struct transform *list = arena_array(a, struct transform, count);
	struct type_set kept = { { 0 } }, dropped = { { 0 } };
	uint16_t n = 0;

	for (unsigned i = 0; i < count; i++) {
		bool usable = true;

		TRY(transform_parse(r, &list[n], &usable));
		type_set_add(usable ? &kept : &dropped, list[n].type);
		n += usable;
	}
	if (!reader_done(r))
		return result_fail(RESULT_INVALID, "length of a proposal does not fit its transforms");
	p->transforms = list;
	p->count = type_set_within(&dropped, &kept) ? n : 0;
	return result_ok();
}

static bool proposal_spi_len_ok(unsigned protocol, size_t n)
{
	if (protocol == PROTOCOL_IKE)
		return n == 0 || n == 8;
	if (protocol == PROTOCOL_AH || protocol == PROTOCOL_ESP)
		return n == 4;
	return n == 0 || n == 4 || n == 8;
}

static struct result proposal_body_parse(struct arena *a, struct reader *r, struct proposal *p)
{
	uint8_t count;
	struct bytes spi;

	p->number = reader_u8(r);
	p->protocol = reader_u8(r);
	p->spi_len = reader_u8(r);
	count = reader_u8(r);
	if (!reader_ok(r))
		return result_fail(RESULT_INVALID, "proposal is too short");
	if (p->number == 0)
		return result_fail(RESULT_INVALID, "proposal has the number 0");
	if (!proposal_spi_len_ok(p->protocol, p->spi_len))
		return result_fail(RESULT_INVALID, "SPI size of a proposal does not fit its protocol");
	spi = reader_bytes(r, p->spi_len);
	if (!reader_ok(r))
		return result_fail(RESULT_INVALID, "SPI of a proposal is cut off");
	if (spi.n)
		memcpy(p->spi, spi.p, spi.n);
	return transforms_parse(a, r, count, p);
}

/* Cuts the next proposal off the payload; gives what is in it behind the length. */
static struct result proposal_cut(struct reader *r, struct reader *ret_body)
{
	uint8_t last = reader_u8(r);
	uint16_t length;

	reader_skip(r, 1);
	length = reader_u16(r);
	if (!reader_ok(r) || length < 8)
		return result_fail(RESULT_INVALID, "proposal is too short");
	*ret_body = reader_sub(r, length - 4u);
	if (!reader_ok(r))
		return result_fail(RESULT_INVALID, "proposal is longer than its payload");
	if (last != (reader_left(r) ? PROPOSAL_MORE : PROPOSAL_LAST))
		return result_fail(RESULT_INVALID, "last proposal is not where the payload ends");
	return result_ok();
}

struct result sa_payload_parse(struct arena *a, struct reader *r, struct payload *p)
{
	struct reader counting = *r, body;
	struct proposal *list;
	size_t count = 0;

	while (reader_left(&counting)) {
		if (++count > LIMIT_PROPOSALS)
			return result_fail(RESULT_LIMIT, "too many proposals");
		TRY(proposal_cut(&counting, &body));
	}
	if (count == 0)
		return result_fail(RESULT_INVALID, "SA payload without proposals");
	list = arena_array(a, struct proposal, count);
	for (size_t i = 0; i < count; i++) {
		TRY(proposal_cut(r, &body));
		TRY(proposal_body_parse(a, &body, &list[i]));
	}
	p->sa = (struct proposal_list){ count, list };
	return result_ok();
}

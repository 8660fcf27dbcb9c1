/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: fragments of a peer that has the keys, in any order, of any number, total, size, message and content; some are changed on
 * the way, and time passes. A second, plain account of RFC 7383, 2.6, says what must come of each; what is held is bounded.
 */
#include <check.h>
#include <malloc.h>
#include <stdlib.h>

#include "fuzz.h"
#include "sa/fragment.h"
#include "testing/exchange/confs.h"
#include "testing/exchange/lab.h"

#define STEPS 400
#define HEAP_LIMIT (512u << 10) /* both directions at their limits */
#define IKE_FUZZ CONF_IKE "\n rekey_time = 0\n"

/* What is there of one message. */
struct account {
	bool on;
	uint32_t id;
	uint8_t exchange, first;
	uint16_t total, count;
	size_t bytes;
	uint64_t until;
	struct bytes part[LIMIT_FRAGMENTS + 1]; /* by number; p NULL: not there */
};

struct run {
	struct lab *lab;
	struct ike_sa *a, *b;
	struct account of[2]; /* requests, responses */
	size_t heap;
};

static uint8_t content[32768], packet[65535];

static void account_clear(struct account *s)
{
	*s = (struct account){ 0 };
}

/* What must become of a true fragment; the account follows. */
static enum fragment_verdict account_take(struct account *s, const struct ike_header *h, const struct payload_skf *f, uint8_t first,
					  struct bytes inner, uint64_t now)
{
	bool same = s->on && s->id == h->message_id && s->exchange == h->exchange;

	if (same && (f->total < s->total || (f->total == s->total && s->part[f->number].p)))
		return FRAGMENT_DROPPED;
	if (!same || f->total != s->total) {
		account_clear(s);
		*s = (struct account){ .on = true, .id = h->message_id, .exchange = h->exchange, .total = f->total,
				       .until = now + LIMIT_FRAGMENTS_MS };
	}
	if (f->total > LIMIT_FRAGMENTS || s->bytes + inner.n > LIMIT_MESSAGE) {
		account_clear(s);
		return FRAGMENT_TOO_MUCH;
	}
	s->part[f->number] = inner;
	s->bytes += inner.n;
	if (f->number == 1)
		s->first = first;
	return ++s->count == s->total ? FRAGMENT_WHOLE : FRAGMENT_KEPT;
}

static void account_compare(struct account *s, const struct fragment_whole *whole)
{
	size_t at = 0;

	ck_assert_uint_eq(whole->inner.n, s->bytes);
	ck_assert_uint_eq(whole->first, s->first);
	for (unsigned i = 1; i <= s->total; i++) {
		if (s->part[i].n)
			ck_assert_int_eq(memcmp(whole->inner.p + at, s->part[i].p, s->part[i].n), 0);
		at += s->part[i].n;
	}
	account_clear(s);
}

static void run_fragment(struct run *r, struct reader *in)
{
	uint8_t kind = reader_u8(in), sizes = reader_u8(in);
	bool response = kind & 1, forged = (kind & 0x70) == 0x70;
	struct payload_skf f = { 0, 0 };
	struct ike_header h = { .spi_i = r->a->spi_i, .spi_r = r->a->spi_r, .version = IKE_VERSION,
				.exchange = kind & 2 ? EXCHANGE_CREATE_CHILD_SA : EXCHANGE_INFORMATIONAL,
				.flags = (uint8_t)(IKE_FLAG_INITIATOR | (response ? IKE_FLAG_RESPONSE : 0)),
				.message_id = kind >> 2 & 1 };
	enum fragment_verdict v, want = FRAGMENT_DROPPED;
	struct fragment_whole whole;
	struct seal_place place;
	struct result why;
	struct bytes inner, msg;
	bool valid;

	/* mostly sets that can become complete */
	if (kind & 8) {
		f.number = reader_u16(in);
		f.total = reader_u16(in);
	} else {
		uint8_t both = reader_u8(in);

		f.number = both & 15;
		f.total = both >> 4;
	}
	inner = bytes_of(content + reader_u16(in) % 1024, sizes < 240 ? sizes : (sizes - 239u) * 1900);
	msg = seal_fragment(r->a, &h, &f, (uint8_t)(kind ^ sizes), inner, packet, sizeof(packet));
	ck_assert_uint_gt(msg.n, 0);
	if (forged)
		packet[reader_u16(in) % msg.n] ^= (uint8_t)(1u << (sizes & 7));
	valid = f.number && f.number <= f.total;
	if (!seal_find(msg, &place) || !place.fragment.total) {
		ck_assert(!valid || forged);
		return;
	}
	if (!forged)
		want = account_take(&r->of[response], &h, &f, (uint8_t)(kind ^ sizes), inner, r->lab->now);
	v = fragment_take(r->b, &h, &place, packet, msg.n, &whole, &why);
	/* a change of the header is not seen here: it was parsed before, so only of what it was parsed to */
	ck_assert_int_eq(v, want);
	if (v == FRAGMENT_WHOLE)
		account_compare(&r->of[response], &whole);
	arena_reset(&r->b->ctx->arena);
}

static void run_step(struct run *r, struct reader *in)
{
	uint8_t op = reader_u8(in);

	if (op < 240) {
		run_fragment(r, in);
	} else if (op < 248) {
		fragment_forget(r->b, op & 1);
		account_clear(&r->of[op & 1]);
	} else {
		r->lab->now += 100u * reader_u8(in);
		wheel_advance(r->lab->b.ctx.wheel, r->lab->now);
		/* responses go with their exchange, which is not here */
		if (r->of[0].on && r->of[0].until <= r->lab->now)
			account_clear(&r->of[0]);
	}
	ck_assert_int_eq(fragment_held(r->b, false), r->of[0].on);
	ck_assert_int_eq(fragment_held(r->b, true), r->of[1].on);
	ck_assert_uint_eq(fragment_deadline(r->b), r->of[0].on ? r->of[0].until : 0);
	ck_assert_uint_le(mallinfo2().uordblks, r->heap + HEAP_LIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run r;
	struct reader in = reader_of(bytes_of(data, size));

	if (!r.lab) {
		r.lab = lab_new(CONF_A_WITH(IKE_FUZZ, CHILD_A("one", "1", "")), CONF_B_WITH(IKE_FUZZ, CHILD_B("one", "1", "")));
		lab_initiate(&r.lab->a, NULL);
		lab_run(r.lab);
		r.a = lab_sa(&r.lab->a);
		r.b = lab_sa(&r.lab->b);
		ck_assert(r.a && r.b && r.b->state == IKE_STATE_ESTABLISHED);
		for (size_t i = 0; i < sizeof(content); i++)
			content[i] = (uint8_t)(i * 31 + i / 251);
	}
	r.heap = mallinfo2().uordblks;
	for (unsigned i = 0; i < STEPS && reader_left(&in); i++)
		run_step(&r, &in);
	fragment_forget(r.b, false);
	fragment_forget(r.b, true);
	ck_assert_ptr_null(r.b->fragments);
	account_clear(&r.of[0]);
	account_clear(&r.of[1]);
	return 0;
}

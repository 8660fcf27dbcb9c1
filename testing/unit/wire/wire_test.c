/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/mem.h"

const char *source_path(const char *name)
{
	static char path[4096];
	const char *top = getenv("srcdir");

	snprintf(path, sizeof(path), "%s/%s", top ? top : ".", name);
	return path;
}

struct bytes hex_bytes(struct buf *out, const char *hex)
{
	buf_reset(out);
	for (unsigned v; *hex; hex += 2) {
		while (*hex == ' ')
			hex++;
		if (!*hex)
			break;
		ck_assert_msg(sscanf(hex, "%2x", &v) == 1 && hex[1], "bad hex in a test");
		buf_add_u8(out, (uint8_t)v);
	}
	return buf_bytes(out);
}

uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

struct bytes rng_bytes(struct rng *r, struct arena *a, size_t n)
{
	uint8_t *p = arena_alloc(a, n);

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng_next(r);
	return bytes_of(p, n);
}

static void random_sa(struct rng *r, struct arena *a, struct builder *b)
{
	size_t n = 1 + rng_below(r, 4);
	struct proposal *list = arena_array(a, struct proposal, n);

	for (size_t i = 0; i < n; i++) {
		struct transform *t = arena_array(a, struct transform, 12);
		struct proposal *p = &list[i];

		p->protocol = (uint8_t)(1 + rng_below(r, 3));
		p->spi_len = p->protocol != PROTOCOL_IKE ? 4 : rng_below(r, 2) ? 8 : 0;
		memcpy(p->spi, rng_bytes(r, a, 8).p, p->spi_len);
		p->count = (uint16_t)rng_below(r, 13);
		for (unsigned j = 0; j < p->count; j++)
			t[j] = (struct transform){ (uint8_t)rng_below(r, 256), (uint16_t)rng_next(r),
						   (uint16_t)(rng_below(r, 3) ? 0 : rng_next(r)) };
		p->transforms = t;
	}
	builder_sa(b, (struct proposal_list){ n, list });
}

static void random_ts(struct rng *r, struct arena *a, struct builder *b)
{
	size_t n = rng_below(r, 5);
	struct ts *list = arena_array(a, struct ts, n);

	for (size_t i = 0; i < n; i++) {
		size_t len = rng_below(r, 2) ? 4 : 16;

		list[i].family = len == 4 ? AF_INET : AF_INET6;
		list[i].protocol = (uint8_t)rng_next(r);
		list[i].port_from = (uint16_t)rng_next(r);
		list[i].port_to = (uint16_t)rng_next(r);
		memcpy(list[i].from, rng_bytes(r, a, 16).p, len);
		memcpy(list[i].to, rng_bytes(r, a, 16).p, len);
	}
	builder_ts(b, rng_below(r, 2), (struct ts_list){ n, list });
}

static void random_cp(struct rng *r, struct arena *a, struct builder *b)
{
	size_t n = rng_below(r, 8);
	struct cp_attribute *attrs = arena_array(a, struct cp_attribute, n);

	for (size_t i = 0; i < n; i++) {
		attrs[i].type = rng_next(r) & 0x7fff;
		attrs[i].value = rng_bytes(r, a, rng_below(r, 20));
	}
	builder_cp(b, 1 + rng_below(r, 4), attrs, n);
}

static void random_delete(struct rng *r, struct builder *b)
{
	uint32_t spis[5], n = rng_below(r, 6);

	for (uint32_t i = 0; i < 5; i++)
		spis[i] = (uint32_t)rng_next(r);
	if (rng_below(r, 2))
		builder_delete(b, PROTOCOL_IKE, NULL, 0);
	else
		builder_delete(b, PROTOCOL_AH + rng_below(r, 2), spis, n);
}

static void random_id(struct rng *r, struct arena *a, struct builder *b)
{
	static const struct {
		uint8_t type;
		uint8_t len;
	} kinds[] = { { ID_TYPE_IPV4_ADDR, 4 }, { ID_TYPE_IPV6_ADDR, 16 }, { ID_TYPE_FQDN, 30 }, { 77, 3 } };
	uint32_t k = rng_below(r, ARRAY_LEN(kinds));

	builder_id(b, rng_below(r, 2), &(struct id){ kinds[k].type, rng_bytes(r, a, kinds[k].len) });
}

static void random_eap(struct rng *r, struct arena *a, struct builder *b)
{
	size_t n = 4 + rng_below(r, 40);
	struct bytes packet = rng_bytes(r, a, n);
	uint8_t *p = arena_dup(a, packet.p, n);

	p[2] = 0;
	p[3] = (uint8_t)n;
	builder_eap(b, bytes_of(p, n));
}

static void random_payload(struct rng *r, struct arena *a, struct builder *b)
{
	static const uint8_t spi_len[] = { 0, 4, 8 };

	switch (rng_below(r, 14)) {
	case 0:
		random_sa(r, a, b);
		break;
	case 1:
		builder_ke(b, rng_below(r, 65536), rng_bytes(r, a, 1 + rng_below(r, 300)));
		break;
	case 2:
		builder_nonce(b, rng_bytes(r, a, 16 + rng_below(r, 241)));
		break;
	case 3:
		random_id(r, a, b);
		break;
	case 4:
		builder_auth(b, rng_below(r, 256), rng_bytes(r, a, rng_below(r, 100)));
		break;
	case 5:
		builder_cert(b, rng_below(r, 2), rng_below(r, 256), rng_bytes(r, a, rng_below(r, 1500)));
		break;
	case 6:
		builder_notify(b, rng_below(r, 4), rng_bytes(r, a, spi_len[rng_below(r, 3)]),
			       rng_below(r, 65536), rng_bytes(r, a, rng_below(r, 30)));
		break;
	case 7:
		random_delete(r, b);
		break;
	case 8:
		builder_vendor(b, rng_bytes(r, a, rng_below(r, 40)));
		break;
	case 9:
	case 10:
		random_ts(r, a, b);
		break;
	case 11:
		random_cp(r, a, b);
		break;
	case 12:
		random_eap(r, a, b);
		break;
	default:
		builder_raw(b, 200 + rng_below(r, 50), false, rng_bytes(r, a, rng_below(r, 50)));
	}
}

struct bytes random_message(struct rng *r, struct arena *a)
{
	struct ike_header h = { .spi_i = rng_next(r), .spi_r = rng_next(r), .version = IKE_VERSION,
				.exchange = (uint8_t)(34 + rng_below(r, 11)), .flags = (uint8_t)rng_next(r),
				.message_id = (uint32_t)rng_next(r) };
	size_t cap = 40000;
	struct builder b = builder_of(arena_alloc(a, cap), cap);
	struct payload_skf skf = { (uint16_t)(1 + rng_below(r, 9)), (uint16_t)(9 + rng_below(r, 100)) };
	struct bytes message;

	builder_header(&b, &h);
	for (uint32_t n = rng_below(r, 12); n > 0; n--)
		random_payload(r, a, &b);
	if (rng_below(r, 3) == 0) {
		builder_sk_begin(&b, (uint8_t)rng_next(r), rng_below(r, 2) ? &skf : NULL);
		writer_bytes(&b.w, rng_bytes(r, a, rng_below(r, 200)));
		builder_sk_end(&b);
	}
	message = builder_finish(&b);
	ck_assert_uint_ge(message.n, IKE_HEADER_LEN);
	return message;
}

struct result message_parse(struct arena *a, struct bytes message, struct ike_header *ret_h,
			    struct payload_list *ret_list, struct wire_error *ret_err)
{
	struct ike_header h;

	*ret_err = (struct wire_error){ NULL, 0, 0, false };
	TRY(header_parse(message, &h));
	*ret_h = h;
	return payloads_parse(a, bytes_of(message.p + IKE_HEADER_LEN, message.n - IKE_HEADER_LEN), h.next,
			      ret_list, ret_err);
}

struct bytes message_rewrite(struct arena *a, const struct ike_header *h, const struct payload_list *list)
{
	size_t cap = IKE_HEADER_LEN;
	struct builder b;

	for (size_t i = 0; i < list->count; i++)
		cap += list->p[i].body.n + 8; /* what is written again is never longer */
	b = builder_of(arena_alloc(a, cap), cap);
	builder_header(&b, h);
	for (size_t i = 0; i < list->count; i++)
		builder_payload(&b, &list->p[i]);
	return builder_finish(&b);
}

struct bytes message_wrap(struct arena *a, unsigned exchange, unsigned flags, uint32_t id, unsigned first,
			  struct bytes payloads)
{
	struct ike_header h = { .spi_i = 1, .spi_r = 2, .version = IKE_VERSION, .exchange = (uint8_t)exchange,
				.flags = (uint8_t)flags, .message_id = id };
	struct builder b = builder_of(arena_alloc(a, LIMIT_MESSAGE), LIMIT_MESSAGE);

	builder_header(&b, &h);
	writer_patch(&b.w, 16, first, 1);
	writer_bytes(&b.w, payloads);
	return builder_finish(&b);
}

struct guard guard_new(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct guard g = { NULL, (LIMIT_MESSAGE / page + 1) * page };

	g.base = mmap(NULL, g.size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(g.base, MAP_FAILED);
	ck_assert_int_eq(mprotect(g.base + g.size, page, PROT_NONE), 0);
	return g;
}

void guard_free(struct guard *g)
{
	munmap(g->base, g->size + (size_t)sysconf(_SC_PAGESIZE));
}

uint8_t *guard_put(struct guard *g, struct bytes b)
{
	uint8_t *at = g->base + g->size - b.n;

	ck_assert_uint_le(b.n, g->size);
	if (b.n)
		memcpy(at, b.p, b.n);
	return at;
}

int main(void)
{
	Suite *s = suite_create("wire");
	SRunner *runner;
	int failed;

	suite_add_tcase(s, header_cases());
	suite_add_tcase(s, payloads_cases());
	suite_add_tcase(s, sa_payload_cases());
	suite_add_tcase(s, builder_cases());
	suite_add_tcase(s, rules_cases());
	suite_add_tcase(s, describe_cases());
	suite_add_tcase(s, mutation_cases());
	suite_add_tcase(s, captures_cases());
	suite_add_tcase(s, corpus_cases());
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

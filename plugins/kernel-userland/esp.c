/* SPDX-License-Identifier: Apache-2.0 */
#include "esp.h"

#include <netinet/in.h>
#include <stdlib.h>

#define UDP_HEADER_LEN 8
#define ESP_TRAILER_LEN 2 /* pad length, next header */
#define ECN_MASK 3
#define ECN_CE 3

/* A power of two. */
static uint8_t esp_align(const struct protect *p)
{
	return p->cipher->block > 4 ? p->cipher->block : 4; /* RFC 4303, 2.4 */
}

void esp_out_init(struct esp_out *o, const struct kernel_child *child)
{
	o->crypt = esp_crypt_new(&child->protect, child->out.encr_key.p, child->out.integ_key.p);
	o->spi = child->out.spi;
	o->iv_len = child->protect.cipher->iv_len;
	o->icv_len = (uint8_t)protect_icv_len(&child->protect);
	o->align = esp_align(&child->protect);
	o->esn = child->suite.esn == ESN_YES;
	o->seq = child->out.seq;
	o->seq_max = o->esn ? UINT64_MAX : UINT32_MAX;
	o->copy_df = child->copy_df;
	o->copy_ecn = child->copy_ecn;
	o->tfc = child->tfc;
	o->life.limit = child->life;
}

void esp_in_init(struct esp_in *in, const struct kernel_child *child)
{
	in->crypt = esp_crypt_new(&child->protect, child->in.encr_key.p, child->in.integ_key.p);
	in->spi = child->in.spi;
	in->iv_len = child->protect.cipher->iv_len;
	in->icv_len = (uint8_t)protect_icv_len(&child->protect);
	in->align = esp_align(&child->protect);
	in->esn = child->suite.esn == ESN_YES;
	in->copy_ecn = child->copy_ecn;
	in->life.limit = child->life;
	in->replay = replay_new(child->replay_window, child->in.seq);
}

void esp_out_clear(struct esp_out *o)
{
	esp_crypt_free(o->crypt);
	o->crypt = NULL;
}

void esp_in_clear(struct esp_in *in)
{
	esp_crypt_free(in->crypt);
	free(in->replay);
	in->crypt = NULL;
	in->replay = NULL;
}

struct esp_room esp_out_room(const struct esp_out *o)
{
	return (struct esp_room){ (uint8_t)(ESP_HEADER_LEN + o->iv_len), o->align, o->icv_len };
}

void esp_out_advance(struct esp_out *o, uint64_t delta)
{
	uint64_t left = o->seq_max - o->seq;

	o->seq += delta < left ? delta : left;
}

/* One writer per direction: no locked instruction is needed. */
static uint64_t usage_add(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t v = atomic_load_explicit(counter, memory_order_relaxed) + n;

	atomic_store_explicit(counter, v, memory_order_relaxed);
	return v;
}

static bool limit_reached(uint64_t limit, uint64_t value)
{
	return limit && value >= limit;
}

/* seq_worn: so much of the sequence numbers is gone that it is time for new keys. */
static enum esp_limit life_use(struct esp_life *life, struct esp_usage *usage, size_t n, uint64_t now_ms, bool seq_worn)
{
	uint64_t bytes = usage_add(&usage->bytes, n), packets = usage_add(&usage->packets, 1);
	const struct kernel_life *l = &life->limit;

	atomic_store_explicit(&usage->last_use_ms, now_ms, memory_order_relaxed);
	if (!life->hard_told && (limit_reached(l->hard_bytes, bytes) || limit_reached(l->hard_packets, packets))) {
		life->hard_told = life->soft_told = true;
		return ESP_LIMIT_HARD;
	}
	if (!life->soft_told &&
	    (seq_worn || limit_reached(l->soft_bytes, bytes) || limit_reached(l->soft_packets, packets))) {
		life->soft_told = true;
		return ESP_LIMIT_SOFT;
	}
	return ESP_LIMIT_NONE;
}

static void esp_put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* RFC 4303, 2.4 to 2.6: padding 1, 2, 3, ..., its length, next header. Returns the padded length. */
static size_t esp_put_trailer(uint8_t *inner, size_t n, unsigned align)
{
	size_t pad = -(n + ESP_TRAILER_LEN) & (align - 1);
	uint8_t next = inner[0] >> 4 == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;

	for (size_t i = 0; i < pad; i++)
		inner[n + i] = (uint8_t)(i + 1);
	inner[n + pad] = (uint8_t)pad;
	inner[n + pad + 1] = next;
	return n + pad + ESP_TRAILER_LEN;
}

enum drop esp_encap(struct esp_out *o, uint8_t *inner, size_t n, uint64_t now_ms, struct bytes *ret_packet,
		    enum esp_limit *ret_limit)
{
	uint8_t *packet = inner - o->iv_len - ESP_HEADER_LEN;
	size_t padded;

	*ret_limit = ESP_LIMIT_NONE;
	if (o->seq >= o->seq_max) {
		/* RFC 4303 3.3.3 MUST: the number must not cycle */
		*ret_limit = o->life.hard_told ? ESP_LIMIT_NONE : ESP_LIMIT_HARD;
		o->life.hard_told = true;
		return DROP_SEQUENCE;
	}
	if (o->life.hard_told)
		return DROP_EXPIRED_OUT;
	o->seq++;
	padded = esp_put_trailer(inner, n, o->align);
	esp_put32(packet, o->spi);
	esp_put32(packet + 4, (uint32_t)o->seq);
	if (!esp_crypt_seal(o->crypt, packet, padded, o->esn ? (uint32_t)(o->seq >> 32) : 0, o->esn))
		return DROP_CRYPTO;
	*ret_packet = bytes_of(packet, ESP_HEADER_LEN + o->iv_len + padded + o->icv_len);
	*ret_limit = life_use(&o->life, &o->usage, n, now_ms, o->seq >= o->seq_max - o->seq_max / 8);
	return DROP_NONE;
}

static uint32_t esp_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Length without padding and trailer, or false. */
static bool esp_check_trailer(const uint8_t *data, size_t n, size_t *ret_n)
{
	size_t pad = data[n - 2];

	if (pad + ESP_TRAILER_LEN > n)
		return false;
	/* RFC 4303 2.4 SHOULD: inspect the padding */
	for (size_t i = 0; i < pad; i++)
		if (data[n - ESP_TRAILER_LEN - pad + i] != (uint8_t)(i + 1))
			return false;
	*ret_n = n - ESP_TRAILER_LEN - pad;
	return true;
}

enum drop esp_decap(struct esp_in *in, uint8_t *packet, size_t n, struct bytes *ret_inner, uint8_t *ret_next)
{
	size_t head = ESP_HEADER_LEN + (size_t)in->iv_len, cipher_len, inner_len;
	uint8_t *data = packet + head;
	uint64_t seq;

	if (in->life.hard_told)
		return DROP_EXPIRED_IN;
	if (n < head + in->align + in->icv_len)
		return DROP_MALFORMED;
	cipher_len = n - head - in->icv_len;
	if (cipher_len % in->align)
		return DROP_MALFORMED;
	if (!replay_check(in->replay, esp_get32(packet + 4), in->esn, &seq))
		return DROP_REPLAY;
	if (!esp_crypt_open(in->crypt, packet, cipher_len, in->esn ? (uint32_t)(seq >> 32) : 0, in->esn))
		return DROP_AUTH;
	/* RFC 4303 3.4.3 MUST: the window moves only after the integrity check */
	replay_accept(in->replay, seq);
	if (!esp_check_trailer(data, cipher_len, &inner_len))
		return DROP_MALFORMED;
	*ret_next = data[cipher_len - 1];
	*ret_inner = bytes_of(data, inner_len);
	return *ret_next == ESP_NEXT_DUMMY ? DROP_DUMMY : DROP_NONE; /* RFC 4303 2.6 MUST: discard dummy packets */
}

enum esp_limit esp_in_count(struct esp_in *in, size_t n, uint64_t now_ms)
{
	return life_use(&in->life, &in->usage, n, now_ms, false);
}

size_t esp_inner_max(const struct esp_out *o, uint8_t outer_family, size_t mtu)
{
	size_t outer = (outer_family == AF_INET ? 20u : 40u) + UDP_HEADER_LEN + ESP_HEADER_LEN + o->iv_len + o->icv_len;
	size_t room = mtu > outer ? mtu - outer : 0;

	room -= room % o->align;
	return room > ESP_TRAILER_LEN ? room - ESP_TRAILER_LEN : 0;
}

uint8_t esp_outer_tos(const struct esp_out *o, uint8_t inner_tos)
{
	return o->copy_ecn ? inner_tos : (uint8_t)(inner_tos & ~ECN_MASK);
}

/* RFC 1624: checksum of an IPv4 header whose first 16 bits changed. */
static void ipv4_checksum_adjust(uint8_t *header, uint16_t before, uint16_t after)
{
	uint32_t sum = (uint16_t)~(header[10] << 8 | header[11]);

	sum += (uint16_t)~before + (uint32_t)after;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum;
	header[10] = (uint8_t)(sum >> 8);
	header[11] = (uint8_t)sum;
}

bool esp_inner_ecn(uint8_t *inner, uint8_t family, uint8_t outer_tos)
{
	uint16_t before = (uint16_t)(inner[0] << 8 | inner[1]);
	uint8_t shift = family == AF_INET ? 0 : 4;
	uint8_t ecn = before >> shift & ECN_MASK, outer = outer_tos & ECN_MASK, result = ecn;

	if (outer == ECN_CE && ecn == 0)
		return false;
	if (outer == ECN_CE || (outer == 1 && ecn == 2))
		result = outer;
	if (result == ecn)
		return true;
	inner[1] = (uint8_t)((inner[1] & ~(ECN_MASK << shift)) | result << shift);
	if (family == AF_INET)
		ipv4_checksum_adjust(inner, before, (uint16_t)(inner[0] << 8 | inner[1]));
	return true;
}

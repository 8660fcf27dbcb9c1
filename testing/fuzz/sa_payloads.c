/* SPDX-License-Identifier: Apache-2.0 */
#include "sa_program.h"

#include "util/mem.h"

static struct bytes program_fill(struct program *in, struct arena *a, size_t n)
{
	uint8_t *p = arena_alloc(a, n ? n : 1), seed = program_u8(in);

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(seed + i * (seed | 1));
	return bytes_of(p, n);
}

/* Bytes of the program itself. */
static struct bytes program_take(struct program *in, struct arena *a)
{
	size_t n = program_pick(in, 40);

	if (n > in->n)
		n = in->n;
	in->p += n;
	in->n -= n;
	return bytes_of(arena_dup(a, n ? in->p - n : (const uint8_t *)"", n), n);
}

static const struct child_sa *pick_child(struct program *in, const struct ike_sa *sa)
{
	const struct child_sa *c = sa ? sa->children : NULL;

	for (unsigned n = program_pick(in, 4); n && c && c->next; n--)
		c = c->next;
	return c;
}

/* The peer names its own inbound SPIs: our outbound ones. Others are mistakes. */
static uint32_t pick_spi(struct program *in, const struct ike_sa *sa)
{
	const struct child_sa *c = pick_child(in, sa);

	switch (program_pick(in, 8)) {
	case 0:
		return c ? c->spi_in : 1;
	case 1:
		return 0x0c000000u | program_u8(in);
	case 2:
		return program_pick(in, 2) ? UINT32_MAX : 0;
	default:
		return c ? c->spi_out : 0x0c000001;
	}
}

static void put_spi(uint8_t *out, uint64_t spi, unsigned n)
{
	for (unsigned i = n; i-- > 0; spi >>= 8)
		out[i] = (uint8_t)spi;
}

static void payload_sa(struct program *in, struct arena *a, const struct ike_sa *sa, struct builder *b, bool ike)
{
	static const struct transform ike_all[] = {
		{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 128 }, { TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0 },
		{ TRANSFORM_KE, KE_CURVE_25519, 0 }, { TRANSFORM_KE, KE_ECP_256, 0 },
	};
	static const struct transform esp_all[] = {
		{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 128 }, { TRANSFORM_ESN, 0, 0 },
		{ TRANSFORM_KE, KE_CURVE_25519, 0 }, { TRANSFORM_ESN, 1, 0 }, { TRANSFORM_KE, 0, 0 },
	};
	unsigned variant = program_u8(in);
	struct proposal p = { .protocol = ike ? PROTOCOL_IKE : PROTOCOL_ESP, .number = 1 };

	if (ike) {
		p.transforms = ike_all;
		p.count = (uint16_t)(variant & 1 ? program_pick(in, ARRAY_LEN(ike_all) + 1) : 3);
		p.spi_len = variant & 2 ? 0 : 8;
		put_spi(p.spi, variant & 4 ? 0 : 0x00f0000000000000 | program_u8(in), 8);
	} else {
		p.transforms = esp_all;
		p.count = (uint16_t)(variant & 1 ? program_pick(in, ARRAY_LEN(esp_all) + 1) : variant & 8 ? 3 : 2);
		p.spi_len = variant & 2 ? 0 : 4;
		put_spi(p.spi, variant & 4 ? pick_spi(in, sa) : 0x0d000000u | program_u8(in), 4);
	}
	if (variant & 16)
		p.protocol = program_u8(in);
	if (variant & 32)
		p.number = program_u8(in);
	if (variant & 64) {
		struct proposal *two = arena_array(a, struct proposal, 2);

		two[0] = two[1] = p;
		two[1].number++;
		builder_sa(b, (struct proposal_list){ 2, two });
		return;
	}
	builder_sa(b, (struct proposal_list){ 1, &p });
}

static void payload_ke(struct program *in, struct arena *a, struct builder *b)
{
	static const uint16_t methods[] = { KE_CURVE_25519, KE_ECP_256, 0, 14, 999 };
	unsigned variant = program_u8(in);

	builder_ke(b, variant & 1 ? methods[program_pick(in, ARRAY_LEN(methods))] : KE_CURVE_25519,
		   program_fill(in, a, variant & 2 ? program_u16(in) % 600 : 32));
}

static void payload_ts(struct program *in, struct arena *a, const struct ike_sa *sa, struct builder *b, bool initiator)
{
	const struct child_sa *c = pick_child(in, sa);
	unsigned variant = program_u8(in);
	struct ts *ts = arena_array(a, struct ts, 3);
	struct ts_list list = { 1, ts };
	/* as if the peer asks: its own side first */
	bool remote = initiator ^ (variant & 1);

	for (size_t i = 0; i < 3; i++) {
		uint8_t net = (uint8_t)(1 + program_pick(in, 4));

		ts[i] = (struct ts){ .family = AF_INET, .port_to = UINT16_MAX };
		memcpy(ts[i].from, (uint8_t[]){ 10, net, remote == (sa && sa->initiator) ? 2 : 1, 0 }, 4);
		memcpy(ts[i].to, ts[i].from, 4);
		ts[i].to[3] = 255;
		if (!(variant & 64))
			break;
		list.count = i + 1;
	}
	if (variant & 2 && c)
		list = remote ? child_sa_remote_ts(c) : child_sa_local_ts(c);
	if (variant & 4)
		ts[0] = ts_any(variant & 8 ? AF_INET6 : AF_INET);
	if (variant & 16)
		ts[0].protocol = program_u8(in);
	if (variant & 32)
		ts[0].port_from = program_u16(in), ts[0].port_to = program_u16(in);
	builder_ts(b, initiator, list);
}

static const uint16_t notifies[] = {
#define TYPE(SYMBOL, ...) SYMBOL,
	IANA_NOTIFY_LIST(TYPE)
#undef TYPE
};

/* What a type has as its data when it is sound. */
static struct bytes notify_data(struct program *in, struct arena *a, const struct ike_sa *sa, unsigned type)
{
	static const uint8_t zero_counter[8] = { 0 };

	switch (type) {
	case NOTIFY_INVALID_KE_PAYLOAD:
		return bytes_of(program_pick(in, 2) ? "\0\023" : "\0\037", 2);
	case NOTIFY_COOKIE:
		return program_fill(in, a, 1 + program_pick(in, 80));
	case NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD:
		return program_fill(in, a, 1);
	case NOTIFY_AUTH_LIFETIME:
	case NOTIFY_SET_WINDOW_SIZE: {
		uint8_t *n = arena_dup(a, zero_counter, 4);

		n[2] = program_u8(in);
		n[3] = program_u8(in);
		return bytes_of(n, 4);
	}
	case NOTIFY_IKEV2_MESSAGE_ID_SYNC: {
		/* RFC 6311, 5.2: nonce, id to be expected, id to be sent */
		uint8_t *n = arena_alloc(a, 12);

		memset(n, program_u8(in), 4);
		put_spi(n + 4, (sa ? sa->in.next : 0) + program_pick(in, 4), 4);
		put_spi(n + 8, (sa ? sa->out.next : 0) + program_pick(in, 4), 4);
		return bytes_of(n, 12);
	}
	case NOTIFY_IPSEC_REPLAY_COUNTER_SYNC:
		return program_fill(in, a, program_pick(in, 2) ? 4 : 8);
	case NOTIFY_NAT_DETECTION_SOURCE_IP:
	case NOTIFY_NAT_DETECTION_DESTINATION_IP:
		return program_fill(in, a, 20);
	case NOTIFY_QUICK_CRASH_DETECTION:
		return program_fill(in, a, 16 + program_pick(in, 32));
	case NOTIFY_SIGNATURE_HASH_ALGORITHMS:
		return bytes_of("\0\002\0\003", 4);
	default:
		return BYTES_NONE;
	}
}

static void payload_notify_any(struct program *in, struct arena *a, const struct ike_sa *sa, struct builder *b)
{
	unsigned variant = program_u8(in);
	unsigned type = notifies[program_pick(in, ARRAY_LEN(notifies))];
	uint8_t spi[8];
	uint8_t n_spi = 0;

	if (variant & 1)
		type = program_u16(in);
	if (type == NOTIFY_REKEY_SA || type == NOTIFY_CHILD_SA_NOT_FOUND || type == NOTIFY_INVALID_SPI || variant & 2) {
		n_spi = variant & 4 ? (uint8_t)program_pick(in, 9) : 4;
		memset(spi, 0, sizeof(spi));
		put_spi(spi, pick_spi(in, sa), n_spi < 4 ? n_spi : 4);
	}
	builder_notify(b, variant & 8 ? program_pick(in, 5) : n_spi ? PROTOCOL_ESP : PROTOCOL_NONE, bytes_of(spi, n_spi), type,
		       variant & 16 ? program_take(in, a) : notify_data(in, a, sa, type));
}

/* REKEY_SA is rare among all types, and the door to much. */
static void payload_rekey_sa(struct program *in, const struct ike_sa *sa, struct builder *b)
{
	uint8_t spi[4];

	put_spi(spi, pick_spi(in, sa), 4);
	builder_notify(b, PROTOCOL_ESP, bytes_of(spi, 4), NOTIFY_REKEY_SA, BYTES_NONE);
}

static void payload_delete_any(struct program *in, struct arena *a, const struct ike_sa *sa, struct builder *b)
{
	unsigned variant = program_u8(in), n = variant & 1 ? program_pick(in, 64) : 1 + program_pick(in, 3);
	uint32_t *spis = arena_array(a, uint32_t, n + 1);

	if (variant % 5 == 4) {
		builder_delete(b, PROTOCOL_IKE, NULL, 0);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		spis[i] = pick_spi(in, sa);
	builder_delete(b, variant & 32 ? PROTOCOL_AH : PROTOCOL_ESP, spis, n);
}

static void recipe_create(struct arena *a, struct program *in, const struct ike_sa *sa, struct builder *b)
{
	struct program zero = { 0 };
	uint8_t which = (uint8_t)program_pick(in, 4), variant = (uint8_t)(8 * program_pick(in, 2)), net[] = { 0, 0, which };
	struct program sa_variant = { &variant, 1, 0 }, nets = { net, sizeof(net), 0 };

	payload_sa(&sa_variant, a, sa, b, false);
	builder_nonce(b, program_fill(in, a, 32));
	if (variant)
		payload_ke(&zero, a, b);
	payload_ts(&nets, a, sa, b, true);
	nets = (struct program){ net, sizeof(net), 0 };
	payload_ts(&nets, a, sa, b, false);
}

unsigned forge_recipe(struct program *in, struct arena *a, const struct ike_sa *sa, struct builder *b)
{
	struct program zero = { 0 };

	switch (program_pick(in, 12)) {
	case 0:
		return EXCHANGE_INFORMATIONAL;
	case 1:
	case 2:
		payload_rekey_sa(in, sa, b);
		recipe_create(a, in, sa, b);
		return EXCHANGE_CREATE_CHILD_SA;
	case 3:
	case 4:
		recipe_create(a, in, sa, b);
		return EXCHANGE_CREATE_CHILD_SA;
	case 5:
	case 6:
		payload_sa(&zero, a, sa, b, true);
		builder_nonce(b, program_fill(in, a, 32));
		payload_ke(&zero, a, b);
		return EXCHANGE_CREATE_CHILD_SA;
	case 7:
	case 8:
		payload_delete_any(in, a, sa, b);
		return EXCHANGE_INFORMATIONAL;
	case 9:
		builder_delete(b, PROTOCOL_IKE, NULL, 0);
		return EXCHANGE_INFORMATIONAL;
	default:
		payload_notify_any(in, a, sa, b);
		return program_pick(in, 2) ? EXCHANGE_CREATE_CHILD_SA : EXCHANGE_INFORMATIONAL;
	}
}

static void payload_id(struct program *in, struct builder *b, bool initiator)
{
	static const struct { uint8_t type; const char *text; } ids[] = {
		{ ID_TYPE_FQDN, "a.test" }, { ID_TYPE_FQDN, "b.test" }, { ID_TYPE_KEY_ID, "x" }, { ID_TYPE_NULL, "" },
		{ ID_TYPE_DER_ASN1_DN, "0" }, { ID_TYPE_IPV4_ADDR, "\300" },
	};
	unsigned i = program_pick(in, ARRAY_LEN(ids));
	struct id id = { ids[i].type, bytes_str(ids[i].text) };

	builder_id(b, initiator, &id);
}

static void payload_rare(struct program *in, struct arena *a, struct builder *b)
{
	static const struct cp_attribute attrs[] = { { CP_ATTR_INTERNAL_IP4_ADDRESS, { NULL, 0 } } };

	switch (program_pick(in, 8)) {
	case 0:
		payload_id(in, b, true);
		break;
	case 1:
		payload_id(in, b, false);
		break;
	case 2:
		builder_auth(b, program_pick(in, 2) ? program_u8(in) : AUTH_METHOD_SHARED_KEY, program_fill(in, a, 32));
		break;
	case 3:
		builder_cert(b, program_pick(in, 2), CERT_X509_SIGNATURE, program_fill(in, a, 20));
		break;
	case 4:
		builder_cp(b, 1 + program_pick(in, 4), attrs, 1);
		break;
	case 5:
		builder_eap(b, bytes_of("\001\001\0\005\001", 5));
		break;
	case 6:
		builder_vendor(b, program_take(in, a));
		break;
	default:
		builder_raw(b, PAYLOAD_SK + program_pick(in, 2) * (PAYLOAD_SKF - PAYLOAD_SK), false, program_take(in, a));
		break;
	}
}

void forge_payload(struct program *in, struct arena *a, const struct ike_sa *sa, struct builder *b)
{
	switch (program_pick(in, 16)) {
	case 0:
		payload_sa(in, a, sa, b, true);
		break;
	case 1:
	case 2:
		payload_sa(in, a, sa, b, false);
		break;
	case 3:
		payload_ke(in, a, b);
		break;
	case 4:
	case 5:
		builder_nonce(b, program_fill(in, a, program_pick(in, 8) ? 32 : program_u16(in) % 300));
		break;
	case 6:
		payload_ts(in, a, sa, b, true);
		break;
	case 7:
		payload_ts(in, a, sa, b, false);
		break;
	case 8:
	case 9:
		payload_notify_any(in, a, sa, b);
		break;
	case 10:
		payload_rekey_sa(in, sa, b);
		break;
	case 11:
	case 12:
		payload_delete_any(in, a, sa, b);
		break;
	case 13:
		builder_raw(b, 49 + program_pick(in, 200), program_pick(in, 2), program_take(in, a));
		break;
	case 14:
		builder_raw(b, PAYLOAD_SA + program_pick(in, 20), program_pick(in, 2), program_take(in, a));
		break;
	default:
		payload_rare(in, a, b);
		break;
	}
}

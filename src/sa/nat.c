/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/nat.h"

#define NAT_HASH_LEN 20

/* SHA-1(SPIs | IP | port) */
static bool nat_hash(struct ike_sa *sa, uint64_t spi_i, uint64_t spi_r, const struct addr *a, uint8_t *out)
{
	uint8_t data[16 + 16 + 2];
	struct writer w = writer_of(data, sizeof(data));
	struct bytes part;

	writer_u64(&w, spi_i);
	writer_u64(&w, spi_r);
	writer_bytes(&w, bytes_of(a->ip, addr_len(a)));
	writer_u16(&w, a->port);
	part = writer_done(&w);
	return result_is_ok(crypto_hash(sa->ctx->crypto, HASH_SHA1, &part, 1, out));
}

bool nat_forced(const struct ike_sa *sa)
{
	return sa->ctx->kernel_ops->force_encap || (sa->conn && sa->conn->encap);
}

void nat_build(struct ike_sa *sa, struct builder *b, const struct addr *local, const struct addr *remote, bool fake)
{
	uint8_t source[NAT_HASH_LEN], dest[NAT_HASH_LEN];

	if (!nat_hash(sa, sa->spi_i, sa->spi_r, local, source) || !nat_hash(sa, sa->spi_i, sa->spi_r, remote, dest))
		return;
	/* wrong, but not random: a request that is repeated with a cookie must be the same otherwise (RFC 7296, 2.6) */
	for (unsigned i = 0; fake && i < sizeof(source); i++)
		source[i] = (uint8_t)~source[i];
	builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_NAT_DETECTION_SOURCE_IP, bytes_of(source, sizeof(source)));
	builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_NAT_DETECTION_DESTINATION_IP, bytes_of(dest, sizeof(dest)));
}

void nat_detect(struct ike_sa *sa, const struct payload_list *in, uint64_t spi_i, uint64_t spi_r,
		const struct addr *local, const struct addr *remote)
{
	uint8_t source[NAT_HASH_LEN], dest[NAT_HASH_LEN];
	bool any_source = false, source_ok = false, any_dest = false, dest_ok = false;

	if (!nat_hash(sa, spi_i, spi_r, remote, source) || !nat_hash(sa, spi_i, spi_r, local, dest))
		return;
	for (size_t i = 0; i < in->count; i++) {
		const struct payload *p = &in->p[i];

		if (p->type != PAYLOAD_NOTIFY)
			continue;
		if (p->notify.type == NOTIFY_NAT_DETECTION_SOURCE_IP) {
			any_source = true;
			source_ok |= bytes_equal(p->notify.data, bytes_of(source, sizeof(source)));
		} else if (p->notify.type == NOTIFY_NAT_DETECTION_DESTINATION_IP) {
			any_dest = true;
			dest_ok |= bytes_equal(p->notify.data, bytes_of(dest, sizeof(dest)));
		}
	}
	sa->nat_remote = any_source && !source_ok;
	sa->nat_local = any_dest && !dest_ok;
	if (sa->nat_local)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "local host is behind NAT");
	if (sa->nat_remote)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "remote host is behind NAT");
}

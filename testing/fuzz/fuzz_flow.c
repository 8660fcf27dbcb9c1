/* SPDX-License-Identifier: Apache-2.0 */
/* Inner packets: what a peer may put into a tunnel, and what a host may send into one. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "esp.h"
#include "flow.h"
#include "icmp.h"
#include "util/mem.h"

static void require(int holds)
{
	if (!holds)
		abort();
}

/* The answer is a whole packet of its own, in the room it was given. */
static void check_answer(const struct flow *f, const uint8_t *data, size_t size)
{
	uint8_t *buffer = xmalloc(PACKET_HEADROOM + size);
	struct flow answer;
	struct bytes b;

	memcpy(buffer + PACKET_HEADROOM, data, size);
	b = icmp_too_big(buffer + PACKET_HEADROOM, f, 1280);
	if (b.n) {
		require(b.p >= buffer && b.p + b.n <= buffer + PACKET_HEADROOM + size);
		require(flow_parse(b, &answer) && answer.len == b.n && answer.family == f->family);
		/* an answer is never answered */
		require(icmp_too_big((uint8_t *)b.p, &answer, 1280).n == 0);
	}
	free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flow f, again;
	uint8_t *copy;

	if (!flow_parse(bytes_of(data, size), &f))
		return 0;
	require(f.len <= size && f.len >= 20 && (f.family == AF_INET || f.family == AF_INET6));
	require(!(f.first && f.later) && !(f.later && f.has_ports));
	/* TFC padding plays no part */
	require(flow_parse(bytes_of(data, f.len), &again) && memcmp(&f, &again, sizeof(f)) == 0);
	require(!flow_parse(bytes_of(data, f.len - 1), &again));
	check_answer(&f, data, f.len);
	copy = xmemdup(data, size);
	require(!esp_inner_ecn(copy, f.family, 3) == !(f.tos & 3));
	free(copy);
	return 0;
}

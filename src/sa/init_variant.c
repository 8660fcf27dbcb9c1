/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/init_variant.h"

#define NOTIFY_HEAD 8 /* bytes of a Notify payload before its data, without SPI */

bool init_variant(struct ike_sa *sa, unsigned n, struct buf *out)
{
	struct bytes request = buf_bytes(&sa->setup->init_request);
	uint8_t cookie[LIMIT_COOKIE], head[NOTIFY_HEAD] = { 0 };
	size_t len = sa->ctx->ops->cookie ? sa->ctx->ops->cookie(sa->ctx->host, sa, n, cookie) : 0;
	uint32_t total = (uint32_t)(request.n + NOTIFY_HEAD + len);
	uint8_t *h;

	/* one with a cookie already is the last that the peer sent */
	if (!len || request.n <= IKE_HEADER_LEN ||
	    (request.p[16] == PAYLOAD_NOTIFY && request.n > IKE_HEADER_LEN + NOTIFY_HEAD &&
	     (request.p[IKE_HEADER_LEN + 6] << 8 | request.p[IKE_HEADER_LEN + 7]) == NOTIFY_COOKIE))
		return false;
	head[0] = request.p[16];
	head[3] = (uint8_t)(NOTIFY_HEAD + len);
	head[6] = NOTIFY_COOKIE >> 8;
	head[7] = NOTIFY_COOKIE & 255;
	buf_reset(out);
	buf_add(out, request.p, IKE_HEADER_LEN);
	buf_add(out, head, sizeof(head));
	buf_add(out, cookie, len);
	buf_add(out, request.p + IKE_HEADER_LEN, request.n - IKE_HEADER_LEN);
	h = out->p;
	h[16] = PAYLOAD_NOTIFY;
	for (unsigned i = 0; i < 4; i++)
		h[24 + i] = (uint8_t)(total >> (24 - 8 * i));
	return true;
}

bool init_variant_is(struct ike_sa *sa, struct bytes request)
{
	struct buf variant = { 0 };
	bool same = false;

	/* before keys exist only: IKE_AUTH frees what is needed */
	for (unsigned n = 0; !same && sa->setup && n < INIT_VARIANTS && init_variant(sa, n, &variant); n++)
		same = bytes_equal(request, buf_bytes(&variant));
	buf_free(&variant);
	return same;
}

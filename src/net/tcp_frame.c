/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tcp_frame.h"

#include "proto/iana.h"
#include "util/reader.h"

#define ESP_LEAST 8 /* SPI and sequence number */
#define KEEPALIVE 0xff

enum tcp_frame tcp_frame_prefix(struct bytes *in)
{
	size_t n = in->n < TCP_PREFIX_LEN ? in->n : TCP_PREFIX_LEN;

	if (n && memcmp(in->p, TCP_PREFIX, n) != 0)
		return TCP_FRAME_BROKEN;
	/* RFC 9329 6.1 MUST: the entire prefix before anything else is looked at */
	if (n < TCP_PREFIX_LEN)
		return TCP_FRAME_MORE;
	*in = bytes_of(in->p + n, in->n - n);
	return TCP_FRAME_WHOLE;
}

enum tcp_frame tcp_frame_next(struct bytes *in, size_t max, struct bytes *ret_message)
{
	for (;;) {
		struct reader r = reader_of(*in);
		size_t len = reader_u16(&r), n;

		if (!reader_ok(&r))
			return TCP_FRAME_MORE;
		/* RFC 9329 3.1 MUST: 0 and 1 are fatal */
		if (len < TCP_LENGTH_LEN)
			return TCP_FRAME_BROKEN;
		n = len - TCP_LENGTH_LEN;
		if (n > max)
			return TCP_FRAME_BROKEN;
		if (n > in->n - TCP_LENGTH_LEN)
			return TCP_FRAME_MORE;
		*ret_message = bytes_of(in->p + TCP_LENGTH_LEN, n);
		*in = bytes_of(in->p + len, in->n - len);
		/* RFC 9329 3 MUST: empty messages are ignored in silence */
		if (n)
			return TCP_FRAME_WHOLE;
	}
}

enum tcp_kind tcp_frame_kind(struct bytes *message)
{
	struct reader r = reader_of(*message);
	uint32_t marker = reader_u32(&r);

	/* RFC 9329 6.6 MUST: dropped in silence */
	if (message->n == 1 && message->p[0] == KEEPALIVE)
		return TCP_KIND_KEEPALIVE;
	if (!reader_ok(&r))
		return TCP_KIND_RUNT;
	if (marker)
		return message->n < ESP_LEAST ? TCP_KIND_RUNT : TCP_KIND_ESP;
	if (reader_left(&r) < IKE_HEADER_LEN)
		return TCP_KIND_RUNT;
	*message = reader_rest(&r);
	return TCP_KIND_IKE;
}

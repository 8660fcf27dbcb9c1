/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/message.h"

struct result header_parse(struct bytes datagram, struct ike_header *ret_header)
{
	struct reader r = reader_of(datagram);
	struct ike_header h;

	h.spi_i = reader_u64(&r);
	h.spi_r = reader_u64(&r);
	h.next = reader_u8(&r);
	h.version = reader_u8(&r);
	h.exchange = reader_u8(&r);
	h.flags = reader_u8(&r);
	h.message_id = reader_u32(&r);
	h.length = reader_u32(&r);
	if (!reader_ok(&r)) /* and so the length below is not under 28 either */
		return result_fail(RESULT_INVALID, "shorter than an IKE header");
	if (h.length != datagram.n)
		return result_fail(RESULT_INVALID, "length in the IKE header is not that of the datagram");
	*ret_header = h;
	return result_ok();
}

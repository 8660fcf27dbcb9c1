/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP stream as anybody can send it: cut into messages, whatever pieces it comes in. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "net/tcp_frame.h"
#include "proto/iana.h"

#define MESSAGE_MAX 10000

static void require(int holds)
{
	if (!holds)
		abort();
}

static void check_kind(struct bytes message)
{
	struct bytes rest = message;

	switch (tcp_frame_kind(&rest)) {
	case TCP_KIND_IKE:
		require(rest.n >= IKE_HEADER_LEN && rest.n == message.n - 4 && memcmp(message.p, "\0\0\0", 4) == 0);
		return;
	case TCP_KIND_ESP:
		require(rest.n >= 8 && rest.n == message.n && memcmp(message.p, "\0\0\0", 4) != 0);
		return;
	case TCP_KIND_KEEPALIVE:
		require(message.n == 1 && message.p[0] == 0xff);
		return;
	case TCP_KIND_RUNT:
		return;
	}
	require(0);
}

/* How it went on, as a number: messages and their bytes, and the end. */
static uint64_t run(struct bytes all, int prefix, size_t step)
{
	enum tcp_frame frame = TCP_FRAME_WHOLE;
	uint64_t sum = 0;
	size_t used = 0;

	for (size_t end = step < all.n ? step : all.n;; end = end + step < all.n ? end + step : all.n) {
		struct bytes in = bytes_of(all.p + used, end - used), message;

		if (prefix)
			frame = tcp_frame_prefix(&in);
		prefix &= frame != TCP_FRAME_WHOLE;
		while (!prefix && (frame = tcp_frame_next(&in, MESSAGE_MAX, &message)) == TCP_FRAME_WHOLE) {
			require(message.n > 0 && message.n <= MESSAGE_MAX && message.p + message.n == in.p);
			check_kind(message);
			sum = sum * 31 + message.n;
		}
		require(in.p + in.n == all.p + end && in.p >= all.p + used);
		used = end - in.n;
		if (frame == TCP_FRAME_BROKEN || end == all.n)
			return sum * 3 + frame;
		/* what is kept is less than one message */
		require(in.n < MESSAGE_MAX + 2);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes all;
	uint64_t whole;

	if (size == 0)
		return 0;
	all = bytes_of(data + 1, size - 1);
	whole = run(all, data[0] & 1, size);
	require(run(all, data[0] & 1, 1) == whole);
	require(run(all, data[0] & 1, 7) == whole);
	return 0;
}

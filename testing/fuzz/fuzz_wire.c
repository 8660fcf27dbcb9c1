/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: an IKE message, its payloads in clear whatever the exchange (so that what is inside SK is reached too).
 * What parses is written again and parsed again, which must give the same bytes. The length in the header
 * is put right first: otherwise it is all that would be tested. The unit tests replay the corpus.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "wire/builder.h"

static void require(bool ok)
{
	if (!ok)
		abort();
}

static struct bytes message_write(const struct ike_header *h, const struct payload_list *list, uint8_t *out, size_t cap)
{
	struct builder b = builder_of(out, cap);

	builder_header(&b, h);
	for (size_t i = 0; i < list->count; i++)
		builder_payload(&b, &list->p[i]);
	return builder_finish(&b);
}

/* All that is done to a message before a task sees it, except cryptography. */
static void message_read(struct arena *a, struct bytes message)
{
	static uint8_t first[LIMIT_MESSAGE], second[LIMIT_MESSAGE];
	struct payload_list list, again;
	struct wire_error err = { NULL, 0, 0, false };
	struct buf text = { 0 };
	struct ike_header h, h2;
	struct result result, rules;
	struct bytes once, twice;

	require(result_is_ok(header_parse(message, &h)));
	result = payloads_parse(a, bytes_of(message.p + IKE_HEADER_LEN, message.n - IKE_HEADER_LEN), h.next, &list,
				&err);
	if (!result_is_ok(result)) {
		require(err.why && err.why == result.why && err.offset <= message.n);
		require(err.critical == (result.code == RESULT_UNSUPPORTED));
		return;
	}
	payloads_describe(&text, &list);
	require(text.n >= 3);
	rules = rules_check(&h, &list);

	once = message_write(&h, &list, first, sizeof(first));
	require(once.n >= IKE_HEADER_LEN && once.n <= message.n);
	require(result_is_ok(header_parse(once, &h2)));
	require(result_is_ok(payloads_parse(a, bytes_of(once.p + IKE_HEADER_LEN, once.n - IKE_HEADER_LEN), h2.next,
					    &again, &err)));
	require(again.count == list.count);
	require(rules_check(&h2, &again).why == rules.why);
	twice = message_write(&h2, &again, second, sizeof(second));
	require(bytes_equal(once, twice));
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = { 0 };
	uint8_t *copy;

	if (size < IKE_HEADER_LEN || size > LIMIT_MESSAGE)
		return 0;
	copy = malloc(size);
	require(copy != NULL);
	memcpy(copy, data, size);
	for (int i = 0; i < 4; i++)
		copy[IKE_HEADER_LEN - 1 - i] = (uint8_t)(size >> 8 * i);
	message_read(&a, bytes_of(copy, size));
	arena_free(&a);
	free(copy);
	return 0;
}

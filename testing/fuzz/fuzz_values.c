/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a letter that says what follows.
 *   i  an octet of type, then the data of an identity as a peer sends it
 *   d  an identity as text
 *   t  a traffic selector as text
 *   p  an octet whose remainder by 4 is the protocol, then a proposal as text
 * What is accepted prints, and is the same as itself. The unit tests replay the corpus.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "proto/id.h"
#include "proto/proposal.h"
#include "proto/ts.h"

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void require_printable(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		require(text.p[i] >= 0x20 && text.p[i] != 0x7f);
}

static void identity_try(const struct id *id)
{
	static const char dn[] = "C=CH, O=*, CN=*";
	struct id pattern;
	struct buf b = { NULL, 0, 0 };

	id_format(&b, id);
	require_printable(buf_bytes(&b));
	buf_reset(&b);
	require(id_hash_bytes(id, &b) == b.n);
	require(id_equal(id, id));
	require(id_parse(bytes_str(dn), &pattern));
	(void)id_match(id, &pattern);
	(void)id_match(&pattern, id); /* as if the configuration had it */
	id_free(&pattern);
	buf_free(&b);
}

static void identity_text_try(struct bytes text)
{
	struct id id;

	if (!id_parse(text, &id))
		return;
	identity_try(&id);
	id_free(&id);
}

static void selector_try(struct bytes text)
{
	struct ts ts, same;

	if (!ts_parse(text, &ts))
		return;
	require(ts_is_valid(&ts));
	require_printable(bytes_str(ts_format(&ts).s));
	require(ts.dynamic || (ts_intersect(&ts, &ts, &same) && ts_equal(&ts, &same)));
}

static void proposal_try(struct bytes text, unsigned protocol)
{
	struct arena a = { NULL, NULL };
	struct proposal_list list;
	struct buf b = { NULL, 0, 0 };
	struct proposal answer;
	struct errtext err;
	struct suite s, t;
	size_t index;

	if (proposal_parse(&a, (enum ike_protocol)protocol, text, NULL, NULL, &list, &err)) {
		proposal_format(&b, list);
		require_printable(buf_bytes(&b));
		/* What can be configured can be agreed with somebody configured alike. */
		require(proposal_select(list, list, 0, &s, &index) && index == 0);
		answer = proposal_from_suite(&a, &s);
		require(proposal_accept(list, &answer, 0, &t) && suite_equal(&s, &t));
	}
	buf_free(&b);
	arena_free(&a);
}

static void input_try(struct bytes in)
{
	uint8_t second = in.n > 1 ? in.p[1] : 0;
	struct id id;

	switch (in.p[0]) {
	case 'i':
		if (in.n < 2)
			break;
		id = (struct id){ second, bytes_of(in.p + 2, in.n - 2) };
		identity_try(&id);
		break;
	case 'd':
		identity_text_try(bytes_of(in.p + 1, in.n - 1));
		break;
	case 't':
		selector_try(bytes_of(in.p + 1, in.n - 1));
		break;
	case 'p':
		if (in.n >= 2)
			proposal_try(bytes_of(in.p + 2, in.n - 2), second % 4);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (!size || size > 4096)
		return 0;
	copy = malloc(size); /* of the exact size, so that over-reads show */
	require(copy != NULL);
	memcpy(copy, data, size);
	input_try(bytes_of(copy, size));
	free(copy);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon and the client do with a byte stream: cut segments, packets and
 * elements. What parses must be written back as the same bytes.
 */
#include <stdlib.h>

#include "util/mem.h"
#include "vici/message.h"

void vici_fuzz_one(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void fuzz_message(struct bytes message)
{
	struct vici_parser p = vici_parser_of(message);
	struct vici_writer w = { 0 };
	struct vici_element e;
	struct bytes out;
	struct result r;

	while (result_is_ok(r = vici_parse_next(&p, &e)) && e.kind != VICI_END)
		vici_write_element(&w, &e);
	if (result_is_ok(r) &&
	    (!result_is_ok(vici_writer_done(&w, &out)) || !bytes_equal(out, message)))
		abort();
	vici_writer_clear(&w);
}

static void fuzz_find(struct bytes message)
{
	struct bytes sub;

	free(vici_find_str(message, "name"));
	(void)vici_find_int(message, "timeout", 0);
	(void)vici_find_bool(message, "force", false);
	if (vici_find(message, VICI_SECTION_START, "children", &sub))
		fuzz_message(sub);
	if (vici_find(message, VICI_LIST_START, "owners", &sub)) {
		struct vici_parser items = vici_parser_of_list(sub);
		struct vici_entry e;

		while (vici_next_entry(&items, &e))
			;
		if (!reader_ok(&items.in))
			abort(); /* it was a whole list before */
	}
}

void vici_fuzz_one(const uint8_t *data, size_t n)
{
	struct bytes in = bytes_of(data, n), packet;
	struct vici_packet p;
	size_t used;

	while (result_is_ok(vici_segment_next(in, &packet, &used)) && used) {
		if (result_is_ok(vici_packet_parse(packet, &p))) {
			fuzz_message(p.message);
			fuzz_find(p.message);
		}
		in.p += used;
		in.n -= used;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	vici_fuzz_one(data, n);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "testing/unit/vici/vici_tests.h"
#include "util/mem.h"
#include "vici/message.h"

/* ---- recorded streams ----------------------------------------------------- */

struct tally {
	unsigned files, packets, bad_packets, bad_messages;
};

static void file_read(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");
	uint8_t chunk[4096];
	size_t n;

	ck_assert_msg(f != NULL, "cannot open %s", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	fclose(f);
}

/* Writes a parsed packet again, element by element. */
static struct result packet_again(const struct vici_packet *p, struct vici_writer *w,
				  struct bytes *ret)
{
	struct vici_parser parser = vici_parser_of(p->message);
	bool named = p->type == VICI_CMD_REQUEST || p->type == VICI_EVENT ||
		     p->type == VICI_EVENT_REGISTER || p->type == VICI_EVENT_UNREGISTER;
	char *name = xstrndup(p->name.n ? (const char *)p->name.p : "", p->name.n);
	struct result r;
	struct vici_element e;

	vici_write_packet(w, p->type, named ? name : NULL);
	free(name);
	while (result_is_ok(r = vici_parse_next(&parser, &e)) && e.kind != VICI_END)
		vici_write_element(w, &e);
	return result_is_ok(r) ? vici_writer_done(w, ret) : r;
}

static void packet_check(struct bytes packet, struct bytes segment, struct tally *t)
{
	struct vici_packet p;
	struct vici_writer w = { 0 };
	struct bytes again = BYTES_NONE;

	t->packets++;
	if (!result_is_ok(vici_packet_parse(packet, &p))) {
		t->bad_packets++;
		return;
	}
	if (result_is_ok(packet_again(&p, &w, &again)))
		ck_assert(bytes_equal(again, segment));
	else
		t->bad_messages++;
	vici_writer_clear(&w);
}

static void stream_check(const char *path, struct tally *t)
{
	struct buf file = { 0 };
	struct bytes in, packet;
	size_t used;

	file_read(path, &file);
	for (in = buf_bytes(&file); in.n; in.p += used, in.n -= used) {
		ck_assert(result_is_ok(vici_segment_next(in, &packet, &used)));
		ck_assert_msg(used > 0, "%s ends inside a packet", path);
		packet_check(packet, bytes_of(in.p, used), t);
	}
	buf_free(&file);
	t->files++;
}

/* Calls fn for each recorded stream. */
static void streams_each(void (*fn)(const char *path, struct tally *t), struct tally *t)
{
	DIR *dir = opendir(VECTORS "/vici");
	struct dirent *entry;
	char path[1024];

	ck_assert_msg(dir != NULL, "no " VECTORS "/vici");
	while ((entry = readdir(dir))) {
		if (!strstr(entry->d_name, ".bin"))
			continue;
		snprintf(path, sizeof(path), VECTORS "/vici/%s", entry->d_name);
		fn(path, t);
	}
	closedir(dir);
}

/* Everything recorded decodes, and encodes to the same bytes, but for two packets
 * that were sent malformed on purpose. */
START_TEST(recorded_streams)
{
	struct tally t = { 0 };

	streams_each(stream_check, &t);
	ck_assert_uint_eq(t.files, 280);
	ck_assert_uint_gt(t.packets, 1000);
	ck_assert_uint_eq(t.bad_packets, 1);
	ck_assert_uint_eq(t.bad_messages, 1);
}
END_TEST

/* Every truncation of every short packet: no message may be cut and still
 * count as whole, except at the boundary of root elements. */
static void stream_truncate(const char *path, struct tally *t)
{
	struct buf file = { 0 };
	struct bytes in, packet, cut;
	struct vici_packet p;
	size_t used;

	file_read(path, &file);
	for (in = buf_bytes(&file); in.n; in.p += used, in.n -= used) {
		ck_assert(result_is_ok(vici_segment_next(in, &packet, &used)));
		if (packet.n > 600 || !result_is_ok(vici_packet_parse(packet, &p)))
			continue;
		for (size_t n = 0; n < used; n++) {
			size_t consumed = 1;

			ck_assert(result_is_ok(
				vici_segment_next(bytes_of(in.p, n), &cut, &consumed)));
			ck_assert_uint_eq(consumed, 0);
		}
		for (size_t n = 0; n < p.message.n; n++) {
			uint8_t *copy = xmemdup(p.message.p, n);

			if (result_is_ok(vici_message_check(bytes_of(copy, n))))
				t->packets++;
			else
				t->bad_messages++;
			free(copy);
		}
	}
	buf_free(&file);
}

START_TEST(truncations)
{
	struct tally t = { 0 };

	streams_each(stream_truncate, &t);
	ck_assert_uint_gt(t.bad_messages, 10000);
	ck_assert_uint_lt(t.packets * 5, t.bad_messages);
}
END_TEST

/* ---- corruption ----------------------------------------------------------- */

static uint32_t prng(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void stream_corrupt(const char *path, struct tally *t)
{
	struct buf file = { 0 };

	file_read(path, &file);
	for (uint32_t round = 0, seed = 1; round < 8; round++) {
		uint8_t *copy = xmemdup(file.p, file.n);

		for (int i = 0; i < 4 && file.n; i++)
			copy[prng(&seed) % file.n] = (uint8_t)prng(&seed);
		vici_fuzz_one(copy, file.n);
		free(copy);
	}
	t->files++;
	buf_free(&file);
}

/* Nothing is asserted but that it ends, and that sanitizers have no complaint. */
START_TEST(corruption)
{
	struct tally t = { 0 };

	streams_each(stream_corrupt, &t);
	ck_assert_uint_eq(t.files, 280);
}
END_TEST

/* What the fuzzer found or was given. */
START_TEST(fuzz_corpus)
{
	DIR *dir = opendir(FUZZ_CORPUS);
	struct dirent *entry;
	unsigned n = 0;
	char path[1024];

	ck_assert(dir != NULL);
	while ((entry = readdir(dir))) {
		struct buf file = { 0 };

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), FUZZ_CORPUS "/%s", entry->d_name);
		file_read(path, &file);
		vici_fuzz_one(file.p, file.n);
		buf_free(&file);
		n++;
	}
	closedir(dir);
	ck_assert_uint_ge(n, 5);
}
END_TEST

/* ---- structure ------------------------------------------------------------ */

static enum result_code check_str(const char *bytes, size_t n)
{
	return vici_message_check(bytes_of(bytes, n)).code;
}
#define CHECK_LIT(s) check_str(s, sizeof(s) - 1)

START_TEST(structure)
{
	ck_assert_int_eq(CHECK_LIT(""), RESULT_OK);
	ck_assert_int_eq(CHECK_LIT("\1\1a\2"), RESULT_OK);
	ck_assert_int_eq(CHECK_LIT("\1\0\2"), RESULT_OK); /* empty names are legal */
	ck_assert_int_eq(CHECK_LIT("\3\1a\0\0"), RESULT_OK);
	ck_assert_int_eq(CHECK_LIT("\4\1a\6"), RESULT_OK);
	ck_assert_int_eq(CHECK_LIT("\4\1a\5\0\1x\6"), RESULT_OK);
	ck_assert_int_eq(CHECK_LIT("\1\1a"), RESULT_INVALID);
	ck_assert_int_eq(CHECK_LIT("\2"), RESULT_INVALID);
	ck_assert_int_eq(CHECK_LIT("\4\1a"), RESULT_INVALID);
	ck_assert_int_eq(CHECK_LIT("\6"), RESULT_INVALID);
	ck_assert_int_eq(CHECK_LIT("\5\0\0"), RESULT_INVALID);
	ck_assert_int_eq(CHECK_LIT("\4\1a\4\1b\6\6"), RESULT_INVALID);
	ck_assert_int_eq(CHECK_LIT("\4\1a\1\1b\2\6"), RESULT_INVALID);
	ck_assert_int_eq(CHECK_LIT("\4\1a\3\1b\0\0\6"), RESULT_INVALID);
	ck_assert_int_eq(CHECK_LIT("\0"), RESULT_INVALID);
	ck_assert_int_eq(CHECK_LIT("\7"), RESULT_INVALID);
	ck_assert_int_eq(CHECK_LIT("\3\1a\0\2x"), RESULT_INVALID);
	ck_assert_int_eq(CHECK_LIT("\3\2a"), RESULT_INVALID);
}
END_TEST

/* 100000 levels neither crash nor hang; the limit itself is still fine. */
START_TEST(nesting_bomb)
{
	struct buf bomb = { 0 };
	struct bytes value;

	for (int i = 0; i < LIMIT_VICI_DEPTH; i++)
		buf_add(&bomb, "\1\1a", 3);
	for (int i = 0; i < LIMIT_VICI_DEPTH; i++)
		buf_add_u8(&bomb, VICI_SECTION_END);
	ck_assert(result_is_ok(vici_message_check(buf_bytes(&bomb))));
	buf_reset(&bomb);
	for (int i = 0; i < 100000; i++)
		buf_add(&bomb, "\1\1a", 3);
	ck_assert_int_eq(vici_message_check(buf_bytes(&bomb)).code, RESULT_LIMIT);
	ck_assert(!vici_find(buf_bytes(&bomb), VICI_KEY_VALUE, "x", &value));
	buf_free(&bomb);
}
END_TEST

START_TEST(failure_is_sticky)
{
	struct vici_parser p = vici_parser_of(bytes_of("\2\3\1a\0\0", 6));
	struct vici_element e;

	ck_assert(!result_is_ok(vici_parse_next(&p, &e)));
	ck_assert(!result_is_ok(vici_parse_next(&p, &e)));
}
END_TEST

/* ---- segments and packets ------------------------------------------------- */

START_TEST(segment_limits)
{
	uint8_t *big = xcalloc(1, VICI_HEADER + LIMIT_VICI_SEGMENT);
	struct bytes packet;
	size_t used;

	big[1] = 8; /* 00 08 00 00 is 512 KiB */
	ck_assert(result_is_ok(
		vici_segment_next(bytes_of(big, VICI_HEADER + LIMIT_VICI_SEGMENT), &packet, &used)));
	ck_assert_uint_eq(used, VICI_HEADER + LIMIT_VICI_SEGMENT);
	ck_assert_uint_eq(packet.n, LIMIT_VICI_SEGMENT);
	big[3] = 1;
	ck_assert_int_eq(vici_segment_next(bytes_of(big, VICI_HEADER), &packet, &used).code,
			 RESULT_LIMIT);
	ck_assert(result_is_ok(vici_segment_next(bytes_of("\0\0\0\0", 4), &packet, &used)));
	ck_assert_uint_eq(used, 4);
	ck_assert_uint_eq(packet.n, 0);
	free(big);
}
END_TEST

START_TEST(packets)
{
	struct vici_packet p;

	ck_assert(result_is_ok(vici_packet_parse(bytes_of("\0\7version", 9), &p)));
	ck_assert_int_eq(p.type, VICI_CMD_REQUEST);
	ck_assert(bytes_equal_str(p.name, "version"));
	ck_assert_uint_eq(p.message.n, 0);
	ck_assert(result_is_ok(vici_packet_parse(bytes_of("\3\0", 2), &p))); /* empty name */
	ck_assert(!result_is_ok(vici_packet_parse(BYTES_NONE, &p)));
	ck_assert(!result_is_ok(vici_packet_parse(bytes_of("\0", 1), &p)));
	ck_assert(!result_is_ok(vici_packet_parse(bytes_of("\0\5vers", 6), &p)));
	ck_assert(!result_is_ok(vici_packet_parse(bytes_of("\0\2a\n", 4), &p)));
	ck_assert(!result_is_ok(vici_packet_parse(bytes_of("\3\1ab", 4), &p)));
	ck_assert_int_eq(vici_packet_parse(bytes_of("\x08", 1), &p).code, RESULT_UNSUPPORTED);
}
END_TEST

/* ---- look-ups ------------------------------------------------------------- */

static struct bytes kv(struct vici_writer *w, const char *value)
{
	struct bytes b = BYTES_NONE;

	vici_writer_clear(w);
	vici_write_str(w, "k", value);
	ck_assert(result_is_ok(vici_writer_done(w, &b)));
	return b;
}

START_TEST(find_scalars)
{
	struct vici_writer w = { 0 };

	ck_assert_int_eq(vici_find_int(kv(&w, "10"), "k", -7), 10);
	ck_assert_int_eq(vici_find_int(kv(&w, "-1"), "k", -7), -1);
	ck_assert_int_eq(vici_find_int(kv(&w, "0x10"), "k", -7), 16);
	ck_assert_int_eq(vici_find_int(kv(&w, "010"), "k", -7), 8);
	ck_assert_int_eq(vici_find_int(kv(&w, "10x"), "k", -7), -7);
	ck_assert_int_eq(vici_find_int(kv(&w, " 1"), "k", -7), -7);
	ck_assert_int_eq(vici_find_int(kv(&w, ""), "k", -7), -7);
	ck_assert_int_eq(vici_find_int(kv(&w, "99999999999999999999"), "k", -7), -7);
	ck_assert_int_eq(vici_find_int(kv(&w, "1"), "other", -7), -7);
	ck_assert(vici_find_bool(kv(&w, "YES"), "k", false));
	ck_assert(vici_find_bool(kv(&w, "Enabled"), "k", false));
	ck_assert(!vici_find_bool(kv(&w, "0"), "k", true));
	ck_assert(!vici_find_bool(kv(&w, "disabled"), "k", true));
	ck_assert(vici_find_bool(kv(&w, "maybe"), "k", true));
	ck_assert(!vici_find_bool(kv(&w, "maybe"), "k", false));
	ck_assert_ptr_null(vici_find_str(kv(&w, "a\nb"), "k")); /* not printable: not given */
	vici_writer_clear(&w);
}
END_TEST

/* The first match wins; a search goes over nested things and stops at the first
 * malformed element, but what stands before that counts. */
START_TEST(find_order)
{
	static const char msg[] = "\1\1s\3\1k\0\1n\2\4\1l\5\0\1i\6\3\1k\0\1a\3\1k\0\1b\7\3\1z\0\1z";
	struct bytes m = bytes_of(msg, sizeof(msg) - 1), v;

	ck_assert(vici_find_text(m, "k", &v));
	ck_assert(bytes_equal_str(v, "a"));
	ck_assert(!vici_find_text(m, "z", &v));
	ck_assert(vici_find(m, VICI_SECTION_START, "s", &v));
	ck_assert(vici_find_text(v, "k", &v));
	ck_assert(bytes_equal_str(v, "n"));
	ck_assert(vici_find(m, VICI_LIST_START, "l", &v));
	ck_assert(bytes_equal(v, bytes_of("\5\0\1i", 4)));
	ck_assert(!vici_find(m, VICI_KEY_VALUE, "l", &v));
}
END_TEST

START_TEST(entries)
{
	static const char msg[] = "\1\1s\1\1t\2\3\1k\0\1n\2\4\1l\5\0\1i\5\0\0\6\3\1x\0\0";
	struct vici_parser p = vici_parser_of(bytes_of(msg, sizeof(msg) - 1)), items;
	struct vici_entry e;

	ck_assert(vici_next_entry(&p, &e));
	ck_assert_int_eq(e.kind, VICI_SECTION_START);
	ck_assert_uint_eq(e.value.n, 10);
	ck_assert(vici_next_entry(&p, &e));
	ck_assert_int_eq(e.kind, VICI_LIST_START);
	items = vici_parser_of_list(e.value);
	ck_assert(vici_next_entry(&items, &e));
	ck_assert(bytes_equal_str(e.value, "i"));
	ck_assert(vici_next_entry(&items, &e));
	ck_assert_uint_eq(e.value.n, 0);
	ck_assert(!vici_next_entry(&items, &e));
	ck_assert(reader_ok(&items.in));
	ck_assert(vici_next_entry(&p, &e));
	ck_assert_int_eq(e.kind, VICI_KEY_VALUE);
	ck_assert(!vici_next_entry(&p, &e));
	ck_assert(reader_ok(&p.in));
}
END_TEST

/* ---- writing -------------------------------------------------------------- */

START_TEST(write_packet)
{
	static const char expected[] = "\0\0\0\x16\0\1c\1\1s\3\1k\0\2no\2\4\1l\5\0\1a\6";
	struct vici_writer w = { 0 };
	struct bytes b;

	vici_write_packet(&w, VICI_CMD_REQUEST, "c");
	vici_write_section(&w, "s");
	vici_write_fmt(&w, "k", "%s", "no");
	vici_write_section_end(&w);
	vici_write_list(&w, "l");
	vici_write_item_str(&w, "a");
	vici_write_list_end(&w);
	ck_assert(result_is_ok(vici_writer_done(&w, &b)));
	ck_assert_uint_eq(b.n, sizeof(expected) - 1);
	ck_assert_mem_eq(b.p, expected, b.n);
	vici_writer_clear(&w);
}
END_TEST

START_TEST(write_refusals)
{
	static uint8_t big[70000];
	struct vici_writer w = { 0 };
	struct bytes b;

	vici_write_value(&w, "k", bytes_of(big, 65536));
	ck_assert(!result_is_ok(vici_writer_done(&w, &b)));
	vici_writer_clear(&w);
	vici_write_section(&w, "s");
	ck_assert(!result_is_ok(vici_writer_done(&w, &b)));
	vici_writer_clear(&w);
	vici_write_section_end(&w);
	ck_assert(!result_is_ok(vici_writer_done(&w, &b)));
	vici_writer_clear(&w);
	vici_write_item_str(&w, "i");
	ck_assert(!result_is_ok(vici_writer_done(&w, &b)));
	vici_writer_clear(&w);
	vici_write_list(&w, "l");
	vici_write_str(&w, "k", "v");
	vici_write_list_end(&w);
	ck_assert(!result_is_ok(vici_writer_done(&w, &b)));
	vici_writer_clear(&w);
	for (int i = 0; i < 10; i++)
		vici_write_value(&w, "k", bytes_of(big, 60000));
	ck_assert_int_eq(vici_writer_done(&w, &b).code, RESULT_LIMIT);
	vici_writer_clear(&w);
}
END_TEST

TCase *vici_message_tests(void)
{
	TCase *tc = tcase_create("message");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, recorded_streams);
	tcase_add_test(tc, truncations);
	tcase_add_test(tc, corruption);
	tcase_add_test(tc, fuzz_corpus);
	tcase_add_test(tc, structure);
	tcase_add_test(tc, nesting_bomb);
	tcase_add_test(tc, failure_is_sticky);
	tcase_add_test(tc, segment_limits);
	tcase_add_test(tc, packets);
	tcase_add_test(tc, find_scalars);
	tcase_add_test(tc, find_order);
	tcase_add_test(tc, entries);
	tcase_add_test(tc, write_packet);
	tcase_add_test(tc, write_refusals);
	return tc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_VICI_MESSAGE_H
#define BEWICK_VICI_MESSAGE_H

#include "util/bytes.h"
#include "util/reader.h"

/*
 * The wire format of the control socket, for both of its ends.
 *
 *     segment   u32 length, then that many bytes: one packet
 *     packet    u8 type [u8 length, name] [message]
 *     message   elements, in an order that means something
 *
 * Pure functions over bytes: no sockets here.
 */
#define LIMIT_VICI_SEGMENT 524288 /* bytes of one packet, without its length */
#define LIMIT_VICI_DEPTH 64	  /* nesting of sections */
#define VICI_HEADER 4		  /* bytes of the length */

enum vici_type {
	VICI_CMD_REQUEST = 0,
	VICI_CMD_RESPONSE = 1,
	VICI_CMD_UNKNOWN = 2,
	VICI_EVENT_REGISTER = 3,
	VICI_EVENT_UNREGISTER = 4,
	VICI_EVENT_CONFIRM = 5,
	VICI_EVENT_UNKNOWN = 6,
	VICI_EVENT = 7,
};

/* Values are those of the wire; VICI_END is never sent. */
enum vici_kind {
	VICI_END = 0, /* the message is over and everything was closed */
	VICI_SECTION_START = 1,
	VICI_SECTION_END = 2,
	VICI_KEY_VALUE = 3,
	VICI_LIST_START = 4,
	VICI_LIST_ITEM = 5,
	VICI_LIST_END = 6,
};

/* ---- segments and packets ------------------------------------------------- */

/*
 * Takes the first segment from the bytes received so far. RESULT_OK and
 * *ret_used > 0: *ret_packet is a packet inside `in`, *ret_used bytes are consumed.
 * RESULT_OK and *ret_used == 0: more bytes are needed. RESULT_LIMIT: the
 * segment is too long, the connection cannot go on.
 */
EXPORT MUST_CHECK struct result vici_segment_next(struct bytes in, struct bytes *ret_packet,
						  size_t *ret_used);

struct vici_packet {
	enum vici_type type;
	struct bytes name; /* printable ASCII; empty for types without a name */
	struct bytes message; /* not looked at yet; empty for types without one */
};

/* Cuts a packet. Refuses unknown types, names that run past the packet or are not
 * printable, and bytes behind packets that have no message. Borrows `packet`. */
EXPORT MUST_CHECK struct result vici_packet_parse(struct bytes packet, struct vici_packet *ret);

/* ---- reading messages ----------------------------------------------------- */

struct vici_element {
	enum vici_kind kind;
	struct bytes name;  /* of SECTION_START, KEY_VALUE, LIST_START */
	struct bytes value; /* of KEY_VALUE, LIST_ITEM */
};

struct vici_parser {
	struct reader in;
	unsigned depth; /* open sections */
	bool in_list;
	bool list_root; /* reads the items of a list, see vici_parser_of_list */
};

EXPORT struct vici_parser vici_parser_of(struct bytes message);
/* For the items of a list that vici_next_entry gave. */
EXPORT struct vici_parser vici_parser_of_list(struct bytes items);

/*
 * The next element, or VICI_END after the last. Structural errors (unknown element,
 * cut off, items outside of lists, what was never opened, what stays open) and
 * nesting beyond LIMIT_VICI_DEPTH are failures; after one, every call fails.
 * Names and values borrow the message and are any bytes.
 */
EXPORT MUST_CHECK struct result vici_parse_next(struct vici_parser *p, struct vici_element *ret);

/* A whole message: does it parse? */
EXPORT MUST_CHECK struct result vici_message_check(struct bytes message);

/* One entry of a section, with what is below it as one piece. */
struct vici_entry {
	enum vici_kind kind; /* SECTION_START, KEY_VALUE, LIST_START or LIST_ITEM */
	struct bytes name;
	struct bytes value; /* of a section: its content, a message of its own; of a list: its items */
};

/* Next entry of the section that p is at the start of; what is nested is skipped
 * over. false: over, or a structural error (then reader_ok(&p->in) is false). */
EXPORT bool vici_next_entry(struct vici_parser *p, struct vici_entry *ret);

/*
 * Look-ups of single entries directly in a section (`message`), as the commands
 * do them: the first of that name wins, a search ends at the first element that is
 * malformed, all others are ignored.
 */
EXPORT bool vici_find(struct bytes message, enum vici_kind kind, const char *name,
		      struct bytes *ret_value);
/* A key whose value has a byte that is not printable ASCII counts as not given. */
EXPORT bool vici_find_text(struct bytes message, const char *key, struct bytes *ret);
EXPORT char *vici_find_str(struct bytes message, const char *key); /* the caller's; NULL: not given */
/* C notation, consumed as a whole; anything else: the fallback. */
EXPORT int64_t vici_find_int(struct bytes message, const char *key, int64_t fallback);
/* 1 yes true enabled, 0 no false disabled, in any case; anything else: the fallback. */
EXPORT bool vici_find_bool(struct bytes message, const char *key, bool fallback);
EXPORT bool vici_is_printable(struct bytes text);

/* ---- writing -------------------------------------------------------------- */

/*
 * Writes a packet or a bare message. The error is sticky: a name above 255 or a value above 65535
 * bytes, wrong nesting; it shows in vici_writer_done. A zeroed one is empty and
 * valid; vici_writer_clear frees.
 */
struct vici_writer {
	struct buf out;
	unsigned depth;
	bool in_list;
	bool packet; /* began with vici_write_packet: a length is to be filled in */
	const char *bad; /* what went wrong first */
};

/* Begins a segment; name is NULL for types that have none. Only as the first thing. */
EXPORT void vici_write_packet(struct vici_writer *w, enum vici_type type, const char *name);
EXPORT void vici_write_section(struct vici_writer *w, const char *name);
EXPORT void vici_write_section_end(struct vici_writer *w);
EXPORT void vici_write_value(struct vici_writer *w, const char *key, struct bytes value);
EXPORT void vici_write_str(struct vici_writer *w, const char *key, const char *value);
EXPORT void vici_write_fmt(struct vici_writer *w, const char *key, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
EXPORT void vici_write_list(struct vici_writer *w, const char *name);
EXPORT void vici_write_item(struct vici_writer *w, struct bytes value);
EXPORT void vici_write_item_str(struct vici_writer *w, const char *value);
EXPORT void vici_write_list_end(struct vici_writer *w);
/* One element as the parser gave it (not VICI_END). */
EXPORT void vici_write_element(struct vici_writer *w, const struct vici_element *e);
/* Elements that are encoded already and balanced in themselves. */
EXPORT void vici_write_raw(struct vici_writer *w, struct bytes elements);

/* The whole segment or message, borrowed from w. Fails after a sticky error, with
 * something left open, and above LIMIT_VICI_SEGMENT. */
EXPORT MUST_CHECK struct result vici_writer_done(struct vici_writer *w, struct bytes *ret);
EXPORT void vici_writer_clear(struct vici_writer *w); /* wipes: messages carry keys */

#endif

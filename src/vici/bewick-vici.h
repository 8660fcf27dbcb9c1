/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_VICI_H
#define BEWICK_VICI_H

/*
 * Client of the control socket of bewickd (or of another daemon that speaks VICI).
 *
 * Functions that can fail return 0 or more on success and a negative errno on
 * failure. Calls block up to the connection's timeout. A connection is used by one
 * thread at a time; several connections are independent of each other. Running
 * out of memory aborts the process.
 *
 *	struct bewick_vici *c;
 *	struct bewick_vici_message *reply;
 *
 *	if (bewick_vici_connect("unix:///run/charon.vici", 5000, &c) == 0) {
 *		if (bewick_vici_call(c, "version", NULL, &reply) == 0) {
 *			char *daemon = bewick_vici_get(reply, "daemon");
 *			...
 */
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct bewick_vici;         /* a connection */
struct bewick_vici_message; /* what is sent, received, or brought by an event */
struct bewick_vici_cursor;  /* walks through a message */

/* ---- connection ----------------------------------------------------------- */

/*
 * Connects to "unix:///path" or "tcp://host:port" (an IPv6 address in brackets). The
 * timeout in ms (negative: none) is for connecting and for all later waits. Errors
 * are those of connect(), ENAMETOOLONG, EAFNOSUPPORT for another kind of URI and
 * EHOSTUNREACH for a host that cannot be resolved.
 */
int bewick_vici_connect(const char *uri, int timeout_ms, struct bewick_vici **ret);
void bewick_vici_free(struct bewick_vici *c); /* closes; NULL is fine */
void bewick_vici_set_timeout(struct bewick_vici *c, int timeout_ms);
int bewick_vici_fd(const struct bewick_vici *c); /* to wait for events in an own loop */

/* ---- messages ------------------------------------------------------------- */

struct bewick_vici_message *bewick_vici_message_new(void);
void bewick_vici_message_free(struct bewick_vici_message *m); /* wipes; NULL is fine */

/* Errors in building (wrong nesting, name above 255 or value above 65535 bytes) are kept
 * and come out of bewick_vici_call as EINVAL. */
void bewick_vici_section(struct bewick_vici_message *m, const char *name);
void bewick_vici_section_end(struct bewick_vici_message *m);
void bewick_vici_value(struct bewick_vici_message *m, const char *key, const void *data, size_t n);
void bewick_vici_str(struct bewick_vici_message *m, const char *key, const char *value);
void bewick_vici_fmt(struct bewick_vici_message *m, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void bewick_vici_list(struct bewick_vici_message *m, const char *name);
void bewick_vici_item(struct bewick_vici_message *m, const void *data, size_t n);
void bewick_vici_item_str(struct bewick_vici_message *m, const char *value);
void bewick_vici_list_end(struct bewick_vici_message *m);

/* The encoded elements, borrowed. */
const void *bewick_vici_data(const struct bewick_vici_message *m, size_t *ret_n);

/*
 * The text of a key: "stats" has "uptime.running". NULL if there is none or it is not
 * printable ASCII; else the caller frees it. A name with a dot is found by a cursor only.
 */
char *bewick_vici_get(const struct bewick_vici_message *m, const char *path);

enum bewick_vici_kind {
	BEWICK_VICI_SECTION = 1,
	BEWICK_VICI_SECTION_END = 2,
	BEWICK_VICI_VALUE = 3,
	BEWICK_VICI_LIST = 4,
	BEWICK_VICI_ITEM = 5,
	BEWICK_VICI_LIST_END = 6,
};

struct bewick_vici_element {
	enum bewick_vici_kind kind;
	const char *name;	/* NUL-terminated, "" for ends and items; until the next step */
	const void *value;	/* any bytes, not terminated; as long as the message */
	size_t value_len;
};

/* The message must outlive the cursor. */
struct bewick_vici_cursor *bewick_vici_cursor_new(const struct bewick_vici_message *m);
int bewick_vici_cursor_next(struct bewick_vici_cursor *cur,
			    struct bewick_vici_element *ret); /* 1: an element, 0: the end */
void bewick_vici_cursor_free(struct bewick_vici_cursor *cur);

/* ---- commands and events -------------------------------------------------- */

/*
 * Sends a command and waits for its reply; request NULL is an empty one. Events that
 * come before the reply are given to their handlers. *ret_reply (may be NULL)
 * is the caller's. It may well say success=no: that is no error here. Errors: ENOENT (the
 * daemon does not know the command), EINVAL (message built wrongly or too long), EBADMSG
 * (malformed answer), ECONNRESET (closed by the daemon), ETIMEDOUT. After all but
 * ENOENT and EINVAL the connection is of no use any more.
 */
int bewick_vici_call(struct bewick_vici *c, const char *command,
		     const struct bewick_vici_message *request,
		     struct bewick_vici_message **ret_reply);

/* The message lives until the handler returns. Handlers may not use the connection (EBUSY). */
typedef void bewick_vici_event_fn(void *arg, const char *event,
				  const struct bewick_vici_message *message);

/* ENOENT: the daemon does not know the event. EEXIST: registered already. */
int bewick_vici_register(struct bewick_vici *c, const char *event, bewick_vici_event_fn *fn,
			 void *arg);
int bewick_vici_unregister(struct bewick_vici *c, const char *event);

/* Waits up to timeout_ms (negative: for ever) for events, handles all that have arrived and
 * returns how many; 0 after the time. */
int bewick_vici_dispatch(struct bewick_vici *c, int timeout_ms);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif

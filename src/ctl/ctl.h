/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CTL_CTL_H
#define BEWICK_CTL_CTL_H

#include <stdio.h>

#include "util/bytes.h"
#include "vici/bewick-vici.h"
#include "vici/message.h"

/*
 * swanctl: one invocation runs one verb. A verb gives the exit status: 0, 1 if the
 * daemon said no, EINVAL (22) if something in the configuration cannot be loaded, or the errno
 * of what broke. Results go to stdout, errors to stderr.
 */
#define CTL_OPTIONS 16 /* of one verb, most */

enum ctl_format {
	CTL_PLAIN,
	CTL_RAW,    /* messages in one line each */
	CTL_PRETTY, /* the same, indented */
};

struct ctl_option {
	const char *name;
	int letter;
	const char *arg; /* what the argument is called in the usage; NULL: there is none */
	const char *help;
};

struct ctl;

struct ctl_verb {
	const char *name;
	int letter;
	const char *help;
	bool offline; /* does not need a connection to begin with */
	int (*run)(struct ctl *ctl);
	struct ctl_option options[CTL_OPTIONS]; /* ended by one without a name */
};

struct ctl {
	const struct ctl_verb *verb;
	enum ctl_format format;
	bool help;
	int debug;	 /* level of our own log lines */
	const char *uri; /* --uri or NULL */
	const char *values[CTL_OPTIONS]; /* of the verb's options: NULL, or the argument */
	char **words; /* the command line and option files; values point into them */
	size_t n_words;
	struct bewick_vici *vici;
};

/* One per group; each ended by an entry without a name. */
extern const struct ctl_verb ctl_verbs_control[], ctl_verbs_list[], ctl_verbs_sas[],
	ctl_verbs_daemon[], ctl_verbs_load[];
extern const struct ctl_verb *const ctl_verb_groups[]; /* ended by NULL */

/* ---- options.c ------------------------------------------------------------ */

/* Fills ctl from the command line; false: a message was printed, usage is to follow.
 * Without any verb ctl->verb stays NULL. */
bool ctl_parse(struct ctl *ctl, int argc, char **argv);
void ctl_parse_free(struct ctl *ctl);
void ctl_usage(const struct ctl *ctl, FILE *out);
/* The argument of an option of this verb, "" for one without argument, NULL if not given. */
const char *ctl_opt(const struct ctl *ctl, const char *name);
bool ctl_flag(const struct ctl *ctl, const char *name);

/* ---- connect.c ------------------------------------------------------------ */

int ctl_connect(struct ctl *ctl); /* 0, or the exit status: said why on stderr */

/* ---- call.c --------------------------------------------------------------- */

struct bytes ctl_bytes(const struct bewick_vici_message *m);

/* Sends a command (request may be NULL). 0, or the exit status: said why on stderr. */
int ctl_call(struct ctl *ctl, const char *command, const struct bewick_vici_message *request,
	     struct bewick_vici_message **ret_reply);
int ctl_register(struct ctl *ctl, const char *event, bewick_vici_event_fn *fn);

/* In --raw and --pretty: prints "LABEL {...}" and gives true. */
bool ctl_raw(const struct ctl *ctl, const char *label, struct bytes message);
/* "<command> reply" or "<event> event" */
bool ctl_raw_reply(const struct ctl *ctl, const char *command, struct bytes message);
bool ctl_raw_event(const struct ctl *ctl, const char *event, struct bytes message);

/* Adds an option's argument to a request under the same name, if it was given. */
void ctl_add_opt(const struct ctl *ctl, struct bewick_vici_message *m, const char *name);
void ctl_add_flag(const struct ctl *ctl, struct bewick_vici_message *m, const char *name);

/* NULL if the reply says success=yes, else its errmsg (the caller's). */
char *ctl_errmsg(struct bytes reply);

/*
 * A command that can fail: prints "<what> failed: <errmsg>", or "<what> completed
 * successfully" unless quiet. Takes the request.
 */
int ctl_command(struct ctl *ctl, const char *command, struct bewick_vici_message *request,
		const char *what, bool quiet);

/* A streamed listing: registers, sends, gives each event to fn, prints the reply in raw formats.
 * Takes the request (may be NULL). */
int ctl_stream(struct ctl *ctl, const char *command, const char *event, bewick_vici_event_fn *fn,
	       struct bewick_vici_message *request);

/* Events until SIGINT or SIGTERM. */
int ctl_follow(struct ctl *ctl);

/* ---- print.c -------------------------------------------------------------- */

/* Text from the daemon. What is not printable goes out as 0x... */
void ctl_put(FILE *out, struct bytes value);
/* The value of a key for printf("%s"): "" if there is none. Valid until the next
 * but seven calls. */
const char *ctl_text(struct bytes section, const char *key);
bool ctl_has(struct bytes section, const char *key);
/* The items of a list with blanks between, each preceded by one. */
void ctl_put_list(FILE *out, struct bytes section, const char *list);
size_t ctl_list_len(struct bytes section, const char *list);
/* One line per line of text, each behind the prefix. */
void ctl_put_lines(const char *prefix, struct bytes text);
/* Formats used by ctl_raw. */
void ctl_print_raw(FILE *out, const char *label, struct bytes message);
void ctl_print_pretty(FILE *out, const char *label, struct bytes message);

#endif

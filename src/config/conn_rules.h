/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_CONN_RULES_H
#define BEWICK_CONFIG_CONN_RULES_H

#include "config/conn.h"
#include "util/reader.h"

/*
 * The keys of a connection as tables: conn_rules.c has one per kind of section, conn_values.c the
 * parsers that they name, conn_parse.c walks a message with them.
 */
struct conn_parse {
	const struct conn_env *env;
	struct arena *arena; /* the connection's */
	struct errtext *err;
	struct conn *conn;
	bool local; /* the round at work is ours */
};

struct conn_rule;

/* A scalar as a number; false if it is none of its type. */
typedef bool conn_scalar_fn(const struct conn_rule *rule, struct bytes text, uint64_t *ret);
/* Whatever else: fills the section's struct; false with err set. */
typedef bool conn_entry_fn(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry,
			   void *section);

/* Values that not every IPsec backend can obey: struct conn_backend. */
enum conn_need { CONN_NEEDS_NOTHING, CONN_NEEDS_SCOPE, CONN_NEEDS_HW_OFFLOAD, CONN_NEEDS_TFC, CONN_NEEDS_SHA256_96 };

struct conn_rule {
	const char *name;
	enum tree_kind kind; /* TREE_VALUE or TREE_LIST */
	conn_scalar_fn *scalar; /* of the value, or of each item of a refused list */
	conn_entry_fn *entry;   /* instead of scalar and field */
	size_t offset, size;    /* the field in the section's struct; size 0: not kept */
	const char *const *words; /* for scalar_word: its index is the value; ends with NULL */
	uint64_t max;             /* for scalar_uint */
	/* Why values are refused, and which are not: bit n for value n (0 to 63). */
	const char *refusal;
	uint64_t obeyed;
	enum conn_need needs; /* without it likewise */
};

struct conn_rules {
	const struct conn_rule *rules;
	size_t count;
};

extern const struct conn_rules conn_rules_conn, conn_rules_round, conn_rules_child, conn_rules_cert;

/* A time or volume that was not configured, until the defaults are filled in. */
#define CONN_UNSET UINT64_MAX

conn_scalar_fn scalar_bool, scalar_uint, scalar_time, scalar_size, scalar_word, scalar_action,
	scalar_dscp, scalar_tfc, scalar_per_cpu, scalar_text, scalar_id, scalar_oid;
conn_entry_fn entry_id, entry_auth, entry_endpoints, entry_selectors, entry_proposals, entry_refused_list, entry_mark,
	entry_if_id, entry_interface, entry_updown, entry_certs, entry_pubkeys, entry_policies,
	entry_vips, entry_pools;
conn_entry_fn entry_groups;

/* ---- conn_round.c */
/* All rounds of one side, in order of `round`, then of appearance. */
bool conn_parse_rounds(struct conn_parse *p, const struct tree *conn, bool local);
/* What conn_unref frees. */
void conn_objects_free(struct conn *c);

/* Whether a section's name is fit for logs and listings. */
bool conn_name_is_good(const struct tree *t);
bool conn_name_begins(const struct tree *t, const char *word); /* case-insensitive */
const char *conn_keep_text(struct conn_parse *p, struct bytes text);

/* These always give false. */
bool conn_fail_section(struct conn_parse *p, const struct tree *section);
bool conn_fail_value(struct conn_parse *p, const char *key);
bool conn_fail_unsupported(struct conn_parse *p, const char *key, struct bytes value, const char *why);

/* Whether the backend can what the rule needs; else err says that it cannot. */
bool conn_check_needs(struct conn_parse *p, const struct conn_rule *rule, struct bytes value);
bool conn_fail_backend(struct conn_parse *p, const char *key, struct bytes value, const char *what);
/* An unsigned number of 32 bits in C's notation. */
bool conn_take_u32(struct reader *r, uint64_t *ret);

/* One entry by its table: unknown names and kinds, bad values and refused ones fail with err set. */
bool conn_rules_apply(struct conn_parse *p, const struct conn_rules *rules, const struct tree *entry,
		      void *section);

/* Fills list from proposal_default if it is empty; false (err set) if there are none. */
bool conn_default_proposals(struct conn_parse *p, const char *key, enum ike_protocol protocol,
			    struct proposal_list *list);

#endif

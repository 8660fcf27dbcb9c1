/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "proto/iana.h"
#include "sa/collision.h"
#include "sa/exchange.h"

/*
 * Writes what is drawn and explored out of the very tables that the daemon moves by:
 * states_gen ike.dot | child.dot | rows.pml | rows
 */

/* ---- one machine, whichever ---- */

struct machine {
	const char *name, *prefix; /* "IKE_SA", "IKE" */
	unsigned states, events;
	const char *(*state_name)(unsigned s);
	const char *(*event_name)(unsigned e);
	/* Row i; false behind the last. */
	bool (*row)(size_t i, unsigned *ret_state, unsigned *ret_event, unsigned *ret_next, const char **ret_meaning);
};

static const char *gen_ike_state(unsigned s)
{
	return ike_state_name((enum ike_state)s);
}

static const char *gen_ike_event(unsigned e)
{
	return ike_event_name((enum ike_event)e);
}

static bool gen_ike_row(size_t i, unsigned *ret_state, unsigned *ret_event, unsigned *ret_next, const char **ret_meaning)
{
	if (i >= ike_transitions_count)
		return false;
	*ret_state = ike_transitions[i].state;
	*ret_event = ike_transitions[i].event;
	*ret_next = ike_transitions[i].next;
	*ret_meaning = ike_transitions[i].meaning;
	return true;
}

static const char *gen_child_state(unsigned s)
{
	return child_state_name((enum child_state)s);
}

static const char *gen_child_event(unsigned e)
{
	return child_event_name((enum child_event)e);
}

static bool gen_child_row(size_t i, unsigned *ret_state, unsigned *ret_event, unsigned *ret_next,
			  const char **ret_meaning)
{
	if (i >= child_transitions_count)
		return false;
	*ret_state = child_transitions[i].state;
	*ret_event = child_transitions[i].event;
	*ret_next = child_transitions[i].next;
	*ret_meaning = child_transitions[i].meaning;
	return true;
}

static const struct machine gen_ike = { "IKE_SA", "IKE", IKE_STATES, IKE_EVENTS, gen_ike_state, gen_ike_event,
					gen_ike_row };
static const struct machine gen_child = { "CHILD_SA", "CHILD", CHILD_STATES, CHILD_EVENTS, gen_child_state,
					  gen_child_event, gen_child_row };

/* ---- the diagrams ---- */

static bool gen_has_row(const struct machine *m, unsigned state)
{
	unsigned s, e, n;
	const char *meaning;

	for (size_t i = 0; m->row(i, &s, &e, &n, &meaning); i++)
		if (s == state || n == state)
			return true;
	return false;
}

static bool gen_is_failure(const char *event)
{
	return strstr(event, "FAILED") || strcmp(event, "SILENT") == 0 || strcmp(event, "REFUSED") == 0;
}

/*
 * One edge for all rows that lead from one state to another, drawn when the first of them comes. Failures are red, what
 * happens by order only is grey.
 */
static void gen_edge(const struct machine *m, size_t first)
{
	unsigned s, e, n, state, event, next;
	bool normal = false, failure = false, seen = false;
	const char *meaning;

	(void)m->row(first, &state, &event, &next, &meaning);
	for (size_t i = 0; i < first; i++)
		if (m->row(i, &s, &e, &n, &meaning) && s == state && n == next)
			return;
	printf("\t%s -> %s [label=\"", m->state_name(state), m->state_name(next));
	for (size_t i = first; m->row(i, &s, &e, &n, &meaning); i++) {
		if (s != state || n != next)
			continue;
		failure |= gen_is_failure(m->event_name(e));
		normal |= !gen_is_failure(m->event_name(e)) && strcmp(m->event_name(e), "DESTROY") != 0;
		printf("%s%s", seen ? "\\n" : "", m->event_name(e));
		seen = true;
	}
	printf("\"%s];\n", normal  ? "" :
			   failure ? ", color=firebrick, fontcolor=firebrick" :
				     ", color=gray60, fontcolor=gray40, style=dashed");
}

static void gen_dot(const struct machine *m)
{
	unsigned s, e, n;
	const char *meaning;

	printf("// The states of the %s, written by states_gen out of the table in sa/%s_states.c.\n", m->name,
	       m == &gen_ike ? "ike_sa" : "child_sa");
	printf("digraph %s {\n", m->name);
	printf("\tgraph [rankdir=TB, nodesep=0.6, ranksep=0.7, fontname=Helvetica];\n");
	printf("\tnode [shape=box, style=rounded, fontname=Helvetica, fontsize=12];\n");
	printf("\tedge [fontname=Helvetica, fontsize=9];\n\n");
	for (unsigned i = 0; i < m->states; i++)
		if (gen_has_row(m, i))
			printf("\t%s%s;\n", m->state_name(i), strcmp(m->state_name(i), "DESTROYING") == 0 ?
								   " [style=\"rounded,filled\", fillcolor=gray90]" :
								   "");
	printf("\n");
	for (size_t i = 0; m->row(i, &s, &e, &n, &meaning); i++)
		gen_edge(m, i);
	printf("}\n");
}

/* ---- the model's part ---- */

/* One name space: a number for each, so that a trace prints them. */
static void gen_names(const struct machine *m)
{
	printf("mtype = {\n");
	for (unsigned i = 0; i < m->states; i++)
		printf("\t%s_%s,\n", m->prefix, m->state_name(i));
	for (unsigned i = 0; i < m->events; i++)
		printf("\t%s_EV_%s%s\n", m->prefix, m->event_name(i), i + 1 < m->events ? "," : "");
	printf("};\n\n");
}

/* Rows are numbered through both tables, so that the test of mutants can leave one out. */
static unsigned gen_rows(const struct machine *m, const char *table, unsigned number)
{
	unsigned s, e, n;
	const char *meaning;

	for (size_t i = 0; m->row(i, &s, &e, &n, &meaning); i++)
		printf("\tROW(%u, %s, %s_%s, %s_EV_%s, %s_%s); /* %s */\n", ++number, table, m->prefix, m->state_name(s),
		       m->prefix, m->event_name(e), m->prefix, m->state_name(n), meaning);
	return number;
}

static const struct {
	unsigned exchange;
	const char *name;
} gen_exchanges[] = {
	{ EXCHANGE_IKE_SA_INIT, "X_INIT" },
	{ EXCHANGE_IKE_AUTH, "X_AUTH" },
	{ EXCHANGE_CREATE_CHILD_SA, "X_CREATE" },
	{ EXCHANGE_INFORMATIONAL, "X_INFO" },
};

static void gen_exchange_rules(void)
{
	for (unsigned s = 0; s < IKE_STATES; s++)
		for (size_t x = 0; x < sizeof(gen_exchanges) / sizeof(*gen_exchanges); x++) {
			if (exchange_allowed((enum ike_state)s, gen_exchanges[x].exchange, true))
				printf("\tmay_come[IKE_%s * NAMES + %s] = 1;\n", gen_ike_state(s), gen_exchanges[x].name);
			if (exchange_allowed((enum ike_state)s, gen_exchanges[x].exchange, false))
				printf("\tmay_go[IKE_%s * NAMES + %s] = 1;\n", gen_ike_state(s), gen_exchanges[x].name);
		}
}

/* The notifies that sa/collision.c answers with. */
static const char *gen_answer(unsigned notify)
{
	switch (notify) {
	case 0:
		return "R_OK";
	case NOTIFY_TEMPORARY_FAILURE:
		return "R_TEMPORARY";
	case NOTIFY_CHILD_SA_NOT_FOUND:
		return "R_NOT_FOUND";
	default:
		return "R_REFUSED";
	}
}

static void gen_collisions(void)
{
	for (unsigned s = 0; s < IKE_STATES; s++) {
		enum ike_state ike = (enum ike_state)s;

		printf("\tcross_create[IKE_%s] = %s;\n", gen_ike_state(s), gen_answer(collision_create_child(ike)));
		printf("\tcross_rekey_ike[IKE_%s * 2] = %s;\n", gen_ike_state(s),
		       gen_answer(collision_rekey_ike(ike, false)));
		printf("\tcross_rekey_ike[IKE_%s * 2 + 1] = %s;\n", gen_ike_state(s),
		       gen_answer(collision_rekey_ike(ike, true)));
		for (unsigned c = 0; c < CHILD_STATES; c++)
			printf("\tcross_rekey_child[IKE_%s * NAMES + CHILD_%s] = %s;\n", gen_ike_state(s), gen_child_state(c),
			       gen_answer(collision_rekey_child(ike, (enum child_state)c)));
	}
}

static void gen_promela(void)
{
	printf("/* Written by states_gen out of src/sa: the rows of both machines, the exchange table, the rules of collisions. */\n\n");
	gen_names(&gen_ike);
	gen_names(&gen_child);
	printf("mtype = { X_INIT, X_AUTH, X_CREATE, X_INFO };\n");
	printf("mtype = { R_OK, R_TEMPORARY, R_NOT_FOUND, R_REFUSED, R_EMPTY, R_BAD };\n\n");
	printf("#define NAMES 80\n");
	printf("hidden byte ike_next[6400];   /* 0: not declared */\n");
	printf("hidden byte child_next[6400];\n");
	printf("hidden byte may_come[6400], may_go[6400];\n");
	printf("hidden byte cross_create[80], cross_rekey_ike[160], cross_rekey_child[6400];\n\n");
	printf("#ifdef MUTANTS\nhidden byte row_cut;\n"
	       "#define ROW(N, TABLE, STATE, EVENT, NEXT) TABLE[STATE * NAMES + EVENT] = (row_cut == N -> 0 : NEXT)\n"
	       "#else\n#define ROW(N, TABLE, STATE, EVENT, NEXT) TABLE[STATE * NAMES + EVENT] = NEXT\n#endif\n\n");
	printf("inline tables_fill()\n{\n");
	(void)gen_rows(&gen_child, "child_next", gen_rows(&gen_ike, "ike_next", 0));
	gen_exchange_rules();
	gen_collisions();
	printf("}\n");
}

/* For scripts: one row a line. */
static void gen_list(const struct machine *m)
{
	unsigned s, e, n;
	const char *meaning;

	for (size_t i = 0; m->row(i, &s, &e, &n, &meaning); i++)
		printf("%s\t%s\t%s\t%s\t%s\n", m->name, m->state_name(s), m->event_name(e), m->state_name(n), meaning);
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (strcmp(what, "ike.dot") == 0) {
		gen_dot(&gen_ike);
	} else if (strcmp(what, "child.dot") == 0) {
		gen_dot(&gen_child);
	} else if (strcmp(what, "rows.pml") == 0) {
		gen_promela();
	} else if (strcmp(what, "rows") == 0) {
		gen_list(&gen_ike);
		gen_list(&gen_child);
	} else {
		fprintf(stderr, "usage: states_gen ike.dot | child.dot | rows.pml | rows\n");
		return 2;
	}
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/exchange.h"
#include "sa/task.h"
#include "sa_test.h"

/* The tables of moves and of exchanges, as graphs. */

/* A row of either table. */
struct row {
	unsigned state, event, next;
	const char *meaning;
};

struct table {
	size_t count;
	unsigned states, events, start, end;
	struct row rows[64];
};

static struct table table_of(bool child)
{
	struct table t = { .count = child ? child_transitions_count : ike_transitions_count };

	ck_assert_uint_le(t.count, 64);
	t.states = child ? CHILD_STATES : IKE_STATES;
	t.events = child ? CHILD_EVENTS : IKE_EVENTS;
	t.start = child ? CHILD_STATE_CREATED : IKE_STATE_CREATED;
	t.end = child ? CHILD_STATE_DESTROYING : IKE_STATE_DESTROYING;
	for (size_t i = 0; i < t.count; i++) {
		const struct child_transition *c = &child_transitions[i];
		const struct ike_transition *k = &ike_transitions[i];

		t.rows[i] = child ? (struct row){ c->state, c->event, c->next, c->meaning }
				  : (struct row){ k->state, k->event, k->next, k->meaning };
	}
	return t;
}

/* The states that can be reached from one, as bits. */
static unsigned table_reach(const struct table *t, unsigned from)
{
	unsigned seen = 1u << from, before;

	do {
		before = seen;
		for (size_t i = 0; i < t->count; i++)
			if (seen >> t->rows[i].state & 1)
				seen |= 1u << t->rows[i].next;
	} while (seen != before);
	return seen;
}

START_TEST(rows)
{
	struct table t = table_of(_i);
	unsigned reached = table_reach(&t, t.start);

	for (size_t i = 0; i < t.count; i++) {
		const struct row *r = &t.rows[i];

		ck_assert_uint_lt(r->state, t.states);
		ck_assert_uint_lt(r->event, t.events);
		ck_assert_uint_lt(r->next, t.states);
		ck_assert(r->meaning && *r->meaning);
		ck_assert_msg(reached >> r->state & 1, "row %zu can never be used", i);
		ck_assert_msg(r->state != t.end, "row %zu leaves the last state", i);
		for (size_t k = 0; k < i; k++)
			ck_assert_msg(t.rows[k].state != r->state || t.rows[k].event != r->event,
				      "rows %zu and %zu are for the same", k, i);
	}
}
END_TEST

/* Nothing gets stuck (law 4): from wherever an SA can be there is a way to its end, and one that needs no peer. */
START_TEST(ends)
{
	struct table t = table_of(_i);
	unsigned reached = table_reach(&t, t.start);
	unsigned destroy = _i ? CHILD_EVENT_DESTROY : IKE_EVENT_DESTROY;

	for (unsigned s = 0; s < t.states; s++) {
		bool by_order = false;

		if (!(reached >> s & 1) || s == t.end)
			continue;
		ck_assert(table_reach(&t, s) >> t.end & 1);
		for (size_t i = 0; i < t.count; i++)
			by_order |= t.rows[i].state == s && t.rows[i].event == destroy && t.rows[i].next == t.end;
		ck_assert_msg(by_order, "state %u cannot be left by order", s);
	}
	ck_assert(reached >> t.end & 1);
}
END_TEST

/* Each move of each state by each event: as the table says, or refused with nothing changed. */
START_TEST(ike_moves)
{
	for (unsigned s = 0; s < IKE_STATES; s++) {
		for (unsigned e = 0; e < IKE_EVENTS; e++) {
			const struct ike_transition *row = ike_transition_find(s, e);
			bool closes = row && row->next == IKE_STATE_CLOSED, closed = s == IKE_STATE_CLOSED;
			struct sa_ctx ctx = { .closed = closed };
			struct ike_sa sa = { .ctx = &ctx, .state = (uint8_t)s, .log = { "test", 1 } };

			ck_assert_int_eq(ike_sa_move(&sa, e), row != NULL);
			ck_assert_uint_eq(sa.state, row ? row->next : s);
			ck_assert_uint_eq(ctx.closed, row ? closes : closed);
		}
	}
}
END_TEST

START_TEST(child_moves)
{
	static const struct child_conf conf = { .name = "test" };

	for (unsigned s = 0; s < CHILD_STATES; s++) {
		for (unsigned e = 0; e < CHILD_EVENTS; e++) {
			const struct child_transition *row = child_transition_find(s, e);
			struct ike_sa sa = { .log = { "test", 1 } };
			struct child_sa c = { .state = (uint8_t)s, .ike = &sa, .conf = &conf };

			ck_assert_int_eq(child_sa_move(&c, e), row != NULL);
			ck_assert_uint_eq(c.state, row ? row->next : s);
		}
	}
}
END_TEST

/* VICI prints some of these; all differ and none is missing. */
START_TEST(names)
{
	for (unsigned i = 0; i < IKE_STATES; i++)
		for (unsigned k = 0; k < i; k++)
			ck_assert_str_ne(ike_state_name(i), ike_state_name(k));
	for (unsigned i = 0; i < IKE_EVENTS; i++)
		ck_assert_str_ne(ike_event_name(i), "?");
	for (unsigned i = 0; i < CHILD_STATES; i++)
		for (unsigned k = 0; k < i; k++)
			ck_assert_str_ne(child_state_name(i), child_state_name(k));
	for (unsigned i = 0; i < CHILD_EVENTS; i++)
		ck_assert_str_ne(child_event_name(i), "?");
	for (unsigned i = 0; i < CAUSES; i++)
		for (unsigned k = 0; k < i; k++)
			ck_assert_str_ne(cause_name(i), cause_name(k));
	for (unsigned i = 0; i < TASKS; i++)
		for (unsigned k = 0; k < i; k++)
			ck_assert_str_ne(task_name(i), task_name(k));
	ck_assert_str_eq(ike_state_name(IKE_STATE_ESTABLISHED), "ESTABLISHED");
	ck_assert_str_eq(child_state_name(CHILD_STATE_INSTALLED), "INSTALLED");
	ck_assert_str_eq(task_name(TASK_CHILD_CREATE), "CHILD_CREATE");
	ck_assert_str_eq(ike_state_name(IKE_STATES), "?");
	ck_assert_str_eq(ike_event_name(IKE_EVENTS), "?");
	ck_assert_str_eq(child_state_name(CHILD_STATES), "?");
	ck_assert_str_eq(child_event_name(CHILD_EVENTS), "?");
	ck_assert_str_eq(cause_name(CAUSES), "?");
	ck_assert_str_eq(task_name(TASKS), "?");
}
END_TEST

/* Said twice: by the table, and here state by state ('i' may come in, 'o' may go out). */
START_TEST(exchanges)
{
	static const char *const want[IKE_STATES][4] = {
		/* IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL */
		[IKE_STATE_CREATED] = { "io", "", "", "" },
		[IKE_STATE_CONNECTING] = { "o", "io", "", "" },
		[IKE_STATE_ESTABLISHED] = { "", "", "io", "io" },
		[IKE_STATE_REKEYING] = { "", "", "io", "i" },
		[IKE_STATE_REKEYED] = { "", "", "i", "io" },
		[IKE_STATE_DELETING] = { "", "", "i", "i" },
	};

	for (unsigned s = 0; s < IKE_STATES; s++) {
		for (unsigned x = 0; x < 256; x++) {
			const char *w = x >= EXCHANGE_IKE_SA_INIT && x <= EXCHANGE_INFORMATIONAL && want[s][0]
						? want[s][x - EXCHANGE_IKE_SA_INIT]
						: "";

			ck_assert_int_eq(exchange_allowed(s, x, true), strchr(w, 'i') != NULL);
			ck_assert_int_eq(exchange_allowed(s, x, false), strchr(w, 'o') != NULL);
		}
	}
}
END_TEST

TCase *test_states(void)
{
	TCase *t = tcase_create("states");

	tcase_add_loop_test(t, rows, 0, 2);
	tcase_add_loop_test(t, ends, 0, 2);
	tcase_add_test(t, ike_moves);
	tcase_add_test(t, child_moves);
	tcase_add_test(t, names);
	tcase_add_test(t, exchanges);
	return t;
}

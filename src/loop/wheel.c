/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/wheel.h"

#include <stdlib.h>

#include "util/log.h"
#include "util/mem.h"

/*
 * Level k has slots of 64^k ms. A timer sits at the level of the highest group of
 * six bits in which its due time differs from now, in the slot that this group
 * of its due time names. So all slots in use of a level lie ahead of now within
 * the same turn of that level, all of level k is due before anything of level
 * k + 1, and eleven levels hold every 64-bit time. When now reaches a
 * slot of a higher level, its timers move down, in order: before
 * anybody can start a timer into the slots they get to. That keeps the
 * order of starting for equal times.
 */
#define WHEEL_BITS   6
#define WHEEL_SLOTS  (1u << WHEEL_BITS)
#define WHEEL_LEVELS ((64 + WHEEL_BITS - 1) / WHEEL_BITS)

struct wheel {
	uint64_t now;
	size_t count;
	bool advancing;
	uint64_t used[WHEEL_LEVELS]; /* bit per slot: not empty */
	struct list overdue;         /* due when they were started: for the next advance */
	struct list firing;          /* to be called in this advance */
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

static struct timer *timer_of(struct list *link)
{
	return list_entry(link, struct timer, link);
}

struct wheel *wheel_new(uint64_t now_ms)
{
	struct wheel *w = xcalloc(1, sizeof(*w));

	w->now = now_ms;
	list_init(&w->overdue);
	list_init(&w->firing);
	for (size_t i = 0; i < WHEEL_LEVELS; i++) {
		for (size_t j = 0; j < WHEEL_SLOTS; j++)
			list_init(&w->slots[i][j]);
	}
	return w;
}

static void wheel_forget(struct list *l)
{
	LIST_FOREACH_SAFE(it, l)
		it->next = it->prev = NULL;
}

void wheel_free(struct wheel *w)
{
	if (!w)
		return;
	wheel_forget(&w->overdue);
	wheel_forget(&w->firing);
	for (size_t i = 0; i < WHEEL_LEVELS; i++) {
		for (size_t j = 0; j < WHEEL_SLOTS; j++)
			wheel_forget(&w->slots[i][j]);
	}
	free(w);
}

uint64_t wheel_now(const struct wheel *w)
{
	return w->now;
}

size_t wheel_count(const struct wheel *w)
{
	return w->count;
}

/* due must be later than now. */
static void wheel_place(struct wheel *w, struct timer *t)
{
	unsigned level = (63 - (unsigned)__builtin_clzll(t->due ^ w->now)) / WHEEL_BITS;
	unsigned slot = (unsigned)(t->due >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);

	list_add_tail(&w->slots[level][slot], &t->link);
	w->used[level] |= (uint64_t)1 << slot;
}

/* Unlinks a timer; clears the bit of the slot that it leaves empty. */
static void wheel_unlink(struct wheel *w, struct timer *t)
{
	struct list *head = t->link.next;
	const struct list *first = &w->slots[0][0];
	bool last = t->link.prev == head;

	list_del(&t->link);
	t->link = (struct list){ NULL, NULL };
	/* alone in its ring: the neighbour is the head, whose address names the slot */
	if (last && head >= first && head < first + WHEEL_LEVELS * WHEEL_SLOTS) {
		size_t index = (size_t)(head - first);

		w->used[index / WHEEL_SLOTS] &= ~((uint64_t)1 << index % WHEEL_SLOTS);
	}
}

void timer_stop(struct wheel *w, struct timer *t)
{
	if (!timer_running(t))
		return;
	wheel_unlink(w, t);
	w->count--;
}

void timer_start(struct wheel *w, struct timer *t, uint64_t due_ms, timer_fn *fn)
{
	timer_stop(w, t);
	t->due = due_ms;
	t->fn = fn;
	if (due_ms <= w->now)
		list_add_tail(&w->overdue, &t->link);
	else
		wheel_place(w, t);
	w->count++;
}

/* Time of the next slot in use, and its level; false if there is none. */
static bool wheel_next_slot(const struct wheel *w, unsigned *ret_level, uint64_t *ret_time)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		unsigned shift = level * WHEEL_BITS;
		uint64_t slot, turn;

		if (!w->used[level])
			continue;
		slot = (uint64_t)__builtin_ctzll(w->used[level]);
		/* the bits above this level's; the top level has none */
		turn = shift + WHEEL_BITS < 64 ? w->now >> (shift + WHEEL_BITS) << (shift + WHEEL_BITS)
					       : 0;
		*ret_level = level;
		*ret_time = turn | slot << shift;
		return true;
	}
	return false;
}

uint64_t wheel_next(const struct wheel *w)
{
	unsigned level;
	uint64_t time;

	if (!list_empty(&w->overdue) || !list_empty(&w->firing))
		return w->now;
	return wheel_next_slot(w, &level, &time) ? time : UINT64_MAX;
}

static void list_move_all(struct list *from, struct list *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

/* Empties the slot that begins now: what is due is to be fired, the rest moves down. */
static void wheel_open_slot(struct wheel *w, unsigned level)
{
	unsigned slot = (unsigned)(w->now >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
	struct list all;

	list_init(&all);
	list_move_all(&w->slots[level][slot], &all);
	w->used[level] &= ~((uint64_t)1 << slot);
	if (level == 0) {
		list_move_all(&all, &w->firing);
		return;
	}
	LIST_FOREACH_SAFE(it, &all) {
		if (timer_of(it)->due <= w->now)
			list_add_tail(&w->firing, it);
		else
			wheel_place(w, timer_of(it));
	}
}

void wheel_advance(struct wheel *w, uint64_t now_ms)
{
	uint64_t time;
	unsigned level;

	if (!expect(!w->advancing))
		return;
	w->advancing = true;
	list_move_all(&w->overdue, &w->firing);
	while (wheel_next_slot(w, &level, &time) && time <= now_ms) {
		w->now = time;
		wheel_open_slot(w, level);
	}
	if (now_ms > w->now)
		w->now = now_ms;

	/* The callbacks see a wheel that is at its new time. They may take timers off this list. */
	while (!list_empty(&w->firing)) {
		struct timer *t = timer_of(w->firing.next);

		timer_stop(w, t);
		t->fn(t);
	}
	w->advancing = false;
}
